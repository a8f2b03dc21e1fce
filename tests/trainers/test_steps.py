"""A step takes nothing from the host, so that a GPU can replay it; and it is the same step, replayed or not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.models import MODELS, recipe_for
from tests.trainers.taping import Taping
from tests.trainers.tiny import DIM, plan_campaign
from trainers import data
from trainers.cuda_graph import WARM, CannotRecord, Recorder, Work, reason_of
from trainers.data import TensorWindows, open_data
from trainers.state import TrainState, build_forecaster
from trainers.steps import AHEAD, Steps


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, TensorWindows]:
    workspace, folders = plan_campaign(tmp_path_factory.mktemp("w"))
    spec = read_spec(folders[1].spec)
    return spec, open_data(spec, workspace.root, torch.device("cpu")).train


def begin(spec: RunSpec, train: TensorWindows, recorder: Recorder | None = None) -> Steps:
    torch.manual_seed(spec.seed)
    model = build_forecaster(spec.model, spec.dim, spec.size, spec.recipe, spec.context, train)
    state = TrainState(model.train(), spec.recipe)
    state.forward = model  # as on a GPU: the faster ones draw their masks on the host
    return Steps(spec, state, train, recorder)


class Noting(TorchDispatchMode):
    """Notes the names of the operations that torch does."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("recipe", ["tuned", "reference"])
@pytest.mark.parametrize("model", MODELS)
def test_replayed_steps_are_the_same_steps(planned: tuple[RunSpec, TensorWindows], model: str, recipe: str) -> None:
    spec, train = planned
    spec = replace(
        spec, model=model, recipe=replace(recipe_for(recipe, model), batch_size=8), total_steps=40, evaluate_every=9
    )
    ends = []
    for recorder in (None, Taping()):
        steps = begin(spec, train, recorder)
        with torch.backends.mkldnn.flags(enabled=False):  # its LSTM keeps more than torch is shown
            for step in range(16):
                steps.take()
                if step == 8:
                    steps.state.place.factor = 0.5  # what an evaluation does; seen from the next plan on
        ends.append((steps.read(), steps.state.state_dict()))
    (figures, straight), (again, replayed) = ends
    assert figures == again and len(figures) == 16
    for name in ("model", "averaged"):
        assert all(torch.equal(value, replayed[name][key]) for key, value in straight.get(name, {}).items())
    assert torch.equal(straight["random"], replayed["random"])


@pytest.mark.parametrize("recipe", ["tuned", "reference"])
@pytest.mark.parametrize("model", MODELS)
def test_a_step_never_looks_at_what_the_device_holds(
    planned: tuple[RunSpec, TensorWindows], monkeypatch: pytest.MonkeyPatch, model: str, recipe: str
) -> None:
    """Tensors without data raise at every look, and at every meeting with one of the host."""
    spec, train = planned
    spec = replace(spec, model=model, recipe=replace(recipe_for(recipe, model), batch_size=8))
    kernel, rates = torch._fused_adamw_, []

    def without_rate(*args: Any, lr: Tensor, **rest: Any) -> None:  # torch knows this one without data for numbers only
        rates.append(lr)
        kernel(*args, lr=0.1, **rest)

    monkeypatch.setattr(torch, "_fused_adamw_", without_rate)
    device = torch.device("meta")
    nowhere = TensorWindows(train.vectors.to(device), train.starts.to(device), train.context)
    model_there = build_forecaster(model, DIM, spec.size, spec.recipe, spec.context, None).to(device)
    steps = Steps(spec, TrainState(model_there.train(), spec.recipe), nowhere)
    with Noting() as noted:
        for _ in range(3):
            steps.take()
    # A dozen kernels under deterministic mode, and one a parameter.
    assert noted.names and not noted.names & {"index_copy_", "_foreach_lerp_"}
    assert rates and all(rate.device == device for rate in rates)
    with pytest.raises(NotImplementedError):
        steps.read()


@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_the_averaged_models_recurrent_weights_lie_in_one_piece(
    planned: tuple[RunSpec, TensorWindows], monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """Else cuDNN copies them, and warns, at each evaluation. Copying a module takes its weights apart."""
    spec, train = planned
    flat: list[nn.RNNBase] = []
    monkeypatch.setattr(nn.RNNBase, "flatten_parameters", lambda layer: flat.append(layer))
    state = begin(replace(spec, model=model), train).state
    layers = [module for module in state.averaged.modules() if isinstance(module, nn.RNNBase)]
    assert state.averaged is not state.model and layers and all(any(f is layer for f in flat) for layer in layers)


@pytest.mark.parametrize("stage", ["begin", "work", "end"])
@pytest.mark.parametrize("kind", [RuntimeError, torch.OutOfMemoryError, ValueError])
def test_a_failed_recording_ends_the_process_at_whatever_stage(
    planned: tuple[RunSpec, TensorWindows], stage: str, kind: type[Exception]
) -> None:
    """The first error is the reason that is told, also where ending the capture raises one of its own. No further step
    is taken: gradients and random state would be those of the failed capture."""
    spec, train = planned
    done = []

    class Failing(Taping):
        def record(self, work: Work) -> Work:
            try:
                if stage == "begin":
                    raise kind("cannot begin\nand more")
                done.append("poisoned")
                work()
                if stage == "work":
                    raise kind("not permitted while capturing\nand more")
            finally:
                if stage != "begin":
                    raise RuntimeError("capture_end failed" if stage == "end" else "failed before")
            return work

    steps = begin(spec, train, Failing())
    for _ in range(WARM):
        steps.take()
    expected = {"begin": "cannot begin", "work": "not permitted while capturing", "end": "capture_end failed"}
    with pytest.raises(CannotRecord, match=f"^{expected[stage]}$") as caught:
        steps.take()
    assert reason_of(caught.value) == expected[stage]
    assert len(steps.read()) == WARM


def test_rows_of_a_large_file_are_asked_for_before_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, folders = plan_campaign(tmp_path)
    spec = read_spec(folders[1].spec)
    assert open_data(spec, workspace.root, torch.device("cpu")).train.file is None
    monkeypatch.setattr(data, "LARGE", 1)
    train = open_data(spec, workspace.root, torch.device("cpu")).train
    steps = begin(spec, train)
    asked = bytearray()
    calls = 0

    def advise(descriptor: int, offset: int, length: int, advice: int) -> None:
        nonlocal calls
        assert advice == os.POSIX_FADV_WILLNEED
        asked.extend(os.pread(descriptor, length, offset))
        calls += 1

    monkeypatch.setattr(os, "posix_fadvise", advise)
    steps.take()
    for context, target in zip(*train.batch(steps.chosen[: steps.planned].flatten()), strict=True):
        assert torch.cat([context, target[None]]).numpy().tobytes() in asked
    assert calls <= steps.planned * steps.size

    asked.clear()
    calls = 0
    train.expect(slice(None))  # neighbours are asked for together
    assert calls < len(train) / 10
    assert len(asked) == train.vectors[torch.unique(train.starts[:, None] + torch.arange(6))].numel() * 4


def test_plans_end_at_evaluations_and_every_window_is_taken_once_an_epoch(
    planned: tuple[RunSpec, TensorWindows],
) -> None:
    spec, train = planned
    spec = replace(spec, total_steps=900, evaluate_every=300, recipe=replace(spec.recipe, batch_size=16))
    steps = begin(spec, train)
    ends = set()
    while steps.state.place.step < spec.total_steps:
        steps.plan()
        ends.add(steps.state.place.step + steps.planned)
        steps.state.place.step += steps.planned
    assert ends == {AHEAD, 300, 300 + AHEAD, 600, 600 + AHEAD, 900}

    an_epoch = len(train) // steps.size
    for epoch in (0, 1):
        taken = np.concatenate([steps.windows_of(step) for step in range(epoch * an_epoch, (epoch + 1) * an_epoch)])
        assert len(set(taken.tolist())) == len(taken) == an_epoch * 16
