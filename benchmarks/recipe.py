"""What the tuned recipe is worth, ingredient by ingredient, by the trainer itself; the figures stand in docs/recipe.md.

    python benchmarks/recipe.py WORKSPACE ablate     each ingredient taken out or changed, both bundled arms
    python benchmarks/recipe.py WORKSPACE collapse   ten seeds, rates halved, as they are and doubled
    python benchmarks/recipe.py WORKSPACE quarter    CPU seconds to the reference recipe's plateau, both recipes
    python benchmarks/recipe.py WORKSPACE reach      held-out cosine above the recency mean, with intervals
    python benchmarks/recipe.py WORKSPACE wide       both recipes on the bundled vectors turned into 768 numbers
    python benchmarks/recipe.py WORKSPACE copies     what the recipe alone changes when the windows are twice as many
    python benchmarks/recipe.py WORKSPACE full       the same with models of size full: hours
    python benchmarks/recipe.py WORKSPACE try NAME=VALUE ...    the recipe with other values, on validation data
    python benchmarks/recipe.py WORKSPACE summary    all tables of what was trained so far, in Markdown

`--models`, `--arms`, `--seeds` and `--rates` take a part of it, `--minutes M` begins no run after M minutes, `--jobs N`
trains N at once (2). What was trained is not trained again, see `trials.py`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from command_line import parser_of
from experiments import COMMANDS, MANY_SEEDS, RATES, SEEDS, VARIATIONS, Part, changed, reach, twice
from trials import Floats, Look, Result, Trial, figure, planned, recency_mean, results, train_all

from lvmtui.formats.spec import ARMS, ArmName, Recipe
from lvmtui.models import MODELS, title_of
from lvmtui.verdict.interval import Design

COLLAPSED = 0.25
"""Spread, 1 - length of the mean unit prediction, under which the predictions are all alike. The recency mean's own is
about .5 and that of a constant prediction 0."""
BELOW = 0.01
"""A run this far below the recency mean on the held-out windows has failed, whatever its spread."""


# Tables --------------------------------------------------------------------------------------------------------------


class Found:
    """The results at hand, by trial."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.by_key = {r.trial.key: r for r in results(workspace)}

    def of(self, trials: Iterable[Trial]) -> list[Result]:
        """The results of the trials that were trained."""
        return [self.by_key[t.key] for t in trials if t.key in self.by_key]

    def cosines(self, trials: Iterable[Trial]) -> Floats:
        """Held-out cosines (K, W) of those that finished."""
        keys = [r.trial.key for r in self.of(trials) if r.heldout is not None]
        return np.array([np.load(self.workspace / "heldout" / f"{key}.npy") for key in keys], np.float64)


def signed(difference: float) -> str:
    return f"{round(difference, 4) + 0.0:+.4f}".replace("0.", ".", 1)  # + 0: no minus before a zero


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column is words, the others are figures."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def labels(found: Found, data: str = "bundled") -> dict[ArmName, str]:
    _, specs = planned(found.workspace, data)
    return {arm: spec.label for (_, arm), spec in specs.items()}


def reach_table(found: Found, part: Part) -> str:
    """Each model's mean over seeds above the recency mean, on the same held-out windows, with its CR2 interval."""
    rows, label = [], labels(found)
    for arm in part.arms:
        validated, bar, cluster = recency_mean(found.workspace, "bundled", arm)
        rows.append([f"recency mean, {label[arm]}", "", figure(validated), figure(float(bar.mean())), "", "", ""])
        for model in part.models:
            trials = [t for t in reach(part) if (t.model, t.arm) == (model, arm)]
            cosines = found.cosines(trials)
            if not len(cosines):
                continue
            above = Design([cluster]).estimate([(cosines - bar).mean(axis=0)], (cosines.mean(axis=1),))
            low, high = above.interval() or (float("nan"), float("nan"))
            done = found.of(trials)
            rows.append(
                [
                    f"{title_of(model)}, {label[arm]}",
                    str(len(cosines)),
                    mean_of(r.validation for r in done),
                    figure(float(cosines.mean())),
                    signed(above.value),
                    f"[{signed(low)}, {signed(high)}]",
                    f"{statistics.fmean(r.cpu for r in done):.0f} s",
                ]
            )
    head = ["model, arm", "seeds", "validation", "held-out", "above recency mean", "95 % interval", "CPU a run"]
    return table(head, rows)


def copies_table(found: Found, part: Part) -> str:
    """By arm and model: the change in percent that a second copy of every window makes, with its CR2 interval over
    held-out articles and seeds."""
    rows, label = [], labels(found)
    for arm in part.arms:
        cluster = recency_mean(found.workspace, "bundled", arm)[2]
        for model in part.models:
            plain, doubled = (
                {t.seed: t for r in found.of(part.grid(recipe, SEEDS)) if ((t := r.trial).model, t.arm) == (model, arm)}
                for recipe in (changed({}), twice)
            )
            both = [seed for seed in plain if seed in doubled]
            if not both:
                continue
            once, more = (found.cosines(of[seed] for seed in both) for of in (plain, doubled))
            seeds = (once.mean(axis=1), more.mean(axis=1))
            difference = Design([cluster]).estimate([(more - once).mean(axis=0)], seeds)
            percent = 100 / float(once.mean())
            low, high = (percent * end for end in difference.interval() or (float("nan"), float("nan")))
            change = f"{percent * difference.value:+.2f} % [{low:+.2f}, {high:+.2f}]"
            rows.append([f"{title_of(model)}, {label[arm]}", str(len(once)), figure(float(once.mean())), change])
    return table(["model, arm", "seeds", "held-out", "change by a second copy"], rows)


def mean_of(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    return figure(statistics.fmean(known)) if known else "-"


def ablation_table(found: Found, part: Part) -> str:
    """By variation and arm: mean and deviation over seeds of the mean over models, and the difference to the recipe.

    Only models and seeds that the variation and the recipe both have are compared.
    """
    rows, label = [], labels(found)
    for name, changes in VARIATIONS.items():
        row = [name]
        for arm in part.arms:
            own, whole = (
                {(r.trial.model, r.trial.seed): r for r in found.of(part.grid(changed(c), SEEDS)) if r.trial.arm == arm}
                for c in (changes, {})
            )
            both = [(own[k], whole[k]) for k in own if k in whole]
            row += compared([b for b in both if b[0].validation is not None and b[1].validation is not None])
        rows.append(row)
    head = ["recipe"]
    for arm in part.arms:
        head += [f"{label[arm]}: validation", "held-out", "deviation", "runs", "CPU a run"]
    return table(head, rows)


def compared(pairs: Sequence[tuple[Result, Result]]) -> list[str]:
    """Cells of the ablation: differences of validation and held-out cosine, deviation of the latter over seeds."""
    if not pairs:
        return ["-"] * 5
    seeds = sorted({own.trial.seed for own, _ in pairs})

    def differences(value: Callable[[Result], float | None]) -> list[float]:
        return [
            statistics.fmean((value(a) or 0) - (value(b) or 0) for a, b in pairs if a.trial.seed == seed)
            for seed in seeds
        ]

    whole = all(a is b for a, b in pairs)
    validation, heldout = differences(lambda r: r.validation), differences(lambda r: r.heldout)
    if whole:
        by_seed = [statistics.fmean(a.heldout or 0 for a, _ in pairs if a.trial.seed == seed) for seed in seeds]
        cells = [mean_of(a.validation for a, _ in pairs), figure(statistics.fmean(by_seed))]
    else:
        by_seed = heldout
        cells = [signed(statistics.fmean(validation)), signed(statistics.fmean(heldout))]
    deviation = figure(statistics.stdev(by_seed)) if len(by_seed) > 1 else "-"
    return [*cells, deviation, str(len(pairs)), f"{statistics.fmean(a.cpu for a, _ in pairs):.0f} s"]


def collapse_table(found: Found, part: Part) -> str:
    """By model, arm and rate: the worst of the seeds, and how many failed."""
    rows, label = [], labels(found)
    for arm in part.arms:
        bar = float(recency_mean(found.workspace, "bundled", arm)[1].mean())
        for model in part.models:
            for rate in part.rates:
                done = found.of(t for t in part.grid(changed({"rate": rate}), MANY_SEEDS) if t.model == model)
                done = [r for r in done if r.trial.arm == arm]
                good = [r for r in done if r.heldout is not None and r.spread is not None]
                if not done:
                    continue
                failed = len(done) - len(good) + sum(fails(r, bar) for r in good)
                rows.append(
                    [
                        f"{title_of(model)}, {label[arm]}",
                        f"x {rate:g}",
                        str(len(done)),
                        str(failed),
                        signed(min(r.heldout for r in good if r.heldout is not None) - bar) if good else "-",
                        mean_of(r.heldout for r in good),
                        f"{min(r.spread for r in good if r.spread is not None):.2f}" if good else "-",
                    ]
                )
    head = ["model, arm", "rate", "seeds", "failed", "worst, above recency mean", "mean held-out", "least spread"]
    return table(head, rows)


def fails(result: Result, bar: float) -> bool:
    """True if the predictions are all alike or far below the recency mean's cosine `bar`."""
    assert result.heldout is not None and result.spread is not None
    return result.spread < COLLAPSED or result.heldout < bar - BELOW


def quarter_table(found: Found, trials: Sequence[Trial]) -> str:
    """CPU seconds in which the reference recipe comes to its best validation cosine, and the tuned recipe to the same.

    The stricter column takes the reference's time to within .001 of its best.
    """
    rows = []
    data = trials[0].data
    label = labels(found, data)
    for reference, own in zip(trials[::2], trials[1::2], strict=True):
        both = found.of([reference, own])
        if len(both) < 2 or both[0].validation is None:
            continue
        plateau = both[0].validation
        slow, near = (reached(both[0], plateau - less) for less in (0.0, 0.001))
        fast = reached(both[1], plateau)
        assert slow is not None and near is not None, "its best is one of its evaluations"
        rows.append(
            [
                f"{title_of(own.model)}, {label[own.arm]}",
                figure(plateau),
                figure(both[1].validation),
                figure(both[0].heldout),
                figure(both[1].heldout),
                f"{slow.cpu:.1f} s",
                f"{near.cpu:.1f} s",
                f"{fast.cpu:.1f} s" if fast else "never",
                f"{fast.cpu / slow.cpu:.0%}" if fast else "-",
                f"{fast.cpu / near.cpu:.0%}" if fast else "-",
            ]
        )
    head = ["model, arm", "reference's plateau", "tuned", "held-out, reference", "tuned", "to the plateau, reference"]
    return table([*head, "to .001 below it", "to the plateau, tuned", "share", "share of the stricter"], rows)


def reached(result: Result, cosine: float) -> Look | None:
    """The first evaluation at which the run had the validation cosine."""
    return next((look for look in result.looks if look.cosine is not None and look.cosine >= cosine - 1e-9), None)


def summary(workspace: Path, part: Part) -> None:
    found = Found(workspace)
    tables: dict[str, Callable[[], str]] = {
        "reach": lambda: reach_table(found, part),
        "copies": lambda: copies_table(found, part),
        "ablate": lambda: ablation_table(found, part),
        "collapse": lambda: collapse_table(found, part),
    }
    for name in ("quarter", "wide", "full"):
        tables[name] = partial(quarter_table, found, COMMANDS[name](part))
    for name, make in tables.items():
        if found.of(COMMANDS[name](part)):
            print(f"\n`{name}`\n\n{make()}")


def read_changes(words: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` words, the values as in JSON."""
    changes: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in {field.name for field in fields(Recipe)}:
            raise SystemExit(f"{name}: not a value of a recipe; take one of lvmtui/models.py")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("command", choices=(*COMMANDS, "try", "summary"))
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS)
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    workspace = options.workspace.resolve()
    workspace.mkdir(parents=True, exist_ok=True)
    seeds = tuple(options.seeds) if options.seeds else None
    part = Part(tuple(options.models), tuple(options.arms), seeds, tuple(options.rates))
    if options.command == "summary":
        summary(workspace, part)
    else:
        until = time.monotonic() + 60 * options.minutes
        if options.command == "try":
            trials = part.grid(changed(read_changes(options.changes)), SEEDS)
        else:
            trials = COMMANDS[options.command](part)
        train_all(workspace, trials, options.jobs, until)
        for arm in part.arms:
            done = [r for r in Found(workspace).of(trials) if r.trial.arm == arm]
            print(
                f"{arm}: {len(done)} runs, validation {mean_of(r.validation for r in done)}, "
                f"held-out {mean_of(r.heldout for r in done)}, {sum(r.cpu for r in done):.0f} CPU seconds"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
