"""`python -m tests`: everything a change must pass, the cheap checks first. Further arguments go to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.threads import ONE_THREAD

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("lvmtui", "trainers", "tests", "benchmarks", "docs")
STEPS = (
    ("ruff", "check", *CHECKED),
    ("ruff", "format", "--check", *CHECKED),
    ("mypy",),
    ("pytest", "-n", "3", "--dist", "worksteal"),  # three on two cores: half of the work is done by what tests start
)


def main(arguments: list[str]) -> int:
    for step in STEPS:
        command = [sys.executable, "-m", *step, *(arguments if step[0] == "pytest" else ())]
        print("$", *command[1:], flush=True)
        code = subprocess.run(command, cwd=ROOT, env={**ONE_THREAD, **os.environ}).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
