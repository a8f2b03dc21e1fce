"""Which device a run gets, and how it is set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.system.errors import UserError
from tests.factory import make_campaign
from trainers.device import choose_device, device_name


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[RunSpec]:
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield read_spec(tmp_path / make_campaign(tmp_path, models=("amn",)).runs[0].folder / "spec.json")
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
    torch.set_float32_matmul_precision("highest")


def test_products_are_whole_on_a_cpu(spec: RunSpec) -> None:
    device = choose_device(replace(spec, device="cpu", threads=1))
    assert device.type == "cpu" and device_name(device) == "CPU, 1 thread"
    assert torch.get_float32_matmul_precision() == "highest"


def test_products_are_coarser_on_a_gpu(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(replace(spec, device="cuda:1")) == torch.device("cuda:1")
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize(("name", "words"), [("mps", "not on this machine"), ("abacus", "not known to torch")])
def test_a_device_that_is_not_there(spec: RunSpec, name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=words):
        choose_device(replace(spec, device=name))


def test_auto_takes_what_there_is(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device(replace(spec, device="auto")).type == kind
    with pytest.raises(UserError, match="torch finds no GPU"):
        choose_device(replace(spec, device="cuda"))
