"""What the report says of how its runs came to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lvmtui.formats.spec import Reading
from lvmtui.formats.supervisor_log import Launched, Lost
from lvmtui.formats.trainer_log import Failed, Interrupted, Paused, Started, events_in
from lvmtui.report.make import read_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.state.attempt import AS_ASKED
from lvmtui.state.campaign_reader import RunView
from lvmtui.state.run_state import fold, fold_records
from lvmtui.system.process_id import Identity
from tests.history import START
from tests.report.made_campaigns import UP
from tests.verdict.scenes import NOW, by_own_trainer, finished, read_table, state_of


def test_why_a_run_was_started_again_is_said(tmp_path: Path) -> None:
    """A pause looked like a failure: the run "needed 2 attempts"."""
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    began = next(e for e in events_in(workspace.run(campaign.runs[0]).events) if isinstance(e, Started))
    paused, left, failed = Paused(2.0, 5, 1.0), Interrupted(3.0, 5, "USR1", 1.0), Failed(4.0, 5, "error", "no", 1.0)
    first, second, third, fourth, fifth = (replace(began, time=time) for time in (0.0, 1.5, 2.6, 3.5, 4.5))
    trainer = fold([first, paused, second, paused, third, left, fourth, failed, fifth])
    losses = {1.0: "killed by signal 9", 2.5: AS_ASKED, 5.0: "no"}
    records = [Lost(time, 0, None, reason, 0, counts=True) for time, reason in losses.items()]
    supervision = fold_records([*records, Launched(6.0, 0, began.process, "local", ""), replace(records[0], time=7.0)])
    state = state_of(workspace, campaign)
    view = state.runs[0]
    assert view.state is not None and trainer.attempts == 5
    told = replace(view.state.trainer, starts=trainer.starts, endings=trainer.endings)
    run = replace(view.state, supervision=supervision, trainer=told)
    md = markdown(page_of(read_report(replace(state, runs=(replace(view, state=run), *state.runs[1:])), now=NOW)))
    why = "killed by signal 9; paused (2 times); left on USR1, its time limit was near; no"
    assert f"was started again after: {why}." in md, "how the newest ended is its status"
    assert md.count(" was started ") == 1


def test_weights_that_are_no_longer_what_the_run_wrote_are_named(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    gone, other, *_ = campaign.runs
    assert "`best_model.pt` of" not in markdown(page_of(read_report(state_of(workspace, campaign), now=NOW)))
    workspace.run(gone).best_model.unlink()
    workspace.run(other).best_model.write_bytes(b"xx")
    md = markdown(page_of(read_report(state_of(workspace, campaign), now=NOW)))
    assert f"`best_model.pt` of {gone.run} is gone." in md
    assert f"`best_model.pt` of {other.run} was changed since it was written; restore it from a copy." in md


def test_the_versions_of_every_attempt_whose_work_counts_are_told(tmp_path: Path) -> None:
    """After an upgrade in mid-campaign only the newest attempt's were."""
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    state = state_of(workspace, campaign)
    view = state.runs[0]
    assert view.state
    began = view.state.trainer.starts[0]
    thrown, old, new = (replace(began, versions={"torch": version}, code=version) for version in ("1.0", "2.0", "2.1"))
    trainer = replace(
        view.state.trainer, starts=(thrown, old, replace(new, resumed_from=5), replace(new, resumed_from=9))
    )
    run = replace(view, state=replace(view.state, trainer=trainer))
    report = read_report(replace(state, runs=(run, *state.runs[1:])), now=NOW)
    assert report.runs[0].versions == {"torch": "2.0, then 2.1", "training code": "2.0, then 2.1"}


def test_a_script_that_ended_before_its_planned_steps_is_doubted(tmp_path: Path) -> None:
    """It stood in the table of runs only."""
    state = by_own_trainer(state_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))), "amn")
    runs = []
    for view in state.runs:
        assert view.state and view.finished
        early = replace(view.state.trainer, ending=replace(view.finished, stopped_early=view.planned.arm == "expanded"))
        runs.append(replace(view, state=replace(view.state, trainer=early)))
    (row,) = read_table(replace(state, runs=tuple(runs))).rows
    run = runs[1].state
    assert run and f"23k ended at {run.step:,} of {run.spec.total_steps:,} {run.spec.unit}s" in row.notes
    assert not any(note.startswith("8k ended at") for note in row.notes)


def test_a_pattern_that_understands_nothing_is_doubted(tmp_path: Path) -> None:
    """It was told only where the script left no predictions either."""
    state = by_own_trainer(state_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))), "amn")
    small, large = (view.state for view in state.runs)
    assert small and large and small.spec.own_trainer
    spec = replace(small.spec, own_trainer=replace(small.spec.own_trainer, pattern=("lost (?P<loss>.*)",)))
    deaf = replace(small, spec=spec, trainer=replace(small.trainer, evaluations=()))
    (row,) = read_table(replace(state, runs=(replace(state.runs[0], state=deaf), state.runs[1]))).rows
    (said,) = (note for note in row.notes if "pattern" in note)
    assert said == "8k told of no evaluation that its pattern understands, so whether it diverged is not seen"


def test_runs_that_were_taken_over_are_not_part_of_the_time(tmp_path: Path) -> None:
    """A report of `--add-sizes` counted the weeks between two campaigns."""
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    state = state_of(workspace, campaign)
    *before, own = state.runs
    assert own.status.since and own.state
    began = own.status.since + 3600
    trainer = replace(own.state.trainer, starts=(replace(own.state.trainer.starts[0], time=began + 4),))
    supervision = replace(own.state.supervision, first_launched=began)
    later = replace(own.state, supervision=supervision, trainer=trainer)
    own = replace(own, state=later, status=replace(own.status, since=began + 60))
    grown = replace(campaign, created=began - 100)
    report = read_report(replace(state, campaign=grown, runs=(*before, own)), now=NOW)
    assert (report.progress.taken_over, report.progress.duration) == (len(before), 60)
    assert f"; {len(before)} runs taken over from before. Campaign " in markdown(page_of(report))
    assert not read_report(state_of(workspace, campaign), now=NOW).progress.taken_over


def test_the_options_that_a_file_was_read_with_stand_beside_its_fingerprint(tmp_path: Path) -> None:
    """Without them `lvmtui check` shows another fingerprint, and the file seemed to have changed."""
    report = read_report(state_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))), now=NOW)
    data = replace(report.expanded.data, reading=Reading(vectors="text", order="pos"))
    md = markdown(page_of(replace(report, expanded=replace(report.expanded, data=data))))
    assert f"- Fingerprint of 23k: `{data.fingerprint}`, read with `--vectors text --order pos`\n" in md
    assert f"- Fingerprint of 8k: `{report.baseline.data.fingerprint}`\n" in md


def test_a_dimension_that_no_history_tells_is_left_out(tmp_path: Path) -> None:
    """A window had "vectors of 0 numbers"."""
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    state = state_of(workspace, replace(campaign, dim=0))
    md = markdown(page_of(read_report(replace(state, campaign=replace(campaign, dim=0)), now=NOW)))
    assert "- A window is 5 consecutive vectors and the one that follows.\n" in md


def test_a_job_begins_when_its_work_does(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    state = state_of(workspace, campaign)
    jobs = tuple(_as_job(view) for view in state.runs)
    for run in read_report(replace(state, runs=jobs), now=NOW).runs:
        assert run.started and run.ended and run.seconds
        assert START + 31 < run.started <= run.ended - run.seconds, "not when it was submitted, and its imports count"


def _as_job(view: RunView) -> RunView:
    """The same run as a job: it began long after it was launched, and its work includes four seconds of imports."""
    assert view.state and view.finished
    trainer = replace(view.state.trainer, active=view.finished.time - (START + 32))
    supervision = replace(view.state.supervision, process=Identity("Slurm", "", 7, 0))
    return replace(view, state=replace(view.state, trainer=trainer, supervision=supervision))
