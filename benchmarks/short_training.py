"""Whether small data is trained for long enough: the change between two small files, by the number of updates.

    python benchmarks/short_training.py WORKSPACE [--models amn gru] [--seeds 1 2]

Two pairs of files are cut from the bundled vectors. `articles`: 8 % and 25 % of the articles, whole. `stretches`: 150
and 283 stretches of 10 to 30 vectors, each named as an article of its own, in the 192 directions of largest variance;
what is held out resembles what is trained on, so there is more to learn. Each pair is trained by `tuned` with
`--epochs 3`, as it is, and with `--epochs 20`. What is there already is not trained again. The goal: as it is, a change
is within its interval of that of twenty epochs, and no arm's cosine is more than .001 below it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from command_line import parser_of

import lvmtui
from lvmtui.datasets.arm import bundled_arms
from lvmtui.system.numbers import cosine, percent
from lvmtui.verdict.words import interval_words

LENGTHS = ("--epochs 3", "", "--epochs 20")
DIM = 192

Chunks = list[npt.NDArray[np.int64]]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--models", nargs="+", default=["amn", "gru"])
    parser.add_argument("--seeds", nargs="+", default=["1", "2"])
    given = parser.parse_args()
    given.workspace.mkdir(parents=True, exist_ok=True)
    print("| data | trained with | updates | model | small | large | change |\n|---|---|---:|---|---:|---:|---:|")
    for name, files in cut(given.workspace).items():
        for length in LENGTHS:
            place = given.workspace / f"{name}{length.replace('--epochs ', '_')}"
            if not place.exists():
                place.mkdir()
                command = [sys.executable, "-m", "lvmtui", "run", "--baseline", files[0], "--expanded", files[1]]
                command += ["--models", *given.models, "--seeds", *given.seeds, "--no-folds", "--yes", *length.split()]
                subprocess.run([*command, "--workspace", str(place)], check=True, stdout=subprocess.DEVNULL)
            campaign = lvmtui.open(place).newest
            (steps,) = {run.total_steps for run in campaign.report.runs}
            for row in campaign.report.table.rows:
                figures = cosine(row.baseline.cosine), cosine(row.expanded.cosine)
                change = f"{percent(row.change)} {interval_words(row.interval)}"
                print("|", " | ".join([name, length or "as it is", str(steps), row.title, *figures, change]), "|")


def cut(workspace: Path) -> dict[str, tuple[str, str]]:
    """The files of each pair, written where they are not there yet."""
    store = bundled_arms(workspace)[1].open()
    vectors, article = np.asarray(store.vectors), np.asarray(store.article_of)
    random = np.random.default_rng(0)
    whole = [np.flatnonzero(article == one) for one in random.permutation(np.unique(article))]
    stretches: Chunks = []
    for rows in whole:
        borders = np.cumsum(random.integers(10, 31, size=3))
        stretches += [part for part in np.split(rows, borders)[:3] if len(part) >= 10]
    order = random.permutation(len(stretches))
    narrow = vectors @ np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[2][:DIM].T
    pairs: dict[str, tuple[npt.NDArray[np.float32], Chunks, tuple[int, int]]] = {
        "articles": (vectors, whole, (len(whole) * 8 // 100, len(whole) // 4)),
        "stretches": (narrow, [stretches[i] for i in order], (150, len(order))),
    }
    files = {name: (str(workspace / f"{name}_small.npz"), str(workspace / f"{name}_large.npz")) for name in pairs}
    for name, (found, chunks, counts) in pairs.items():
        for path, count in zip(files[name], counts, strict=True):
            rows = np.concatenate(chunks[:count])
            names = np.concatenate([np.full(len(chunk), chunk[0]) for chunk in chunks[:count]])
            unit = found[rows] / np.linalg.norm(found[rows], axis=1, keepdims=True)
            np.savez(path, vectors=unit.astype(np.float32), article_id=names)
    return files


if __name__ == "__main__":
    main()
