"""What every reader of vector files gives, and the names by which arrays and columns are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.articles import Articles
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

FileKind = Literal["vectors", "quantised", "sequences", "array", "documents"]
"""`documents`: each entry is a whole article."""
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

BLOCK_BYTES = 8 << 20
"""Bytes of an array that are in memory at a time while a file is read."""
LARGEST_DIM = 1 << 16
"""Wider rows than any encoder makes: a claim, not a vector."""

VECTOR_NAMES = ("vectors", "embeddings", "embedding", "emb", "vector", "vecs", "features")
ARTICLE_NAMES = (
    "article_id",
    "article_ids",
    "article_indices",
    "article_index",
    "doc_id",
    "doc_ids",
    "document_id",
    "document_ids",
    "wiki_id",
    "page_id",
    "article",
    "doc",
)
ORDER_NAMES = (
    *("paragraph_id", "paragraph_index", "chunk_id", "chunk_index", "sentence_id", "sentence_index", "sent_id"),
    *("position", "place", "order", "paragraph", "chunk", "sentence"),
)
TITLE_NAMES = ("title", "titles", "name", "url")
SPLIT_NAMES = ("split", "subset", "fold")
MOST_NAMED = 24
"""Names of a file that a message lists."""


def check_named(file: str, what: str, there: Sequence[str], reading: Reading) -> None:
    """Raises UserError for a name that is no column or array (`what`) of those `there`. `file` is for messages."""
    for option, name in (("--vectors", reading.vectors), ("--article", reading.article), ("--order", reading.order)):
        if name and name not in there:
            said = ", ".join(sanitise(one, 40) for one in there[:MOST_NAMED])
            each = "; give each file a name of its own where they differ, in the order of the files, '' for none"
            raise UserError(f"{file}: {option} {sanitise(name, 40)} is no {what} of it; there are: {said}{each}")


def check_ordered(file: str, reading: Reading, order: str) -> None:
    """Raises UserError where an order is asked for and none is taken."""
    if reading.order and not order:
        needs = "needs a file of one vector a row, and their articles; leave it out, or give --article"
        raise UserError(f"{file}: --order {sanitise(reading.order, 40)} {needs}")


@dataclass(frozen=True)
class SourceFacts:
    """What headers say, compared with the size of the file."""

    path: Path
    kind: FileKind
    rows: int
    """Vectors; in `sequences`, windows; in `documents`, the most vectors there can be."""
    dim: int
    context: int = 0
    """Context vectors of a window in `sequences`; 0 in other kinds."""
    encoder: str = ""
    """The encoder that the file says made it."""
    notes: tuple[str, ...] = ()
    """What was taken for what, and what is not read, sanitised."""


class VectorSource(Protocol):
    """A recognised file. Reading is front to back, in bounded pieces; what is wrong raises UserError."""

    facts: SourceFacts

    @property
    def articles(self) -> Articles:
        """The article of each row, and where rows go that do not stand together."""

    def fingerprint(self) -> str:
        """64 hex digits that change when the content, or what is read of it, does."""

    def blocks(self) -> Iterator[Floats]:
        """Yield the rows as in the file, not normalised: vectors (b, D), in `sequences` windows (b, context + 1, D)."""


def shown(path: Path) -> str:
    """The name of a file as it stands in messages."""
    return sanitise(path.name or str(path), 200)


def choose_by_name(file: str, names: Sequence[str], known: Iterable[str], what: str) -> str:
    """The only name, or the first known one. Raises UserError where none or several fit."""
    if len(names) == 1:
        return names[0]
    lower = {name.lower(): name for name in reversed(names)}
    found = [lower[name] for name in known if name in lower]
    if found:
        return found[0]
    if not names:
        raise UserError(f"{file}: holds no {what}; name the one to read with --vectors")
    several = ", ".join(sanitise(name, 40) for name in names[:8])
    raise UserError(f"{file}: holds several {what}: {several}; name one with --vectors")
