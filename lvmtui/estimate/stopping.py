"""How many evaluations a run still has if patience may end it before its last step. Pure.

Evaluations form a Markov chain with two states: the last one was the best so far, or it was not. How often an
evaluation without a better loss follows is counted over the campaign's runs of the same arm (a small arm overfits and
stops, a large one continues), starting from a weak prior. The probability of every possible end follows from it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from lvmtui.formats.trainer_log import Evaluated
from lvmtui.state.run_state import RunState

Ends = tuple[tuple[int, float], ...]
"""(evaluations left, probability), from few to many."""


@dataclass(frozen=True)
class Worsening:
    """Probability that an evaluation brings no better loss, after one that did and after one that did not."""

    after_better: float
    after_worse: float


PRIOR = ((0.24, 2.0), (2.3, 3.0))
"""(evaluations without a better loss, evaluations) after a better one and after a worse one, before any are seen: the
shares in 48 runs of the tuned recipe on the bundled data, weighted as two and three evaluations."""


def worsening_of(runs: Iterable[RunState]) -> Mapping[str, Worsening]:
    """The probabilities by arm, from all evaluations of these runs."""
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
    """Number of evaluations since the best one; None before the first."""
    return next((n for n, e in enumerate(reversed(evaluations)) if e.best), len(evaluations)) if evaluations else None


def ends_of(left: int, patience: int | None, so_far: int | None, chance: Worsening) -> Ends:
    """The probability of each number of evaluations still to come, at most `left`.

    `so_far`: evaluations in a row without a better loss; None before the first one, which is always the best so far.
    The run ends when there are `patience` of them.
    """
    if patience is None or left <= 0:
        return ((max(0, left), 1.0),)
    done = int(so_far is None)
    row = [0.0] * patience  # probability of so many in a row
    row[min(so_far or 0, patience - 1)] = 1.0
    ends: list[tuple[int, float]] = []
    for evaluation in range(done + 1, left):
        worse = [p * (chance.after_worse if n else chance.after_better) for n, p in enumerate(row)]
        row = [sum(row) - sum(worse), *worse[:-1]]
        if worse[-1] > 0:
            ends.append((evaluation, worse[-1]))
    return (*ends, (left, sum(row)))


def quantile(ends: Ends, share: float) -> int:
    """The number of evaluations left that is not exceeded with probability `share`."""
    totals = list(accumulate(chance for _, chance in ends))
    return ends[min(bisect_left(totals, share), len(ends) - 1)][0]
