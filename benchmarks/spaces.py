"""How often a file of one space is told as two, and how often rows of another space are found, by the width of vectors.

The bundled articles with fewer numbers: on their main directions (what a PCA keeps; the hard case, as each direction is
a topic) and on directions at random. In orders that files have (as written, at random), and sorted along a main
direction, as no file is. Each is cut in four ways into a baseline and new rows; the last articles may be rotated.

    python benchmarks/spaces.py
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from command_line import parser_of

from lvmtui.datasets.arm import Arm, arm_of, bundled_arms
from lvmtui.datasets.convert import convert
from lvmtui.datasets.spaces import compare_spaces, main_directions

WIDTHS = (64, 128, 192, 256, 384)
CUTS = (0.05, 0.2, 0.5, 0.75)
"""Share of the articles that the baseline has."""
ROTATED = (0.0, 0.1, 0.25)
"""Share of all articles that are of another space; where none is, what is told is a false alarm."""

Articles = list[np.ndarray]


def narrow(articles: Articles, directions: np.ndarray) -> Articles:
    """On the directions (D, K), at length 1 again."""
    parts = [article @ directions for article in articles]
    return [np.asarray(part / np.linalg.norm(part, axis=1, keepdims=True), np.float32) for part in parts]


def orders(articles: Articles) -> Iterator[tuple[str, np.ndarray]]:
    means = np.stack([article.mean(axis=0) for article in articles])
    main = main_directions(np.concatenate(articles), 4)
    yield "as files are", np.arange(len(articles))
    for seed in range(2):
        yield "as files are", np.random.default_rng(seed).permutation(len(articles))
    for direction in (1, 2, 3):
        yield "sorted", np.argsort(means @ main[:, direction])


def arms_of(articles: Articles, at: Path) -> Iterator[tuple[Arm, Arm]]:
    """The arms of each cut."""
    file = at / "vectors.npz"
    sizes = np.array([len(a) for a in articles])
    np.savez(file, vectors=np.concatenate(articles), article_id=np.repeat(np.arange(len(articles)), sizes))
    store = convert(file, at)
    for cut in CUTS:
        first = int(sizes[: int(cut * len(sizes))].sum())
        yield arm_of("baseline", str(file), store, (0, first)), arm_of("expanded", str(file), store)


def told(baseline: Arm, expanded: Arm) -> str:
    new = np.arange(expanded.vectors) >= baseline.vectors
    facts = compare_spaces(baseline, expanded, new)
    return "not tested" if not facts.tested else "told" if facts.elsewhere else "not told"


def main() -> None:
    parser_of(__doc__).parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        every = bundled_arms(Path(folder))[1].open()
        assert every.article_of is not None
        articles = np.split(np.array(every.vectors), np.flatnonzero(np.diff(every.article_of)) + 1)
        wide = every.vectors.shape[1]
        print("| numbers | kept | order | rotated | told | not told | not tested |\n|---:|---|---|---:|---:|---:|---:|")
        for width in WIDTHS:
            main = main_directions(np.concatenate(articles), width)
            some = np.linalg.qr(random.standard_normal((wide, width)))[0]
            turn = np.linalg.qr(random.standard_normal((width, width)))[0]
            for kept, directions in (("main", main), ("random", some)):
                found: dict[tuple[str, float], Counter[str]] = {}
                narrowed = narrow(articles, directions)
                for name, order in orders(narrowed):
                    ordered = [narrowed[i] for i in order]
                    for share in ROTATED:
                        same = round((1 - share) * len(ordered))
                        with tempfile.TemporaryDirectory() as at:
                            parts = [*ordered[:same], *(np.asarray(a @ turn, np.float32) for a in ordered[same:])]
                            counts = Counter(told(*arms) for arms in arms_of(parts, Path(at)))
                        found.setdefault((name, share), Counter()).update(counts)
                for (name, share), counts in sorted(found.items()):
                    figures = " | ".join(str(counts[word]) for word in ("told", "not told", "not tested"))
                    print(f"| {width} | {kept} | {name} | {share:.0%} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
