"""The steps of a run: one batch each, forward, backward, update.

Which windows a step takes and at which rate is known beforehand. It is put on the device for some hundreds of steps at
once, and a counter there tells each step its row. So no step needs the host, and a GPU can replay it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lvmtui.formats.spec import RunSpec
from trainers.correction import Correction
from trainers.cuda_graph import Recorder, Replay
from trainers.data import TensorWindows
from trainers.evaluate import loss_and_cosine
from trainers.models import unit
from trainers.optimizer import rate_at
from trainers.state import TrainState

AHEAD = 256
"""Most steps that are planned at once. An evaluation may change the rate, so no plan goes beyond one."""


class Steps:
    """Takes the steps of a run, from wherever its state is."""

    def __init__(
        self, spec: RunSpec, state: TrainState, train: TensorWindows, recorder: Recorder | None = None
    ) -> None:
        """`recorder`: see `trainers.cuda_graph`; None sends every operation by itself."""
        self.spec, self.state, self.train = spec, state, train
        self.size = min(spec.recipe.batch_size, len(train))
        self.epoch, self.order = -1, np.empty(0, np.int64)
        device = train.starts.device
        self.chosen = torch.zeros(AHEAD, self.size, dtype=torch.int64, device=device)
        """Which training windows the planned steps take."""
        self.speeds = torch.zeros(AHEAD, 2, device=device)
        """Their learning rates, and how far the average moves towards the weights."""
        self.figures = torch.zeros(AHEAD, 2, device=device)
        """Loss and cosine of the steps that were taken."""
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        """Row of the next step."""
        self.rows = torch.arange(AHEAD, device=device)[:, None]
        self.planned = self.taken = self.seen = 0
        """Number of rows that are planned, were taken, and were read."""
        self.earlier: list[Tensor] = []
        """Figures of earlier plans that have not been read."""
        self.once = Replay(self.step, recorder)

    def take(self) -> None:
        """One step. Nothing here waits for the device. Raises CannotRecord if the step cannot be recorded."""
        if self.taken == self.planned:
            self.plan()
        self.once()
        self.taken += 1
        self.state.place.step += 1

    def read(self) -> list[tuple[float, float]]:
        """Loss and cosine of the steps since the last call, in order; waits for the device."""
        unread = torch.cat([*self.earlier, self.figures[self.seen : self.taken]])
        self.earlier, self.seen = [], self.taken
        return [(loss, cosine) for loss, cosine in unread.tolist()]

    def step(self) -> None:
        recipe, state = self.spec.recipe, self.state
        rate, weight = self.speeds.index_select(0, self.row)[0].unbind()
        context, target = self.train.batch(self.chosen.index_select(0, self.row)[0])
        raw = state.forward(context)
        predicted = unit(raw)
        loss, cosine = loss_and_cosine(state.loss, raw, predicted, target)
        penalised = loss
        if recipe.prior_windows and isinstance(state.model, Correction):
            penalised = loss + recipe.prior_windows / len(self.train) * state.model.departure(predicted, context)
        penalised.backward()
        state.optimizer.update(rate, recipe.clip)
        if recipe.average is not None:
            state.average(weight)
        # index_copy_ would sort its indices under deterministic mode, a dozen kernels on a GPU
        torch.where(self.rows == self.row, torch.stack([loss.detach(), cosine]), self.figures, out=self.figures)
        self.row += 1

    def plan(self) -> None:
        """Put on the device what the next steps need."""
        spec, place = self.spec, self.state.place
        self.earlier.append(self.figures[self.seen : self.taken].clone())
        evaluation = (place.step // spec.evaluate_every + 1) * spec.evaluate_every
        steps = range(place.step, min(evaluation, spec.total_steps, place.step + AHEAD))
        speeds = [
            (rate_at(spec.recipe, step, spec.total_steps, place.factor), average_weight(spec.recipe.average, step))
            for step in steps
        ]
        chosen = np.stack([self.windows_of(step) for step in steps])
        self.train.expect(chosen)
        self.chosen[: len(steps)] = torch.from_numpy(chosen)
        self.speeds[: len(steps)] = torch.tensor(speeds)
        self.row.zero_()
        self.planned, self.taken, self.seen = len(steps), 0, 0

    def windows_of(self, step: int) -> np.ndarray:
        """(B,) int64, which training windows a step takes: each at most once an epoch, in an order of that epoch."""
        epoch, index = divmod(step, self.spec.recipe.steps_per_epoch(len(self.train)))
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = np.random.default_rng((self.spec.seed, epoch)).permutation(len(self.train))
        return self.order[index * self.size : (index + 1) * self.size]


def average_weight(decay: float | None, step: int) -> float:
    """How far the average of the weights moves towards them after step `step` + 1: young averages follow faster."""
    return 0.0 if decay is None else 1 - min(decay, (2 + step) / (11 + step))
