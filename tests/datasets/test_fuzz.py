"""Broken and hostile files: one line for the person, never a traceback, never a hang, never half a store."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lvmtui.datasets.convert import convert
from lvmtui.system.errors import UserError
from tests.datasets.making import library, quantised, walk, windows_of


def _whole_files() -> dict[str, bytes]:
    articles = library(3)
    vectors = np.concatenate(articles)
    ids = np.repeat([0, 1, 2], [len(a) for a in articles])
    contexts, targets = windows_of(walk(30))
    files = {}
    whole: dict[str, dict[str, Any]] = {
        "vectors": {"vectors": vectors.astype("f2"), "article_id": ids, "titles": np.array(["a", "b", "c"])},
        "quantised": {**quantised(vectors), "article_id": ids.astype("u2"), "titles": np.array([b"a", b"b", b"c"])},
        "sequences": {"context_sequences": contexts, "target_vectors": targets},
    }
    for name, arrays in whole.items():
        for packed, save in (("", np.savez), (" packed", np.savez_compressed)):
            out = io.BytesIO()
            save(out, **arrays)
            files[name + packed] = out.getvalue()
    out = io.BytesIO()
    np.save(out, vectors)
    return files | {"array": out.getvalue()}


WHOLE = _whole_files()


def survives(folder: Path, content: bytes) -> None:
    path = folder / "a.npz"
    path.write_bytes(content)
    try:
        store = convert(path, folder, normalise=True)
    except UserError as error:
        lines = str(error).splitlines()  # several where the start is that of a format we can tell how to convert
        assert all(map(str.isprintable, lines)) and lines[0].startswith("a.npz: ") and len(str(error)) < 500
        assert not list((folder / "artifacts" / "lvm" / "datasets").glob("*/store.json"))
    else:
        assert np.allclose(np.linalg.norm(store.vectors, axis=1), 1, atol=1e-5)
        assert len(store.window_starts(5)) <= store.facts.rows - 5
        assert all(title.isprintable() for title in store.titles)
    assert not list((folder / "artifacts" / "lvm" / "datasets").glob(".*.part"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1))
def test_truncated_files(tmp_path_factory: pytest.TempPathFactory, name: str, share: float) -> None:
    survives(tmp_path_factory.mktemp("cut"), WHOLE[name][: int(share * len(WHOLE[name]))])


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(-700, 700), st.integers(0, 7)), min_size=1, max_size=4),
)
def test_files_with_flipped_bits(
    tmp_path_factory: pytest.TempPathFactory, name: str, flips: list[tuple[int, int]]
) -> None:
    """At both ends, where the headers and the directory are."""
    content = bytearray(WHOLE[name])
    for place, bit in flips:
        content[place % len(content)] ^= 1 << bit
    survives(tmp_path_factory.mktemp("flip"), bytes(content))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 10_000), st.binary(min_size=1, max_size=12))
def test_files_with_strange_bytes_anywhere(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, strange: bytes
) -> None:
    content = bytearray(WHOLE[name])
    at = place % len(content)
    content[at : at + len(strange)] = strange
    survives(tmp_path_factory.mktemp("strange"), bytes(content))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["<f4", "<f8", "|i1", "<f2", "|O", ">f4", "<U9", "<M8[s]", "|V8"]),
    st.lists(st.integers(-2, 1 << 40), max_size=4),
    st.booleans(),
    st.integers(0, 4000),
)
@example("<f4", [1 << 40, 1 << 40], False, 100)
@example("<f4", [0, 1 << 40], False, 0)
@example("|V0", [1 << 40, 3], False, 0)
@example("<U0", [1 << 40], False, 0)
def test_headers_that_claim_anything(
    tmp_path_factory: pytest.TempPathFactory, descr: str, shape: list[int], by_columns: bool, there: int
) -> None:
    out = io.BytesIO()
    header = {"descr": descr, "fortran_order": by_columns, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(out, header)
    survives(tmp_path_factory.mktemp("claim"), out.getvalue() + bytes(there))
