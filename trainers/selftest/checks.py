"""The checks of the self-test, in the order in which they are done. Each compares the device with something known."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from lvmtui.datasets.scores import score
from trainers.cuda_graph import WARM
from trainers.evaluate import counting, evaluate, loss_and_cosine
from trainers.fast import faster
from trainers.models import build, unit
from trainers.optimizer import BETAS, EPSILON, AdamW
from trainers.selftest.bench import DIM, Bench, taken, walk
from trainers.steps import Steps

TF32_ERROR, FLOAT32_ERROR = 5e-3, 1e-5
"""Largest difference of a gradient to float64's, over the largest number in it. TF32 keeps 10 bits of a factor."""
RELU_BIAS = 5.0
"""Several times the largest input of a ReLU in the small transformer."""
UPDATE_ERROR = 1e-6
REPLAY_ERROR = 1e-5
"""Largest difference of a replayed step's weights to the ones of the same step sent operation by operation."""
NEEDED_MEMORY = 2.5e9
"""Bytes for GraphMERT-LVM at full size: weights, gradients, moments, averages and a step's activations."""


Outcome = tuple[bool | None, str]
"""Whether a check holds, and what it found; None: not tested here."""


def kernels(bench: Bench) -> Outcome:
    """The build has kernels for the device, and one computes."""
    total = float((torch.arange(1000, device=bench.device, dtype=torch.float32) * 2).sum())
    return total == 999_000, "a kernel of this torch build computes on it" if total == 999_000 else f"{total}"


def memory(bench: Bench) -> Outcome:
    """Enough memory is free for the largest model."""
    if bench.device.type != "cuda":
        return None, "not tested here"
    free, total = torch.cuda.mem_get_info(bench.device)
    words = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB are free"
    if free < NEEDED_MEMORY:
        words += f"; the largest model needs {NEEDED_MEMORY / 1e9:.1f}: end what else uses the GPU, or leave it out"
    return free >= NEEDED_MEMORY, words


def gradients(bench: Bench) -> Outcome:
    """Loss gradients of every small model against the plain modules in float64 on the CPU."""
    tf32 = bench.device.type == "cuda" and torch.get_float32_matmul_precision() != "highest"
    most, kind = (TF32_ERROR, "TF32") if tf32 else (FLOAT32_ERROR, "float32")
    errors = {model: _gradient_error(model, bench) for model in bench.models}
    worst = max(errors, key=lambda model: errors[model])
    words = f"largest difference to float64 {errors[worst]:.1e} ({worst}, {kind}, at most {most:.0e})"
    return errors[worst] <= most, words


def _gradient_error(name: str, bench: Bench) -> float:
    torch.manual_seed(3)
    plain = _smooth(_without_dropout(build(name, DIM, "small")))
    context, target = walk(64, DIM, torch.device("cpu")).batch(slice(None))
    tested = build(name, DIM, "small")
    tested.load_state_dict(plain.state_dict())
    tested = _without_dropout(tested).to(bench.device)
    forward = tested if bench.plain else faster(tested)
    found = _gradients(tested, forward(context.to(bench.device)), target.to(bench.device))
    plain.double()
    expected = _gradients(plain, plain(context.double()), target.double())
    largest = max(float(e.abs().max()) for e in expected)
    return max(
        float((f.cpu().double() - e).abs().max()) / max(float(e.abs().max()), 0.01 * largest)
        for f, e in zip(found, expected, strict=True)
    )


def _gradients(model: nn.Module, raw: Tensor, target: Tensor) -> list[Tensor]:
    loss_and_cosine("cosine", raw, unit(raw), target)[0].backward()
    return [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]


def _without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model.train()


@torch.no_grad()
def _smooth(model: nn.Module) -> nn.Module:
    """Keep every ReLU away from zero: half of the units always on, half always off.

    A unit that is near zero for some window is on in one arithmetic and off in another, and its whole gradient comes or
    goes. That is no error of the device; it made the transformer's gradients differ by .12 in TF32, on a card and with
    factors rounded on a CPU alike.
    """
    for module in model.modules():
        if isinstance(module, nn.TransformerDecoderLayer):
            module.linear1.bias[::2] = RELU_BIAS
            module.linear1.bias[1::2] = -RELU_BIAS
    return model


def optimizer(bench: Bench) -> Outcome:
    """Three clipped AdamW updates against the formula (Loshchilov & Hutter 2019, algorithm 2) in float64."""
    random = np.random.default_rng(5)
    start = [random.normal(size=shape) for shape in ((7, 5), (11,), ())]
    parameters = [nn.Parameter(torch.tensor(value, dtype=torch.float32, device=bench.device)) for value in start]
    ours = AdamW([(parameters, 0.1)])
    values = [value.astype(np.float32).astype(np.float64) for value in start]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    for step in range(1, 4):
        given = [random.normal(size=v.shape).astype(np.float32) * step for v in values]
        for parameter, gradient in zip(parameters, given, strict=True):
            parameter.grad = torch.tensor(gradient, device=bench.device)
        ours.update(torch.tensor(1e-2, device=bench.device), 1.5)
        norm = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in given))
        scale = max(1.0, (norm + 1e-6) / 1.5)
        for i, gradient in enumerate(given):
            g = gradient.astype(np.float64) / scale
            first[i] = BETAS[0] * first[i] + (1 - BETAS[0]) * g
            second[i] = BETAS[1] * second[i] + (1 - BETAS[1]) * g * g
            m, v = first[i] / (1 - BETAS[0] ** step), second[i] / (1 - BETAS[1] ** step)
            values[i] = values[i] * (1 - 1e-2 * 0.1) - 1e-2 * m / (np.sqrt(v) + EPSILON)
    error = max(float(np.abs(p.detach().cpu().numpy() - v).max()) for p, v in zip(parameters, values, strict=True))
    return error <= UPDATE_ERROR, f"difference to the formula {error:.1e} (at most {UPDATE_ERROR:.0e})"


def ranks(bench: Bench) -> Outcome:
    """Ranks of held-out targets against numpy's."""
    windows = walk(700, DIM, torch.device("cpu"))
    vectors, starts = windows.vectors.numpy(), windows.starts.numpy()
    noise = np.random.default_rng(2).standard_normal((len(starts), DIM)).astype(np.float32)
    predicted = vectors[starts + windows.context] + noise / 5
    predicted /= np.linalg.norm(predicted, axis=1, keepdims=True)
    found = score(predicted, vectors, starts, windows.context, lambda candidates: counting(candidates, bench.device))
    wrong = int((found.rank != score(predicted, vectors, starts, windows.context).rank).sum())
    return wrong == 0, f"{wrong} of {len(starts)} ranks differ from numpy's"


def graph(bench: Bench) -> Outcome:
    """Three warm-up steps and three replays against six steps sent operation by operation."""
    if not bench.records:
        return None, "nothing is recorded on this device"
    worst, exact = 0.0, 0
    cases = _cases(bench)
    for model, recipe in cases:
        ends = []
        for recorded in (True, False):
            steps = bench.steps(model, recipe, recorded=recorded)
            taken(steps, 2 * WARM)
            ends.append(weights_of(steps))
        error = difference(*ends)
        worst, exact = max(worst, error), exact + (error == 0)
    words = f"{exact} of {len(cases)} models and recipes equal to the bit, largest difference {worst:.1e}"
    return worst <= REPLAY_ERROR, f"{words} (at most {REPLAY_ERROR:.0e})"


def dropout(bench: Bench) -> Outcome:
    """Two replays of one batch at rate 0: they differ if the model has dropout, and only then."""
    if not bench.records:
        return None, "nothing is recorded on this device"
    wrong = []
    for model in bench.models:
        steps = bench.steps(model, "reference", rate=0.0)
        taken(steps, WARM + 1)
        steps.chosen[:] = steps.chosen[:1].clone()
        taken(steps, 2)
        (before, _), (after, _) = steps.read()[-2:]
        drops = any(isinstance(m, nn.Dropout) and m.p > 0 for m in steps.state.model.modules())
        drops |= any(isinstance(m, nn.MultiheadAttention) and m.dropout > 0 for m in steps.state.model.modules())
        if (before != after) != drops:
            wrong.append(model)
    return not wrong, f"wrong for {', '.join(wrong)}" if wrong else "replays draw new masks, and nothing else"


def resume(bench: Bench) -> Outcome:
    """A run without a break against half of it, a checkpoint, and the other half."""

    def resumed(first: Steps, model: str, recipe: str) -> Steps:
        file = io.BytesIO()
        torch.save(first.state.state_dict(), file)  # before the next run seeds the generators anew
        file.seek(0)
        again = bench.steps(model, recipe)
        again.state.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        return again

    differing = _changed_by(bench, resumed)
    words = "a resumed run is equal to the bit" if not differing else f"not equal to the bit: {', '.join(differing)}"
    return not differing, words


def evaluation(bench: Bench) -> Outcome:
    """An evaluation between two steps changes nothing."""
    held = walk(100, DIM, bench.device)

    def evaluated(steps: Steps, model: str, recipe: str) -> Steps:
        evaluate(steps.state.averaged, held, "cosine", lambda: None)
        steps.state.model.train()
        return steps

    changed = _changed_by(bench, evaluated)
    return not changed, f"changes {', '.join(changed)}" if changed else "changes nothing"


def steady_memory(bench: Bench) -> Outcome:
    """The 50th step needs no more memory than the 10th."""
    if bench.device.type != "cuda":
        return None, "not tested here"
    steps = bench.steps("lstm")
    taken(steps, 10)
    torch.cuda.synchronize(bench.device)
    before = torch.cuda.memory_allocated(bench.device)
    taken(steps, 40)
    torch.cuda.synchronize(bench.device)
    grown = torch.cuda.memory_allocated(bench.device) - before
    return grown == 0, f"{grown:,} bytes more after 50 steps than after 10"


# -- what the checks share --------------------------------------------------------------------------------------------


def _cases(bench: Bench) -> list[tuple[str, str]]:
    """Models and recipes. The reference recipe keeps no average: it evaluates the weights that are trained."""
    return [(model, recipe) for model in bench.models for recipe in ("tuned", "reference")]


def _changed_by(bench: Bench, interrupt: Callable[[Steps, str, str], Steps]) -> list[str]:
    """The models and recipes that end with other weights if `interrupt` comes between the halves of a run. It returns
    the steps that go on. Where steps are recorded, a half is long enough for one replay."""
    found, half = [], WARM + 1 if bench.records else 2
    for model, recipe in _cases(bench):
        key = (model, recipe, bench.records, bench.plain)
        if key not in bench.straight:
            straight = bench.steps(model, recipe)
            taken(straight, 2 * half)
            bench.straight[key] = weights_of(straight)
        steps = bench.steps(model, recipe)
        taken(steps, half)
        steps = interrupt(steps, model, recipe)
        taken(steps, half)
        if difference(bench.straight[key], weights_of(steps)):
            found.append(f"{model} ({recipe})")
    return found


def weights_of(steps: Steps) -> dict[str, Tensor]:
    """Weights and averages, on the CPU."""
    state = steps.state.state_dict()
    parts = [(part, state[part]) for part in ("model", "averaged") if part in state]
    return {f"{part} {name}": value.cpu().clone() for part, weights in parts for name, value in weights.items()}


def difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Largest absolute difference; infinite where a number is not finite."""
    distances = [float((value - b[name]).abs().max()) for name, value in a.items() if value.numel()]
    return max((distance if math.isfinite(distance) else math.inf for distance in distances), default=0.0)
