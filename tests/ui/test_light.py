"""The screen's process stays small: it loads neither numpy nor torch, whatever it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ui.showcase import end

SHOW = """
import importlib, pkgutil, sys
from pathlib import Path
import lvmtui.ui
for module in pkgutil.walk_packages(lvmtui.ui.__path__, "lvmtui.ui."):
    importlib.import_module(module.name)
from lvmtui.formats.paths import Workspace
from lvmtui.ui.read.snapshot import report_page
from lvmtui.ui.read.source import SnapshotSource
snapshot = SnapshotSource(Workspace(Path(sys.argv[1]))).look()
assert "does the larger data set help?" in report_page(snapshot)[0].text
heavy = {"numpy", "torch", "trainers", "pandas", "markdown_it"} & sys.modules.keys()
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    end(tmp_path)
    done = subprocess.run([sys.executable, "-P", "-c", SHOW, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
