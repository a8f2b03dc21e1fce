"""The doctor's findings as a page for people and as JSON. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from lvmtui.doctor.finding import Finding
from lvmtui.formats.json_codec import encode

WORDS = {"ok": "ok", "note": "note", "fault": "FAULT"}


def as_text(findings: Sequence[Finding], width: int) -> str:
    """One line a finding, remedies below; a closing sentence."""
    broad = max((len(f.subject) for f in findings), default=0)
    lines = []
    for finding in findings:
        head = f"{finding.subject:{broad}}  {WORDS[finding.state]:5}  "
        rest = max(20, width - len(head))
        lines += _beside(head, textwrap.wrap(finding.words, rest) or [""])
        if finding.remedy:
            lines += _beside(" " * len(head), textwrap.wrap(f"> {finding.remedy}", rest, subsequent_indent="  "))
    faults = sum(f.state == "fault" for f in findings)
    notes = sum(f.state == "note" for f in findings)
    if faults:
        lines += ["", f"{_count(faults, 'fault')}: something here will fail"]
    else:
        lines += ["", f"nothing stands in the way; {_count(notes, 'note')}" if notes else "nothing stands in the way"]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding], records: Sequence[Any]) -> dict[str, Any]:
    """Findings, and the records of the self-tests as they are kept."""
    faults = any(f.state == "fault" for f in findings)
    return {"ok": not faults, "findings": [encode(f) for f in findings], "self_tests": [encode(r) for r in records]}


def _beside(head: str, words: Sequence[str]) -> list[str]:
    return [(head if n == 0 else " " * len(head)) + line for n, line in enumerate(words)]


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("s" if number != 1 else "")
