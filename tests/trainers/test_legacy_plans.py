"""What a plan says before anything is trained beside another program's runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.legacy.earlier_runs import RISING
from lvmtui.legacy.importer import import_folders
from lvmtui.planning.describe import doubts_of
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan
from tests.legacy.originals import write_training_history
from tests.trainers.originals import write_weights
from tests.trainers.tiny import write_walk
from trainers.models import build

pytestmark = pytest.mark.usefixtures("weights_opened_here")


@pytest.mark.parametrize("rises", [True, False])
def test_a_history_that_ends_while_its_run_improved_is_a_doubt(tmp_path: Path, rises: bool) -> None:
    """It was trained to the end, and only then called not comparable."""
    write_walk(tmp_path / "large.npz", 60)
    with np.load(tmp_path / "large.npz") as large:
        np.savez(tmp_path / "small.npz", vectors=large["vectors"][:576], article_id=large["article_id"][:576])
    curve = [0.3 + 0.03 * epoch if rises else 0.5 - 0.3 * 0.5**epoch for epoch in range(12)]
    told = [(cosine, cosine) for cosine in curve]
    folder = write_training_history(tmp_path / "amn_20251016_133427", "amn", told)
    write_weights(folder, build("amn", 16, "small").state_dict(), len(told), told[-1][0])
    workspace = Workspace(tmp_path / "ws")
    lines = import_folders(workspace, [folder], arm="0k", trained_on=tmp_path / "small.npz")
    options = Options(
        expanded=str(tmp_path / "large.npz"),
        models=("amn",),
        threads=1,
        device="cpu",
        arms="expanded",
        baseline_runs=(lines[0].removeprefix("run "),),
        split_seed=1,
    )
    doubts = [doubt for doubt in doubts_of(make_plan(options, workspace), workspace) if doubt.startswith(RISING)]
    said = f"{RISING} (AMN); train both arms here (lvmtui run --baseline SMALL --expanded LARGE)"
    assert doubts == ([said] if rises else [])
