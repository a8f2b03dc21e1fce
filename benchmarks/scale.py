"""Training speed and memory as the data grows from 8 thousand to 2.3 million windows, and with less memory than data.

    python benchmarks/scale.py [FOLDER]        default: a temporary folder; 8 GB of disk, about five minutes

Each size is trained for the same number of steps by the real trainer, in turns A B C A B C; each run begins with
nothing of its vectors in memory. "Own memory" is what the process cannot give back (RssAnon): the mapped vectors are
the kernel's cache, shared between runs and dropped when somebody needs the room. The last row holds the trainer in a
control group that may not have a quarter of the largest file in memory, cache included; root can do that, others go
without the row.
Goals: windows a second and own memory flat; a file larger than memory trains.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from command_line import parser_of

from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import ArmData, RunSpec, write_spec
from lvmtui.formats.trainer_log import Finished, Trained, decode_event
from lvmtui.models import recipe_for
from lvmtui.supervisor.engine import thread_environment
from lvmtui.system.files import seal_archive
from lvmtui.system.launch import our_command

DIM, CONTEXT, BATCH = 768, 5, 32
ROWS = (8_280, 232_605, 2_326_000)
STEPS = 600
VALIDATION, HELDOUT = 500, 500
MODELS = ("amn", "gru")
TURNS = 2
CHUNK = 50_000


@dataclass(frozen=True)
class Figures:
    """Figures of one run."""

    windows_per_second: float
    """Median over the training points."""
    memory: int
    """Bytes of the process's own, at most."""
    startup: float
    """Seconds from the process's start to its first step."""


def write_vectors(folder: Path, rows: int) -> None:
    """Unit rows, in a store's form, never all in memory."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(rows)
    out = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, DIM))
    for first in range(0, rows, CHUNK):
        chunk = random.standard_normal((min(CHUNK, rows - first), DIM), dtype=np.float32)
        out[first : first + len(chunk)] = chunk / np.linalg.norm(chunk, axis=1, keepdims=True)
        out.flush()


def write_split(folder: Path, vectors: Path, rows: int) -> None:
    """Held-out and validation windows from the end of the rows, all others to train on."""
    folder.mkdir(parents=True)
    windows = np.arange(rows - CONTEXT, dtype=np.int64)
    held = np.load(vectors, mmap_mode="r")[rows - HELDOUT - CONTEXT :]
    arrays = {
        "vectors": np.ascontiguousarray(held),
        "starts": np.arange(HELDOUT, dtype=np.int64),
        "cluster": np.arange(HELDOUT, dtype=np.int32) // 50,
        "stratum": np.zeros(HELDOUT, np.uint8),
    }
    for name, content in {
        "heldout_windows": arrays,
        "expanded": {
            "train": windows[: -HELDOUT - VALIDATION],
            "validation": windows[-HELDOUT - VALIDATION : -HELDOUT],
        },
    }.items():
        np.savez(folder / f"{name}.npz", **content)  # type: ignore[arg-type]
        seal_archive(folder / f"{name}.npz")


def plan(root: Path, model: str, rows: int, turn: int) -> RunDir:
    """A run on the vectors of that many rows."""
    store, split = f"artifacts/lvm/datasets/{rows}", f"artifacts/lvm/campaigns/{rows}/split"
    if not (root / store).exists():
        write_vectors(root / store, rows)
    if not (root / split).exists():
        write_split(root / split, root / store / "vectors.npy", rows)
    folder = RunDir(root / "artifacts/lvm/models" / f"{model}_{rows}_{turn}")
    folder.path.mkdir(parents=True)
    spec = RunSpec(
        run=folder.name, campaign=str(rows), model=model, size="full", arm="expanded", label=f"{rows // 1000}k",
        seed=turn, dim=DIM, context=CONTEXT, recipe=recipe_for("reference", model),
        data=ArmData("", store, (0, rows), str(rows)),
        split=split, split_fingerprint=str(rows), train_windows=rows - CONTEXT - HELDOUT - VALIDATION,
        validation_windows=VALIDATION, heldout_windows=HELDOUT, total_steps=STEPS, evaluate_every=STEPS, device="cpu",
        threads=1, deterministic=True,
    )  # fmt: skip
    write_spec(folder.spec, spec)
    return folder


def train(folder: RunDir, group: Path | None = None) -> Figures:
    """Run the trainer to its end, in a control group if one is given."""
    began = time.time()
    enter = (lambda: (group / "cgroup.procs").write_text(str(os.getpid())) and None) if group else None
    with folder.log.open("wb") as log:
        process = subprocess.Popen(
            [*our_command("trainers"), str(folder.path)],
            env={**os.environ, **thread_environment(1)},
            stdout=log,
            stderr=log,
            preexec_fn=enter,
        )
    memory = 0
    while process.poll() is None:
        memory = max(memory, own_memory(process.pid))
        time.sleep(0.05)
    events = [decode_event(line) for line in folder.events.read_bytes().splitlines()]
    if not any(isinstance(event, Finished) for event in events):
        raise SystemExit(f"{folder.path} did not finish; its train.log says why")
    points = [event for event in events if isinstance(event, Trained)]
    return Figures(statistics.median(p.windows_per_second for p in points), memory, points[0].time - began)


def own_memory(pid: int) -> int:
    """Bytes of RssAnon, 0 when the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return 1024 * int(line.split()[1])
    return 0


def small_group(limit: int) -> Path | None:
    """A control group with that many bytes of memory, None where we may not make one."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("memory", ""):  # the first or the second version of control groups
            continue
        root = Path("/sys/fs/cgroup") / controllers / path.strip("/")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        group = root / f"lvmtui_benchmark_{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            if (group / name).exists():  # made by the kernel; elsewhere it is a folder like others
                (group / name).write_text(str(limit))
                return group
            group.rmdir()
    return None


def leave(group: Path) -> None:
    """Remove the group; its last process may not be gone altogether yet."""
    for _ in range(100):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)
    print(f"{group} is left; rmdir removes it")


def forget(path: Path) -> None:
    """Have the kernel drop a file from its cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args().folder
    root = given or Path(tempfile.mkdtemp())
    shutil.rmtree(root / "artifacts/lvm/models", ignore_errors=True)  # of an earlier call
    shown: dict[tuple[str, int], list[Figures]] = {}
    try:
        for model in MODELS:
            for turn in range(TURNS):
                for rows in ROWS:
                    folder = plan(root, model, rows, turn)
                    forget(root / f"artifacts/lvm/datasets/{rows}/vectors.npy")
                    shown.setdefault((model, rows), []).append(train(folder))
        print(f"\n{STEPS} steps of {BATCH}, {DIM}-d, size full, one thread; medians over {TURNS} turns")
        print(f"{'model':6} {'windows':>10} {'a second':>9} {'of the first':>13} {'own memory':>11} {'start-up':>9}")
        for (model, rows), figures in shown.items():
            speed = statistics.median(f.windows_per_second for f in figures)
            first = statistics.median(f.windows_per_second for f in shown[model, ROWS[0]])
            memory, startup = max(f.memory for f in figures), statistics.median(f.startup for f in figures)
            print(f"{model:6} {rows:10,} {speed:9.0f} {speed / first:13.0%} {memory / 1e6:8.0f} MB {startup:7.1f} s")
        size = ROWS[-1] * DIM * 4
        group = small_group(size // 4)
        if group is None:
            print("no control group could be made here: a file larger than memory was not tried")
            return 0
        try:
            folder = plan(root, "gru", ROWS[-1], TURNS)
            forget(root / f"artifacts/lvm/datasets/{ROWS[-1]}/vectors.npy")
            seen = train(folder, group)
            print(
                f"gru    {ROWS[-1]:10,} {seen.windows_per_second:9.0f} with {size / 4e9:.1f} GB of memory for "
                f"{size / 1e9:.1f} GB of vectors, none of them in memory at the start"
            )
        finally:
            leave(group)
        return 0
    finally:
        if not given:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
