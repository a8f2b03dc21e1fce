"""Twelve made campaigns whose reports are kept as golden pages, in `tests/report/golden/`.

python -m tests.report.made_campaigns        write the golden pages again; then read what changed
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.legacy.importer import import_folders
from lvmtui.report.make import read_report, write_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign
from tests.factory import State, planned_run
from tests.history import START, Curve
from tests.legacy.originals import write_originals
from tests.verdict.scenes import NOW, finished

GOLDEN = Path(__file__).parent / "golden"
Scene = tuple[Workspace, Campaign]

UP = {"amn": (0.5189, 0.5269), "lstm": (0.5142, 0.5190), "gru": (0.5100, 0.5290)}
"""Validation cosines of models on both arms; held-out ones are a little lower."""
FIVE = {**UP, "transformer": (0.5161, 0.5236), "graphmert_lvm": (0.5168, 0.5251)}


def all_improve(root: Path) -> Scene:
    return _judged(root, FIVE)


def all_regress(root: Path) -> Scene:
    return _judged(root, {model: (b, a) for model, (a, b) in UP.items()})


def mixed(root: Path) -> Scene:
    cosines = {"amn": (0.5189, 0.5269), "lstm": (0.5280, 0.5180), "gru": (0.5200, 0.5201), "transformer": (0.52, 0.5)}
    return _judged(root, cosines, states={("transformer", "expanded"): "failed"})


def ties(root: Path) -> Scene:
    return _judged(root, {"amn": (0.5200, 0.5200), "gru": (0.5200, 0.5200), "lstm": (0.5200, 0.5200)})


def below_trivial(root: Path) -> Scene:
    return _judged(root, {"amn": (0.5010, 0.5080), "lstm": (0.4990, 0.5110), "gru": (0.5000, 0.5060)})


def half_cancelled(root: Path) -> Scene:
    gone: dict[tuple[str, ArmName], State] = {(m, arm): "cancelled" for m in ("gru", "transformer") for arm in ARMS}
    return _judged(root, {m: FIVE[m] for m in ("amn", "lstm", "gru", "transformer")}, states=gone)


def failed_baseline(root: Path) -> Scene:
    curves: dict[tuple[str, ArmName], Curve] = {("transformer", "baseline"): Curve(0.12, start=0.05, noise=0.0)}
    return _judged(root, {**UP, "transformer": (0.12, 0.52)}, curves=curves)


def one_seed(root: Path) -> Scene:
    return _judged(root, UP, seeds=(1,))


def retrieval_falls(root: Path) -> Scene:
    curves: dict[tuple[str, ArmName], Curve] = {
        (model, arm): Curve(best, seed=1, ranks=0.25 if arm == "baseline" else 0.4, steepness=12.0)
        for model, cosines in UP.items()
        for arm, best in zip(ARMS, cosines, strict=True)
    }
    return _judged(root, UP, curves=curves)


def sources_disagree(root: Path) -> Scene:
    curves: dict[tuple[str, ArmName], Curve] = {
        (model, "expanded"): Curve(best, steepness=12.0, seed=1, new_source=0.03) for model, (_, best) in UP.items()
    }
    return _judged(root, UP, curves=curves)


def imported(root: Path) -> Scene:
    workspace = Workspace(root / "workspace")
    import_folders(workspace, write_originals(root / "original"))
    return workspace, CampaignReader(workspace, newest_campaign(workspace)).refresh().campaign


def one_model(root: Path) -> Scene:
    return _judged(root, {"amn": UP["amn"]})


SCENES: Mapping[str, Callable[[Path], Scene]] = {
    scene.__name__: scene
    for scene in (
        all_improve, all_regress, mixed, ties, below_trivial, half_cancelled, failed_baseline, one_seed,
        retrieval_falls, sources_disagree, imported, one_model,
    )
}  # fmt: skip


def golden_page(name: str, root: Path) -> str:
    """The report of a made campaign, without what differs between machines and moments."""
    workspace, campaign = SCENES[name](root)
    write_report(workspace, campaign.id)
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    report = read_report(state, now=NOW)
    runs = tuple(replace(r, imported_from=r.imported_from.replace(str(root), "/somewhere")) for r in report.runs)
    plan = replace(report.campaign_facts, created=START, by="ada@analytical")
    report = replace(report, runs=runs, campaign_facts=plan)
    text = markdown(page_of(report), mark=f"lvmtui campaign {report.campaign}")
    return re.sub(rf"(?<=_){re.escape(campaign.stamp)}", "20261122_134500", text)


def section(md: str, title: str) -> str:
    """The part of a page under a heading of any level, to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", md, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title!r}"
    return found[1]


def in_utc() -> None:
    """Pages show local time."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def _judged(root: Path, cosines: Mapping[str, tuple[float, float]], **options: object) -> Scene:
    """A finished campaign with the trivial baselines' scores on its held-out windows."""
    workspace, campaign = finished(root, cosines, steepness=12.0, **options)  # type: ignore[arg-type]
    for arm in ARMS:
        _write_trivial_scores(workspace, campaign, arm)
    return workspace, campaign


def _write_trivial_scores(workspace: Workspace, campaign: Campaign, arm: ArmName) -> None:
    """Window by window, as hard as for a trained model, with the means that the document has."""
    path = workspace.campaign(campaign.id).baseline_scores(arm)
    facts = find_document(TrivialBaselines, path)
    assert facts is not None
    runs = [workspace.run(planned_run(campaign, model, a)) for model in campaign.models for a in ARMS]
    with np.load(next(run.heldout for run in runs if run.heldout.exists())) as arrays:
        values, stratum = arrays["cosine"].astype(np.float64), arrays["stratum"]
    for part in range(2):  # no source is easier than the other
        values[stratum == part] -= values[stratum == part].mean() if (stratum == part).any() else 0.0
    scores = {
        f"{name}_cosine": (values + np.random.default_rng(i).normal(0, 0.02, len(values)) + score.cosine)
        for i, (name, score) in enumerate(facts.scores.items())
    }
    means = {f"{name}_cosine": score.cosine for name, score in facts.scores.items()}
    exact = {name: (v - v.mean() + means[name]).astype(np.float32) for name, v in scores.items()}
    with path.with_suffix(".npz").open("wb") as file:
        np.savez(file, **exact)


def main() -> int:
    in_utc()
    GOLDEN.mkdir(exist_ok=True)
    for name in SCENES:
        with tempfile.TemporaryDirectory() as root:
            page = golden_page(name, Path(root).resolve())
        path = GOLDEN / f"{name}.md"
        changed = not path.exists() or path.read_text() != page
        path.write_text(page)
        print(f"{'written' if changed else 'same   '} {path.name}  {len(page.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
