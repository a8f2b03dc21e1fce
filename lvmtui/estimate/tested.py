"""What a GPU's self-test shows of its speed, before any run did. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lvmtui.estimate.cost import Work, step_cost
from lvmtui.estimate.pace import Machine, Shown
from lvmtui.formats.selftest import SelfTest

DIM, BATCH = 768, 32
"""Of the steps that the self-test times; see `trainers/selftest/bench.py`."""
WORTH_SECONDS = 10.0
"""Seconds of a run's training that the timed steps count for: replays of a recorded step vary little."""


def machine_tested(records: Iterable[SelfTest]) -> Machine:
    """The speed of a machine whose GPUs have these records; of several GPUs that differ it is in between."""
    return Machine(tuple(shown for record in records for shown in _shown_by(record)))


def _shown_by(record: SelfTest) -> Iterable[Shown]:
    for model, seconds in record.step_seconds.items():
        work = Work(model, "full", DIM, BATCH, 1, 1, 0, 0, record.device, 1)
        if seconds > 0:
            ratio = math.log(seconds / step_cost(work))
            yield Shown(f"self-test of {record.uuid}: {model}", work, ratio, WORTH_SECONDS)
