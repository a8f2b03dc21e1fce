"""The table: figures have room, and it is said whose they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lvmtui.formats.learning_curve import LearningCurve
from lvmtui.formats.live import Job
from lvmtui.formats.results import Estimate, Skill
from lvmtui.ui.draw.lines import width_of
from lvmtui.ui.draw.run import run_header
from lvmtui.ui.draw.verdict import verdict_view
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.table import TrivialRow
from tests.ui.draw.test_board import look, text
from tests.ui.draw.test_sizes import curve
from tests.ui.showcase import end, middle
from tests.verdict.tables import two_contexts, with_skill


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = tmp_path_factory.mktemp("end")
    end(root)
    return look(root)


def table(snapshot: Snapshot, width: int, height: int = 40) -> list[str]:
    return text(verdict_view(snapshot, snapshot.runs[0].name, "rank", width, height)).splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_figure_below_zero_is_whole(over: Snapshot, width: int) -> None:
    trivial = (TrivialRow("mean", -0.0012, -0.9876),)
    below = dataclasses.replace(over, table=dataclasses.replace(over.table, trivial=trivial))
    (line,) = (line for line in table(below, width) if "−.0012" in line)
    assert line.split()[-2:] == ["−.0012", "−.9876"]


def test_hits_say_whose_they_are_where_the_names_are_short(over: Snapshot) -> None:
    (titles,) = (line for line in table(over, 136) if "hit@10" in line)
    assert "hit@10 8k 23k  verdict" in titles
    first = table(over, 136)[table(over, 136).index(titles) + 1]
    assert first[: titles.index("  verdict")].split()[-2:] == [".062", ".066"]
    named = dataclasses.replace(over.table, labels=("the first data set", "the second"))
    assert "hit@10  verdict" in "\n".join(table(dataclasses.replace(over, table=named), 136))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_row_says_that_a_trivial_baseline_does_better(over: Snapshot, width: int) -> None:
    row = with_skill(over.table.rows[0], -0.01)
    below = dataclasses.replace(over, table=dataclasses.replace(over.table, rows=(row, *over.table.rows[1:])))
    (line,) = (line for line in table(below, width) if line.endswith("; below the recency mean"))
    assert row.verdict.word.value in line and width_of([(line, "")]) <= width


@pytest.mark.parametrize("width", [80, 120, 200])
def test_each_row_has_its_interval_as_a_bar_around_zero(over: Snapshot, width: int) -> None:
    lines = table(over, width)
    (titles,) = (line for line in lines if " rank " in line)
    assert "+2 %" in titles and ("−0.5 %" in titles) == (width == 200), "which has no room beside zero"
    (first,) = (
        line
        for line in lines
        if "AMN" in line and "leans up" in line and "rank" not in line and "±" not in line and "●" in line
    )
    assert titles.index(" 0 ") + 1 == first.index("│"), "or the line is taken for another figure"
    assert first.index("░") < first.index("│") < first.index("├") < first.index("●") < first.index("┤")


def test_the_table_comes_before_three_lines_of_doubts(over: Snapshot) -> None:
    many = dataclasses.replace(over, caveats=tuple(f"Doubt {i}. And more of it." for i in range(6)))
    lines = table(many, 120, 22)
    doubts = [i for i, line in enumerate(lines) if line.startswith(" Doubt")]
    assert len(doubts) == 3 and min(doubts) > max(i for i, line in enumerate(lines) if "●" in line)
    assert "more doubts, tab shows the report" in lines[doubts[-1] + 1] and "And more" not in "".join(lines)


@pytest.mark.parametrize("height, shown", [(20, 3), (30, 9), (50, 20)])
def test_doubts_get_the_lines_that_are_free(over: Snapshot, height: int, shown: int) -> None:
    many = dataclasses.replace(over, caveats=tuple(f"Doubt {i}." for i in range(20)))
    lines = table(many, 120, height)
    assert sum(line.startswith(" Doubt") for line in lines) == shown
    assert any("more doubts" in line for line in lines) is (shown < 20)
    assert any("more data helps" in line for line in lines) is (height > 20), "no reason makes room for them"


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("height", [12, 18, 24, 60])
def test_doubts_are_whole_sentences_however_narrow(over: Snapshot, width: int, height: int) -> None:
    sentences = [f"{name} is a doubt with a long sentence, of which no reader wants to see half" for name in "ABCDE"]
    many = dataclasses.replace(over, caveats=tuple(f"{one}. More of it." for one in sentences))
    drawn = text(verdict_view(many, many.runs[0].name, "rank", width, height))
    said = " ".join(drawn.split())
    shown = [one for one in sentences if f"{one}." in said]
    assert said.count("is a doubt") == len(shown), "no sentence is cut"
    assert len(shown) == 5 or ("more " if shown else "") + "doubts, tab" in said


def test_the_trivial_have_the_names_that_reports_use(over: Snapshot) -> None:
    row = over.table.rows[0]
    assert row.expanded.scores is not None
    scores = dataclasses.replace(
        row.expanded.scores, skill=Skill("copy_last", 0.41, Estimate(0.0131, 0.0001, 50, 900, 51, 51))
    )
    row = dataclasses.replace(row, expanded=dataclasses.replace(row.expanded, scores=scores))
    changed = dataclasses.replace(over, table=dataclasses.replace(over.table, rows=(row,)))
    run = next(model for model in over.models if model.model == row.model).runs[0]
    shown = text(verdict_view(changed, run.name, "rank", 120, 40))
    assert "23k: finished; gain +.0131 [" in shown and ", better than copy-last" in shown


def test_a_run_says_its_best_whole_however_narrow(tmp_path: Path) -> None:
    middle(tmp_path)
    for run in look(tmp_path).runs:
        for width in range(72, 130):
            line = run_header(run, "10/10", width)
            said = text_of(line)
            assert width_of(line) == width and said.endswith(" 10/10 ")
            assert run.best is None or f"best {run.best:.4f}".replace("0.", ".") in said, (width, said)


def test_the_time_a_waiting_job_will_take_is_not_called_its_work(tmp_path: Path) -> None:
    middle(tmp_path)
    run = next(run for run in look(tmp_path).runs if run.waits and run.expected and run.expected.eta)
    job = dataclasses.replace(run.view, job=Job("slurm", 1, waiting=True))
    said = text_of(run_header(dataclasses.replace(run, view=job), "10/10", 120))
    assert f" takes {run.time_words} " in said and "of work" not in said


def text_of(line: tuple[tuple[str, str], ...]) -> str:
    return "".join(piece for piece, _ in line)


@pytest.mark.parametrize("width", [80, 120])
def test_every_context_has_its_own_bar_on_a_small_screen(over: Snapshot, width: int) -> None:
    several = dataclasses.replace(over, table=two_contexts())
    lines = text(verdict_view(several, several.runs[0].name, "rank", width, 20)).splitlines()
    bars = [
        line.split("@")[1].split()[:2] for line in lines if "recency" in line and "@" in line and "better" not in line
    ]
    assert bars == [["10", ".5247"], ["5", ".5068"]]


@pytest.mark.parametrize("models, listed", [(14, 8), (5, 5)])
def test_ranks_have_room_before_all_else(over: Snapshot, models: int, listed: int) -> None:
    """Sizes and contexts on a small screen: 16 lines are left of 24."""
    row, contexts = over.table.rows[0], two_contexts()
    rows = tuple(dataclasses.replace(row, model=f"m{i}", title=f"M{i}", rank=i + 1) for i in range(models))
    sized = LearningCurve("c", "", 0.0, tuple(dataclasses.replace(curve(4), model=row.model) for row in rows))
    many = dataclasses.replace(over, table=dataclasses.replace(contexts, rows=rows), learning_curve=sized)
    lines = text(verdict_view(many, many.runs[0].name, "rank", 80, 16)).splitlines()
    assert len(lines) <= 16
    assert sum("●" in line for line in lines) == listed and ("1-8/14" in lines[0]) is (models == 14)
    assert any("doubts, tab" in line for line in lines)
    assert any("held out" in line for line in lines) is (models == 5), "sizes are the first to fold"
