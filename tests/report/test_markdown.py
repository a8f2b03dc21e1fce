"""Blocks as Markdown: hostile text stays text, columns line up."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.spec import read_spec
from lvmtui.report.blocks import Bullets, Code, Figure, Heading, Paragraph, Strong, table
from lvmtui.report.curves import file_stem
from lvmtui.report.make import read_report
from lvmtui.report.markdown import code, escaped, markdown
from lvmtui.report.page import page_of
from tests.factory import planned_run
from tests.report.made_campaigns import UP
from tests.verdict.scenes import NOW, finished, state_of

HOSTILE = "x|y`z<b>\x1b]52;c;aGk=\x07\u202e[l](http://e) *_#\n# no"


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), notes=(HOSTILE,))
    spec_path = workspace.run(planned_run(campaign, "amn", "expanded")).spec
    spec_path.write_bytes(dump_document(encode(replace(read_spec(spec_path), device=HOSTILE))))
    state = state_of(workspace, campaign)
    evil = replace(
        state.campaign,
        baseline=replace(state.campaign.baseline, label=HOSTILE),
        by=HOSTILE,
        device=HOSTILE,
        versions={HOSTILE: HOSTILE},
    )
    report = read_report(replace(state, campaign=evil), now=NOW)
    evil_report = replace(report, campaign=HOSTILE + "-->")
    md = markdown(page_of(evil_report), mark=f"lvmtui campaign {evil_report.campaign}")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", md)
    bare = re.sub(r"`[^`]*`", "", md.split("-->", 1)[1])
    assert "<b>" not in bare and "](http" not in bare and "|y" in bare
    assert md.splitlines()[0].count("-->") == 1 and md.splitlines()[0].endswith("-->")
    assert not any(line.startswith("# no") for line in md.splitlines())
    for rows in re.findall(r"(?:^\|.*\n)+", md, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in rows.splitlines()}
        assert len(counts) == 1, rows


@given(st.text(max_size=80))
def test_a_cell_is_one_cell(value: str) -> None:
    for cell in (escaped(value), code(value)):
        assert "\n" not in cell
        assert not re.search(r"(?<!\\)(?:\\\\)*\|", cell)
    assert "<" not in escaped(value)
    assert code(value).count("`") == 2


@given(st.text(min_size=1, max_size=200))
def test_a_file_name_is_one_name(value: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", file_stem(value))


def test_columns_line_up_on_a_terminal() -> None:
    page = markdown([table(["rank", "", "model"], [["1", "🥇", "AMN"], ["10", "", "Transformer"]], right=(0,))])
    assert page.splitlines() == [
        "| rank |     | model       |",
        "| ---: | --- | ----------- |",
        "|    1 | 🥇  | AMN         |",
        "|   10 |     | Transformer |",
    ]


def test_a_command_can_be_copied_as_it_is() -> None:
    (line,) = markdown([Paragraph("it failed; 'lvmtui trainer test a_*/train.log' shows it, or 'b_*'")]).splitlines()
    assert line == "it failed; `lvmtui trainer test a_*/train.log` shows it, or 'b\\_\\*'"
    spaced = "'lvmtui --workspace '/my runs' attach'"
    assert markdown([Paragraph(spaced)]) == f"{spaced}\n", "where it ends cannot be told"


def test_every_block_has_its_marks() -> None:
    page = markdown(
        [
            Heading("A title", 1),
            Paragraph((Strong("so"), " and ", Code("a|b"))),
            Bullets(("one", ("two ", Code("x")))),
            Figure("AMN", "some where/amn.svg"),
            Figure("GRU", "curves/gru.svg"),
        ],
        mark="made --> here",
    )
    assert page == (
        "<!-- made - here -->\n\n# A title\n\n**so** and `a\\|b`\n\n- one\n- two `x`\n\n"
        "![AMN](some%20where/amn.svg)\n![GRU](curves/gru.svg)\n"
    )
