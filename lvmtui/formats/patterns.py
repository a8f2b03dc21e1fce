r"""Reads what a training script prints: regular expressions with named groups, line by line.

    epoch (?P<epoch>\d+).*val_cosine (?P<cosine>[-\d.e]+)

A line with `cosine` or `val_loss` is an evaluation; one with `loss`, `train_loss` or `train_cosine` a point of the
training curve, and both may be in one line. `step` or `epoch` says where; a line with neither counts one further, and
one with a number that can be none (negative, a billion) is not understood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

GROUPS = ("step", "epoch", "loss", "val_loss", "cosine", "train_loss", "train_cosine", "rate")
"""Names a group may have."""
LONGEST = 2048
"""Bytes of a line that are looked at. Nobody prints figures further on, and some patterns take quadratic time."""
MOST = 1e9
"""Steps and epochs that can be planned are fewer."""
NOT_FINITE = re.compile(rb"(?:nan|inf(?:inity)?)\b", re.IGNORECASE)
STAND_IN = b"0.98765432109876543"
"""In the place of a NaN where no pattern is found: many look for digits only, and a run that diverges must be seen."""
NO_COSINE = "is no cosine, which lies between -1 and 1"
"""Said in the log of a run of a figure that a program called one; by it `trainer test` finds the line."""


@dataclass(frozen=True)
class LineReading:
    """What one line says. None: nothing."""

    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    """On the validation windows, as the cosine: the group `val_loss`."""
    cosine: float | None = None
    """NaN where it says so: the run has diverged."""
    train_loss: float | None = None
    """The group `train_loss`, or `loss`."""
    train_cosine: float | None = None
    rate: float | None = None
    no_cosine: float | None = None
    """What it calls a cosine and is none: a percentage, another figure, NaN."""
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
        lost = NOT_FINITE.sub(STAND_IN, line[:LONGEST])
        return None if lost == line else self.read(lost.replace(b"-" + STAND_IN, STAND_IN))


def _reading(found: re.Match[bytes]) -> LineReading | None:
    numbers: dict[str, float] = {}
    nans = [one.span() for one in re.finditer(STAND_IN, found.string)] if STAND_IN in found.string else []
    lost = {name for a, b in nans for name in found.groupdict() if found.start(name) < b and a < found.end(name)}
    for name, text in found.groupdict().items():
        if text is None:
            continue
        try:
            numbers[name] = math.nan if name in lost else float(text)
        except ValueError:
            return None
    cosines = {name: numbers[name] for name in ("cosine", "train_cosine") if name in numbers}
    wrong = [name for name, value in cosines.items() if not abs(value) <= 1]
    for name in wrong:
        if abs(numbers[name]) > 1:  # NaN tells that the run has diverged
            del numbers[name]
    if not all(0 <= numbers.get(name, 0.0) < MOST for name in ("step", "epoch")):
        return None
    return LineReading(
        step=int(numbers["step"]) if "step" in numbers else None,
        epoch=numbers.get("epoch"),
        loss=numbers.get("val_loss"),
        cosine=numbers.get("cosine"),
        train_loss=numbers.get("train_loss", numbers.get("loss")),
        train_cosine=numbers.get("train_cosine"),
        rate=numbers.get("rate"),
        no_cosine=cosines[wrong[0]] if wrong else None,
        evaluated="cosine" in numbers or "val_loss" in numbers,
    )
