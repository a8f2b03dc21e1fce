"""Which array of a .npz is what: by the names people use, then by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lvmtui.datasets.readers.npy import BFLOAT16, Header, described
from lvmtui.datasets.readers.source import (
    ARTICLE_NAMES,
    ORDER_NAMES,
    TITLE_NAMES,
    VECTOR_NAMES,
    check_named,
    check_ordered,
    choose_by_name,
)
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

PAIRS = (
    ("context_sequences", "target_vectors"),
    ("train_context_sequences", "train_target_vectors"),
    ("context_vectors", "target_vectors"),
    ("contexts", "targets"),
    ("train_contexts", "train_targets"),
    ("X_train", "Y_train"),
    ("X_train", "y_train"),
    ("X", "Y"),
    ("X", "y"),
)
"""Names of contexts and of the vectors that follow them."""
ONE_ARRAY = "the array"
"""How messages call the array of a .npy."""
EXPECTED = "`vectors`, or `q` and `scale`, or `context_sequences` and `target_vectors`"


@dataclass(frozen=True)
class Roles:
    """Which array is what; empty: there is none."""

    vectors: str = ""
    scale: str = ""
    """The vectors are int8 and one of these multiplies each row."""
    contexts: str = ""
    """The vectors are those that follow these."""
    documents: bool = False
    article: str = ""
    titles: str = ""
    order: str = ""
    """Places of the rows in their article."""

    def arrays(self) -> set[str]:
        return {self.vectors, self.scale, self.contexts, self.article, self.titles, self.order} - {""}


def choose_roles(file: str, headers: Mapping[str, Header], faults: Mapping[str, str], reading: Reading) -> Roles:
    """Decide which array is what, by the names people use, then by shape. `file` is for messages.

    Raises UserError where no array can be the vectors, where several can, and for a named array that is not there.
    """
    check_named(file, "array", (*headers, *faults), reading)
    roles = _vector_roles(file, headers, faults, reading.vectors)
    for name in (roles.contexts, roles.vectors, reading.article, reading.order):
        if name in faults:
            raise UserError(faults[name])
    shape = headers[roles.vectors].shape
    if ONE_ARRAY in headers or len(shape) not in (2, 3):  # alone in the file, or refused later
        check_ordered(file, reading, "")
        return roles
    rows = shape[0]
    rest = {name: header for name, header in headers.items() if name not in roles.arrays()}
    article = "" if roles.documents else reading.article or _article_role(file, rest, faults, rows)
    titles = next((n for n in TITLE_NAMES if n in rest and len(rest[n].shape) == 1 and rest[n].dtype.kind in "US"), "")
    places = (n for n in ORDER_NAMES if n in rest and _fits(rest[n], rows, "iu"))
    order = (reading.order or next(places, "")) if article and not roles.contexts else ""
    check_ordered(file, reading, order)
    return replace(roles, article=article, order=order, titles=titles if article or roles.documents else "")


def _vector_roles(file: str, headers: Mapping[str, Header], faults: Mapping[str, str], asked: str) -> Roles:
    matrices = {name for name, header in headers.items() if is_float(header) and len(header.shape) == 2}
    blocks = {name for name, header in headers.items() if is_float(header) and len(header.shape) == 3}
    if ONE_ARRAY in headers:
        return Roles(ONE_ARRAY, documents=ONE_ARRAY in blocks)
    if not asked:
        if "vectors" in headers or "vectors" in faults:
            return Roles("vectors", documents="vectors" in blocks)
        if "q" in headers and "scale" in headers:
            return Roles("q", scale="scale")
    for contexts, targets in PAIRS:
        if {contexts, targets} <= {*headers, *faults} and asked in ("", contexts, targets):
            return Roles(targets, contexts=contexts)
    if asked:
        return Roles(asked, documents=asked in blocks)
    candidates = matrices | (blocks - {contexts for contexts, _ in PAIRS})  # contexts whose next vectors are missing
    if not candidates:
        there = ", ".join(sanitise(name, 40) for name in (*headers, *faults)) or "nothing"
        raise UserError(f"{file}: holds no vectors we know; there is: {there}; save {EXPECTED}")
    name = choose_by_name(file, sorted(candidates), VECTOR_NAMES, "arrays of vectors")
    return Roles(name, documents=name in blocks)


def is_float(header: Header) -> bool:
    return header.dtype.kind == "f" or header.dtype == BFLOAT16


def _article_role(file: str, rest: Mapping[str, Header], faults: Mapping[str, str], rows: int) -> str:
    """The array of article ids. Under its first name any array is taken, under others one that fits."""
    for name in ARTICLE_NAMES:
        if name in faults:
            raise UserError(f"{faults[name]}. {SAVE_IDS}" if "pickled" in faults[name] else faults[name])
        if name in rest and (name == ARTICLE_NAMES[0] or _fits(rest[name], rows)):
            if not _fits(rest[name], rows):
                raise UserError(
                    f"{file}: {name} is {described(rest[name])}, not {rows:,} whole numbers or names; "
                    "give each vector the number of its article"
                )
            return name
    return ""


def _fits(header: Header, rows: int, kinds: str = "iufUS") -> bool:
    return header.shape in ((rows,), (rows, 1)) and header.dtype.kind in kinds


SAVE_IDS = (
    'Save ids as numbers: a = numpy.load("old.npz", allow_pickle=True); '
    'numpy.savez("new.npz", vectors=a["vectors"], article_id=numpy.unique(a["article_id"].astype(str), '
    "return_inverse=True)[1])"
)
"""How ids that were saved as Python objects become numbers."""
