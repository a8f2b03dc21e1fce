"""Does health speak up in time, and only then? Real trainings on the bundled vectors, healthy and with a planted fault.

    python benchmarks/health.py planted [--steps N]     six kinds of fault, the real trainer: each must be named rightly
    python benchmarks/health.py runs WORKSPACE...       every run of every campaign there: what was said, and when

The 30 healthy runs of the claim are the campaigns of `lvmtui demo --seeds 3`, judged by the second form at each of
their evaluations, as if they had been watched.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from command_line import parser_of
from torch import Tensor, nn
from torch.nn import functional

from lvmtui.formats.data_facts import TrivialBaselines, TrivialScore
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import Recipe, RunSpec, write_spec
from lvmtui.formats.trainer_log import Evaluated
from lvmtui.models import recipe_for
from lvmtui.planning.options import demo
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.verdict.health import EARLY, OVERFIT_EVALUATIONS, Finding, health_of
from lvmtui.verdict.trend import peak
from trainers import train
from trainers.data import RunData, TensorWindows, open_data
from trainers.orders import Orders
from trainers.state import build_forecaster


def moments(run: RunState) -> list[RunState]:
    """The run as it was known after each evaluation, and at its end."""
    seen = run.trainer.evaluations
    before = [
        replace(run, trainer=replace(run.trainer, ending=None, evaluations=seen[:n])) for n in range(1, len(seen) + 1)
    ]
    return [*before, run]


# Runs that are there ------------------------------------------------------------------------------------------------


def judge_runs(workspaces: Sequence[Path]) -> bool:
    """Print what is said of every run; True if there was no alarm."""
    count: Counter[str] = Counter()
    runs = 0
    for workspace in map(Workspace, workspaces):
        for folder in workspace.campaign_dirs():
            for path in sorted(workspace.models.glob(f"*_{'_'.join(folder.id.split('_')[-2:])}")):
                state = RunReader(RunDir(path)).refresh()
                if state is None or not state.trainer.evaluations:
                    continue
                trivial = find_document(TrivialBaselines, folder.baseline_scores(state.spec.arm)) or trivial_of(
                    state.spec, workspace.root
                )
                runs += 1
                first: dict[str, tuple[int, Finding]] = {}
                for n, moment in enumerate(moments(state), start=1):
                    for finding in health_of(moment, trivial):
                        first.setdefault(finding.kind, (n, finding))
                end = {f.kind for f in health_of(state, trivial)}
                count.update(kind for kind, (_, f) in first.items() if f.alarm)
                last = state.trainer.evaluations[-1]
                print(
                    f"{path.name}: cosine {last.cosine:.4f} spread {last.spread or 0:.3f} margin {last.margin or 0:.3f}"
                    f" last {last.last_cosine or 0:.3f} train {last.train_cosine or 0:.3f}"
                )
                for kind, (n, finding) in first.items():
                    mark = "ALARM" if finding.alarm else "note "
                    when = "and at the end" if kind in end else "not at the end"
                    print(
                        f"    {mark} from evaluation {n} of {len(state.trainer.evaluations)}, {when}: {finding.words}"
                    )
    print(f"{runs} runs, alarms: {dict(count) or 'none'}")
    return not count


# Planted faults -----------------------------------------------------------------------------------------------------


class Constant(nn.Module):
    """Predicts one vector, which it learns."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.randn(dim))

    def forward(self, context_BTD: Tensor) -> Tensor:
        return self.vector.expand(len(context_BTD), -1)


class CopyLast(nn.Module):
    """Predicts the last context vector."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, context_BTD: Tensor) -> Tensor:
        return self.scale * context_BTD[:, -1]


class ContextMean(CopyLast):
    """Predicts the mean of the context."""

    def forward(self, context_BTD: Tensor) -> Tensor:
        return self.scale * context_BTD.mean(dim=1)


@dataclass(frozen=True)
class Shuffled(TensorWindows):
    """Windows whose targets are other windows'."""

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        context, _ = TensorWindows.batch(self, which)
        other = torch.randperm(len(self), generator=torch.Generator().manual_seed(5))[which]
        return context, TensorWindows.batch(self, other)[1]


def shuffled(data: RunData) -> RunData:
    return replace(data, train=Shuffled(data.train.vectors, data.train.starts, data.train.context))


def few(data: RunData, count: int = 500) -> RunData:
    return replace(data, train=replace(data.train, starts=data.train.starts[:count]))


@dataclass(frozen=True)
class Fault:
    """Something wrong on purpose."""

    name: str
    kind: str
    """What it must be called."""
    recipe: Recipe
    model: str = "amn"
    module: Callable[[int], nn.Module] | None = None
    """In place of the model, as a sixth one would be."""
    data: Callable[[RunData], RunData] = lambda data: data
    or_collapsed: bool = False
    """Predicting the mean vector is where such a run may as well end."""

    @property
    def kinds(self) -> set[str]:
        return {self.kind, "collapsed"} if self.or_collapsed else {self.kind}


EVALUATIONS = 12
TUNED, PLAIN = recipe_for("tuned", "amn"), replace(recipe_for("reference", "amn"), epochs=4, evaluations=EVALUATIONS)
FAST = replace(PLAIN, rate=3.0)
FAILED = "failed_to_learn"
ALONE = replace(TUNED, correction=None)
"""The tuned recipe without the mean that a model's output is added to."""
NAKED = replace(TUNED, prior_windows=0.0, weight_decay=0.0, patience=None, average=None)
FAULTS = (
    Fault("constant predictor", "collapsed", ALONE, module=Constant),
    Fault("copy-last predictor", "echoing", ALONE, module=CopyLast),
    Fault("mean predictor", "no_better", ALONE, module=ContextMean),
    *(Fault(f"shuffled targets, {m}, tuned", FAILED, TUNED, m, None, shuffled, True) for m in ("amn", "gru")),
    *(Fault(f"shuffled targets, {m}, plain", FAILED, PLAIN, m, None, shuffled, True) for m in ("amn", "gru")),
    *(Fault(f"rate 3, {m}, plain", "diverged", FAST, m, or_collapsed=True) for m in ("amn", "lstm", "gru")),
    *(Fault(f"rate 1e9, {m}, tuned", "diverged", replace(TUNED, rate=1e9), m) for m in ("amn", "gru")),
    *(Fault(f"500 windows, {m}, no dropout", "overfitting", NAKED, m, data=few) for m in ("amn", "lstm", "gru")),
)


def planted(steps: int) -> bool:
    """Train every fault, print when it was named; True if all were, rightly and in time."""
    right = True
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        plan = make_plan(replace(demo(), models=("amn",), device="cpu", threads=1), workspace)
        write_plan(plan, workspace)
        base = next(spec for spec in plan.specs if spec.arm == "baseline")
        trivial = trivial_of(base, workspace.root)
        for fault in FAULTS:
            began = time.monotonic()
            run = train_one(fault, base, workspace, steps)
            said = [health_of(moment, trivial) for moment in moments(run)]
            first = next((n for n, found in enumerate(said, 1) if fault.kinds & {f.kind for f in found}), None)
            shows, total = visible(fault, run), len(run.trainer.evaluations)
            ok = first is not None and first <= shows + 2 and bool(fault.kinds & {f.kind for f in said[-1]})
            right &= ok
            names = " or ".join(sorted(fault.kinds))
            print(
                f"{'ok   ' if ok else 'WRONG'} {fault.name}: {names}, shows at look {shows}, "
                f"said at {first} of {len(said)}; {time.monotonic() - began:.0f} s"
            )
            for finding in said[-1]:
                print(f"        {'ALARM' if finding.alarm else 'note '} {finding.words}")
            print("        " + " ".join(curve_point(e) for e in run.trainer.evaluations[:: max(1, total // 6)]))
            sys.stdout.flush()
    return right


def visible(fault: Fault, run: RunState) -> int:
    """The look (an evaluation, or the end after the last) at which the fault can be seen at all."""
    evaluations = run.trainer.evaluations
    match fault.kind:
        case "echoing":
            return 1
        case "overfitting":
            best = peak(evaluations)
            assert best is not None
            return evaluations.index(best) + 1 + OVERFIT_EVALUATIONS
        case "diverged" if not run.trainer.finished:  # a loss that is no number ends the run
            return len(evaluations) + 1
        case "failed_to_learn":
            return len(evaluations)
        case _:  # nothing is held against a run's first quarter
            return math.ceil(EARLY * EVALUATIONS)


def curve_point(e: Evaluated) -> str:
    return f"{e.cosine or float('nan'):.3f}/{e.train_cosine or float('nan'):.3f}({e.spread or 0:.2f})"


def train_one(fault: Fault, base: RunSpec, workspace: Workspace, steps: int) -> RunState:
    """A run of the real trainer with the fault in it."""
    name = "planted_" + "".join(c if c.isalnum() else "_" for c in fault.name)
    folder = RunDir(workspace.models / name)
    folder.path.mkdir()
    spec = replace(
        base, run=name, model=fault.model, recipe=fault.recipe, total_steps=steps, evaluate_every=steps // EVALUATIONS
    )
    write_spec(folder.spec, spec)

    def data(spec: RunSpec, root: Path, device: torch.device) -> RunData:
        return fault.data(open_data(spec, root, device))

    def build(model: str, dim: int, *rest: object) -> nn.Module:
        return fault.module(dim) if fault.module else build_forecaster(model, dim, *rest)  # type: ignore[arg-type]

    train.open_data, train.build_forecaster = data, build  # type: ignore[assignment, attr-defined]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train.train(folder, Orders(folder.intent), time.monotonic())
    finally:
        train.open_data, train.build_forecaster = open_data, build_forecaster  # type: ignore[attr-defined]
    state = RunReader(folder).refresh()
    assert state is not None
    return state


def trivial_of(spec: RunSpec, root: Path) -> TrivialBaselines:
    """The figures health needs, computed here on the validation windows."""
    data = open_data(spec, root, torch.device("cpu"))
    context, target = data.validation.batch(slice(None))
    last, mean = context[:, -1], functional.normalize(context.mean(dim=1), dim=-1)

    def margin(predicted: Tensor) -> float:
        return float((predicted * target).sum(-1).mean() - (predicted * last).sum(-1).mean())

    held, heldout = data.judged.batch(slice(None))
    cosine = float((functional.normalize(held.mean(dim=1), dim=-1) * heldout).sum(-1).mean())
    return TrivialBaselines(
        arm=spec.arm,
        fingerprint=spec.split_fingerprint,
        windows=len(heldout),
        scores={"mean": TrivialScore(cosine, 0, 0, 0, 0)},
        validation_mean=float((mean * target).sum(-1).mean()),
        recency_weights=(),
        seconds=0.0,
        spread_mean=1 - float(np.linalg.norm(mean.mean(dim=0).numpy())),
        echo_margin=margin(last),
        mean_margin=margin(mean),
    )


def main() -> int:
    parser = parser_of(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    faults = commands.add_parser("planted")
    faults.add_argument("--steps", type=int, default=360)
    runs = commands.add_parser("runs")
    runs.add_argument("workspaces", type=Path, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    return 0 if (planted(options.steps) if options.command == "planted" else judge_runs(options.workspaces)) else 1


if __name__ == "__main__":
    sys.exit(main())
