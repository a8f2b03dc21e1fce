"""The lines of `attach --headless`: what happened, in its order."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.cli import follow
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.state.status import Phase, Status
from lvmtui.system.numbers import clock
from tests.verdict.scenes import finished, state_of

UP = {"amn": (0.51, 0.52)}


def test_a_supervisor_that_has_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told that `lvmtui attach` starts one, by `lvmtui attach`, which waited for ever."""
    workspace, campaign = finished(tmp_path, UP, states={("amn", "expanded"): "queued"})
    asked: list[Workspace] = []
    monkeypatch.setattr(follow, "EVERY", 0.0)
    monkeypatch.setattr(follow, "ENSURE", 0.0)
    monkeypatch.setattr(follow, "ensure_supervisor", asked.append)
    states = follow._states(CampaignReader(workspace, workspace.campaign(campaign.id)))
    next(states), next(states)
    assert [one.root for one in asked] == [tmp_path]


def test_what_happened_before_is_told_in_its_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path, {**UP, "gru": UP["amn"]}, states={("amn", "expanded"): "running"})
    monkeypatch.setattr(follow, "_states", lambda reader: [reader.refresh()])
    follow._lines(CampaignReader(workspace, workspace.campaign(campaign.id)))
    lines = capsys.readouterr().out.splitlines()
    times = [line.split()[0] for line in lines]
    assert len(lines) > 10 and times == sorted(times)
    assert {line.split()[1] for line in lines[:6]} != {"AMN"}, "runs beside each other are told beside each other"


def test_a_new_start_is_not_told_with_the_time_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path, UP, states={("amn", "expanded"): "running"})
    first = state_of(workspace, campaign)
    at = next(i for i, view in enumerate(first.runs) if view.status.phase is Phase.RUNNING)

    def later(phase: Phase, since: float) -> CampaignState:
        run = replace(first.runs[at], status=Status(phase, since=since))
        return replace(first, runs=(*first.runs[:at], run, *first.runs[at + 1 :]))

    states = [later(Phase.INTERRUPTED, 5e9), later(Phase.STARTING, 4e9)]
    monkeypatch.setattr(follow, "_states", lambda reader: states)
    monkeypatch.setattr(time, "time", lambda: 5e9 + 60)
    follow._lines(CampaignReader(workspace, workspace.campaign(campaign.id)))
    ended, started = capsys.readouterr().out.splitlines()[-2:]
    assert "interrupted" in ended and "starting" in started
    assert started.split()[0] == clock(5e9 + 60, seconds=True)


def test_runs_that_were_taken_over_are_not_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run --add-sizes` printed the evaluations of last week before its own."""
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("amn", "expanded"): "running"})
    found = state_of(workspace, campaign)
    ended = next(view.status.since for view in found.runs if view.status.over)
    assert ended
    later = replace(found, campaign=replace(found.campaign, created=ended + 1))
    monkeypatch.setattr(follow, "_states", lambda reader: [later])
    follow._lines(CampaignReader(workspace, workspace.campaign(campaign.id)))
    lines = capsys.readouterr().out.splitlines()
    assert lines and all("AMN 23k" in line for line in lines)
