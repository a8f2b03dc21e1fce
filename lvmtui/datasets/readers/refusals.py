"""Formats that are not read: what they are, and the lines that make a file of them that is.

Each line is run by a test. Ids go along wherever the format has them: without them windows would cross from one article
into the next, and articles could not be held out whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvmtui.datasets.readers.source import shown
from lvmtui.embed.documents import SUFFIXES
from lvmtui.system.errors import UserError


@dataclass(frozen=True)
class Foreign:
    """A format, how to tell it, and the Python lines that convert FILE to FILE.npz."""

    name: str
    lines: str
    starts: tuple[bytes, ...] = ()
    suffixes: tuple[str, ...] = ()


FOREIGN = (
    Foreign(
        "HDF5",
        'import h5py, numpy; f = h5py.File("FILE"); print(list(f))\n'
        'numpy.savez("FILE.npz", vectors=f["VECTORS"][:], article_id=f["IDS"][:])',
        starts=(b"\x89HDF\r\n",),
        suffixes=(".h5", ".hdf5"),
    ),
    Foreign(
        "a torch file",
        'import torch, numpy; f = torch.load("FILE", weights_only=True); print(f.keys())\n'
        'numpy.savez("FILE.npz", vectors=f["VECTORS"].float().numpy(), article_id=f["IDS"].numpy())',
        starts=(b"PK",),
        suffixes=(".pt", ".pth"),
    ),
    Foreign(
        "safetensors",
        'from safetensors.torch import load_file; import numpy; f = load_file("FILE"); print(f.keys())\n'
        'numpy.savez("FILE.npz", vectors=f["VECTORS"].float().numpy(), article_id=f["IDS"].numpy())',
        suffixes=(".safetensors",),
    ),
    Foreign(
        "Zarr",
        'import zarr, numpy; f = zarr.open("FILE", mode="r"); print(list(f))\n'
        'numpy.savez("FILE.npz", vectors=f["VECTORS"][:], article_id=f["IDS"][:])',
        suffixes=(".zarr",),
    ),
    Foreign(
        "fvecs",
        'import numpy; a = numpy.fromfile("FILE", "int32"); dim = int(a[0])\n'
        'numpy.savez("FILE.npz", vectors=a.reshape(-1, dim + 1)[:, 1:].copy().view("float32"), '
        'article_id=numpy.load("IDS"))',
        suffixes=(".fvecs",),
    ),
    Foreign(
        "a pickle",
        'import pickle, numpy; f = pickle.load(open("FILE", "rb"))  # runs code in it: only for files of your own\n'
        'numpy.savez("FILE.npz", vectors=numpy.asarray(f["VECTORS"], "float32"), article_id=numpy.asarray(f["IDS"]))',
        starts=(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        suffixes=(".pkl", ".pickle"),
    ),
    Foreign(
        "JSON lines",
        'import json, numpy; rows = [json.loads(line) for line in open("FILE")]\n'
        'numpy.savez("FILE.npz", vectors=numpy.array([r["VECTORS"] for r in rows], "float32"), '
        'article_id=numpy.array([str(r["IDS"]) for r in rows]))',
        starts=(b"{",),
        suffixes=(".jsonl", ".ndjson", ".json"),
    ),
    Foreign(
        "CSV",
        'import numpy; a = numpy.genfromtxt("FILE", delimiter=",", skip_header=1)  # the id first, then the numbers\n'
        'numpy.savez("FILE.npz", vectors=a[:, 1:].astype("float32"), article_id=a[:, 0].astype("int64"))',
        suffixes=(".csv", ".tsv"),
    ),
    Foreign(
        "numbers without a header",
        'import numpy; a = numpy.fromfile("FILE", "float32").reshape(-1, DIM)\n'
        'numpy.savez("FILE.npz", vectors=a, article_id=numpy.load("IDS"))',
        suffixes=(".bin", ".raw", ".dat", ".f32", ".f16", ".mmap", ".memmap"),
    ),
)


def refusal(path: Path, start: bytes) -> UserError:
    """The error for a file that is not read; `start` are its first bytes."""
    suffix = path.suffix.lower()
    found = next((f for f in FOREIGN if suffix in f.suffixes), None)
    found = found or next((f for f in FOREIGN if start.startswith(f.starts)), None)
    if found is None and suffix in SUFFIXES:
        return _texts(path, "a text")
    if found is None:
        return UserError(
            f"{shown(path)}: neither .npz, .npy, Parquet nor Arrow; save the vectors with numpy.savez or numpy.save"
        )
    return _error(path, found)


def refused_folder(path: Path) -> UserError:
    """The error for a folder without anything that is read."""
    if any((path / name).exists() for name in (".zgroup", ".zarray", "zarr.json")):
        return _error(path, next(f for f in FOREIGN if f.name == "Zarr"))
    if any(p.suffix.lower() in SUFFIXES for p in path.rglob("*")):
        return _texts(path, "a folder of texts")
    return UserError(
        f"{shown(path)}: a folder without .npy, .parquet or .arrow files; name the file with the vectors, "
        "or a folder with a file for each document"
    )


def _texts(path: Path, what: str) -> UserError:
    name = shown(path)
    return UserError(f"{name}: {what}; make vectors of it with 'lvmtui embed {name} --model MODEL -o vectors.npz'")


def _error(path: Path, found: Foreign) -> UserError:
    name = shown(path)
    lines = found.lines.replace("FILE", name).replace("\n", "\n    ")
    return UserError(
        f"{name}: {found.name}, which is not read; make an .npz of it in Python, with the names of your data in place "
        f"of those in capitals:\n    {lines}"
    )
