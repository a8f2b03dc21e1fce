"""Fifteen terms at most, and the same in program and documentation."""

from __future__ import annotations

import re
from pathlib import Path

from lvmtui.verdict.words import GLOSSARY

JUDGEMENT = Path(__file__).parents[2] / "docs" / "judgement.md"


def test_the_documentation_has_the_same_terms() -> None:
    part = JUDGEMENT.read_text().split("\n## Glossary\n", 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"^\| (.*?) +\| (.*?) +\|$", part, re.MULTILINE)[2:]
    assert listed == [*GLOSSARY.items()]


def test_it_is_short() -> None:
    assert len(GLOSSARY) <= 15
    assert all(len(meaning) <= 200 for meaning in GLOSSARY.values())
