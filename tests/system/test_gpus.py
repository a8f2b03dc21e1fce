"""Which GPU a run gets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lvmtui.system import gpus
from lvmtui.system.gpus import device_for, gpu_count, visible_gpus


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("", ()),
        ("-1", ()),
        ("2", ("2",)),
        ("0, 3", ("0", "3")),
        ("0,-1,1", ("0",)),
        ("GPU-1a,GPU-2b", ("GPU-1a", "GPU-2b")),
    ],
)
def test_what_is_chosen_already_is_kept_to(
    monkeypatch: pytest.MonkeyPatch, chosen: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == expected and gpu_count() == len(expected)


def test_gpus_are_counted_by_the_drivers_command_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    command = tmp_path / "nvidia-smi"
    command.write_text(
        f"#!{sys.executable}\nprint('GPU 0: NVIDIA H200 (UUID: GPU-1)\\nGPU 1: NVIDIA H200 (UUID: GPU-2)')\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)  # found first
    assert visible_gpus() == ("0", "1")
    command.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "gpus")
    assert visible_gpus() == () and gpu_count() == 0
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert visible_gpus() == ("0", "1", "2") and gpu_count() == 3


def test_a_run_gets_the_gpu_that_the_fewest_use() -> None:
    assert device_for("auto", ("0", "1", "2"), ["0", "2"]) == "1"
    assert device_for("cuda", ("0", "1"), ["0", "1", "1"]) == "0"
    assert device_for("auto", ("3", "5"), ["", ""]) == "3"
    assert device_for("auto", ("0",), []) == ""  # nothing to choose
    assert device_for("cpu", ("0", "1"), []) == ""
