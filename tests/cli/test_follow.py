"""Following a campaign without the screen, and a look at it from outside."""

from __future__ import annotations

import io
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lvmtui.cli import follow
from lvmtui.cli.status import BARE, EARLY, EPOCH, GAIN, SIGNLESS, model_as_json, status_as_json, status_as_text
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.live import Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import Estimate, Stratum, read_comparison
from lvmtui.formats.spec import ARMS
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.report.make import write_report
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView
from lvmtui.system.numbers import signed
from lvmtui.system.process_id import own_identity
from lvmtui.verdict.average import estimate_of
from lvmtui.verdict.interval import Design
from lvmtui.verdict.words import interval_words, verdict
from tests.factory import State, bring_to, make_campaign, write_trivial
from tests.verdict.scenes import finished, read_table, report_of, state_of
from tests.verdict.tables import made_row

UP = {"amn": (0.51, 0.52)}


def awaited(workspace: Workspace, campaign: Campaign) -> bool:
    reader = CampaignReader(workspace, workspace.campaign(campaign.id))
    return follow._await_report(workspace, reader, reader.refresh())


def test_the_report_that_is_shown_is_of_the_runs_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.0)
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "cancelled"})
    assert not awaited(workspace, campaign), "there is none"
    write_report(workspace, campaign.id)
    assert awaited(workspace, campaign)
    bring_to(workspace, campaign, "amn", "expanded", state="finished", heldout=True)
    assert not awaited(workspace, campaign), "it is of the time before the run was tried again"
    write_report(workspace, campaign.id)
    assert awaited(workspace, campaign)
    workspace, campaign = finished(tmp_path / "b", UP, seeds=(1,), states={("amn", "expanded"): "failed"})
    write_report(workspace, campaign.id)
    history = bring_to(workspace, campaign, "amn", "expanded", state="failed")
    assert history and not awaited(workspace, campaign), "it was tried again, and failed again"


def test_plain_lines_tell_a_trouble_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mail that could not be sent was told by `lvmtui status` alone."""
    workspace, campaign = finished(tmp_path, {"amn": (0.5, 0.51)}, seeds=(1,), states={("amn", "expanded"): "running"})
    state = state_of(workspace, campaign)
    troubles = ("", "--on-event './tel.sh' failed: exit code 127", "--on-event './tel.sh' failed: exit code 127", "")
    monkeypatch.setattr(follow, "_states", lambda reader: (replace(state, trouble=words) for words in troubles))
    follow._lines(CampaignReader(workspace, workspace.campaign(campaign.id)))
    assert capsys.readouterr().err.count("trouble: --on-event './tel.sh' failed: exit code 127\n") == 1


def test_where_not_all_runs_have_room_those_at_work_are_shown(tmp_path: Path) -> None:
    campaign, workspace = make_campaign(tmp_path), Workspace(tmp_path)
    for model in ("amn", "lstm"):
        for arm in ARMS:
            bring_to(workspace, campaign, model, arm, state="finished")
    bring_to(workspace, campaign, "graphmert_lvm", "expanded", state="running")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(follow.live_table(state, console.width, 9))
    lines = console.export_text().splitlines()
    assert len(lines) < 9
    assert [line.split()[0] for line in lines[2:-2]] == ["GRU", "GRU", "Transformer", "GraphMERT-LVM"]
    assert lines[-2].startswith("6 more runs: 2 queued, 4 finished; 'lvmtui --workspace ")
    assert lines[-1].startswith("no supervisor: ")
    console.print(follow.live_table(state, console.width, 40))
    assert "more runs" not in console.export_text()


def live_lines(state: CampaignState, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(follow.live_table(state, console.width, 24))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_each_figure_of_the_table_says_what_it_is(tmp_path: Path) -> None:
    campaign, workspace = make_campaign(tmp_path, models=("amn", "gru")), Workspace(tmp_path)
    bring_to(workspace, campaign, "amn", "baseline", state="finished")
    bring_to(workspace, campaign, "amn", "expanded", state="paused")
    bring_to(workspace, campaign, "gru", "baseline", state="running")
    write_live(workspace.pulse, Pulse(time.time(), 1, no_step={campaign.runs[2].run: time.time() - 25}))
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    lines = live_lines(state)
    titles, done, paused, silent = lines[1:5]
    assert "seed" not in titles, "there is only one"
    assert " took " in done and " so far" in paused
    assert re.search(r" so far  no step for 2\d s", silent) and " left" not in silent
    assert GAIN in lines and len(GAIN) <= 80, "it is not cut"
    assert SIGNLESS not in lines and len(SIGNLESS) <= 80 and len(BARE) <= 80


def test_epochs_of_equal_updates_are_explained(tmp_path: Path) -> None:
    """`10.5/10.5` for `--epochs 3` was a riddle."""
    for recipe in ("reference", "tuned"):
        state = state_of(Workspace(tmp_path / recipe), make_campaign(tmp_path / recipe, models=("amn",), recipe=recipe))
        assert (EPOCH in status_as_text(state, None, 80).splitlines()) == (recipe == "tuned"), recipe


def test_bare_cosines_are_explained_where_there_are_some(tmp_path: Path) -> None:
    campaign, workspace = make_campaign(tmp_path, models=("amn", "gru")), Workspace(tmp_path)
    for planned in campaign.runs:
        bring_to(workspace, campaign, planned.model, planned.arm, state="running")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    own = OwnTrainer("mine", "python train.py", str(tmp_path))

    def foreign(view: RunView) -> RunView:
        assert view.state is not None
        return replace(view, state=replace(view.state, spec=replace(view.state.spec, own_trainer=own)))

    one = replace(state, runs=(*state.runs[:-1], foreign(state.runs[-1])))
    lines = live_lines(one)
    assert "gain" in lines[1] and GAIN in lines and SIGNLESS in lines
    assert SIGNLESS in status_as_text(one, None).splitlines()
    alone = live_lines(replace(state, runs=tuple(map(foreign, state.runs))))
    assert "cosine" in alone[1] and "gain" not in alone[1] and BARE in alone and GAIN not in alone


def test_the_table_says_what_status_says_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, workspace = make_campaign(tmp_path, models=("amn",)), Workspace(tmp_path)
    found = state_of(workspace, campaign)
    state = replace(found, trouble="--on-event './tell' failed: left with exit code 7", silence="not known")
    monkeypatch.setattr(follow, "supervisor_of", lambda _: own_identity())
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(follow.live_table(state, console.width, 20))
    shown = [line.rstrip() for line in console.export_text().splitlines()]
    assert shown[-3:] == status_as_text(state, own_identity()).splitlines()[-3:]
    assert shown[-2] == "trouble: --on-event './tell' failed: left with exit code 7"


def test_a_report_is_waited_for_as_long_as_somebody_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A supervisor is at work for longer than the patience with one that is not; then the report is there."""
    monkeypatch.setattr(follow, "PATIENCE", 0.1)
    monkeypatch.setattr(follow, "SILENT", 0.0)
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    looks = 0

    def at_work(_: Workspace) -> object:
        nonlocal looks
        looks += 1
        if looks == 3:
            write_report(workspace, campaign.id)
        return own_identity()

    monkeypatch.setattr(follow, "supervisor_of", at_work)
    assert awaited(workspace, campaign) and looks == 3
    assert capsys.readouterr().err == "all runs have ended; the report is being made\n"


def test_a_run_whose_folder_is_gone_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.0)
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    shutil.rmtree(workspace.run(campaign.runs[0]).path)
    write_report(workspace, campaign.id)
    assert awaited(workspace, campaign)


def test_nobody_knows_the_end_where_nobody_sees_to_it(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
    bring_to(tmp_path, campaign, "gru", "baseline", state="running")
    state = state_of(Workspace(tmp_path), campaign)
    assert "ends " in status_as_text(state, own_identity(), 80)
    alone = status_as_text(state, None, 80)
    assert "ends " not in alone and " of work left (" in alone
    assert "no supervisor: nothing that waits is started" in alone


def test_status_keeps_to_the_width_of_the_terminal(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("graphmert_lvm", "amn"))
    bring_to(tmp_path, campaign, "graphmert_lvm", "baseline", state="interrupted")
    bring_to(tmp_path, campaign, "amn", "baseline", state="gave up")
    found = state_of(Workspace(tmp_path), campaign)
    why = "it ended without an error, but told of no evaluation and left no predictions; " * 3
    runs = [
        replace(view, status=replace(view.status, reason=why)) if view.planned.model == "amn" else view
        for view in found.runs
    ]
    for columns in (80, 100, 120):
        lines = status_as_text(replace(found, runs=tuple(runs)), None, columns).splitlines()
        assert max(map(len, lines)) <= columns
        text = " ".join(" ".join(lines).split())
        assert text.count(why.strip()) == 2, "once at its first run, once where the change would be"
        assert "as AMN 8k" in text and " seed " not in text
    several = make_campaign(tmp_path / "several", models=("amn",), seeds=(1, 2))
    assert " seed " in status_as_text(state_of(Workspace(tmp_path / "several"), several), None)


def test_a_run_that_has_finished_and_learned_nothing_is_not_just_finished(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP | {"gru": (0.31, 0.52)}, seeds=(1,))
    state = state_of(workspace, campaign)
    lines = status_as_text(state, None).splitlines()
    (bad,) = (line for line in lines if line.startswith("GRU") and "8k" in line)
    assert "finished" in bad and bad.endswith("failed to learn")
    assert not any("failed" in line for line in lines if line != bad)
    found = {run["run"]: run["findings"] for run in status_as_json(state, None)["runs"]}
    alarms = {run: [finding["kind"] for finding in told if finding["alarm"]] for run, told in found.items()}
    bad_run = campaign.runs[2].run
    assert alarms.pop(bad_run) == ["failed_to_learn"] and not any(alarms.values())


def test_runs_on_different_windows_are_told_by_their_gains(tmp_path: Path) -> None:
    workspace, campaign = Workspace(tmp_path), make_campaign(tmp_path, models=("amn",))
    bring_to(workspace, campaign, "amn", "baseline", state="running")
    state = state_of(workspace, campaign)

    def row() -> str:
        return next(line for line in status_as_text(state, None).splitlines() if line.startswith("AMN"))

    assert not re.search(r"[+−. ]\.\d{4}", row()), "no baseline yet"
    trivial = write_trivial(workspace, campaign, "baseline")
    run = state.runs[0].state
    assert run and run.trainer.best and run.trainer.best.cosine
    gain = signed(run.trainer.best.cosine - max(trivial.validation_cosines.values()))
    assert gain in row().split()


def test_a_long_reason_wraps_and_keeps_its_end(tmp_path: Path) -> None:
    workspace, campaign = Workspace(tmp_path), make_campaign(tmp_path, models=("amn",))
    spec = workspace.run(campaign.runs[0]).spec
    spec.write_text('{"version": 99}')
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    text = status_as_text(state, None, columns=80)
    lines = text.splitlines()
    assert "update lvmtui to read it" in " ".join(text.split())
    assert sum(line.startswith(" " * 20) for line in lines) >= 1, "the reason goes on below itself"


def test_status_tells_a_change_early_by_the_rule_of_the_screen(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "running"})
    for arm in ARMS:
        write_trivial(workspace, campaign, arm)
    state = state_of(workspace, campaign)
    row = read_table(state).row("amn")
    assert row and (early := row.early)
    assert {f"AMN  {early.words}", EARLY} <= {*status_as_text(state, None).splitlines()}
    (model,) = status_as_json(state, None)["models"]
    assert model["early"] == encode(early) and model["interval"] is None


def test_status_says_when_it_is_too_early_and_gives_the_interval_at_the_end(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "queued"})
    assert "AMN  too early to tell" in (lines := status_as_text(state_of(workspace, campaign), None).splitlines())
    assert EARLY not in lines
    workspace, campaign = finished(tmp_path / "over", UP, seeds=(1,))
    report_of(workspace, campaign)
    (model,) = status_as_json(state_of(workspace, campaign), None)["models"]
    low, high = model["interval"]
    assert low < model["change_percent"] < high and model["early"] is None
    unknown = Estimate(0.24, 0.2, 2.3, 2000, 60, 40, cluster_df=30)
    row = replace(made_row("amn", 0.24), estimate=unknown, interval=None, verdict=verdict(unknown, seeds=2))
    fewer = replace(made_row("amn", 1.0), seeds=2)
    assert [model_as_json(fewer, seeds)["words"].endswith(", 2 of 3 seeds") for seeds in (2, 3)] == [False, True]
    assert model_as_json(row, 2)["words"].startswith(
        "+0.24 %, 2 seeds do not tell how much they vary (2.3 degrees of free"
    )


def test_the_last_line_is_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, campaign = finished(tmp_path, UP | {"gru": (0.51, 0.53)}, seeds=(1, 2))
    write_report(workspace, campaign.id)
    code = follow.follow(workspace, workspace.campaign(campaign.id), headless=True)
    out, _ = capsys.readouterr()
    line = out.splitlines()[-1]
    beginning = r"VERDICT improved \+(\S+) \[\+(\S+),\+(\S+)\] models=2 planned=2 seeds=2 "
    found = re.fullmatch(beginning + r"campaign=(\S+) above-trivial=(?:-|\d)", line)
    assert code == 0 and found and found[4] == campaign.id
    change, low, high = map(float, found.groups()[:3])
    assert low < change < high
    verdict = status_as_json(state_of(workspace, campaign), None)["verdict"]
    assert verdict["line"] == line and verdict["change_percent"] == pytest.approx(change, abs=0.005)


def test_without_a_verdict_the_last_line_says_so(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "cancelled"})
    verdict = status_as_json(state_of(workspace, campaign), None)["verdict"]
    assert verdict["line"] == f"VERDICT none - - models=0 planned=1 seeds=1 campaign={campaign.id} above-trivial=-"
    alone, one = finished(tmp_path / "one", UP, seeds=(1,))
    report_of(alone, one)
    assert status_as_json(state_of(alone, one), None)["verdict"]["word"] == "leans-up"


def test_the_page_for_scripts_explains_a_figure_without_a_verdict(tmp_path: Path) -> None:
    models = UP | {"gru": (0.51, 0.53)}
    workspace, campaign = finished(tmp_path, models, seeds=(1,), states={("gru", "expanded"): "cancelled"})
    report_of(workspace, campaign)
    line = status_as_json(state_of(workspace, campaign), None)["verdict"]["line"]
    assert re.match(r"VERDICT none \+\S+ - models=1 planned=2 seeds=1 ", line)
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
    assert re.search(r"^VERDICT none \+\S+ - models=1 planned=3 seeds=1 ", page, re.MULTILINE)


def test_status_and_sources_show_the_intervals_of_the_table(tmp_path: Path) -> None:
    """With folds a model's interval depends on the other models; each place must say the same."""
    workspace, campaign = finished(tmp_path, UP | {"gru": (0.51, 0.52)})
    write_report(workspace, campaign.id)
    folder = workspace.campaign(campaign.id)
    folds = [np.repeat(np.arange(20), 5)] * 3
    for model, uneven in (("amn", (0.0, 0.0, 0.0)), ("gru", (-0.4, 0.0, 0.4))):
        compared = read_comparison(folder.comparison(model))
        assert compared
        effects = Design(folds).effects([np.resize([0.5, 1.5], 100) + shift for shift in uneven])
        change = estimate_of([effects])
        both = Stratum("both", 0.51, 0.52, change, change, effects)
        told = replace(compared, change=change, effects=effects, strata=(both,))
        folder.comparison(model).write_bytes(dump_document(encode(told)))
    state = state_of(workspace, campaign)
    rows = read_table(state).rows
    assert rows[0].interval == pytest.approx(rows[1].interval), "they share the spread between folds"
    said = status_as_json(state, None)["models"]
    for row, model in zip(rows, said, strict=True):
        assert row.estimate and row.interval and row.strata[0].change == row.estimate
        assert row.strata[0].difference and row.strata[0].difference.interval() == pytest.approx(row.interval)
        assert model["model"] == row.model and model["interval"] == list(row.interval)
        assert f"{row.title}  +1.00 % {interval_words(row.interval)}" in status_as_text(state, None).splitlines()


def test_paused_runs_are_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "paused"})
    slept: list[float] = []

    def later(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:  # somebody resumes it, and it ends
            bring_to(workspace, campaign, "amn", "expanded", state="finished", heldout=True)
            write_report(workspace, campaign.id)

    monkeypatch.setattr("lvmtui.cli.follow.time.sleep", later)
    assert follow.follow(workspace, workspace.campaign(campaign.id), headless=True) == 0
    out, err = capsys.readouterr()
    assert err.count("the runs are paused; ") == 1 and "resume all" in err
    assert out.splitlines()[-1].startswith("VERDICT ")


def test_long_reasons_push_no_run_off_the_screen(tmp_path: Path) -> None:
    campaign, workspace = make_campaign(tmp_path), Workspace(tmp_path)
    for planned in campaign.runs:
        bring_to(workspace, campaign, planned.model, planned.arm, state="gave up")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    for height in (16, 40):
        console = Console(width=60, record=True, file=io.StringIO())
        console.print(follow.live_table(state, console.width, height))
        lines = console.export_text().splitlines()
        assert len(lines) <= height and sum("failed" in line for line in lines[1:]) == len(campaign.runs)
        assert any("fault" in line for line in lines) is (height == 40), "where there is room reasons are whole"


def test_what_failed_or_stalled_stays_among_the_runs_that_are_shown(tmp_path: Path) -> None:
    campaign, workspace = make_campaign(tmp_path), Workspace(tmp_path)
    bring_to(workspace, campaign, "amn", "baseline", state="gave up")
    bring_to(workspace, campaign, "graphmert_lvm", "expanded", state="no space")
    for model in ("lstm", "gru", "transformer"):
        for arm in ARMS:
            bring_to(workspace, campaign, model, arm, state="running")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(follow.live_table(state, console.width, 10))
    lines = console.export_text().splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == ["AMN", "LSTM", "LSTM", "GRU", "GraphMERT-LVM"]
    assert lines[-2].startswith("5 more runs: 3 running, 2 queued; 'lvmtui --workspace ")


def test_an_equal_reason_is_told_once_with_its_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = (("amn", "baseline"), ("amn", "expanded"), ("gru", "baseline"))
    states: dict[tuple[str, str], State] = dict.fromkeys(failed, "gave up")
    workspace, campaign = finished(tmp_path, {**UP, "gru": (0.5, 0.51)}, seeds=(1,), states=states)
    write_report(workspace, campaign.id)
    assert follow.follow(workspace, workspace.campaign(campaign.id), headless=True) == 1
    err = " ".join(capsys.readouterr().err.split())
    assert err.startswith("AMN 8k, AMN 23k, GRU 8k failed: ") and err.count("died 3 times") == 1
    monkeypatch.setattr(follow, "Console", lambda: Console(force_terminal=True, width=100))
    assert follow.follow(workspace, workspace.campaign(campaign.id), headless=False) == 1
    out, err = capsys.readouterr()
    assert err == "" and "died 3 times" in out, "on a terminal the answer says it"
