"""Where a validation curve stands: its peak, and whether more training would still change it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from lvmtui.formats.trainer_log import Evaluated

PLATEAU_SHARE = 0.25
"""The end of a curve, in steps: its last quarter, two evaluations of the tuned recipe's eight."""
PLATEAU_GAIN = 0.0025
"""Relative gain in cosine that a curve at its plateau stays under: half of the +-0.5 % that a verdict calls
negligible, so that unfinished training of one arm alone cannot carry a comparison out of that band."""
PLATEAU_EVALUATIONS = 4
"""With fewer evaluations they lie further apart than the quarter of the curve is long, and nothing is known."""


def finite(value: float | None) -> float | None:
    """`value`, or None where it is missing or no number to compare with."""
    return value if value is not None and math.isfinite(value) else None


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


def late_gain(evaluations: Sequence[Evaluated]) -> float | None:
    """By how much the best validation cosine rose in the last quarter of the steps taken; never below zero.

    Where the quarter begins between two evaluations, the best cosine is taken to rise evenly from one to the other:
    with few of them the one before may lie half the curve back. Curves flatten as they rise, so they are above that
    line, and the gain is rather over- than understated.

    None with fewer than four evaluations that have a cosine, or none before the last quarter.
    """
    known = scored(evaluations)
    if len(known) < PLATEAU_EVALUATIONS:
        return None
    border = (1 - PLATEAU_SHARE) * known[-1].step
    best = list(zip((e.step for e in known), accumulate(map(cosine_of, known), max), strict=True))
    first = next((i for i, (step, _) in enumerate(best) if step > border), 0)
    if not first:
        return None
    (step, at_border), (next_step, after) = best[first - 1], best[first]
    at_border += (after - at_border) * (border - step) / (next_step - step)
    return max(0.0, best[-1][1] - at_border)


def at_plateau(evaluations: Sequence[Evaluated]) -> bool:
    """True if more training would not have changed the result by an amount that matters.

    Definition: in the last quarter of the steps taken, the best validation cosine rose by less than 0.25 % of
    itself. What falls (overfitting) or stays (also a collapse, which `health` names) is at its plateau; with fewer
    than four evaluations the answer is False: not known to be.
    """
    gain, best = late_gain(evaluations), peak(evaluations)
    return gain is not None and best is not None and gain < PLATEAU_GAIN * abs(cosine_of(best))
