"""A check in words: `lvmtui check`, the plan, the form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from lvmtui.datasets.check_facts import FEW_WINDOWS, NO_ORDER, CheckedFile, CheckedPair, DataCheck
from lvmtui.datasets.store import UNIT_TOLERANCE
from lvmtui.formats.data_facts import Neighbours
from lvmtui.system.numbers import plural
from lvmtui.system.text import wrap

MANY_COPIES = 0.1
"""Share of a file's vectors that may repeat earlier ones (headings, set phrases) before it is worth a word."""
INCOHERENT = 0.5
"""Share of the baseline's coherence below which new rows are not text like it."""


def check_as_text(checked: DataCheck, width: int = 10_000) -> str:
    """The check as plain lines, without colour, wrapped to `width` characters."""
    parts = [(f"{facts.label}  {facts.file}", _file_lines(facts, checked.context)) for facts in checked.files]
    if checked.pair is not None:
        parts.append((" and ".join(facts.label for facts in checked.files), _pair_lines(checked.pair)))
    if checked.neighbours is not None:
        parts.append(("near-copies", _neighbour_lines(checked.neighbours)))
    lines = [line for title, part in parts for line in (title, *(f"  {name:<15}{said}" for name, said in part), "")]
    lines += [f"note: {note}" for note in checked.notes]
    lines += [f"warning: {checked.warning}"] if checked.warning else []
    none = f"no faults, {'1 warning, ' if checked.warning else ''}{plural(len(checked.notes), 'note')}"
    lines += [f"fault: {fault}" for fault in checked.faults] or [none]
    below = [" " * (17 if line.startswith("  ") else 6) for line in lines]  # to where the text begins
    wrapped = (wrap(line, max(40, width), subsequent_indent=b) for line, b in zip(lines, below, strict=True))
    return "\n".join(chain.from_iterable(parts or [""] for parts in wrapped))


def _file_lines(facts: CheckedFile, context: int) -> list[tuple[str, str]]:
    articles = {
        "articles": f"{facts.articles:,}",
        "sequence": "not named; all vectors follow each other",
        "pieces": f"not named; {facts.articles:,} pieces that do not follow each other",
    }
    windows = f"{facts.windows:,} of {context} vectors and the next one"
    if facts.crossing is not None:
        windows += f"; {facts.crossing:.1%} of all stretches of {context + 1} vectors cross an article's border"
    rows = facts.rows
    lines = [
        ("vectors", f"{facts.vectors:,} of {facts.dim:,} numbers; the file has {facts.bytes / 1e6:,.1f} MB"),
        ("articles", articles[facts.kind]),
        ("windows", windows),
        ("lengths", _lengths(rows.shortest, rows.longest)),
        ("duplicates", f"{facts.duplicates:,} vectors repeat an earlier one, exactly or nearly"),
    ]
    if facts.coherence is not None and facts.forward_signal is not None:
        nearer = "nearer" if facts.forward_signal >= NO_ORDER else "no nearer"
        order = f"the next vector is {nearer} to the last than to the one before it ({facts.forward_signal:+.3f})"
        alike = f"mean cosine {facts.coherence:.3f}; of any two vectors {facts.chance or 0.0:.3f}"
        lines += [("neighbours", alike), ("order", order)]
    leak = f"{facts.random_leak:.0%} of the held-out windows would share a vector with a training window; not used"
    return [*lines, ("random split", leak), ("fingerprint", facts.fingerprint)]


def _lengths(shortest: float | None, longest: float | None) -> str:
    """The vectors' lengths: `all 1`, or from the shortest to the longest."""
    if shortest is None or longest is None:
        return "none finite"
    low, high = f"{shortest:.4g}", f"{longest:.4g}"
    return f"all {low}" if low == high else f"{low} to {high}"


def _pair_lines(pair: CheckedPair) -> list[tuple[str, str]]:
    part = ", a part of it" if pair.baseline_is_part else ""
    lines = [
        ("ratio", f"{pair.ratio:.2f}"),
        ("in common", f"{pair.shared:.1%} of the baseline's vectors are in the expanded arm{part}"),
        ("vector space", _space(pair)),
    ]
    if pair.new_vectors and pair.new_coherence is not None and pair.new_forward_signal is not None:
        figures = f"mean cosine of neighbours {pair.new_coherence:.3f}, order {pair.new_forward_signal:+.3f}"
        lines.append(("new vectors", f"{pair.new_vectors:,}; {figures}"))
    return lines


def _space(pair: CheckedPair) -> str:
    known = {
        "yes": "the same, by the vectors in common",
        "no": "not the same",
        "unknown": "unknown, as no vector is in both",
    }[pair.same_space]
    space = pair.space
    if space is None:
        return known
    if not space.tested:
        return f"{known}; the others cannot be tested: too few rows, too few numbers in each, or too evenly spread"
    figures = ""
    if space.energy_new is not None and space.energy_baseline is not None and space.mean_cosine is not None:
        figures = (
            f"; the baseline's main directions hold {space.energy_baseline:.2f} of the squared length of its own "
            f"vectors and {space.energy_new:.2f} of the new ones'; cosine of the two means {space.mean_cosine:+.2f}"
        )
    return known + figures


def _neighbour_lines(neighbours: Neighbours) -> list[tuple[str, str]]:
    natural = "" if neighbours.natural is None else f", the highest below the threshold is {neighbours.natural:.4f}"
    elsewhere = f"median cosine with the one most like it elsewhere {neighbours.median:.3f}{natural}"
    alike = elsewhere if neighbours.median > -1 else "no vector elsewhere to compare with"
    return [
        ("threshold", f"cosine {neighbours.same:.4g} ({neighbours.how})"),
        ("most alike", f"of {neighbours.sampled:,} vectors looked at, {alike}"),
        ("repeated", f"{neighbours.repeated:,} vectors of all files together repeat an earlier one, exactly or nearly"),
    ]


# Notes ----------------------------------------------------------------------------------------------------------------


def notes_on(files: Sequence[CheckedFile], pair: CheckedPair | None, neighbours: Neighbours | None) -> list[str]:
    """What a person should know before starting, one sentence each."""
    notes = [note for facts in files for note in _file_notes(facts)]
    if pair is not None:
        notes += _pair_notes(files, pair)
    if neighbours is not None:
        notes += _neighbour_notes(neighbours)
    return notes


def _file_notes(facts: CheckedFile) -> list[str]:
    notes = [f"{facts.file}: {note}" for note in facts.reading]
    if facts.rows.off_unit:
        shortest, longest = facts.rows.shortest or 0.0, facts.rows.longest or 0.0
        same = " were of one length and" if longest - shortest < UNIT_TOLERANCE * longest else ""
        back = "" if same else f"; lengths from {shortest:.3g} to {longest:.3g} are lost to a decoder that needs them"
        notes.append(f"{facts.file}: {facts.rows.off_unit:,} vectors{same} are scaled to length 1{back}")
    if facts.duplicates > MANY_COPIES * facts.vectors and facts.kind != "pieces":  # whose windows overlap
        notes.append(
            f"{facts.file}: {facts.duplicates:,} of its {facts.vectors:,} vectors repeat earlier ones. They weigh "
            "again in training, and where they follow each other the last vector is the answer; leave out what no text "
            "repeats"
        )
    if facts.kind == "sequence":
        notes.append(
            f"{facts.file}: no ids of articles were found: windows run from one article into the next, and a held-out "
            "one may stand beside a training window; if it has ids, save them as article_id, or name them (--article)"
        )
    if facts.kind == "pieces" and facts.windows < facts.vectors / 3:
        notes.append(
            f"{facts.file}: its windows hardly follow each other; windows that hold the same vectors in "
            "another order of rows are found by content and dropped from training"
        )
    if facts.windows < FEW_WINDOWS:
        notes.append(f"{facts.file}: only {facts.windows:,} windows; few can be held out, and intervals will be wide")
    elif facts.unordered:
        notes.append(facts.unordered)
    elif facts.forward_signal is not None and facts.forward_signal < NO_ORDER:
        notes.append(
            f"{facts.file}: the last vector of a context is on average no nearer to the next one than the one before "
            f"it ({facts.forward_signal:+.3f}); are the rows in reading order?"
        )
    return notes


def _pair_notes(files: Sequence[CheckedFile], pair: CheckedPair) -> list[str]:
    notes = [pair.other_data] if pair.other_data else []
    if pair.same_space == "unknown":
        notes.append("the two have no vector in common: nothing in the files tells whether one encoder made both")
    whole = files[1].forward_signal
    if pair.new_windows < FEW_WINDOWS or pair.new_forward_signal is None or pair.new_coherence is None:
        return notes
    if pair.new_coherence < INCOHERENT * (files[0].coherence or 0.0):
        notes.append(
            f"the new vectors of {files[1].file} hardly resemble their neighbours (mean cosine "
            f"{pair.new_coherence:.3f}, in the baseline {files[0].coherence:.3f}); are they text in reading order?"
        )
    elif pair.new_forward_signal < NO_ORDER and (whole is None or whole >= NO_ORDER):
        notes.append(
            f"the new vectors of {files[1].file} have no order: the last vector of a context is on average no nearer "
            f"to the next one than the one before it ({pair.new_forward_signal:+.3f}); are they in reading order?"
        )
    return notes


def _neighbour_notes(neighbours: Neighbours) -> list[str]:
    notes = [neighbours.nearly.words] if neighbours.nearly else []
    if neighbours.near_copies:
        notes.append(
            f"{neighbours.near_copies:,} different vectors belong to groups of near-copies (cosine "
            f"{neighbours.same:.4g} and more); each group counts as one vector (--same sets that cosine: docs/data.md)"
        )
    if neighbours.negated:
        there = f"the negative of {neighbours.negated:,} of {neighbours.sampled:,} sampled vectors is there too"
        notes.append(f"{there}; one of the files was probably saved with the wrong sign")
    return notes
