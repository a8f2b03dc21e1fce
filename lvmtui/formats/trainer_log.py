"""`events.jsonl`: what happened in a run, as its trainer tells it; and the trainer's exit codes.

The log has one writer. Lines are appended and never changed.

Times are seconds since 1970. `active` is how many seconds the run has worked so far, over all attempts and without
pauses, measured with a clock that does not jump. Numbers that are not finite are null. Fields that a reader can do
without have defaults, so that a line without them still counts. `docs/formats.md` shows one real line of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, get_args

from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.intent import Intent
from lvmtui.formats.json_codec import Unknown, decode_line, kind_of
from lvmtui.formats.paths import RunDir
from lvmtui.system.files import sealed_digest
from lvmtui.system.process_id import Identity

__all__ = ["Event", "Unknown", "decode_event"]


@dataclass(frozen=True)
class Started:
    """An attempt began. What earlier attempts logged past `resumed_from` no longer counts."""

    time: float
    process: Identity
    generation: int
    """Generation of the intent that was obeyed."""
    resumed_from: int
    """Step of the checkpoint taken up; 0: from the start."""
    checkpoint: str | None
    """File that was taken up."""
    passed_over: tuple[str, ...]
    """Checkpoints that were there but damaged."""
    active: float
    parameters: int
    device: str
    versions: dict[str, str]
    launch: str = ""
    """Name of the start this attempt came from, as the supervisor wrote it down; a trainer started by hand makes one
    up. By it both logs are matched without comparing the clocks of two hosts."""
    code: str = ""
    """Digest of the code that trains: the trainers package and the model's own file; empty: not recorded."""


@dataclass(frozen=True)
class Trained:
    """A point of the training curve: means since the point before. At most 400 a run."""

    time: float
    step: int
    loss: float | None
    cosine: float | None
    rate: float = 0.0
    windows_per_second: float = 0.0
    active: float = 0.0


@dataclass(frozen=True)
class Evaluated:
    time: float
    step: int
    epoch: float
    """0 also where only steps are known, as in `Finished`."""
    loss: float | None
    cosine: float | None
    """Mean cosine of prediction and next vector."""
    margin: float | None = None
    """Mean cosine with the next vector less that with the last context vector: far below zero where that is echoed."""
    last_cosine: float | None = None
    """Mean cosine of prediction and last context vector."""
    spread: float | None = None
    """1 - norm of the mean unit prediction: 0 when every prediction is the same vector."""
    train_loss: float | None = None
    """Mean over the steps since the evaluation before."""
    train_cosine: float | None = None
    rate: float = 0.0
    best: bool = False
    """The lowest validation loss so far; its weights are `best_model.pt`."""
    seconds: float = 0.0
    active: float = 0.0

    @property
    def where(self) -> str:
        """`epoch 2.7`; `step 300` where only that is known."""
        return _where(self.epoch, self.step).removesuffix(".0")


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is on the disk, synced."""

    time: float
    step: int
    bytes: int = 0
    seconds: float = 0.0
    digest: str = ""
    active: float = 0.0
    file: str = ""
    """Path in the run folder's `out/`, from a user's own trainer. Empty: `checkpoint.pt`."""
    modified: int = 0
    """When that file was last written, in nanoseconds since 1970; 0: not known."""


@dataclass(frozen=True)
class Paused:
    """The trainer left as asked, after a checkpoint."""

    time: float
    step: int
    active: float


@dataclass(frozen=True)
class Interrupted:
    """The trainer was told to leave by a signal (a shutdown, a scheduler) and left after a checkpoint."""

    time: float
    step: int
    signal: str
    active: float


@dataclass(frozen=True)
class Cancelled:
    """The trainer left as asked, without a checkpoint."""

    time: float
    step: int
    active: float


Reason = Literal["diverged", "error", "no_space", "data", "out_of_memory", "setup"]


@dataclass(frozen=True)
class Failed:
    """The run cannot go on. Its last checkpoint stays."""

    time: float
    step: int
    reason: Reason
    """`diverged`: loss not finite; `data`: input missing or changed; `no_space`: the disk is full; `setup`: the Python
    it was started with, or the user's own code, cannot train; `error`: else."""
    message: str
    """One line."""
    active: float
    needed_bytes: int | None = None
    """With `no_space`: what the write needed."""
    launch: str = ""
    """As of `Started`, which may not have been logged; empty: in older logs."""


IN_THE_PLAN = "of the plan, which a retry runs again"
"""In the reason of a failure: said of what failed, so that a retry alone does not help."""
REFUTED = "and its history says"
"""In the reason of a failure: said of another program's weights that do not reach the cosine of their history."""
LONGEST_REASON = 600
"""Characters of a failure's message; whoever shows it shows all, as its end is often the cause or the remedy."""


@dataclass(frozen=True)
class HeldoutScores:
    """Means over the campaign's held-out windows; the windows themselves are in `heldout.npz`."""

    windows: int
    """0: the run was judged on none (a history of another program), and the figures mean nothing."""
    cosine: float
    margin: float
    last_cosine: float
    spread: float
    hit_1: float
    """Share of windows whose true next vector is nearest to the prediction, among all held-out targets."""
    hit_5: float
    hit_10: float
    forward: ForwardScores | None = None
    """Does the model predict what comes next; None where no held-out window is followed by four more."""


@dataclass(frozen=True)
class Finished:
    """Training is over and the best model was evaluated on the held-out windows."""

    time: float
    step: int
    stopped_early: bool
    best_step: int
    best_epoch: float
    best_cosine: float | None
    """Validation cosine of the best model; None where a program of the user's own told none."""
    heldout: HeldoutScores
    latency_p50_ms: float = 0.0
    """Milliseconds for one prediction, batch 1, on the run's device: median. 0: not measured, as the next."""
    latency_p95_ms: float = 0.0
    train_seconds: float = 0.0
    """Seconds of `active` spent in training steps; the rest is start-up, evaluation and checkpoints."""
    peak_memory_bytes: int = 0
    weights_digest: str = ""
    """sha256 over the weights after the last step: equal for runs equal to the bit."""
    best_digest: str = ""
    """Checksum of `best_model.pt`."""
    heldout_digest: str = ""
    """Checksum of `heldout.npz`."""
    active: float = 0.0
    unjudged: str = ""
    """Why a user's own trainer was judged on no held-out windows, in words."""

    @property
    def best_where(self) -> str:
        """`epoch 3.0`; `step 300` where only that is known."""
        return _where(self.best_epoch, self.best_step)


def _where(epoch: float, step: int) -> str:
    return f"step {step:,}" if step and not epoch else f"epoch {epoch:.1f}"


Told = Trained | Evaluated | CheckpointSaved
"""What a trainer tells while it trains."""
Event = Started | Trained | Evaluated | CheckpointSaved | Paused | Interrupted | Cancelled | Failed | Finished | Unknown
_KINDS = {kind_of(cls): cls for cls in get_args(Event)}


def decode_event(line: bytes) -> Event:
    """Return the event in a log line; Unknown where this version cannot read it."""
    return decode_line(line, _KINDS)


def events_in(path: Path) -> list[Event]:
    """What a run has logged; nothing where there is no log yet."""
    try:
        return [decode_event(line) for line in path.read_bytes().splitlines()]
    except OSError:
        return []


def finished_before(folder: RunDir, total_steps: int, intent: Intent) -> str:
    """Why a run without an end in its log must not be trained from its first step, in words; empty: it may, or it has a
    checkpoint to go on from. Its log has lines that cannot be read, or ends before the last step, but its scores are
    there. Trainer and status ask here. An order to train it again that came since counts."""
    try:
        scored = folder.heldout.stat().st_mtime
    except OSError:
        return ""
    events = events_in(folder.events)
    obeyed = max((e.generation for e in events if isinstance(e, Started)), default=0)
    if intent.restart > obeyed or (intent.again == intent.generation and intent.time > scored):
        return ""
    cut = any(isinstance(e, Unknown) for e in events)
    short = max((getattr(e, "step", 0) for e in events), default=0) < total_steps
    goes_on = sealed_digest(folder.checkpoint) or sealed_digest(folder.previous_checkpoint)
    if not (cut or short) or goes_on or sealed_digest(folder.heldout) is None:
        return ""
    lack = f"does not say that the run finished, but {folder.heldout.name} beside it has its scores"
    return f"{folder.events}: {lack}; restore it from a copy; lvmtui retry trains the run again from the start"


class Exit(IntEnum):
    """Exit codes of a trainer. 1 and 2 are Python's own for an error and for wrong arguments."""

    FINISHED = 0
    FAILED = 1
    USAGE = 2
    LOCKED = 3
    """Another process trains this run."""
    PAUSED = 10
    INTERRUPTED = 11
    """It left on a signal."""
    CANCELLED = 12
    NO_SPACE = 28
    """The disk is full."""
