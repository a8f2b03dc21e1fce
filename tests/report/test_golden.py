"""The reports of twelve made campaigns, word for word. `python -m tests.report.made_campaigns` writes them again."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.report.made_campaigns import GOLDEN, SCENES, golden_page


@pytest.mark.parametrize("name", SCENES)
def test_a_report_reads_as_it_was_approved(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        page = golden_page(name, tmp_path)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert page == (GOLDEN / f"{name}.md").read_text()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.md")), ids=lambda path: path.stem)
def test_no_figure_misleads(path: Path) -> None:
    page = path.read_text()
    assert path.stem in SCENES
    assert not re.search(r"[-−+]\.0+\b(?!\d)|[-−+]0\.0+ ?%|\bnan\b|\bNone\b(?! of \d)", page)
    assert not re.search(r"\.\.(?!\.)|  \|  \||\(\)", page.replace("...", ""))
    first_page = page.split("\n## Evidence\n")[0]
    assert len(first_page.splitlines()) <= 45
