r"""Reads what a training script prints: regular expressions with named groups, line by line.

    epoch (?P<epoch>\d+).*val_cosine (?P<cosine>[\d.]+)

A line with `cosine` or `val_loss` is an evaluation; one with `loss`, `train_loss` or `train_cosine` a point of the
training curve. `step` or `epoch` says where; a line with neither counts one further.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GROUPS = ("step", "epoch", "loss", "val_loss", "cosine", "train_loss", "train_cosine", "rate", "steps", "epochs")
"""Names a group may have. `steps` and `epochs`: how many there will be."""
LONGEST = 2048
"""Bytes of a line that are looked at: a figure further on is none that people read, and some patterns take time in
the square of the length."""


@dataclass(frozen=True)
class LineReading:
    """What one line says. None: nothing."""

    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    """On the validation windows if there is a cosine; otherwise in training."""
    cosine: float | None = None
    """On the validation windows."""
    train_loss: float | None = None
    train_cosine: float | None = None
    rate: float | None = None
    steps: int | None = None
    epochs: float | None = None
    evaluated: bool = False
    """A figure of the validation windows is in it."""


def pattern_fault(pattern: str) -> str:
    """What is wrong with a pattern, and what to do; empty: nothing."""
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"not a regular expression ({error})"
    names = set(compiled.groupindex)
    if unknown := sorted(names - set(GROUPS)):
        return f"(?P<{unknown[0]}>...) means nothing here; the names are {', '.join(GROUPS)}"
    if not names & {"loss", "val_loss", "cosine", "train_loss", "train_cosine", "step", "epoch"}:
        return "has no named group; write (?P<cosine>[\\d.]+) for a figure, (?P<epoch>\\d+) for where"
    return ""


class Patterns:
    """Some patterns, of which the first that is found in a line reads it."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises re.error; see `pattern_fault`."""
        self._patterns = [re.compile(p.encode(), re.ASCII) if p.isascii() else re.compile(p.encode()) for p in patterns]

    def read(self, line: bytes) -> LineReading | None:
        """What a line says, None if no pattern is found in it or its figures are no numbers."""
        for pattern in self._patterns:
            found = pattern.search(line, 0, LONGEST)
            if found is not None:
                return _reading(found)
        return None


def _reading(found: re.Match[bytes]) -> LineReading | None:
    numbers: dict[str, float] = {}
    for name, text in found.groupdict().items():
        if text is None:
            continue
        try:
            numbers[name] = float(text)
        except ValueError:
            return None
    for name in ("cosine", "train_cosine"):
        if abs(numbers.get(name, 0.0)) > 1:
            del numbers[name]  # a percentage, or another figure
    evaluated = "cosine" in numbers or "val_loss" in numbers
    loss = numbers.get("val_loss", numbers.get("loss") if evaluated else None)
    return LineReading(
        step=_whole(numbers.get("step")),
        epoch=_count(numbers.get("epoch")),
        loss=loss,
        cosine=numbers.get("cosine"),
        train_loss=numbers.get("train_loss", None if evaluated and "val_loss" not in numbers else numbers.get("loss")),
        train_cosine=numbers.get("train_cosine"),
        rate=numbers.get("rate"),
        steps=_whole(numbers.get("steps")),
        epochs=_count(numbers.get("epochs")),
        evaluated=evaluated,
    )


def _count(number: float | None) -> float | None:
    """A number of steps or epochs; None where it can be none."""
    return number if number is not None and 0 <= number < 1e15 else None


def _whole(number: float | None) -> int | None:
    count = _count(number)
    return None if count is None else int(count)
