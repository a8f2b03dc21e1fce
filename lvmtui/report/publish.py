"""Files under the names that people type in a shell.

Those names carry only the labels of the arms, so a later campaign with the same labels takes them over. The newest
campaign has the plain name; a file it would displace is kept under its own time stamp.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from lvmtui.formats.campaign import Campaign
from lvmtui.system.files import replace_file

HEAD = 600
"""Bytes of a file in which its campaign is named."""


def publish(path: Path, content: str, campaign: Campaign) -> Path:
    """Write a file for people to `path`, and return where it went. Raises OSError.

    If the file there belongs to a newer campaign, ours goes under its own stamp instead. If it belongs to an older
    one, that one is moved to its stamp first. The content names the campaign it belongs to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    other = _campaign_in(path)
    if path.exists() and other != campaign.id:
        theirs = _stamp_of(other, path)
        if other and theirs > campaign.stamp:
            path = _stamped(path, campaign.stamp)
        else:
            with suppress(FileNotFoundError):  # another writer has moved it meanwhile
                os.replace(path, _stamped(path, theirs))
    replace_file(path, content.encode())
    return path


def _campaign_in(path: Path) -> str:
    """Id of the campaign that a file of ours is about; empty if it does not say."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r"^ ?(?:<!-- lvmtui )?campaign (\S+)", head, re.MULTILINE)
    return found.group(1) if found else ""


def _stamp_of(campaign_id: str, path: Path) -> str:
    """`20261122_134500`, from the id; from the file's own time if the id has none."""
    found = re.search(r"\d{8}_\d{6}$", campaign_id)
    return found.group() if found else time.strftime("%Y%m%d_%H%M%S", time.localtime(path.stat().st_mtime))


def _stamped(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.stem}_{stamp}{path.suffix}")
