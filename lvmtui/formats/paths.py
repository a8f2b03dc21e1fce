"""Names of all files and folders on disk: a workspace, a campaign's folder, a run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvmtui.formats.campaign import Campaign, PlannedRun

FORMATS = {"md": "Markdown", "html": "HTML", "json": "JSON", "csv": "CSV"}
"""Of a report, by the ending of its file."""


class Below:
    """A path below another one of its owner. It is made when it is first asked for: some are, many times a second."""

    def __init__(self, *names: str, of: str = "path") -> None:
        """`of`: the owner's attribute that `names` are below."""
        self._names = names
        self._of = of

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, kind: type) -> Path:
        made: Path = getattr(owner, self._of).joinpath(*self._names)
        owner.__dict__[self._name] = made  # found there from now on
        return made


@dataclass(frozen=True)
class Folder:
    """A folder of a workspace; who writes which of its files is in `docs/formats.md`."""

    path: Path

    @property
    def workspace(self) -> Workspace:
        """The workspace it lies in: `artifacts/lvm/models/` or `artifacts/lvm/campaigns/` stands between."""
        return Workspace(self.path.resolve().parents[3])


class CampaignDir(Folder):
    """A campaign's folder."""

    campaign = Below("campaign.json")
    intent = Below("campaign_intent.json")
    started_with = Below("started_with.json")
    """The Python and the variables its runs are started with."""
    told = Below("told.jsonl")
    """What the commands of `--on-event` were told."""
    telling = Below("telling.lock")
    """Locked by the process that tells."""
    split = Below("split")
    """Folder of the held-out windows and of each arm's training and validation windows; with folds, of theirs."""
    check = Below("check.json")
    """Facts and faults of the two data files."""
    baselines = Below("baselines")
    """Folder of the trivial baselines' scores, a file an arm."""
    comparisons = Below("comparisons")
    learning_curve = Below("learning_curve.json")
    """The held-out cosine over the size, in a campaign of more than two sizes."""
    made = Below("made.json")
    """What each result was made from: the supervisor's note on which of them are still right."""
    task_output = Below("task.log")
    """What the process that makes one of the results prints; gone when it has ended."""
    report = Below("report.md")
    report_json = Below("report.json")

    @property
    def id(self) -> str:
        return self.path.name

    def split_of(self, fold: int) -> Path:
        """The split of a fold, counted from 1; 0 is a campaign without folds."""
        return self.split / f"fold{fold}" if fold else self.split

    def baseline_scores(self, arm: str, fold: int = 0, shorter: int = 0) -> Path:
        """Scores of an arm's trivial baselines; folds are counted from 1, 0 is a campaign without folds. `shorter`: the
        context they see, where it is not the campaign's longest."""
        return self.baselines / f"{arm}{f'_c{shorter}' if shorter else ''}{f'_fold{fold}' if fold else ''}.json"

    def comparison(self, model: str) -> Path:
        """The comparison of a model's two arms, over the seeds that are complete."""
        return self.comparisons / f"{model}.json"

    def report_as(self, format: str) -> Path:
        """The report in another format: `report.json`, `report.csv`, `report.html`."""
        return self.report.with_suffix(f".{format}")


@dataclass(frozen=True)
class Workspace:
    """The folder that holds `artifacts/` and `logs/`."""

    root: Path
    cache: Path | None = None
    """Where compact stores are made that `datasets` does not have; None: there."""

    lvm = Below("artifacts", "lvm", of="root")
    models = Below("models", of="lvm")
    """Run folders."""
    campaigns = Below("campaigns", of="lvm")
    datasets = Below("datasets", of="lvm")
    """Compact stores of the vectors."""
    supervisor_lock = Below("supervisor.lock", of="lvm")
    supervisor = Below("supervisor.json", of="lvm")
    """Names the process that supervises."""
    pulse = Below("pulse.json", of="lvm")
    """What the supervisor last saw of runs on other hosts; screen and commands cannot look there themselves."""
    bell = Below("bell", of="lvm")
    """Replaced with each order, so that the supervisor needs to look at one file and not at one a run."""
    logs = Below("logs", of="root")
    supervisor_log = Below("supervisor.log", of="logs")
    screen_log = Below("screen.log", of="logs")

    def retrain_log(self, campaign: Campaign, label: str) -> Path:
        """One line an event of an arm's runs."""
        return self.logs / f"retrain_{label}_{campaign.stamp}.log"

    def monitor_log(self, campaign: Campaign) -> Path:
        """Completions and comparisons."""
        return self.logs / f"monitor_{campaign.stamp}.log"

    def results(self, campaign: Campaign) -> Path:
        """Folder of the comparisons people read, `<model>.txt`."""
        return self.lvm / f"{campaign.baseline.label}_vs_{campaign.expanded.label}_results"

    def final_comparison(self, campaign: Campaign) -> Path:
        """The report people read."""
        title = f"{campaign.baseline.label}_vs_{campaign.expanded.label}".upper()
        return self.lvm / f"{title}_FINAL_COMPARISON.md"

    def campaign(self, campaign_id: str) -> CampaignDir:
        return CampaignDir(self.campaigns / campaign_id)

    def campaign_dirs(self) -> list[CampaignDir]:
        """All campaigns, the oldest first. Ids end in their time; a folder without campaign.json is not one yet."""
        try:
            folders = [f for f in self.campaigns.iterdir() if (f / "campaign.json").exists()]
        except OSError:
            return []
        return [CampaignDir(f) for f in sorted(folders, key=lambda f: ("_".join(f.name.split("_")[-2:]), f.name))]

    def run(self, planned: PlannedRun) -> RunDir:
        """The folder of a planned run; `folder` may be absolute."""
        return RunDir(self.root / planned.folder)


class RunDir(Folder):
    """A run folder."""

    spec = Below("spec.json")
    intent = Below("intent.json")
    supervision = Below("supervision.jsonl")
    events = Below("events.jsonl")
    progress = Below("progress.json")
    log = Below("train.log")
    lock = Below("run.lock")
    """Held by the trainer as long as it lives."""
    checkpoint = Below("checkpoint.pt")
    previous_checkpoint = Below("checkpoint.prev.pt")
    best_model = Below("best_model.pt")
    heldout = Below("heldout.npz")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files that trainer and supervisor append to."""
        return (self.events, self.supervision, self.log, self.lock)
