"""`lvmtui doctor`: look at the machine, test its devices, print what was found."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from lvmtui.doctor.devices import devices, findings, self_tests_of
from lvmtui.doctor.machine import look_at_machine
from lvmtui.doctor.page import as_json, as_text
from lvmtui.system.torch_build import torch_build


def doctor(given: argparse.Namespace, workspace: Path) -> bool:
    """Print the page, or JSON. True if nothing that was found will fail."""
    found = look_at_machine(workspace)
    wanted = devices() if torch_build().version else ()
    results = self_tests_of(wanted, lambda words: print(words, file=sys.stderr), again=given.again)
    found += findings(results)
    if given.json:
        print(json.dumps(as_json(found, [result.record for result in results if result.record]), indent=1))
    else:
        print(as_text(found, shutil.get_terminal_size((100, 24)).columns))
    return all(finding.state != "fault" for finding in found)
