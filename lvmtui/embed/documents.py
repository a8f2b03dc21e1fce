"""Texts as people have them: a folder of text files, or JSON lines with one document each, cut into pieces.

A piece is what becomes one vector: a sentence, a paragraph or a line.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.system.errors import UserError
from lvmtui.system.files import files_below
from lvmtui.system.text import sanitise

Unit = Literal["sentences", "paragraphs", "lines"]
"""What becomes one vector."""
UNITS: tuple[Unit, ...] = ("sentences", "paragraphs", "lines")
SUFFIXES = (".txt", ".md", ".rst")
"""Files of a folder that are read as text."""
JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
TEXT_FIELDS = ("text", "content", "body", "sentences", "paragraphs")
"""Fields of a JSON line that may hold the text; the first that is there is used."""
TITLE_FIELDS = ("title", "name", "url", "id")
"""Fields of a JSON line that may name the document."""
LARGEST_FILE = 256 << 20
"""Bytes of one text file, which is read whole."""
LONGEST_TITLE = 200
"""Characters of a title that are kept."""


@dataclass(frozen=True)
class Document:
    """One text, and where it came from."""

    title: str
    source: str
    """File, and line in it, sanitised."""
    text: str | tuple[str, ...]
    """The text, or the pieces where the file has cut it already."""
    read: int
    """Bytes of the input up to the end of this document."""

    def pieces(self, unit: Unit) -> list[str]:
        """The document's sentences, paragraphs or lines, without those that hold neither letter nor digit."""
        cut = self.text if isinstance(self.text, tuple) else _cut(self.text, unit)
        return [piece for raw in cut if any(map(str.isalnum, piece := " ".join(raw.split())))]


def documents(path: Path, *, text_field: str = "", title_field: str = "") -> Iterator[Document]:
    """Yield the documents of a folder or a JSON lines file, always in the same order.

    Fields are found by TEXT_FIELDS and TITLE_FIELDS unless they are named. Raises UserError for what cannot be read.
    """
    if path.is_dir():
        yield from _text_files(path)
    elif path.is_file() and path.name.lower().endswith(JSON_SUFFIXES):
        yield from _json_lines(path, (text_field,) if text_field else TEXT_FIELDS, title_field)
    else:
        fault = f"{sanitise(path.name)}: neither a folder of {', '.join(SUFFIXES)} files nor a .jsonl file"
        raise UserError(fault + '; write one JSON object a line: {"title": ..., "text": ...}')


def input_files(path: Path) -> list[tuple[str, int, int]]:
    """Name, bytes and time of each file that `documents` will read: tells whether it is the input seen before. Raises
    UserError where there is nothing at `path`."""
    if not path.exists():
        raise UserError(f"{sanitise(str(path))}: no such file or folder; check the path")
    seen = []
    for file in files_below(path, SUFFIXES) if path.is_dir() else [path]:
        status = file.stat()
        seen.append((str(file.relative_to(path)), status.st_size, status.st_mtime_ns))
    return seen


def _text_files(folder: Path) -> Iterator[Document]:
    files = files_below(folder, SUFFIXES)
    if not files:
        raise UserError(f"{sanitise(str(folder))}: holds no {', '.join(SUFFIXES)} file; name the folder with the texts")
    read = 0
    for file in files:
        source = sanitise(str(file.relative_to(folder)), LONGEST_TITLE)
        try:
            if (size := file.stat().st_size) > LARGEST_FILE:
                raise UserError(f"{source}: {size >> 20} MB; split texts above {LARGEST_FILE >> 20} MB into documents")
            raw = file.read_bytes()
        except OSError as error:
            raise UserError(f"{source}: cannot be read ({error.strerror}); check permissions") from None
        read += len(raw)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            fault = f"not UTF-8 at byte {error.start:,}"
            raise UserError(f"{source}: {fault}; convert it, for example with iconv") from None
        yield Document(sanitise(file.stem, LONGEST_TITLE), source, text, read)


def _json_lines(path: Path, text_fields: Sequence[str], title_field: str) -> Iterator[Document]:
    name = sanitise(path.name)
    try:
        with path.open("rb") as file:
            lines = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
            for number, raw in enumerate(lines, 1):
                if raw.strip():
                    yield _json_document(raw, f"{name}: line {number:,}", text_fields, title_field, file.tell())
    except (OSError, EOFError) as error:
        raise UserError(f"{name}: cannot be read ({sanitise(str(error), 100)}); copy or make it again") from None


def _json_document(raw: bytes, where: str, text_fields: Sequence[str], title_field: str, read: int) -> Document:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON ({sanitise(str(error), 80)}); fix or remove it") from None
    if not isinstance(fields, dict):
        raise UserError(f'{where} is not a JSON object; write {{"title": ..., "text": ...}}')
    text_field = next((field for field in text_fields if fields.get(field) is not None), None)
    if text_field is None:
        there = ", ".join(sanitise(str(field), 40) for field in list(fields)[:8]) or "none"
        raise UserError(f"{where} has no `{text_fields[0]}`; its fields are: {there}; name one with --text-field")
    text = fields[text_field]
    if isinstance(text, list) and all(isinstance(piece, str) for piece in text):
        text = tuple(text)
    elif not isinstance(text, str):
        raise UserError(f"{where}: `{sanitise(text_field, 40)}` is neither text nor a list of texts")
    names = (title_field,) if title_field else TITLE_FIELDS
    title = next((str(fields[field]) for field in names if fields.get(field) is not None), where)
    return Document(sanitise(title, LONGEST_TITLE), where, text, read)


def _cut(text: str, unit: Unit) -> Iterator[str]:
    if unit == "lines":
        yield from text.splitlines()
    elif unit == "paragraphs":
        yield from re.split(r"\n\s*\n", text)
    else:  # sentences as syntok finds them in English, Spanish and German
        from syntok import segmenter

        for paragraph in segmenter.process(text):
            for sentence in paragraph:
                yield "".join(f"{token.spacing}{token.value}" for token in sentence)


def need_syntok() -> None:
    """Raises UserError where the library that finds sentences is missing."""
    try:
        import syntok.segmenter  # noqa: F401 - only whether it is there
    except ImportError:
        raise UserError("cutting texts into sentences needs syntok; run pip install 'lvmtui[text]'") from None
