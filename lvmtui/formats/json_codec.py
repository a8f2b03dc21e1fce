"""Frozen dataclasses to JSON and back: values, whole documents, and lines of a log.

Files in a run folder may be old, cut short, or written by another program. Decoding therefore checks every value: a
missing field takes its default, an extra field is ignored, a value of the wrong type raises `DecodeError`.

There is one rule for versions. A document or a log line of a later version is refused; one of the same or an earlier
version is read. The newest version this program can read is the default of the class's field `version`. A class
without that field, which reads only some fields of a document, reads version 1.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file

T = TypeVar("T")
FIRST = 1
"""Version of documents whose class does not name one."""


class DecodeError(ValueError):
    """The mapping does not describe the class asked for; the text says which field."""


class LaterVersion(DecodeError):
    """A later version of this program wrote it."""


def encode(value: Any) -> Any:
    """Return `value` as JSON types. Numbers that are not finite become null, because JSON cannot write them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written to our files")


def dump_line(value: Mapping[str, Any]) -> bytes:
    """Return one compact JSON line, newline included."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def dump_document(value: Mapping[str, Any]) -> bytes:
    """Return an indented JSON document, for files people open."""
    return json.dumps(value, indent=1, allow_nan=False).encode() + b"\n"


def decode(cls: type[T], data: object) -> T:
    """Build a `cls`, mostly a dataclass from a mapping. Raises DecodeError, LaterVersion among them."""
    if isinstance(data, Mapping):
        _refuse_later(data.get("version"), getattr(cls, "version", FIRST))
    import msgspec  # here, because a trainer only writes: its kit needs the standard library alone

    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).replace("`", "").partition(" - at $.")
        raise DecodeError(f"{place}: {problem}" if place else problem) from None


def _refuse_later(found: object, known: object) -> None:
    """Raises LaterVersion. Versions of other kinds than whole numbers (a program's own) are not judged."""
    if type(found) is int and type(known) is int and found > known:
        raise LaterVersion(f"written by a later version of lvmtui (format {found})")


# Documents ------------------------------------------------------------------------------------------------------------


def write_document(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace the document at `path` in one step; `durable` syncs it to the disk. Raises OSError."""
    replace_file(path, dump_document(encode(value)), durable=durable)


def read_document(kind: type[T], path: Path, *, what: str, place: str, cure: str) -> T:
    """Read a document that must be there: `what` it is, in which `place`, and what to do if it is damaged.

    Raises UserError if it cannot be read, is damaged, or was written by a later version.
    """
    try:
        return decode(kind, json.loads(path.read_bytes()))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); is this {place}?") from None
    except LaterVersion as error:
        raise UserError(f"{path}: {error}; update lvmtui to read it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not {what} ({error}); {cure}") from None


def find_document(kind: type[T], path: Path) -> T | None:
    """The document, or None where there is none that this version can read."""
    try:
        return decode(kind, json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def read_names(path: Path) -> tuple[str, ...]:
    """Read a list of texts, such as `titles.json`; empty where there is no file.

    The list has no version of its own: that of the document beside it counts. Raises UserError if it is damaged.
    """
    try:
        return decode(tuple[str, ...], json.loads(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a list of texts ({error}); restore it or move it away") from None


# Log lines ------------------------------------------------------------------------------------------------------------

LINE_VERSION = 1


@dataclass(frozen=True)
class Unknown:
    """A line this version cannot read, with the reason. Such lines are counted and never stop a fold."""

    reason: str


def kind_of(cls: type) -> str:
    """`CheckpointSaved` is written as `checkpoint_saved`."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(cls.__name__))


def encode_line(record: Any) -> bytes:
    return dump_line({"v": LINE_VERSION, "kind": kind_of(type(record)), **encode(record)})


def decode_line(line: bytes, kinds: Mapping[str, type[T]]) -> T | Unknown:
    """Return the record in `line`, or Unknown."""
    try:
        data = json.loads(line)
        _refuse_later(data.get("v"), LINE_VERSION)
        cls = kinds.get(data["kind"])
        return decode(cls, data) if cls else Unknown(f"kind {str(data['kind'])[:40]}")
    except LaterVersion as error:
        return Unknown(str(error))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Unknown(f"{type(error).__name__}: {error}"[:200])
