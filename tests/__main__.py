"""`python -m tests`: everything a change must pass, the cheap checks first. Further arguments go to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import LONG
from tests.threads import ONE_THREAD

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("lvmtui", "trainers", "tests", "benchmarks", "docs")
STYLE = (("ruff", "check", *CHECKED), ("ruff", "format", "--check", *CHECKED))
TYPES = ("mypy",)
TESTS = ("pytest", "-n", str(len(LONG)), "--dist", "worksteal")  # more than cores: tests wait for what they start


def start(step: tuple[str, ...], output: int | None = None) -> subprocess.Popen[str]:
    """`output`: None prints what it says, `subprocess.PIPE` keeps it."""
    print("$ -m", *step, flush=True)
    environment = {**ONE_THREAD, **os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else hundreds of short processes compile the program each time
    return subprocess.Popen([sys.executable, "-m", *step], cwd=ROOT, env=environment, stdout=output, text=True)


def main(arguments: list[str]) -> int:
    for step in STYLE:
        if code := start(step).wait():
            return code
    types = start(TYPES, subprocess.PIPE)  # beside the tests: without its cache it takes forty seconds of one core
    failed = start((*TESTS, *arguments)).wait()
    said, _ = types.communicate()
    print(f"mypy: {said}", end="", flush=True)
    return failed or types.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
