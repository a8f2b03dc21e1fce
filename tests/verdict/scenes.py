"""Campaigns that ended in known ways, for the tests of the judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.report.contents import Report
from lvmtui.report.make import read_report, write_report
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.table import Table
from tests.factory import STAMP, State, bring_to, make_campaign, write_trivial
from tests.history import Curve

NOW = 1795358700.0


def finished(  # noqa: PLR0913  a scene has many sides
    root: Path,
    cosines: Mapping[str, tuple[float, float]],
    *,
    seeds: Sequence[int] = (1, 2, 3),
    windows: int = 2292,
    states: Mapping[tuple[str, ArmName], State] | None = None,
    curves: Mapping[tuple[str, ArmName], Curve] | None = None,
    stamp: str = STAMP,
    notes: tuple[str, ...] = (),
    labels: tuple[str, str] = ("8k", "23k"),
    steepness: float = Curve.steepness,
) -> tuple[Workspace, Campaign]:
    """A campaign of the models named, with their held-out cosines (about .0012 lower) for both arms.

    `states`, `curves`: what else became of an arm's runs.
    """
    workspace = Workspace(root)
    campaign = make_campaign(
        workspace,
        models=cosines,
        seeds=seeds,
        total_steps=24,
        heldout_windows=windows,
        stamp=stamp,
        notes=notes,
        labels=labels,
    )
    for arm in ARMS:
        write_trivial(workspace, campaign, arm)
    for model, best in cosines.items():
        for arm, cosine in zip(ARMS, best, strict=True):
            for seed in seeds:
                state = (states or {}).get((model, arm), "finished")
                curve = (curves or {}).get((model, arm), Curve(cosine, steepness=steepness, seed=seed))
                bring_to(workspace, campaign, model, arm, seed, state=state, curve=curve, heldout=True)
    return workspace, campaign


def state_of(workspace: Workspace, campaign: Campaign) -> CampaignState:
    return CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()


def by_own_trainer(state: CampaignState, model: str) -> CampaignState:
    """The same with the model's runs trained by a user's own program, which left no predictions."""

    def own(view: RunView) -> RunView:
        if view.state is None or view.planned.model != model:
            return view
        trainer = view.state.trainer
        if trainer.finished:
            nothing = replace(trainer.finished.heldout, windows=0, cosine=0.0)
            ended = replace(trainer.finished, heldout=nothing, unjudged="no predictions", latency_p50_ms=0.0)
            trainer = replace(trainer, ending=ended)
        spec = replace(view.state.spec, own_trainer=OwnTrainer(model, "python mine.py", "/"))
        return replace(view, state=replace(view.state, spec=spec, trainer=trainer))

    return replace(state, runs=tuple(map(own, state.runs)))


def read_table(state: CampaignState) -> Table:
    """The table from what the campaign's folder holds now."""
    return Judgement(state).table


def report_of(workspace: Workspace, campaign: Campaign) -> tuple[Report, str]:
    """Write the report; return what it says and the Markdown of the campaign's folder."""
    write_report(workspace, campaign.id)
    report = read_report(state_of(workspace, campaign), now=NOW)
    return report, workspace.campaign(campaign.id).report.read_text()


def words(report: Report) -> dict[str, str]:
    return {row.model: row.verdict.words for row in report.table.rows}
