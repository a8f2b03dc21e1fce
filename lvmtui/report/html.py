"""Blocks as one HTML file without network or script, light and dark, for paper and phones. Pure but for its style.

All text is escaped here. The file's Content-Security-Policy forbids what must not be in it: scripts, and fetching.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files

from lvmtui.report.blocks import Bar, Block, Bullets, Code, Figure, Heading, Paragraph, Strong, TableBlock, Text
from lvmtui.system.text import sanitise

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
BAR_WIDTH, BAR_HEIGHT, MARGIN = 200, 18, 4
"""Size of an interval's picture, in SVG units; the page scales it to its cell."""


def html(blocks: Iterable[Block], pictures: Mapping[str, str], *, mark: str = "") -> str:
    """The page. `pictures`: SVG by the path of its Figure (`curves.OF_THE_PAGE`). `mark`: a comment near its top."""
    blocks = tuple(blocks)
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    style = files("lvmtui.report").joinpath("page.css").read_text(encoding="utf-8")
    lines = [
        "<!doctype html>",
        *([f"<!-- {sanitise(mark, 200).replace('--', '-').replace('>', '')} -->"] if mark else []),
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{_escaped(title)}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_sections(blocks, pictures),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _sections(blocks: Iterable[Block], pictures: Mapping[str, str]) -> Iterator[str]:
    """The blocks; a folded heading opens a section that ends before the next heading of its level or above."""
    open_level = 0
    for block in blocks:
        if isinstance(block, Heading):
            if open_level and block.level <= open_level:
                open_level = 0
                yield "</details>"
            if block.folded and not open_level:
                open_level = block.level
                yield f"<details>\n<summary>{_heading(block)}</summary>"
                continue
        yield _block(block, pictures)
    if open_level:
        yield "</details>"


def _block(block: Block, pictures: Mapping[str, str]) -> str:
    match block:
        case Heading():
            return _heading(block)
        case Paragraph(text):
            return f'<p class="answer">{_inline(text)}</p>' if isinstance(text, Strong) else f"<p>{_inline(text)}</p>"
        case Bullets(items):
            return "\n".join(["<ul>", *(f"<li>{_inline(item)}</li>" for item in items), "</ul>"])
        case TableBlock():
            return _table(block)
        case Figure(title, path):
            return f'<figure role="img" aria-label="{_escaped(title)}">\n{pictures[path].strip()}\n</figure>'


def _heading(heading: Heading) -> str:
    return f"<h{heading.level}>{_escaped(heading.text)}</h{heading.level}>"


def _table(table: TableBlock) -> str:
    """A table that scrolls in its own box where it is too wide. One with bars becomes a card a row on a phone."""
    cards = any(isinstance(cell, Bar) for row in table.rows for cell in row)
    right = [' class="right"' if i in table.right else "" for i in range(len(table.columns))]
    head = "".join(f"<th{side}>{_escaped(title)}</th>" for title, side in zip(table.columns, right, strict=True))
    lines = [
        f'<div class="table{" cards" if cards else ""}" tabindex="0">',
        "<table>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
    ]
    for row in table.rows:
        cells = (  # `data-title` is what stands beside the cell in a card
            f'<td{side} data-title="{_escaped(title)}">{_inline(text)}</td>'
            for text, title, side in zip(row, table.columns, right, strict=True)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", "</div>"])


def _inline(text: Text) -> str:
    match text:
        case Bar():
            return _bar(text)
        case Code(words):
            return f"<code>{_escaped(words)}</code>"
        case Strong(words):
            return f"<strong>{_escaped(words)}</strong>"
        case str():
            return _escaped(text)
        case tuple():
            return "".join(map(_inline, text))


def _bar(bar: Bar) -> str:
    """The interval as a line with ends and a dot; the upright line is zero. The figures are in the cells beside it."""
    low, middle, high, zero = (
        round(MARGIN + (BAR_WIDTH - 2 * MARGIN) * share, 1) for share in (bar.low, bar.middle, bar.high, bar.zero)
    )
    at = BAR_HEIGHT / 2
    return (
        f'<svg class="bar" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" aria-hidden="true">'
        f'<path class="zero" d="M{zero} 0V{BAR_HEIGHT}"/>'
        f'<path class="line" d="M{low} {at - 4}v8M{high} {at - 4}v8M{low} {at}H{high}"/>'
        f'<circle cx="{middle}" cy="{at}" r="3.5"/></svg>'
    )


def _escaped(text: str) -> str:
    return escape(sanitise(text))
