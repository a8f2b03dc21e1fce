"""Judge a model's two arms on the held-out windows.

Reads the complete pairs' `heldout.npz` (each proven to be the file its run vouched for) and the trivial baselines, and
writes `comparisons/<model>.json`. Does nothing if that file is there and was made from these inputs. Only the short
process `lvmtui.report.make` imports this module, so supervisor and screen never load numpy.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lvmtui.formats.data_facts import read_data_facts, read_trivial
from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ARMS, Arm
from lvmtui.formats.trainer_log import Started, decode_event
from lvmtui.state.reader import CampaignReader, CampaignState, RunView
from lvmtui.state.tail import read_lines
from lvmtui.system.errors import unknown
from lvmtui.system.files import replace_file, sealed_digest
from lvmtui.system.numbers import plural
from lvmtui.verdict.comparable import Side, checks_of, contention_notes, for_seed, merged
from lvmtui.verdict.comparison import (
    STRATA,
    ArmScores,
    Check,
    Comparison,
    Pair,
    Skill,
    Stratum,
    complete_pairs,
    inputs_of,
    is_current,
)
from lvmtui.verdict.estimate import Estimate
from lvmtui.verdict.interval import Floats, Integers, estimate

LEAST_COSINE = 1e-6
"""A change in percent is of this at least: of a cosine of zero there is no percent."""


@dataclass(frozen=True)
class Scores:
    """The arrays of a `heldout.npz`, each (W,)."""

    version: int
    fingerprint: str
    window: Integers
    cluster: Integers
    stratum: Integers
    cosine: Floats
    last_cosine: Floats
    rank: Integers

    def same_windows(self, other: Scores) -> bool:
        return all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("window", "cluster", "stratum")
        )


@dataclass(frozen=True)
class ScoredPair:
    """The scores of one seed's two runs, on the same windows."""

    scores: Mapping[Arm, Scores]
    validation: Mapping[Arm, float]


def compare(folder: CampaignDir, model: str) -> bool:
    """Write the model's comparison; False if it is there and current, or no pair is complete. Raises UserError."""
    state = CampaignReader(folder.workspace, folder).refresh()
    if model not in state.campaign.models:
        raise unknown("model", model, state.campaign.models)
    if not complete_pairs(state, model) or is_current(state, model):
        return False
    write_comparison(state, model)
    return True


def write_comparison(state: CampaignState, model: str) -> None:
    """Write the comparison of the seeds that are complete. Raises OSError."""
    state.dir.comparisons.mkdir(exist_ok=True)
    replace_file(state.dir.comparison(model), dump_document(encode(comparison_of(state, model, time.time()))))


def comparison_of(state: CampaignState, model: str, now: float) -> Comparison:
    """The comparison over the seeds that are complete."""
    inputs, data = inputs_of(state, model), read_data_facts(state.dir.check)
    pairs: list[Pair] = []
    scored: list[ScoredPair] = []
    checks: list[tuple[Check, ...]] = []
    shared: list[tuple[str, ...]] = []
    for seed, *views in complete_pairs(state, model):
        scores, sides = zip(*(_side(view) for view in views), strict=True)
        found = checks_of(state.campaign, sides[0], sides[1], data.pair if data else None)
        checks.append(for_seed(found, seed) if len(state.campaign.seeds) > 1 else found)
        shared.append(contention_notes(sides[0].state, sides[1].state))
        digests = [v.state.trainer.finished.heldout_digest for v in views]  # type: ignore[union-attr]
        means = [float(s.cosine.mean(dtype=np.float64)) if s else None for s in scores]
        pairs.append(
            Pair(
                seed=seed,
                baseline_run=views[0].planned.run,
                expanded_run=views[1].planned.run,
                baseline_digest=digests[0],
                expanded_digest=digests[1],
                baseline=means[0],
                expanded=means[1],
            )
        )
        if all(scores):
            best = [v.state.trainer.finished.best_cosine for v in views]  # type: ignore[union-attr]
            scored.append(ScoredPair(dict(zip(ARMS, scores, strict=True)), dict(zip(ARMS, best, strict=True))))
    figures = _Figures(scored, _trivial(state)) if _alike(scored, len(pairs)) else None
    return Comparison(
        campaign=state.campaign.id,
        model=model,
        inputs=inputs,
        split_fingerprint=state.campaign.split_fingerprint,
        pairs=tuple(pairs),
        checks=merged(tuple(checks)),
        notes=_said_once([notes for notes in shared if notes]),
        baseline=figures.arm("baseline") if figures else None,
        expanded=figures.arm("expanded") if figures else None,
        change=figures.change() if figures else None,
        strata=figures.strata() if figures else (),
        made=now,
    )


def _said_once(noted: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The first pair's notes, with the number of other pairs that gave some: the words differ by figures only."""
    if not noted:
        return ()
    more = f" (likewise {plural(len(noted) - 1, 'other pair')})" if len(noted) > 1 else ""
    return tuple(note + more for note in noted[0])


def _alike(scored: list[ScoredPair], pairs: int) -> bool:
    """True if every pair has scores, all of the same windows: what follows is meaningful only then."""
    first = scored[0].scores["baseline"] if scored else None
    return (
        first is not None
        and len(scored) == pairs
        and all(first.same_windows(scores) for pair in scored for scores in pair.scores.values())
    )


class _Figures:
    """All figures of a comparison, from the scores of K >= 1 pairs on the same W windows."""

    def __init__(self, pairs: list[ScoredPair], trivial: Mapping[Arm, Mapping[str, Floats]]) -> None:
        self.pairs = pairs
        self.trivial = trivial
        self.windows = pairs[0].scores["baseline"]
        self.cosine: dict[Arm, npt.NDArray[np.float64]] = {
            arm: np.stack([pair.scores[arm].cosine for pair in pairs]).astype(np.float64) for arm in ARMS
        }  # (K, W)

    def change(self) -> Estimate:
        return self._change(np.ones(len(self.windows.window), bool))

    def _change(self, chosen: npt.NDArray[np.bool_]) -> Estimate:
        baseline, expanded = (self.cosine[arm][:, chosen] for arm in ARMS)
        return estimate(
            (expanded - baseline).mean(axis=0),
            self.windows.cluster[chosen],
            (baseline.mean(axis=1), expanded.mean(axis=1)),
            unit=max(abs(float(baseline.mean())), LEAST_COSINE) / 100,
        )

    def strata(self) -> tuple[Stratum, ...]:
        found = []
        for number, name in enumerate(STRATA):
            chosen = self.windows.stratum == number
            if chosen.any():
                baseline, expanded = (float(self.cosine[arm][:, chosen].mean()) for arm in ARMS)
                found.append(Stratum(name, baseline, expanded, self._change(chosen)))
        return tuple(found)

    def arm(self, arm: Arm) -> ArmScores:
        scores = [pair.scores[arm] for pair in self.pairs]
        means = self.cosine[arm].mean(axis=1)
        hit_1, hit_5, hit_10 = (float(np.mean([(s.rank <= k).mean() for s in scores])) for k in (1, 5, 10))
        return ArmScores(
            cosine=float(means.mean()),
            margin=float(means.mean() - np.mean([s.last_cosine.mean(dtype=np.float64) for s in scores])),
            hit_1=hit_1,
            hit_5=hit_5,
            hit_10=hit_10,
            validation=float(np.mean([pair.validation[arm] for pair in self.pairs])),
            seed_deviation=float(means.std(ddof=1)) if len(means) > 1 else None,
            skill=self._skill(arm),
        )

    def _skill(self, arm: Arm) -> Skill | None:
        known = {name: s for name, s in self.trivial.get(arm, {}).items() if s.shape == self.windows.window.shape}
        if not known:
            return None
        against = max(known, key=lambda name: float(known[name].mean(dtype=np.float64)))
        gain = estimate(
            self.cosine[arm].mean(axis=0) - known[against],
            self.windows.cluster,
            (self.cosine[arm].mean(axis=1),),
        )
        return Skill(against, float(known[against].mean(dtype=np.float64)), gain)


def _side(view: RunView) -> tuple[Scores | None, Side]:
    """A finished run's scores, if they are what it vouched for, and what the checks need."""
    assert view.state and view.state.trainer.finished
    scores, fault = _read_scores(view.folder.heldout, view.state.trainer.finished.heldout_digest)
    return scores, Side(
        state=view.state,
        own_start=_own_start(view.folder.events),
        scores_version=scores.version if scores else None,
        scores_fingerprint=scores.fingerprint if scores else "",
        fault=fault,
    )


def _read_scores(path: Path, digest: str) -> tuple[Scores | None, str]:
    if not path.exists():
        return None, f"{path.name} is missing"
    if sealed_digest(path) != digest:
        return None, f"{path.name} is not the file the run wrote"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = [arrays[name] for name in ("window", "cluster", "stratum", "cosine", "last_cosine", "rank")]
            scores = Scores(int(arrays["version"]), str(arrays["fingerprint"]), *columns)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        return None, f"{path.name} cannot be read ({error})"
    if {column.shape for column in columns} != {(scores.window.size,)} or not scores.window.size:
        return None, f"{path.name} has columns of different length, or no windows"
    wrong = int((~np.isfinite(scores.cosine) | ~np.isfinite(scores.last_cosine)).sum())
    if wrong:
        return None, f"{wrong:,} of {len(scores.window):,} held-out cosines are not finite"
    return scores, ""


def _own_start(events: Path) -> bool:
    """True if the run's first attempt began at step 0."""
    lines, _ = read_lines(events)
    first = next((event for event in map(decode_event, lines) if isinstance(event, Started)), None)
    return first is not None and first.resumed_from == 0


def _trivial(state: CampaignState) -> dict[Arm, dict[str, Floats]]:
    """Cosines (W,) of each arm's trivial baselines, as far as they are there and of this campaign's windows."""
    found: dict[Arm, dict[str, Floats]] = {}
    for arm in ARMS:
        facts = read_trivial(state.dir.baseline_scores(arm))
        path = state.dir.baseline_scores(arm).with_suffix(".npz")
        if facts is None or facts.fingerprint != state.campaign.split_fingerprint:
            continue
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found[arm] = {n: arrays[f"{n}_cosine"] for n in facts.scores if f"{n}_cosine" in arrays.files}
        except (ValueError, OSError, zipfile.BadZipFile):
            continue
    return found
