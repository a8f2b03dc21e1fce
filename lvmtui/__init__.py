"""lvmtui: train latent vector models on a small and on a large data set, watch, control, and judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from lvmtui.notebook import OpenWorkspace

__version__ = "0.2.0"


def open(folder: str | os.PathLike[str] = ".") -> OpenWorkspace:
    """What a workspace holds, as plain objects: campaigns, runs, curves, held-out scores, comparisons.

    Nothing else is imported before it is called. Raises UserError.
    """
    from lvmtui.notebook import open_workspace

    return open_workspace(folder)
