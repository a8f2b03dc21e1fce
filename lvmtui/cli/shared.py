"""What the commands share: exit codes, the workspace and the campaign that were named, progress on a terminal."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.patterns import Patterns, pattern_fault
from lvmtui.system.errors import UserError

if TYPE_CHECKING:
    from lvmtui.state.campaign_reader import CampaignState

WIPE = "\r\x1b[K"
"""Clears the line of a terminal in which progress is shown."""


class ExitCode(IntEnum):
    OK = 0
    RUNS_FAILED = 1
    """The campaign is over, and a run of it failed, diverged or was cancelled."""
    USAGE = 2
    """An option, a file or the machine is not as it must be. One line on stderr says what."""
    LEFT = 130
    """Ctrl-C. The runs go on."""


def workspace_of(given: argparse.Namespace) -> Workspace:
    """The workspace that was named. It may be empty. Raises UserError if it is not a folder."""
    named = getattr(given, "workspace", ".")  # no default in argparse: a command's would hide a --workspace before it
    root = Path(named).expanduser()
    if not root.is_dir():
        raise UserError(f"--workspace {named}: no such folder; make it or name another")
    cache = getattr(given, "cache", None)
    return Workspace(root.resolve(), None if cache is None else Path(cache))


def program(workspace: Workspace) -> str:
    """The command a person types to call this program again for this workspace."""
    called = "lvmtui" if shutil.which("lvmtui") or not sys.argv[0].endswith("lvmtui") else sys.argv[0]
    root = min(str(workspace.root), os.path.relpath(workspace.root), key=len)
    return called if root == "." else f"{called} --workspace {shlex.quote(root)}"


def campaign_of(given: argparse.Namespace) -> CampaignDir:
    """The campaign that `--campaign` names, or the newest. Raises UserError."""
    from lvmtui.state.campaign_reader import named_campaign, newest_campaign

    workspace, named = workspace_of(given), getattr(given, "campaign", None)
    return newest_campaign(workspace) if named is None else named_campaign(workspace, named, "--campaign")


def campaign_now(given: argparse.Namespace) -> CampaignState:
    """The campaign that `campaign_of` finds, as it is now. Raises UserError."""
    from lvmtui.state.campaign_reader import CampaignReader

    return CampaignReader(workspace_of(given), campaign_of(given)).refresh()


def pattern_reader(patterns: Sequence[str]) -> Patterns:
    """Reads lines by what `--pattern` gives. Raises UserError."""
    for pattern in patterns:
        if fault := pattern_fault(pattern):
            raise UserError(f"--pattern: {fault}")
    return Patterns(patterns)


def line_width() -> int:
    """Characters in a line of the terminal; for a pipe or a file, more than any line has."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def announcer() -> Callable[[str], None]:
    """A function that shows progress on stderr: on a terminal one line that is overwritten, elsewhere nothing."""

    def say(words: str) -> None:
        if sys.stderr.isatty():
            fitting = words[: shutil.get_terminal_size().columns - 1]  # of two lines only the second would be wiped
            print(f"{WIPE}{fitting}", end="", file=sys.stderr, flush=True)

    return say
