"""Starts our own modules so that nothing else on the import path can stand before them.

    python -P /path/to/lvmtui/system/launch.py MODULE ARGUMENT...

`python -m trainers` would take whatever comes first under that name: a folder on PYTHONPATH, another distribution. Here
both of our packages are loaded from beside this file before anything else is imported; all their modules follow from
there. As a module it makes such commands. Standard library only, and no import of ours: it runs first.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

PACKAGES = ("lvmtui", "trainers")


def our_command(module: str, *arguments: str, python: str = sys.executable) -> tuple[str, ...]:
    """The command that runs one of our modules. `-P`: the current folder is not on the import path."""
    return (python, "-P", str(Path(__file__).resolve()), module, *arguments)


def _take_ours() -> None:
    """Load our packages from beside this file."""
    root = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        folder = root / name
        file = folder / "__init__.py"
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None or not folder.is_dir():
            raise SystemExit(f"{folder}: our package is not there; install lvmtui again")
        sys.modules[name] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)


if __name__ == "__main__":
    _take_ours()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
