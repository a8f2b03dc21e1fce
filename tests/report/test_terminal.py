"""Blocks as lines of a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len as width

from lvmtui.report.blocks import Bullets, Code, Figure, Heading, Paragraph, Strong, table
from lvmtui.report.make import read_report
from lvmtui.report.page import page_of
from lvmtui.report.terminal import plain_text, terminal_lines, wrapped_lines
from tests.report.made_campaigns import UP
from tests.verdict.scenes import NOW, finished, state_of


def test_every_block_has_its_lines() -> None:
    page = (
        Heading("A title", 1),
        Paragraph((Strong("More data helped"), " 3 of 3, see ", Code("report.json"), ".")),
        Bullets(("one two three four", "five")),
        table(["model", "8k"], [["AMN", ".5189"], ["日本", "–"]], right=(1,)),
        Figure("AMN", "curves/amn.svg"),
    )
    assert terminal_lines(page, 24) == [
        ((" A title", "selected"),),
        (),
        ((" ", ""), ("More data helped", "bold"), (" 3 of", "")),
        ((" ", ""), ("3, see report.json.", "")),
        (),
        ((" • ", "dim"), ("one two three four", "")),
        ((" • ", "dim"), ("five", "")),
        (),
        ((" model     8k", "dim"),),
        ((" ────────────", "dim"),),
        ((" AMN    .5189", ""),),
        ((" 日本       –", ""),),
        (),
        ((" AMN: curves/amn.svg", "dim"),),
    ]


@given(st.text(max_size=60), st.text(max_size=60), st.integers(4, 40))
def test_no_line_is_too_wide_and_no_word_is_lost(first: str, second: str, columns: int) -> None:
    lines = wrapped_lines((first, Strong(second)), columns)
    assert all(width("".join(text for text, _ in line)) <= columns for line in lines)
    assert not any(unicodedata.category(c)[0] == "C" for line in lines for text, _ in line for c in text)
    shown = "".join("".join(text for line in lines for text, _ in line).split())
    whole = "".join(text for line in wrapped_lines((first, Strong(second)), 1000) for text, _ in line)
    assert shown == "".join(whole.split())


def test_code_is_not_broken_at_its_spaces() -> None:
    lines = wrapped_lines(("to end it: ", Code("lvmtui cancel all"), " in a shell"), 18)
    assert ["".join(text for text, _ in line) for line in lines] == ["to end it:", "lvmtui cancel all", "in a shell"]


def test_a_report_fits_a_terminal_but_for_its_tables(tmp_path: Path) -> None:
    report = read_report(state_of(*finished(tmp_path, UP)), now=NOW)
    page = page_of(report)
    wide = [line for line in plain_text(page, 80).splitlines() if width(line) > 80]
    titles = [line for line in wide if "│" not in line]
    assert not any(line.startswith(" •") for line in titles)
    assert plain_text(page, 80).startswith(" 8k vs 23k: does the larger data set help?\n\n")
