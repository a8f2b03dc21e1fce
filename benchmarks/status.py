"""How long `lvmtui status` takes, as a whole process: goal 0.4 s.

python benchmarks/status.py WORKSPACE
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

from command_line import parser_of

RUNS = 15


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("workspace")
    command = [sys.executable, "-P", "-m", "lvmtui", "status", "--workspace", parser.parse_args().workspace]
    bare = [sys.executable, "-P", "-c", "pass"]
    for name, each in (("lvmtui status", command), ("python -c pass", bare)) * 2:
        walls = []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(RUNS):
            began = time.monotonic()
            subprocess.run(each, stdout=subprocess.DEVNULL, check=True)
            walls.append(time.monotonic() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / RUNS
        print(f"{name:<16} wall median {statistics.median(walls):.3f} s, CPU mean {cpu:.3f} s")


if __name__ == "__main__":
    main()
