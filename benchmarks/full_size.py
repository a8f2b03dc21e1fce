"""The original's job: five models at full size on 80,629 and on 232,600 sequences, and what the time went to.

    python benchmarks/full_size.py [FOLDER] [--device cuda] [--recipe reference] [OPTIONS OF lvmtui run...]

On vectors of its own (a random walk on the sphere of 232,605 x 768 and its first third), made in FOLDER once. Goals on
one H200: with the reference recipe the expanded arm's runs under 5 minutes together (143 on the original's machine),
with the tuned one both arms under 2. `--models amn --epochs 0.1 --size small` shows on any machine that it works.
"""

from __future__ import annotations

import sys

from command_line import folder_and_options
from datasets_full_size import write_arrays
from demo import timed


def main(arguments: list[str]) -> int:
    root, options = folder_and_options(arguments, __doc__)
    small, large = write_arrays(root)
    return timed(root, "run", "--baseline", str(small), "--expanded", str(large), *options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
