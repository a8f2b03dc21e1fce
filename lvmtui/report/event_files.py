"""A campaign's curves as TensorBoard event files: one folder per run, live or afterwards. Needs `lvmtui[tensorboard]`.

The files are made from the runs' own logs, so they can be deleted and written again at any time. A run whose history
has changed (it went on from an earlier checkpoint, or from the start) gets a new file in place of the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lvmtui.formats.trainer_log import Evaluated
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.system.errors import UserError

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

SUFFIX = ".lvmtui"
"""Ends the names of our files: others in the folder are left alone."""


@dataclass(frozen=True)
class Scalar:
    """A figure of a run at a step."""

    tag: str
    value: float
    step: int
    time: float
    """Seconds since 1970."""


def scalars_of(evaluated: Evaluated) -> Iterator[Scalar]:
    """The figures of an evaluation; those that are unknown are left out."""
    figures = {
        "validation/cosine": evaluated.cosine,
        "validation/loss": evaluated.loss,
        "validation/margin": evaluated.margin,
        "train/cosine": evaluated.train_cosine,
        "train/loss": evaluated.train_loss,
        "train/rate": evaluated.rate or None,
    }
    for tag, value in figures.items():
        if value is not None:
            yield Scalar(tag, value, evaluated.step, evaluated.time)


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

        Raises OSError.
        """
        return sum(self._of(view).write(view) for view in state.runs if view.state and view.state.trainer.evaluations)

    def close(self) -> None:
        """Flush and close all files."""
        for run in self._runs.values():
            run.close()

    def _of(self, view: RunView) -> _RunFile:
        return self._runs.setdefault(view.planned.run, _RunFile(self.folder / view.planned.run))


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
            self._begin()
            known = 0
        new = [scalar for one in evaluations[known:] for scalar in scalars_of(one)]
        if finished and not self._finished and finished.heldout.cosine is not None and finished.heldout.windows:
            new.append(Scalar("heldout/cosine", finished.heldout.cosine, finished.step, finished.time))
        self._written, self._finished = evaluations, finished is not None
        self._add(new)
        return len(new)

    def _begin(self) -> None:
        """A new file in place of those that we, or a process before us, wrote."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            with suppress(FileNotFoundError):
                old.unlink()
        self._writer = EventFileWriter(str(self._folder), filename_suffix=SUFFIX)
        self._finished = False

    def _add(self, scalars: Sequence[Scalar]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if self._writer is None or not scalars:
            return
        for one in scalars:
            value = Summary.Value(tag=one.tag, simple_value=one.value)
            self._writer.add_event(Event(wall_time=one.time, step=one.step, summary=Summary(value=[value])))
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
