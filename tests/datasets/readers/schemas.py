"""Vector files as public projects of this field save them, each made small: what a person would bring.

The same five articles are behind all of them, so what each must be read as is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lvmtui.formats.spec import Reading
from tests.datasets.making import walk

DIM = 16
LENGTHS = (9, 30, 12, 25, 14)
ARTICLES = [walk(length, seed=40 + i, dim=DIM) for i, length in enumerate(LENGTHS)]
VECTORS = np.concatenate(ARTICLES)
IDS = np.repeat([11, 4, 7, 2, 30], LENGTHS)
PLACES = np.concatenate([np.arange(length) for length in LENGTHS])
SHUFFLED = np.random.default_rng(3).permutation(len(VECTORS))


@dataclass(frozen=True)
class Schema:
    """A kind of file."""

    make: Callable[[Path], Path]
    """Writes it into a folder and returns its path."""
    reading: Reading = Reading()
    articles: bool = True
    """Its articles are known."""
    notes: tuple[str, ...] = ()
    """Words that its notes must have."""
    same_rows: bool = True
    """Its rows are VECTORS, in that order."""
    whole: bool = True
    """It has all vectors of each article; otherwise the first is missing where their number is odd."""


def npz(**arrays: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "vectors.npz", **arrays)
        return folder / "vectors.npz"

    return make


def npy(array: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.save(folder / "vectors.npy", array)
        return folder / "vectors.npy"

    return make


def _windows(context: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contexts, targets and article of windows that end with the last vector of each article."""
    cut, ids = [], []
    for number, article in zip(IDS[np.cumsum(LENGTHS) - 1], ARTICLES, strict=True):
        first = (len(article) - context - 1) % stride
        own = [article[at : at + context + 1] for at in range(first, len(article) - context, stride)]
        cut += own
        ids += [number] * len(own)
    windows = np.stack(cut)
    return windows[:, :-1], windows[:, -1], np.array(ids)


def _sequences(context: int, stride: int, names: tuple[str, str], ids: str = "", **more: Any) -> Callable[[Path], Path]:
    contexts, targets, of = _windows(context, stride)
    named: dict[str, Any] = {ids: of} if ids else {}
    return npz(**{names[0]: contexts, names[1]: targets}, **named, **more)


def table(rows: np.ndarray | None = None, *, suffix: str = "parquet", shards: int = 1, **columns: Any) -> Any:
    """A table of vectors; `columns` maps names to values a row, `emb` and all are put in the order of `rows`."""

    def make(folder: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        order = np.arange(len(VECTORS)) if rows is None else rows
        made = pa.table({name: [values[i] for i in order] for name, values in columns.items()})
        target = folder / ("vectors" if shards > 1 else f"vectors.{suffix}")
        if shards > 1:
            target.mkdir()
        for shard in range(shards):
            first, last = (len(made) * at // shards for at in (shard, shard + 1))
            part = made.slice(first, last - first)
            path = target / f"part-{shard}.{suffix}" if shards > 1 else target
            if suffix == "parquet":
                parquet.write_table(part, path, row_group_size=17)
            else:
                with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, part.schema) as writer:
                    writer.write_table(part, max_chunksize=13)
        return target

    return make


def _documents(fixed: bool) -> Callable[[Path], Path]:
    """A row a document, as large concept models keep them."""

    def make(folder: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        inner = pa.list_(pa.float32(), DIM) if fixed else pa.list_(pa.float32())
        cells = pa.array([article.tolist() for article in ARTICLES], pa.list_(inner))
        made = pa.table({"url": [f"https://x/{i}" for i in range(5)], "text_sentences_emb": cells})
        parquet.write_table(made, folder / "a.parquet")
        return folder / "a.parquet"

    return make


def _folder(folder: Path) -> Path:
    made = folder / "documents"
    made.mkdir()
    for number, article in enumerate(ARTICLES):
        np.save(made / f"document {number + 8}.npy", article)  # 8, 9, 10, 11, 12: not the order of the letters
    (made / "README.txt").write_text("made by us")
    return made


def _padded() -> np.ndarray:
    padded = np.zeros((5, max(LENGTHS), DIM), np.float32)
    for entry, article in zip(padded, ARTICLES, strict=True):
        entry[: len(article)] = article
    return padded


ROWS = list(VECTORS.astype(np.float32))
SCHEMAS: dict[str, Schema] = {
    "vectors, article_id": Schema(npz(vectors=VECTORS, article_id=IDS)),
    "vectors, article_ids as text": Schema(npz(vectors=VECTORS, article_ids=IDS.astype(str))),
    "vectors, article_indices as int64 column": Schema(npz(vectors=VECTORS, article_indices=IDS[:, None])),
    "vectors, doc_ids as floats": Schema(npz(vectors=VECTORS, doc_ids=IDS.astype(float))),
    "vectors, doc_id as hashes": Schema(npz(vectors=VECTORS, doc_id=(IDS.astype(np.uint64) << np.uint64(40)))),
    "embeddings, document_ids, pickled metadata": Schema(
        npz(embeddings=VECTORS, document_ids=IDS, metadata=np.array([{}], object)),
        notes=("embeddings as vectors", "not read: metadata"),
    ),
    "float16, stored by columns": Schema(npz(vectors=np.asfortranarray(VECTORS), article_id=IDS)),
    "two arrays, named": Schema(
        npz(title_emb=VECTORS[:5], text_emb=VECTORS, article_id=IDS),
        Reading("text_emb"),
        notes=("not read: title_emb",),
    ),
    "shuffled rows with ids": Schema(
        npz(vectors=VECTORS[SHUFFLED], article_id=IDS[SHUFFLED]), notes=("were grouped",), same_rows=False
    ),
    "context_sequences of five": Schema(_sequences(5, 1, ("context_sequences", "target_vectors")), articles=False),
    "contexts and targets of three, with ids": Schema(_sequences(3, 1, ("contexts", "targets"), "article_ids")),
    "context_vectors of eight": Schema(_sequences(8, 1, ("context_vectors", "target_vectors")), articles=False),
    "train_context_sequences and validation": Schema(
        _sequences(
            5, 1, ("train_context_sequences", "train_target_vectors"), val_context_sequences=np.zeros((2, 5, 9))
        ),
        articles=False,
        notes=("not read: val_context_sequences",),
    ),
    "X_train, Y_train": Schema(_sequences(5, 1, ("X_train", "Y_train")), articles=False),
    "windows of five, every second": Schema(
        _sequences(5, 2, ("context_sequences", "target_vectors"), "article_id"), same_rows=False, whole=False
    ),
    "documents filled up with zeros, .npy": Schema(npy(_padded()), notes=("filled up with zero rows",)),
    "documents filled up with zeros, .npz": Schema(npz(sentences=_padded()), notes=("filled up with zero rows",)),
    "one sequence, .npy": Schema(npy(VECTORS), articles=False),
    "a folder of .npy": Schema(_folder, notes=("each of the 5 files is one document", "not read: files of .txt")),
    "parquet with wiki_id and paragraph_id": Schema(
        table(
            id=[str(i) for i in range(len(ROWS))],
            title=[f"Title {i}" for i in IDS],
            wiki_id=IDS.tolist(),
            paragraph_id=PLACES.tolist(),
            emb=ROWS,
        ),
        notes=("vectors emb, article wiki_id, order paragraph_id, title title", "not read: id"),
    ),
    "vectors, in another order by page": Schema(
        npz(vectors=VECTORS[SHUFFLED], article_id=IDS[SHUFFLED], page=PLACES[SHUFFLED].astype(float)),
        Reading(order="page"),
        notes=("were grouped", "put in the order of page"),
        same_rows=False,
    ),
    "vectors, in another order": Schema(
        npz(vectors=VECTORS[SHUFFLED], article_id=IDS[SHUFFLED], chunk_index=PLACES[SHUFFLED]),
        notes=("read: chunk_index as order", "were grouped", "put in the order of chunk_index"),
        same_rows=False,
    ),
    "parquet in another order": Schema(
        table(SHUFFLED, wiki_id=IDS.tolist(), paragraph_id=PLACES.tolist(), emb=ROWS),
        notes=("were grouped", "put in the order of paragraph_id"),
        same_rows=False,
    ),
    "parquet in another order by chunk": Schema(
        table(SHUFFLED, doc=IDS.tolist(), chunk=PLACES.tolist(), embedding=ROWS),
        notes=("order chunk", "put in the order of chunk"),
        same_rows=False,
    ),
    "parquet with the text of each chunk": Schema(
        table(doc=IDS.tolist(), chunk=[f"text {place}" for place in PLACES], embedding=ROWS),
        notes=("not read: chunk",),
    ),
    "parquet shards with a split column": Schema(
        table(shards=3, doc_id=[str(i) for i in IDS], split=["train"] * len(ROWS), embedding=ROWS),
        notes=("the column split is not used",),
    ),
    "arrow": Schema(table(suffix="arrow", doc_id=IDS.tolist(), vector=ROWS)),
    "parquet, a row a document": Schema(_documents(fixed=False), notes=("one row is one document",)),
    "parquet, a row a document, fixed size": Schema(_documents(fixed=True), notes=("one row is one document",)),
    "parquet, columns named": Schema(
        table(a=ROWS, b=[row * 2 for row in ROWS], page=IDS.tolist(), at=PLACES.tolist()),
        Reading("a", "page", "at"),
        notes=("not read: b",),
    ),
}
