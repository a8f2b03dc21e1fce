"""Starts programs: short ones until they end, long ones that outlive us and our terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lvmtui.system.process_id import FOLDER_MARK, LAUNCH_MARK, RUN_MARK


def spawn(
    command: Sequence[str],
    *,
    output: Path | IO[bytes],
    environment: Mapping[str, str],
    folder: Path | None = None,
    append: bool = True,
    session: bool = True,
    stdin: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us and our terminal: its own session, its output written to a file.

    `output`: a path, or an open file. `folder`: its current folder. `append`: keep what the file at the path holds.
    `session`: False gives it a process group in our session instead. It inherits no descriptor of ours, because an
    inherited one would keep our locks. Raises OSError.
    """
    with nullcontext(output) if not isinstance(output, Path) else output.open("ab" if append else "wb") as out:
        return subprocess.Popen(
            list(command),
            stdin=stdin or subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=session,
            process_group=None if session else 0,
            cwd=folder,
            env=dict(environment),
        )


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """End a child of ours that hangs, with all it started in its session."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unmarked_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process that belongs to no run."""
    return {name: value for name, value in environment.items() if name not in (RUN_MARK, FOLDER_MARK, LAUNCH_MARK)}


def lower_priority(process: subprocess.Popen[bytes], by: int) -> None:
    """Let a process yield to others, as `nice` does."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, by)


@dataclass(frozen=True)
class Done:
    """A short command that has ended."""

    code: int
    out: str
    err: str


def done_by(
    command: Sequence[str], *, seconds: float, environment: Mapping[str, str] = os.environ, given: str = ""
) -> Done:
    """Run a short command to its end. One that is missing has exit code 127, one that hangs 124; `err` says so.
    `given`: what it reads from its input."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, timeout=seconds, input=given.encode(), env=dict(environment)
        )
    except subprocess.TimeoutExpired:
        return Done(124, "", f"no answer from {command[0]} in {seconds:.0f} s")
    except OSError as error:
        return Done(127, "", f"{command[0]}: {error.strerror or error}")
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def ending_words(returncode: int) -> str:
    """How a child ended."""
    return f"killed by signal {-returncode}" if returncode < 0 else f"left with exit code {returncode}"
