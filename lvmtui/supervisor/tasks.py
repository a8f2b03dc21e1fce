"""Which results of a campaign are due: trivial baselines, comparisons, the report. Pure.

What is due follows from the runs and from what each result that is there was made from. `results.py` has them made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import Arm
from lvmtui.models import title_of
from lvmtui.system.launch import our_command


@dataclass(frozen=True)
class RunOutcome:
    """What has become of a run, as far as results depend on it."""

    model: str
    arm: Arm
    seed: int
    phase: str
    over: bool
    digest: str
    """Checksum of its held-out scores; empty until it has finished."""


@dataclass(frozen=True)
class Task:
    """A result that is to be made."""

    campaign: str
    kind: Literal["baselines", "comparison", "report"]
    subject: str
    """The arm of baselines, the model of a comparison."""
    made_from: str
    """Changes when the result must be made again."""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.subject}".strip()

    @property
    def title(self) -> str:
        """In words."""
        match self.kind:
            case "baselines":
                return f"trivial baselines of the {self.subject} arm"
            case "comparison":
                return f"comparison of {title_of(self.subject)}"
            case "report":
                return "report"


def due(
    campaign: Campaign,
    outcomes: Sequence[RunOutcome],
    made: Mapping[str, str],
    missing: Callable[[Task], bool],
    given_up: Callable[[Task], bool],
) -> list[Task]:
    """What is to be made now, the most urgent first.

    `made`: by key, what the result was made from. `missing`: its file is not there. `given_up`: it failed too often.
    """

    def wanted(task: Task) -> bool:
        return not given_up(task) and (made.get(task.key) != task.made_from or missing(task))

    judged = campaign.heldout_windows > 0  # a campaign of imported histories has no windows to score anything on
    baselines = [Task(campaign.id, "baselines", arm, campaign.split_fingerprint) for arm in campaign.arms if judged]
    comparisons = [
        Task(campaign.id, "comparison", model, _digest(*pairs, *_between(campaign, outcomes, model)))
        for model in campaign.models
        if judged and (pairs := complete_pairs(outcomes, model))
    ]
    tasks = [task for task in (*baselines, *comparisons) if wanted(task)]
    if not tasks and outcomes and all(outcome.over for outcome in outcomes):
        told = (f"{o.model} {o.arm} {o.seed} {o.phase} {o.digest}" for o in outcomes)
        report = Task(campaign.id, "report", "", _digest(campaign.id, *told))
        tasks = [report] if wanted(report) else []
    return tasks


def complete_pairs(outcomes: Sequence[RunOutcome], model: str) -> list[str]:
    """The seeds of which both arms are finished, each with the checksums of their scores."""
    digests = {(o.seed, o.arm): o.digest for o in outcomes if o.model == model and o.digest}
    seeds = sorted({seed for seed, _ in digests})
    return [
        f"{seed} {digests[seed, 'baseline']} {digests[seed, 'expanded']}"
        for seed in seeds
        if (seed, "baseline") in digests and (seed, "expanded") in digests
    ]


def _between(campaign: Campaign, outcomes: Sequence[RunOutcome], model: str) -> list[str]:
    """The runs between the pair that are finished, with the checksums of their scores: the learning curve has them."""
    if not campaign.between:
        return []
    return sorted(f"{o.seed} {o.arm} {o.digest}" for o in outcomes if o.model == model and o.digest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def result_of(folder: CampaignDir, task: Task) -> Path:
    """The file a task leaves."""
    match task.kind:
        case "baselines":
            return folder.baseline_scores(task.subject)
        case "comparison":
            return folder.comparison(task.subject)
        case "report":
            return folder.report


def command_of(folder: CampaignDir, task: Task) -> tuple[str, ...]:
    """The process that makes it."""
    match task.kind:
        case "baselines":
            return our_command("lvmtui.datasets.baselines", str(folder.path), task.subject)
        case "comparison":
            return our_command("lvmtui.report.make", str(folder.path), task.subject)
        case "report":
            return our_command("lvmtui.report.make", str(folder.path))
