"""One run's folder as its trainer and its supervisor would have written it: both logs, live digits, orders, scores."""

from __future__ import annotations

import hashlib
import math
import os
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO

from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.live import Activity, Progress, write_live
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import GaveUp, Launched, Lost, Record
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
    Trained,
)
from lvmtui.system.files import append_line, seal_archive
from lvmtui.system.process_id import Identity, own_identity

START = 1795355100.0
"""2026-11-22 13:45:00 UTC."""
VERSIONS = {"lvmtui": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "numpy": "2.4.6"}


@dataclass(frozen=True)
class Curve:
    """The figures of a training as a function of its share done: what an evaluation at that point finds."""

    best: float
    """Validation cosine that is approached."""
    start: float = 0.31
    steepness: float = 7.0
    """Shares of the way in which the distance to `best` shrinks to 1/e, inverted."""
    noise: float = 0.0008
    collapses_at: float | None = None
    """Share done from which every prediction is the constant mean vector."""
    overfits_from: float | None = None
    """Share done from which validation gets worse while training goes on getting better."""
    echoes: bool = False
    """The prediction is the last context vector."""
    seed: int = 1
    ranks: float = 1.0
    """Factor on the held-out ranks of the true vectors: above 1 fewer are found."""
    new_source: float = 0.0
    """Held-out cosine added on windows of the new source, and taken away on the others so that the mean stays."""

    def cosine(self, share: float) -> float:
        """Validation cosine at `share` (0 to 1) of the steps."""
        if self.collapses_at is not None and share >= self.collapses_at:
            return 0.2512 + 0.2 * self.noise * self._jitter(share)
        value = self.best - (self.best - self.start) * math.exp(-self.steepness * share)
        if self.overfits_from is not None and share > self.overfits_from:
            value -= 0.06 * (share - self.overfits_from)
        return value + self.noise * self._jitter(share) * (1 - share)

    def train_cosine(self, share: float) -> float:
        """Training cosine at `share` of the steps."""
        if self.collapses_at is not None and share >= self.collapses_at:
            return 0.2530
        gain = 0.25 if self.overfits_from is not None else 0.03
        return self.cosine(share) + gain * share - 0.01

    def margin(self, share: float) -> float:
        if self.collapses_at is not None and share >= self.collapses_at:
            return 0.0
        return -0.52 if self.echoes else -0.16 + 0.25 * (1 - math.exp(-4 * share))

    def spread(self, share: float) -> float:
        return 2e-7 if self.collapses_at is not None and share >= self.collapses_at else 0.55 + 0.08 * share

    def _jitter(self, share: float) -> float:
        """Between -1 and 1, the same for the same seed and share."""
        digest = hashlib.sha256(f"{self.seed} {self.best} {share:.6f}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**31 - 1


_HELD: deque[IO[bytes]] = deque(maxlen=400)
"""Lock files of the runs that this process plays the trainer of; the oldest are closed."""


def hold(lock: Path) -> None:
    """Hold a run's lock file open, as its trainer does."""
    _HELD.append(lock.open("ab"))


@dataclass
class History:
    """One run's folder, written on by its trainer and its supervisor, with a clock that moves by what they do."""

    folder: RunDir
    time: float = START
    process: Identity = field(default_factory=own_identity)
    curve: Curve = field(default_factory=lambda: Curve(0.52))
    seconds_per_step: float = 0.05
    step: int = 0
    active: float = 0.0
    generation: int = 0
    checkpoint: int = 0
    """Step of the newest checkpoint."""
    evaluations: list[Evaluated] = field(default_factory=list)
    points: int = 100
    """Training points over the whole run."""

    unwritten: list[bytes] | None = None
    """Events of a training that is going on: written at its end, at once."""

    @cached_property
    def spec(self) -> RunSpec:
        return read_spec(self.folder.spec)

    def event(self, event: Event) -> None:
        """Append to the trainer's log."""
        if self.unwritten is None:
            append_line(self.folder.events, encode_line(event))
        else:
            self.unwritten.append(encode_line(event))

    def record(self, record: Record) -> None:
        """Append to the supervisor's log."""
        append_line(self.folder.supervision, encode_line(record))

    def want(self, want: Want, **options: bool) -> None:
        """Write an order."""
        self.time += 2
        self.generation = write_intent(
            self.folder.intent, want, by="ada@analytical", now=self.time, **options
        ).generation

    def launch(self) -> None:
        if self.process.pid == os.getpid():
            hold(self.folder.lock)
        self.time += 1
        self.record(Launched(self.time, self.generation, self.process, "local", ""))

    def start(self, resumed_from: int = 0, passed_over: tuple[str, ...] = ()) -> None:
        self.time += 4
        self.step = self.checkpoint = resumed_from
        self.evaluations = [e for e in self.evaluations if e.step <= resumed_from]
        checkpoint = "checkpoint.pt" if resumed_from else None
        self.event(
            Started(
                self.time,
                self.process,
                self.generation,
                resumed_from,
                checkpoint,
                passed_over,
                self.active,
                parameters=612_864,
                device="cpu",
                versions=VERSIONS,
            )
        )

    def train(self, to_step: int) -> None:
        """Train up to `to_step`: points, evaluations, checkpoints at every second evaluation, live digits."""
        spec = self.spec
        every = max(1, spec.total_steps // self.points)
        self.unwritten = []
        for step in range(self.step + 1, to_step + 1):
            self.step = step
            self.time += self.seconds_per_step
            self.active += self.seconds_per_step
            share = step / spec.total_steps
            if step % every == 0:
                cosine = self.curve.train_cosine(share)
                windows = spec.recipe.batch_size / self.seconds_per_step
                self.event(Trained(self.time, step, 1 - cosine, cosine, spec.recipe.rate, windows, self.active))
            if step % spec.evaluate_every == 0 or step == spec.total_steps:
                self.evaluate()
                if len(self.evaluations) % 2 == 0:
                    self.save()
        if written := b"".join(self.unwritten):
            append_line(self.folder.events, written)
        self.unwritten = None
        self.digits("training")

    def evaluate(self) -> None:
        spec, share = self.spec, self.step / self.spec.total_steps
        self.time += 0.5
        self.active += 0.5
        cosine, train_cosine = self.curve.cosine(share), self.curve.train_cosine(share)
        best = all(e.loss is None or 1 - cosine < e.loss for e in self.evaluations)
        evaluated = Evaluated(
            time=self.time,
            step=self.step,
            epoch=self.step / spec.steps_per_epoch,
            loss=1 - cosine,
            cosine=cosine,
            margin=self.curve.margin(share),
            last_cosine=cosine - self.curve.margin(share),
            spread=self.curve.spread(share),
            train_loss=1 - train_cosine,
            train_cosine=train_cosine,
            rate=spec.recipe.rate,
            best=best,
            seconds=0.5,
            active=self.active,
        )
        self.evaluations.append(evaluated)
        self.event(evaluated)

    def save(self) -> None:
        """A checkpoint, as far as the logs are concerned."""
        self.time += 0.1
        self.active += 0.1
        self.checkpoint = self.step
        self.event(CheckpointSaved(self.time, self.step, 8_400_000, 0.1, self._digest("checkpoint"), self.active))

    def digits(self, activity: Activity) -> None:
        """The live digits, as of now."""
        spec, share = self.spec, self.step / self.spec.total_steps
        write_live(
            self.folder.progress,
            Progress(
                time=self.time,
                activity=activity,
                pid=self.process.pid,
                step=self.step,
                epoch=self.step / spec.steps_per_epoch,
                loss=1 - self.curve.train_cosine(share) if self.step else None,
                cosine=self.curve.train_cosine(share) if self.step else None,
                rate=spec.recipe.rate,
                windows_per_second=spec.recipe.batch_size / self.seconds_per_step if self.step else None,
                active=self.active,
                startup_seconds=4.0,
                train_steps=self.step,
                train_seconds=self.step * self.seconds_per_step,
                recent_step_seconds=self.seconds_per_step if self.step else None,
                evaluations=len(self.evaluations),
                evaluation_seconds=0.5,
                checkpoints=len(self.evaluations) // 2,
                checkpoint_seconds=0.1,
                longest_gap=max(0.25, self.seconds_per_step) if self.step else None,
            ),
        )

    def end(self, ending: Paused | Interrupted | Cancelled | Failed | Finished) -> None:
        """The trainer's last word; a pause and an interruption are preceded by their checkpoint."""
        if isinstance(ending, Paused | Interrupted):
            self.save()
            ending = replace(ending, time=self.time, active=self.active)
        self.event(ending)

    def die(self, reason: str, *, counts: bool = True) -> None:
        """The trainer goes without a word; the supervisor notes it."""
        self.time += 1
        self.record(Lost(self.time, self.generation, self.process, reason, self.checkpoint, counts))

    def give_up(self, reason: str) -> None:
        self.time += 1
        self.record(GaveUp(self.time, self.generation, reason))

    def finish(self, *, heldout: bool = False, cosine: float | None = None) -> None:
        """Held-out evaluation and the end; `cosine` None: near the best validation cosine."""
        spec = self.spec
        best = next(e for e in reversed(self.evaluations) if e.best)
        assert best.cosine is not None and best.margin is not None and best.spread is not None
        held = best.cosine - 0.0012 if cosine is None else cosine
        self.time += 2
        self.active += 2
        digest = self._digest("heldout")
        if heldout:
            curve = self.curve
            digest = write_heldout(self.folder, spec, held, best.margin, ranks=curve.ranks, new_source=curve.new_source)
        hits = [round(h * held / 0.5064, 4) for h in (0.046, 0.142, 0.221)]
        self.event(
            Finished(
                time=self.time,
                step=self.step,
                stopped_early=self.step < spec.total_steps,
                best_step=best.step,
                best_epoch=best.epoch,
                best_cosine=best.cosine,
                heldout=HeldoutScores(
                    spec.heldout_windows,
                    held,
                    best.margin,
                    held - best.margin,
                    best.spread,
                    hits[0],
                    hits[1],
                    hits[2],
                    forward_scores(held, best.margin),
                ),
                latency_p50_ms=0.61,
                latency_p95_ms=0.83,
                train_seconds=self.active * 0.9,
                peak_memory_bytes=412_000_000,
                weights_digest=self._digest("weights"),
                best_digest=self._write_best(),
                heldout_digest=digest,
                active=self.active,
            )
        )
        self.digits("heldout")

    def _write_best(self) -> str:
        """Leave a `best_model.pt` that names its checksum, and holds nothing."""
        digest = self._digest("best")
        self.folder.best_model.write_text(f"sha256:{digest}")
        return digest

    def _digest(self, what: str) -> str:
        return hashlib.sha256(f"{self.folder.name} {what} {self.step}".encode()).hexdigest()


def write_heldout(
    folder: RunDir,
    spec: RunSpec,
    cosine: float,
    margin: float = 0.05,
    *,
    spread: float = 0.12,
    ranks: float = 1.0,
    new_source: float = 0.0,
) -> str:
    """Leave a sealed `heldout.npz` whose mean cosine is exactly near `cosine`; return its checksum.

    Windows of one campaign share window, cluster and stratum, and most of their difficulty: two runs differ by little
    in the same window, as trained models do.
    """
    import numpy as np

    windows, clusters = spec.heldout_windows, max(2, spec.heldout_windows // 25)
    shared = np.random.default_rng(int(spec.split_fingerprint[:8], 16) if spec.split_fingerprint else 0)
    cluster = np.sort(shared.integers(0, clusters, windows)).astype(np.int32)
    stratum = (shared.random(clusters) < 0.6).astype(np.uint8)[cluster]
    difficulty = shared.normal(0, spread * 0.6, clusters)[cluster] + shared.normal(0, spread, windows)
    own_seed = int.from_bytes(hashlib.sha256(spec.run.encode()).digest()[:8], "big")
    own = np.random.default_rng(own_seed).normal(0, spread / 6, windows)
    source = new_source * (stratum - stratum.mean())
    centred = difficulty - difficulty.mean() + own - own.mean() + source
    values = np.clip(centred + cosine, -1, 1).astype(np.float32)
    last = np.clip(values - margin + np.random.default_rng(own_seed + 1).normal(0, 0.03, windows), -1, 1)
    rank = np.maximum(1, np.round(ranks * np.exp(4.2 - 8 * (values - 0.5)))).astype(np.int32)
    with folder.heldout.open("wb") as file:
        np.savez(
            file,
            version=np.asarray(1),
            window=np.arange(windows, dtype=np.int64) * 3,
            cluster=cluster,
            stratum=stratum,
            cosine=values,
            last_cosine=last.astype(np.float32),
            rank=rank,
            fingerprint=np.asarray(spec.split_fingerprint),
        )
    return seal_archive(folder.heldout)


def forward_scores(following: float, margin: float) -> ForwardScores:
    """Figures of a predictor with this cosine with the next vector, and this margin over the last one."""
    last = following - margin
    return ForwardScores(
        windows=1204,
        cosines=(
            0.8 * last,
            0.82 * last,
            0.86 * last,
            0.92 * last,
            last,
            following,
            following - 0.04,
            following - 0.06,
        ),
        shuffled=following - 0.1 * abs(margin),
        rollout=tuple(following - lost for lost in (0, 0.04, 0.06, 0.075, 0.085)),
    )
