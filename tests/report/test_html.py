"""The report as one HTML file: what is in it, and how a browser shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.report.blocks import Bar, Bullets, Code, Figure, Heading, Paragraph, Strong, table, without_home
from lvmtui.report.html import html
from lvmtui.report.make import ReportForm, write_report
from tests.report.browser import measure, needs_chromium
from tests.report.made_campaigns import SCENES, UP
from tests.verdict.scenes import finished

VOID = {"meta", "path", "circle", "rect", "line", "polyline", "br"}


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_a_page_for_others_does_not_name_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the user, who is its last part. Programs read whole paths."""
    home = tmp_path / "home" / "ana"
    monkeypatch.setenv("HOME", str(home))
    workspace, campaign = finished(home / "work", {"amn": UP["amn"]}, seeds=(1,))
    folder = workspace.campaign(campaign.id)
    named = replace(
        campaign, baseline=replace(campaign.baseline, data=replace(campaign.baseline.data, file=f"{home}/a"))
    )
    folder.campaign.write_bytes(dump_document(encode(named)))
    write_report(workspace, campaign.id)
    for page in (folder.report_as("html"), workspace.final_comparison(campaign)):
        assert str(home) not in page.read_text() and "~/a" in page.read_text()
    assert f"{home}/a" in folder.report_json.read_text()
    assert (
        without_home(f"see {home}/a, ..{home}/b and {home}bel/c", str(home)) == f"see ~/a, ..{home}/b and {home}bel/c"
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of five models with three seeds."""
    root = tmp_path_factory.mktemp("html").resolve()
    workspace, campaign = SCENES["all_improve"](root)
    return write_report(workspace, campaign.id, ReportForm("html"), root / "report.html")


def test_text_stays_text() -> None:
    hostile = "<script>alert(1)</script> & \"x\" 'y' \x1b[31m"
    blocks = (
        Heading(hostile, 1),
        Paragraph(Strong(hostile)),
        Bullets(((Code(hostile), hostile),)),
        table([hostile], [[hostile]]),
    )
    page = html(blocks, {}, mark=f"lvmtui campaign x --> {hostile}")
    assert "script" not in Balanced(page).seen
    assert page.count("&lt;script&gt;") == 8  # title and heading, paragraph, two in the list, head, cell and its title
    assert "\x1b" not in page and page.count("-->") == 1


def test_a_folded_section_ends_before_the_next_of_its_level() -> None:
    inner = (Heading("part", 3), Paragraph("in"))
    page = html((Heading("first", folded=True), *inner, Heading("second"), Paragraph("out")), {})
    Balanced(page)
    assert re.search(r"<details>\s*<summary><h2>first</h2></summary>.*<p>in</p>\s*</details>\s*<h2>second", page, re.S)


def test_an_interval_is_drawn_to_scale() -> None:
    page = html((table(["model", "bar"], [["AMN", Bar("text", 0.25, 0.5, 0.75, 0.0)]]),), {})
    assert 'class="table cards"' in page and "text<" not in page
    assert 'd="M4.0 0V18"' in page and 'cx="100.0"' in page and "M52.0 5.0v8M148.0 5.0v8" in page


def test_pictures_are_inside() -> None:
    page = html((Figure("AMN", "curves/amn.svg"),), {"curves/amn.svg": "<svg></svg>"})
    assert "<svg></svg>" in page and "curves/amn.svg" not in page


def test_the_file_needs_nothing_else(written: Path) -> None:
    page = written.read_text()
    seen = Balanced(page).seen
    assert not {"script", "img", "link", "iframe"} & set(seen)
    assert seen.count("polyline") == 5 * 2 * 3
    assert seen.index("h1") < seen.index("table") < seen.index("details")
    assert "://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"url\(|@import|\bsrc=|\bhref=", page)
    assert list(written.parent.glob("*.html")) == [written], "no folder of pictures beside it"


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_the_answer_and_nothing_is_cut_off(written: Path, width: int) -> None:
    seen = measure(written, width)
    assert width - 20 <= seen.width <= width and seen.needed <= seen.width
    first = seen.text.split("What to doubt")[0]
    assert "More data helped: +1.86 %" in first and "improved, large" in first
    assert "Evidence" in seen.text and "Pareto front" in seen.text
    assert "Provenance" in seen.text and "latency p50" not in seen.text, "folded"
