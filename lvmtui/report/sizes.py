"""What a report says of several sizes: learning curves as blocks. Beyond the largest it is an extrapolation. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from lvmtui.formats.learning_curve import FLAT, WORDS, LearningCurve, ModelCurve
from lvmtui.report.blocks import Block, Figure, Heading, bullets, table
from lvmtui.report.curves import file_stem
from lvmtui.system.numbers import cosine, percent
from lvmtui.system.text import grouped
from lvmtui.verdict.words import listed, of_context, trivial_title, worth_words

ALL = "learning_curves.svg"
"""The picture of all models."""
MEANING = {
    "still rising": f"a doubling of the data {{known}} help, perhaps by more than {FLAT} %",
    "flattening": "a doubling still helps, but the last one in the data brought less than half of what the first did",
    "flat": f"a doubling {{known}} change less than {FLAT} %",
    "falling": "a doubling {known} hurt",
}


WIDENED = (
    "Errors were widened, because the sizes scatter more around the curve than articles and seeds explain; the curve "
    "may have another form"
)
OR_TRAINING = ", or training adds what one seed does not show"
BENDS_UP = (
    "Larger sizes bring more with each doubling than smaller ones, which no curve of this form does, so the next "
    "doubling may be worth more than is told"
)


def picture_of(model: str) -> str:
    return f"learning_{file_stem(model)}.svg"


def curve_answer(curve: LearningCurve | None, seeds: int) -> str:
    """The learning curves in a sentence or two; empty where nothing is judged."""
    if curve is None:
        return ""
    said = []
    for word in WORDS:
        models = [one for one in curve.models if one.word == word]
        if not models:
            continue
        names = listed([curve.title(one.model) for one in models])
        whys = {one.reason for one in models if one.reason}
        why = f" ({whys.pop()})" if len(whys) == 1 else ""
        untold = f"for {names} it cannot be told whether more would help{why}"
        said.append(untold if word == "cannot tell" else f"{names} {'is' if len(models) == 1 else 'are'} {word}")
    if not said:
        return ""
    largest = next((one.points[-1].label for one in curve.models if one.points), "")
    rising = [(v, m) for m in curve.models if m.word in WORDS[:2] and (v := m.doubling and m.doubling.value)]
    sentence = f"At {largest}, {'; '.join(said)}."
    if rising:
        who = listed([curve.title(one.model) for _, one in rising])
        who = who if len(said) > 1 else "it" if len(rising) == 1 else "them"
        ends = [f"{percent(v)} ({curve.title(one.model)})" for v, one in sorted(rising, key=itemgetter(0))]
        worth = f"{ends[0]} to {ends[-1]}" if len(rising) > 1 else percent(rising[0][0])
        upwards = [curve.title(one.model) for _, one in rising if one.fit and one.fit.bends_up]
        more = f"; the curve of {listed(upwards)} bends upwards, so it may be more" if upwards else ""
        sentence += f" By extrapolation, a doubling would bring {who} {worth}{more}."
    if seeds == 1:
        sentence += (
            " With one seed, the effects of training and of the draw of articles are known only from how the sizes "
            "scatter."
        )
    return sentence


def _best_trivial(curve: LearningCurve, context: str, labels: Sequence[str]) -> list[list[str]]:
    """The row of the best trivial baseline of a context; none where it is not known."""
    points = max((one.points for one in curve.models if one.context == context), key=len)
    known = {p.label: p.trivial for p in points if p.trivial is not None}
    names = dict.fromkeys(trivial_title(of_context(p.against, context)) for p in points if p.against)
    row = [f"best trivial ({', '.join(names)})", *(cosine(known.get(label)) for label in labels), "", ""]
    return [row] if known else []


def sizes_section(curve: LearningCurve | None, pictures: str) -> list[Block]:
    """The learning curves: a table with one column per size, the meaning of its words, the fits and the pictures."""
    if curve is None or not any(one.points for one in curve.models):
        return []
    longest_first = sorted((one.points for one in curve.models), key=len, reverse=True)
    labels = list(dict.fromkeys(point.label for points in longest_first for point in points))
    judged = [one for one in curve.models if one.points]
    by_label = [(one, {p.label: p.cosine for p in one.points}) for one in judged]
    rows = [
        [curve.title(one.model), *(cosine(of.get(n)) for n in labels), worth_words(one.doubling), one.word or "–"]
        for one, of in by_label
    ]
    for context in dict.fromkeys(one.context for one in judged):
        rows += _best_trivial(curve, context, labels)
    words = [word for word in MEANING if any(one.word == word for one in judged)]
    # With one seed nothing is known, as with the verdict: it only leans.
    known = "seems to" if all(point.seeds == 1 for one in judged for point in one.points) else "is known to"
    missing = [f"{curve.title(one.model)} is fitted without {'; '.join(one.missing)}." for one in judged if one.missing]
    reasons = grouped((one.reason, curve.title(one.model)) for one in curve.models if one.reason)
    return [
        Heading("Learning curve"),
        table(["model", *labels, "a doubling is worth", "verdict"], rows, right=range(1, len(labels) + 1)),
        *bullets(
            [
                "Held-out cosine by size. A doubling is worth what the curve gives from the largest size to twice "
                "that, in percent of the cosine, with its 95 % interval: an extrapolation.",
                *(f"{word[0].upper()}{word[1:]}: {MEANING[word].format(known=known)}." for word in words),
                *(f"{', '.join(titles)}: {reason}." for reason, titles in reasons.items()),
                *missing,
            ]
        ),
        Figure("Learning curves of all models", f"{pictures}/{ALL}"),
        *_fits(curve, judged),
        *(
            Figure(f"Learning curve of {curve.title(one.model)}", f"{pictures}/{picture_of(one.model)}")
            for one in judged
        ),
    ]


def _fits(curve: LearningCurve, judged: Sequence[ModelCurve]) -> list[Block]:
    fitted = [(curve.title(one.model), one, one.fit) for one in judged if one.fit]
    if not fitted:
        return []
    rows = [
        [
            title,
            f"{f.exponent:.2f} [{f.exponent_low:.2f}, {f.exponent_high:.2f}]",
            "none" if f.floor is None else cosine(1 - f.floor) if worth_words(one.rest) else "not told",
            "under 0.01" if f.p < 0.01 else f"{f.p:.2f}",
            worth_words(one.ten) or "not told",
            worth_words(one.rest) or "not told",
        ]
        for title, one, f in fitted
    ]
    widened = [f"{title} {f.widened:.1f} times" for title, _, f in fitted if f.widened >= 1.05]
    training = OR_TRAINING if any(point.seeds == 1 for one in judged for point in one.points) else ""
    upwards = [title for title, _, f in fitted if f.bends_up]
    refused = {w.refused for one in judged for w in (one.ten, one.rest) if w and w.refused}
    return [
        Heading("How the curves fit", 3),
        table(["model", "exponent", "ceiling", "p of the fit", "ten times the data", "all that is left"], rows),
        *bullets(
            [
                "The error 1 - cosine is fitted by e(n) = e_inf + b / n^c over training windows n; what moves all "
                "sizes alike is left out of its intervals. The ceiling is 1 - e_inf. At exponent 0 every doubling "
                "brings the same, and there is no ceiling. The last two columns are extrapolations.",
                *(f"Not told: {reason}." for reason in sorted(refused)),
                *([f"{WIDENED}{training}: {', '.join(widened)}."] if widened else []),
                *([f"{BENDS_UP}: {', '.join(upwards)}."] if upwards else []),
            ]
        ),
    ]
