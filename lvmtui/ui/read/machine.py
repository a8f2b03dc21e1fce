"""How busy the machine is: processor, memory, and the GPUs where there are some."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, replace

EVERY = 2
"""Seconds between two looks."""
QUERY = "--query-gpu=index,utilization.gpu,memory.used,memory.total"


@dataclass(frozen=True)
class GpuLoad:
    """One GPU. What its driver does not tell is None: the use of one that is cut into parts, for instance."""

    use: float | None
    """Percent of the last interval in which it computed."""
    used: float | None
    """Bytes."""
    total: float | None
    """Bytes."""


@dataclass(frozen=True)
class MachineFigures:
    cpu: float
    """Percent of all processors."""
    used: float
    """Bytes of memory."""
    total: float
    """Bytes of memory."""
    gpus: tuple[GpuLoad, ...] = ()


class MachineWatch:
    """Measures every two seconds, in threads: a GPU may take a second to answer."""

    def __init__(self) -> None:
        self._base: MachineFigures | None = None
        self._gpus: dict[int, GpuLoad] = {}
        self._stop = threading.Event()
        self._tool: subprocess.Popen[str] | None = None

    def read(self) -> MachineFigures | None:
        """What was measured last; None until the first look is over."""
        base, gpus = self._base, tuple(gpu for _, gpu in sorted(self._gpus.items()))
        return None if base is None else replace(base, gpus=gpus)

    def start(self) -> None:
        threading.Thread(target=self._run, name="lvmtui-machine", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
        if self._tool is not None:
            self._tool.terminate()

    def _run(self) -> None:
        import psutil

        from lvmtui.system.gpus import nvidia_tool

        psutil.cpu_percent()
        if path := nvidia_tool():
            threading.Thread(target=self._ask_gpus, args=(path,), name="lvmtui-gpu", daemon=True).start()
        while not self._stop.wait(EVERY if self._base else 0.5):
            memory = psutil.virtual_memory()
            self._base = MachineFigures(psutil.cpu_percent(), memory.total - memory.available, memory.total)

    def _ask_gpus(self, path: str) -> None:
        """Read what one process says again and again; to start one each time would cost more than the screen."""
        command = [path, QUERY, "--format=csv,noheader,nounits", f"--loop={EVERY}"]
        try:
            self._tool = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            return
        with self._tool as tool:
            assert tool.stdout is not None
            for line in tool.stdout:
                if found := parse_gpu(line):
                    self._gpus[found[0]] = found[1]
        self._gpus.clear()


def parse_gpu(line: str) -> tuple[int, GpuLoad] | None:
    """`0, 97, 2145, 143771`: index, percent, MiB, MiB, `[N/A]` for what is not known; None for any other line."""
    try:
        index, use, *memory = line.split(",")
        used, total = (None if (size := _number(part)) is None else size * 2**20 for part in memory)
        return int(index), GpuLoad(_number(use), used, total)
    except ValueError:
        return None


def _number(part: str) -> float | None:
    try:
        return float(part)
    except ValueError:
        return None
