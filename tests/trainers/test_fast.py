"""The faster forwards against the plain modules, which are the specification."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lvmtui.models import MODELS
from trainers.correction import Correction
from trainers.data import TensorWindows
from trainers.evaluate import evaluate, loss_and_cosine, predict
from trainers.fast import faster, operations
from trainers.fast.operations import LEVELS, add_dropped, available, dropout, keep_mask, linear
from trainers.models import build, unit
from trainers.optimizer import AdamW

DIM, BATCH, CONTEXT = 48, 6, 5
RATE, DECAY = 1e-3, 0.01

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN: the plain modules are used")


def without_dropout(model: nn.Module) -> nn.Module:
    """The model in training mode, with every dropout switched off."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, (nn.MultiheadAttention, nn.LSTM)):
            module.dropout = 0.0
    return model.train()


def forecaster(name: str, recipe: str, size: str = "small", dim: int = DIM, time: int = CONTEXT) -> nn.Module:
    """A model without dropout, or a correction by it, not quite at its initial values."""
    torch.manual_seed(3)
    model: nn.Module = without_dropout(build(name, dim, size, time))
    if recipe == "tuned":
        model = Correction(model, time, 0.0, 0.0)
    with torch.no_grad():
        for p in model.parameters():  # biases and norms start where many mistakes cannot be seen
            p.add_(0.05 * torch.randn_like(p))
    return model


def batch_of(seed: int, dim: int = DIM, batch: int = BATCH, time: int = CONTEXT) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    windows = unit(torch.randn(batch, time + 1, dim, generator=random))
    return windows[:, :-1].contiguous(), windows[:, -1].contiguous()


def close(found: Tensor, expected: Tensor, tolerance: float = 2e-5) -> bool:
    """Within `tolerance` of the largest number there, or of a hundredth: small sums of large terms are less exact."""
    found, expected = found.detach(), expected.detach()
    return float((found - expected).abs().max()) <= tolerance * max(float(expected.abs().max()), 1e-2)


@pytest.mark.parametrize(("batch", "time"), [(1, 5), (BATCH, 1), (BATCH, 3), (BATCH, 5), (3, 40)])
@pytest.mark.parametrize("recipe", ["tuned", "reference"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients_equal_the_plain_modules(name: str, recipe: str, batch: int, time: int) -> None:
    plain = forecaster(name, recipe, time=time)
    fast = copy.deepcopy(plain)
    forward = faster(fast)
    assert forward is not fast
    context, target = batch_of(0, batch=batch, time=time)
    expected, found = plain(context), forward(context)
    assert found.shape == expected.shape and close(found, expected)
    for raw in (expected, found):
        loss_and_cosine("cosine", raw, unit(raw), target)[0].backward()
    for (parameter, of_plain), of_fast in zip(plain.named_parameters(), fast.parameters(), strict=True):
        assert of_plain.grad is not None and of_fast.grad is not None, parameter
        if parameter.endswith("key.bias"):  # rounding there, an exact zero here: the softmax does not see it
            assert float(of_plain.grad.abs().max()) < 1e-6 and not of_fast.grad.any()
        else:
            assert close(of_fast.grad, of_plain.grad), parameter


@pytest.mark.parametrize("clip", [1e9, 1e-2])
@pytest.mark.parametrize("name", MODELS)
def test_ten_updates_equal_the_textbook(name: str, clip: float) -> None:
    """The plain module with clip_grad_norm_ and torch's own AdamW, and ours, on the same ten batches."""
    plain = forecaster(name, "reference")
    fast = copy.deepcopy(plain)
    forward = faster(fast)
    textbook = torch.optim.AdamW(plain.parameters(), lr=RATE, weight_decay=DECAY)
    ours = AdamW([(list(fast.parameters()), DECAY)])
    for step in range(10):
        context, target = batch_of(step)
        textbook.zero_grad()
        loss_and_cosine("mse", raw := plain(context), unit(raw), target)[0].backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), clip)
        textbook.step()
        loss_and_cosine("mse", raw := forward(context), unit(raw), target)[0].backward()
        ours.update(torch.tensor(RATE), clip)
    # AdamW divides a gradient by its own size: where it is nothing but rounding, the update is too. No output may
    # differ by more than rounding, and hardly any weight.
    context, _ = batch_of(99)
    assert close(forward(context), plain(context), 1e-3)
    pairs = zip(plain.named_parameters(), fast.parameters(), strict=True)
    moved = torch.cat([(a - b).abs().flatten() for (_, a), b in pairs]).detach()
    assert float(moved.max()) <= 20 * RATE and float((moved > 0.02 * RATE).float().mean()) < 0.01


class OnMetal(Tensor):
    """A number that says it is on an Apple GPU."""

    device = torch.device("mps")


@pytest.mark.parametrize("clip", [1e9, 1e-2])
def test_gradients_are_clipped_where_the_kernel_ignores_its_divisor(
    clip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Metal's did in some versions of torch: clipping was off without a word."""

    def updated() -> list[nn.Parameter]:
        parameters = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(5))]
        ours = AdamW([(parameters, DECAY)])
        random = torch.Generator().manual_seed(1)
        for size in (100.0, 1.0, 0.01):  # a clip that is off shows in the moments, which weigh the steps
            for p in parameters:
                p.grad = size * torch.randn(p.shape, generator=random)
            ours.update(torch.tensor(RATE), clip)
        return parameters

    expected = updated()
    kernel, norm = torch._fused_adamw_, torch.linalg.vector_norm
    monkeypatch.setattr(torch.linalg, "vector_norm", lambda x: norm(x).as_subclass(OnMetal))
    monkeypatch.setattr(torch, "_fused_adamw_", lambda *given, **rest: kernel(*given, **{**rest, "grad_scale": None}))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(updated(), expected, strict=True))


def test_the_update_resumes_to_the_bit() -> None:
    def gradients(parameters: list[nn.Parameter], step: int) -> None:
        random = torch.Generator().manual_seed(step)
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=random)

    straight = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(5))]
    optimizer = AdamW([(straight[:1], 0.1), (straight[1:], 0.0)])
    for step in range(4):
        gradients(straight, step)
        optimizer.update(torch.tensor(RATE), 1.0)
        if step == 1:
            resumed = copy.deepcopy(straight)
            state = copy.deepcopy(optimizer.state_dict())
    again = AdamW([(resumed[:1], 0.1), (resumed[1:], 0.0)])
    again.load_state_dict(state)
    for step in (2, 3):
        gradients(resumed, step)
        again.update(torch.tensor(RATE), 1.0)
    assert all(torch.equal(a, b) for a, b in zip(straight, resumed, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_evaluation_does_not_depend_on_who_computes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(name, DIM, "small")
    windows = TensorWindows(unit(torch.randn(60, DIM)), torch.arange(50), CONTEXT)
    scores, predicted = evaluate(model, windows, "mse", lambda: None), predict(model, windows, lambda: None)
    monkeypatch.setattr("trainers.evaluate.faster", lambda module: module)
    plain = evaluate(model, windows, "mse", lambda: None)
    assert scores.cosine == pytest.approx(plain.cosine, abs=1e-5) and scores.loss == pytest.approx(plain.loss, 1e-4)
    assert np.allclose(predicted, predict(model, windows, lambda: None), atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_training_hides_numbers_where_the_plain_module_does(name: str) -> None:
    """Mean and spread of many outputs under dropout are the plain module's; without dropout there is no spread."""
    torch.manual_seed(0)
    model = Correction(build(name, DIM, "small"), CONTEXT, input_dropout=0.3, feature_dropout=0.3)
    model.log_scale.data.fill_(1.0)
    context = batch_of(0)[0].repeat(500, 1, 1)

    def moments(forward: object) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            drawn = forward(context).view(500, BATCH, DIM)  # type: ignore[operator]
        return drawn.mean(0), drawn.std(0)

    (mean, spread), (plain_mean, plain_spread) = moments(faster(model.train())), moments(model)
    assert float(plain_spread.min()) > 0
    z = (mean - plain_mean) / ((spread**2 + plain_spread**2) / 500).sqrt()
    assert float((z**2).mean()) < 1.5 and float(z.abs().max()) < 6
    assert float((spread / plain_spread).log().mean().abs()) < 0.03
    mean, spread = moments(faster(model.eval()))
    assert float(spread.max()) < 1e-5


# Masks ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(probability=st.floats(0.001, 0.9), seed=st.integers(0, 2**31), rows=st.integers(1, 200))
def test_a_mask_hides_its_share_and_keeps_the_mean(probability: float, seed: int, rows: int) -> None:
    torch.manual_seed(seed)
    mask = keep_mask((rows, 333), probability)
    exact = round(probability * LEVELS) / LEVELS
    values = mask.unique().tolist()
    assert mask.dtype is torch.float32 and mask.shape == (rows, 333)
    assert set(values) <= {0.0, values[-1]} and values[-1] == pytest.approx(1 / (1 - exact), rel=1e-6)
    error = float((mask == 0).double().mean()) - exact
    assert abs(error) < 6 * (exact * (1 - exact) / mask.numel()) ** 0.5


def test_the_bits_of_a_mask_are_even() -> None:
    """Each of the four numbers that share a draw, neighbours, and masks that follow each other are independent."""
    torch.manual_seed(1)
    first, second = (keep_mask((250_000, 4), 0.5).numpy() - 1 for _ in range(2))
    assert np.abs(first.mean(0)).max() < 0.01 and np.abs(second.mean(0)).max() < 0.01
    together = np.concatenate([first, second], axis=1)
    between = together.T @ together / len(together) - np.eye(8)
    assert np.abs(between).max() < 0.012
    assert abs(float((first[1:] * first[:-1]).mean())) < 0.006


def test_masks_follow_torchs_random_state() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = keep_mask((7, 9), 0.5)
    assert not torch.equal(first, keep_mask((7, 9), 0.5))
    torch.set_rng_state(state)
    assert torch.equal(first, keep_mask((7, 9), 0.5))


def test_dropout_is_absent_outside_of_training() -> None:
    x, y = torch.randn(4, 5), torch.randn(4, 5)
    assert dropout(x, 0.5, False) is x and dropout(x, 0.0, True) is x
    assert torch.equal(add_dropped(x, y, 0.5, False), x + y)
    torch.manual_seed(2)
    expected = x + dropout(y, 0.5, True)
    torch.manual_seed(2)
    assert torch.allclose(add_dropped(x, y, 0.5, True), expected)


# Products ------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(shape=st.lists(st.integers(1, 7), min_size=1, max_size=3), out=st.integers(1, 9), strided=st.booleans())
def test_linear_equals_torchs(shape: list[int], out: int, strided: bool) -> None:
    x = torch.randn(*shape[:-1], 2 * shape[-1])[..., ::2] if strided else torch.randn(*shape)
    inputs = [x.requires_grad_(), torch.randn(out, shape[-1]).requires_grad_(), torch.randn(out).requires_grad_()]
    expected, found = nn.functional.linear(*inputs), linear(*inputs)
    assert found.shape == expected.shape and torch.allclose(found, expected, atol=1e-5)
    upstream = torch.randn_like(expected)
    for a, b in zip(
        torch.autograd.grad(expected, inputs, upstream), torch.autograd.grad(found, inputs, upstream), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-4)


# Where nothing faster is known ---------------------------------------------------------------------------------------


def test_an_unknown_architecture_is_left_as_it_is() -> None:
    module = nn.Linear(3, 3)
    assert faster(module) is module


WITH_ATTENTION = ("transformer", "graphmert_lvm")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITH_ATTENTION])
@pytest.mark.parametrize("recipe", ["tuned", "reference"])
def test_on_a_gpu_the_plain_modules_are_as_good(name: str, recipe: str) -> None:
    module = forecaster(name, recipe).to("meta")
    assert faster(module) is module


@pytest.mark.parametrize("name", WITH_ATTENTION)
@pytest.mark.parametrize("recipe", ["tuned", "reference"])
def test_attention_is_equal_on_a_gpus_path_too(name: str, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = forecaster(name, recipe)
    fast = copy.deepcopy(plain)
    monkeypatch.setattr(operations, "on_cpu", lambda x: False)
    forward = faster(fast)
    assert forward is not fast
    context, target = batch_of(0)
    for model, raw in ((plain, plain(context)), (fast, forward(context))):
        loss_and_cosine("cosine", raw, unit(raw), target)[0].backward()
        assert close(raw, plain(context)) and model.training
    for of_plain, of_fast in zip(plain.parameters(), fast.parameters(), strict=True):
        assert of_plain.grad is not None and of_fast.grad is not None and close(of_fast.grad, of_plain.grad)


def test_a_torch_without_onednn_gets_the_plain_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "available", lambda: False)
    module = build("amn", DIM, "small")
    assert faster(module) is module
