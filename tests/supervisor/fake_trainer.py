"""A trainer that trains nothing: the same files, locks, orders and endings in a hundredth of the time, without torch.

    python -P tests/supervisor/fake_trainer.py RUN_DIR

Its "weights" are a chain of checksums, one link a step, so that a run that was resumed ends with the same digest as
one that was not exactly if no step was lost, doubled or taken out of order. `fake.json` in the run folder says how it
is to behave; see `Behaviour`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lvmtui.formats.intent import read_intent
from lvmtui.formats.json_codec import decode, encode_line, write_document
from lvmtui.formats.live import Activity, Progress, write_live
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Evaluated,
    Event,
    Failed,
    Finished,
    HeldoutScores,
    Interrupted,
    Paused,
    Started,
    decode_event,
)
from lvmtui.system.files import LineLog, replace_file
from lvmtui.system.filesystem import try_lock
from lvmtui.system.process_id import own_identity, own_launch

BEHAVIOUR = "fake.json"


@dataclass(frozen=True)
class Behaviour:
    """What `fake.json` may say."""

    step_seconds: float = 0.002
    start_seconds: float = 0.0
    """Before it says that it started, as imports take."""
    checkpoint_every: int = 20
    """Steps."""
    at: int = 0
    """Step at which it does ..."""
    does: str = ""
    """`die` (KILL itself), `exit` (code 1, without a word), `hang`, `stop` (STOP itself), or fails with `error`,
    `diverged`, `data`, `no_space`, `out_of_memory`."""
    attempts: int = 1_000_000
    """Only in so many attempts."""
    ignores_term: bool = False
    deaf: bool = False
    """It does not look at its orders either."""
    child: bool = False
    """It starts a child in a session of its own, which outlives it."""
    lingers: float = 0.0
    """Seconds it stays after its last word."""
    needed_bytes: int = 1000


def behave(folder: RunDir, behaviour: Behaviour) -> None:
    """Write `fake.json`."""
    write_document(folder.path / BEHAVIOUR, behaviour)


def digest_after(seed: str, steps: int) -> str:
    """The "weights" after so many steps."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    for step in range(1, steps + 1):
        digest = _link(digest, step)
    return digest


def _link(digest: str, step: int) -> str:
    return hashlib.sha256(f"{digest} {step}".encode()).hexdigest()


class Trainer:
    def __init__(self, folder: RunDir) -> None:
        self.folder = folder
        self.spec = read_spec(folder.spec)
        self.behaviour = Behaviour()
        with suppress(OSError):
            self.behaviour = decode(Behaviour, json.loads((folder.path / BEHAVIOUR).read_bytes()))
        self.signal = ""
        self.began = time.monotonic()
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGUSR1, self._note)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.intent = read_intent(folder.intent)
        self.log = LineLog(folder.events)
        self.step, self.digest = 0, digest_after(self.spec.run, 0)
        self.attempt = 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.behaviour.ignores_term:
            self.signal = signal.Signals(number).name.removeprefix("SIG")

    @property
    def active(self) -> float:
        return time.monotonic() - self.began

    def event(self, event: Event) -> None:
        self.log.append(encode_line(event))

    def run(self) -> int:
        behaviour, folder = self.behaviour, self.folder
        self.started()
        if behaviour.child:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the child inherits that
            subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
            signal.signal(signal.SIGTERM, self._note)
        while self.step < self.spec.total_steps:
            if (leaving := self.obey()) is not None:
                return leaving
            if behaviour.does and self.step >= behaviour.at and self.attempt <= behaviour.attempts:
                self.misbehave()
                behaviour = replace(behaviour, does="")  # continued after a stop, it is not stopped by the next step
            time.sleep(behaviour.step_seconds)
            self.step += 1
            self.digest = _link(self.digest, self.step)
            if self.step % self.spec.evaluate_every == 0:
                self.evaluated()
            if self.step % behaviour.checkpoint_every == 0:
                self.save()
            if self.step % 10 == 0:
                self.show("training")
        scores = HeldoutScores(self.spec.heldout_windows, 0.5, 0.1, 0.4, 0.5, 0.1, 0.2, 0.3)
        self.event(
            Finished(
                time=time.time(),
                step=self.step,
                stopped_early=False,
                best_step=self.step,
                best_epoch=1.0,
                best_cosine=0.52,
                heldout=scores,
                latency_p50_ms=0.5,
                latency_p95_ms=0.6,
                train_seconds=self.active,
                peak_memory_bytes=1,
                weights_digest=self.digest,
                best_digest=self.digest,
                heldout_digest=hashlib.sha256(self.digest.encode()).hexdigest(),
                active=self.active,
            )
        )
        time.sleep(behaviour.lingers)
        folder.checkpoint.unlink(missing_ok=True)
        return 0

    def started(self) -> None:
        time.sleep(self.behaviour.start_seconds)
        self.intent = read_intent(self.folder.intent, self.intent)
        if self.behaviour.start_seconds and self.intent.want != "run":
            sys.exit(10 if self.intent.want == "pause" else 12)  # nothing was begun, so nothing is said
        events = [decode_event(line) for line in self.folder.events.read_bytes().splitlines()]
        obeyed = [event.generation for event in events if isinstance(event, Started)]
        self.attempt += len(obeyed)
        if self.intent.restart > max(obeyed, default=0):
            self.folder.checkpoint.unlink(missing_ok=True)
        with suppress(OSError, ValueError, KeyError, TypeError):
            saved = json.loads(self.folder.checkpoint.read_bytes())
            if saved["seal"] == _link(saved["digest"], saved["step"]):
                self.step, self.digest = saved["step"], saved["digest"]
        file = self.folder.checkpoint.name if self.step else None
        self.event(
            Started(
                time.time(),
                own_identity(),
                self.intent.generation,
                self.step,
                file,
                (),
                self.active,
                1,
                "cpu",
                {},
                own_launch(),
            )
        )
        self.show("training")

    def obey(self) -> int | None:
        """The exit code with which to leave, None to go on."""
        if self.behaviour.deaf:
            return None
        self.intent = read_intent(self.folder.intent, self.intent)
        if self.intent.want == "cancel":
            self.event(Cancelled(time.time(), self.step, self.active))
            return self.leave(12)
        if self.intent.want == "pause":
            self.save()
            self.event(Paused(time.time(), self.step, self.active))
            return self.leave(10)
        if self.signal:
            self.save()
            self.event(Interrupted(time.time(), self.step, self.signal, self.active))
            return self.leave(11)
        return None

    def leave(self, code: int) -> int:
        time.sleep(self.behaviour.lingers)
        return code

    def misbehave(self) -> None:
        match self.behaviour.does:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                print("Traceback (most recent call last):\nImportError: no module of that name", flush=True)
                sys.exit(1)
            case "hang":
                while not self.signal:
                    time.sleep(0.01)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case reason:
                self.fail(reason)

    def fail(self, reason: str) -> NoReturn:
        needed = self.behaviour.needed_bytes if reason == "no_space" else None
        self.event(Failed(time.time(), self.step, reason, f"{reason} at {self.step}", self.active, needed))  # type: ignore[arg-type]
        sys.exit(errno.ENOSPC if reason == "no_space" else 1)

    def evaluated(self) -> None:
        cosine = 0.3 + 0.2 * self.step / self.spec.total_steps
        self.event(
            Evaluated(
                time.time(),
                self.step,
                self.step / self.spec.steps_per_epoch,
                1 - cosine,
                cosine,
                0.1,
                0.4,
                0.5,
                1 - cosine,
                cosine,
                1e-3,
                True,
                0.01,
                self.active,
            )
        )

    def save(self) -> None:
        saved = {"step": self.step, "digest": self.digest, "seal": _link(self.digest, self.step)}
        replace_file(self.folder.checkpoint, json.dumps(saved).encode())
        self.event(CheckpointSaved(time.time(), self.step, 100, 0.001, self.digest, self.active))

    def show(self, activity: Activity) -> None:
        with suppress(OSError):
            write_live(
                self.folder.progress,
                Progress(
                    time.time(),
                    activity,
                    os.getpid(),
                    self.step,
                    0.0,
                    0.5,
                    0.5,
                    1e-3,
                    100.0,
                    self.active,
                    0.01,
                    self.step,
                    self.active,
                    self.behaviour.step_seconds,
                    0,
                    0.0,
                    0,
                    0.0,
                    longest_gap=self.behaviour.step_seconds,
                ),
            )


def main(arguments: list[str]) -> int:
    folder = RunDir(Path(arguments[0]))
    lock = try_lock(folder.lock)
    if lock is None:
        return 3
    return Trainer(folder).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
