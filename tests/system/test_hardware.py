"""What runs may use of the machine: containers and jobs see all of it and may use a part."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lvmtui.system.errors import UserError
from lvmtui.system.gpus import TorchBuild
from lvmtui.system.hardware import Hardware, cores, free_memory, refuse_missing


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """We are in the group `/a/b` of a machine whose groups are below tmp_path/groups."""
    (tmp_path / "groups" / "a" / "b").mkdir(parents=True)
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/a/b\n")
    return own


def test_a_share_of_time_is_worth_so_many_cores(tmp_path: Path, own: Path) -> None:
    groups = tmp_path / "groups"
    allowed = len(os.sched_getaffinity(0))
    assert cores(groups, own) == allowed
    (groups / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert cores(groups, own) == allowed
    (groups / "a" / "cpu.max").write_text("50000 100000\n")
    assert cores(groups, own) == 1, "the group around ours has half a core"


def test_the_group_s_limit_is_the_memory_there_is(tmp_path: Path, own: Path) -> None:
    groups = tmp_path / "groups"
    whole = free_memory(groups, own)
    assert 0 < whole <= psutil.virtual_memory().total
    for at in (groups / "a", groups / "a" / "b"):
        (at / "memory.stat").write_text("anon 3000000\nfile 90000000\n")
    (groups / "a" / "b" / "memory.max").write_text("max\n")
    (groups / "a" / "memory.max").write_text("5000000\n")
    assert free_memory(groups, own) == 2_000_000, "cached files give way"


def test_groups_of_version_1_limit_too(tmp_path: Path) -> None:
    groups, own = tmp_path / "groups", tmp_path / "own"
    own.write_text("7:cpu,cpuacct:/job\n4:memory:/job\n0::/\n")
    for controller in ("cpu", "memory"):
        (groups / controller / "job").mkdir(parents=True)
    (groups / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (groups / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores(groups, own) == len(os.sched_getaffinity(0))
    (groups / "cpu" / "job" / "cpu.cfs_quota_us").write_text("90000\n")
    (groups / "cpu" / "job" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores(groups, own) == 1
    (groups / "memory" / "job" / "memory.limit_in_bytes").write_text("5000000\n")
    (groups / "memory" / "job" / "memory.stat").write_text("cache 9\nrss 1\ntotal_rss 1000000\n")
    assert free_memory(groups, own) == 4_000_000


ODD = [
    b"",
    b"\xff\xfe",
    b"100000 0",
    "² 100000".encode(),
    b"-1 100000",
    b"anon ",
    b"anon x\nanon",
    b"a:b",
    b"0::\0/x",
    b"1",
]


@pytest.mark.parametrize("content", ODD)
def test_odd_files_are_no_limit_and_no_error(tmp_path: Path, own: Path, content: bytes) -> None:
    group = tmp_path / "groups" / "a" / "b"
    (group / "cpu.max").write_bytes(content)
    (group / "memory.stat").write_bytes(content)
    (group / "memory.max").write_text("5000000\n")
    assert cores(tmp_path / "groups", own) == len(os.sched_getaffinity(0))
    assert free_memory(tmp_path / "groups", own) == 5_000_000
    own.write_bytes(content)
    assert cores(tmp_path / "groups", own) == len(os.sched_getaffinity(0))


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.system.hardware.GPU_FILES", ("/nowhere/gpu",))
    monkeypatch.setattr("lvmtui.system.hardware.torch_build", lambda: TorchBuild("2", "cuda", "13.0"))
    for device in ("cuda", "cuda:0"):
        with pytest.raises(UserError, match=f"--device {device}: no GPU can be used here"):
            refuse_missing(device, Hardware(8, 0, 1e9))
        refuse_missing(device, Hardware(8, 1, 1e9))
    refuse_missing("auto", Hardware(8, 0, 1e9))
    monkeypatch.setattr("lvmtui.system.hardware.GPU_FILES", ("/dev/null",))
    refuse_missing("cuda", Hardware(8, 0, 1e9))  # a driver is there: torch may know more


def test_no_groups_are_no_limit(tmp_path: Path) -> None:
    assert cores(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))
    assert free_memory(tmp_path, tmp_path / "none") > 0


@pytest.mark.parametrize(("load", "threads"), [(0.2, 4), (2.6, 1), (40.0, 1)])
def test_numpy_takes_the_cores_that_are_free(load: float, threads: int) -> None:
    """A fresh interpreter that is told of four cores; OpenBLAS starts its threads when numpy is imported."""
    script = (
        "import os; from lvmtui.system import hardware\n"
        f"hardware.cores = lambda: 4; os.getloadavg = lambda: ({load}, 0, 0)\n"
        "hardware.load_numpy(); print(len(os.listdir('/proc/self/task')), 'OPENBLAS_NUM_THREADS' in os.environ)"
    )
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in limits}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(min(threads, len(os.sched_getaffinity(0)))), "False"]
