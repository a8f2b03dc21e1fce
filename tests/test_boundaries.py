"""What may import what, asked of fresh interpreters: a rule that is only remembered is soon forgotten."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import lvmtui
import trainers

ROOT = Path(lvmtui.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "lvmtui.") if not m.name.endswith("__main__"))
HEADLESS = [m for m in MODULES if not m.startswith("lvmtui.ui")]


def loaded_after(*modules: str) -> set[str]:
    """Top-level names and dotted modules in sys.modules after importing `modules` in a fresh interpreter."""
    code = f"import sys\nfor m in {list(modules)!r}: __import__(m)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_module_of_lvmtui_imports_torch_or_the_trainers() -> None:
    assert len(MODULES) > 30
    loaded = loaded_after(*MODULES)
    assert not {"torch", "trainers"} & loaded


def test_only_the_screen_imports_textual() -> None:
    assert "textual" not in loaded_after(*HEADLESS)
    assert "textual" in loaded_after("lvmtui.ui.app")


def test_the_formats_need_the_standard_library_only() -> None:
    loaded = loaded_after(*(m for m in MODULES if m.startswith("lvmtui.formats")))
    foreign = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names - {"lvmtui", "__main__"}
    assert {name for name in foreign if not name.startswith("_")} <= {"sitecustomize", "distutils-precedence"}
    assert not any(m.startswith("lvmtui.") and not m.startswith(("lvmtui.formats", "lvmtui.system")) for m in loaded)


def test_the_supervisor_stays_small() -> None:
    assert not {"numpy", "rich", "textual"} & loaded_after("lvmtui.supervisor.supervisor")


def test_status_needs_no_numpy() -> None:
    modules = ("lvmtui.cli.commands", "lvmtui.cli.status", "lvmtui.cli.campaigns", "lvmtui.state.campaign_reader")
    loaded = loaded_after(*modules)
    assert not {"numpy", "rich", "textual"} & loaded


@pytest.mark.parametrize("path", sorted(Path(trainers.__file__).parent.rglob("*.py")), ids=lambda p: p.name)
def test_trainers_import_only_what_they_share_with_lvmtui(path: Path) -> None:
    allowed = ("lvmtui.formats", "lvmtui.system", "lvmtui.models", "lvmtui.datasets", "lvmtui.trainer_kit")
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            fine = not name.startswith("lvmtui.") or name.startswith(allowed) or name == "lvmtui.__version__"
            assert fine, f"{path.name} imports {name}"
