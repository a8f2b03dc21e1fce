"""Trivial baselines: predictions that need no network, on the same held-out windows as the models.

- `copy_last`: the last context vector again
- `mean`: mean of the context
- `recency_mean`: weighted mean of the context, weights fitted on the training windows: the bar that matters
- `constant_mean`: mean of the training windows' next vectors, whatever the context
- `ridge`: linear map of the context, fitted on the training windows with a penalty chosen on the validation windows

`python -P -m lvmtui.datasets.baselines CAMPAIGN_DIR ARM` computes them once per arm. docs/formats.md has its files.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.arm import open_store_of
from lvmtui.datasets.fits import fit, means
from lvmtui.datasets.scores import forward_scores, score
from lvmtui.datasets.split import ArmWindows, HeldOut, read_arm_windows, read_heldout, write_arrays
from lvmtui.datasets.store import GATHERED_BYTES, Store
from lvmtui.datasets.windows import gather, narrowed
from lvmtui.formats.campaign import Campaign, read_campaign
from lvmtui.formats.data_facts import TrivialBaselines, TrivialScore
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import USUAL_CONTEXT, ArmData, ArmName
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.files import sealed_digest

VERSION = 1


@dataclass(frozen=True)
class ArmBaselines(TrivialBaselines):
    """`baselines/<arm>.json`: what everybody reads, and what tells whether it has to be made again."""

    key: str = ""
    """Digest of everything the figures depend on."""
    checksum: str = ""
    """sha256 of `<arm>.npz` without its seal."""
    ridge_strength: float | None = None
    """Penalty per training window; None where the vectors are too wide for a ridge."""
    ridge_directions: int | None = None
    """Main directions of each context vector that the ridge sees beside the recency mean; None: all of it."""
    context: int = USUAL_CONTEXT
    train_windows: int = 0
    validation_windows: int = 0


# --------------------------------------------------------------------------------------------------- all of an arm


def measure(
    name: ArmName, store: Store, windows: ArmWindows, heldout: HeldOut, context: int | None = None
) -> tuple[ArmBaselines, dict[str, npt.NDArray[np.generic]]]:
    """Fit and score the baselines of an arm: the document (its key and checksum still empty) and the arrays beside it.

    `context`: how many vectors they see; default: all of the windows' context.
    """
    began = time.monotonic()
    store, context = replace(store, centre=heldout.centre), context or heldout.context
    windows = ArmWindows(*(narrowed(w, heldout.context, context) for w in (windows.train, windows.validation)))
    begins = narrowed(heldout.starts, heldout.context, context)
    if not len(windows.validation):  # another program trained on this arm: which windows it kept apart is not known
        windows = ArmWindows(windows.train, windows.train)
    predictors, ridge = fit(store, windows, context)
    arrays: dict[str, npt.NDArray[np.generic]] = {"cluster": heldout.cluster, "stratum": heldout.stratum}
    scored, validated, forward = {}, {}, {}
    vectors = heldout.judged
    rows = max(1, GATHERED_BYTES // (4 * vectors.shape[1] * (context + 1)))
    for title, predict in predictors.items():
        pieces = [predict(gather(vectors, begins[i : i + rows], context)[0]) for i in range(0, len(begins), rows)]
        scores = score(np.concatenate(pieces), vectors, heldout.starts, heldout.context, group=heldout.group)
        arrays |= {
            f"{title}_cosine": scores.cosine_next,
            f"{title}_last_cosine": scores.cosine_last,
            f"{title}_rank": scores.rank,
        }
        scored[title] = TrivialScore(scores.cosine, scores.margin, scores.hit(1), scores.hit(5), scores.hit(10))
        validated[title] = means(store, windows.validation, context, predict)
        if found := forward_scores(predict, vectors, begins, context, heldout.cluster):
            forward[title] = found
    document = ArmBaselines(
        arm=name,
        fingerprint=heldout.fingerprint,
        windows=len(heldout.starts),
        scores=scored,
        validation_mean=validated["mean"].cosine,
        recency_weights=tuple(ridge.features.recency.tolist()),
        seconds=time.monotonic() - began,
        spread_mean=validated["mean"].spread,
        echo_margin=validated["copy_last"].margin,
        mean_margin=validated["mean"].margin,
        forward=forward,
        ridge_strength=ridge.strength,
        ridge_directions=ridge.directions,
        context=context,
        train_windows=len(windows.train),
        validation_windows=len(windows.validation),
        validation_cosines={title: of.cosine for title, of in validated.items()},
    )
    return document, arrays


# -------------------------------------------------------------------------------------------------------- files


def read_baselines(path: Path) -> ArmBaselines | None:
    """Read `<arm>.json`; None if it is not there, not ours, or its arrays are not those it was written with."""
    found = find_document(ArmBaselines, path)
    whole = found and found.version == VERSION and sealed_digest(path.with_suffix(".npz")) == found.checksum
    return found if whole else None


def write_baselines(folder: CampaignDir, name: ArmName) -> TrivialBaselines:
    """Compute the baselines of a campaign's arm, or return them where they are done. Raises UserError, OSError.

    With folds each has files of its own, `<arm>_fold1.json` and so on, and `<arm>.json` has the means over them. The
    shorter ones of several contexts have `<arm>_c5.json` and so on; they are written first.
    """
    campaign = read_campaign(folder.campaign)
    for context in campaign.contexts[:-1]:
        _write_context(folder, campaign, name, context)
    return _write_context(folder, campaign, name, 0)


def _write_context(folder: CampaignDir, campaign: Campaign, name: ArmName, shorter: int) -> TrivialBaselines:
    """The baselines of one context; 0: of the campaign's longest."""
    data = campaign.arm(name).data
    measured: dict[str, _Measured] = {}
    found = [_write_split(folder, name, data, (fold, shorter), measured) for fold in campaign.fold_numbers]
    if campaign.fold_numbers == (0,):
        return found[0]
    mean = replace(mean_of_folds(found, campaign.split_fingerprint), windows=campaign.heldout_windows)
    path = folder.baseline_scores(name, 0, shorter)
    if find_document(TrivialBaselines, path) != mean:
        write_document(path, mean)
    return mean


def mean_of_folds(folds: Sequence[TrivialBaselines], fingerprint: str) -> TrivialBaselines:
    """The baselines of an arm over all folds: means, weighted by held-out windows. `fingerprint`: the campaign's."""
    windows = sum(fold.windows for fold in folds)

    def mean(value: Callable[[TrivialBaselines], float | None]) -> float | None:
        values = [value(fold) for fold in folds]
        known = [v * fold.windows for v, fold in zip(values, folds, strict=True) if v is not None]
        return sum(known) / windows if len(known) == len(folds) else None

    def score_of(title: str) -> TrivialScore:
        parts = [(fold.scores[title], fold.windows / windows) for fold in folds]
        names = [declared.name for declared in fields(TrivialScore)]
        return TrivialScore(*(sum(getattr(score, name) * share for score, share in parts) for name in names))

    weights = np.average([fold.recency_weights for fold in folds], axis=0, weights=[fold.windows for fold in folds])
    return TrivialBaselines(
        arm=folds[0].arm,
        fingerprint=fingerprint,
        windows=windows,
        scores={title: score_of(title) for title in folds[0].scores},
        validation_mean=mean(lambda fold: fold.validation_mean) or 0.0,
        recency_weights=tuple(weights.tolist()),
        seconds=sum(fold.seconds for fold in folds),
        spread_mean=mean(lambda fold: fold.spread_mean),
        echo_margin=mean(lambda fold: fold.echo_margin),
        mean_margin=mean(lambda fold: fold.mean_margin),
        validation_cosines={
            title: sum(fold.validation_cosines[title] * fold.windows / windows for fold in folds)
            for title in folds[0].validation_cosines
        },
    )


_Measured = tuple[ArmBaselines, dict[str, npt.NDArray[np.generic]]]


def _write_split(
    folder: CampaignDir, name: ArmName, data: ArmData, of: tuple[int, int], measured: dict[str, _Measured]
) -> ArmBaselines:
    """The baselines `of` a fold and a shorter context, or 0. Computed unless they are there. Raises UserError, OSError.

    `measured`: those of splits before, by key. The largest of several sizes is the same for all seeds.
    """
    fold, shorter = of
    split = folder.split_of(fold)
    windows, heldout = read_arm_windows(split, name), read_heldout(split)
    seen = f" context {shorter}" if shorter else ""
    digest = hashlib.sha256(f"{VERSION} {data.fingerprint} {data.rows} {heldout.fingerprint}{seen}".encode())
    for starts in (windows.train, windows.validation):
        digest.update(starts.data)
    key = digest.hexdigest()
    path = folder.baseline_scores(name, *of)
    found = read_baselines(path)
    if found is not None and found.key == key:
        return found
    if key not in measured:
        measured[key] = measure(name, open_store_of(data, folder.workspace.root), windows, heldout, shorter or None)
    document, arrays = measured[key]
    path.parent.mkdir(exist_ok=True)
    checksum = write_arrays(path.with_suffix(".npz"), version=np.int64(VERSION), **arrays)
    document = replace(document, key=key, checksum=checksum)
    write_document(path, document)
    return document


def main(arguments: list[str]) -> int:
    """`CAMPAIGN_DIR ARM`: exit code 2 and one line on stderr for what a person can fix."""
    try:
        if len(arguments) != 2:
            raise UserError("usage: python -P -m lvmtui.datasets.baselines CAMPAIGN_DIR ARM")
        folder, name = CampaignDir(Path(arguments[0])), arguments[1]
        if name not in (arms := read_campaign(folder.campaign).arms):
            raise unknown("arm", name, tuple(arms))
        write_baselines(folder, name)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{arguments[0]}: the baselines cannot be written ({error.strerror})", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
