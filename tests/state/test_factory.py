"""The factory's folders say what they claim: each state it can make is the one that the program sees."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.system.files import sealed_digest
from tests.factory import State, bring_to, make_campaign, write_trivial

EXPECTED = {
    "evaluating": Phase.RUNNING,
    "resumed": Phase.QUEUED,
    "restarted": Phase.INTERRUPTED,
    "killed": Phase.INTERRUPTED,
    "gave up": Phase.FAILED,
    "collapsed": Phase.FINISHED,
    "no space": Phase.NO_SPACE,
}


@pytest.mark.parametrize("state", get_args(State))
def test_a_state_is_what_it_says(tmp_path: Path, state: State) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    history = bring_to(workspace, campaign, "amn", "expanded", state=state)
    view = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().view("amn", "expanded", 1)
    assert view is not None and view.state is not None
    status = view.status
    assert status.phase is (EXPECTED.get(state) or Phase(state))
    assert view.state.trainer.unknown == view.state.supervision.unknown == 0
    if state in ("finished", "collapsed"):
        assert view.state.trainer.finished is not None
        assert len(view.state.trainer.evaluations) == history.spec.recipe.evaluations
        assert view.state.step == history.spec.total_steps


def test_heldout_scores_are_sealed_and_as_asked(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    campaign = make_campaign(tmp_path, models=("gru",))
    history = bring_to(tmp_path, campaign, "gru", "baseline", heldout=True)
    assert sealed_digest(history.folder.heldout)
    with np.load(history.folder.heldout, allow_pickle=False) as scores:
        assert scores["cosine"].shape == (campaign.heldout_windows,)
        assert abs(float(scores["cosine"].mean()) - (history.evaluations[-1].cosine or 0)) < 0.005
        assert str(scores["fingerprint"]) == campaign.split_fingerprint
    assert set(write_trivial(tmp_path, campaign, "baseline").scores) >= {"mean", "copy_last"}
