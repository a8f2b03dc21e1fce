"""What notebooks get: the examples of the page, the frames, the long tables."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import warnings
from copy import copy
from pathlib import Path
from typing import IO, Any

import pytest

import lvmtui
from lvmtui.cli.commands import main
from lvmtui.notebook import TABLES, Rows
from lvmtui.report.make import write_report
from lvmtui.system.errors import UserError
from tests.factory import make_campaign
from tests.report.made_campaigns import UP
from tests.verdict.scenes import finished

PAGE = Path(__file__).parents[1] / "docs" / "notebooks.md"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one campaign of three models and two seeds."""
    root = tmp_path_factory.mktemp("notebook").resolve()
    workspace, campaign = finished(root, UP, seeds=(1, 2))
    write_report(workspace, campaign.id)
    return root


def test_the_examples_of_the_page_run(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 6
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert "8k vs 23k True" in said and "More data helped" in said
    assert re.search(r"^1 GRU 3\.7\d+ 3\.\d+ 3\.\d+ improved$", said, re.MULTILINE)


def test_frames_have_a_row_for_each_run_evaluation_and_window(root: Path) -> None:
    campaign = lvmtui.open(root).newest
    runs, curves, heldout = (campaign.table(name).to_pandas() for name in ("runs", "curves", "heldout"))
    assert len(runs) == 12 and set(runs.status) == {"finished"} and runs.heldout_cosine.between(0.5, 0.55).all()
    assert len(curves) == sum(len(run.curve.points) for run in campaign.report.runs)
    assert len(heldout) == 12 * 2292 and set(heldout.source) == {"own", "new"}
    means = heldout.groupby("run").cosine.mean()
    assert all(abs(means[run.run] - run.heldout_cosine) < 1e-5 for run in campaign.runs if run.heldout_cosine)


def test_figures_are_those_of_the_report(root: Path) -> None:
    campaign = lvmtui.open(root).newest
    first, row = campaign.comparisons[0], campaign.report.table.rows[0]
    assert (first.low_percent, first.high_percent) == row.interval and first.word == row.verdict.word.value


def test_a_warning_of_other_code_is_no_loss(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that another test had left behind made the table count as incomplete."""
    write = Rows.write_csv

    def noisy(rows: Rows[Any], file: IO[str]) -> None:
        warnings.warn("subprocess 1 is still running", ResourceWarning, stacklevel=1)
        write(rows, file)

    monkeypatch.setattr(Rows, "write_csv", noisy)
    assert main(["report", "--workspace", str(root), "--format", "csv", "--table", "runs", "--output", "-"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_written_in_full(root: Path, tmp_path: Path, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["report", "--workspace", str(root), "--format", "csv", "--table", table, "--output"]
    assert main([*given, "-"]) == 0
    shown = capsys.readouterr().out
    assert main([*given, str(tmp_path / "t.csv")]) == 0
    assert (tmp_path / "t.csv").read_text() == shown
    rows = list(csv.DictReader(io.StringIO(shown)))
    columns = lvmtui.open(root).newest.table(table).columns()
    assert list(rows[0]) == list(columns) and len(rows) == len(columns["model"])


def test_a_table_without_its_format_or_file_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--format", "csv"], ["--output", "-"]):
        assert main(["report", "--workspace", str(root), "--table", "runs", *more]) == 2
        assert "--table runs: is CSV; give --output FILE.csv, or --format csv --output -" in capsys.readouterr().err
    there = ["--format", "csv", "--table", "runs", "--output", "/nowhere/t.csv"]
    assert main(["report", "--workspace", str(root), *there]) == 2
    assert "--output /nowhere/t.csv: cannot be written" in capsys.readouterr().err


def test_the_name_of_a_file_says_its_format(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def written(name: str, *more: str) -> str:
        assert main(["report", "--workspace", str(root), "--output", str(tmp_path / name), *more]) == 0
        return (tmp_path / name).read_text()

    assert written("colleague.html").startswith("<!doctype html>")
    assert json.loads(written("facts.JSON")) and written("rows.csv").startswith("kind,")
    assert (
        "\n# 8k vs 23k" in written("report.txt") and "device" in written("runs.csv", "--table", "runs").splitlines()[0]
    )
    capsys.readouterr()
    assert main(["report", "--workspace", str(root), "--format", "html", "--output", str(tmp_path / "answer.md")]) == 2
    assert "answer.md is named as md; leave one of the two out" in capsys.readouterr().err
    assert main(["report", "--workspace", str(root), "--output", str(tmp_path / "answer.docx")]) == 2
    assert "no report is docx; name it .md, .html, .json, .csv" in capsys.readouterr().err


def test_a_part_of_an_id_names_a_campaign_as_in_commands(root: Path) -> None:
    workspace = lvmtui.open(root)
    assert workspace.campaign(workspace.ids[0][-6:]).id == workspace.ids[0]
    assert [one.id for one in workspace.campaigns] == list(workspace.ids)


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    make_campaign(tmp_path, models=("amn",))
    campaign = lvmtui.open(tmp_path).newest
    assert not campaign.curves and "cosine" in campaign.curves.columns()
    assert copy(campaign.runs).columns() == campaign.runs.columns()


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        lvmtui.open(tmp_path / "nowhere")
    empty = lvmtui.open(tmp_path)
    assert empty.ids == () and empty.campaigns == ()
    with pytest.raises(UserError, match="no campaign here"):
        _ = empty.newest
    with pytest.raises(UserError, match=r"campaign x is not here; campaigns: none"):
        empty.campaign("x")


def test_a_damaged_file_costs_itself_alone_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    path = workspace.run(campaign.runs[0]).heldout
    path.write_bytes(path.read_bytes()[:-100] + b"x" * 100)
    with pytest.warns(
        UserWarning, match=rf"left out: {path.parent}: heldout\.npz is not the file the run wrote"
    ) as said:
        assert [one.run for one in lvmtui.open(tmp_path).newest.heldout] == [campaign.runs[1].run]
    assert len(said) == 1
    given = ["report", "--workspace", str(tmp_path), "--format", "csv", "--table", "heldout", "--output", "-"]
    assert main(given) == 1
    shown = capsys.readouterr()
    assert campaign.runs[1].run in shown.out and shown.err.startswith(
        f"lvmtui: left out: {path.parent}: heldout.npz is"
    )
    spoiled = workspace.campaign("8k_vs_23k_20260101_000000")
    spoiled.path.mkdir()
    spoiled.campaign.write_text("{")
    with pytest.warns(UserWarning, match=r"left out: .*20260101_000000.campaign\.json: "):
        assert [one.id for one in lvmtui.open(tmp_path).campaigns] == [campaign.id]


def test_importing_lvmtui_loads_nothing() -> None:
    code = "import sys, lvmtui; print(*(m for m in sys.modules if m.split('.')[0] in ('lvmtui', 'numpy', 'pandas')))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lvmtui"]
    code = "import sys, lvmtui; lvmtui.open('.'); print('numpy' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
