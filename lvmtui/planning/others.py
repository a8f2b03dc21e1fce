"""What other campaigns of the workspace mean for one that is about to start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import RunSpec
from lvmtui.state.campaign_reader import newest_campaigns
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise

MOST = 5
"""How many of the newest campaigns are read."""


def others(campaign: Campaign, specs: Sequence[RunSpec], workspace: Workspace) -> Iterator[tuple[str, bool]]:
    """What to know about other campaigns before this one is started, a sentence each, the newest first; and whether
    that one has the same runs and is not over."""
    for state in newest_campaigns(workspace, MOST):
        theirs = state.campaign
        name = f"{sanitise(theirs.title, 60)} of {words.date(theirs.created)[:-3]}"
        same = _vectors(theirs) == _vectors(campaign)
        trained = [_trained(view.state.spec) for view in state.runs if view.state]
        if same and not state.finished and trained == [*map(_trained, specs)]:
            yield f"{name} has the same runs and is not over; 'lvmtui cancel all --campaign {theirs.id}' ends it", True
        elif not state.settled:
            what = "compares the same vectors and goes on" if same else "goes on"
            yield f"{name} {what}; a new campaign starts when it is over", False
        elif same:
            yield f"{name} has compared the same vectors already", False


def _vectors(campaign: Campaign) -> list[tuple[object, ...]]:
    """Fingerprint and rows of both arms: equal for equal vectors."""
    return [(arm.data.fingerprint, arm.data.rows) for arm in (campaign.baseline, campaign.expanded)]


def _trained(spec: RunSpec) -> tuple[object, ...]:
    """Equal for runs that train the same model on the same windows in the same way."""
    own = spec.own_model.words if spec.own_model else spec.own_trainer
    how = spec.recipe.words, spec.total_steps, spec.size, spec.context
    return spec.model, own, how, spec.arm, spec.seed, spec.split_fingerprint
