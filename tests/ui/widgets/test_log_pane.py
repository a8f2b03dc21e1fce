"""The window onto a log: it follows, stays where it is put, wraps, and finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line
from lvmtui.ui.read.logfile import LogFile
from lvmtui.ui.widgets.log_pane import LogPane

WIDTH, HEIGHT = 20, 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "train.log"
    path.write_text("".join(f"line {i}\n" for i in range(100)))
    return path


def text(lines: list[Line]) -> list[str]:
    """The lines without their marks."""
    return ["".join(piece for piece, _ in line[1:]) for line in lines]


def marks(pane: LogPane) -> list[bool]:
    return [line[0][0] == glyphs.SELECTED for line in pane.lines(WIDTH, HEIGHT)]


def shown(pane: LogPane) -> list[str]:
    return text(pane.lines(WIDTH, HEIGHT))


def test_it_opens_at_the_end_and_follows(path: Path) -> None:
    pane = LogPane(LogFile(path))
    assert shown(pane) == ["line 96", "line 97", "line 98", "line 99"]
    with path.open("a") as file:
        file.write("line 100\n")
    assert shown(pane)[-1] == "line 100"
    assert pane.place == "following"


def test_it_stays_where_it_was_put(path: Path) -> None:
    pane = LogPane(LogFile(path))
    pane.scroll(-10, WIDTH, HEIGHT)
    assert shown(pane)[0] == "line 86" and not pane.follow
    with path.open("a") as file:
        file.write("more\n")
    assert shown(pane)[0] == "line 86"
    pane.scroll(3, WIDTH, HEIGHT)
    assert shown(pane)[0] == "line 89"
    pane.scroll(1000, WIDTH, HEIGHT)
    assert pane.follow and shown(pane)[-1] == "more"
    pane.to_start()
    assert shown(pane)[0] == "line 0" and pane.place == "0 %"
    pane.scroll(-5, WIDTH, HEIGHT)
    assert shown(pane)[0] == "line 0"


def test_long_lines_are_cut_or_wrapped_and_scrolled_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("a" * 50 + "\nb\n" + "c" * 45 + "\n")
    pane = LogPane(LogFile(path))
    assert shown(pane) == ["a" * 19 + "…", "b", "c" * 19 + "…"]
    pane.wrap = True
    assert shown(pane) == ["b", "c" * 20, "c" * 20, "c" * 5]
    pane.scroll(-1, WIDTH, HEIGHT)
    assert shown(pane) == ["a" * 10, "b", "c" * 20, "c" * 20]
    pane.scroll(-1, WIDTH, HEIGHT)
    assert shown(pane)[:2] == ["a" * 20, "a" * 10]
    pane.scroll(1, WIDTH, HEIGHT)
    assert shown(pane) == ["a" * 10, "b", "c" * 20, "c" * 20]


def test_it_finds_and_sets_off(path: Path) -> None:
    pane = LogPane(LogFile(path), needle="LINE 5".lower())
    pane.to_start()
    found = pane.search(True, lambda share: True)
    assert found is not None
    go_to(pane, found)
    assert shown(pane)[0] == "line 5"
    assert ("line 5", "match") in pane.lines(WIDTH, HEIGHT)[0]
    go_to(pane, pane.search(True, lambda share: True) or 0)
    assert shown(pane)[0] == "line 50" and pane.place == "2 of 11, 49 %"
    go_to(pane, pane.search(False, lambda share: True) or 0)
    assert shown(pane)[0] == "line 5"


def go_to(pane: LogPane, offset: int) -> None:
    pane.go_to(offset, pane.file.count(pane.needle, offset), WIDTH, HEIGHT)


def test_what_is_found_moves_the_window_no_more_than_it_must(path: Path) -> None:
    pane = LogPane(LogFile(path), needle="line")
    pane.to_start()
    pane.scroll(10, WIDTH, HEIGHT)
    for i in (10, 11, 12, 13):  # the first one shown is looked at, too
        go_to(pane, pane.search(True, lambda share: True) or 0)
        assert shown(pane)[0] == "line 10" and pane.place.startswith(f"{i + 1} of 100, ")
        assert marks(pane) == [j == i - 10 for j in range(HEIGHT)]
    pane.needle = "line 98"
    go_to(pane, pane.search(True, lambda share: True) or 0)
    assert shown(pane) == ["line 96", "line 97", "line 98", "line 99"] and pane.place.startswith("1 of 1, ")
    pane.scroll(-1, WIDTH, HEIGHT)
    assert shown(pane)[0] == "line 95"
    assert "of" not in pane.place and not any(marks(pane)), "one has moved on"


def test_a_long_line_that_is_found_is_seen_whole(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("a\nb\nc\n" + "d" * 50 + "\ne\nf\n")
    pane = LogPane(LogFile(path), wrap=True, needle="d")
    pane.to_start()
    assert shown(pane) == ["a", "b", "c", "d" * 20]
    go_to(pane, 6)
    assert shown(pane) == ["d" * 20, "d" * 20, "d" * 10, "e"]


def test_a_log_that_was_replaced_by_a_shorter_one(path: Path) -> None:
    pane = LogPane(LogFile(path))
    pane.scroll(-3, WIDTH, HEIGHT)
    path.write_text("new\n")
    assert shown(pane) == ["new"]
    path.unlink()
    assert "nothing logged" in shown(pane)[0]


def test_a_search_goes_on_from_the_other_end(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("best so far\n" + "epoch\n" * 50)
    pane = LogPane(LogFile(path), needle="best")
    pane.lines(40, 10)  # it follows: all hits are above
    assert pane.search(True, lambda share: True) == 0
    assert pane.search(False, lambda share: True) == 0
    pane.needle = "nowhere"
    assert pane.search(True, lambda share: True) is None


@pytest.mark.parametrize("place", [0, 10, WIDTH - 6, WIDTH - 2, WIDTH, 3 * WIDTH, 400])
def test_what_was_found_far_to_the_right_is_on_the_screen(tmp_path: Path, place: int) -> None:
    path = tmp_path / "wide.log"
    path.write_text("." * place + "needle" + "-" * 300 + "\n")
    (line,) = LogPane(LogFile(path), needle="needle").lines(WIDTH, HEIGHT)
    assert ("needle", "match") in line and sum(len(text) for text, _ in line[1:]) <= WIDTH
    (plain,) = LogPane(LogFile(path)).lines(WIDTH, HEIGHT)
    assert plain[1][0].startswith("." * min(place, WIDTH - 1))
