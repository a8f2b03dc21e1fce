"""Runs as processes of this machine.

A process belongs to a run if its environment has the run's marks, or if it descends from such a process. A process
that only appears in the run's logs (started by hand, or before the workspace was moved) belongs to it if it holds the
lock of this folder. Otherwise it belongs to the folder that this one was copied from.

Listing all processes is slow, so it is done only when a process ended, and every `LOOK_THROUGH_ALL` seconds. In
between, the known processes are checked one by one.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec
from lvmtui.state.status import GONE
from lvmtui.supervisor import engine, memory_kills
from lvmtui.system.filesystem import is_locked, try_lock
from lvmtui.system.gpus import device_for, gpu_variables, visible_gpus
from lvmtui.system.permissions import first_unwritable
from lvmtui.system.process_id import Identity, boot_id, folder_id, host_name, identity_of, marks_of
from lvmtui.system.processes import Process, Sent, ask_to_leave, kill_all, marked_processes, process_of, works_for
from lvmtui.system.programs import ending_words, spawn

LOOK_THROUGH_ALL = 30.0
"""Seconds between two listings of all processes if none ended: a child left by its dead parent is found by then."""
LOCKED = "its folder is locked by a process that cannot be seen from here (another container, or another machine)"


class LocalEngine:
    """Starts trainers on this machine, and finds trainers that another supervisor started."""

    noun = "process"
    remote = False

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """`command`: run with the run's folder as its last argument; None: our trainer, on the campaign's Python."""
        self._command = command
        self._children: dict[Identity, subprocess.Popen[bytes]] = {}
        self._known: dict[str, dict[Identity, Process]] = {}
        """Processes alive at the last look, by device and inode of their run folder, or by its path."""
        self._ended: dict[Identity, engine.Ended] = {}
        self._last_ended: dict[str, engine.Ended] = {}
        """By folder, with the keys of `_known`."""
        self._looked = float("-inf")
        self._memory_kills = memory_kills.counter()
        self._gpus: dict[str | None, tuple[str, ...]] = {}
        """By the value of CUDA_VISIBLE_DEVICES."""
        self._mark = cache(engine.mark_of)

    # -- starting --

    def start(self, place: engine.Place, spec: RunSpec) -> engine.Begun:
        """Start a trainer. Raises CannotStart and Occupied."""
        folder = place.folder
        if fault := first_unwritable(folder.logs):
            raise engine.CannotStart(fault)
        try:
            lock = try_lock(folder.lock)
            if lock is None:
                raise engine.Occupied("its folder is locked by a process that cannot be found from here")
            lock.close()
            folder.log.open("ab").close()  # a trainer could not report that it cannot be opened
            if (other := self._working_elsewhere(place)) is not None:
                raise engine.Occupied(_moved_words(other))
            environment = engine.environment_of(place.started_with)
            launch = secrets.token_hex(6)
            devices = self._devices(spec.device, environment)
            mark, here = self._mark(folder), folder_id(folder.path)
            child = spawn(
                (*(self._command or engine.trainer_of(place)), str(folder.path)),
                output=folder.log,
                folder=folder.workspace.root,
                environment={
                    **environment,
                    **engine.thread_environment(spec.threads),
                    **marks_of(mark, here, launch),
                    **gpu_variables(devices, environment),
                },
            )
        except OSError as error:
            known = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error
            raise engine.CannotStart(f"could not be started: {known}") from None
        identity = identity_of(child.pid)
        assert identity is not None, "a child that was not waited for keeps its entry"
        self._children[identity] = child
        self._remember(Process(identity, os.getpid(), True, False, mark, here, launch, devices))
        return engine.Begun(identity, launch, devices)

    def _devices(self, device: str, environment: Mapping[str, str] = os.environ) -> str:
        variable = environment.get("CUDA_VISIBLE_DEVICES")
        gpus = self._gpus.get(variable)
        if gpus is None:
            gpus = self._gpus[variable] = visible_gpus(environment)
        living = [p for known in self._known.values() for p in known.values() if p.leader]
        return device_for(device, gpus, [p.devices for p in living])

    # -- looking --

    def look(self, places: Iterable[engine.Place]) -> dict[Path, engine.Probe]:
        """What is alive of each run, by the path of its folder."""
        gone = self._check_known()
        if gone or time.monotonic() - self._looked >= LOOK_THROUGH_ALL:
            self._look_through_all()
        if gone:  # one look can miss a child that was born during it
            self._look_through_all()
        return {place.folder.path: self._probe(place) for place in places}

    def _probe(self, place: engine.Place) -> engine.Probe:
        members = self._members_known(place)
        if members or not place.unsettled or not place.processes:
            living = tuple(engine.Member(p.identity, p.leader, p.launch, p.stopped) for p in members.values())
            return engine.Probe(living, ended=self._end_of(place))
        if (other := self._working_elsewhere(place)) is not None:
            return engine.Probe(known=False, detail=_moved_words(other))
        newest = place.processes[0]
        if newest.alive():  # it is not a member, so it works for another folder
            return engine.Probe(
                ended=engine.Ended(newest, "its process works in the folder this one was copied from", excused=True)
            )
        if newest.host == host_name() and is_locked(place.folder.lock):
            return engine.Probe(known=False, detail=LOCKED)
        return engine.Probe(ended=self._end_of(place))

    def _members_known(self, place: engine.Place) -> dict[Identity, Process]:
        """The living processes of a run."""
        here, mark = folder_id(place.folder.path), self._mark(place.folder)
        if not here:  # the folder is gone: those who were started for its path are left
            return {i: p for known in self._known.values() for i, p in known.items() if p.mark == mark}
        members = dict(self._known.get(here, {}))
        unmarked = dict(self._known.get(mark, {}))
        for identity in place.processes:
            if identity not in members and (process := process_of(identity)):
                unmarked[identity] = process
        for identity, process in unmarked.items():
            if works_for(process, place.folder.path, place.folder.lock):
                self._known.get(mark, {}).pop(identity, None)
                members[identity] = self._known.setdefault(here, {})[identity] = replace(process, folder=here)
        return members

    def _working_elsewhere(self, place: engine.Place) -> Process | None:
        """A process that was started in the folder that was at this path before it was moved away.

        It still writes to this path, so no trainer may be started here.
        """
        here, mark = folder_id(place.folder.path), self._mark(place.folder)
        living = (p for known in self._known.values() for p in known.values())
        return next((p for p in living if p.mark == mark and p.folder not in ("", here)), None)

    def _end_of(self, place: engine.Place) -> engine.Ended | None:
        """How the newest process in the logs ended. If the logs name none: how the last known process ended."""
        keys = (folder_id(place.folder.path), self._mark(place.folder))
        if not place.processes:
            return next((self._last_ended[key] for key in keys if key in self._last_ended), None)
        newest = place.processes[0]
        living = any(self._known.get(key) for key in keys)
        if not living and newest not in self._ended and newest.here and newest.boot_id == boot_id():
            # we did not see it end; the kernel log may still say why
            self._ended[newest] = _ended(newest, None, for_memory=False)
        return self._ended.get(newest)

    def _remember(self, process: Process) -> None:
        self._known.setdefault(process.folder or process.mark, {})[process.identity] = process

    def _check_known(self) -> bool:
        """Remove the processes that ended, note how, and reap our own children. Returns True if there were any."""
        gone: list[tuple[str, Process]] = []
        for key, known in self._known.items():
            for identity, process in known.items():
                state = identity.state()
                if state is None:
                    gone.append((key, process))
                elif process.stopped != (state in "Tt"):
                    known[identity] = replace(process, stopped=state in "Tt")
        if not gone:
            return False
        before, self._memory_kills = self._memory_kills, memory_kills.counter()
        for_memory = before is not None and self._memory_kills is not None and self._memory_kills > before
        for key, process in gone:
            del self._known[key][process.identity]
            child = self._children.pop(process.identity, None)
            code = child.wait() if child else None
            if process.leader:
                self._ended[process.identity] = self._last_ended[key] = _ended(process.identity, code, for_memory)
        return True

    def _look_through_all(self) -> None:
        """Find all marked processes. Known ones stay until `_check_known` sees that they ended."""
        before = [process for known in self._known.values() for process in known.values()]
        self._known = {}
        for process in (*marked_processes(), *before):
            self._remember(process)
        self._looked = time.monotonic()

    def orphans(self, models: Path) -> list[engine.Place]:
        """Runs whose folder is gone but that still have living processes."""
        root = str(models.resolve()) + os.sep
        marks = {p.mark for known in self._known.values() for p in known.values() if p.mark.startswith(root)}
        return [engine.Place(RunDir(Path(mark))) for mark in sorted(marks) if not os.path.isdir(mark)]

    # -- stopping --

    def ask(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        """Send TERM to all processes of the runs, and CONT to stopped ones."""
        return {place.folder.path: ask_to_leave(self._members(place)) for place in places}

    def insist(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        return {place.folder.path: kill_all(partial(self._members, place)) for place in places}

    def _members(self, place: engine.Place) -> list[Process]:
        self._look_through_all()
        return list(self._members_known(place).values())


def _ended(process: Identity, returncode: int | None, for_memory: bool) -> engine.Ended:
    """How a process ended, as text. Only our own children have an exit code."""
    if (returncode in (None, -9)) and (for_memory or memory_kills.in_kernel_log(process)):
        return engine.Ended(process, "killed for memory")
    if returncode is None:
        return engine.Ended(process, GONE)
    return engine.Ended(process, ending_words(returncode), returncode if returncode >= 0 else None)


def _moved_words(process: Process) -> str:
    number = process.identity.pid
    return f"process {number} writes here but belongs to a folder that was moved away; end it (kill {number})"


KIND = engine.EngineKind(make=LocalEngine)
