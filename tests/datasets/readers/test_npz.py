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

from lvmtui.datasets.convert import convert
from lvmtui.datasets.readers import npy as npy_reader
from lvmtui.datasets.readers import npz
from lvmtui.datasets.readers.source import ARTICLE_NAMES
from lvmtui.datasets.vector_files import open_source
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from tests.datasets.making import quantised, save_articles, save_sequence, walk

VECTORS = walk(60)


def read(path: Path) -> np.ndarray:
    return np.concatenate(list(open_source(path).blocks()))


@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 20])
def test_every_kind_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(npz, "BLOCK_BYTES", block_bytes)
    stored: dict[str, Any] = {**quantised(VECTORS)}
    np.savez(tmp_path / "half.npz", vectors=VECTORS.astype("f2"), something_else=np.zeros(3))
    np.savez_compressed(tmp_path / "big_endian.npz", vectors=VECTORS.astype(">f4"))
    np.savez(tmp_path / "bytes.npz", **stored)
    np.save(tmp_path / "plain.npy", VECTORS)
    (tmp_path / "plain.npy").rename(tmp_path / "plain.any")
    assert open_source(tmp_path / "half.npz").facts.kind == "vectors"
    assert np.array_equal(read(tmp_path / "half.npz"), VECTORS.astype("f2").astype("f4"))
    assert np.array_equal(read(tmp_path / "big_endian.npz"), VECTORS)
    assert open_source(tmp_path / "bytes.npz").facts.kind == "quantised"
    assert np.array_equal(read(tmp_path / "bytes.npz"), stored["q"] * stored["scale"][:, None])
    assert open_source(tmp_path / "plain.any").facts.kind == "array"
    assert np.array_equal(read(tmp_path / "plain.any"), VECTORS)

    source = open_source(save_sequence(tmp_path / "windows.npz", VECTORS))
    assert (source.facts.kind, source.facts.rows, source.facts.dim) == ("sequences", 55, 24)
    windows = np.concatenate(list(source.blocks()))
    assert np.array_equal(windows[7], VECTORS[7:13]) and np.array_equal(windows[:, 5], VECTORS[5:])


def test_titles_are_plain_text_or_json_and_always_harmless(tmp_path: Path) -> None:
    titles = ['{"title": "Albedo", "n": 12}', "\x1b]52;c;aGk=\x07Autism\u202e", '{"no": "title"}', "{half"]
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=np.repeat([0, 1, 2, 3], 15), titles=np.array(titles))
    articles = open_source(tmp_path / "a.npz").articles
    assert articles.number_of is not None
    assert articles.number_of.tolist() == [0] * 15 + [1] * 15 + [2] * 15 + [3] * 15
    assert articles.titles == ("Albedo", "Autism\ufffd", '{"no": "title"}', "{half")


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    def fingerprint_of(name: str, vectors: np.ndarray, **more: Any) -> str:
        with (tmp_path / name).open("wb") as out:
            np.save(out, vectors) if name.endswith("npy") else np.savez(out, vectors=vectors, **more)
        return open_source(tmp_path / name).fingerprint()

    for kind in ("npy", "npz"):
        assert fingerprint_of(f"a.{kind}", VECTORS) == fingerprint_of(f"b.{kind}", VECTORS)
        assert fingerprint_of(f"a.{kind}", VECTORS) != fingerprint_of(f"b.{kind}", VECTORS * -1)
    assert fingerprint_of("a.npz", VECTORS) != fingerprint_of("b.npz", VECTORS, article_id=np.zeros(60, int))


@pytest.mark.parametrize("name", ARTICLE_NAMES)
@pytest.mark.parametrize("kind", ["numbers", "text", "bytes"])
def test_article_ids_are_taken_under_the_usual_names(tmp_path: Path, name: str, kind: str) -> None:
    numbers = np.repeat([7, 2, 9], 20)
    ids = numbers if kind == "numbers" else np.char.add("text-", numbers.astype(str))
    ids = ids.astype("S") if kind == "bytes" else ids
    arrays: dict[str, Any] = {"vectors": VECTORS, name: ids, "notes": np.zeros(3)}
    np.savez(tmp_path / "a.npz", **arrays)
    source = open_source(tmp_path / "a.npz")
    assert source.facts.notes[-1] == "not read: notes"
    assert (f"read: {name} as article" in source.facts.notes) == (name != "article_id")
    articles = source.articles
    assert articles.number_of is not None and articles.places is None
    assert np.array_equal(articles.number_of, numbers if kind == "numbers" else np.repeat([0, 1, 2], 20))
    assert articles.titles == (() if kind == "numbers" else ("text-7", "text-2", "text-9"))


def test_what_nobody_reads_is_named(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"odd\x1b[2J": np.zeros(2)}
    pickled = np.array([{"article": 1}], object)
    np.savez(tmp_path / "a.npz", vectors=VECTORS, doc_ids=np.zeros(3, int), metadata=pickled, **odd)
    assert open_source(tmp_path / "a.npz").facts.notes == ("not read: doc_ids, odd, metadata",)
    many_more: dict[str, Any] = {f"x{i}": np.zeros(1) for i in range(30)}
    np.savez(tmp_path / "many.npz", vectors=VECTORS, **many_more)
    (note,) = open_source(tmp_path / "many.npz").facts.notes
    assert note.endswith(", x23 and 6 more")


def test_other_ids_are_another_reading(tmp_path: Path) -> None:
    np.savez(tmp_path / "ids.npz", vectors=VECTORS, doc_id=np.zeros(60, int))
    np.savez(tmp_path / "other.npz", vectors=VECTORS, article_id=np.zeros(60, int))
    ids, other = (open_source(tmp_path / f"{name}.npz").fingerprint() for name in ("ids", "other"))
    assert ids != other


def test_bfloat16_columns_and_long_floats_are_read(tmp_path: Path) -> None:
    halves = (VECTORS.view(np.uint32) >> 16).astype("u2").view("V2")
    for name, array, error in (
        ("bf16", halves, 2**-7),
        ("columns", np.asfortranarray(VECTORS), 0),
        ("double", VECTORS.astype("f8"), 0),
    ):
        np.savez_compressed(tmp_path / f"{name}.npz", vectors=array)
        np.save(tmp_path / f"{name}.npy", array)
        for path in (tmp_path / f"{name}.npz", tmp_path / f"{name}.npy"):
            assert np.abs(read(path) - VECTORS).max() <= error, path


def test_conversions_that_are_named_work(tmp_path: Path) -> None:
    """What the refusal says is done, and then the file is read."""
    refused = {
        "whole": (np.round(VECTORS * 100).astype(int), r"save (vectors\.astype\('float32'\))"),
        "long": (VECTORS.astype(np.longdouble), r"save (vectors\.astype\('float32'\))"),
    }
    for name, (array, words) in refused.items():
        np.savez(tmp_path / f"{name}.npz", vectors=array)
        with pytest.raises(UserError, match=words) as error:
            open_source(tmp_path / f"{name}.npz")
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
    "a folder": (lambda p: p.mkdir(), "a folder without .npy, .parquet or .arrow files; name"),
    "texts": (lambda p: (p.mkdir(), (p / "a.md").write_text("hello")), "a folder of texts; make vectors of it with"),
    "a pipe": (lambda p: os.mkfifo(p), "not an ordinary file"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "text": (lambda p: p.write_text("hello\n" * 99), "neither .npz, .npy, Parquet nor Arrow"),
    "a zip of something else": (
        lambda p: zipfile.ZipFile(p, "w").writestr("letter\x1b[2J.txt", "dear"),
        r"no vectors we know; there is: letter.*\.txt; save `vectors`",
    ),
    "an empty zip": (lambda p: zipfile.ZipFile(p, "w").close(), "there is: nothing"),
    "several that could be meant": (
        lambda p: np.savez(p.open("wb"), a=VECTORS, b=VECTORS[None], c=np.zeros(3)),
        "holds several arrays of vectors: a, b; name one with --vectors",
    ),
    "q without scale": (lambda p: np.savez(p.open("wb"), q=np.zeros((9, 3), "i1")), r"there is: q; save"),
    "no axis": (lambda p: np.savez(p.open("wb"), vectors=VECTORS[0, 0]), r"float32 \(\); two axes"),
    "one axis, with ids": (
        lambda p: np.savez(p.open("wb"), vectors=VECTORS[0], article_id=np.zeros(60, int)),
        r"float32 \(24\); two axes",
    ),
    "one axis": (lambda p: np.savez(p.open("wb"), vectors=VECTORS[0]), r"float32 \(24\); two axes"),
    "four axes of an array with ids": (
        lambda p: np.savez(p.open("wb"), vectors=VECTORS[None, None], article_id=np.arange(60)),
        r"float32 \(1, 1, 60, 24\); two axes",
    ),
    "four axes": (lambda p: np.save(p.open("wb"), VECTORS[None, None]), r"float32 \(1, 1, 60, 24\); two axes"),
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
    "contexts alone": (
        lambda p: np.savez(p.open("wb"), context_sequences=np.zeros((9, 5, 3), "f4")),
        "no vectors we know; there is: context_sequences; save",
    ),
    "sequences that do not fit": (
        lambda p: np.savez(
            p.open("wb"), context_sequences=np.zeros((9, 5, 3), "f4"), target_vectors=np.zeros((8, 3), "f4")
        ),
        "do not fit",
    ),
    "pickled objects": (
        lambda p: np.savez(p.open("wb"), vectors=np.array([{}, []], object)),
        "pickled Python objects, which are never opened",
    ),
    "records": (lambda p: np.save(p.open("wb"), np.zeros(9, "f4,i4")), "two axes|is needed"),
    "an array of terabytes": (lambda p: p.write_bytes(npy("(1000000000, 3000)")), "claims 12,000,000,000,000"),
    "a member of terabytes": (lambda p: archive(p, vectors=npy("(1000000000, 3000)")), "claims 12,000,000,000,000"),
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
        list(open_source(path).blocks())
    said = str(error.value)
    assert "vectors.npz: " in said and said.isprintable() and "; " in said and len(said) < 400


ARTICLES = {
    "too few": (np.zeros(59, int), None, r"article_id is int64 \(59\), not 60 whole numbers or names"),
    "too many axes": (np.zeros((60, 2), int), None, r"article_id is int64 \(60, 2\), not 60"),
    "broken floats": (np.r_[np.zeros(59), 0.5], None, r"article_id is 0.5 in row 59, no whole number"),
    "not a number": (np.r_[np.zeros(59), np.nan], None, r"article_id is nan in row 59, no whole number"),
    "true and false": (np.zeros(60, bool), None, r"article_id is bool \(60\), not 60"),
    "pickled": (np.array([None] * 60), None, r"article_id holds pickled .* Save ids as numbers: a = numpy.load"),
}


@pytest.mark.parametrize("fault", ARTICLES)
def test_article_numbers_and_titles_are_checked(tmp_path: Path, fault: str) -> None:
    ids, titles, words = ARTICLES[fault]
    more: dict[str, Any] = {} if titles is None else {"titles": titles}
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=ids, **more)
    with pytest.raises(UserError, match=words):
        open_source(tmp_path / "a.npz").articles  # noqa: B018 - read when it is asked for


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("kind", ["articles", "sequence"])
def test_a_truncated_archive_is_named(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "a.npz"
    save_articles(path, [VECTORS]) if kind == "articles" else save_sequence(path, VECTORS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"a\.npz: its end is missing, as where a copy was cut off; copy or"):
        list(open_source(path).blocks())


IDS = {
    "wide numbers": np.repeat([1 << 40, 5, -3], 20),
    "whole floats": np.repeat([7.0, 2.0, 9.0], 20),
    "one column": np.repeat([7, 2, 9], 20)[:, None],
    "text": np.repeat(["b", "a", "c"], 20),
    "small then wide": np.repeat([4, 2, 1 << 33], 20),
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_ids_of_any_kind_name_articles(
    tmp_path: Path, kind: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy_reader, "BLOCK_BYTES", block_bytes)
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=IDS[kind])
    articles = open_source(tmp_path / "a.npz").articles
    assert articles.number_of is not None and articles.places is None
    stretches = articles.number_of.reshape(3, 20)
    assert (stretches == stretches[:, :1]).all() and len({*stretches[:, 0].tolist()}) == 3
    if kind in ("wide numbers", "text", "small then wide"):
        assert articles.titles == tuple(str(name) for name in IDS[kind][::20])
        assert stretches[:, 0].tolist() == [0, 1, 2]


def test_scattered_articles_are_grouped_and_it_is_said(tmp_path: Path) -> None:
    ids = np.array([5, 3, 5, 3, 3, 9] * 10)
    titles = np.array([f"title of {i}" for i in ids])
    np.savez(tmp_path / "a.npz", vectors=VECTORS, article_id=ids, titles=titles)
    articles = open_source(tmp_path / "a.npz").articles
    assert articles.number_of is not None and articles.places is not None
    kept = np.empty_like(VECTORS)
    kept[articles.places] = VECTORS
    assert np.array_equal(kept, np.concatenate([VECTORS[ids == i] for i in (5, 3, 9)]))
    assert articles.number_of.tolist() == [5] * 20 + [3] * 30 + [9] * 10
    assert articles.titles[3] == "title of 3" and articles.titles[9] == "title of 9"
    assert "3 articles" in articles.notes[0]
    store = convert(tmp_path / "a.npz", tmp_path)
    assert np.allclose(store.vectors, kept, atol=1e-6) and store.article_of is not None
    assert store.facts.notes == articles.notes and np.array_equal(store.article_of, articles.number_of)


def test_documents_of_one_array_lose_their_padding(tmp_path: Path) -> None:
    documents = np.zeros((3, 20, 24), "f4")
    documents[0, :20], documents[1, :7], documents[2, :12] = VECTORS[:20], VECTORS[20:27], VECTORS[27:39]
    np.savez(tmp_path / "a.npz", emb=documents)
    np.save(tmp_path / "a.npy", documents)
    for path in (tmp_path / "a.npz", tmp_path / "a.npy"):
        store = convert(path, tmp_path)
        assert np.allclose(store.vectors, VECTORS[:39], atol=1e-6)
        assert store.article_of is not None
        assert store.article_of.tolist() == [0] * 20 + [1] * 7 + [2] * 12
        assert any("2 documents are filled up with zero rows" in note for note in store.facts.notes)


FOUND: dict[str, tuple[dict[str, Any], Reading, str]] = {
    "by name": ({"embeddings": VECTORS, "x": VECTORS[:, :3]}, Reading(), "vectors"),
    "as asked": ({"a": VECTORS, "b": VECTORS * 2}, Reading("a"), "vectors"),
    "by shape": ({"anything": VECTORS, "n": np.arange(60)}, Reading(), "vectors"),
    "x and y": ({"X_train": VECTORS[:54].reshape(9, 6, 24), "Y_train": VECTORS[:9]}, Reading(), "sequences"),
    "contexts": ({"contexts": VECTORS[:54].reshape(9, 6, 24), "targets": VECTORS[:9]}, Reading(), "sequences"),
}


@pytest.mark.parametrize("name", FOUND)
def test_vectors_are_found_by_what_they_are(tmp_path: Path, name: str) -> None:
    arrays, reading, kind = FOUND[name]
    np.savez(tmp_path / "a.npz", **arrays)
    source = open_source(tmp_path / "a.npz", reading)
    assert source.facts.kind == kind
    assert source.facts.context == (6 if kind == "sequences" else 0)
    if kind == "vectors":
        assert np.array_equal(np.concatenate(list(source.blocks())), VECTORS)


def test_a_named_array_must_be_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vectors=VECTORS, n=np.arange(60))
    with pytest.raises(UserError, match="--vectors x is no array of it; there are: vectors, n"):
        open_source(tmp_path / "a.npz", Reading("x"))
    with pytest.raises(
        UserError, match=r"--article x is no array of it; there are: .*; give each file a name of its own"
    ):
        open_source(tmp_path / "a.npz", Reading(article="x"))
    with pytest.raises(UserError, match="--order x is no array of it; there are: vectors, n"):
        open_source(tmp_path / "a.npz", Reading(article="n", order="x"))
    with pytest.raises(UserError, match="--order n needs a file of one vector a row, and their articles"):
        open_source(tmp_path / "a.npz", Reading(order="n"))
    assert open_source(tmp_path / "a.npz", Reading(article="n")).articles.number_of is not None
    np.savez(tmp_path / "b.npz", vectors=VECTORS, article_id=np.zeros(60, int), few=np.arange(59), words=["a"] * 60)
    for order, words in {"few": "few has 59 numbers for 60 vectors", "words": "words has rows that are no num"}.items():
        with pytest.raises(UserError, match=words):
            _ = open_source(tmp_path / "b.npz", Reading(order=order)).articles
    with pytest.raises(UserError, match="--order n needs a file of one vector a row"):
        np.savez(tmp_path / "c.npz", X=np.zeros((9, 5, 4), "f4"), y=np.zeros((9, 4), "f4"), n=np.arange(9))
        open_source(tmp_path / "c.npz", Reading(order="n"))
