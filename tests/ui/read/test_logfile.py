"""A log is the same lines read from its start, from its end, or from anywhere, whatever it holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.ui.read import logfile
from lvmtui.ui.read.logfile import LogFile, newest_lines


def forwards(log: LogFile) -> list[int]:
    return [line.offset for line in log.after(0, 10_000)]


def backwards(log: LogFile) -> list[int]:
    return [line.offset for line in log.before(log.size(), 10_000)]


def test_lines_and_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"one\ntwo\n\nfour, still being writ")
    log = LogFile(path)
    assert [(line.offset, line.text, line.end) for line in log.after(0, 10)] == [
        (0, "one", 4),
        (4, "two", 8),
        (8, "", 9),
        (9, "four, still being writ", 31),
    ]
    assert [line.text for line in log.before(log.size(), 2)] == ["", "four, still being writ"]
    assert [line.text for line in log.after(4, 1)] == ["two"]
    assert newest_lines(path, 2) == ["four, still being writ"]


@given(st.lists(st.sampled_from(["x", "ax", "X", "b", "x x", ""]), max_size=30), st.sampled_from(["x", "X"]))
def test_lines_that_hold_something_are_counted(lines: list[str], needle: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.log"
        path.write_text("".join(line + "\n" for line in lines))
        log = LogFile(path)
        holding = [
            line.offset
            for line in log.after(0, 100)
            if needle in (line.text.lower() if needle.islower() else line.text)
        ]
        for i, offset in enumerate(holding, 1):
            assert log.count(needle, offset) == (i, len(holding))


def test_a_log_that_is_too_long_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"x\n" * 6)
    monkeypatch.setattr(logfile, "COUNTED", 11)
    assert LogFile(path).count("x", 0) is None
    assert LogFile(tmp_path / "none").count("x", 0) is None


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "none")
    assert log.size() == 0
    assert log.after(0, 5) == log.before(100, 5) == []
    assert log.search("x", 0, forwards=True) is None


def test_what_enters_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"\x1b]52;c;ZXZpbA==\x07a\x9bb\xff\xfe\n\x1b[2Jc\r\nold 10 %\rnew 20 %\n")
    texts = [line.text for line in LogFile(path).after(0, 9)]
    assert texts[1:] == ["c", "new 20 %"]
    assert all(text.isprintable() for text in texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 150), max_size=12), st.booleans())
def test_the_same_lines_both_ways(tmp_path_factory: pytest.TempPathFactory, lengths: list[int], ended: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfile, "BLOCK", 32)
        path = tmp_path_factory.mktemp("log") / "train.log"
        path.write_bytes(b"\n".join(b"x" * n for n in lengths) + (b"\n" if ended else b""))
        log = LogFile(path)
        assert forwards(log) == backwards(log)
        lines = log.after(0, 10_000)
        assert sum(line.end - line.offset for line in lines) == log.size()
        assert all(line.end - line.offset <= 64 for line in lines)
        assert all(
            log.before(at + 1, 1)[0].offset == line.offset for line in lines for at in range(line.offset, line.end)
        )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "needle", "Needle", "bb", "", "x" * 40]), max_size=20), st.integers(0, 120))
def test_search_finds_what_a_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], offset: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfile, "SEARCH_BLOCK", 16)
        text = "\n".join(words)
        path = tmp_path_factory.mktemp("log") / "train.log"
        path.write_text(text)
        log = LogFile(path)
        for needle, hay in (("needle", text.lower()), ("Needle", text)):
            ahead, behind = hay.find(needle, offset), hay.rfind(needle, 0, max(0, min(offset, len(hay))) + 5)
            behind = behind if 0 <= behind < offset else -1
            start_of = [text.rfind("\n", 0, at) + 1 if at >= 0 else None for at in (ahead, behind)]
            assert log.search(needle, offset, forwards=True) == start_of[0]
            assert log.search(needle, offset, forwards=False) == start_of[1]


def test_a_search_tells_where_it_is_and_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "SEARCH_BLOCK", 10)
    path = tmp_path / "train.log"
    path.write_bytes(b"." * 95 + b"needle")
    told: list[float] = []

    def going(share: float) -> bool:
        told.append(share)
        return len(told) < 4

    assert LogFile(path).search("needle", 0, forwards=True, going=going) is None
    assert told == sorted(told) and len(told) == 4
    assert LogFile(path).search("needle", 0, forwards=True) == 0


def test_a_gigabyte_opens_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\nlast but one\nlast\n")
    assert [line.text for line in LogFile(path).before(LogFile(path).size(), 2)] == ["last but one", "last"]
