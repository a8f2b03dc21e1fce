"""`python -P -m trainers.selftest [--device auto]`: test a device, print the record as JSON, keep it.

Words go to stderr while it works. Exit code 0: everything holds; 1: something failed, and trainers work around it as
far as they can; 2: there is no such device.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace

from lvmtui.formats.json_codec import encode
from lvmtui.formats.selftest import write_record
from lvmtui.system.errors import UserError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -P -m trainers.selftest", description=__doc__)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, mps or auto")
    parser.add_argument("--pace", metavar="MODEL", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)

    from lvmtui.models import REFERENCE
    from trainers.cuda_graph import CannotRecord, recorder
    from trainers.device import choose_device
    from trainers.process import NO_GRAPH, without_graphs
    from trainers.selftest.bench import Bench, pace, spec_for
    from trainers.selftest.examine import examine

    try:
        device = choose_device(replace(spec_for("amn", "small", 64, REFERENCE, 1), device=given.device))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    why_no_graph = os.environ.get(NO_GRAPH, "")
    bench = Bench(device, (lambda device: None) if why_no_graph else recorder)
    if given.pace:
        pace(bench, given.pace)
        return 0
    try:
        found = examine(bench, why_no_graph, lambda words: print(words, file=sys.stderr, flush=True))
    except CannotRecord as error:
        without_graphs(str(error))
    print(json.dumps(encode(found), indent=1))
    with suppress(OSError):  # a home that cannot be written: it is tested again next time
        write_record(found)
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
