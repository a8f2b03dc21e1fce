"""Each kind of file that people have gives the same articles, or says in one line what is wrong and how to fix it."""

from __future__ import annotations

import json
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvmtui.datasets.convert import convert
from lvmtui.datasets.readers.parquet import choose_columns
from lvmtui.datasets.readers.refusals import FOREIGN
from lvmtui.datasets.vector_files import open_source
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from tests.datasets.readers.schemas import ARTICLES, DIM, IDS, LENGTHS, PLACES, ROWS, SCHEMAS, VECTORS, npz, table


def as_sets(articles: list[np.ndarray]) -> set[frozenset[tuple[float, ...]]]:
    """Articles as sets of rounded rows: what they hold, not in which order."""
    return {frozenset(map(tuple, np.round(article, 4).tolist())) for article in articles}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_gives_the_same_articles(tmp_path: Path, name: str) -> None:
    schema = SCHEMAS[name]
    path = schema.make(tmp_path)
    store = convert(path, tmp_path, reading=schema.reading, normalise=True)
    said = "; ".join(store.facts.notes)
    assert all(words in said for words in schema.notes), said
    assert (store.facts.kind == "articles") == schema.articles
    if schema.same_rows:
        assert np.allclose(store.vectors, VECTORS, atol=1e-6)
    if store.article_of is not None:
        kept = np.split(store.vectors, np.flatnonzero(np.diff(store.article_of)) + 1)
        expected = ARTICLES if schema.whole else [article[len(article) % 2 :] for article in ARTICLES]
        assert as_sets(kept) == as_sets(expected)
    assert open_source(path, schema.reading).fingerprint() == store.facts.fingerprint


@pytest.mark.parametrize(
    "name", ["parquet in another order", "vectors, in another order", "vectors, in another order by page"]
)
def test_an_ordered_file_gives_the_order_back(tmp_path: Path, name: str) -> None:
    shuffled, ordered = SCHEMAS[name], SCHEMAS["parquet with wiki_id and paragraph_id"]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = convert(shuffled.make(tmp_path / "a"), tmp_path, reading=shuffled.reading)
    second = convert(ordered.make(tmp_path / "b"), tmp_path)
    assert first.article_of is not None and second.article_of is not None
    for number in set(IDS.tolist()):
        assert np.array_equal(first.vectors[first.article_of == number], second.vectors[second.article_of == number])
    assert second.titles[11] == "Title 11"


def test_the_same_vectors_give_the_same_store_whatever_the_file(tmp_path: Path) -> None:
    """A campaign on Parquet is a campaign on the same rows to the bit."""
    names = ("vectors, article_id", "parquet with wiki_id and paragraph_id", "arrow", "a folder of .npy")
    stores = []
    for index, name in enumerate(names):
        (tmp_path / str(index)).mkdir()
        stores.append(convert(SCHEMAS[name].make(tmp_path / str(index)), tmp_path))
    for store in stores[1:]:
        assert np.array_equal(store.vectors, stores[0].vectors)
    named = [store.article_of for store in stores[:3] if store.article_of is not None]
    assert len(named) == 3 and all(np.array_equal(named[0], other) for other in named)


def _null(column: list[Any], row: int, value: Any = None) -> list[Any]:
    return [value if i == row else cell for i, cell in enumerate(column)]


def _without_rows(folder: Path) -> Path:
    """A file whose column is of lists of floats, as a filter that kept nothing leaves it."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = folder / "vectors.parquet"
    parquet.write_table(pyarrow.table({"emb": pyarrow.array([], pyarrow.list_(pyarrow.float32()))}), path)
    return path


BAD_TABLES: dict[str, tuple[Callable[[Path], Path], Reading, str]] = {
    "no vectors": (table(text=["a"] * len(ROWS)), Reading(), "holds no columns of vectors; name the one to read"),
    "two that could be meant": (table(a=ROWS, b=ROWS), Reading(), "holds several columns of vectors: a, b; name one"),
    "a name that is not there": (table(a=ROWS), Reading("emb"), "--vectors emb is no column of it; there are: a"),
    "no vectors under the name": (table(a=ROWS, n=[1] * len(ROWS)), Reading("n"), "--vectors n is int64, no list"),
    "a missing vector": (table(emb=_null(ROWS, 40)), Reading(), "emb is missing in row 40; leave that row out"),
    "a short vector": (table(emb=_null(ROWS, 40, ROWS[0][:7])), Reading(), "emb has 7 numbers in row 40, not 16"),
    "lists for ids": (
        table(emb=ROWS, doc_id=ROWS),
        Reading(article="doc_id"),
        "doc_id holds lists, not the id of an art",
    ),
    "a missing id": (table(emb=ROWS, doc_id=_null(IDS.tolist(), 3)), Reading(), "doc_id is missing in some rows"),
    "no rows": (table(np.arange(0), emb=ROWS), Reading("emb"), "no rows|no list of floats"),
    "an order of no articles": (
        table(emb=ROWS, n=PLACES.tolist()),
        Reading(order="n"),
        "--order n needs a file of one v",
    ),
    "an order in words": (
        table(emb=ROWS, doc_id=IDS.tolist(), n=["a"] * len(ROWS)),
        Reading(order="n"),
        "n has rows that are no numbers; give another --order",
    ),
    "no rows of lists": (_without_rows, Reading(), "vectors.parquet: has no rows; make the file again"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_what_is_wrong_with_a_table_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    make, reading, words = BAD_TABLES[name]
    with pytest.raises(UserError, match=words) as refused:
        convert(make(tmp_path), tmp_path, reading=reading)
    assert str(refused.value).isprintable() and "vectors.parquet: " in str(refused.value)


@pytest.mark.parametrize("share", [0.1, 0.6, 0.98])
def test_a_truncated_table_is_named(tmp_path: Path, share: float) -> None:
    path = SCHEMAS["parquet with wiki_id and paragraph_id"].make(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"vectors.parquet: .*(damaged|cannot be read)"):
        convert(path, tmp_path)


def test_shards_must_be_alike(tmp_path: Path) -> None:
    folder = SCHEMAS["parquet shards with a split column"].make(tmp_path)
    table(embedding=[row.tolist() for row in ROWS], doc_id=IDS.tolist())(folder).rename(folder / "part-9.parquet")
    with pytest.raises(UserError, match=r"part-9.parquet: its column (embedding|doc_id) is missing or of another type"):
        convert(folder, tmp_path)


def test_a_document_of_another_width_is_named(tmp_path: Path) -> None:
    folder = SCHEMAS["a folder of .npy"].make(tmp_path)
    np.save(folder / "document 13.npy", np.ones((9, 7), "f4"))
    with pytest.raises(UserError, match=r"document 13.npy: vectors of 7 numbers, document 8.npy has 16"):
        convert(folder, tmp_path)


def _write_foreign(name: str, path: Path) -> None:
    """A file of that format with VECTORS and their ids."""
    if name == "HDF5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as out:
            out["emb"], out["doc"] = VECTORS, IDS
    elif name == "a torch file":
        import torch

        torch.save({"emb": torch.tensor(VECTORS), "doc": torch.tensor(IDS)}, path)
    elif name == "safetensors":
        save = pytest.importorskip("safetensors.numpy")
        save.save_file({"emb": np.ascontiguousarray(VECTORS), "doc": IDS}, path)
    elif name == "Zarr":
        zarr = pytest.importorskip("zarr")
        group = zarr.open_group(str(path), mode="w")
        for key, array in (("emb", VECTORS), ("doc", IDS)):
            group.create_array(key, data=array)
    elif name == "fvecs":
        rows = np.concatenate([np.full((len(VECTORS), 1), DIM, "i4"), VECTORS.view("i4")], axis=1)
        rows.tofile(path)
    elif name == "a pickle":
        path.write_bytes(pickle.dumps({"emb": VECTORS.tolist(), "doc": IDS.tolist()}))
    elif name == "JSON lines":
        rows_ = [{"emb": row.tolist(), "doc": int(i)} for row, i in zip(VECTORS, IDS, strict=True)]
        path.write_text("\n".join(map(json.dumps, rows_)))
    elif name == "CSV":
        lines = [",".join(map(str, [i, *row])) for row, i in zip(VECTORS.tolist(), IDS.tolist(), strict=True)]
        path.write_text("\n".join(["id,numbers", *lines]))
    else:
        VECTORS.tofile(path)


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.name)
def test_the_lines_of_a_refusal_make_a_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"theirs{foreign.suffixes[0]}")
    _write_foreign(foreign.name, path)
    with pytest.raises(UserError, match=re.escape(f"{path.name}: {foreign.name}, which is not read")) as refused:
        open_source(path)
    first, *lines = str(refused.value).split("\n")
    assert first.isprintable() and len(lines) == 2
    np.save("doc.npy", IDS)
    code = "\n".join(line.strip() for line in lines)
    code = code.replace("VECTORS", "emb").replace('load("IDS")', 'load("doc.npy")').replace("IDS", "doc")
    exec(code.replace("DIM", str(DIM)), {})
    store = convert(Path(f"{path.name}.npz"), tmp_path, normalise=True)
    assert np.allclose(store.vectors, VECTORS, atol=1e-5)
    assert store.article_of is not None and len(np.unique(store.article_of)) == len(LENGTHS)


def test_a_torch_file_and_a_pickle_are_known_by_what_they_are(tmp_path: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(3)}, tmp_path / "vectors.npz")
    with pytest.raises(UserError, match="a torch file, which is not read"):
        open_source(tmp_path / "vectors.npz")
    (tmp_path / "vectors.npy").write_bytes(pickle.dumps([1]))
    with pytest.raises(UserError, match="a pickle, which is not read"):
        open_source(tmp_path / "vectors.npy")
    (tmp_path / "plain").write_bytes(struct.pack("<4f", 1, 2, 3, 4))
    with pytest.raises(UserError, match=r"neither .npz, .npy, Parquet nor Arrow"):
        open_source(tmp_path / "plain")


def test_without_pyarrow_the_pip_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = SCHEMAS["arrow"].make(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=re.escape("needs pyarrow; run pip install 'lvmtui[parquet]'")):
        open_source(path)


def test_the_schemas_are_what_this_file_says() -> None:
    assert len(SCHEMAS) >= 25 and len(PLACES) == len(VECTORS) and callable(npz)


def test_columns_that_are_named_by_hand_are_noted_too() -> None:
    arrow = pytest.importorskip("pyarrow")
    schema = arrow.schema([("v", arrow.list_(arrow.float32()))])
    assert choose_columns("a.parquet", schema, Reading(vectors="v"))[1] == ["columns: vectors v"]
