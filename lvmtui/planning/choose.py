"""Which recipe and model size a campaign gets where the options say `auto`, and the sentences that explain it. Pure.

Figures: docs/recipe.md. The choice is always the same for both arms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lvmtui.estimate.eta import Eta
from lvmtui.models import size_of
from lvmtui.planning.options import AUTO, Options
from lvmtui.system.numbers import duration
from lvmtui.verdict.words import listed

FULL_FROM = 50_000
"""Training windows of the smaller arm from which full-size models are chosen. With 5,793 they were no better than small
ones (held-out cosines of AMN, LSTM and Transformer: .5064, .5074, .5061 for .5066, .5071, .5068). The original
experiment trained full-size models on 80,634 vectors. The limit lies between the two."""

ALIKE = 0.2
"""Expected times that differ by less than this share are told as equal: estimates are no better."""


@dataclass(frozen=True)
class AutoChoice:
    """What `auto` came to for one option."""

    option: str
    """`recipe` or `size`."""
    value: str
    other: str
    """The value that was not chosen."""
    reason: str

    def sentence(self, expected: Eta, other: Eta) -> str:
        """`size small: ...; --size full would take about 39 m 00 s instead of 4 m`."""
        cost = f"{duration(other.seconds)} instead of {duration(expected.seconds)}"
        if abs(other.seconds - expected.seconds) < ALIKE * expected.seconds:
            cost = "as long"
        return f"{self.option} {self.value}: {self.reason}; --{self.option} {self.other} would take about {cost}"


def choose(options: Options, windows: int, *, keep_recipe: bool = False) -> tuple[Options, tuple[AutoChoice, ...]]:
    """The options with recipe and size decided, and what was chosen.

    `windows`: training windows of the smaller arm. `keep_recipe`: the recipe stays `auto`, because runs of an earlier
    campaign are the baseline and the new runs are trained as they were.
    """
    choices: list[AutoChoice] = []
    if options.recipe == AUTO and not keep_recipe:
        reason = "it starts from the weighted mean of the context and was better in every measurement so far"
        choices.append(AutoChoice("recipe", "tuned", "reference", reason))
    if options.size == AUTO:
        choices.append(_size(options, windows))
    chosen: dict[str, Any] = {choice.option: choice.value for choice in choices}
    options = replace(options, **chosen)
    ours = any(model not in options.own.trainers for model in options.models)  # a trainer has no recipe of ours
    return options, tuple(c for c in choices if (size_of(c.value, options.models) if c.option == "size" else ours))


def _size(options: Options, windows: int) -> AutoChoice:
    if options.recipe == "reference":
        return AutoChoice("size", "full", "small", "the original experiment trained the reference recipe at this size")
    there = f"{windows:,} or more training windows in the smaller arm"
    if windows < FULL_FROM:
        reason = f"with {there}, larger models are not expected to gain (full from {FULL_FROM:,})"
        return AutoChoice("size", "small", "full", reason)
    return AutoChoice("size", "full", "small", f"{there} are enough for it")


def with_other(asked: Options, choice: AutoChoice, windows: int) -> Options:
    """The options if the other value had been asked for. That may change what the other `auto` comes to."""
    other: dict[str, Any] = {choice.option: choice.other}
    return choose(replace(asked, **other), windows)[0]


def remarks_on(options: Options) -> list[str]:
    """What was probably meant otherwise: `--seeds 2` as a count, `--epochs` for trainers with a count of their own."""
    own, count, remarks = options.own.trainers, options.seeds[0], []
    if len(options.seeds) == 1 and 2 <= count <= 10:
        numbers = " ".join(str(seed) for seed in range(1, count + 1))
        remarks.append(f"--seeds {count} is one seed, number {count}; for {count} seeds write --seeds {numbers}")
    fixed = [own[model].title for model in options.models if model in own and own[model].steps]
    if options.epochs and fixed:
        where = "steps or epochs in its own table come first"
        remarks.append(f"epochs {options.epochs:g} does not apply to {listed(fixed)}: {where}")
    programs = (own[model].program for model in options.models if model in own)
    told = "run.steps is its number of epochs; if its loop counts batches, give steps"
    return remarks + [f"{one.title}: {told}" for one in programs if one.unit == "epoch" and not one.pattern]
