"""One run: its state, what was found about it, its panes, events and facts. Pure; `screens/run.py` adds keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import Finished
from lvmtui.models import size_of
from lvmtui.state.status import PHASES, Phase, interrupted_words
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.board_panels import bar
from lvmtui.ui.draw.header import range_words
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece, beside, cut, hanging, left, spread, width_of, wrapped
from lvmtui.ui.read.run_facts import RunFacts, why_it_stands
from lvmtui.ui.read.run_history import Happened
from lvmtui.verdict.words import the_trivial

PANES = ("charts", "log", "facts", "events")
FACT = 17
"""Cells of the name of a fact."""


def run_header(run: RunFacts, place: str, width: int) -> Line:
    """Name, state, bar, time, best cosine; at the right which run of how many. The bar gives way first."""
    end: list[Piece] = [(f" {place} ", "dim")]
    live = run.state.live if run.state else None
    for bar_width in (12 if width < 100 else 24, 6, 0):
        start = _how_far(run, bar_width, width)
        if width_of(start) + width_of(end) <= width:
            break
    if live is not None and live.windows_per_second and run.phase is Phase.RUNNING:
        speed = f"   {words.count(live.windows_per_second)} windows/s"
        if width_of(start) + len(speed) + width_of(end) <= width:
            start.append((speed, "dim"))
    return spread(start, end, width)


def _how_far(run: RunFacts, bar_width: int, width: int) -> list[Piece]:
    start: list[Piece] = [
        (f" {run.title} {run.label}", "heading"),
        ("   ", ""),
        (f"{run.glyph} {run.word}", run.style),
        ("   ", ""),
    ]
    if run.alive or 0 < run.share < 1:
        start += [*bar(run.share, bar_width, run.style), (f"{' ' if bar_width else ''}{int(100 * run.share)} %   ", "")]
    eta = run.expected.eta if run.expected else None
    if run.view.status.pace == "works":
        span = f" ({range_words(eta)})" if eta and width >= 100 else ""
        soon = eta.left_words(span) if eta else f"calibrating{glyphs.ELLIPSIS}"
        start.append((f"{soon}   ", ""))
    elif run.waits and run.time_words:
        when = f"starts {run.start_words}, " if run.start_words else ""
        start.append((f"{when}takes {run.time_words}   ", "dim"))
    elif run.time_words:
        start.append((f"{run.time_words} of work   ", "dim"))
    if run.best is not None:
        start += [("best ", "dim"), (words.cosine(run.best), "bold")]
        if run.gain is not None and run.trivial is not None and width >= 120:
            start.append((f", {words.signed(run.gain)} over {the_trivial(run.trivial.name)}", "dim"))
    return start


def notices(run: RunFacts, width: int, most: int) -> list[Line]:
    """Why it stands still, if it does, then the findings about it."""
    lines: list[Line] = []
    if said := why_it_stands(run):
        style = "alarm" if PHASES[run.phase].style in ("alarm", "failed") else "note"
        lines.extend(((f" {text}", style),) for text in wrapped(f"{run.glyph} {said}", width - 2))
    if run.setback:
        lines.append(((cut(f" {run.setback}", width - 1), "dim"),))
    for finding in run.findings:
        style = "alarm" if finding.alarm else "note"
        lines.append(((cut(f" {glyphs.WARNING} {finding.words}", width - 1), style),))
    return lines[:most]


def tabs(shown: str, panes: Sequence[str], side: str, width: int) -> Drawing:
    """The names of the panes, each to be clicked; the open one stands out."""
    pieces: list[Piece] = [(f"{glyphs.ACROSS * 2} ", "dim")]
    hits = []
    for name in panes:
        hits.append(Hit(width_of(pieces), 0, len(name) + 2, 1, f"do:open_pane('{name}')"))
        pieces += [(f" {name} ", "cursor" if name == shown else "dim"), (" ", "")]
    pieces.append((glyphs.ACROSS * max(0, width - width_of(pieces) - len(side) - 3), "dim"))
    return Drawing((spread(pieces, [(f" {side} ", "dim")] if side else [], width),), tuple(hits))


def event_lines(history: Sequence[Happened], width: int) -> list[Line]:
    """Time, who, what; the oldest first."""
    lines: list[Line] = []
    for one in history:
        head = f" {words.date(one.time)[5:]}  {left(one.who, 11)}"
        lines += hanging([(head, "dim")], one.said.words, one.said.style, width - 1)
    return lines or [(("  nothing has happened yet", "dim"),)]


# The facts: what defines a run, what it has cost, and what came out ---------------------------------------------------


def fact_lines(run: RunFacts, width: int) -> list[Line]:
    """Names and values, in two columns where there is room."""
    groups = _groups(run)
    if width >= 100:
        half = (width - 2) // 2
        middle = len(groups) // 2
        return beside((_column(groups[:middle], half), _column(groups[middle:], half)), (half, half), gap=2)
    return _column(groups, width)


Group = tuple[str, list[tuple[str, str]]]


def _column(groups: list[Group], width: int) -> list[Line]:
    lines: list[Line] = []
    for title, pairs in groups:
        if lines:
            lines.append(())
        lines.append(((f" {title}", "heading"),))
        for name, value in (pair for pair in pairs if pair[1]):
            lines += hanging([("  " + left(name, FACT), "dim")], sanitise(value, 400), "", width - 1)
    return lines


def _groups(run: RunFacts) -> list[Group]:
    state = run.state
    if state is None:
        return [("run", [("folder", run.view.planned.folder), ("fault", run.view.status.reason)])]
    spec, trainer = state.spec, state.trainer
    started = trainer.started

    def known(text: str) -> str:
        """A history of another program tells its curve and little else."""
        return "–" if spec.history else text

    life: list[tuple[str, str]] = [
        ("folder", run.view.planned.folder),
        ("attempts", known(f"{trainer.attempts}, launched {words.plural(state.supervision.launches, 'time')}")),
        ("began", known(words.date(state.began))),
        ("work", known(words.duration(run.worked))),
        (spec.unit, f"{run.view.step:,}" + (f" of {state.planned_steps:,}" if state.planned_steps else "")),
    ]
    if started is not None and started.process.pid:
        versions = ", ".join(f"{name} {v}" for name, v in started.versions.items())
        process = f"{started.process.pid} on {started.process.host}"
        life += [("process", process), ("device", started.device), ("versions", versions)]
    kept, lost = trainer.checkpoint, trainer.unknown + state.supervision.unknown
    at = f"{spec.unit} {kept.step:,}, {words.size(kept.bytes)}, {words.clock(kept.time)}" if kept else ""
    life += [
        ("job", run.view.job.words if run.view.job else ""),
        ("interrupted", interrupted_words(state).removeprefix("interrupted ")),
        ("checkpoint", at),
        ("unreadable", words.plural(lost, "line") if lost else ""),
    ]
    groups: list[Group] = []
    if spec.imported:
        groups.append(("imported", [("folder", spec.imported.folder), ("history", spec.imported.history)]))
    if trainer.finished:
        groups.append(("result", _result(trainer.finished)))
    if run.findings:
        groups.append(("health", [("alarm" if f.alarm else "note", f.words) for f in run.findings]))
    validation = "" if spec.imported else f", {spec.validation_windows:,} validation"
    defined = [
        ("model", ", ".join(filter(None, (spec.model, size_of(spec.size, [spec.model]))))),
        ("own model", spec.own_model.words if spec.own_model else ""),
        ("parameters", f"{run.parameters:,}" if run.parameters else ""),
        ("data", known(f"{spec.data.file}, vectors {spec.data.rows[0]:,} to {spec.data.rows[1] - 1:,}")),
        ("fingerprint", known(spec.data.fingerprint[:16])),
        ("windows", known(f"{spec.train_windows:,} training{validation}")),
        ("held-out", known(f"{spec.heldout_windows:,} windows, split {spec.split_fingerprint[:16]}")),
        ("vectors", known(f"of {spec.dim} numbers, {spec.context} in a context")),
        ("seed", known(f"{spec.seed}")),
        ("centred", f"by the {spec.centre} of training vectors" if spec.centre else ""),
        ("evaluated", "" if spec.own_trainer else known(f"every {spec.evaluate_every:,} steps")),
        ("threads", known(f"{spec.threads}{', deterministic' if spec.deterministic and not spec.own_trainer else ''}")),
    ]
    groups += [("life", life), ("run", defined)]
    if not spec.history:
        groups.append(_how(spec))
    return groups


def _how(spec: RunSpec) -> Group:
    """How it is trained: our recipe, or the user's own trainer."""
    if own := spec.own_trainer:
        return ("trainer", [("command", own.command), ("folder", own.folder), ("pattern", "; ".join(own.pattern))])
    values = {f.name: getattr(spec.recipe, f.name) for f in fields(spec.recipe) if f.name != "own_loss"}
    values["loss"] = spec.recipe.loss_words
    said = {name: "none" if v is None else f"{v:g}" if isinstance(v, float) else str(v) for name, v in values.items()}
    return ("recipe", [(name.replace("_", " "), value) for name, value in said.items()])


def _result(finished: Finished) -> list[tuple[str, str]]:
    held, p50 = finished.heldout, finished.latency_p50_ms
    hits = "  ".join(words.cosine(hit, 3) for hit in (held.hit_1, held.hit_5, held.hit_10))
    known: list[tuple[str, str]] = [
        ("validation", f"{words.cosine(finished.best_cosine)} at {finished.best_where}"),
        ("ended", words.date(finished.time) + (", early" if finished.stopped_early else "")),
    ]
    if not held.windows:  # an imported history: what its event says of them means nothing
        return [*known, ("held-out", "judged on no windows of ours")]
    return [
        ("held-out cosine", f"{words.cosine(held.cosine)}, plain mean of {held.windows:,} windows"),
        *known,
        ("hit@1, 5, 10", f"{hits}, plain means"),
        ("margin", f"{words.signed(held.margin)}, cosine with the last vector {words.cosine(held.last_cosine)}"),
        ("spread", words.cosine(held.spread)),
        ("latency", f"{p50:.2f} ms median, {finished.latency_p95_ms:.2f} ms at 95 %" if p50 else ""),
        ("peak memory", words.size(finished.peak_memory_bytes)),
        ("best model", finished.best_digest[:16]),
    ]
