"""The board: which layout fits, and where everything goes. Pure; `screens/board.py` adds keys and the mouse."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.cells import cell_len

from lvmtui.system.numbers import clock, count, percent
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.board_panels import heldout_words, inside
from lvmtui.ui.draw.board_rows import rows
from lvmtui.ui.draw.header import banner, header, troubles
from lvmtui.ui.draw.keys import Key, key_line, machine_pieces, order_keys
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece, beside, cut, framed, left, wrapped
from lvmtui.ui.draw.summary import best_now, summary
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.verdict.words import Word, interval_words

MANY = 12
"""Models past which the board is a list."""
PANEL_WIDTH, PANEL_HEIGHT = 100, 28
"""Cells of the terminal from which there are panels."""
ROOMY = 20
"""Lines of the terminal from which a long answer takes two."""
LOW = 12
"""Lines of the terminal up to which there is no line for what is wrong: the rows say it."""
ABOVE = 4
"""Lines above the panels that are reckoned with: answer, what is wrong, how far."""
LEAST_LOG, MOST_LOG = 2, 12
"""Lines of the log, its title included."""
NAME = 10
"""Cells of the name before a line between runs and log."""

NARROWEST, LOWEST = 34, 8
"""Cells of a panel that still says everything: frame, two runs, a chart of three lines, the change."""
SHAPE = 3.0
"""Width by height of a panel that is pleasant to look at; a cell is about twice as high as wide."""


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
    """The whole screen: the answer, what is wrong, the runs, the selected run's log, the keys.

    `top`: first run that is shown, where the runs are a list.
    """
    above = _above(snapshot, selected, width, height, read_only=read_only)
    grid = panel_grid(snapshot, width, height)
    below = _below(snapshot, selected, width, height, grid)
    room = height - 1 - len(above) - len(below)
    if grid is not None:
        body = panels(snapshot, selected, width, grid.height * -(-len(snapshot.models) // grid.columns), grid, memo)
    else:
        body = rows(snapshot, selected, top, width, max(2, min(room - LEAST_LOG, len(snapshot.runs) + 1)))
    lines: list[Line] = [*above, *body.lines]
    first = len(above)
    hits = [
        Hit(h.x, h.y + first, h.width, h.height, f"run:{h.target}")
        for h in body.hits
        if h.y + h.height < height - first
    ]
    log = max(0, min(MOST_LOG, room - len(body.lines)))
    lines.extend([()] * (room - len(body.lines) - log))
    lines.extend(below)
    lines.extend(_log(snapshot, selected, width, log))
    run = snapshot.run(selected)
    orders = order_keys(run.view if run else None, read_only=read_only)
    shown = (OPEN, *orders, *KEYS, *(() if read_only else (NEW,)))
    last, key_hits = key_line(shown, QUIT, width, machine_pieces(snapshot.machine, clock(snapshot.now)))
    hits.extend(Hit(h.x, height - 1, h.width, 1, f"do:{h.target}") for h in key_hits)
    return Drawing((*lines[: height - 1], last), tuple(hits))


def list_height(snapshot: Snapshot, selected: str, width: int, height: int) -> int:
    """Runs that the list shows at once; all of them where there are panels."""
    if panel_grid(snapshot, width, height) is not None:
        return len(snapshot.runs)
    around = len(_above(snapshot, selected, width, height)) + len(_below(snapshot, selected, width, height, None))
    return max(1, height - 2 - LEAST_LOG - around)


def first_listed(top: int, at: int, shown: int, count: int) -> int:
    """The first run of the list that is shown, so that run `at` is: `top`, as far as that is possible."""
    return max(0, at - shown + 1, min(top, count - shown, at))


def panel_grid(snapshot: Snapshot, width: int, height: int) -> Grid | None:
    """How panels are laid out; None where there is a list."""
    if width < PANEL_WIDTH or height < PANEL_HEIGHT or len(snapshot.models) > MANY:
        return None
    most = max((len(model.runs) for model in snapshot.models), default=2)
    log = min(MOST_LOG, 5 + (height - PANEL_HEIGHT) // 4)
    return grid_for(len(snapshot.models), most, width, height - ABOVE - 1 - log)


def _above(snapshot: Snapshot, selected: str, width: int, height: int, *, read_only: bool = False) -> list[Line]:
    """The answer, what is wrong, how far the campaign is. A low terminal gets one line of each."""
    high = height >= PANEL_HEIGHT
    wrong = troubles(snapshot, selected, width, 2 if high else 1 if height > LOW else 0, read_only=read_only)
    return [
        *banner(snapshot, width, 2 if height >= ROOMY else 1),
        *wrong,
        header(snapshot, width, read_only=read_only),
    ]


def _below(snapshot: Snapshot, selected: str, width: int, height: int, grid: Grid | None) -> list[Line]:
    """Between the runs and the log, what no panel shows: the selected run and the leader. Leaves room for the rest."""
    if grid is not None:
        return [] if grid.spare else [((" ", ""), *line) for line in best_now(snapshot)]
    lines = [*_selected(snapshot, selected, width - 2), *best_now(snapshot)]
    return [((" ", ""), *line) for line in lines[: max(0, height - 6 - LEAST_LOG)]]


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


@dataclass(frozen=True)
class Grid:
    """How panels are laid out."""

    columns: int
    spare: bool
    """True if a place is left for the summary."""
    width: int
    height: int

    def place(self, index: int) -> tuple[int, int]:
        """Left upper corner of a panel."""
        return (index % self.columns) * (self.width + 1), (index // self.columns) * self.height


def grid_for(models: int, runs: int, width: int, height: int) -> Grid | None:
    """The grid whose panels have the best shape; None if panels would be too small for what they must say.

    `runs`: of one model. A place that is left over shows the summary.
    """
    best: tuple[float, Grid] | None = None
    lowest = max(LOWEST, runs + 6)
    for columns in range(1, max(1, (width + 1) // (NARROWEST + 1)) + 1):
        rows = math.ceil(models / columns)
        spare = columns * rows - models
        grid = Grid(columns, spare > 0, (width + 1) // columns - 1, height // rows)
        if grid.width < NARROWEST or grid.height < lowest:
            continue
        badness = abs(math.log(grid.width / grid.height / SHAPE)) + (0.0 if spare else 0.15) + 0.3 * max(0, spare - 1)
        if best is None or badness < best[0]:
            best = badness, grid
    return best[1] if best else None


Memo = dict[tuple[str, str, Grid], tuple[ModelFacts, list[Line]]]
"""Panels as they were drawn last, by model and what is selected in it; one that shows the same is not drawn again."""


def panels(snapshot: Snapshot, selected: str, width: int, height: int, grid: Grid, memo: Memo | None = None) -> Drawing:
    """All panels, and the summary where there is a place left."""
    lines: list[Line] = []
    hits: list[Hit] = []
    blocks = [_remembered(model, snapshot, selected, grid, {} if memo is None else memo) for model in snapshot.models]
    if grid.spare:
        blocks.append([(), *((((" ", ""), *line)) for line in summary(snapshot, grid.width - 2))])
    for first in range(0, len(blocks), grid.columns):
        row = [block[: grid.height] for block in blocks[first : first + grid.columns]]
        lines.extend(beside(row, [grid.width] * len(row)))
    for i, model in enumerate(snapshot.models):
        x, y = grid.place(i)
        hits.append(Hit(x, y, grid.width, grid.height, model.runs[0].name if model.runs else ""))
        hits.extend(Hit(x, y + 1 + j, grid.width, 1, run.name) for j, run in enumerate(model.runs))
    return Drawing(tuple(lines[:height]), tuple(hits))


def _remembered(model: ModelFacts, snapshot: Snapshot, selected: str, grid: Grid, memo: Memo) -> list[Line]:
    key = (model.model, selected if any(run.name == selected for run in model.runs) else "", grid)
    before = memo.get(key)
    if before is None or before[0] is not model:
        before = (model, panel(model, snapshot, selected, grid.width, grid.height))
        memo[key] = before
    return before[1]


def panel(model: ModelFacts, snapshot: Snapshot, selected: str, width: int, height: int) -> list[Line]:
    """One model, with its frame."""
    chosen = any(run.name == selected for run in model.runs)
    body = inside(model, snapshot, selected, width - 4, height - 2)
    title: list[Piece] = [(model.title, "selected" if chosen else "heading")]
    side: list[Piece] = [(f"{count(model.parameters)} weights", "dim")] if model.parameters else []
    return framed(title, side, body.lines, width, heavy=chosen)
