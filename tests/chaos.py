"""Everything that may happen to a campaign, from a seed, and what must hold when it is over.

The test lets it loose on trainers that train nothing, the benchmark on the real ones. Both end with every run
ordered to go on, left in peace, and held against what a quiet campaign gives.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.campaign import Campaign, PlannedRun, write_campaign_intent
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.supervisor_log import Signalled, decode_record
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, supervisor_of
from lvmtui.state.status import Phase
from lvmtui.supervisor.wake import sleep_until
from lvmtui.system.processes import Process, kill_all, marked_processes, send

FULL = "the disk is full for a while"
WITHOUT_PIDFDS = (
    sys.executable,
    "-c",
    f"import errno, os, sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from tests import seccomp; "
    "seccomp.refuse(seccomp.PIDFD_OPEN, seccomp.PIDFD_SEND_SIGNAL, errno=errno.EPERM); "
    "os.execv(sys.argv[1], sys.argv[1:])",
)
SMALL_DISK = 4 << 30
"""Bytes of a disk that may be filled for a while."""


@dataclass
class Chaos:
    """One campaign and its misfortunes."""

    workspace: Workspace
    campaign: Campaign
    seed: int
    start_supervisor: Callable[[Workspace, Mapping[str, str], Sequence[str]], subprocess.Popen[bytes]]
    """Of a workspace, with these variables added to its environment, and these words before its command."""
    say: Callable[[str], None] = lambda words: None
    happened: Counter[str] = field(default_factory=Counter)
    supervisors: list[subprocess.Popen[bytes]] = field(default_factory=list)
    torn: Counter[Path] = field(default_factory=Counter)
    """Half lines that were put into logs."""
    restarts: int = 0
    copy_reached: set[int] = field(default_factory=set)
    """Trainers that the supervisor of a copied workspace has signalled."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.supervise()

    # -- what may happen --

    def events(self) -> dict[str, tuple[int, Callable[[], None]]]:
        """Name -> (how often, relatively; what)."""
        events: dict[str, tuple[int, Callable[[], None]]] = {
            "a trainer is killed": (4, lambda: self.signal_trainer(signal.SIGKILL)),
            "a trainer is told to leave": (2, lambda: self.signal_trainer(signal.SIGTERM)),
            "a trainer is stopped for a while": (2, self.stop_trainer),
            "the supervisor is killed": (4, self.kill_supervisor),
            "the supervisor is killed right after an order": (3, self.order_and_kill),
            "everything is killed": (2, self.kill_everything),
            "the machine restarts": (1, self.restart_machine),
            "the terminal goes": (1, self.hang_up),
            "a second supervisor is started": (2, lambda: self.supervise(rival=True)),
            "a run is paused": (4, lambda: self.order("pause")),
            "a run is resumed": (4, lambda: self.order("run")),
            "all are paused and resumed": (1, self.pause_all),
            "opposite orders": (2, self.opposite_orders),
            "a run is cancelled and tried again": (3, self.cancel_and_retry),
            "other jobs, another order": (2, self.change_queue),
            "a log ends in half a line": (2, self.tear_log),
            "a checkpoint is damaged": (2, self.damage_checkpoint),
            "an order is damaged": (1, self.damage_intent),
            "a run folder is moved away and back": (1, self.move_folder),
            "a copy of the workspace is told to kill all": (1, self.supervise_copy),
            "TMPDIR vanishes": (2, self.lose_temporary),
            "the compact stores are deleted": (2, self.delete_stores),
            "the supervisor has no pidfds": (2, self.refuse_pidfds),
        }
        disk = os.statvfs(self.workspace.root)
        if disk.f_blocks * disk.f_frsize < SMALL_DISK:
            events[FULL] = (3, self.fill_disk)
        return events

    def go_on(self, number: int, pause: float) -> None:
        """So many misfortunes, about `pause` seconds apart."""
        events = self.events()
        names, weights = list(events), [weight for weight, _ in events.values()]
        for count in range(number):
            time.sleep(pause * self.random.uniform(0.3, 1.7))
            (name,) = self.random.choices(names, weights)
            self.happened[name] += 1
            self.say(f"{count + 1:4d}  {name}")
            events[name][1]()
            if self.supervisor is None:
                self.supervise()
            if self.finished:
                self.say("      all runs are finished")
                break

    def signal_trainer(self, number: signal.Signals) -> None:
        if processes := self.trainers():
            send(self.random.choice(processes).identity, number)

    def stop_trainer(self) -> None:
        if processes := self.trainers():
            chosen = self.random.choice(processes).identity
            send(chosen, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.1, 1.0))
            if self.random.random() < 0.5:
                self.kill_supervisor()
            send(chosen, signal.SIGCONT)

    def kill_supervisor(self) -> None:
        if (process := self.supervisor) is not None:
            process.kill()
            process.wait()

    def order_and_kill(self) -> None:
        self.order(self.random.choice(["pause", "run", "run"]))
        time.sleep(self.random.uniform(0, 0.15))  # the supervisor is woken, and starts or stops somebody just then
        self.kill_supervisor()

    def kill_everything(self) -> None:
        self.kill_supervisor()
        kill_all(self.trainers)

    def restart_machine(self) -> None:
        self.kill_everything()
        self.restarts += 1

    def hang_up(self) -> None:
        if (process := self.supervisor) is not None:
            process.send_signal(signal.SIGHUP)

    def pause_all(self) -> None:
        for planned in self.campaign.runs:
            self.write(planned, "pause")
        time.sleep(self.random.uniform(0.1, 2.0))
        for planned in self.campaign.runs:
            self.write(planned, "run")

    def order(self, want: Want) -> None:
        self.write(self.random.choice(self.campaign.runs), want)

    def opposite_orders(self) -> None:
        planned = self.random.choice(self.campaign.runs)
        for want in self.random.sample(["pause", "run", "pause", "run"], 4):
            self.write(planned, want)  # type: ignore[arg-type]

    def cancel_and_retry(self) -> None:
        planned = self.random.choice(self.campaign.runs)
        self.write(planned, "cancel", force=self.random.random() < 0.5)
        time.sleep(self.random.uniform(0, 1.0))
        self.write(planned, "run", from_start=self.random.random() < 0.3)

    def change_queue(self) -> None:
        order = [planned.run for planned in self.campaign.runs]
        self.random.shuffle(order)
        with suppress(OSError):
            path = self.workspace.campaign(self.campaign.id).intent
            write_campaign_intent(path, by="chaos", jobs=self.random.randint(1, 3), order=tuple(order))

    def tear_log(self) -> None:
        """What a writer leaves that was killed in the middle of a line."""
        folder = self.workspace.run(self.random.choice(self.campaign.runs))
        if not self.trainers(folder):
            path = self.random.choice([folder.events, folder.supervision])
            if path.exists() and path.read_bytes().endswith(b"\n"):
                with suppress(OSError), path.open("ab") as log:
                    log.write(b'{"v":1,"kind":"star')
                    self.torn[path] += 1

    def damage_checkpoint(self) -> None:
        folder = self.workspace.run(self.random.choice(self.campaign.runs))
        if self.trainers(folder) or not folder.checkpoint.exists():
            return
        content = bytearray(folder.checkpoint.read_bytes())
        if self.random.random() < 0.5:
            del content[len(content) // 2 :]
        elif content:
            content[self.random.randrange(len(content))] ^= 1
        with suppress(OSError):
            folder.checkpoint.write_bytes(content)

    def damage_intent(self) -> None:
        with suppress(OSError):
            self.workspace.run(self.random.choice(self.campaign.runs)).intent.write_bytes(b'{"want": "pau')

    def move_folder(self) -> None:
        """Its processes must be gone before it comes back, as they write where they began."""
        folder = self.workspace.run(self.random.choice(self.campaign.runs))
        away = self.workspace.root / "moved away"
        folder.path.rename(away)
        sleep_until(lambda: not self.trainers(folder) or self.supervisor is None, 30)
        kill_all(lambda: self.trainers(folder))
        away.rename(folder.path)

    def supervise_copy(self) -> None:
        """Whatever the copy's supervisor does to its runs, it must not touch the original's."""
        copy = Workspace(self.workspace.root.with_name(self.workspace.root.name + "-copy"))
        with suppress(shutil.Error):  # files that go while it copies
            ignored = shutil.ignore_patterns("*.part", "filler", "moved away")
            shutil.copytree(self.workspace.root, copy.root, ignore=ignored)
        living = {process.identity.pid for process in self.trainers()}
        for planned in self.campaign.runs:
            with suppress(OSError):
                write_intent(copy.run(planned).intent, "cancel", by="chaos", force=True)
        supervisor = self.start_supervisor(copy, self._boot, ())
        try:
            sleep_until(lambda: supervisor.poll() is not None, self.random.uniform(2.0, 5.0))
            for planned in self.campaign.runs:
                self.copy_reached |= living & signalled_in(copy.run(planned)) - signalled_in(
                    self.workspace.run(planned)
                )
        finally:
            supervisor.kill()
            supervisor.wait()
            root = os.path.realpath(copy.models) + os.sep
            kill_all(lambda: [p for p in marked_processes() if p.mark.startswith(root)])
            shutil.rmtree(copy.root, ignore_errors=True)

    def lose_temporary(self) -> None:
        """The folder that the next supervisor has as its TMPDIR goes."""
        self.kill_supervisor()
        folder = self.workspace.root / "temporary"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
        self.supervise(rival=True, TMPDIR=str(folder))
        time.sleep(self.random.uniform(0.2, 2.0))
        shutil.rmtree(folder, ignore_errors=True)

    def delete_stores(self) -> None:
        """They are a cache; trainers that have opened theirs keep it."""
        shutil.rmtree(self.workspace.datasets, ignore_errors=True)

    def refuse_pidfds(self) -> None:
        """The next supervisor has to do without them, and so do the trainers it starts."""
        self.kill_supervisor()
        self.supervise(rival=True, before=WITHOUT_PIDFDS)

    def fill_disk(self) -> None:
        filler = self.workspace.root / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"\0" * (1 << 20))
        time.sleep(self.random.uniform(0.5, 4.0))
        filler.unlink()

    # -- who is there --

    @property
    def supervisor(self) -> subprocess.Popen[bytes] | None:
        """The one that has the lock, or will."""
        named = supervisor_of(self.workspace)
        return next((p for p in self.living if named and p.pid == named.pid), next(iter(self.living), None))

    @property
    def living(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self.supervisors if process.poll() is None]

    def supervise(self, *, rival: bool = False, before: Sequence[str] = (), **environment: str) -> None:
        if rival or self.supervisor is None:
            self.supervisors.append(self.start_supervisor(self.workspace, {**self._boot, **environment}, before))

    @property
    def _boot(self) -> dict[str, str]:
        return {"LVMTUI_BOOT_ID": f"restart-{self.restarts}"} if self.restarts else {}

    def trainers(self, folder: RunDir | None = None) -> list[Process]:
        """Everything that carries a mark of the campaign, or of one run."""
        if folder is not None:
            mark = os.path.realpath(folder.path)
            return [p for p in marked_processes() if p.mark == mark]
        root = os.path.realpath(self.workspace.models) + os.sep
        return [p for p in marked_processes() if p.mark.startswith(root)]

    @property
    def finished(self) -> bool:
        return all(view.status.phase is Phase.FINISHED for view in self.state.runs)

    @property
    def state(self) -> CampaignState:
        return CampaignReader(self.workspace, self.workspace.campaign(self.campaign.id)).refresh()

    def write(self, planned: PlannedRun, want: Want, **options: bool) -> None:
        with suppress(OSError):  # the disk is full, or the folder is elsewhere just now
            write_intent(self.workspace.run(planned).intent, want, by="chaos", **options)

    # -- the end --

    def make_peace(self, seconds: float, jobs: int) -> None:
        """Order every run to go on, and wait until all have finished and everybody has left."""
        self.say("peace")
        write_campaign_intent(self.workspace.campaign(self.campaign.id).intent, by="chaos", jobs=jobs)
        for planned in self.campaign.runs:
            self.write(planned, "run")
        self.supervise()
        until = time.monotonic() + seconds
        while not self.finished:
            assert time.monotonic() < until, self.describe()
            self.supervise()
            time.sleep(0.2)
        assert sleep_until(self.told, 60), "not every end is in the logs"
        for process in self.living:
            process.terminate()
            process.wait()
        assert sleep_until(lambda: not self.trainers(), 30), self.trainers()

    def told(self) -> bool:
        """The supervisor has written down how every run ended."""
        for arm in (self.campaign.baseline, self.campaign.expanded):
            log = self.workspace.retrain_log(self.campaign, arm.label).read_text()
            runs = [planned for planned in self.campaign.runs if self.campaign.arm(planned.arm) == arm]
            if not all(f" {planned.run}  finished at step" in log for planned in runs):
                return False
        return True

    def clean(self) -> None:
        """Nobody stays behind, however the test ended."""
        for process in self.living:
            process.kill()
            process.wait()
        kill_all(self.trainers)
        shutil.rmtree(self.workspace.root / "moved away", ignore_errors=True)

    def describe(self) -> str:
        lines = (f"{view.planned.run}: {view.status}" for view in self.state.runs)
        return "\n".join(["", *lines, *map(str, self.trainers()), f"seed {self.seed}"])


def signalled_in(folder: RunDir) -> set[int]:
    """Every process that a supervisor of this folder has signalled."""
    with suppress(OSError):
        records = map(decode_record, folder.supervision.read_bytes().splitlines())
        return {pid for record in records if isinstance(record, Signalled) for pid in record.pids}
    return set()
