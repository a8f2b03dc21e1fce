"""Whole lines, whatever is done to the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.state import tail
from lvmtui.state.tail import Position, read_lines

contents = st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=12)


@settings(deadline=None)
@given(lines=contents, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_a_file_that_grows_in_any_pieces_gives_each_line_once(
    lines: list[bytes], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tail") / "log"
    content = b"".join(line + b"\n" for line in lines)
    position, found, written = Position(), [], 0
    for end in sorted(min(cut, len(content)) for cut in [*cuts, len(content)]):
        with path.open("ab") as file:
            file.write(content[written:end])
        written = end
        new, position = read_lines(path, position)
        found += new
    assert found == lines and position.offset == len(content)


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "log") == ([], Position())
    position = Position(7, 7)
    assert read_lines(tmp_path / "log", position) == ([], position)


def test_an_unterminated_line_is_held_back(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    lines, position = read_lines(path)
    assert lines == [b"one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert read_lines(path, position)[0] == [b"two"]


def test_a_file_that_was_cut_or_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    _, position = read_lines(path)
    path.write_bytes(b"1\n")  # the same inode, shorter
    lines, position = read_lines(path, position)
    assert lines == [b"1"]
    (tmp_path / "new").write_bytes(b"one\ntwo\nthree\n")
    os.replace(tmp_path / "new", path)
    assert read_lines(path, position)[0] == [b"one", b"two", b"three"]


def test_an_endless_line_is_passed_over_and_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "LONGEST", 100)
    monkeypatch.setattr(tail, "BLOCK", 64)
    path = tmp_path / "log"
    path.write_bytes(b"one\n" + b"x" * 5000)
    lines, position = read_lines(path)
    assert lines == [b"one"] and position.offset > 100
    with path.open("ab") as file:
        file.write(b"y" * 500 + b"\ntwo\n")
    lines, _ = read_lines(path, position)
    assert lines[-1] == b"two" and all(len(line) < 700 for line in lines)
