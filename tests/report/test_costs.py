"""Quality against cost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lvmtui.report.costs import UseCost, latency_doubt, priced_models
from lvmtui.report.make import read_report
from lvmtui.report.questions import questions
from lvmtui.state.campaign_reader import RunView
from lvmtui.verdict.words import Word
from tests.report.rows import answers, row, table
from tests.verdict.scenes import NOW, finished, state_of


def test_latencies_that_differ_between_the_arms_order_nothing() -> None:
    two = table(row("a", 1, 0.53), row("e", 1, 0.52))
    rough = {"a": UseCost(100, 0.50, 0.90), "e": UseCost(400, 0.60, 0.60)}
    assert latency_doubt(priced_models(two, rough)) == (
        "Latencies are rough: a took 0.50 ms in one arm and 0.90 ms in the other, and some models differ by a smaller "
        "factor."
    )
    said = answers(questions(two, rough))["Is the largest model worth its cost?"]
    assert said.endswith("for 4.0 times the parameters (their latencies cannot be told apart).")
    loaded = {"a": UseCost(100, 1.21, 1.57), "e": UseCost(400, 15.11, 31.48)}
    said = answers(questions(two, loaded))["Is the largest model worth its cost?"]
    assert said.endswith("and 12.5 times the latency."), "however uneven, it is slower"
    steady = {"a": UseCost(100, 0.50, 0.51), "e": UseCost(400, 0.60, 0.60)}
    assert latency_doubt(priced_models(two, steady)) == ""
    said = answers(questions(two, steady))["Is the largest model worth its cost?"]
    assert said.endswith("and 1.2 times the latency.")


def test_of_two_measurements_of_a_network_the_faster_counts(tmp_path: Path) -> None:
    """Load can only slow a prediction down. An outlier must neither be the figure nor excuse itself."""
    took = {"gru": (0.83, 0.82), "transformer": (1.05, 5.73)}
    workspace, campaign = finished(tmp_path, {"gru": (0.5, 0.52), "transformer": (0.5, 0.51)}, seeds=(1,))

    def timed(view: RunView) -> RunView:
        assert view.state and view.finished
        figure = took[view.planned.model][view.planned.arm == "expanded"]
        started = replace(view.state.trainer.starts[0], parameters=len(view.planned.model))
        ending = replace(view.finished, latency_p50_ms=figure)
        trainer = replace(view.state.trainer, starts=(started,), ending=ending)
        return replace(view, state=replace(view.state, trainer=trainer))

    state = state_of(workspace, campaign)
    report = read_report(replace(state, runs=tuple(map(timed, state.runs))), now=NOW)
    assert {c.model: (c.cost.latency_ms, c.cost.latency_again_ms) for c in report.choices} == {
        "gru": (0.82, 0.83),
        "transformer": (1.05, 5.73),
    }
    assert "Transformer took 1.05 ms in one arm and 5.73 ms in the other" in latency_doubt(report.choices)
    assert "latencies cannot be told apart" in answers(report.questions)["Is the largest model worth its cost?"]


def test_a_model_without_known_costs_is_not_on_the_front() -> None:
    two = table(row("a", 1, 0.52), row("b", 1, 0.53))
    chosen = {c.model: c for c in priced_models(two, {"a": UseCost(100, 1.0), "b": UseCost(None, None)})}
    assert (chosen["a"].on_front, chosen["b"].on_front, chosen["b"].weighed) == (True, False, False)
    assert not any(c.on_front for c in priced_models(two, {}))
    said = answers(questions(two, {}))["Did larger models gain more?"]
    assert said == "Unknown: the parameters of the models are not known."
    unfair = answers(questions(table(row("a", 1, 0.5, Word.NOT_COMPARABLE)), {"a": UseCost(100, 1.0)}))
    assert unfair["Did larger models gain more?"] == "Unknown: no model is ranked by held-out windows."


costs = st.builds(
    UseCost, st.one_of(st.none(), st.integers(1, 10**9)), st.one_of(st.none(), st.floats(0.01, 1000, allow_nan=False))
)
models = st.lists(st.tuples(st.floats(0.01, 1), costs), min_size=1, max_size=12)


@given(models)
def test_the_pareto_front_is_what_nothing_beats(given_models: list[tuple[float, UseCost]]) -> None:
    named = {f"m{i}": cost for i, (_, cost) in enumerate(given_models)}
    chosen = priced_models(table(*(row(f"m{i}", 1.0, c) for i, (c, _) in enumerate(given_models))), named)
    kinds = {(bool(c.parameters), bool(c.latency_ms)) for _, c in given_models}
    complete = (any(p for p, _ in kinds), any(ms for _, ms in kinds))
    assert any(choice.on_front for choice in chosen) is (complete in kinds and any(complete))
    assert [c.cosine for c in chosen] == sorted((c.cosine for c in chosen), reverse=True)

    def axes(choice: object) -> tuple[float, float, float]:
        cost = choice.cost  # type: ignore[attr-defined]
        return (-choice.cosine, cost.parameters or math.inf, cost.latency_ms or math.inf)  # type: ignore[attr-defined]

    for one in chosen:
        beaten = any(
            axes(other) != axes(one) and all(a <= b for a, b in zip(axes(other), axes(one), strict=True))
            for other in chosen
        )
        assert one.weighed is ((bool(one.cost.parameters), bool(one.cost.latency_ms)) == complete and any(complete))
        assert one.on_front is (one.weighed and not beaten)
