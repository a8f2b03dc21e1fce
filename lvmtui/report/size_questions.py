"""The questions that learning curves answer. Pure; every sentence is computed from `learning_curve.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from lvmtui.formats.learning_curve import FLAT, WORDS, LearningCurve, Point, Worth
from lvmtui.report.costs import UseCost
from lvmtui.report.questions import Question, trend
from lvmtui.system.numbers import plural
from lvmtui.verdict.words import listed, worth_words


def size_questions(curve: LearningCurve | None, costs: Mapping[str, UseCost]) -> tuple[Question, ...]:
    """What the learning curves answer; the first two take the place of those that two sizes answer."""
    worths = [(one.model, one.doubling.value) for one in curve.models if one.doubling] if curve else []
    if curve is None or not worths:
        return ()
    found = [
        Question("Which models would gain most from twice the data?", _profit(curve)),
        Question(
            "Do larger models gain more from twice the data?",
            trend(worths, costs, "network", "parameters and a doubling's worth"),
        ),
        Question("Is this much data enough?", _enough(curve)),
        Question("Which model is best at which size?", _best(curve)),
    ]
    if curve.more_for_less:
        found.append(Question("Does more data make up for a smaller model?", _more_for_less(curve)))
    return tuple(found)


def _profit(curve: LearningCurve) -> str:
    known = [one for one in curve.models if one.word in WORDS[:2] and one.doubling and one.doubling.value is not None]
    if not known:
        clear = any(one.doubling and (one.doubling.low or 0.0) > 0 for one in curve.models)
        return f"No model is known to gain {FLAT} % or more from it." if clear else "No model is known to gain from it."
    known += [one for one in curve.models if one.word == "flat" and one.doubling and (one.doubling.low or 0.0) > 0]
    ranked = sorted(known, key=lambda one: -(one.doubling.value or 0.0) if one.doubling else 0.0)
    flat = ", which is flat"
    words = [f"{curve.title(m.model)} {worth_words(m.doubling)}{flat if m.word == 'flat' else ''}" for m in ranked]
    first = ranked[0].doubling
    equal = [curve.title(one.model) for one in ranked[1:] if first and one.doubling and _overlap(first, one.doubling)]
    more = f" The interval of {curve.title(ranked[0].model)} overlaps with that of {listed(equal)}." if equal else ""
    return f"{'; '.join(words)}.{more}"


def _overlap(one: Worth, other: Worth) -> bool:
    """An end that is not known bounds nothing."""
    return all(a.low is None or b.high is None or a.low <= b.high for a, b in ((one, other), (other, one)))


def _enough(curve: LearningCurve) -> str:
    """What a doubling would bring; it gives each model its word, so the answers do not contradict the words."""
    said = []
    for one in curve.models:
        if one.word == "flat" and one.doubling:
            last = one.points[-1]
            but = ", but it does not beat a trivial baseline" if last.cosine <= (last.trivial or -1.0) else ""
            said.append(f"{curve.title(one.model)}: yes, a doubling brings {worth_words(one.doubling)}{but}")
        elif one.word in WORDS[:2]:
            said.append(f"{curve.title(one.model)}: no, a doubling would bring {worth_words(one.doubling)}")
        elif one.word == "falling":
            said.append(f"{curve.title(one.model)}: more of this data is known to hurt")
        elif one.word:
            may = worth_words(one.doubling) or "anything"
            said.append(f"{curve.title(one.model)}: not known, a doubling may bring {may}")
    return f"{'. '.join(said)}. All of this is extrapolated from the sizes measured." if said else "Unknown."


def _best(curve: LearningCurve) -> str:
    if not curve.best:
        return "Unknown: fewer than two models have the same sizes and seeds."
    words = []
    for (model, clear), leads in groupby(curve.best, key=lambda lead: (lead.model, lead.clear)):
        first, *others = leads
        where = f"{first.label} to {others[-1].label}" if others else first.label
        words.append(f"{curve.title(model)} at {where}{'' if clear else ' (its lead is not clear of zero)'}")
    crossings = [
        f"{curve.title(c.after)} overtakes {curve.title(c.before)} at about {at[0]:,.0f} vectors ({at[1]:,.0f} to "
        f"{at[2]:,.0f}), which give {c.windows:,.0f} training windows"
        for c in curve.overtakings
        if (one := curve.of(c.after)) and (at := [_vectors(one.points, n) for n in (c.windows, c.low, c.high)])
    ]
    return f"{'; '.join(words)}. {'; '.join(crossings) or 'No crossing of two models is known'}."


def _vectors(points: Sequence[Point], windows: float) -> float:
    """How many vectors, which labels count, give so many training windows: on the straight line between two sizes."""
    a, b = next(((a, b) for a, b in pairwise(points) if windows <= b.windows), points[-2:])
    return a.vectors + (b.vectors - a.vectors) * (windows - a.windows) / (b.windows - a.windows)


PAIRS = 5
"""At most this many pairs of models are named."""


def _more_for_less(curve: LearningCurve) -> str:
    said = []
    for one in curve.more_for_less[:PAIRS]:
        pair = f"{curve.title(one.smaller)} to equal {curve.title(one.larger)}"
        if one.factor is None:
            least = f" (at least {one.low:.1f} times)" if one.low is not None else ""
            said.append(f"{pair}: more than {one.farthest:.1f} times the largest size{least}")
        else:
            low = f"{one.low:.1f}" if one.low is not None else "1.0"
            end = f"{one.high:.1f}" if one.high is not None else f"more than {one.farthest:.1f}"
            said.append(f"{pair}: {one.factor:.1f} times the largest size ({low} to {end})")
    more = len(curve.more_for_less) - PAIRS
    rest = f"; {plural(more, 'more pair')} of models in learning_curve.json" if more > 0 else ""
    return f"Extrapolated, as far as the curves are carried: {'; '.join(said)}{rest}."
