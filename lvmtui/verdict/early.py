"""What may be said of a change before its runs are finished. Pure.

The arms have validation windows of their own, and those of one arm are harder. Bare cosines showed the wrong sign for
60 % of recorded pairs, and cosines against the context mean for 23 % at half of the training. Each arm against the best
trivial baseline on its own validation windows, at equal progress, was wrong for 6 % at half and 1 % at the end. Before
half of the training nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.spec import Arm
from lvmtui.state.run_state import RunState
from lvmtui.system.numbers import percent
from lvmtui.verdict.health import cosine_of, finite, peak, scored

LEAST_SHARE = 0.5
"""Share of the training that both arms must have done before a change is shown."""
TOO_EARLY = "too early to tell"


@dataclass(frozen=True)
class PairSoFar:
    """The two runs of a seed."""

    baseline: RunState
    expanded: RunState
    trivial: Mapping[Arm, TrivialBaselines | None]


@dataclass(frozen=True)
class EarlyChange:
    """A change before its runs are judged."""

    percent: float
    """(expanded / its best trivial baseline) over (baseline / its best trivial baseline), less 1, in percent."""
    share: float
    """Of the training, that both arms had done where they are compared; the least of the pairs."""

    @property
    def words(self) -> str:
        """`+0.82 % so far (at 62 % of training)`."""
        return f"{percent(self.percent)} so far (at {100 * self.share:.0f} % of training)"


def early_change(pairs: Sequence[PairSoFar]) -> EarlyChange | None:
    """The change so far, mean over the pairs that have come far enough; None: too early to tell.

    Both arms are read at the same share of their training, by the best validation cosine up to there. Runs of other
    programs do not count, nor arms whose trivial baselines are missing or were measured on other windows.
    """
    found = [known for pair in pairs if (known := _of_pair(pair)) is not None]
    return EarlyChange(fmean(c.percent for c in found), min(c.share for c in found)) if found else None


def _of_pair(pair: PairSoFar) -> EarlyChange | None:
    runs: tuple[tuple[Arm, RunState], ...] = (("baseline", pair.baseline), ("expanded", pair.expanded))
    share = min(_share(run) for _, run in runs)
    if share < LEAST_SHARE:
        return None
    gains = []
    for arm, run in runs:
        bar, reached = _bar(run, pair.trivial.get(arm)), _reached(run, share)
        if bar is None or reached is None:
            return None
        gains.append(reached / bar)
    before, after = gains
    return EarlyChange(100 * (after - before) / before, share) if before > 0 else None


def _share(run: RunState) -> float:
    """Of the training that has been evaluated; a run that ended early has had all of it."""
    if run.trainer.finished:
        return 1.0
    known = scored(run.trainer.evaluations)
    return min(1.0, known[-1].step / max(1, run.spec.total_steps)) if known else 0.0


def _reached(run: RunState, share: float) -> float | None:
    """The best validation cosine up to a share of the training."""
    until = share * run.spec.total_steps + 1e-6
    best = peak([e for e in run.trainer.evaluations if e.step <= until])
    return cosine_of(best) if best else None


def _bar(run: RunState, trivial: TrivialBaselines | None) -> float | None:
    """Cosine of the best trivial baseline on the run's own validation windows."""
    if trivial is None or run.spec.imported or trivial.fingerprint != run.spec.split_fingerprint:
        return None
    known = [value for value in trivial.validation_cosines.values() if finite(value) is not None]
    best = max(known, default=trivial.validation_mean)
    return best if best > 0 else None
