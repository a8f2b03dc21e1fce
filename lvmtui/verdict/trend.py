"""The course of a validation curve: its peak, what it gained late, and whether it is at its plateau. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from lvmtui.formats.trainer_log import Evaluated
from lvmtui.system.numbers import finite

OVERFIT_FALL = 0.003
"""Cosine lost since the peak. Large-arm runs of the tuned recipe wander by .001 to .002 on the bundled validation
windows; small-arm runs that go on for half a dozen epochs after their peak lose .005 to .009."""
PLATEAU_SHARE = 0.25
"""The end of a curve, in steps: its last quarter, two evaluations of the tuned recipe's eight."""
ANNEALED_SHARE = 0.5
"""The same where the learning rate falls to zero, which flattens any last quarter (docs/judgement.md has figures)."""
PLATEAU_GAIN = 0.0025
"""Relative gain in cosine that a curve at its plateau stays under: half of the +-0.5 % that a verdict calls
negligible, so that unfinished training of one arm alone cannot carry a comparison out of that band."""
PLATEAU_EVALUATIONS = 4
"""With fewer, two evaluations lie further apart than a quarter of the curve, and nothing is known."""


def scored(evaluations: Sequence[Evaluated]) -> tuple[Evaluated, ...]:
    """The evaluations that have a validation cosine."""
    return tuple(e for e in evaluations if finite(e.cosine) is not None)


def peak(evaluations: Sequence[Evaluated]) -> Evaluated | None:
    """The first evaluation with the highest validation cosine."""
    return max(scored(evaluations), key=cosine_of, default=None)


def cosine_of(evaluation: Evaluated) -> float:
    """The validation cosine of an evaluation that is `scored`."""
    assert evaluation.cosine is not None
    return evaluation.cosine


def late_gain(evaluations: Sequence[Evaluated], *, anneals: bool = False) -> float | None:
    """By how much the best validation cosine rose in the last quarter of the steps taken; never negative.

    `anneals`: the learning rate falls to zero, and the last half counts. Where that part begins between two
    evaluations, the best cosine is taken to rise evenly from one to the other: with few of them the one before may lie
    half the curve back. Curves flatten as they rise, so the gain is rather over- than understated.

    None with fewer than four evaluations that have a cosine, or none before that part.
    """
    known = scored(evaluations)
    if len(known) < PLATEAU_EVALUATIONS:
        return None
    border = (1 - (ANNEALED_SHARE if anneals else PLATEAU_SHARE)) * known[-1].step
    best = list(zip((e.step for e in known), accumulate(map(cosine_of, known), max), strict=True))
    first = next((i for i, (step, _) in enumerate(best) if step > border), 0)
    if not first:
        return None
    (step, at_border), (next_step, after) = best[first - 1], best[first]
    at_border += (after - at_border) * (border - step) / (next_step - step)
    return max(0.0, best[-1][1] - at_border)


def at_plateau(evaluations: Sequence[Evaluated], *, anneals: bool = False) -> bool:
    """True if more training would not have changed the result by an amount that matters.

    Definition: its `late_gain` is under 0.25 % of the best validation cosine, or the cosine has fallen since by as much
    as overfitting is told from. What stays (also a collapse, which `health` names) is at its plateau; with fewer than
    four evaluations the answer is False: not known.
    """
    gain, best = late_gain(evaluations, anneals=anneals), peak(evaluations)
    if gain is None or best is None:
        return False
    fallen = cosine_of(best) - cosine_of(scored(evaluations)[-1])
    return gain <= PLATEAU_GAIN * abs(cosine_of(best)) or fallen >= OVERFIT_FALL
