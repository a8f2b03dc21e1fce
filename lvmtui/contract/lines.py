"""One line of a log: a frozen dataclass with a `kind`, a time and a version, as compact JSON.

Logs of every version fold for ever: a kind or a field that is not known is kept as `Unknown`, counted, never fatal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lvmtui.contract.codec import DecodeError, decode, dump_line, encode

VERSION = 1


@dataclass(frozen=True)
class Unknown:
    """A line this version cannot read, with the reason."""

    reason: str


def kind_of(cls: type) -> str:
    """`CheckpointSaved` is written as `checkpoint_saved`."""
    name = cls.__name__
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def encode_line(record: Any) -> bytes:
    """Return the line for a record, newline included."""
    return dump_line({"v": VERSION, "kind": kind_of(type(record)), **encode(record)})


def decode_line(line: bytes, kinds: Mapping[str, type]) -> Any:
    """Return the record in `line`, or Unknown."""
    try:
        data = json.loads(line)
        cls = kinds.get(data["kind"])
        return decode(cls, data) if cls else Unknown(f"kind {str(data['kind'])[:40]}")
    except (ValueError, TypeError, KeyError, RecursionError, DecodeError) as error:
        return Unknown(f"{type(error).__name__}: {error}"[:200])
