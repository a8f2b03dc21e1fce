"""Which GPUs there are, which one a run gets, and which torch there is, read and not imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lvmtui.system import gpus, hardware
from lvmtui.system.errors import UserError
from lvmtui.system.gpus import (
    MPS_CONTROL,
    TorchBuild,
    device_for,
    gpu_variables,
    mps_state,
    parse_nvidia,
    torch_build,
    visible_gpus,
)
from lvmtui.system.hardware import Hardware, refuse_missing

RECORDED = Path(__file__).parent / "nvidia_smi"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any GPU and with a torch that could use one."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DRIVER", "KFD", "WSL_TOOL"):
        monkeypatch.setattr(gpus, name, tmp_path / name)
    monkeypatch.setattr(gpus, "torch_build", lambda: TorchBuild("2.13.0", "cuda", "13.0"))
    gpus._list_of.cache_clear()


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, str], None]:
    """Puts a command in the place of nvidia-smi that prints what was recorded."""

    def put(recorded: str, name: str = "nvidia-smi", code: int = 0) -> None:
        text = (RECORDED / f"{recorded}.txt").read_text()
        command = tmp_path / name
        command.write_text(f"#!{sys.executable}\nimport sys\nprint({text!r}, end='')\nsys.exit({code})\n")
        command.chmod(0o755)
        gpus._list_of.cache_clear()

    return put


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"])
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("2", ("2",)),
        ("0, 3", ("0", "3")),
        ("0,-1,1", ("0",)),
        ("GPU-1a,GPU-2b", ("GPU-1a", "GPU-2b")),
    ],
)
def test_what_is_chosen_already_is_kept_to(
    monkeypatch: pytest.MonkeyPatch, variable: str, chosen: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv(variable, chosen)
    assert visible_gpus() == expected


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("eight", tuple("01234567")),
        ("wsl", ("0",)),
        ("none", ()),
        ("no_driver", ()),
        ("mig", ("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d", "1")),
        ("mig_old_driver", ("MIG-GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/7/0",)),
    ],
)
def test_gpus_and_slices_are_those_the_drivers_command_lists(
    tool: Callable[..., None], recorded: str, expected: tuple[str, ...]
) -> None:
    tool(recorded)
    assert visible_gpus() == expected


def test_windows_command_for_its_linux_is_found_off_the_path(tool: Callable[..., None]) -> None:
    tool("wsl", name="WSL_TOOL")
    assert visible_gpus() == ("0",)
    (gpu,) = parse_nvidia((RECORDED / "wsl.txt").read_text())
    assert gpu.name == "NVIDIA GeForce RTX 3080" and gpu.uuid.startswith("GPU-8c5f")


def test_where_the_command_is_missing_or_fails_the_drivers_folder_counts(
    tmp_path: Path, tool: Callable[..., None]
) -> None:
    assert visible_gpus() == ()
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / "DRIVER" / name).mkdir(parents=True)
    assert visible_gpus() == ("0", "1", "2")
    tool("eight", code=9)
    assert len(visible_gpus()) == 3


def test_amds_driver_counts_what_computes(tmp_path: Path) -> None:
    for node, units in enumerate((0, 0, 304, 304)):  # two processors, two GPUs
        folder = tmp_path / "KFD" / str(node)
        folder.mkdir(parents=True)
        (folder / "properties").write_text(
            f"cpu_cores_count {64 * (units == 0)}\nsimd_count {units}\nmem_banks_count 1\n"
        )
    assert visible_gpus() == ("0", "1")


def test_a_torch_for_cpus_has_no_gpus(monkeypatch: pytest.MonkeyPatch, tool: Callable[..., None]) -> None:
    """Else a plan would run one job on the GPU that no trainer can use."""
    tool("eight")
    for module in (gpus, hardware):
        monkeypatch.setattr(module, "torch_build", lambda: TorchBuild("2.13.0+cpu", "cpu", ""))
    assert visible_gpus() == ()
    with pytest.raises(UserError, match="built for CPUs only"):
        refuse_missing("cuda:0", Hardware(4, 0, 1e9))


def test_a_run_gets_the_gpu_that_the_fewest_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_for("auto", ("0", "1", "2"), ["0", "2"]) == "1"
    assert device_for("cuda", ("0", "1"), ["0", "1", "1"]) == "0"
    assert device_for("auto", ("3", "5"), ["", ""]) == "3"
    assert device_for("auto", ("0",), []) == ""  # nothing to choose
    assert device_for("cpu", ("0", "1"), []) == ""
    assert gpu_variables("") == {} and gpu_variables("1") == {"CUDA_VISIBLE_DEVICES": "1"}
    monkeypatch.setitem(os.environ, "HIP_VISIBLE_DEVICES", "0,1")
    assert gpu_variables("1") == {"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip = None\n",
            ("2.13.0+cpu", "cpu", ""),
        ),
        ("__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n", ("2.11.0+cu130", "cuda", "13.0")),
        (
            "__version__ = '2.9.1'\ncuda = None\nhip: Optional[str] = '6.4.4'\n",
            ("2.9.1", "hip", "6.4.4"),
        ),
        ("debug = False\n", ("", "", "")),
    ],
)
def test_the_torch_build_is_read_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, str, str]
) -> None:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "version.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert torch_build.__wrapped__() == TorchBuild(*expected)
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()
    assert torch_build.__wrapped__() == TorchBuild("", "", "")


def test_the_torch_build_is_of_the_torch_that_trains() -> None:
    import torch

    build = torch_build.__wrapped__()
    assert build.version == torch.__version__ and bool(build.toolkit) == bool(torch.version.cuda or torch.version.hip)


def mps_control(folder: Path, words: str, code: int) -> None:
    """Puts a command in the place of NVIDIA's MPS: it reads one order and answers."""
    command = folder / MPS_CONTROL
    text = f"import sys\nassert sys.stdin.read() == 'get_server_list\\n'\nprint({words!r})\nsys.exit({code})\n"
    command.write_text(f"#!{sys.executable}\n{text}")
    command.chmod(0o755)


@pytest.mark.parametrize(
    ("words", "code", "state"),
    [
        ("", 0, "running"),  # no server yet: one starts with the first process
        ("4711", 0, "running"),
        ("Cannot find MPS control daemon process", 1, "stopped"),
        ("Cannot find MPS control daemon process", 0, "stopped"),
    ],
)
def test_whether_nvidias_mps_runs_is_what_its_command_says(tmp_path: Path, words: str, code: int, state: str) -> None:
    assert mps_state() == "missing"
    mps_control(tmp_path, words, code)
    assert mps_state() == state
