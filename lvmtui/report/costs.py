"""Quality against cost: which trained models are worth their parameters and their latency. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import le

from lvmtui.system.numbers import count
from lvmtui.verdict.table import Table


@dataclass(frozen=True)
class UseCost:
    parameters: int | None = None
    latency_ms: float | None = None
    """Median of one prediction (batch of 1): the smaller of the two arms', which measure one network; load slows it."""
    latency_again_ms: float | None = None
    """The larger of the two; None if there is only one."""

    @property
    def latency_factor(self) -> float:
        """By which factor the two measurements differ; 1 if there is only one."""
        return self.latency_again_ms / self.latency_ms if self.latency_ms and self.latency_again_ms else 1.0

    @property
    def words(self) -> str:
        """`1.2 M parameters and 0.61 ms a prediction`."""
        parts = [f"{count(self.parameters)} parameters"] if self.parameters else []
        parts += [f"{self.latency_ms:.2f} ms a prediction"] if self.latency_ms else []
        return " and ".join(parts) or "unknown cost"


@dataclass(frozen=True)
class PricedModel:
    """An expanded model with its quality and its cost."""

    model: str
    title: str
    cosine: float
    cost: UseCost
    on_front: bool
    """On the Pareto front: none is as good in cosine, size and latency and better in one; False if not `weighed`."""
    weighed: bool = True
    """False: its parameters or latency are unknown although others' are known, or its cosine is of other windows."""

    @property
    def price(self) -> float | None:
        """The cost of a prediction: latency, or parameters where the latency is unknown."""
        return self.cost.latency_ms or self.cost.parameters


def priced_models(table: Table, costs: Mapping[str, UseCost]) -> tuple[PricedModel, ...]:
    """Every expanded model that finished without an alarm, the best first, with the Pareto front marked."""
    usable = [
        (row, row.expanded.cosine, costs.get(row.model, UseCost()))
        for row in table.rows
        if row.expanded.cosine is not None and not row.expanded.alarms
    ]
    # Lower is better; an unknown cost counts as infinite, and so does a cosine on other windows.
    axes = [
        (-cosine if row in table.alike else math.inf, cost.parameters or math.inf, cost.latency_ms or math.inf)
        for row, cosine, cost in usable
    ]
    complete = tuple(map(any, zip(*(_known(cost) for _, _, cost in usable), strict=True)))
    found = []
    for (row, cosine, cost), mine in zip(usable, axes, strict=True):
        weighed = any(complete) and _known(cost) == complete and row in table.alike
        on_front = weighed and not any(other != mine and all(map(le, other, mine)) for other in axes)
        found.append(PricedModel(row.model, row.title, cosine, cost, on_front, weighed))
    return tuple(sorted(found, key=lambda choice: -choice.cosine))


def latency_doubt(chosen: Sequence[PricedModel]) -> str:
    """A sentence if the latencies are too uneven to compare these models by; else empty."""
    if not any(unsure_latency(a, b) for i, a in enumerate(chosen) for b in chosen[:i]):
        return ""
    worst = max(chosen, key=lambda choice: choice.cost.latency_factor)
    return (
        f"Latencies are rough: {worst.title} took {worst.cost.latency_ms:.2f} ms in one arm and "
        f"{worst.cost.latency_again_ms:.2f} ms in the other, and some models differ by a smaller factor."
    )


def unsure_latency(a: PricedModel, b: PricedModel) -> bool:
    """True if two models differ by a smaller factor than two measurements of one of them do."""
    if not a.cost.latency_ms or not b.cost.latency_ms:
        return False
    fast, slow = sorted((a.cost.latency_ms, b.cost.latency_ms))
    return slow / fast < max(a.cost.latency_factor, b.cost.latency_factor)


def cost_ratio(mine: PricedModel, other: PricedModel) -> str:
    """`for 4.3 times the parameters and 1.8 times the latency`; empty where neither is known."""
    words = ""
    if _known(mine.cost) == (True, True) and mine.cost == other.cost:
        return "at the same size and latency"
    if mine.cost.parameters and other.cost.parameters:
        words = f"for {mine.cost.parameters / other.cost.parameters:.1f} times the parameters"
    if unsure_latency(mine, other):
        return f"{words} (their latencies cannot be told apart)" if words else ""
    if mine.cost.latency_ms and other.cost.latency_ms:
        ratio = round(mine.cost.latency_ms / other.cost.latency_ms, 1)
        joined = (" and " if ratio >= 1 else ", but only ") if words else "for "
        words += f"{joined}{ratio:.1f} times the latency"
    return words


def _known(cost: UseCost) -> tuple[bool, bool]:
    return bool(cost.parameters), bool(cost.latency_ms)
