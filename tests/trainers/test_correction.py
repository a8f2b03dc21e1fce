"""The tuned recipe's forecast: where it begins, and what a prior does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.models import TUNED
from tests.trainers.tiny import copy_of, plan_campaign, state_of, train_here
from trainers.correction import Correction
from trainers.data import open_data
from trainers.models import build, unit
from trainers.state import build_forecaster, load_forecaster

DIM, BATCH, CONTEXT = 16, 6, 5


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The expanded run of a tiny campaign; tests copy it."""
    _, runs = plan_campaign(tmp_path_factory.mktemp("campaign"))
    return runs[1]


def contexts(seed: int = 0) -> Tensor:
    return unit(torch.randn(BATCH, CONTEXT, DIM, generator=torch.Generator().manual_seed(seed)))


def forecaster() -> Correction:
    torch.manual_seed(1)
    model = Correction(build("amn", DIM, "small"), CONTEXT, 0.0, 0.0)
    nn.init.normal_(model.logits)
    return model


def test_departure_is_the_angle_to_the_weighted_mean() -> None:
    model, context = forecaster(), contexts()
    weights = model.logits.detach().softmax(0).numpy()
    mean = np.einsum("t,btd->bd", weights, context.numpy())
    raw = np.random.default_rng(0).normal(size=(BATCH, DIM)).astype(np.float32)
    cosines = (raw * mean).sum(1) / np.linalg.norm(raw, axis=1) / np.linalg.norm(mean, axis=1)
    assert float(model.departure(unit(torch.from_numpy(raw)), context)) == pytest.approx(1 - cosines.mean(), abs=1e-5)
    with torch.no_grad():
        assert float(model.departure(unit(3 * model.mean(context)), context)) == pytest.approx(0, abs=1e-6)


def test_departure_moves_the_correction_and_not_the_mean() -> None:
    model, context = forecaster(), contexts()
    correction = torch.ones(BATCH, DIM, requires_grad=True)
    model.departure(unit(model.mean(context).detach() + correction), context).backward()
    assert correction.grad is not None and correction.grad.abs().max() > 0
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_forecast_begins_near_the_recency_mean(planned: RunDir, share: float) -> None:
    spec = read_spec(planned.spec)
    data = open_data(spec, planned.workspace.root, torch.device("cpu"))
    model = build_forecaster("gru", spec.dim, "small", replace(TUNED, correction=share), CONTEXT, data.train).eval()
    assert isinstance(model, Correction)
    context, _ = data.train.batch(slice(0, None))
    with torch.no_grad():
        mean = model.mean(context)
        added = model(context) - mean
    assert float(added.norm(dim=-1).mean() / mean.norm(dim=-1).mean()) == pytest.approx(share, rel=0.05)


def test_a_prior_keeps_predictions_near_the_weighted_mean(planned: RunDir) -> None:
    spec = read_spec(planned.spec)
    data = open_data(spec, planned.workspace.root, torch.device("cpu"))
    context, _ = data.validation.batch(slice(0, None))
    departures = []
    for prior in (0.0, 2.0 * spec.train_windows):
        recipe = replace(spec.recipe, prior_windows=prior, patience=None)
        run = copy_of(planned, f"prior_{prior:.0f}", recipe=recipe)
        train_here(run)
        model = load_forecaster(run.best_model)
        assert isinstance(model, Correction)
        with torch.no_grad():
            departures.append(float(model.departure(unit(model(context)), context)))
        losses = [p.loss for p in state_of(run).points]
        cosines = [p.cosine for p in state_of(run).points]
        assert losses == pytest.approx([1 - c for c in cosines if c is not None], abs=1e-4)  # shown without it
    assert departures[1] < 0.5 * departures[0]
