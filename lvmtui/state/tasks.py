"""Which results of a campaign are due: trivial baselines, comparisons, the report. Pure.

What is due follows from the runs and from what each result that is there was made from. `results.py` has them made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.formats.campaign import Campaign, PlannedRun
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.formats.trainer_log import Finished
from lvmtui.models import title_of
from lvmtui.state.status import Status
from lvmtui.system.launch import our_command


@dataclass(frozen=True)
class RunOutcome:
    """What has become of a run, as far as results depend on it."""

    model: str
    arm: ArmName
    seed: int
    phase: str
    over: bool
    digest: str
    """Checksum of its held-out scores; empty until it has finished."""
    since: float = 0.0
    """When it ended so, in seconds since 1970: a run that failed, and was tried again, may fail again."""

    @property
    def key(self) -> str:
        """Tells it from any other outcome of its campaign."""
        return f"{self.model} {self.arm} {self.seed} {self.phase} {self.digest or self.since}"


@dataclass(frozen=True)
class Task:
    """A result that is to be made."""

    campaign: str
    kind: Literal["baselines", "comparison", "report"]
    subject: str
    """The arm of baselines, the model of a comparison."""
    made_from: str
    """Changes when the result must be made again."""
    title: str
    """In words."""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.subject}".strip()


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
    results: list[Task] = []
    for arm in campaign.arms if judged else ():
        title = f"trivial baselines of the {arm} arm"
        results.append(Task(campaign.id, "baselines", arm, campaign.split_fingerprint, title))
    for model in campaign.models if judged else ():
        if pairs := finished_pairs(outcomes, model):
            # a learning curve has the runs between the pair too
            sizes = [f"{o.seed} {o.arm} {o.digest}" for o in outcomes if o.model == model and o.digest]
            made_from = " ".join([_digest(*pairs), *([_digest(*sorted(sizes))] if campaign.between else [])])
            title = f"comparison of {title_of(model, campaign.titles)}"
            results.append(Task(campaign.id, "comparison", model, made_from, title))
    # What a verdict is about comes first: a campaign that takes runs over has its pairs from the beginning.
    results.sort(key=lambda task: task.kind == "baselines" and task.subject not in ARMS)
    tasks = [task for task in results if wanted(task)]
    if not tasks and outcomes and all(outcome.over for outcome in outcomes):
        report = Task(campaign.id, "report", "", _digest(campaign.id, *(o.key for o in outcomes)), "report")
        tasks = [report] if wanted(report) else []
    return tasks


def run_outcome(planned: PlannedRun, status: Status, finished: Finished | None) -> RunOutcome:
    """What has become of a run."""
    digest, since = finished.heldout_digest if finished else "", status.since or 0.0 if status.over else 0.0
    return RunOutcome(planned.model, planned.arm, planned.seed, status.phase.value, status.over, digest, since)


def finished_pairs(outcomes: Sequence[RunOutcome], model: str) -> list[str]:
    """The seeds of which both arms are finished, each with the checksums of their scores."""
    baseline, expanded = (
        {o.seed: o.digest for o in outcomes if (o.model, o.arm) == (model, arm) and o.digest} for arm in ARMS
    )
    return [f"{seed} {baseline[seed]} {expanded[seed]}" for seed in sorted(baseline.keys() & expanded.keys())]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def result_of(folder: CampaignDir, task: Task) -> Path:
    match task.kind:
        case "baselines":
            return folder.baseline_scores(task.subject)
        case "comparison":
            return folder.comparison(task.subject)
        case "report":
            return folder.report


def task_command(folder: CampaignDir, task: Task) -> tuple[str, ...]:
    """The process that makes it."""
    module = "lvmtui.datasets.baselines" if task.kind == "baselines" else "lvmtui.report.make"
    return our_command(module, str(folder.path), *([task.subject] if task.subject else []))
