"""Parquet and Arrow tables in the forms of `docs/data.md`, read by row group with pyarrow.

Which column is what is guessed from types and names, said in the notes, and can be named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers import articles, source
from lvmtui.datasets.readers.npy import read_errors
from lvmtui.formats.spec import TABLE_FILES, Reading
from lvmtui.system.errors import UserError
from lvmtui.system.files import files_below
from lvmtui.system.text import sanitise

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET, ARROW = MAGIC = (b"PAR1", b"ARROW1")
NEEDS = "reading Parquet and Arrow files needs pyarrow; run pip install 'lvmtui[parquet]'"


@dataclass(frozen=True)
class Columns:
    """Which column is what; empty: there is none."""

    vectors: str
    documents: bool
    """A row is a document: its cell is a list of vectors."""
    article: str = ""
    order: str = ""
    title: str = ""
    split: str = ""


class ParquetSource:
    """Vectors in Parquet or Arrow files."""

    def __init__(self, path: Path, reading: Reading) -> None:
        """Read the footers. Raises UserError where pyarrow is missing or a file is not as it must be."""
        self._files = _files(path)
        self._path = path
        with read_errors(path), _opened(self._files[0]) as table:
            schema = table.schema
        self.columns, notes = choose_columns(source.shown(path), schema, reading)
        counts = [self._rows_of(file, schema) for file in self._files]
        rows = int(self._document_lengths.sum()) if self.columns.documents else sum(counts)
        if not rows:
            raise UserError(f"{source.shown(path)}: has no rows; make the file again")
        kind: source.FileKind = "documents" if self.columns.documents else "vectors"
        self.facts = source.SourceFacts(path, kind, rows, self._dim(schema), notes=tuple(notes))

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.columns).encode())
        for file in self._files:
            with read_errors(file), file.open("rb") as plain:
                digest.update(hashlib.file_digest(plain, "sha256").digest())
        return digest.hexdigest()

    def blocks(self) -> Iterator[source.Floats]:
        """Yield the vectors (b, D) in the order of the file."""
        rows = max(1, source.BLOCK_BYTES // (4 * self.facts.dim))
        row = 0
        for cells in self._cells(self.columns.vectors, 64 if self.columns.documents else rows):
            yield self._numbers(cells, row)
            row += len(cells)

    @cached_property
    def articles(self) -> articles.Articles:
        """The articles, and where the rows go where they do not stand together."""
        columns = self.columns
        if columns.documents:
            lengths = self._document_lengths
            return articles.Articles(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths), tuple(self._titles()))
        if not columns.article:
            return articles.Articles()
        file, rows = source.shown(self._path), self.facts.rows
        ids = (_ids(cells, file, columns.article) for cells in self._cells(columns.article))
        by_row, names = articles.numbered(f"{file}: {columns.article}", rows, ids)
        titles = articles.titles_of_rows(by_row, self._titles()) or articles.titles_by_number(names)
        places = (cells.to_numpy(zero_copy_only=False) for cells in self._cells(columns.order))
        order = articles.order_of(file, columns.order, rows, places) if columns.order else None
        return articles.arranged(by_row, titles, columns.article, order, columns.order)

    def _titles(self) -> Iterator[str]:
        """The title in each row; none where no column has them."""
        for cells in self._cells(self.columns.title) if self.columns.title else ():
            yield from map(articles.article_title, cells.to_pylist())

    def _cells(self, name: str, rows: int = 65_536) -> Iterator[Any]:
        """The cells of a column, `rows` at a time."""
        for file in self._files:
            with read_errors(file), _opened(file) as table:
                yield from (batch.column(0) for batch in table.batches(name, rows))

    def _rows_of(self, file: Path, schema: pa.Schema) -> int:
        columns = self.columns
        with read_errors(file), _opened(file) as table:
            own = table.schema
            for name in (columns.vectors, columns.article, columns.order):
                if name and (name not in own.names or own.field(name).type != schema.field(name).type):
                    raise UserError(
                        f"{source.shown(file)}: its column {sanitise(name, 40)} is missing or of another type than in "
                        f"{source.shown(self._files[0])}; write all shards with one schema"
                    )
            return table.rows()

    def _dim(self, schema: pa.Schema) -> int:
        """Numbers in a vector."""
        import pyarrow.types as kinds

        columns = self.columns
        cell = schema.field(columns.vectors).type
        inner = cell.value_type if columns.documents else cell
        if kinds.is_fixed_size_list(inner):
            dim = int(inner.list_size)
        else:
            found = (cells.flatten() if columns.documents else cells for cells in self._cells(columns.vectors, 16))
            dim = next((int(_lengths(vectors)[0]) for vectors in found if len(vectors)), 0)
        if not 1 <= dim <= source.LARGEST_DIM:
            where = f"{source.shown(self._path)}: {sanitise(columns.vectors, 40)}"
            raise UserError(f"{where} has vectors of {dim:,} numbers; 1 to {source.LARGEST_DIM:,} are taken")
        return dim

    @cached_property
    def _document_lengths(self) -> npt.NDArray[np.int64]:
        """Vectors in each document (n,). One pass over the file, which the number of rows and the articles share."""
        found = [_lengths(cells) for cells in self._cells(self.columns.vectors, 64)]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _numbers(self, column: Any, first: int) -> source.Floats:
        """The vectors (b, D) of a column of lists, or of lists of lists. Raises UserError for any other cell."""
        where = f"{source.shown(self._path)}: {sanitise(self.columns.vectors, 40)}"
        if column.null_count:
            missing = first + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise UserError(f"{where} is missing in row {missing:,}; leave that row out")
        vectors = column.flatten() if self.columns.documents else column
        lengths = _lengths(vectors)
        wrong = lengths != self.facts.dim
        if vectors.null_count or wrong.any():
            row = first if self.columns.documents else first + int(wrong.argmax())
            raise UserError(
                f"{where} has {int(lengths[wrong.argmax()]):,} numbers in row {row:,}, not {self.facts.dim:,}; "
                "embed all rows with one encoder"
            )
        flat = vectors.flatten()
        if flat.null_count:
            raise UserError(f"{where} has missing numbers near row {first:,}; leave that row out")
        with np.errstate(all="ignore"):
            return np.asarray(flat, np.float32).reshape(len(vectors), self.facts.dim)


def choose_columns(file: str, schema: pa.Schema, reading: Reading) -> tuple[Columns, list[str]]:
    """Decide which column is what. `file` is for messages. Returns the columns and notes on that.

    Raises UserError where no column holds vectors, where several do, and for named columns that are not there.
    """
    vectors = {field.name: _is_vector(field.type) for field in schema if _is_vector(field.type) is not None}
    source.check_named(file, "column", schema.names, reading)
    name = reading.vectors or source.choose_by_name(file, list(vectors), source.VECTOR_NAMES, "columns of vectors")
    if name not in vectors:
        raise UserError(f"{file}: --vectors {sanitise(name, 40)} is {schema.field(name).type}, no list of floats")
    documents = bool(vectors[name])

    def first(names: tuple[str, ...], fits: tuple[str, ...]) -> str:
        """The first of the known names whose column is of a type that fits."""
        lower = {n.lower(): n for n in reversed(schema.names)}
        return next((lower[n] for n in names if n in lower and str(schema.field(lower[n]).type).startswith(fits)), "")

    whole, text = ("int", "uint"), ("string", "large_string", "dictionary")
    columns = Columns(name, documents, title=first(source.TITLE_NAMES, text), split=first(source.SPLIT_NAMES, text))
    if not documents:
        article = reading.article or first(source.ARTICLE_NAMES, (*whole, *text)) or columns.title
        order = (reading.order or first(source.ORDER_NAMES, whole)) if article else ""
        columns = replace(columns, article=article, order=order)
    source.check_ordered(file, reading, columns.order)
    return columns, _notes(columns, schema)


def _notes(columns: Columns, schema: pa.Schema) -> list[str]:
    """What was taken for what, and what is not read."""
    roles = {"vectors": columns.vectors, "article": columns.article, "order": columns.order, "title": columns.title}
    taken = [f"{role} {sanitise(name, 40)}" for role, name in roles.items() if name]
    rest = [sanitise(name, 40) for name in schema.names if name not in (*roles.values(), columns.split)]
    notes = [f"columns: {', '.join(taken)}"]
    if columns.documents:
        notes.append("one row is one document")
    if columns.split:
        notes.append(f"the column {columns.split} is not used: all rows are read, whatever split they name")
    if rest:
        notes.append(f"not read: {', '.join(rest)}")
    return notes


def _is_vector(kind: pa.DataType) -> bool | None:
    """True for a list of vectors, False for a vector, None for anything else."""
    import pyarrow.types as kinds

    def is_list(of: pa.DataType) -> bool:
        return bool(kinds.is_list(of) or kinds.is_large_list(of) or kinds.is_fixed_size_list(of))

    if not is_list(kind):
        return None
    if kinds.is_floating(kind.value_type):
        return False
    return True if is_list(kind.value_type) and kinds.is_floating(kind.value_type.value_type) else None


def _lengths(column: Any) -> npt.NDArray[np.int64]:
    """Entries in each list (n,); 0 where it is missing."""
    import pyarrow.compute as compute

    return np.asarray(compute.fill_null(compute.list_value_length(column), 0), np.int64)


def _ids(column: Any, file: str, name: str) -> npt.NDArray[Any]:
    if column.null_count:
        raise UserError(f"{file}: {sanitise(name, 40)} is missing in some rows; give each vector the id of its article")
    if hasattr(column, "dictionary_decode"):
        column = column.dictionary_decode()
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if len(values) and isinstance(values[0], (np.ndarray, list, dict)):
        raise UserError(f"{file}: {sanitise(name, 40)} holds lists, not the id of an article; name another column")
    return values.astype(str) if values.dtype == object else values


# ---------------------------------------------------------------------------------------------------- files


def is_table(path: Path) -> bool:
    """Is this a Parquet or Arrow file, or a folder that holds some?"""
    return path.suffix.lower() in TABLE_FILES or (path.is_dir() and bool(files_below(path, TABLE_FILES)))


def _files(path: Path) -> list[Path]:
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError:
        raise UserError(f"{source.shown(path)}: {NEEDS}") from None
    return files_below(path, TABLE_FILES) if path.is_dir() else [path]


@dataclass(frozen=True)
class Table:
    """An open file. Of `rows` and `batches` one can be asked, once: a stream is read only once."""

    schema: pa.Schema
    rows: Callable[[], int]
    batches: Callable[[str, int], Iterable[pa.RecordBatch]]
    """Of the column of that name, at most so many rows at a time."""


@contextmanager
def _opened(file: Path) -> Iterator[Table]:
    """A Parquet file, or an Arrow file in either of its two forms: with a footer, or a stream."""
    import pyarrow.parquet

    with file.open("rb") as plain:
        start = plain.read(len(ARROW))
    if start.startswith(PARQUET):
        with pyarrow.parquet.ParquetFile(file) as parquet:
            schema, rows = parquet.schema.to_arrow_schema(), parquet.metadata.num_rows
            yield Table(schema, lambda: rows, lambda name, most: parquet.iter_batches(most, columns=[name]))
        return
    with pyarrow.memory_map(str(file)) as mapped:
        if start == ARROW:
            reader = pyarrow.ipc.open_file(mapped)
            schema, batches = reader.schema, map(reader.get_batch, range(reader.num_record_batches))
        else:
            batches = pyarrow.ipc.open_stream(mapped)
            schema = batches.schema
        yield Table(
            schema,
            lambda: sum(batch.num_rows for batch in batches),
            lambda name, most: (
                batch.select([name]).slice(first, most) for batch in batches for first in range(0, batch.num_rows, most)
            ),
        )
