"""`lvmtui trainer test`: what a pattern understands of a log, and what a trainer of one's own can do."""

from __future__ import annotations

import argparse
import math
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lvmtui.cli.shared import ExitCode, announcer, pattern_reader
from lvmtui.cli.watch_logs import LogFacts
from lvmtui.formats import trainer_log
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.patterns import NO_COSINE, LineReading
from lvmtui.formats.trainer_log import LONGEST_REASON, CheckpointSaved, Evaluated, Trained
from lvmtui.formats.user_code import FIX
from lvmtui.state.run_reader import RunReader
from lvmtui.system.errors import UserError
from lvmtui.system.files import last_line
from lvmtui.system.launch import our_command
from lvmtui.system.numbers import finite, plural
from lvmtui.system.process_id import LAUNCH_MARK
from lvmtui.system.processes import Process, kill_all, marked_processes
from lvmtui.system.programs import spawn, unmarked_environment
from lvmtui.system.text import sanitise
from lvmtui.verdict.health import health_of

E = TypeVar("E")
OURS = re.compile(rb"\d\d:\d\d:\d\d (failed at step |.*, from (the start|step \d+ \(.*\))$)")
"""Lines that lvmtui writes into a script's log: why an attempt failed, with its last words, and that one starts."""
SHOWN = 12
"""Lines of a log that are shown as they were understood."""
COUNTED = {Trained: "training point", Evaluated: "evaluation", CheckpointSaved: "checkpoint"}
LEAVE_AFTER = 20.0
"""Seconds it has to leave when it is asked, and to say something when it goes on."""
CANCEL_WAIT = 15.0
"""Seconds beyond the limit that it has to end when it is cancelled."""
QUIET = 5.0
"""Seconds without an event that are said of a trainer that has not finished."""
ASK_AFTER = 10.0
"""Seconds after its first word at which it is asked to leave, if it has not told of a checkpoint before."""


def trainer(given: argparse.Namespace) -> int:
    patterns = given.pattern or []
    if given.log:
        if not patterns or given.trainer:
            raise UserError("trainer test LOGFILE: needs --pattern, and no --command")
        reports = [pattern_report(patterns, Path(log)) for log in given.log]
        print("\n".join(line for lines, _ in reports for line in lines))
        return ExitCode.OK if all(understood for _, understood in reports) else ExitCode.RUNS_FAILED
    if not given.trainer:
        raise UserError("trainer test: give --command, or --pattern and a log file")
    failed = False
    parts = try_trainer(given.trainer, patterns, checkpoints=given.checkpoints, folder=Path.cwd(), limit=given.seconds)
    leaving = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(*_: object) -> None:
        """End the trainer too. A closed terminal may send two signals: the second would leave the trainer behind."""
        for number in leaving:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in leaving:
        signal.signal(number, leave)
    try:
        with closing(parts):
            for found in parts:
                print(found.line, flush=True)
                failed |= found.needed and not found.works
    except KeyboardInterrupt:
        print("\nlvmtui: interrupted; the trainer was ended", file=sys.stderr)
        return ExitCode.LEFT
    return ExitCode.RUNS_FAILED if failed else ExitCode.OK


def pattern_report(patterns: Sequence[str], log: Path) -> tuple[list[str], bool]:
    """What the patterns understand of a log, a line each, and whether they understand anything. Raises UserError."""
    reader = pattern_reader(patterns)
    lines = evaluations = behind = lost = 0
    newest = defaultdict[bool, float](lambda: -math.inf)  # of evaluations that tell their epoch only, and of others
    shown: list[str] = []
    facts, unread = LogFacts(log.name), ""
    try:
        with log.open("rb") as file:
            for lines, line in enumerate(file, 1):
                if OURS.match(line):
                    newest.clear()  # what comes next is of another attempt
                    continue
                reading = reader.read(line.rstrip(b"\r\n"))
                if reading is None:
                    unread = sanitise(line, 100)
                    continue
                by_epoch, words = reading.step is None, reading_words(reading)
                at = reading.epoch if by_epoch else reading.step
                if reading.evaluated and at is not None and at <= newest[by_epoch]:
                    behind, words = behind + 1, f"{words}; left out: not past the evaluation before"
                    reading = replace(reading, cosine=None)
                elif reading.evaluated:
                    newest[by_epoch] = newest[by_epoch] if at is None else at
                    lost += finite(reading.cosine) is None and finite(reading.loss) is None
                evaluations += reading.evaluated
                facts = facts.after(reading)
                if len(shown) < SHOWN:
                    shown.append(f"  line {lines}: {words}")
    except OSError as error:
        raise UserError(f"{log}: cannot be read ({error.strerror})") from None
    if not facts.lines:
        last = f"; the last line is: {unread}" if unread else ""
        return [f"{log}: no pattern is found in any of {lines:,} lines{last}"], False
    more = [f"  and {facts.lines - len(shown):,} more"] if facts.lines > len(shown) else []
    top = f", best validation cosine {facts.best:.4f}" if facts.best is not None else ""
    says = [f"{log}: {facts.lines:,} of {lines:,} lines understood, {evaluations:,} of them evaluations{top}"]
    if not evaluations:
        cure = "name a group 'cosine' (-1 to 1, no percentage) or 'val_loss' for a figure of the validation windows"
        says.append(f"no line is an evaluation: {cure}")
    if lost:
        says.append(f"{plural(lost, 'evaluation')} without a finite figure: a run with one counts as diverged")
    if behind:
        says.append(f"a run leaves out {behind:,} of the evaluations: their count began again")
    return [*says, *shown, *more], True


def reading_words(reading: LineReading) -> str:
    """`epoch 3, validation cosine .5012, training loss .4801`."""
    found = [
        ("step", reading.step),
        ("epoch", reading.epoch),
        ("validation cosine", reading.cosine),
        ("validation loss", reading.loss),
        ("training loss", reading.train_loss),
        ("training cosine", reading.train_cosine),
        ("rate", reading.rate),
        ("no cosine (-1 to 1), left out:", finite(reading.no_cosine)),
    ]
    return ", ".join(f"{name} {value:.6g}" for name, value in found if value is not None)


# A trainer ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PartFound:
    """What one part of the test found."""

    part: str
    works: bool
    words: str
    needed: bool = False
    """Without it a trainer cannot be used: the test fails."""

    @property
    def line(self) -> str:
        return f"{'yes' if self.works else 'no':<4}{self.part:<13}{self.words}"


def try_trainer(
    command: str, patterns: Sequence[str], *, checkpoints: bool, folder: Path, limit: float
) -> Generator[PartFound, None, None]:
    """Run a trainer on bundled vectors for `limit` seconds and tell, part by part, what works. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="lvmtui-trainer-") as root:
        test = _Test(_planned(Path(root), command, patterns, checkpoints, folder, limit), limit)
        try:
            yield from test.parts()
        finally:
            test.clear()


def _planned(
    root: Path, command: str, patterns: Sequence[str], checkpoints: bool, folder: Path, limit: float
) -> RunDir:
    """A campaign of one trainer on the bundled vectors; the run of the smaller arm."""
    from lvmtui.planning.options import Options
    from lvmtui.planning.own_code import own_trainer, refuse_absent
    from lvmtui.planning.own_tables import read_own
    from lvmtui.planning.plan import make_plan, write_plan

    table = {"command": command, "pattern": list(patterns), "checkpoints": checkpoints, "folder": str(folder)}
    own = read_own({"trainers": {"mine": table}}, Path("trainer test"))
    refuse_absent(own.trainers["mine"])
    own_trainer(own.trainers["mine"])
    most = f"for up to {limit:.0f} s, and up to {CANCEL_WAIT:.0f} s more until it has left"
    print(f"reading and checking bundled vectors (15 s of work, not counted), then trying it {most}", file=sys.stderr)
    options = Options(models=("mine",), own=own, size="small", recipe="tuned", threads=1, jobs=1, device="cpu")
    workspace, say = Workspace(root), announcer()
    campaign = write_plan(make_plan(options, workspace, say), workspace, say)
    say("")
    return workspace.run(campaign.runs[0])


class _Test:
    def __init__(self, run: RunDir, limit: float) -> None:
        self.run = run
        self.until = time.monotonic() + limit
        self.limit = limit
        self.process: subprocess.Popen[bytes] | None = None
        self.launches: set[str] = set()
        self.killed = False

    def parts(self) -> Generator[PartFound, None, None]:
        self._start()
        self._wait(lambda: len(self._told()) > 0 or self._over())
        told = self._told()
        finished = self._newest(trainer_log.Finished)
        if not told and finished:
            yield PartFound("events", False, "nothing it said is understood, so its run has no curve and no time left")
            yield from self._predictions()
            return
        if not told:
            why = f"nothing it said in {self.limit:.0f} s is understood; the log ends: {last_line(self.run.log)}"
            yield PartFound("events", False, self._ending_words() if self._over() else why, needed=True)
            return
        self._wait(lambda: self._over() or self._can_checkpoint(), ASK_AFTER)
        yield PartFound("events", True, self._counts() + ("" if self._over() else " so far"), needed=True)
        if wrong := re.search(rf"(line|at) .*cosine (?!nan).*{NO_COSINE}", self.run.log.read_text(errors="replace")):
            yield PartFound("cosines", False, f"{sanitise(wrong[0], 300)}; left out, with all like it")
        if not self._over():
            yield from self._leaving()
        elif self._newest(trainer_log.Failed):
            yield PartFound("leave", False, f"it failed before it was asked: {self._ending_words()}", needed=True)
        else:
            ended = f"it ended before it was asked{self._early()}"
            if not self._can_checkpoint():
                ended += " and told of no checkpoint; if it writes one on TERM, add --checkpoints"
            yield PartFound("leave", False, ended)
        yield from self._predictions()
        state = RunReader(self.run).refresh()
        for found in health_of(state, None) if state else ():
            if found.kind == "diverged":
                yield PartFound("health", False, f"{found.words}; its model would not be compared", needed=True)
        how = "was killed" if self.killed else "has ended by itself" if self._over() else "was cancelled"
        if not self._over():
            self._want("cancel")
            self._wait(self._over, CANCEL_WAIT, beyond=True)
        left = len(self._tree())
        behind = plural(left, "process") if left else "nobody"
        yield PartFound("cancel", not left, f"it {how} and left {behind} behind; in all {self._counts()}")

    def _leaving(self) -> Generator[PartFound, None, None]:
        """Pause it, and go on. One that cannot is suspended."""
        can = self._can_checkpoint()
        self._want("pause")
        began = time.monotonic()
        if not can:
            self._wait(lambda: all(process.stopped for process in self._tree()[1:]), 5.0)
            told = "it tells of no checkpoint, so a pause only stops its processes; their memory stays taken"
            yield PartFound("leave", False, told)
            yield PartFound("checkpoint", False, "call run.checkpoint(path, step), or say checkpoints = true")
            yield PartFound("resume", False, "a retry begins from the start")
            self._want("run")
            return
        self._wait(self._over, LEAVE_AFTER)
        if not self._over():
            deaf = f"asked to leave (TERM), it was still there after {time.monotonic() - began:.0f} s, and was killed"
            yield PartFound("leave", False, deaf, needed=True)
            self.killed = True
            kill_all(self._tree)
            self._wait(self._over, CANCEL_WAIT, beyond=True)
            return
        seconds = time.monotonic() - began
        left, saved = isinstance(self._events()[-1], trainer_log.Paused), self._newest(CheckpointSaved)
        files = {path.name for path in (self.run.path / "out").iterdir()}
        words = f"left {seconds:.1f} s after it was asked" if left else self._ending_words()
        if left and saved is None and "predictions.npy" in files:
            left, words = False, f"asked to leave (TERM), it went on to its end, for {seconds:.1f} s"
        yield PartFound("leave", left, words, needed=True)
        kept = bool(files - {"predictions.npy"})
        told = f"it told of none, and {'keeps files' if kept else 'left no file'} in {{run}}"
        words = f"the last of step {saved.step:,}, {saved.bytes / 1e6:.1f} MB" if saved else told
        yield PartFound("checkpoint", saved is not None or kept, words, needed=True)
        before = len(self._told())
        self._want("run")
        self._start()
        self._wait(lambda: len(self._told()) > before or self._over(), LEAVE_AFTER)
        started, first = self._newest(trainer_log.Started), next((e.step for e in self._told()[before:]), None)
        begun = started.resumed_from if started else 0
        if first is not None:
            then = f"its next word was of step {first:,}"
        elif self._newest(trainer_log.Finished):
            then = "it had nothing left to do"
        else:
            then = self._ending_words() if self._over() else f"said nothing within {LEAVE_AFTER:.0f} s"
        words = f"went on after step {begun:,}, {then}" if begun else "it began again from the start"
        yield PartFound("resume", 0 < begun < (first or 0), words, needed=True)

    def _predictions(self) -> Generator[PartFound, None, None]:
        self._wait(self._over)
        finished = self._newest(trainer_log.Finished)
        if self.killed:
            yield PartFound("predictions", False, "it was killed; they are handed in at the end")
        elif finished is None:
            told, limit = self._told(), f"it did not finish within {self.limit:.0f} s"
            if told and (quiet := time.time() - told[-1].time) > QUIET:
                limit += f", and told of nothing in the last {quiet:.0f} s, after step {told[-1].step:,}"
            why = self._ending_words() if self._over() else limit
            failed = self._newest(trainer_log.Failed) is not None
            yield PartFound("predictions", False, f"{why}; they are handed in at the end", needed=failed)
        elif finished.heldout.windows:
            judged = f"{finished.heldout.windows:,} held-out windows, cosine {finished.heldout.cosine:.4f}"
            yield PartFound("predictions", True, judged)
        else:
            ended = f"; it ended{early}" if (early := self._early()) else ""
            yield PartFound("predictions", False, f"{finished.unjudged}: a point estimate, no verdict{ended}")

    # -- what it is made of --

    def _start(self) -> None:
        launch = f"test{time.monotonic_ns()}"
        self.launches.add(launch)
        environment = {**unmarked_environment(), LAUNCH_MARK: launch}
        command = our_command("trainers", str(self.run.path))
        self.process = spawn(command, output=self.run.log, environment=environment, folder=self.run.workspace.root)

    def _want(self, want: Want) -> None:
        write_intent(self.run.intent, want, by="trainer test")

    def _events(self) -> list[trainer_log.Event]:
        return trainer_log.events_in(self.run.events)

    def _newest(self, kind: type[E]) -> E | None:
        return next((e for e in reversed(self._events()) if isinstance(e, kind)), None)

    def _told(self) -> list[trainer_log.Told]:
        return [e for e in self._events() if isinstance(e, trainer_log.Told)]

    def _counts(self) -> str:
        """`12 training points, 3 evaluations, 0 checkpoints`"""
        told = self._told()
        return ", ".join(plural(sum(isinstance(e, kind) for e in told), word) for kind, word in COUNTED.items())

    def _early(self) -> str:
        """`, after 30 of 315 steps`, where it ended by itself before the planned end."""
        state = RunReader(self.run).refresh()
        if state is None or state.trainer.finished is None or not state.trainer.finished.stopped_early:
            return ""
        return f", after {state.step:,} of {state.spec.total_steps:,} {state.spec.unit}s"

    def _can_checkpoint(self) -> bool:
        state = RunReader(self.run).refresh()
        return state is not None and state.can_pause

    def _over(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _ending_words(self) -> str:
        if failed := self._newest(trainer_log.Failed):
            said, fix, rest = sanitise(failed.message, LONGEST_REASON).partition(f"; {FIX}")  # here is no campaign
            return f"{said}{fix}{', or give a --pattern that fits' if 'pattern' in rest else ''}"
        return last_line(self.run.log) if self._over() else ""

    def _tree(self) -> list[Process]:
        return [p for p in marked_processes() if p.launch in self.launches]

    def _wait(self, condition: Callable[[], object], seconds: float = math.inf, *, beyond: bool = False) -> None:
        until = min(time.monotonic() + seconds, math.inf if beyond else self.until)
        while not condition() and time.monotonic() < until:
            time.sleep(0.1)

    def clear(self) -> None:
        if self.process is not None:
            kill_all(self._tree)
            self.process.wait()
