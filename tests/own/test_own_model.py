"""A user's own model from a file to its weights: copied, trained, paused to the bit, kept so that it can be loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import BUNDLED, read_spec
from lvmtui.formats.trainer_log import IN_THE_PLAN, Exit, Failed, Finished
from lvmtui.planning.choose import choose
from lvmtui.planning.describe import plan_as_text
from lvmtui.planning.extend import Extension
from lvmtui.planning.options import Options
from lvmtui.planning.own_tables import Own, read_own, with_sources
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.planning.read_options import combine
from lvmtui.state.run_reader import RunReader
from lvmtui.state.status import Life, Phase, status_of
from lvmtui.system.errors import UserError
from lvmtui.verdict.health import health_of
from lvmtui.verdict.rows import UNFIT
from tests.report.made_campaigns import section
from tests.trainers.tiny import (
    Interrupting,
    copy_of,
    events_of,
    plan_campaign,
    state_of,
    tiny_options,
    train_here,
    write_walk,
)
from tests.verdict.scenes import report_of
from tests.verdict.scenes import state_of as campaign_now
from trainers.state import load_forecaster

EXAMPLES = Path(__file__).parents[2] / "examples"


def planned(root: Path, source: str, **changes: object) -> RunDir:
    own, models = with_sources(Own(), [source], "--models")
    _, runs = plan_campaign(root, models=models, own=own, **changes)
    return runs[0]


def test_the_example_trains_pauses_to_the_bit_and_can_be_loaded(tmp_path: Path) -> None:
    model = tmp_path / "mixer.py"
    model.write_bytes((EXAMPLES / "mixer.py").read_bytes())
    run = planned(tmp_path, f"{model}:Mixer")
    model.write_text("raise SystemExit('edited after the campaign was planned')")
    spec = read_spec(run.spec)
    assert spec.own_model is not None
    paused = copy_of(run, "paused")
    assert train_here(run) is Exit.FINISHED
    assert train_here(paused, Interrupting(paused.intent, at=6)) is Exit.PAUSED
    assert train_here(paused) is Exit.FINISHED
    once, twice = state_of(run).finished, state_of(paused).finished
    assert once is not None and twice is not None
    assert once.weights_digest == twice.weights_digest and once.heldout == twice.heldout
    with pytest.raises(UserError, match=r"code of its own \(mixer\.py\)"):
        load_forecaster(run.best_model)
    began = state_of(run).started
    assert began is not None and spec.own_model.parameters == began.parameters, "the plan counts what is trained"
    loaded = load_forecaster(run.best_model, run_its_code=True)
    assert loaded(torch.randn(3, spec.context, spec.dim)).shape == (3, spec.dim)


BATCH_NORM = """
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self, dim, context):
        super().__init__()
        self.norm, self.line = nn.BatchNorm1d(dim * context), nn.Linear(dim * context, dim)
    def forward(self, x):
        return self.line(self.norm(x.flatten(1)))
"""


def test_batch_statistics_reach_the_weights_that_are_kept(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(BATCH_NORM)
    run = planned(tmp_path, f"{tmp_path}/model.py:Model")
    assert train_here(run) is Exit.FINISHED
    kept = torch.load(run.best_model, weights_only=True)["state_dict"]
    assert kept["model.norm.num_batches_tracked"] > 0 and kept["model.norm.running_mean"].abs().max() > 0


@pytest.mark.parametrize("kind", ["double", "bfloat16"])
def test_a_model_may_compute_in_another_precision(tmp_path: Path, kind: str) -> None:
    """All of its runs died in our step, three times each, and a retry was advised."""
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("x.flatten(1)))", f"x.flatten(1))).{kind}()"))
    run = planned(tmp_path, f"{tmp_path}/model.py:Model")
    assert train_here(run) is Exit.FINISHED
    loaded = load_forecaster(run.best_model, run_its_code=True)
    assert loaded(torch.randn(3, read_spec(run.spec).context, read_spec(run.spec).dim)).dtype == torch.float32


def test_a_model_that_breaks_later_fails_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        BATCH_NORM.replace("return self", "assert len(x) != 32, 'no 32'\n        return self")
    )
    run = planned(tmp_path, f"{tmp_path}/model.py:Model", batch_size=31)
    changed = copy_of(run, "changed", recipe=_with_batch(run, 32))
    assert train_here(changed) is Exit.FAILED
    ending = events_of(changed)[-1]
    assert isinstance(ending, Failed) and ending.message == (
        f"model.py:9: AssertionError: no 32, in the copy {IN_THE_PLAN}; mend {tmp_path}/model.py:Model and start a new "
        "campaign"
    )
    state = RunReader(changed).refresh()
    assert state is not None and status_of(state, Life.NONE).phase is Phase.FAILED, "it is not tried again"


def test_the_plan_names_the_context_that_breaks_and_a_network_that_ignores_it(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("return self", "assert x.shape[1] < 6\n        return self"))
    own, models = with_sources(Own(), [f"{tmp_path}/model.py:Model"], "--models")
    options = tiny_options(tmp_path, models=models, own=own, context=(5, 6))
    with pytest.raises(UserError, match=r"^--models: context 6: model.py:9: AssertionError"):
        make_plan(options, Workspace(tmp_path))
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("return self", "open('mine.txt', 'w')\n        return self"))
    with pytest.raises(UserError, match=r"writes to .*mine\.txt; a model has no files of its own"):
        make_plan(options, Workspace(tmp_path))
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("x.flatten(1)", "x.flatten(1).abs().sign()"))
    plan = make_plan(options, Workspace(tmp_path))
    assert plan_as_text(plan).count("the network of Model has the same output for every context") == 1
    campaign = write_plan(plan, Workspace(tmp_path))
    _, md = report_of(Workspace(tmp_path), campaign)
    run = campaign_now(Workspace(tmp_path), campaign).runs[0].state
    assert run
    (alarm,) = health_of(run, None)
    assert alarm.alarm and alarm.kind in UNFIT, "it has no part in the average"
    assert "- The network of Model has the same output for every context." in section(md, "What to doubt")


def test_what_breaks_after_some_steps_may_go_better_another_time(tmp_path: Path) -> None:
    counting = (
        "self.seen = getattr(self, 'seen', 0) + self.training\n        assert self.seen < 26, 'seen enough'\n        "
    )
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("return self", counting + "return self"))
    run = planned(tmp_path, f"{tmp_path}/model.py:Model")
    assert train_here(run) is Exit.FAILED
    ending = events_of(run)[-1]
    assert isinstance(ending, Failed) and ending.reason == "error", "it is tried again by itself"
    assert ending.message.startswith(f"model.py:10: AssertionError: seen enough, in the copy {IN_THE_PLAN}; mend ")


def test_what_is_not_finite_may_come_from_ones_own_forward(tmp_path: Path) -> None:
    late = "(float('nan') if len(x) == 32 else 1) * self.line(self"
    (tmp_path / "model.py").write_text(BATCH_NORM.replace("self.line(self", late))
    run = planned(tmp_path, f"{tmp_path}/model.py:Model", batch_size=31)
    changed = copy_of(run, "changed", recipe=_with_batch(run, 32))
    assert train_here(changed) is Exit.FAILED
    ending = events_of(changed)[-1]
    assert isinstance(ending, Failed) and ending.reason == "diverged"
    assert ending.message.endswith(f", or a {tmp_path}/model.py:Model whose result stays finite")


def _with_batch(run: RunDir, size: int) -> object:
    from dataclasses import replace

    return replace(read_spec(run.spec).recipe, batch_size=size)


def test_a_copy_that_was_changed_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(BATCH_NORM)
    run = planned(tmp_path, f"{tmp_path}/model.py:Model")
    spec = read_spec(run.spec)
    assert spec.own_model is not None
    copy = tmp_path / spec.own_model.code.folder / "model.py"
    copy.write_text(copy.read_text() + "\n")
    assert train_here(run) is Exit.FAILED
    ending = events_of(run)[-1]
    assert isinstance(ending, Failed) and "not the" in ending.message and ending.reason == "data"


def test_a_recipe_and_a_loss_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("def loss(output, target):\n    return (output - target).abs().mean()\n")
    table = {"recipes": {"mine": {"based_on": "tuned", "rate": 1e-3, "loss": "my.py:loss"}}}
    own = read_own(table, tmp_path / "campaign.toml")
    _, runs = plan_campaign(tmp_path, own=own, recipe="mine")
    spec = read_spec(runs[0].spec)
    assert spec.recipe.name == "mine" and spec.recipe.rate == 1e-3 and spec.recipe.own_loss is not None
    assert train_here(runs[0]) is Exit.FINISHED
    assert isinstance(events_of(runs[0])[-1], Finished)
    losses = [e.loss for e in state_of(runs[0]).evaluations]
    assert all(loss is not None and loss < 0.5 for loss in losses)


def test_plan_and_report_name_file_options_and_recipe_of_each_model(tmp_path: Path) -> None:
    (tmp_path / "mixer.py").write_bytes((EXAMPLES / "mixer.py").read_bytes())
    (tmp_path / "my.py").write_text("def loss(output, target):\n    return ((output - target) ** 2).mean()\n")
    tables = {
        "models": {"mine": {"file": "mixer.py:Mixer", "options": {"width": 32}, "title": "MLP mixer", "recipe": "mse"}},
        "recipes": {"mse": {"based_on": "tuned", "loss": "my.py:loss", "rate": 1e-3}},
    }
    own, workspace = read_own(tables, tmp_path / "campaign.toml"), Workspace(tmp_path)
    said: list[str] = []
    plan = make_plan(tiny_options(tmp_path, own=own, models=("amn", "mine")), workspace, said.append)
    assert "trying mixer.py:Mixer, at most 120 s: timing its predictions and steps" in said
    spec, told = plan.specs[-1], plan_as_text(plan)
    assert spec.own_model and spec.recipe.own_loss
    model, loss = spec.own_model.words, spec.recipe.own_loss.words
    assert re.fullmatch("mixer.py:Mixer, digest [0-9a-f]{16}, width = 32", model) and loss.startswith("my.py:loss, dig")
    assert f"own model  MLP mixer: {model}, {spec.own_model.parameters:,} parameters" in told
    assert "recipe     tuned (AMN): rate 0.004, updates of 32" in told
    assert f"recipe     mse (MLP mixer): loss {loss}; rate 0.001, updates of 32" in told
    _, md = report_of(workspace, write_plan(plan, workspace))
    assert "Recipes differ (tuned: AMN; mse: MLP mixer)" in section(md, "What to doubt")
    provenance = section(md, "Plan, checks and checksums")
    assert f"Own model MLP mixer: {model}." in provenance
    epochs = "2 epochs of the largest data set, equal updates"
    assert f"Recipe mse: loss {loss}, rate 0.001, {epochs}, batches of 32 (MLP mixer)." in provenance


def test_a_model_without_sizes_has_no_note_about_them(tmp_path: Path) -> None:
    own, models = with_sources(Own(), [f"{EXAMPLES / 'mixer.py'}:Mixer"], "--models")
    assert [c.option for c in choose(Options(own=own, models=models), 100)[1]] == ["recipe"]
    assert [c.option for c in choose(Options(own=own, models=("gru", *models)), 100)[1]] == ["recipe", "size"]


def test_sizes_are_added_with_the_code_that_was_copied_whatever_became_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "mixer.py").write_bytes((EXAMPLES / "mixer.py").read_bytes())
    (tmp_path / "my.py").write_text("def loss(output, target):\n    return ((output - target) ** 2).mean()\n")
    tables = {
        "models": {"mine": {"file": "mixer.py:Mixer", "options": {"width": 32}, "title": "MLP mixer", "recipe": "mse"}},
        "recipes": {"mse": {"based_on": "tuned", "loss": "my.py:loss", "evaluations": 4}},
        "trainers": {"theirs": {"command": "true", "pattern": "x (?P<cosine>.)", "epochs": 5}},
    }
    own = read_own(tables, tmp_path / "campaign.toml")
    write_walk(tmp_path / "all.npz", 90)
    files = {"baseline": BUNDLED, "expanded": BUNDLED, "data": (str(tmp_path / "all.npz"),)}
    workspace, runs = plan_campaign(
        tmp_path, **files, sizes=("250", "500", "all"), labels=(), models=("mine", "theirs"), own=own, context=(3, 5)
    )
    specs = tuple(read_spec(run.spec) for run in runs)
    for name in ("mixer.py", "my.py"):
        (tmp_path / name).unlink()
    folder = workspace.campaign(specs[0].campaign)
    extended = Extension(folder, read_campaign(folder.campaign), specs)
    added = make_plan(combine(extended.options(["1k"])), workspace, extended=extended).specs
    assert {(spec.model, spec.context) for spec in added} == {(m, c) for m in ("mine", "theirs") for c in (3, 5)}
    for spec in added:
        before = next(s for s in specs if (s.model, s.context) == (spec.model, spec.context))
        assert spec.own_trainer == before.own_trainer and spec.total_steps == before.total_steps
        if spec.own_model and before.own_model:
            assert spec.own_model.words == before.own_model.words, "the report says it once"
            assert spec.own_model.code.digest == before.own_model.code.digest and spec.own_model.title == "MLP mixer"
            assert spec.own_model.options == {"width": 32}
            assert spec.recipe.own_loss and before.recipe.own_loss and spec.recipe.evaluations == 4
            assert spec.recipe.own_loss.digest == before.recipe.own_loss.digest
    copy = next((folder.path / "own" / "mine").glob("*.py"))
    copy.write_text("changed")
    with pytest.raises(UserError, match="was trained; restore the copy"):
        extended.options(["1k"])
