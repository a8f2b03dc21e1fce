"""Runs in a world of numbers, with a supervisor that does what is decided: no process, no file, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lvmtui.formats.intent import Intent, Want
from lvmtui.formats.supervisor_log import Launched, Record, Signalled
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    HeldoutScores,
    Interrupted,
    Paused,
    Started,
)
from lvmtui.state.run_state import RunState, apply, apply_record
from lvmtui.supervisor.decide import AskToLeave, Insist, Rules, Start, WriteDown, decide
from lvmtui.supervisor.engine import Ended, Member, Probe
from lvmtui.supervisor.observation import Asked, CampaignSeen, Observation, RunSeen
from lvmtui.system.process_id import Identity

HOST, BOOT = "here", "boot-2"
RULES = Rules(cancel_wait=10, space_wait=5)


def process(number: int, *, host: str = HOST, boot: str = BOOT) -> Identity:
    return Identity(host, boot, 100 + number, 1000 * number)


def finished(time: float, step: int) -> Finished:
    scores = HeldoutScores(10, 0.5, 0.1, 0.4, 0.5, 0.1, 0.2, 0.3)
    return Finished(time, step, False, step, 1.0, 0.5, scores, 1, 1, 1, 1, "w", "b", "h", 1.0)


@dataclass
class Simulated:
    """One run in a world of numbers: the logs as they would be, and who lives."""

    name: str
    state: RunState
    total: int = 30
    step: int = 0
    saved: int = 0
    alive: Identity | None = None
    launch: str = ""
    deaf: bool = False
    asked: float | None = None
    asked_by: int = -1
    insisted: float | None = None
    ended: Ended | None = None
    quiet_since: float = 0.0

    def say(self, event: Event) -> None:
        self.state = replace(self.state, trainer=apply(self.state.trainer, event))

    def note(self, record: Record) -> None:
        self.state = replace(self.state, supervision=apply_record(self.state.supervision, record))


@dataclass
class SimulatedWorld:
    """Runs, a clock, and a supervisor that does what is decided."""

    runs: list[Simulated]
    jobs: int
    now: float = 0.0
    processes: int = 0
    boot: int = 1
    room: int = 1 << 40
    starts: list[str] = field(default_factory=list)

    def seen(self, run: Simulated) -> RunSeen:
        alive = (Member(run.alive, True, run.launch),) if run.alive else ()
        asked = None
        if run.asked is not None and run.asked_by == run.state.intent.generation:
            asked = Asked(self.now - run.asked, None if run.insisted is None else self.now - run.insisted)
        ended = run.state.trainer.ending is not None and run.alive is not None
        return RunSeen(
            run.name, run.state, HOST, f"boot-{self.boot}", Probe(alive, True, run.ended),
            overtime=0.0 if ended and self._is_current(run) else None,
            quiet=self.now - run.quiet_since, room=self.room, asked=asked,
        )  # fmt: skip

    @staticmethod
    def _is_current(run: Simulated) -> bool:
        started = run.state.trainer.started
        return started is not None and started.process == run.alive

    def tick(self) -> bool:
        """The supervisor's part. True if it did anything."""
        observation = Observation((CampaignSeen("c", self.jobs, tuple(map(self.seen, self.runs))),))
        actions = decide(observation, RULES)
        by_name = {run.name: run for run in self.runs}
        for action in actions:
            run = by_name[action.run]
            generation = run.state.intent.generation
            match action:
                case Start():
                    assert run.alive is None
                    self.processes += 1
                    run.alive = Identity(HOST, f"boot-{self.boot}", 1000 + self.processes, self.processes * 10)
                    run.launch, run.ended = f"launch-{self.processes}", None
                    run.note(Launched(self.now, generation, run.alive, "local", "", run.launch))
                    self.starts.append(run.name)
                case AskToLeave(reason=reason):
                    run.asked, run.asked_by, run.insisted = self.now, generation, None
                    run.note(Signalled(self.now, "TERM", (1,), reason))
                    if not run.deaf:
                        self.leave(run, signal="TERM")
                case Insist(reason=reason):
                    run.asked, run.asked_by, run.insisted = run.asked or self.now, generation, self.now
                    run.note(Signalled(self.now, "KILL", (1,), reason))
                    self.die(run)
                case WriteDown(record=record):
                    run.note(replace(record, time=self.now))
        assert sum(run.alive is not None for run in self.runs) <= max(self.jobs, self.most_before)
        return bool(actions)

    most_before: int = 0

    # -- what processes do --

    def work(self, run: Simulated) -> None:
        """A moment in the life of a trainer."""
        if run.alive is None:
            return
        intent, started = run.state.intent, run.state.trainer.started
        if not self._is_current(run):
            if started is None or intent.restart > started.generation:
                run.saved = run.saved if intent.restart == 0 else 0
            run.step = run.saved
            run.say(Started(self.now, run.alive, intent.generation, run.saved, None, (), 0.0, 1, "cpu", {}))
            return
        if run.deaf:
            return
        if intent.want != "run":
            self.leave(run)
            return
        run.step += 10
        if run.step >= run.total:
            run.say(finished(self.now, run.step))
            self.gone(run, 0)
        elif run.step % 20 == 0:
            self.save(run)

    def save(self, run: Simulated) -> None:
        run.saved = run.step
        run.say(CheckpointSaved(self.now, run.step, 1, 0.1, "d", 0.0))

    def leave(self, run: Simulated, signal: str = "") -> None:
        if not self._is_current(run):
            self.gone(run, 11 if signal else 10)
            return
        if run.state.intent.want == "cancel":
            run.say(Cancelled(self.now, run.step, 0.0))
        else:
            self.save(run)
            pausing = run.state.intent.want == "pause"
            run.say(Paused(self.now, run.step, 0.0) if pausing else Interrupted(self.now, run.step, "TERM", 0.0))
        self.gone(run, 10)

    def fail(self, run: Simulated, reason: str) -> None:
        if run.alive and self._is_current(run):
            run.say(Failed(self.now, run.step, reason, "why", 0.0, 1000))  # type: ignore[arg-type]
            self.gone(run, 1)

    def die(self, run: Simulated) -> None:
        if run.alive:
            self.gone(run, None)

    def gone(self, run: Simulated, code: int | None) -> None:
        assert run.alive is not None
        run.ended = Ended(run.alive, "killed by signal 9" if code is None else f"left with exit code {code}", code)
        run.alive, run.quiet_since, run.asked, run.insisted = None, self.now, None, None

    def restart_machine(self) -> None:
        for run in self.runs:
            if run.alive:
                run.alive, run.ended, run.quiet_since, run.asked = None, None, self.now, None
        self.boot += 1

    def order(self, run: Simulated, want: Want, *, force: bool = False, from_start: bool = False) -> None:
        before = run.state.intent
        generation = before.generation + 1
        intent = Intent(want, generation, generation if from_start else before.restart, force)
        run.state = replace(run.state, intent=intent)


MISCHIEF: list[tuple[str, Callable[[SimulatedWorld, Simulated], None]]] = [
    ("die", SimulatedWorld.die),
    ("error", lambda world, run: world.fail(run, "error")),
    ("diverge", lambda world, run: world.fail(run, "diverged")),
    ("fill the disk", lambda world, run: world.fail(run, "no_space")),
    ("pause", lambda world, run: world.order(run, "pause")),
    ("resume", lambda world, run: world.order(run, "run")),
    ("cancel", lambda world, run: world.order(run, "cancel")),
    ("force", lambda world, run: world.order(run, "cancel", force=True)),
    ("from start", lambda world, run: world.order(run, "run", from_start=True)),
    ("go deaf", lambda world, run: setattr(run, "deaf", True)),
    ("restart", lambda world, run: world.restart_machine()),
    ("forget", lambda world, run: setattr(run, "ended", None)),
    ("new supervisor", lambda world, run: setattr(run, "asked", None)),
]
