"""How many evaluations a run still has, where patience may end it before its last step. Pure.

Evaluations are taken as a chain of two states: the last one was the best so far, or it was not. How often another one
without a better loss follows is counted in the campaign's runs of the same arm (a small arm overfits and stops, a
large one goes on), starting from a weak guess; the chance of every possible end follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lvmtui.formats.trainer_log import Evaluated
from lvmtui.state.run_state import RunState

Ends = tuple[tuple[int, float], ...]
"""(evaluations left, chance), from few to many."""


@dataclass(frozen=True)
class Worsening:
    """Chance that an evaluation brings no better loss, by whether the one before did."""

    after_better: float
    after_worse: float


PRIOR = ((0.24, 2.0), (2.3, 3.0))
"""(without a better loss, evaluations) after a better one and after one that was not, before any were seen: the
shares in 48 runs of the tuned recipe on the bundled data, counting for two and three evaluations."""


def worsening_of(runs: Iterable[RunState]) -> Mapping[str, Worsening]:
    """The chances by arm, from all evaluations of these runs."""
    counts: dict[str, list[list[float]]] = {}
    for run in runs:
        seen = counts.setdefault(run.spec.arm, [list(row) for row in PRIOR])
        state = 0
        for evaluation in run.trainer.evaluations[1:]:  # the first is always the best so far
            seen[state][0] += not evaluation.best
            seen[state][1] += 1
            state = int(not evaluation.best)
    return {arm: Worsening(*(worse / all_ for worse, all_ in rows)) for arm, rows in counts.items()}


UNKNOWN = Worsening(*(worse / all_ for worse, all_ in PRIOR))


def without_better(evaluations: Sequence[Evaluated]) -> int | None:
    """Evaluations since the best one; None before the first."""
    return next((n for n, e in enumerate(reversed(evaluations)) if e.best), len(evaluations)) if evaluations else None


def ends_of(left: int, patience: int | None, so_far: int | None, chance: Worsening) -> Ends:
    """The chance of each number of evaluations that are still to come, of `left` at most.

    `so_far`: evaluations without a better loss in a row, None before the first one, which is always the best so far;
    at `patience` of them the run ends.
    """
    if patience is None or left <= 0:
        return ((max(0, left), 1.0),)
    done = int(so_far is None)
    row = [0.0] * patience  # chance of so many in a row
    row[min(so_far or 0, patience - 1)] = 1.0
    ends: list[tuple[int, float]] = []
    for evaluation in range(done + 1, left):
        worse = [p * (chance.after_worse if n else chance.after_better) for n, p in enumerate(row)]
        row = [sum(row) - sum(worse), *worse[:-1]]
        if worse[-1] > 0:
            ends.append((evaluation, worse[-1]))
    return (*ends, (left, sum(row)))


def quantile(ends: Ends, share: float) -> int:
    """Evaluations left that are not exceeded with a chance of `share`."""
    total = 0.0
    for evaluations, chance in ends:
        total += chance
        if total >= share:
            return evaluations
    return ends[-1][0]
