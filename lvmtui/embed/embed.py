"""From texts to a vector file, in shards, so that an interrupted run goes on where it stopped.

`<output>.parts/` holds `settings.json` and one .npz a shard of whole documents, and goes when they are one file.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import lvmtui
from lvmtui.embed.documents import Document, Unit, documents, input_files
from lvmtui.embed.encoder import Encoder
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file, written_beside
from lvmtui.system.filesystem import try_lock
from lvmtui.system.text import sanitise

SHARD_PIECES = 4096
"""Pieces after which a shard is written: minutes of work on a CPU, seconds on a GPU."""
SHORT = 6
"""Pieces below which a document gives no window at the usual context of five."""
Cut = tuple[str, str, list[str]]
"""Title, source and pieces of a document; of an empty one there are none."""


@dataclass(frozen=True)
class EmbedSettings:
    """What decides the vectors. A run may only go on with the settings it began with."""

    model: str
    unit: Unit = "sentences"
    dtype: str = "float32"
    text_field: str = ""
    title_field: str = ""


@dataclass(frozen=True)
class EmbedProgress:
    share: float
    """Of the input's bytes, 0 to 1."""
    documents: int
    vectors: int
    seconds_left: float | None
    """None before the first shard of this run."""


@dataclass(frozen=True)
class Embedded:
    documents: int
    vectors: int
    dim: int
    short: int
    """Documents with fewer than SHORT pieces."""
    empty: int
    """Documents without any piece, which are left out."""
    lengths: tuple[float, float] = (1.0, 1.0)
    """Shortest and longest vector."""


def embed(
    path: Path, output: Path, encoder: Encoder, settings: EmbedSettings, report: Callable[[EmbedProgress], None]
) -> Embedded:
    """Embed the texts at `path` (folder or JSON lines) into the .npz `output`.

    Raises UserError for bad input, for an output that exists, and for shards begun with other settings or texts.
    KeyboardInterrupt loses at most the shard in work.
    """
    if output.exists():
        raise UserError(f"{sanitise(str(output))}: is there already; move it away or choose another name with -o")
    begun = {**asdict(settings), "input": input_files(path)}
    try:
        with _shard_folder(output, begun) as folder:
            _write_shards(path, folder, encoder, settings, report)
            made = _join(folder, output, settings)
            for file in _shards(folder):
                file.unlink()
            return made
    except OSError as error:
        where = sanitise(str(output))
        raise UserError(f"{where}: cannot be written ({error.strerror or error}); choose another -o") from None


@contextmanager
def _shard_folder(output: Path, settings: dict[str, Any]) -> Iterator[Path]:
    """The folder of the shards, which this process alone writes. Raises UserError if it was begun otherwise."""
    folder = output.with_name(f"{output.name}.parts")
    begun = json.loads(json.dumps(settings))
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / ".lock")
    if lock is None:
        raise UserError(f"{sanitise(str(folder))}: another process writes here; wait for it or choose another -o")
    with lock:
        kept = folder / "settings.json"
        try:
            before = json.loads(kept.read_bytes()) if kept.exists() else None
        except ValueError as error:  # it is replaced whole, so somebody else has written it
            raise UserError(f"{kept}: not a JSON document ({error}); restore it or move it away") from None
        if before is None or not _shards(folder):
            replace_file(kept, json.dumps(begun).encode())
        elif before != begun:
            changed = ", ".join(key for key in begun if begun[key] != before.get(key))
            fault = f"was begun with other values of {changed}"
            raise UserError(f"{sanitise(str(folder))}: {fault}; delete it, or choose another -o")
        try:
            yield folder
        finally:
            if not _shards(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.npz"))


def _write_shards(
    path: Path, folder: Path, encoder: Encoder, settings: EmbedSettings, report: Callable[[EmbedProgress], None]
) -> None:
    done = vectors = first_byte = 0
    for file in _shards(folder):
        with np.load(file, allow_pickle=False) as written:
            done, vectors = done + int(written["seen"]), vectors + len(written["vectors"])
    total, began = max(1, sum(size for _, size, _ in input_files(path))), time.monotonic()
    texts = documents(path, text_field=settings.text_field, title_field=settings.title_field)
    for document in islice(texts, done):
        first_byte = document.read
    for number, (shard, read) in enumerate(_cut(texts, settings.unit), start=len(_shards(folder))):
        vectors += _write_shard(folder / f"{number:06d}.npz", shard, encoder, settings)
        done += len(shard)
        worked = read - first_byte
        left = (time.monotonic() - began) * (total - read) / worked if worked > 0 else None
        report(EmbedProgress(read / total, done, vectors, left))


def _cut(texts: Iterable[Document], unit: Unit) -> Iterator[tuple[list[Cut], int]]:
    """The documents of each shard, and the bytes of the input up to its end."""
    shard: list[Cut] = []
    waiting = read = 0
    for document in texts:
        pieces, read = document.pieces(unit), document.read
        shard.append((document.title, document.source, pieces))
        waiting += len(pieces)
        if waiting >= SHARD_PIECES:
            yield shard, read
            shard, waiting = [], 0
    if shard:
        yield shard, read


def _write_shard(file: Path, shard: list[Cut], encoder: Encoder, settings: EmbedSettings) -> int:
    """Returns how many vectors it holds."""
    kept = [document for document in shard if document[2]]
    pieces = [piece for *_, found in kept for piece in found]
    vectors = encoder.encode(pieces) if pieces else np.empty((0, 0), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(pieces):
        fault = f"made {vectors.shape} of {len(pieces)} pieces"
        raise UserError(f"--model {encoder.name}: {fault}; one vector each is needed")
    with np.errstate(over="ignore"):
        stored = vectors.astype(settings.dtype)
    bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
    if len(bad):
        cure = "leave --half out" if settings.dtype == "float16" else "use another model"
        fault = f"the vector of “{sanitise(pieces[bad[0]], 60)}” is not finite in {settings.dtype}"
        raise UserError(f"--model {encoder.name}: {fault}; {cure}")
    with written_beside(file) as beside, beside.open("wb") as out:
        np.savez(
            out,
            vectors=stored,
            counts=np.array([len(found) for *_, found in kept], np.int64),
            titles=np.array([title.encode() for title, *_ in kept], dtype=bytes),
            sources=np.array([source.encode() for _, source, _ in kept], dtype=bytes),
            seen=np.array(len(shard)),
        )
    return len(pieces)


def _join(folder: Path, output: Path, settings: EmbedSettings) -> Embedded:
    """Write the shards into one .npz, with flat memory for the vectors."""
    counts: list[int] = []
    titles: list[bytes] = []
    sources: list[bytes] = []
    seen = dim = 0
    lengths = [np.inf, 0.0]
    for file in _shards(folder):
        with np.load(file, allow_pickle=False) as shard:
            counts += shard["counts"].tolist()
            titles += shard["titles"].tolist()
            sources += shard["sources"].tolist()
            seen += int(shard["seen"])
            vectors = shard["vectors"].astype(np.float32)
            dim = max(dim, vectors.shape[1])
            if len(vectors):
                norms = np.linalg.norm(vectors, axis=1)
                lengths = [min(lengths[0], float(norms.min())), max(lengths[1], float(norms.max()))]
    if not counts:
        raise UserError(f"{sanitise(str(output))}: the texts hold nothing to embed; check the input")
    rows = sum(counts)
    with written_beside(output) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open("vectors.npy", "w", force_zip64=True) as out:
            header = {"descr": np.dtype(settings.dtype).str, "fortran_order": False, "shape": (rows, dim)}
            np.lib.format.write_array_header_1_0(out, header)
            for file in _shards(folder):
                with np.load(file, allow_pickle=False) as shard:
                    out.write(np.ascontiguousarray(shard["vectors"]).tobytes())
        small: dict[str, npt.NDArray[np.generic]] = {
            "article_id": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            "titles": np.array(titles, dtype=bytes),
            "sources": np.array(sources, dtype=bytes),
            "encoder": np.array(settings.model),
            "made_by": np.array(f"lvmtui {lvmtui.__version__} embed, {settings.unit}"),
        }
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as out:
                np.save(out, array, allow_pickle=False)
    short = sum(count < SHORT for count in counts)
    return Embedded(len(counts), rows, dim, short, seen - len(counts), (lengths[0], lengths[1]))
