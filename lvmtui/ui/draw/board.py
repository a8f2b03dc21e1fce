"""The board: which layout fits, where everything stands. Pure; `board_screen.py` gives it keys and a terminal."""

from __future__ import annotations

from rich.cells import cell_len

from lvmtui.system.numbers import percent
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.board_panels import Grid, Memo, grid_for, heldout_words, panels
from lvmtui.ui.draw.board_rows import rows
from lvmtui.ui.draw.header import Key, alarms, best_now, header, keys, order_keys
from lvmtui.ui.draw.lines import Drawing, Hit, Line, cut, left, wrapped
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.words import Word, interval_words

MANY = 12
"""Models past which the board is a list."""
PANEL_WIDTH, PANEL_HEIGHT = 100, 28
"""Cells of the terminal from which there are panels."""
LEAST_LOG, MOST_LOG = 2, 12
"""Lines of the log, its title included."""
NAME = 10
"""Cells of the name before a line between runs and log."""

OPEN: Key = ("enter", "open", "open")
KEYS: tuple[Key, ...] = (
    ("v", "verdict", "verdict"),
    ("?", "help", "help"),
    ("e", "export", "export"),
    ("/", "find", "ask"),
)
NEW: Key = ("n", "new", "new")
QUIT: Key = ("q", "leave, runs go on", "leave")


def board(
    snapshot: Snapshot,
    selected: str,
    top: int,
    width: int,
    height: int,
    memo: Memo | None = None,
    *,
    read_only: bool = False,
) -> Drawing:
    """The whole screen. `top`: first run of the list that is shown, where there is a list."""
    grid = panel_grid(snapshot, width, height)
    below = _below(snapshot, selected, width, height, grid)
    room = height - 2 - len(below)
    if grid is not None:
        body = panels(snapshot, selected, width, grid.height * -(-len(snapshot.models) // grid.columns), grid, memo)
    else:
        body = rows(snapshot, selected, top, width, max(2, min(room - LEAST_LOG, len(snapshot.runs) + 1)))
    lines: list[Line] = [header(snapshot, width, read_only=read_only), *body.lines]
    hits = [Hit(h.x, h.y + 1, h.width, h.height, f"run:{h.target}") for h in body.hits if h.y + h.height < height - 1]
    log = max(0, min(MOST_LOG, room - len(body.lines)))
    lines.extend([()] * (room - len(body.lines) - log))
    lines.extend(below)
    lines.extend(_log(snapshot, selected, width, log))
    orders = order_keys(snapshot.run(selected), read_only=read_only)
    last, key_hits = keys((OPEN, *orders, *KEYS, *(() if read_only else (NEW,))), QUIT, width)
    hits.extend(Hit(h.x, height - 1, h.width, 1, f"do:{h.target}") for h in key_hits)
    return Drawing((*lines[: height - 1], last), tuple(hits))


def list_height(snapshot: Snapshot, selected: str, width: int, height: int) -> int:
    """Runs that the list shows at once; all of them where there are panels."""
    if panel_grid(snapshot, width, height) is not None:
        return len(snapshot.runs)
    return max(1, height - 3 - LEAST_LOG - len(_below(snapshot, selected, width, height, None)))


def first_listed(top: int, at: int, shown: int, count: int) -> int:
    """The first run of the list that is shown, so that run `at` is: `top`, as far as that is possible."""
    return max(0, at - shown + 1, min(top, count - shown, at))


def panel_grid(snapshot: Snapshot, width: int, height: int) -> Grid | None:
    """How panels are laid out; None where there is a list."""
    if width < PANEL_WIDTH or height < PANEL_HEIGHT or len(snapshot.models) > MANY:
        return None
    most = max((len(model.runs) for model in snapshot.models), default=2)
    return grid_for(len(snapshot.models), most, width, height - 2 - min(MOST_LOG, 5 + (height - 28) // 4))


def _below(snapshot: Snapshot, selected: str, width: int, height: int, grid: Grid | None) -> list[Line]:
    """Between the runs and the log, where no panel says it: answer, selected run, who leads, and what to watch; no more
    than leaves room for header, titles, the selected run, log and keys."""
    if grid is not None and grid.spare:
        return []
    lines: list[Line] = []
    if snapshot.settled and snapshot.table.ranked:
        lines.extend(((part, "bold"),) for part in wrapped(snapshot.answer, width - 2)[:2])
    if grid is None:
        lines.extend(_selected(snapshot, selected, width - 2))
    lines.extend(best_now(snapshot))
    lines.extend(alarms(snapshot, without=selected if grid is None else "")[:3])
    return [((" ", ""), *line) for line in lines[: max(0, height - 4 - LEAST_LOG)]]


def _selected(snapshot: Snapshot, selected: str, width: int) -> list[Line]:
    """What the list has no room for: what is wrong with the selected run, and its model's change."""
    run, model = snapshot.run(selected), snapshot.model(selected)
    if run is None or model is None:
        return []
    lines: list[Line] = []
    if run.trouble:
        lines += _named("trouble", f"{run.title} {run.label} {run.trouble}", run.trouble_style, width)
    row = model.row
    if row is not None and row.change is not None:
        interval = f" {interval_words(row.interval)}" if row.interval else ""
        word = "so far" if row.verdict.word is Word.PROVISIONAL else row.verdict.sentence
        held = f"; held-out {words}" if (words := heldout_words(row)) else ""
        lines += _named("change", f"{model.title} {percent(row.change)}{interval} {word}{held}", "", width)
    elif row is not None and row.verdict.word is Word.NOT_COMPARABLE:
        lines += _named("change", f"{model.title} {row.verdict.sentence}", "note", width)
    return lines


def _named(name: str, text: str, style: str, width: int) -> list[Line]:
    """A name and a text of at most two lines."""
    parts = wrapped(text, width - NAME)
    if len(parts) > 2:
        parts = [parts[0], cut(f"{parts[1]} {parts[2]}", width - NAME)]
    return [((left("" if i else name, NAME), "dim"), (part, style)) for i, part in enumerate(parts)]


def _log(snapshot: Snapshot, selected: str, width: int, height: int) -> list[Line]:
    run = snapshot.run(selected)
    title = f" {run.title} {run.label} " if run else " "
    rule = glyphs.ACROSS * 2
    lines: list[Line] = [
        ((f" {rule}", "dim"), (title, "bold"), (f"{rule} log {glyphs.ACROSS * (width - 11 - cell_len(title))}", "dim")),
    ]
    newest = snapshot.log[-(height - 1) :] if snapshot.log_run == selected and height > 1 else ()
    lines.extend(((("  " + cut(text, width - 3), ""),)) for text in newest)
    if not newest:
        lines.append(((f"  {run.no_log if run else ''}", "dim"),))
    return lines[:height] + [()] * (height - len(lines))
