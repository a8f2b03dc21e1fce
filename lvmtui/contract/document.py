"""Our JSON documents, one dataclass a file: read whole, and refused if a later version wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from lvmtui.contract.codec import decode
from lvmtui.contract.errors import UserError

T = TypeVar("T")


def read_document(kind: type[T], path: Path, version: int, *, what: str, place: str, cure: str) -> T:
    """Read a document that must be there: `what` it is, in which `place`, and what to do if it is not.

    Raises UserError if it cannot be read, is damaged, or of a later version than `version`.
    """
    try:
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and isinstance(v := document.get("version"), int) and v > version:
            raise UserError(f"{path}: written by a later lvmtui (format {v}); update lvmtui to read it")
        return decode(kind, document)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); is this {place}?") from None
    except ValueError as error:
        raise UserError(f"{path}: not {what} ({error}); {cure}") from None


def find_document(kind: type[T], path: Path) -> T | None:
    """The document, or None where there is none that can be used."""
    try:
        return decode(kind, json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
