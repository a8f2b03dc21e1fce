"""The change so far, before a model's runs are finished, and what a gain is over. Pure.

docs/judgement.md ("Before the end").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.state.run_state import RunState
from lvmtui.system.numbers import finite
from lvmtui.verdict.table import EarlyChange
from lvmtui.verdict.trend import cosine_of, peak, scored

LEAST_SHARE = 0.5
"""Share of the training that both arms must have done before a change is shown."""

PairSoFar = tuple[RunState, RunState, Mapping[ArmName, TrivialBaselines | None]]
"""The two runs of a seed, the baseline's first, and the trivial baselines by arm."""


def early_change(pairs: Sequence[PairSoFar], at: float | None = None) -> EarlyChange | None:
    """The change so far, mean over the pairs that have come far enough; None: too early to tell.

    `at`: the share of the training to look at, at least `LEAST_SHARE`; None: as far as both arms are. Runs of other
    programs do not count, nor arms whose trivial baselines are missing or were measured on other windows.
    """
    found = [known for pair in pairs if (known := _of_pair(pair, at)) is not None]
    return EarlyChange(fmean(c.percent for c in found), min(c.share for c in found), len(found)) if found else None


def _of_pair(pair: PairSoFar, at: float | None) -> EarlyChange | None:
    baseline, expanded, trivial = pair
    done = min(_share(baseline), _share(expanded))
    share = done if at is None else at
    if done < max(share, LEAST_SHARE):
        return None
    gains = []
    for arm, run in zip(ARMS, (baseline, expanded), strict=True):
        known, cosine = trivial_cosines(run, trivial.get(arm)), reached(run, share)
        level = known.get("recency_mean", known.get("mean", 0.0))
        if cosine is None or level <= 0:
            return None
        gains.append(cosine / level)
    before, after = gains
    return EarlyChange(100 * (after - before) / before, share) if before > 0 else None


def _share(run: RunState) -> float:
    """Share of the training that has been evaluated; 1 for a finished run."""
    if run.trainer.finished:
        return 1.0
    known = scored(run.trainer.evaluations)
    return min(1.0, known[-1].step / max(1, run.spec.total_steps)) if known else 0.0


def reached(run: RunState, share: float) -> float | None:
    """The best validation cosine up to a share of the training."""
    best = peak([e for e in run.trainer.evaluations if e.step <= share * run.spec.total_steps + 1e-6])
    return cosine_of(best) if best else None


@dataclass(frozen=True)
class BestTrivial:
    """The best trivial baseline on a run's own validation windows: what a gain is a gain over."""

    name: str
    cosine: float


def trivial_cosines(run: RunState, trivial: TrivialBaselines | None) -> dict[str, float]:
    """Cosines of the trivial baselines on the run's own validation windows, by name; empty for runs of other programs,
    and where they were measured on other windows or not at all."""
    if trivial is None or run.spec.foreign or trivial.fingerprint != run.spec.split_fingerprint:
        return {}
    known = {name: value for name, value in trivial.validation_cosines.items() if finite(value) is not None}
    return known or {"mean": trivial.validation_mean}


def best_trivial(run: RunState, trivial: TrivialBaselines | None) -> BestTrivial | None:
    """The best trivial baseline on the run's own validation windows; None where it is not known."""
    name, cosine = max(trivial_cosines(run, trivial).items(), key=lambda item: item[1], default=("", 0.0))
    return BestTrivial(name, cosine) if cosine > 0 else None
