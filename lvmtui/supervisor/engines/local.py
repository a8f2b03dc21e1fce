"""Runs as processes of this machine.

A process is the run's if it carries the run's mark, descends from one that does, or is named by the run's logs. All
processes are looked through only when something may have changed that single looks cannot see; in between, the known
ones are checked one by one.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.turn import Turn
from lvmtui.supervisor import memory_kills, standby
from lvmtui.supervisor.engines import (
    Begun,
    CannotStart,
    Ended,
    Kind,
    Member,
    Occupied,
    Place,
    Sight,
    mark_of,
    thread_environment,
)
from lvmtui.supervisor.idle import IdleCores
from lvmtui.system.files import try_lock
from lvmtui.system.gpus import device_for, environment_of, visible_gpus
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK, Identity, boot_id, identity_of
from lvmtui.system.processes import (
    Process,
    ask_to_leave,
    ending_words,
    kill_all,
    marked_processes,
    process_of,
    start_detached,
    state_of,
)

TRAINER = (sys.executable, "-P", "-m", "trainers")
"""`-P`: a folder called `trainers` in the current directory must not be taken for ours."""
LOOK_THROUGH_ALL = 30.0
"""Seconds between two looks through all processes when nothing calls for one: a child that outlived a look at the
moment its parent died is found this late."""
GONE = "its process is gone"
FOR_MEMORY = "killed for memory"


class LocalEngine:
    """Starts trainers here and finds them again, whoever started them."""

    name = "local"
    noun = "process"
    remote = False

    def __init__(
        self,
        command: Sequence[str] = TRAINER,
        *,
        stands_by: bool = True,
        idle_cores: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        find: Callable[[], list[Process]] = marked_processes,
    ) -> None:
        """`command`: to which a run's folder is added. `stands_by`: it knows how to; see `standby.py`."""
        self._command = tuple(command)
        self._standby = standby.Standby(command) if stands_by else None
        self._idle_cores = idle_cores or IdleCores()
        self._clock = clock
        self._find = find
        self._children: dict[Identity, subprocess.Popen[bytes]] = {}
        self._known: dict[str, dict[Identity, Process]] = {}
        """Mark -> who was alive at the last look."""
        self._ended: dict[str, dict[Identity, Ended]] = {}
        """Mark -> how its processes ended, in the order in which that was learned."""
        self._looked = float("-inf")
        self._memory_kills = memory_kills.counter()
        self._gpus: tuple[str, ...] | None = None
        self._marks: dict[Path, str] = {}

    # -- starting --

    def start(self, place: Place, spec: RunSpec) -> Begun:
        """Start a trainer. Raises CannotStart and Occupied."""
        folder = place.folder
        try:
            lock = try_lock(folder.lock)
            if lock is None:
                raise Occupied("its folder is locked by a process that cannot be found from here")
            lock.close()
            folder.log.open("ab").close()  # what cannot be opened is to be said here, not found out by a trainer
            mark, launch, devices = self._mark(folder), secrets.token_hex(6), self._devices(spec.device)
            marks = {RUN_MARK: mark, LAUNCH_MARK: launch} | environment_of(devices)
            child = self._one_that_stands_by(place, spec, marks) or start_detached(
                (*self._command, str(folder.path)),
                output=folder.log,
                folder=folder.workspace,
                environment={**os.environ, **thread_environment(spec.threads), **marks},
            )
        except OSError as error:
            raise CannotStart(f"could not be started: {error.strerror or error}") from None
        identity = identity_of(child.pid)
        assert identity is not None, "a child that was not waited for keeps its entry"
        self._children[identity] = child
        process = Process(identity, os.getpid(), True, False, mark, launch, devices)
        self._known.setdefault(mark, {})[identity] = process
        return Begun(identity, launch, devices)

    def _one_that_stands_by(
        self, place: Place, spec: RunSpec, marks: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | None:
        if self._standby is None:
            return None
        turn = Turn(str(place.folder.path), str(place.folder.log), marks)
        return self._standby.give(_kind(place, spec), turn)

    def expect(self, runs: Sequence[tuple[Place, RunSpec]], ahead: int) -> None:
        """Have trainers stand by for them, as far as a core is free to import torch: beside runs that keep all of them
        busy it would only take from one run what it gives to the next."""
        if self._standby is not None:
            free = round(self._idle_cores()) if ahead else 0
            self._standby.keep([_kind(place, spec) for place, spec in runs], min(ahead, free))

    def _devices(self, device: str) -> str:
        if self._gpus is None:
            self._gpus = visible_gpus()
        if len(self._gpus) < 2:
            return ""
        living = [p for known in self._known.values() for p in known.values() if p.leader]
        return device_for(device, self._gpus, [p.devices for p in living])

    # -- looking --

    def look(self, places: Iterable[Place]) -> dict[Path, Sight]:
        """What lives of each run."""
        gone = self._check_known()
        if gone or self._clock() - self._looked >= LOOK_THROUGH_ALL:
            self._look_through_all()
        if gone:  # one look can miss a child that was born during it
            self._look_through_all()
        return {place.folder.path: self._sight(place) for place in places}

    def _sight(self, place: Place) -> Sight:
        mark = self._mark(place.folder)
        known = self._known.get(mark, {})
        for identity in place.processes:  # started by hand, or before the workspace was moved: without our mark
            if identity not in known and (process := process_of(identity)):
                known = self._known.setdefault(mark, {})
                known[identity] = process
        return Sight(
            tuple(Member(p.identity, p.leader, p.launch, p.stopped) for p in known.values()),
            ended=self._end_of(mark, place.processes[0] if place.processes else None),
        )

    def _end_of(self, mark: str, newest: Identity | None) -> Ended | None:
        """How the newest process that the logs name ended; the last one seen to end where they name none."""
        ends = self._ended.setdefault(mark, {})
        if newest is None:
            return next(reversed(ends.values()), None)
        if not self._known.get(mark) and newest not in ends and newest.here and newest.boot_id == boot_id():
            # nobody looked when it ended; the kernel may still know for what
            ends[newest] = _ended(newest, None, for_memory=False)
        return ends.get(newest)

    def _check_known(self) -> bool:
        """Forget who is not alive any more, and learn how they ended. True if there were any."""
        gone: list[tuple[str, Process]] = []
        for mark, known in self._known.items():
            for identity, process in known.items():
                state = state_of(identity)
                if state is None:
                    gone.append((mark, process))
                elif process.stopped != (state in "Tt"):
                    known[identity] = replace(process, stopped=state in "Tt")
        if gone:
            self._note_ends(gone)
        return bool(gone)

    def _note_ends(self, gone: list[tuple[str, Process]]) -> None:
        """Learn how those who left ended, and take our own children out of the process table."""
        before, self._memory_kills = self._memory_kills, memory_kills.counter()
        for_memory = before is not None and self._memory_kills is not None and self._memory_kills > before
        for mark, process in gone:
            del self._known[mark][process.identity]
            child = self._children.pop(process.identity, None)
            code = child.wait() if child else None
            if process.leader:
                self._ended.setdefault(mark, {})[process.identity] = _ended(process.identity, code, for_memory)

    def _look_through_all(self) -> None:
        """Find everybody who carries a mark. Those known before stay until `_check_known` sees that they ended."""
        found: dict[str, dict[Identity, Process]] = {}
        for process in self._find():
            found.setdefault(process.mark, {})[process.identity] = process
        for mark, known in self._known.items():
            for identity, process in known.items():
                found.setdefault(mark, {}).setdefault(identity, process)
        self._known = found
        self._looked = self._clock()

    def strays(self, models: Path) -> list[Place]:
        """Runs of which processes live although their folder is gone."""
        root = str(models.resolve()) + os.sep
        marks = [mark for mark, known in self._known.items() if known and mark.startswith(root)]
        return [Place(RunDir(Path(mark))) for mark in marks if not os.path.isdir(mark)]

    # -- stopping --

    def ask(self, places: Sequence[Place]) -> dict[Path, tuple[int, ...]]:
        """TERM to everything of the runs, with CONT for the stopped."""
        return {place.folder.path: ask_to_leave(self._members(place)) for place in places}

    def insist(self, places: Sequence[Place]) -> dict[Path, tuple[int, ...]]:
        """KILL to everything of the runs."""
        return {place.folder.path: kill_all(partial(self._members, place)) for place in places}

    def _members(self, place: Place) -> list[Process]:
        self._look_through_all()
        self._sight(place)
        return list(self._known.get(self._mark(place.folder), {}).values())

    def _mark(self, folder: RunDir) -> str:
        mark = self._marks.get(folder.path)
        if mark is None:
            mark = self._marks[folder.path] = mark_of(folder)
        return mark


def _kind(place: Place, spec: RunSpec) -> standby.Kind:
    return standby.Kind(spec.threads, place.folder.workspace)


def _ended(process: Identity, returncode: int | None, for_memory: bool) -> Ended:
    """How a process ended in words; only our own children have an exit code."""
    if (returncode in (None, -9)) and (for_memory or memory_kills.in_kernel_log(process)):
        return Ended(process, FOR_MEMORY)
    if returncode is None:
        return Ended(process, GONE)
    return Ended(process, ending_words(returncode), returncode if returncode >= 0 else None)


KIND = Kind(make=LocalEngine)
