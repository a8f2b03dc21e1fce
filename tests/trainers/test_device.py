"""Which device a run gets, and how it is set up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.trainer_log import Cancelled, Exit, Started
from lvmtui.system.errors import UserError
from lvmtui.system.process_id import own_identity
from tests.factory import make_campaign
from tests.trainers.tiny import Interrupting, events_of, plan_campaign, train_here
from trainers.data import open_data
from trainers.device import (
    begun_on,
    choose_device,
    device_name,
    has_kernels,
    random_state,
    refuse_too_large,
    set_precision,
    set_random_state,
)
from trainers.failure import failure_of


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[RunSpec]:
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield read_spec(tmp_path / make_campaign(tmp_path, models=("amn",)).runs[0].folder / "spec.json")
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


def test_products_are_whole_on_a_cpu(spec: RunSpec) -> None:
    device = choose_device(replace(spec, device="cpu", threads=1))
    assert device.type == "cpu" and device_name(device) == "CPU, 1 thread"
    assert torch.get_float32_matmul_precision() == "highest"


@dataclass
class FakeCuda:
    """A machine with GPUs as `torch.cuda` shows it."""

    count: int = 2
    built: tuple[str, ...] = ("sm_80", "sm_90", "compute_90")
    capability: tuple[int, int] = (9, 0)
    free: int = 70_000_000_000
    current: int = 0
    states: dict[int, torch.Tensor] = field(default_factory=dict)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    fake = FakeCuda()

    def set_device(device: torch.device) -> None:
        fake.current = device.index

    def set_state(state: torch.Tensor, device: torch.device) -> None:
        fake.states[device.index] = state

    for name, answer in {
        "is_available": lambda: fake.count > 0,
        "device_count": lambda: fake.count,
        "current_device": lambda: fake.current,
        "set_device": set_device,
        "get_arch_list": lambda: list(fake.built),
        "get_device_capability": lambda index=0: fake.capability,
        "get_rng_state": lambda device: fake.states[device.index],
        "set_rng_state": set_state,
        "mem_get_info": lambda device: (fake.free, 80_000_000_000),
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return fake


@pytest.mark.parametrize(("tf32", "precision"), [(True, "high"), (False, "highest")])
def test_products_are_coarser_on_a_gpu_unless_its_self_test_says_no(
    spec: RunSpec, cuda: FakeCuda, tf32: bool, precision: str
) -> None:
    device = choose_device(replace(spec, device="cuda:1"))
    assert device == torch.device("cuda:1") and torch.get_float32_matmul_precision() == "high"
    set_precision(device, tf32=tf32)
    assert torch.get_float32_matmul_precision() == precision and torch.backends.cudnn.allow_tf32 == tf32


def test_the_named_gpu_is_the_current_one(spec: RunSpec, cuda: FakeCuda) -> None:
    """Graphs are captured, and libraries initialised, on the current device."""
    assert choose_device(replace(spec, device="cuda:1")).index == 1 and cuda.current == 1
    assert choose_device(replace(spec, device="cuda")) == torch.device("cuda:1")  # with its number
    with pytest.raises(UserError, match=r"torch finds 2 GPU\(s\)"):
        choose_device(replace(spec, device="cuda:2"))


def test_random_state_is_that_of_the_runs_device(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda:1")
    cuda.states = {0: torch.tensor([7]), 1: torch.tensor([9])}
    state = random_state(device)
    assert set(state) == {"random", "random_cuda"} and state["random_cuda"].item() == 9
    set_random_state(device, {**state, "random_cuda": torch.tensor([5])})
    assert cuda.states[1].item() == 5 and cuda.states[0].item() == 7

    monkeypatch.setattr(torch.cuda, "get_rng_state", None)  # a run on the CPU must not set up CUDA
    assert set(random_state(torch.device("cpu"))) == {"random"}

    kept: list[torch.Tensor] = []
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor([3]))
    monkeypatch.setattr(torch.mps, "set_rng_state", kept.append)
    state = random_state(torch.device("mps"))
    set_random_state(torch.device("mps"), state)
    assert kept[0].item() == 3
    set_random_state(torch.device("mps"), {"random": state["random"]})  # of a checkpoint written elsewhere
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("built", "capability", "runs"),
    [
        (("sm_80", "sm_90"), (8, 6), True),  # same major version, later minor one
        (("sm_86",), (8, 0), False),
        (("sm_80",), (9, 0), False),
        (("sm_80", "compute_80"), (12, 0), True),  # compiled when it is loaded
        (("compute_90",), (8, 0), False),
        (("sm_90a",), (9, 0), True),
        (("sm_90a",), (10, 0), False),
        (("sm_100f",), (10, 3), True),
        (("sm_120",), (12, 1), True),
        (("sm_50", "sm_60"), (3, 7), False),
        ((), (9, 0), True),  # nothing is known
    ],
)
def test_architectures_a_build_runs_on(built: tuple[str, ...], capability: tuple[int, int], runs: bool) -> None:
    assert has_kernels(built, capability) is runs


def test_a_gpu_without_kernels_is_not_taken(spec: RunSpec, cuda: FakeCuda) -> None:
    cuda.built, cuda.capability = ("sm_80", "sm_90"), (7, 0)
    assert choose_device(replace(spec, device="auto")).type == "cpu"
    with pytest.raises(UserError, match=r"no kernels for its architecture, sm_70.*sm_80 sm_90"):
        choose_device(replace(spec, device="cuda"))


@pytest.mark.parametrize(("name", "words"), [("mps", "no Apple GPU"), ("abacus", "not known to torch")])
def test_a_device_that_is_not_there(spec: RunSpec, name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=words):
        choose_device(replace(spec, device=name))


def test_auto_takes_what_there_is_and_keeps_to_it(spec: RunSpec, cuda: FakeCuda) -> None:
    automatic = replace(spec, device="auto")
    assert choose_device(automatic).type == "cuda"
    assert choose_device(automatic, "cpu").type == "cpu"
    cuda.count = 0
    assert choose_device(automatic).type == "cpu"
    with pytest.raises(UserError, match="begun on cuda, and torch finds no GPU here"):
        choose_device(automatic, "cuda")
    with pytest.raises(UserError, match="torch finds no GPU"):
        choose_device(replace(spec, device="cuda"))


def test_the_device_a_run_was_begun_on_is_in_its_log() -> None:
    started = Started(1.0, own_identity(), 1, 0, None, (), 0.0, 10, "CPU, 1 thread", {})
    cancelled = Cancelled(2.0, 5, 1.0)
    names = {"NVIDIA H200": "cuda", "AMD Instinct MI300X": "cuda", "Apple GPU": "mps", "CPU, 2 threads": "cpu"}
    for name, kind in names.items():
        assert begun_on([started, replace(started, device=name), cancelled]) == kind
    assert begun_on([cancelled]) == ""


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "HIP out of memory. Tried to allocate 20.00 MiB",
        "MPS backend out of memory (MPS allocated: 5 GB)",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes",
    ],
)
def test_every_kind_of_too_little_memory_is_known(message: str) -> None:
    assert failure_of(RuntimeError(message), Path("run"), 1).reason == "out_of_memory"
    assert failure_of(RuntimeError("shape mismatch"), Path("run"), 1).reason == "error"


def test_vectors_that_do_not_fit_are_refused_with_both_sizes(cuda: FakeCuda) -> None:
    cuda.free = 1_000_000_000
    with pytest.raises(UserError, match=r"vectors.npy: 7.1 GB .* 1.0 of 80.0 GB"):
        refuse_too_large("vectors.npy", 7_100_000_000, torch.device("cuda:0"))
    refuse_too_large("vectors.npy", 900_000_000, torch.device("cuda:0"))
    refuse_too_large("vectors.npy", 7_100_000_000, torch.device("cpu"))


def test_a_file_that_does_not_fit_is_refused_before_any_of_it_is_on_the_gpu(tmp_path: Path, cuda: FakeCuda) -> None:
    workspace, folders = plan_campaign(tmp_path)
    cuda.free = 1000
    with pytest.raises(UserError, match=r"vectors.npy: 0.0 GB of vectors do not fit .* of 80.0 GB"):
        open_data(read_spec(folders[1].spec), workspace.root, torch.device("cuda:0"))


def test_a_run_on_the_cpu_leaves_the_gpu_beside_it_alone(
    tmp_path: Path, cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting CUDA up takes seconds and hundreds of megabytes of the card that other runs train on. `auto` keeps to
    the device the run was begun on, whatever has appeared since."""
    touched: list[str] = []
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: touched.append("CUDA was set up"))
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: touched.append(f"{device} was taken"))
    cuda.count = 0
    _, folders = plan_campaign(tmp_path, device="auto")
    assert train_here(folders[1], Interrupting(folders[1].intent, 5)) is Exit.PAUSED
    cuda.count = 2
    assert train_here(folders[1]) is Exit.FINISHED and not touched
    starts = [event for event in events_of(folders[1]) if isinstance(event, Started)]
    assert len(starts) == 2 and all(start.device.startswith("CPU") for start in starts)


@pytest.mark.parametrize("model", ["lstm", "amn"])
def test_every_process_gets_the_workspace_with_which_all_layers_repeat_themselves(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """The self-test has all models in one process, and must compute as their runs do."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    choose_device(replace(spec, model=model, device="cpu", deterministic=True))
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    choose_device(replace(spec, model=model, device="cpu", deterministic=True))
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8", "what is set already stays"
