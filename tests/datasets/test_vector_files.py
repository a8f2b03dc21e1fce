"""Files are recognised by content, and what is wrong with one is said in one line."""

from __future__ import annotations

import os
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvmtui.datasets import vector_files
from lvmtui.datasets.vector_files import recognise, vector_blocks, window_blocks
from lvmtui.system.errors import UserError
from tests.datasets.making import quantised, save_articles, save_sequence, walk

VECTORS = walk(60)


def read(path: Path) -> np.ndarray:
    return np.concatenate(list(vector_blocks(recognise(path))))


@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 20])
def test_every_kind_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(vector_files, "BLOCK_BYTES", block_bytes)
    stored: dict[str, Any] = {**quantised(VECTORS)}
    np.savez(tmp_path / "half.npz", vectors=VECTORS.astype("f2"), something_else=np.zeros(3))
    np.savez_compressed(tmp_path / "big_endian.npz", vectors=VECTORS.astype(">f4"))
    np.savez(tmp_path / "bytes.npz", **stored)
    np.save(tmp_path / "plain.npy", VECTORS)
    (tmp_path / "plain.npy").rename(tmp_path / "plain.any")
    assert recognise(tmp_path / "half.npz").kind == "vectors"
    assert np.array_equal(read(tmp_path / "half.npz"), VECTORS.astype("f2").astype("f4"))
    assert np.array_equal(read(tmp_path / "big_endian.npz"), VECTORS)
    assert recognise(tmp_path / "bytes.npz").kind == "quantised"
    assert np.array_equal(read(tmp_path / "bytes.npz"), stored["q"] * stored["scale"][:, None])
    assert recognise(tmp_path / "plain.any").kind == "array"
    assert np.array_equal(read(tmp_path / "plain.any"), VECTORS)

    file = recognise(save_sequence(tmp_path / "windows.npz", VECTORS))
    assert (file.kind, file.rows, file.dim) == ("sequences", 55, 24)
    contexts, targets = (np.concatenate(a) for a in zip(*window_blocks(file), strict=True))
    assert np.array_equal(contexts[7], VECTORS[7:12]) and np.array_equal(targets, VECTORS[5:])


def test_titles_are_plain_text_or_json_and_always_harmless(tmp_path: Path) -> None:
    titles = ['{"title": "Albedo", "n": 12}', "\x1b]52;c;aGk=\x07Autism\u202e", '{"no": "title"}', "{half"]
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=np.repeat([0, 1, 2, 3], 15), titles=np.array(titles))
    ids, names = vector_files.articles(recognise(tmp_path / "a.npz"))
    assert ids is not None and ids.tolist() == [0] * 15 + [1] * 15 + [2] * 15 + [3] * 15
    assert names == ("Albedo", "Autism\ufffd", '{"no": "title"}', "{half")


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    def fingerprint_of(name: str, vectors: np.ndarray, **more: Any) -> str:
        with (tmp_path / name).open("wb") as out:
            np.save(out, vectors) if name.endswith("npy") else np.savez(out, vectors=vectors, **more)
        return vector_files.fingerprint(recognise(tmp_path / name))

    for kind in ("npy", "npz"):
        assert fingerprint_of(f"a.{kind}", VECTORS) == fingerprint_of(f"b.{kind}", VECTORS)
        assert fingerprint_of(f"a.{kind}", VECTORS) != fingerprint_of(f"b.{kind}", VECTORS * -1)
    assert fingerprint_of("a.npz", VECTORS) != fingerprint_of("b.npz", VECTORS, article_id=np.zeros(60, int))


@pytest.mark.parametrize("name", vector_files.ID_NAMES)
@pytest.mark.parametrize("kind", ["numbers", "text", "bytes"])
def test_article_ids_are_taken_under_the_usual_names(tmp_path: Path, name: str, kind: str) -> None:
    numbers = np.repeat([7, 2, 9], 20)
    ids = numbers if kind == "numbers" else np.char.add("text-", numbers.astype(str))
    ids = ids.astype("S") if kind == "bytes" else ids
    arrays: dict[str, Any] = {"vectors": VECTORS, name: ids, "notes": np.zeros(3)}
    np.savez(tmp_path / "a.npz", **arrays)
    file = recognise(tmp_path / "a.npz")
    assert file.ids == name and file.unread == ("notes",)
    found, titles = vector_files.articles(file)
    assert found is not None
    assert np.array_equal(found, numbers if kind == "numbers" else np.repeat([0, 1, 2], 20))
    assert titles == (() if kind == "numbers" else ("text-7", "text-2", "text-9"))


def test_what_nobody_reads_is_named(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"odd\x1b[2J": np.zeros(2)}
    pickled = np.array([{"article": 1}], object)
    np.savez(tmp_path / "a.npz", vectors=VECTORS, doc_ids=np.zeros(3, int), metadata=pickled, **odd)
    file = recognise(tmp_path / "a.npz")
    assert file.ids == "" and file.unread[:2] == ("doc_ids", "metadata") and file.unread[2].isprintable()
    contexts = np.zeros((9, 5, 3), "f4")
    np.savez(tmp_path / "s.npz", context_sequences=contexts, target_vectors=contexts[:, 0], article_ids=np.zeros(9))
    assert recognise(tmp_path / "s.npz").unread == ("article_ids",)
    many_more: dict[str, Any] = {f"x{i}": np.zeros(1) for i in range(20)}
    np.savez(tmp_path / "many.npz", vectors=VECTORS, **many_more)
    many = recognise(tmp_path / "many.npz").unread
    assert len(many) == 9 and many[-1] == "12 more"
    assert (
        vector_files.unread_arrays(tmp_path / "many.npz") == many
        and vector_files.unread_arrays(tmp_path / "none") == ()
    )
    np.savez(tmp_path / "ids.npz", vectors=VECTORS, doc_id=np.zeros(60, int))
    np.savez(tmp_path / "other.npz", vectors=VECTORS, article_id=np.zeros(60, int))
    assert vector_files.fingerprint(recognise(tmp_path / "ids.npz")) != vector_files.fingerprint(
        recognise(tmp_path / "other.npz")
    )


def test_conversions_that_are_named_work(tmp_path: Path) -> None:
    """What the refusal says is done, and then the file is read."""
    halves = (VECTORS.view(np.uint32) >> 16).astype("u2").view("V2")
    refused = {
        "half": (halves, r"if it is bfloat16, save (\(.*\)\.view\('float32'\))"),
        "whole": (np.round(VECTORS * 100).astype(int), r"save (vectors\.astype\('float32'\))"),
        "long": (VECTORS.astype(np.longdouble), r"save (vectors\.astype\('float32'\))"),
    }
    for name, (array, words) in refused.items():
        np.savez(tmp_path / f"{name}.npz", vectors=array)
        with pytest.raises(UserError, match=words) as error:
            recognise(tmp_path / f"{name}.npz")
        named = re.search(words, str(error.value))
        assert named
        np.savez(tmp_path / f"{name}.npz", vectors=eval(named[1], {"vectors": array}))
        found = read(tmp_path / f"{name}.npz")
        assert np.allclose(found / np.linalg.norm(found, axis=1, keepdims=True), VECTORS, atol=0.02)


def npy(shape: str, descr: str = "'<f4'", order: str = "False", data: bytes = bytes(960)) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def archive(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as out:
        for name, content in members.items():
            out.writestr(f"{name}.npy", content)


def lying(path: Path) -> None:
    """An archive whose directory claims more than deflate could ever make of what is there."""
    archive(path, vectors=npy("(40, 6)"))
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02")
    whole[at + 24 : at + 28] = struct.pack("<I", 3 << 30)
    path.write_bytes(whole)


BROKEN = {
    "missing": (lambda p: None, "no such file; check the path"),
    "a folder": (lambda p: p.mkdir(), "is a folder; name the .npz"),
    "a pipe": (lambda p: os.mkfifo(p), "not an ordinary file"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "text": (lambda p: p.write_text("hello\n" * 99), "neither .npz nor .npy"),
    "a zip of something else": (
        lambda p: zipfile.ZipFile(p, "w").writestr("letter\x1b[2J.txt", "dear"),
        r"no vectors we know; there is: letter.*\.txt; save `vectors`",
    ),
    "an empty zip": (lambda p: zipfile.ZipFile(p, "w").close(), "there is: nothing"),
    "no known array": (lambda p: np.savez(p.open("wb"), embeddings=VECTORS), r"there is: embeddings\.npy"),
    "q without scale": (lambda p: np.savez(p.open("wb"), q=np.zeros((9, 3), "i1")), r"there is: q\.npy"),
    "one axis": (lambda p: np.savez(p.open("wb"), vectors=VECTORS[0]), r"float32 \(24\); two axes"),
    "three axes": (lambda p: np.save(p.open("wb"), VECTORS[None]), r"float32 \(1, 60, 24\); two axes"),
    "whole numbers": (lambda p: np.save(p.open("wb"), np.ones((9, 3), int)), r"int64 \(9, 3\); float16 or float32"),
    "complex numbers": (lambda p: np.save(p.open("wb"), np.ones((9, 3), "c8")), "complex64"),
    "q of floats": (lambda p: np.savez(p.open("wb"), q=VECTORS, scale=VECTORS[:, 0]), "int8 is needed"),
    "a scale too short": (
        lambda p: np.savez(p.open("wb"), q=np.zeros((9, 3), "i1"), scale=np.ones(8, "f4")),
        r"scale float32 \(8\); int8 \(N, D\) and float \(N,\)",
    ),
    "no rows": (lambda p: np.save(p.open("wb"), VECTORS[:0]), "no rows"),
    "no numbers in a row": (lambda p: np.save(p.open("wb"), VECTORS[:, :0]), "rows of 0 numbers"),
    "rows wider than any": (lambda p: np.save(p.open("wb"), np.zeros((1, 70_000), "f4")), "rows of 70,000 numbers"),
    "contexts that are too long": (
        lambda p: np.savez(
            p.open("wb"), context_sequences=np.zeros((9, 129, 3), "f4"), target_vectors=np.zeros((9, 3), "f4")
        ),
        "a context has 129 vectors; 1 to 128 are taken, keep the last 128 of each",
    ),
    "sequences that do not fit": (
        lambda p: np.savez(
            p.open("wb"), context_sequences=np.zeros((9, 5, 3), "f4"), target_vectors=np.zeros((8, 3), "f4")
        ),
        "do not fit",
    ),
    "targets alone": (lambda p: np.savez(p.open("wb"), target_vectors=VECTORS), r"there is: target_vectors\.npy"),
    "pickled objects": (
        lambda p: np.savez(p.open("wb"), vectors=np.array([{}, []], object)),
        "pickled Python objects, which are never opened",
    ),
    "stored by columns": (lambda p: np.save(p.open("wb"), np.asfortranarray(VECTORS)), "ascontiguousarray"),
    "records": (lambda p: np.save(p.open("wb"), np.zeros(9, "f4,i4")), "two axes|is needed"),
    "an array of terabytes": (lambda p: p.write_bytes(npy("(1000000000, 3000)")), "claims 12 TB and"),
    "a member of terabytes": (lambda p: archive(p, vectors=npy("(1000000000, 3000)")), "claims 12 TB and"),
    "a shape below zero": (lambda p: p.write_bytes(npy("(-40, -6)")), "claims|damaged"),
    "a directory that lies": (lying, "claims 3,221,225,472 bytes in a file of"),
    "a header that is a program": (
        lambda p: p.write_bytes(npy("__import__('os').getpid()")),
        "damaged or not a vector file",
    ),
    "a header without end": (lambda p: p.write_bytes(npy("(" * 80)), "damaged or not a vector file"),
    "an array cut short": (lambda p: p.write_bytes(npy("(40, 6)")[:-1]), "cut or damaged"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, fault: str) -> None:
    make, words = BROKEN[fault]
    path = tmp_path / "vectors.npz"
    make(path)
    with pytest.raises(UserError, match=words) as error:
        list(vector_blocks(recognise(path)))
    said = str(error.value)
    assert "vectors.npz: " in said and said.isprintable() and "; " in said and len(said) < 400


ARTICLES = {
    "too few": (np.zeros(59, int), None, r"article_id is int64 \(59\), not 60 whole numbers or names"),
    "floats": (np.zeros(60), None, "article_id is float64"),
    "below zero": (np.full(60, -1), None, "below 0"),
    "beyond 32 bits": (np.full(60, 1 << 40), None, r"above 2\^31"),
    "pickled": (np.array([None] * 60), None, "article_id holds pickled"),
    "titles pickled": (np.zeros(60, int), np.array(["a", 3], object), "titles holds pickled"),
    "titles as numbers": (np.zeros(60, int), np.arange(3), "not a list of text"),
}


@pytest.mark.parametrize("fault", ARTICLES)
def test_article_numbers_and_titles_are_checked(tmp_path: Path, fault: str) -> None:
    ids, titles, words = ARTICLES[fault]
    more: dict[str, Any] = {} if titles is None else {"titles": titles}
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=ids, **more)
    with pytest.raises(UserError, match=words):
        vector_files.articles(recognise(tmp_path / "a.npz"))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("kind", ["articles", "sequence"])
def test_a_truncated_archive_is_named(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "a.npz"
    save_articles(path, [VECTORS]) if kind == "articles" else save_sequence(path, VECTORS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=re.escape("a.npz: ") + ".*(damaged|neither)"):
        recognise(path)
