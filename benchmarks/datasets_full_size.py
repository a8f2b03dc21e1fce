"""Vectors at the original's full size: time and memory of everything the datasets room does with them.

Makes its own files: a random walk on the sphere of 232,605 x 768 as a sequence file (each vector stands in it six
times, 4.3 GB, 1.3 GB packed), and its first 80,634 vectors as the baseline's. Each step runs in a process of its own,
which reports its seconds and the most memory it ever had.

    python benchmarks/datasets_full_size.py [FOLDER]        default: a temporary folder; takes about ten minutes
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from command_line import parser_of

BASELINE, EXPANDED, DIM = 80_634, 232_605, 768
CONTEXT = 5
COHERENCE = 0.6
"""Cosine of neighbours; sentences of one article have about .4."""


def walk(rows: int, dim: int = DIM) -> np.ndarray:
    """A random walk on the unit sphere, (rows, dim) float32."""
    random = np.random.default_rng(0)
    out = np.empty((rows, dim), np.float32)
    here = random.standard_normal(dim)
    here /= np.linalg.norm(here)
    for row in range(rows):
        step = random.standard_normal(dim)
        here = COHERENCE * here + np.sqrt(1 - COHERENCE**2) * step / np.linalg.norm(step)
        here /= np.linalg.norm(here)
        out[row] = here
    return out


def write_arrays(folder: Path) -> tuple[Path, Path]:
    """The baseline's and the expanded vectors as .npy files in the folder, made where they are not there yet."""
    small, large = folder / "small.npy", folder / "large.npy"
    if not large.exists():
        vectors = walk(EXPANDED)
        np.save(small, vectors[:BASELINE])
        np.save(large, vectors)
    return small, large


def write_sequences(path: Path, vectors: np.ndarray) -> None:
    """The original's form, packed as numpy.savez_compressed does, without ever holding it in memory."""
    windows = len(vectors) - CONTEXT
    shapes = {
        "context_sequences": (windows, CONTEXT, vectors.shape[1]),
        "target_vectors": (windows, vectors.shape[1]),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in shapes.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(out, header)
                for first in range(0, windows, 512):
                    starts = np.arange(first, min(first + 512, windows))
                    rows = starts[:, None] + np.arange(CONTEXT) if len(shape) == 3 else starts + CONTEXT
                    out.write(vectors[rows].tobytes())


CHECK = "from lvmtui.datasets.check import check_files; from lvmtui.datasets.check_text import check_as_text;"
STEPS = {
    "convert": "from lvmtui.datasets.convert import convert; s = convert(B, W); print(s.vectors.shape, s.facts.kind)",
    "convert baseline": "from lvmtui.datasets.convert import convert; s = convert(A, W); print(s.vectors.shape)",
    "open again": "from lvmtui.datasets.convert import convert; convert(B, W)",
    "check one file": f"{CHECK} print(check_as_text(check_files([B], W)))",
    "check both": f"{CHECK} print(check_as_text(check_files([A, B], W)))",
    "draw and write the split": (
        "from lvmtui.datasets.draw import draw_folds; from lvmtui.datasets.arm import file_arm;"
        "(s,) = draw_folds(file_arm('baseline', A, W), file_arm('expanded', B, W), seed=0, folds=None);"
        "s.write(W / 'split');"
        "print(s.facts.windows, s.facts.clusters, s.facts.effective_clusters, s.facts.baseline, s.facts.expanded)"
    ),
    "prove it": (
        "from lvmtui.datasets.convert import convert; from lvmtui.datasets.proof import prove;"
        "print(prove(W / 'split', {'baseline': convert(A, W), 'expanded': convert(B, W)}))"
    ),
    "hit@k of 23,260 windows among as many candidates": (
        "from lvmtui.datasets.convert import convert; from lvmtui.datasets.scores import score;"
        "from trainers.evaluate import counting; import torch; torch.set_num_threads(1); cpu = torch.device('cpu');"
        "v = numpy.array(convert(B, W).vectors[:23265]); starts = numpy.arange(23260);"
        "s = score(v[starts + 4], v, starts, 5, lambda c: counting(c, cpu)); print(s.cosine, s.hit(1), s.hit(10))"
    ),
    "trivial baselines, expanded": (
        "from lvmtui.datasets.convert import convert; from lvmtui.datasets.split import read_split;"
        "from lvmtui.datasets.baselines import measure;"
        "s = read_split(W / 'split'); d, _ = measure('expanded', convert(B, W), s.expanded, s.heldout);"
        "print({k: round(v.cosine, 4) for k, v in d.scores.items()}, d.recency_weights, d.ridge_strength)"
    ),
}
RUN = """
import resource, sys, time
from pathlib import Path
import numpy
A, B, W = (Path(p) for p in sys.argv[1:])
began = time.perf_counter()
{step}
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(f"   {{seconds:.2f}} s, at most {{peak:.2f}} GB")
"""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    if folder:
        measure(folder)
    else:
        with tempfile.TemporaryDirectory(prefix="full-size-") as temporary:
            measure(Path(temporary))
    print(f"this process: at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def measure(folder: Path) -> None:
    """Make the files where they are not there yet, and print what each step takes."""
    small, large = folder / "baseline.npz", folder / "expanded.npz"
    if not large.exists():
        began = time.perf_counter()
        vectors = walk(EXPANDED)
        write_sequences(small, vectors[:BASELINE])
        write_sequences(large, vectors)
        print(f"made {small.stat().st_size / 1e9:.2f} and {large.stat().st_size / 1e9:.2f} GB", end=" ")
        print(f"in {time.perf_counter() - began:.0f} s", flush=True)
    for name, step in STEPS.items():
        print(f"{name}:", flush=True)
        code = RUN.format(step=step)
        subprocess.run([sys.executable, "-c", code, str(small), str(large), str(folder / "workspace")], check=True)


if __name__ == "__main__":
    main()
