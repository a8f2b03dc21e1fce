"""How sure `lvmtui check` is that the rows of a file are in no order: its measure on bundled vectors.

The measure is how much more alike neighbours are than any two vectors, in standard deviations of the cosine of any two.
It is taken on stretches of the bundled articles, in order and shuffled, and of as many vectors from anywhere.

    python benchmarks/search_sets.py

Figures of 200 stretches each (smallest, largest):

    rows      in order      shuffled        from anywhere
    500       1.12, 3.67    -.10, .11       -.11, .13
    2,000     2.60, 3.92    -.07, .09       -.06, .06

The threshold is .3 (`UNORDERED`). Files of fewer than 500 windows get another note and no word about their order.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from command_line import parser_of

from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.check import chance_of
from lvmtui.datasets.readers.source import Floats
from lvmtui.formats.data_facts import UNORDERED

STRETCHES = 200


def measure(rows: Floats) -> float:
    """How much more alike neighbours of `rows` (N, D) are than any two, in standard deviations."""
    chance, spread = chance_of(rows, (0, len(rows)))
    return (float(np.einsum("nd,nd->n", rows[:-1], rows[1:]).mean()) - chance) / spread


def main() -> int:
    parser_of(__doc__).parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        vectors = np.array(bundled_arms(Path(folder))[1].open().vectors)
    for rows in (500, 2_000):
        for name in ("in order", "shuffled", "from anywhere"):
            found = []
            for _ in range(STRETCHES):
                first = random.integers(0, len(vectors) - rows + 1)
                chosen = np.arange(first, first + rows)
                if name == "shuffled":
                    chosen = random.permutation(chosen)
                elif name == "from anywhere":
                    chosen = random.permutation(len(vectors))[:rows]
                found.append(measure(vectors[chosen]))
            wrong = sum((one < UNORDERED) == (name == "in order") for one in found)
            print(f"{rows:6,} {name:14} {min(found):6.2f} to {max(found):5.2f}, wrong {wrong} of {STRETCHES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
