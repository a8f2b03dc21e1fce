"""The report as a page of blocks: one page to decide by, then the evidence, then where everything came from. Pure."""

from __future__ import annotations

from lvmtui.report.blocks import Block
from lvmtui.report.contents import Report
from lvmtui.report.evidence import evidence
from lvmtui.report.first_page import first_page
from lvmtui.report.provenance import provenance

MARK = "lvmtui campaign {id}"
"""In the first line of a report file: it tells this campaign's report from another one's with the same labels."""


def page_of(report: Report, *, curves: str = "curves") -> tuple[Block, ...]:
    """The whole report. `curves`: where the pictures are, as seen from the file that shows them."""
    return (*first_page(report), *evidence(report, curves), *provenance(report))


def mark_of(report: Report) -> str:
    """What the first line of the report's file says."""
    return MARK.format(id=report.campaign)
