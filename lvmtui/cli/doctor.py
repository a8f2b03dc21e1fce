"""`lvmtui doctor`: look at the machine, test its devices, print what was found."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from lvmtui.cli.shared import ExitCode, workspace_of
from lvmtui.doctor.devices import devices, findings, self_tests_of
from lvmtui.doctor.machine import MachineFinding, look_at_machine
from lvmtui.formats.json_codec import encode
from lvmtui.system.gpus import torch_build
from lvmtui.system.numbers import plural
from lvmtui.system.text import wrap

WORDS = {"ok": "ok", "note": "note", "fault": "FAULT"}


def doctor(given: argparse.Namespace) -> int:
    found = look_at_machine(workspace_of(given).root)
    wanted = devices() if torch_build().version else ()
    results = self_tests_of(wanted, lambda words: print(words, file=sys.stderr), again=given.again)
    found += findings(results)
    if given.json:
        print(json.dumps(as_json(found, [result.record for result in results if result.record]), indent=1))
    else:
        print(as_text(found, shutil.get_terminal_size((100, 24)).columns))
    return ExitCode.RUNS_FAILED if any(finding.state == "fault" for finding in found) else ExitCode.OK


def as_text(findings: Sequence[MachineFinding], width: int) -> str:
    """One line a finding, remedies below; a closing sentence."""
    broad = max((len(f.subject) for f in findings), default=0)
    lines = []
    for finding in findings:
        head = f"{finding.subject:{broad}}  {WORDS[finding.state]:5}  "
        room, below = max(width, len(head) + 20), " " * len(head)
        lines += wrap(finding.words, room, initial_indent=head, subsequent_indent=below) or [head]
        if finding.remedy:
            lines += wrap(finding.remedy, room, initial_indent=f"{below}> ", subsequent_indent=f"{below}  ")
    faults, notes = (sum(f.state == state for f in findings) for state in ("fault", "note"))
    noted = f"; {plural(notes, 'note')}" if notes else ""
    closing = f"{plural(faults, 'fault')}: something here will fail" if faults else f"nothing stands in the way{noted}"
    return "\n".join([*lines, "", closing])


def as_json(findings: Sequence[MachineFinding], records: Sequence[Any]) -> dict[str, Any]:
    """Findings, and the records of the self-tests as they are kept."""
    faults = any(f.state == "fault" for f in findings)
    return {"ok": not faults, "findings": [encode(f) for f in findings], "self_tests": [encode(r) for r in records]}
