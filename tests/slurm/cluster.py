"""A real Slurm of one node, for tests: loopback only, no systemd, no accounting, everything in one folder.

    python -m tests.slurm.cluster start FOLDER      prints the line that makes a shell use it
    python -m tests.slurm.cluster stop FOLDER

Needs root and the packages `slurm-wlm` and `munge`; starts in about a second.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
SBIN = "/usr/sbin:/usr/local/sbin"
DAEMONS = ("munged", "slurmctld", "slurmd")
PATIENCE = 60.0

CONF = """\
ClusterName=oneNode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.sock,cred_expire={requeue_wait}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
SlurmctldTimeout=30
SlurmdTimeout=30
MinJobAge=60
InactiveLimit=0
MessageTimeout=5
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=normal Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=short Nodes={host} MaxTime=1 State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def why_not() -> str:
    """Why there can be no cluster here; empty if there can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}") is None]
    if missing:
        return f"no Slurm here ({', '.join(missing)} missing); apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "starting a Slurm needs root"


@dataclass
class Cluster:
    """One node that is controller and compute node, with three partitions: normal, short (a minute), urgent."""

    root: Path
    cpus: int = 4
    """As Slurm is told: tests on a small machine run more side by side than it has cores."""
    requeue_wait: int = 5

    @property
    def conf(self) -> Path:
        return self.root / "slurm.conf"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to use this cluster."""
        return {"SLURM_CONF": str(self.conf), "PATH": f"{os.environ.get('PATH', '')}:{SBIN}"}

    # -- starting and stopping --

    def start(self) -> None:
        """Start the three daemons and wait until the node takes jobs."""
        for folder in (self.root, self.root / "state", self.root / "spool"):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        ctld_port, slurmd_port = _free_ports(2)
        self.conf.write_text(
            CONF.format(
                host=self.node,
                root=self.root,
                ctld_port=ctld_port,
                slurmd_port=slurmd_port,
                cpus=self.cpus,
                requeue_wait=self.requeue_wait,
            )
        )
        key = self.root / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.start_munged()
        self.start_slurmctld(clean=True)
        self.start_slurmd()
        self.heal()

    def start_munged(self) -> None:
        options = {
            "key-file": "munge.key",
            "socket": "munge.sock",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "munge.seed",
        }
        self._call("munged", "--force", *(f"--{name}={self.root / file}" for name, file in options.items()))
        self.until(lambda: (self.root / "munge.sock").exists())

    def start_slurmctld(self, *, clean: bool = False) -> None:
        self._call("slurmctld", *(("-c",) if clean else ()))

    def start_slurmd(self) -> None:
        self._call("slurmd")

    def heal(self) -> None:
        """Start again what was killed, and have the node take jobs."""
        if self.pid("munged") is None:
            self.start_munged()
        if self.pid("slurmctld") is None:
            self.start_slurmctld()
        if self.pid("slurmd") is None:
            self.start_slurmd()

        def up() -> bool:
            if (state := self.sinfo()).startswith("down"):
                self._call("scontrol", "update", f"nodename={self.node}", "state=resume", check=False)
            return state in ("idle", "mix", "alloc", "comp")

        self.until(up)

    @property
    def node(self) -> str:
        return socket.gethostname().split(".")[0]

    def save(self) -> None:
        """Wait until the controller has saved what it knows: it does so within seconds of a change, and not at all if
        nothing has changed since it last did."""
        now, saved = time.time(), self.root / "state" / "job_state"
        self.until(lambda: saved.exists() and (saved.stat().st_mtime > now or time.time() > now + 15))

    def stop(self) -> None:
        """End every job and every daemon; nothing is left behind."""
        with suppress(subprocess.SubprocessError):
            self._call("scancel", "--full", "--signal=KILL", f"--user={os.getuid()}", check=False)
            self._call("scancel", f"--user={os.getuid()}", check=False)
        for name in reversed(DAEMONS):
            if (pid := self.pid(name)) is not None:
                os.kill(pid, signal.SIGKILL if name == "slurmctld" else signal.SIGTERM)
        with suppress(AssertionError):
            self.until(lambda: all(self.pid(name) is None for name in DAEMONS), seconds=10)
        for name in DAEMONS:
            self.kill(name)
        for pid in self._steps():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self, daemon: str) -> None:
        """KILL one of the daemons."""
        pid = self.pid(daemon)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.until(lambda: self.pid(daemon) is None)

    def pid(self, daemon: str) -> int | None:
        """The process of a daemon while it lives."""
        file = self.root / f"{daemon}.pid"
        try:
            pid = int(file.read_text())
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (OSError, ValueError):
            return None
        alive = f"({daemon})" in stat and stat.rpartition(")")[2].split()[0] not in "ZX"
        return pid if alive else None

    def _steps(self) -> list[int]:
        """Job steps that outlive the daemon: their command line names no folder, their environment this one's."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if b"slurmstepd" in (entry / "cmdline").read_bytes() and self._is_ours(entry):
                        found.append(int(entry.name))
        return found

    def _is_ours(self, entry: Path) -> bool:
        return str(self.conf).encode() in (entry / "environ").read_bytes()

    # -- asking --

    def sinfo(self) -> str:
        """State of the node: `idle`, `alloc`, `down`."""
        lines = self._call("sinfo", "-h", "-o", "%t", check=False).split()
        return lines[0].rstrip("*") if lines else ""

    def jobs(self, state: str = "all") -> dict[str, str]:
        """Job numbers and their states."""
        lines = self._call("squeue", "-h", "-t", state, "-o", "%i %T").splitlines()
        return {job: word for job, word in (line.split() for line in lines)}

    def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"the cluster in {self.root} does not do as it should"
            time.sleep(0.05)

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands; what it prints."""
        return self._call(*command)

    def try_to(self, *command: str) -> str:
        """The same; it may fail."""
        return self._call(*command, check=False)

    def _call(self, *command: str, check: bool = True) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ("start", "stop"):
        print(__doc__, file=sys.stderr)
        return 2
    cluster = Cluster(Path(arguments[1]).resolve())
    if arguments[0] == "stop":
        cluster.stop()
        return 0
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    if any(cluster.pid(name) is not None for name in DAEMONS):
        print("it is running already; what was killed of it is started again", file=sys.stderr)
        cluster.heal()
    else:
        cluster.start()
    print(f"export SLURM_CONF={cluster.conf}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
