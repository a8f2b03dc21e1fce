"""The kit: how a training script of one's own tells lvmtui what it does. Standard library and numpy.

    from lvmtui.trainer_kit import Run

    run = Run.open()
    train, validation = run.windows("train"), run.windows("validation")
    for step in range(run.first_step + 1, run.steps + 1):
        contexts, targets = train.batch(chosen)        # (B, T, D), (B, D)
        ...
        run.step(step, loss=loss)
        if step % 100 == 0:
            run.evaluated(step, cosine=cosine, loss=validation_loss)
        if run.asked_to_leave:
            save("model.ckpt")
            run.checkpoint("model.ckpt", step)
            break
    else:
        run.predicted(predict(run.heldout_contexts))

What is told goes through a pipe to the process that lvmtui started around the script; telling costs microseconds, and
a script whose lvmtui is gone goes on without it. Our own trainer tells what it does through `Teller` too.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.trainer_log import CheckpointSaved, Evaluated, Failed, Told, Trained
from lvmtui.system.files import written_beside

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KIT_MARK = "LVMTUI_KIT"
"""Environment variable with the path of `kit.json`: what a script is told, in any language."""
POINTS = 400
"""Most points of the training curve that a run logs; a chart shows fewer."""
INTERVAL = 0.25
"""Seconds between two tellings of the live digits."""
PATIENCE = 5.0
"""Seconds an event may wait for a pipe that is full."""
LONGEST = 4096
"""Bytes of a telling: the kernel never mixes shorter ones of several processes (PIPE_BUF)."""


@dataclass
class Mean:
    """Running means of loss and cosine, added up one step at a time so that a pause cannot change them."""

    loss: float = 0.0
    cosine: float = 0.0
    steps: int = 0

    def add(self, loss: float | None, cosine: float | None) -> None:
        self.loss += math.nan if loss is None else loss
        self.cosine += math.nan if cosine is None else cosine
        self.steps += 1

    def take(self) -> tuple[float | None, float | None]:
        """The means so far; begins anew."""
        taken = (self.loss / self.steps, self.cosine / self.steps) if self.steps else (None, None)
        self.loss, self.cosine, self.steps = 0.0, 0.0, 0
        return taken


class Teller:
    """Turns what a trainer says into events, and thins the training curve to `POINTS` points."""

    def __init__(self, tell: Callable[[Told], None], steps: int = POINTS) -> None:
        """`steps`: of the whole run."""
        self._tell = tell
        self._every = max(1, math.ceil(steps / POINTS))
        self._since_point, self._since_evaluation = Mean(), Mean()
        self._mark: int | None = None
        """Step of the point before."""
        self._best = {"loss": math.inf, "cosine": math.inf}
        """The lowest loss, and the lowest -cosine, of all evaluations."""

    def step(self, step: int, loss: float | None, cosine: float | None, rate: float) -> None:
        """A step was made; a point is logged now and then, the mean since the point before."""
        self._since_point.add(loss, cosine)
        self._since_evaluation.add(loss, cosine)
        self._mark = step - 1 if self._mark is None else self._mark
        if step // self._every > self._mark // self._every:
            self.point(step, *self._since_point.take(), rate)
            self._mark = step

    def point(
        self, step: int, loss: float | None, cosine: float | None, rate: float, speed: float = 0.0, active: float = 0.0
    ) -> None:
        """A point of the training curve. `speed` in windows a second; 0 where a batch's size is not known."""
        self._tell(Trained(time.time(), step, loss, cosine, rate, speed, active))

    def evaluated(self, step: int, *, epoch: float, loss: float | None, cosine: float | None, **more: Any) -> None:
        """The validation windows were evaluated. `more`: fields of `Evaluated`; without `best`, the lowest loss is, or
        the highest cosine where no loss is told.

        If one of the two is not finite, neither counts: the model has diverged.
        """
        if not all(map(math.isfinite, (loss or 0.0, cosine or 0.0))):
            loss = cosine = math.nan
        train_loss, train_cosine = self._since_evaluation.take()
        if train_loss is not None:
            more = {"train_loss": train_loss, "train_cosine": train_cosine, **more}
        if "best" not in more:
            by, value = ("loss", loss) if loss is not None else ("cosine", -cosine if cosine is not None else math.inf)
            more["best"] = value < self._best[by]
        self.knows(loss, cosine)
        self._tell(Evaluated(time.time(), step, epoch, loss, cosine, **more))

    def knows(self, loss: float | None, cosine: float | None) -> None:
        """An evaluation had these figures; of an earlier attempt, its best one."""
        self._best["loss"] = min(self._best["loss"], math.inf if loss is None else loss)
        self._best["cosine"] = min(self._best["cosine"], math.inf if cosine is None else -cosine)

    def checkpoint(self, step: int, size: int, **more: Any) -> None:
        """A checkpoint is on the disk. `more`: fields of `CheckpointSaved`."""
        self._tell(CheckpointSaved(time.time(), step, size, **more))


@dataclass(frozen=True)
class Windows:
    """Windows on vectors that are mapped from a file: nothing is copied until a batch is asked for."""

    vectors: npt.NDArray[np.float32]
    """(N, D). Rows that belong to none of the run's windows are NaN, so that none is used by mistake."""
    starts: npt.NDArray[np.int64]
    """(W,) Row of the first context vector; the next `context` rows belong to the window, the last is its target."""
    context: int

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, which: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Contexts (B, T, D) and targets (B, D) of some windows, by a slice or indices (B,)."""
        import numpy as np

        rows = self.vectors[self.starts[which][:, None] + np.arange(self.context + 1)]
        return rows[:, :-1], rows[:, -1]


class Run:
    """The run a script trains, as it was started by lvmtui."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """`facts`: the content of `kit.json`; see `docs/your-own.md`."""
        self.data = Path(facts["data"])
        """Folder with the vectors and the windows, see `docs/formats.md`."""
        self.out = Path(facts["out"])
        """Folder of the run that is the script's own."""
        self.seed: int = facts["seed"]
        self.steps: int = facts["steps"]
        """Steps that were planned; epochs, where the campaign gives epochs."""
        self.dim: int = facts["dim"]
        self.context: int = facts["context"]
        self.resume_from = Path(facts["checkpoint"]) if facts["checkpoint"] else None
        """The checkpoint to go on from; None: from the start."""
        self.first_step: int = facts["first_step"]
        """Of that checkpoint; 0 from the start."""
        self._steps_per_epoch: int = facts["steps_per_epoch"]
        self._pipe: int | None = None
        with suppress(OSError):  # nobody listens there
            self._pipe = os.open(facts["pipe"], os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._teller = Teller(lambda event: self._send(encode_line(event), patience=PATIENCE), self.steps)
        self._teller.knows(facts["best_loss"], facts["best_cosine"])
        self._told = -math.inf
        self.asked_to_leave = False
        """True once somebody paused or cancelled the run, or the machine goes down: write a checkpoint and leave."""
        with suppress(ValueError):  # only a program's main thread can listen; elsewhere TERM ends the process
            signal.signal(signal.SIGTERM, self._on_term)

    @classmethod
    def open(cls) -> Run:
        """The run this process was started for. Raises RuntimeError if lvmtui did not start it."""
        path = os.environ.get(KIT_MARK)
        if not path:
            cure = "name it in a campaign file, [trainers.NAME] command = ..., or try it with:"
            raise RuntimeError(f"lvmtui did not start this process; {cure} lvmtui trainer test --command '...'")
        return cls(json.loads(Path(path).read_bytes()))

    # -- what it trains on --

    def windows(self, name: str) -> Windows:
        """The windows called `train` or `validation`."""
        import numpy as np

        if name not in ("train", "validation"):
            raise ValueError(f"no windows are called {name!r}; there are 'train' and 'validation'")
        starts = np.load(self.data / f"{name}.npy", allow_pickle=False)
        return Windows(self._mapped("vectors.npy"), starts, self.context)

    @cached_property
    def heldout_contexts(self) -> npt.NDArray[np.float32]:
        """(W, T, D) The contexts to predict for; what came next is not among the files a script is given."""
        return self._mapped("heldout_contexts.npy")

    def _mapped(self, name: str) -> npt.NDArray[np.float32]:
        import numpy as np

        mapped: npt.NDArray[np.float32] = np.load(self.data / name, mmap_mode="r", allow_pickle=False)
        return mapped

    # -- what it tells --

    def step(self, step: int, *, loss: float | None = None, cosine: float | None = None, rate: float = 0.0) -> None:
        """A step was made, with these figures of its batch. Call it at every step; it costs some microseconds."""
        self._teller.step(step, loss, cosine, rate)
        now = time.monotonic()
        if now - self._told >= INTERVAL:
            self._told = now
            digits = {"kind": "digits", "step": step, "loss": loss, "cosine": cosine, "rate": rate}
            self._send(json.dumps(digits).encode() + b"\n", patience=0.0)

    def evaluated(self, step: int, *, cosine: float | None = None, loss: float | None = None, **more: Any) -> None:
        """The validation windows were evaluated after `step`. `more`: other fields of `Evaluated`."""
        self._teller.evaluated(step, epoch=step / self._steps_per_epoch, loss=loss, cosine=cosine, **more)

    def checkpoint(self, path: str | Path, step: int) -> None:
        """A checkpoint of `step` is on the disk, at `path` in `out`: the run can be paused, and goes on from it.

        Write it under another name first and rename it, so that it is whole whenever something fails.
        """
        where = self.out / path
        if not where.resolve().is_relative_to(self.out.resolve()):
            raise ValueError(f"{where}: a checkpoint must lie in {self.out}, where a retry finds it")
        size = (
            sum(p.stat().st_size for p in where.rglob("*") if p.is_file()) if where.is_dir() else where.stat().st_size
        )
        self._teller.checkpoint(step, size, file=str(where.resolve().relative_to(self.out.resolve())))

    def predicted(self, predictions: Any) -> None:
        """Hand in predictions (W, D) for `heldout_contexts`, of any length. Raises ValueError if they do not fit,
        and tells so: another try would end the same way."""
        import numpy as np

        rows = np.asarray(predictions, dtype=np.float32)
        wanted = (len(self.heldout_contexts), self.dim)
        misfit = f"predictions are {rows.shape}; one for each held-out context is needed, {wanted}"
        if rows.shape == wanted:
            misfit = "" if np.isfinite(rows).all() else "predictions hold NaN or infinite numbers"
        if misfit:
            self._send(encode_line(Failed(time.time(), self.steps, "setup", misfit, 0.0)), patience=PATIENCE)
            raise ValueError(misfit)
        with written_beside(self.out / "predictions.npy") as beside, beside.open("wb") as file:
            np.save(file, rows, allow_pickle=False)

    # -- what it is asked --

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        """lvmtui asks with TERM."""
        self.asked_to_leave = True

    # -- how it is told --

    def _send(self, line: bytes, patience: float) -> None:
        if self._pipe is None or len(line) > LONGEST:
            return
        until = time.monotonic() + patience
        while True:
            try:
                os.write(self._pipe, line)
                return
            except BlockingIOError:  # full: lvmtui is slow, or stopped
                if time.monotonic() >= until:
                    return
                time.sleep(0.01)
            except OSError as error:
                if error.errno == errno.EPIPE:  # nobody listens any more
                    self._pipe = None
                return
