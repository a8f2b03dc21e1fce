"""The report as facts and sentences, before it is written as Markdown, JSON or CSV. Pure.

`report.json` is exactly this dataclass (`lvmtui.formats.json_codec.encode`), so its fields are documented here; a field
that changes its meaning raises VERSION, a new one does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lvmtui.formats.campaign import ArmFacts, Campaign
from lvmtui.formats.data_facts import DataFacts, TrivialBaselines
from lvmtui.formats.results import Comparison
from lvmtui.formats.spec import Arm, RunSpec
from lvmtui.models import title_of
from lvmtui.report.curves import Curve, curve_of
from lvmtui.report.insights import Choice, Cost, Question, Recommendation, choices, questions, recommendations
from lvmtui.state.reader import CampaignState, RunView
from lvmtui.state.run_state import RunState
from lvmtui.system.text import sanitise
from lvmtui.verdict.answer import answer
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.comparison import context_means
from lvmtui.verdict.health import Finding
from lvmtui.verdict.ranking import table_of
from lvmtui.verdict.rows import mean_of
from lvmtui.verdict.table import Table

VERSION = 1


@dataclass(frozen=True)
class Heldout:
    """The windows that judge."""

    windows: int
    windows_own: int | None
    """In articles the baseline's source has; the others are in the new source. None: not known."""
    clusters: int
    effective_clusters: float | None
    """How many clusters of equal size would tell as much."""
    seed: int | None
    """Of the draw."""
    fingerprint: str
    """Runs that have it in common are judged on the same windows. Empty: there are no such windows."""


@dataclass(frozen=True)
class Progress:
    """How far the campaign is."""

    started: float | None
    """Seconds since 1970."""
    ended: float | None
    """None: not over yet."""
    runs: int
    finished: int
    missing: tuple[str, ...]
    """Runs that are not finished, with what they are doing or why they stopped."""

    @property
    def duration(self) -> float | None:
        """Seconds from the first start to the last end."""
        return self.ended - self.started if self.started is not None and self.ended is not None else None


@dataclass(frozen=True)
class RunDetail:
    """One run. What a run that is not finished does not have is None."""

    run: str
    model: str
    title: str
    arm: Arm
    label: str
    seed: int
    status: str
    reason: str
    findings: tuple[Finding, ...]
    parameters: int | None
    steps: int | None
    total_steps: int | None
    stopped_early: bool | None
    best_epoch: float | None
    validation: float | None
    """Validation cosine of the best model; so far, while the run goes on."""
    heldout: float | None
    """Mean held-out cosine."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    seconds: float | None
    """Of work, over all attempts."""
    attempts: int
    started: float | None
    """When its first process was started: its work counts from there on."""
    ended: float | None
    device: str
    threads: int | None
    recipe: str
    versions: dict[str, str]
    folder: str
    """Relative to the workspace, or absolute."""
    best_model: str
    """File of the best model; empty: there is none."""
    best_digest: str
    weights_digest: str
    heldout_digest: str
    data_fingerprint: str
    split_fingerprint: str
    imported_from: str
    """Folder whose run this is; empty: trained by this program."""
    history_digest: str
    """sha256 of that history."""
    curve: Curve
    best_at_first: bool = False
    """Its best evaluation is the first of several: it may have been better still before it."""


@dataclass(frozen=True)
class Report:
    """Everything a reader is told."""

    campaign: str
    title: str
    """`8k vs 23k`."""
    made: float
    """Seconds since 1970."""
    by: str
    """lvmtui version that made it."""
    answer: str
    caveats: tuple[str, ...]
    progress: Progress
    table: Table
    questions: tuple[Question, ...]
    recommendations: tuple[Recommendation, ...]
    choices: tuple[Choice, ...]
    """Expanded models by quality, with their costs and the Pareto front."""
    comparisons: tuple[Comparison, ...]
    """The figures behind the table."""
    baseline: ArmFacts
    expanded: ArmFacts
    data: DataFacts | None
    """What the check of both data sets found; None: not known."""
    heldout: Heldout
    validation_mean: dict[str, float]
    """Cosine of the context mean on each arm's validation windows, by arm, where known."""
    runs: tuple[RunDetail, ...]
    campaign_facts: Campaign
    """The plan: models, size, recipe, seeds, jobs, threads, device, versions, who."""
    version: int = VERSION

    @property
    def complete(self) -> bool:
        return self.progress.finished == self.progress.runs


def report_of(
    state: CampaignState,
    comparisons: Mapping[str, Comparison],
    trivial: Mapping[str, TrivialBaselines | None],
    health: Mapping[str, tuple[Finding, ...]],
    heldout: Heldout,
    data: DataFacts | None,
    *,
    now: float,
    version: str,
) -> Report:
    """The report of a campaign as it is now. `comparisons` by model, `trivial` and `health` by the name of the run."""
    campaign = state.campaign
    table = table_of(state, comparisons, trivial, health)
    runs = tuple(_detail(state, view, health.get(view.planned.run, ())) for view in _by_model(state))
    costs = _costs(campaign, runs)
    return Report(
        campaign=campaign.id,
        title=sanitise(campaign.title, 100),
        made=now,
        by=version,
        answer=answer(table),
        caveats=caveats(table),
        progress=_progress(state, runs),
        table=table,
        questions=questions(table, costs),
        recommendations=recommendations(table, costs),
        choices=choices(table, costs),
        comparisons=tuple(comparisons[model] for model in campaign.models if model in comparisons),
        baseline=campaign.baseline,
        expanded=campaign.expanded,
        data=data,
        heldout=heldout,
        validation_mean={arm: mean for arm, mean in context_means(state, trivial).items()},
        runs=runs,
        campaign_facts=campaign,
    )


def _by_model(state: CampaignState) -> list[RunView]:
    """The runs as people look for them, not as they were started."""
    place = {model: i for i, model in enumerate(state.campaign.models)}
    return sorted(state.runs, key=lambda v: (place.get(v.planned.model, len(place)), v.planned.arm, v.planned.seed))


def _progress(state: CampaignState, runs: tuple[RunDetail, ...]) -> Progress:
    starts = [run.started for run in runs if run.started is not None]
    ends = [run.ended for run in runs if run.ended is not None]
    missing: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        if run.status != "finished":
            why = run.status + (f" ({run.reason})" if run.reason else "")
            missing.setdefault((f"{run.title} {run.label}", why), []).append(run.seed)
    several = len(state.campaign.seeds) > 1
    return Progress(
        started=min(starts, default=None),
        ended=max(ends) if ends and all(view.status.over for view in state.runs) else None,
        runs=len(runs),
        finished=sum(run.status == "finished" for run in runs),
        missing=tuple(
            f"{name}{f', seed {_listed(seeds)}' if several else ''}: {why}" for (name, why), seeds in missing.items()
        ),
    )


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))


def _costs(campaign: Campaign, runs: tuple[RunDetail, ...]) -> dict[str, Cost]:
    """By model, from the expanded arm's runs; parameters from the other arm where that has not started."""
    found = {}
    for model in campaign.models:
        mine = [run for run in runs if run.model == model]
        expanded = [run for run in mine if run.arm == "expanded"]
        parameters = next((run.parameters for run in [*expanded, *mine] if run.parameters), None)
        again = mean_of(run.latency_p50_ms for run in mine if run.arm == "baseline")
        found[model] = Cost(parameters, mean_of(run.latency_p50_ms for run in expanded), again)
    return found


def _detail(state: CampaignState, view: RunView, findings: tuple[Finding, ...]) -> RunDetail:
    planned, run = view.planned, view.state
    spec = run.spec if run else None
    trainer = run.trainer if run else None
    started = trainer.started if trainer else None
    finished = trainer.finished if trainer else None
    best = trainer.best if trainer else None
    measured = finished if finished and not (spec and spec.history) else None
    evaluations = [(e.epoch, e.cosine) for e in trainer.evaluations] if trainer else []
    label = sanitise(state.campaign.arm(planned.arm).label, 40)
    return RunDetail(
        run=planned.run,
        model=planned.model,
        title=sanitise(title_of(planned.model), 60),
        arm=planned.arm,
        label=label,
        seed=planned.seed,
        status="missing" if run is None else view.status.phase.value,
        reason=sanitise(view.status.reason, 200),
        findings=findings,
        parameters=(started.parameters or None) if started else None,
        steps=run.step if run else None,
        total_steps=spec.total_steps if spec else None,
        stopped_early=finished.stopped_early if finished else None,
        best_epoch=finished.best_epoch if finished else best.epoch if best else None,
        validation=finished.best_cosine if finished else best.cosine if best else None,
        heldout=measured.heldout.cosine if measured and measured.heldout.windows else None,
        latency_p50_ms=measured.latency_p50_ms if measured else None,
        latency_p95_ms=measured.latency_p95_ms if measured else None,
        seconds=_seconds(run) if run else None,
        attempts=trainer.attempts if trainer else 0,
        started=_first_start(run) if run else None,
        ended=view.status.since if view.status.over else None,
        device=sanitise(started.device, 60) if started else "",
        threads=spec.threads if spec and not spec.history else None,
        recipe=sanitise(spec.recipe.name, 60) if spec else "",
        versions={sanitise(k, 40): sanitise(v, 60) for k, v in started.versions.items()} if started else {},
        folder=planned.folder,
        best_model=_best_model(view, spec) if finished else "",
        best_digest=measured.best_digest if measured else "",
        weights_digest=measured.weights_digest if measured else "",
        heldout_digest=measured.heldout_digest if measured else "",
        data_fingerprint=spec.data.fingerprint if spec else "",
        split_fingerprint=spec.split_fingerprint if spec else "",
        imported_from=spec.imported.folder if spec and spec.imported else "",
        history_digest=spec.imported.digest if spec and spec.imported else "",
        curve=curve_of(planned.arm, _curve_label(state, view, label), evaluations),
        best_at_first=bool(trainer and best and len(evaluations) > 1 and best is trainer.evaluations[0]),
    )


def _first_start(run: RunState) -> float | None:
    """The trainer says `started` when its first step can begin; the start of its process counts as work already."""
    times = (run.supervision.first_launched, run.trainer.first_started)
    return min((time for time in times if time is not None), default=None)


def _seconds(run: RunState) -> float | None:
    """Of work, over all attempts; of another program's run what its history tells."""
    evaluations = run.trainer.evaluations
    if run.spec.imported:
        return (evaluations[-1].active or None) if evaluations else None
    return run.trainer.active or None


def _best_model(view: RunView, spec: RunSpec | None) -> str:
    """The file with the weights: ours, or what lay beside an imported history."""
    if spec and spec.imported and spec.history:
        return f"{spec.imported.folder}/{spec.imported.weights}" if spec.imported.weights else ""
    return f"{view.planned.folder}/{view.folder.best_model.name}"


def _curve_label(state: CampaignState, view: RunView, label: str) -> str:
    return f"{label} s{view.planned.seed}" if len(state.campaign.seeds) > 1 else label
