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
    opens: str
    vectors: str
    ids: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...] = ()


HDF5 = 'import h5py, numpy; f = h5py.File("FILE"); print(list(f))'
TORCH = 'import torch, numpy; f = torch.load("FILE", weights_only=True); print(f.keys())'
SAFETENSORS = 'from safetensors.torch import load_file; import numpy; f = load_file("FILE"); print(f.keys())'
ZARR = 'import zarr, numpy; f = zarr.open("FILE", mode="r"); print(list(f))'
FVECS = 'import numpy; a = numpy.fromfile("FILE", "int32"); dim = int(a[0])'
PICKLE = 'import pickle, numpy; f = pickle.load(open("FILE", "rb"))  # runs code in it: only for files of your own'
JSON_LINES = 'import json, numpy; rows = [json.loads(line) for line in open("FILE")]'
CSV = 'import numpy; a = numpy.genfromtxt("FILE", delimiter=",", skip_header=1)  # the id first, then the numbers'
BARE = 'import numpy; a = numpy.fromfile("FILE", "float32").reshape(-1, DIM)'
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
NUMBERS = (".bin", ".raw", ".dat", ".f32", ".f16", ".mmap", ".memmap")
WHOLE = 'f["VECTORS"][:]', 'f["IDS"][:]'
TENSORS = 'f["VECTORS"].float().numpy()', 'f["IDS"].numpy()'
ARRAYS = 'numpy.asarray(f["VECTORS"], "float32")', 'numpy.asarray(f["IDS"])'
PARSED = 'numpy.array([r["VECTORS"] for r in rows], "float32")', 'numpy.array([str(r["IDS"]) for r in rows])'
FRAMED = 'a.reshape(-1, dim + 1)[:, 1:].copy().view("float32")', 'numpy.load("IDS")'
COLUMNS = 'a[:, 1:].astype("float32")', 'a[:, 0].astype("int64")'

FOREIGN = (
    Foreign("HDF5", HDF5, *WHOLE, (".h5", ".hdf5"), (b"\x89HDF\r\n",)),
    Foreign("a torch file", TORCH, *TENSORS, (".pt", ".pth"), (b"PK",)),
    Foreign("safetensors", SAFETENSORS, *TENSORS, (".safetensors",)),
    Foreign("Zarr", ZARR, *WHOLE, (".zarr",)),
    Foreign("fvecs", FVECS, *FRAMED, (".fvecs",)),
    Foreign("a pickle", PICKLE, *ARRAYS, (".pkl", ".pickle"), PICKLES),
    Foreign("JSON lines", JSON_LINES, *PARSED, (".jsonl", ".ndjson", ".json"), (b"{",)),
    Foreign("CSV", CSV, *COLUMNS, (".csv", ".tsv")),
    Foreign("numbers without a header", BARE, "a", 'numpy.load("IDS")', NUMBERS),
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
    saves = f'numpy.savez("FILE.npz", vectors={found.vectors}, article_id={found.ids})'
    lines = f"{found.opens}\n    {saves}".replace("FILE", name)
    return UserError(
        f"{name}: {found.name}, which is not read; make an .npz of it in Python, with the names of your data in place "
        f"of those in capitals:\n    {lines}"
    )
