"""Our own commands, run for the screen: they load numpy and may take a while, the screen never does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lvmtui.system.launch import our_command
from lvmtui.system.text import last_words

COMMAND = our_command("lvmtui")


class Child:
    """One command at a time: a new one ends the one before."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = 0
        self._guard = threading.Lock()

    def run(self, arguments: Sequence[str], workspace: Path, done: Callable[[str, str, int], object]) -> None:
        """Start `lvmtui ARGUMENTS --workspace WORKSPACE`; a thread calls `done(stdout, words, exit code)` at its end.

        `words`: the last line it said on stderr. A command that was replaced by a newer one says nothing.
        """
        with self._guard:
            self._turn += 1
            turn = self._turn
            self._send(signal.SIGTERM)
            self._process = process = subprocess.Popen(
                [*COMMAND, *arguments, "--workspace", os.fspath(workspace)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )

        def wait() -> None:
            out, err = process.communicate()
            with self._guard:
                current = turn == self._turn
            if current:
                done(out.decode("utf-8", "replace"), last_words(err).removeprefix("lvmtui: "), process.returncode)

        threading.Thread(target=wait, name="lvmtui-child", daemon=True).start()

    def stop(self, patience: float = 0.0) -> None:
        """End the command that runs, and wait so many seconds until it has; it says nothing any more."""
        with self._guard:
            self._turn += 1
            self._send(signal.SIGTERM)
        if self._process is not None and patience:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)

    def interrupt(self) -> None:
        """Ctrl-C for the command that runs: it takes back what it has half done, and says so."""
        with self._guard:
            self._send(signal.SIGINT)

    def _send(self, number: int) -> None:
        if self._process is not None:  # Popen sends none to one that has ended
            self._process.send_signal(number)


def document(text: str) -> dict[str, Any] | None:
    """The JSON object in `text`, None if there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
