"""Trains a run with a user's own program: starts it, understands it, obeys orders for it, and judges its predictions.

This process holds the run folder's lock and writes its files, as our trainer does; so supervisor, engines and screens
need not know the difference. The program tells what it does through a pipe (`lvmtui.trainer_kit`), by the lines it
prints (`[trainers.NAME] pattern`), or both.
"""

from __future__ import annotations

import hashlib
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import lvmtui
from lvmtui.formats.json_codec import dump_document
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.trainer_log import (
    LONGEST_REASON,
    CheckpointSaved,
    Exit,
    Failed,
    Finished,
    Reason,
    Started,
    events_in,
)
from lvmtui.formats.user_code import FIX, OwnTrainer, command_words
from lvmtui.system.errors import UserError
from lvmtui.system.files import DISK_FULL, replace_file
from lvmtui.system.process_id import RUN_MARK, folder_id, marks_of, own_identity, own_launch
from lvmtui.system.processes import Process, ask_to_leave, kill_all, marked_processes, resume_all, stop_all
from lvmtui.system.programs import ending_words, spawn
from lvmtui.system.text import sanitise
from lvmtui.trainer_kit import KIT_MARK
from trainers.log_writer import Journal
from trainers.orders import Leave, Orders, refuse_finished
from trainers.program.data import data_folder, judged
from trainers.program.output import Output
from trainers.program.said import Said, checkpoint_in

LOOK = 0.1
"""Seconds between two looks at orders while the program says nothing."""
LEAVE_WAIT = 5.0
"""Seconds that a program has to leave when it is cancelled, or cannot write a checkpoint, until it is killed; when it
is to pause, until the log says that it has not."""
CHECKPOINT_WAIT = 60.0
"""Seconds it has for a checkpoint when the machine wants us to go. A pause waits as long as it takes, and says so."""
PIECE = 1 << 16
"""Bytes that are read at once: as many as a pipe holds."""

SCRIPT_CURE = f"{FIX}, then retry it"
ANEW = "; what was wrong before its checkpoint needs 'lvmtui retry --from-start'"
PATTERN_CURE = (
    f"{SCRIPT_CURE}; another command or pattern needs a new campaign; "
    "'lvmtui trainer test --pattern REGEX {log}' shows what a pattern finds"
)
NO_PATTERN_CURE = f"{SCRIPT_CURE}; lines that it prints are understood by a pattern, which needs a new campaign"
"""What helps where no line told of anything: the script is not copied, all else is as planned."""


def train_with_program(folder: RunDir, orders: Orders, began: float) -> Exit:
    """Train the run in `folder` to its end, or until an order; `began` is when the process began (monotonic)."""
    journal = Journal(folder, began)
    program = Program(folder, orders, journal)
    try:
        program.prepare()
        program.start()
        program.follow()
        return program.end()
    except Exception as error:
        return program.fail(error)
    finally:
        program.clear()
        journal.close()


class Program:
    """One attempt at a run by a user's program."""

    def __init__(self, folder: RunDir, orders: Orders, journal: Journal) -> None:
        self.folder, self.orders, self.journal = folder, orders, journal
        self.out = folder.path / "out"
        self.launch = own_launch()
        self.scratch = Path(tempfile.mkdtemp(prefix="lvmtui-"))
        self.spec: RunSpec
        self.own: OwnTrainer
        self.said: Said
        self.child: subprocess.Popen[bytes]
        self.leaving: Leave | None = None
        self.suspended = False
        self.deadline = float("inf")
        self.heard = b""
        """The beginning of a line from the pipe, until its end comes."""

    # -- before it starts ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Lay out its data and its folder, find its checkpoint, say that the run begins."""
        spec = self.spec = read_spec(self.folder.spec)
        assert spec.own_trainer is not None
        self.own = spec.own_trainer
        past = events_in(self.folder.events)
        if self.orders.asks_restart(self.folder.events):
            shutil.rmtree(self.out, ignore_errors=True)
            self.folder.heldout.unlink(missing_ok=True)
        self.out.mkdir(exist_ok=True)
        data = data_folder(spec, self.folder.workspace.root)
        checkpoint, first_step, kept = checkpoint_in(past, self.out, untold=self.own.checkpoints)
        if checkpoint is None:
            refuse_finished(self.folder, spec.total_steps, self.orders.intent)
        self.journal.active_before = kept
        self.said = Said(spec, self.journal, self.out, first_step, past)
        facts: dict[str, Any] = {
            "data": str(data),
            "checkpoint": str(checkpoint) if checkpoint else "",
            "seed": spec.seed,
            "steps": spec.total_steps,
            "dim": spec.dim,
            "context": spec.context,
            "arm": spec.arm,
            "threads": spec.threads,
        }
        self.environment = self._environment(facts)
        values = facts | {
            "run": self.out,
            "epochs": max(1, round(spec.total_steps / spec.steps_per_epoch)),
            "label": spec.label,
            "python": sys.executable,
        }
        self.command = command_words(self.own.command, {k: str(v) for k, v in values.items()}, spec.model)
        self.journal.event(
            Started(
                time=time.time(),
                process=own_identity(),
                generation=self.orders.intent.generation,
                resumed_from=self.said.first_step,
                checkpoint=checkpoint.name if checkpoint else None,
                passed_over=(),
                active=self.journal.active_before,
                parameters=0,
                device=spec.device,
                versions={"lvmtui": lvmtui.__version__, **self._scripts()},
                launch=self.launch,
            ),
            durable=True,
        )
        start = f"from step {self.said.first_step} ({checkpoint.name})" if checkpoint else "from the start"
        if not checkpoint and any(self.out.iterdir()) and any(isinstance(event, CheckpointSaved) for event in past):
            start += ": its checkpoint is gone, or was written again without telling lvmtui"
        self.journal.say(f"{' '.join(self.command)}, {start}")

    def _scripts(self) -> dict[str, str]:
        """The files named in the command, by what they hold now. It is said which have changed."""
        found = {}
        for name, planned in self.own.files.items():
            with suppress(OSError):
                digest = hashlib.sha256((Path(self.own.folder) / name).read_bytes()).hexdigest()
                found[name] = f"sha256 {digest[:16]}"
                if digest != planned:
                    self.journal.say(f"{name} has changed since the campaign was planned")
        return found

    def _environment(self, shared: dict[str, Any]) -> dict[str, str]:
        """What the program is started with; `shared`: facts that it is given in its command too."""
        spec = self.spec
        pipe = self.scratch / "told"
        os.mkfifo(pipe)
        self.told = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # also for writing: it never ends
        facts = shared | {
            "version": 1,
            "run": spec.run,
            "out": str(self.out),
            "first_step": self.said.first_step,
            "steps_per_epoch": spec.steps_per_epoch,
            "batch_size": 0,  # the script's own choice; read by earlier kits, for windows a second
            "device": spec.device,
            "best_loss": self.said.best.loss if self.said.best else None,
            "best_cosine": self.said.best.cosine if self.said.best else None,
            "pipe": str(pipe),
        }
        replace_file(self.folder.path / "kit.json", dump_document(facts), durable=False)
        mark = os.environ.get(RUN_MARK) or os.path.realpath(self.folder.path)
        marks = marks_of(mark, folder_id(self.folder.path), self.launch)
        return {**os.environ, **marks, KIT_MARK: str(self.folder.path / "kit.json"), "PYTHONUNBUFFERED": "1"}

    def start(self) -> None:
        """Start the program, in a process group of its own and in our session."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        self.open_ends = [read]
        self.output = Output(self.journal.out.buffer, self.own.pattern, self.said.read)
        try:
            with os.fdopen(write, "wb") as out:
                self.child = spawn(
                    self.command, output=out, environment=self.environment, folder=Path(self.own.folder), session=False
                )
        except OSError as error:
            cure = "put that right and retry; another command needs a new campaign"
            raise UserError(f"{self.command[0]}: could not be started ({error.strerror or error}); {cure}") from None
        self.journal.clock.enter("training")

    # -- while it runs ---------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Listen and obey until it has ended."""
        self.said.show()
        while self.child.poll() is None:
            self._listen(LOOK)
            self._obey()
            if self.journal.progress_due() and (self.said.news or self.suspended):
                self.said.show()
        self._listen(0.0)
        self.output.close()

    def _listen(self, seconds: float) -> None:
        """Take what it printed and told."""
        select.select([*self.open_ends, self.told], [], [], seconds)
        for _ in range(64):  # not for ever: orders wait
            printed, told = self._printed(), _read_some(self.told) or b""
            if printed:
                self.output.feed(printed)
                self.said.news = True
            self.heard += told
            *lines, self.heard = self.heard.split(b"\n")
            for line in lines:
                self.said.hear(line)
            if not printed and not told:
                return

    def _printed(self) -> bytes:
        """What it printed since the last look; nothing once it has closed its output."""
        piece = _read_some(self.open_ends[0]) if self.open_ends else b""
        if piece is None:
            os.close(self.open_ends.pop())
        return piece or b""

    # -- orders ----------------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Look at orders; ask the program to leave, suspend it or let it go on; insist when it does not leave."""
        try:
            self.orders.check()
        except Leave as leave:
            if leave.how is Exit.PAUSED and not self.said.can_checkpoint:
                self._suspend()
            elif self.leaving is None or (leave.how is Exit.CANCELLED) > (self.leaving.how is Exit.CANCELLED):
                self._ask(leave)
        else:
            if self.suspended:
                self.suspended = False
                resume_all(self._tree())
                self.journal.say("goes on")
                self.said.show("training")
        if not self.leaving or time.monotonic() < self.deadline:
            return
        if self.leaving.how is Exit.PAUSED and self.said.can_checkpoint:
            self.journal.say(f"has not answered the pause for {LEAVE_WAIT:.0f} s; it is waited for, a cancel ends it")
            self.deadline = float("inf")
        else:
            self.journal.say("it does not leave, and is killed")
            kill_all(self._tree)
            self.deadline = time.monotonic() + 1.0

    def _ask(self, leave: Leave) -> None:
        self.leaving = leave
        tree = self._tree()
        if self.said.can_checkpoint and leave.how is not Exit.CANCELLED:
            ask_to_leave([p for p in tree if p.identity.pid == self.child.pid])
            resume_all(tree)
            wait = LEAVE_WAIT if leave.how is Exit.PAUSED else CHECKPOINT_WAIT
        else:
            ask_to_leave(tree)
            wait = LEAVE_WAIT
        self.deadline = time.monotonic() + wait

    def _suspend(self) -> None:
        """Stop all its processes; their memory stays taken."""
        stop_all(self._tree)
        if not self.suspended:
            self.suspended = True
            self.journal.say("suspended: its processes are stopped, their memory stays taken")
            self.said.show("suspended")

    def _tree(self) -> list[Process]:
        """Every process of this attempt but ourselves."""
        return [p for p in marked_processes() if p.launch == self.launch and p.identity.pid != os.getpid()]

    # -- the end ---------------------------------------------------------------------------------------------------

    def end(self) -> Exit:
        """The program has ended: none of its processes stays behind, and the log says how it ended."""
        left = kill_all(self._tree).reached
        if left and self.leaving is None:
            self.journal.say(f"it ended and left {len(left)} processes behind, which were killed")
        code = self.child.returncode
        # asked for a checkpoint, it may have trained to its end instead
        done = self.said.checkpoint != self.said.step or (self.out / "predictions.npy").exists()
        finished = code == 0 and done and self.said.step >= self.spec.total_steps
        if self.leaving is not None and (self.leaving.how is Exit.CANCELLED or not finished):
            how, step = self.leaving.how, self.said.step
            self.journal.event(self.leaving.ending(step, self.journal.active), durable=True)
            if how is not Exit.CANCELLED and self.said.checkpoint is None and not 0 < step == self.said.first_step:
                self.journal.say("it left without telling of a checkpoint")
            self.journal.say(f"{how.name.lower()} at step {step}")
            return how
        last = sanitise(self.output.last, 300).strip()
        if code:
            spoke = last and code != -signal.SIGKILL  # killed, it had no time to say why
            told = f"{ending_words(code)}: {last}" if spoke else ending_words(code)
            if self.said.hopeless:
                return self._failed("setup", f"{told}; {SCRIPT_CURE}{ANEW if self.said.checkpoint else ''}")
            return self._failed("error", told)
        return self._finish(last)

    def _finish(self, last: str) -> Exit:
        self.said.show("heldout")
        scores, digest, fault = judged(self.spec, self.folder)
        if self.said.best is None and not scores.windows:
            words = f"; its last words: {sanitise(last, 150)}" if last else ""
            found, lines = self.output.understood, self.output.lines
            how_many = f"{found:,} of {lines:,} lines" if found else "no line"
            known = (f"{how_many} understood" if self.own.pattern else "", self.said.wrong)
            read = f" ({'; '.join(filter(None, known))})" if any(known) else ""
            told = f"it ended without an error, but told of no evaluation{read}, and {fault}{words}"
            log = Path(*self.folder.path.parts[-4:-1], f"{self.spec.model}_*", self.folder.log.name)
            cure = PATTERN_CURE.format(log=log) if self.own.pattern else NO_PATTERN_CURE
            return self._failed("setup", f"{told}; {cure}")
        if fault:
            self.journal.say(f"not judged: {fault}")
        best, spec = self.said.best, self.spec
        self.journal.event(
            Finished(
                time=time.time(),
                step=self.said.step,
                stopped_early=0 < self.said.step < spec.total_steps and not self.own.guessed,
                best_step=best.step if best else self.said.step,
                best_epoch=best.epoch if best else spec.epoch_of(self.said.step),
                best_cosine=best.cosine if best else None,
                heldout=scores,
                train_seconds=self.journal.clock.of("training"),
                peak_memory_bytes=1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
                heldout_digest=digest,
                active=self.journal.active,
                unjudged=fault,
            ),
            durable=True,
        )
        verdict = f"held-out cosine {scores.cosine:.4f} (plain mean)" if scores.windows else "not judged"
        self.journal.say(f"finished after {self.journal.active:.0f} s of kept work: {verdict}")
        return Exit.FINISHED

    def _failed(self, reason: Reason, message: str) -> Exit:
        step, words = self.said.step if hasattr(self, "said") else 0, sanitise(message, LONGEST_REASON)
        self.journal.say(f"failed at step {step}: {message}")
        failed = Failed(time.time(), step, reason, words, self.journal.active, launch=self.launch)
        self.journal.event(failed, durable=True)
        return Exit.FAILED

    def fail(self, error: Exception) -> Exit:
        """Something of ours, or the machine, failed."""
        full = isinstance(error, OSError) and error.errno in DISK_FULL
        reason: Reason = "no_space" if full else "setup" if isinstance(error, UserError) else "error"
        with suppress(OSError):
            self._failed(reason, str(error) or type(error).__name__)
        return Exit.NO_SPACE if full else Exit.FAILED

    def clear(self) -> None:
        """No process and no scratch file stays behind."""
        kill_all(self._tree)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _read_some(descriptor: int) -> bytes | None:
    """What can be read now: empty if nothing can, None at the end."""
    try:
        return os.read(descriptor, PIECE) or None
    except BlockingIOError:
        return b""
