"""A check in words and as a document: `lvmtui check`, the plan, the form."""

from __future__ import annotations

from typing import Any

from lvmtui.datasets.check import Check, FileFacts, PairFacts
from lvmtui.formats.data_facts import Neighbours
from lvmtui.formats.json_codec import encode


def check_as_json(checked: Check) -> dict[str, Any]:
    """The check as `check.json` and `lvmtui check --json` have it."""
    document: dict[str, Any] = encode(checked)
    return document


def check_as_text(checked: Check) -> str:
    """The check as plain lines, without colour."""
    lines = []
    for facts in checked.files:
        lines += [
            f"{facts.label}  {facts.file}",
            *(f"  {name:<15}{text}" for name, text in _file_lines(facts, checked.context)),
            "",
        ]
    if checked.pair is not None:
        labels = [facts.label for facts in checked.files]
        lines += [
            " and ".join(labels),
            *(f"  {name:<15}{text}" for name, text in _pair_lines(checked.pair)),
            "",
        ]
    if checked.neighbours is not None:
        lines += ["near-copies", *(f"  {name:<15}{text}" for name, text in _neighbour_lines(checked.neighbours)), ""]
    lines += [f"note: {note}" for note in checked.notes]
    lines += [f"fault: {fault}" for fault in checked.faults] or ["no faults"]
    return "\n".join(lines)


def _file_lines(facts: FileFacts, context: int) -> list[tuple[str, str]]:
    articles = {
        "articles": f"{facts.articles:,}",
        "sequence": "not named; all vectors follow each other",
        "pieces": f"not named; {facts.articles:,} pieces that do not follow each other",
    }
    windows = f"{facts.windows:,} of {context} vectors and the next one"
    if facts.crossing is not None:
        windows += f"; {facts.crossing:.1%} of all runs of {context + 1} cross an article's border"
    rows = facts.rows
    lines = [
        ("vectors", f"{facts.vectors:,} of {facts.dim:,} numbers; the file has {facts.bytes / 1e6:,.1f} MB"),
        ("articles", articles[facts.kind]),
        ("windows", windows),
        ("lengths", _lengths(rows.shortest, rows.longest)),
        ("duplicates", f"{facts.duplicates:,} vectors are the same as an earlier one"),
    ]
    if facts.coherence is not None and facts.forward_signal is not None:
        lines += [
            ("neighbours", f"mean cosine {facts.coherence:.3f}; of any two vectors {facts.chance or 0.0:.3f}"),
            (
                "order",
                f"the next vector is nearer to the last than to the one before it by {facts.forward_signal:+.3f}",
            ),
        ]
    leak = f"{facts.random_leak:.0%} of the held-out windows would share a vector with a training window"
    return [*lines, ("random split", f"not used: with it {leak}")]


def _lengths(shortest: float | None, longest: float | None) -> str:
    """Of the vectors: `all 1`, or from the shortest to the longest."""
    if shortest is None or longest is None:
        return "none finite"
    low, high = f"{shortest:.4g}", f"{longest:.4g}"
    return f"all {low}" if low == high else f"{low} to {high}"


def _pair_lines(pair: PairFacts) -> list[tuple[str, str]]:
    part = ", a part of it" if pair.baseline_is_part else ""
    lines = [
        ("ratio", f"{pair.ratio:.2f}"),
        ("in common", f"{pair.shared:.1%} of the baseline's vectors are in the expanded arm{part}"),
        ("vector space", _space(pair)),
    ]
    if pair.new_vectors and pair.new_coherence is not None and pair.new_forward_signal is not None:
        lines.append(
            (
                "new vectors",
                f"{pair.new_vectors:,}; mean cosine of neighbours {pair.new_coherence:.3f}, "
                f"order {pair.new_forward_signal:+.3f}",
            )
        )
    leak = (
        f"{pair.random_leak_across:.1%} of the baseline's held-out windows would share a vector with a "
        "training window of the expanded arm"
    )
    return [*lines, ("random split", leak)]


def _space(pair: PairFacts) -> str:
    known = {"yes": "the same", "no": "not the same", "unknown": "unknown"}[pair.same_space]
    space = pair.space
    if space is None:
        return known
    if not space.tested:
        return f"{known}; too few or too evenly spread vectors for a test"
    figures = ""
    if space.energy_new is not None and space.energy_baseline is not None and space.mean_cosine is not None:
        figures = (
            f"; the baseline's main directions hold {space.energy_baseline:.2f} of it and {space.energy_new:.2f} of "
            f"the new vectors, the means have a cosine of {space.mean_cosine:+.2f}"
        )
    return known + figures


def _neighbour_lines(neighbours: Neighbours) -> list[tuple[str, str]]:
    natural = "" if neighbours.natural is None else f", the highest below the threshold is {neighbours.natural:.4f}"
    how = "--same" if neighbours.chosen_by_hand else "chosen from the gap between neighbours and copies"
    return [
        ("threshold", f"cosine {neighbours.same:.4g} ({how})"),
        ("neighbours", f"median cosine with the nearest one {neighbours.median:.3f}{natural}"),
        ("repeated", f"{neighbours.repeated:,} vectors, {neighbours.near_copies:,} in groups that are not equal"),
    ]
