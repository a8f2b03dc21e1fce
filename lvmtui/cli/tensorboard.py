"""`lvmtui tensorboard`: write event files of a campaign, and go on while it runs."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.report.event_files import EventFiles
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import plural

EVERY = 5.0
"""Seconds between two looks."""


def write(given: argparse.Namespace, workspace: Workspace, folder: CampaignDir) -> None:
    """Write until every run is over, or once. Raises UserError."""
    above = Path(given.output) if given.output else workspace.logs / "tensorboard"
    files = EventFiles(above / folder.id)
    reader = CampaignReader(workspace, folder)
    try:
        state = reader.refresh()
        number = files.write(state)
        print(f"{plural(number, 'figure')} written to {files.folder}; look at them with: tensorboard --logdir {above}")
        if not given.once and not state.finished:
            print("going on until all runs are over; ctrl-c ends it, the runs go on", file=sys.stderr, flush=True)
            while not state.finished:
                time.sleep(EVERY)
                state = reader.refresh()
                files.write(state)
    except OSError as error:
        where = error.filename or files.folder
        raise UserError(f"--output {where}: cannot be written ({error.strerror}); name another folder") from None
    finally:
        files.close()
