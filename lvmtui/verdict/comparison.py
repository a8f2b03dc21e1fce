"""`comparisons/<model>.json`: the figures of a model's two arms on the same held-out windows. Numbers only.

A short process writes it (`lvmtui.verdict.compare`); words are said by `verdict.py` from what stands here, so that a
better word never needs the scores again. Read without numpy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lvmtui.formats.json_codec import find_document
from lvmtui.state.reader import CampaignState, RunView
from lvmtui.verdict.estimate import Estimate

STRATA = ("own", "new")
"""Names of the strata in the order of their numbers in `heldout.npz`; `verdict.stratum_words` says them."""
VERSION = 2
METRIC = 1
"""Version of `heldout.npz` this program compares: another one may mean something else by its columns."""


@dataclass(frozen=True)
class Check:
    """One condition of a fair comparison, and what was found."""

    name: str
    passed: bool
    words: str
    remedy: str = ""
    """What would make a failed one pass, where a person can do it."""


@dataclass(frozen=True)
class Pair:
    """The two runs of one seed."""

    seed: int
    baseline_run: str
    expanded_run: str
    baseline_digest: str
    """Checksum of `heldout.npz`, as the run logged it."""
    expanded_digest: str
    baseline: float | None
    """Mean held-out cosine; None where the scores could not be used."""
    expanded: float | None


@dataclass(frozen=True)
class Skill:
    """An arm against the best trivial baseline on the same windows."""

    against: str
    """Name of the trivial baseline, see `formats.data_facts.TRIVIAL`."""
    cosine: float
    """Of the trivial baseline."""
    gain: Estimate
    """The arm's cosine less the trivial baseline's."""


@dataclass(frozen=True)
class ArmScores:
    """One arm over the seeds compared: means over seeds of means over held-out windows."""

    cosine: float
    margin: float
    """Cosine with the next less cosine with the last context vector."""
    hit_1: float
    """Share of windows whose true next vector is the nearest of all held-out targets."""
    hit_5: float
    hit_10: float
    validation: float
    """Cosine of the best models on the arm's own validation windows, which differ between the arms."""
    seed_deviation: float | None
    """Standard deviation of the cosine over seeds; None with one seed."""
    skill: Skill | None
    """None as long as the trivial baselines are not there."""


@dataclass(frozen=True)
class Stratum:
    """The held-out windows of one source."""

    name: str
    """Of `STRATA`. `own`: clusters the baseline's source has; `new`: only the expanded arm's source."""
    baseline: float
    expanded: float
    change: Estimate
    """In percent of the baseline arm's cosine on these windows."""


@dataclass(frozen=True)
class Comparison:
    """A model's expanded arm against its baseline arm."""

    campaign: str
    model: str
    inputs: str
    """sha256 over what this was made from; see `inputs_of`."""
    split_fingerprint: str
    pairs: tuple[Pair, ...]
    """Complete when this was made."""
    checks: tuple[Check, ...]
    """Every condition of a fair comparison; where several seeds differ, the failing words stand."""
    notes: tuple[str, ...]
    """What a reader must know, and what does not make the comparison unfair."""
    baseline: ArmScores | None
    """None, with `expanded` and `change`, where the scores are not of the same windows or cannot be read."""
    expanded: ArmScores | None
    change: Estimate | None
    """Expanded less baseline, in percent of the baseline's mean."""
    strata: tuple[Stratum, ...]
    made: float
    """Seconds since 1970."""
    version: int = VERSION

    @property
    def failed(self) -> tuple[Check, ...]:
        """Why this is not a fair comparison; empty if it is one."""
        return tuple(check for check in self.checks if not check.passed)


def read_comparison(path: Path) -> Comparison | None:
    """The comparison at `path`; None where there is none this version can read: it is made again."""
    comparison = find_document(Comparison, path)
    return comparison if comparison and comparison.version == VERSION else None


def complete_pairs(state: CampaignState, model: str) -> tuple[tuple[int, RunView, RunView], ...]:
    """(seed, baseline run, expanded run) of each seed of which both runs are finished."""
    pairs = []
    for seed in state.campaign.seeds:
        baseline, expanded = state.view(model, "baseline", seed), state.view(model, "expanded", seed)
        if baseline and expanded and _finished(baseline) and _finished(expanded):
            pairs.append((seed, baseline, expanded))
    return tuple(pairs)


def inputs_of(state: CampaignState, model: str) -> str:
    """sha256 over all a comparison is made from: the checksums the runs logged, and the trivial baselines."""
    digest = hashlib.sha256(f"comparison {VERSION} metric {METRIC} {state.campaign.split_fingerprint}\n".encode())
    for seed, *views in complete_pairs(state, model):
        for view in views:
            assert view.state and view.state.trainer.finished
            digest.update(f"{seed} {view.planned.run} {view.state.trainer.finished.heldout_digest}\n".encode())
    for arm in ("baseline", "expanded"):
        try:
            digest.update(state.dir.baseline_scores(arm).read_bytes())
        except OSError:
            digest.update(b"none\n")
    return digest.hexdigest()


def is_current(state: CampaignState, model: str) -> bool:
    """True if the model's comparison is there and is of the runs as they are now. Reads three small files."""
    comparison = read_comparison(state.dir.comparison(model))
    return comparison is not None and comparison.inputs == inputs_of(state, model)


def read_comparisons(state: CampaignState) -> dict[str, Comparison]:
    """By model, those that are there and still true of the runs."""
    found = {model: read_comparison(state.dir.comparison(model)) for model in state.campaign.models}
    return {model: comparison for model, comparison in found.items() if comparison and still_true(comparison, state)}


def still_true(comparison: Comparison, state: CampaignState) -> bool:
    """False if a run it was made from was started again since. Runs whose folders are gone still count."""
    views = {view.planned.run: view for view in state.runs}
    for pair in comparison.pairs:
        for run, digest in ((pair.baseline_run, pair.baseline_digest), (pair.expanded_run, pair.expanded_digest)):
            view = views.get(run)
            if view is None:
                return False
            if view.state is None:
                continue
            if view.state.trainer.finished is None or view.state.trainer.finished.heldout_digest != digest:
                return False
    return True


def _finished(view: RunView) -> bool:
    return view.state is not None and view.state.trainer.finished is not None
