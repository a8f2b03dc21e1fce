"""A campaign's curves as TensorBoard event files: one folder per run, live or afterwards. Needs `lvmtui[tensorboard]`.

The files are made from the runs' own logs, so they can be deleted and written again at any time. A run whose history
has changed (it went on from an earlier checkpoint, or from the start) gets a new file in place of the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lvmtui.formats.trainer_log import Evaluated, Finished
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.system.errors import UserError

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

SUFFIX = ".lvmtui"
"""Ends the names of our files: others in the folder are left alone."""


def figures_of(evaluated: Evaluated) -> dict[str, float | None]:
    """The figures of an evaluation by their tags; None: unknown."""
    return {
        "validation/cosine": evaluated.cosine,
        "validation/loss": evaluated.loss,
        "validation/margin": evaluated.margin,
        "train/cosine": evaluated.train_cosine,
        "train/loss": evaluated.train_loss,
        "train/rate": evaluated.rate or None,
    }


class EventFiles:
    """The event files of a campaign, below `folder`."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError if TensorBoard is not installed."""
        try:
            import tensorboard.summary.writer.event_file_writer  # noqa: F401
        except ImportError:
            raise UserError("tensorboard: not installed; pip install 'lvmtui[tensorboard]'") from None
        self.folder = folder
        self._runs: dict[str, _RunFile] = {}

    def write(self, state: CampaignState) -> int:
        """Write what is new; the first call replaces what an earlier process wrote. Returns the number of figures.
        Raises OSError."""
        number = 0
        for view in state.runs:
            if view.state and view.state.trainer.evaluations:
                run = view.planned.run
                number += self._runs.setdefault(run, _RunFile(self.folder / run)).write(view)
        return number

    def close(self) -> None:
        for run in self._runs.values():
            run.close()


class _RunFile:
    """The event file of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: EventFileWriter | None = None
        self._written: tuple[Evaluated, ...] = ()
        self._finished = False

    def write(self, view: RunView) -> int:
        assert view.state is not None, "only runs with evaluations are written"
        evaluations, finished = tuple(view.state.trainer.evaluations), view.state.trainer.finished
        known = len(self._written)
        if self._writer is None or evaluations[:known] != self._written or (self._finished and not finished):
            self._writer = self._begun()
            self._finished, known = False, 0
        number = sum(_add(self._writer, one, figures_of(one)) for one in evaluations[known:])
        if finished and not self._finished and finished.heldout.windows:
            number += _add(self._writer, finished, {"heldout/cosine": finished.heldout.cosine})
        self._written, self._finished = evaluations, finished is not None
        self._writer.flush()
        return number

    def _begun(self) -> EventFileWriter:
        """A new file in place of those that we, or a process before us, wrote."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            old.unlink(missing_ok=True)
        return EventFileWriter(str(self._folder), filename_suffix=SUFFIX)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _add(writer: EventFileWriter, at: Evaluated | Finished, figures: Mapping[str, float | None]) -> int:
    """Write the figures that are known. Returns how many."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    known = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items() if value is not None]
    writer.add_event(Event(wall_time=at.time, step=at.step, summary=Summary(value=known)))
    return len(known)
