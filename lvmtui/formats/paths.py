"""Names of all files and folders on disk: a workspace, a campaign's folder, a run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lvmtui.formats.campaign import Campaign, PlannedRun


@dataclass(frozen=True)
class CampaignDir:
    """A campaign's folder; who writes which file is in `docs/formats.md`."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def workspace(self) -> Workspace:
        """The workspace the folder lies in."""
        return Workspace(self.path.resolve().parents[3])

    @property
    def campaign(self) -> Path:
        return self.path / "campaign.json"

    @property
    def intent(self) -> Path:
        return self.path / "campaign_intent.json"

    @property
    def started_with(self) -> Path:
        """The Python and the variables its runs are started with."""
        return self.path / "started_with.json"

    @property
    def told(self) -> Path:
        """What the commands of `--on-event` were told."""
        return self.path / "told.jsonl"

    @property
    def telling(self) -> Path:
        """Locked by the process that tells."""
        return self.path / "telling.lock"

    @property
    def split(self) -> Path:
        """Folder of the held-out windows and of each arm's training and validation windows; with folds, of theirs."""
        return self.path / "split"

    def split_of(self, fold: int) -> Path:
        """The split of a fold, counted from 1; 0 is a campaign without folds."""
        return self.split / f"fold{fold}" if fold else self.split

    @property
    def check(self) -> Path:
        """Facts and faults of the two data files."""
        return self.path / "check.json"

    @property
    def baselines(self) -> Path:
        """Folder of the trivial baselines' scores, a file an arm."""
        return self.path / "baselines"

    def baseline_scores(self, arm: str, fold: int = 0, shorter: int = 0) -> Path:
        """Scores of an arm's trivial baselines; folds are counted from 1, 0 is a campaign without folds. `shorter`: the
        context they see, where it is not the campaign's longest."""
        return self.baselines / f"{arm}{f'_c{shorter}' if shorter else ''}{f'_fold{fold}' if fold else ''}.json"

    @property
    def comparisons(self) -> Path:
        return self.path / "comparisons"

    def comparison(self, model: str) -> Path:
        """The comparison of a model's two arms, over the seeds that are complete."""
        return self.comparisons / f"{model}.json"

    @property
    def learning_curve(self) -> Path:
        """The held-out cosine over the size, in a campaign of more than two sizes."""
        return self.path / "learning_curve.json"

    @property
    def made(self) -> Path:
        """What each result was made from: the supervisor's note on which of them are still right."""
        return self.path / "made.json"

    @property
    def task_output(self) -> Path:
        """What the process that makes one of the results prints; gone when it has ended."""
        return self.path / "task.log"

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    @property
    def report_json(self) -> Path:
        return self.report_as("json")

    def report_as(self, format: str) -> Path:
        """The report in another format: `report.json`, `report.csv`, `report.html`."""
        return self.report.with_suffix(f".{format}")


@dataclass(frozen=True)
class Workspace:
    """The folder that holds `artifacts/` and `logs/`."""

    root: Path
    cache: Path | None = None
    """Where compact stores are made that `datasets` does not have; None: there."""

    @property
    def lvm(self) -> Path:
        return self.root / "artifacts" / "lvm"

    @property
    def models(self) -> Path:
        """Run folders."""
        return self.lvm / "models"

    @property
    def campaigns(self) -> Path:
        return self.lvm / "campaigns"

    @property
    def datasets(self) -> Path:
        """Compact stores of the vectors."""
        return self.lvm / "datasets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def supervisor_lock(self) -> Path:
        return self.lvm / "supervisor.lock"

    @property
    def supervisor(self) -> Path:
        """Names the process that supervises."""
        return self.lvm / "supervisor.json"

    @property
    def pulse(self) -> Path:
        """What the supervisor last saw of runs on other hosts; screen and commands cannot look there themselves."""
        return self.lvm / "pulse.json"

    @property
    def bell(self) -> Path:
        """Replaced with each order, so that the supervisor needs to look at one file and not at one a run."""
        return self.lvm / "bell"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    @property
    def screen_log(self) -> Path:
        return self.logs / "screen.log"

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


@dataclass(frozen=True)
class RunDir:
    """A run folder; who writes which file is in `docs/formats.md`. Its paths are asked for many times a second."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def workspace(self) -> Workspace:
        """The workspace the folder lies in: `artifacts/lvm/models/` stands between."""
        return Workspace(self.path.resolve().parents[3])

    @cached_property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @cached_property
    def intent(self) -> Path:
        return self.path / "intent.json"

    @cached_property
    def supervision(self) -> Path:
        return self.path / "supervision.jsonl"

    @cached_property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @cached_property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @cached_property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files that trainer and supervisor append to."""
        return (self.events, self.supervision, self.log, self.lock)

    @cached_property
    def lock(self) -> Path:
        """Held by the trainer as long as it lives."""
        return self.path / "run.lock"

    @cached_property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @cached_property
    def previous_checkpoint(self) -> Path:
        return self.path / "checkpoint.prev.pt"

    @cached_property
    def best_model(self) -> Path:
        return self.path / "best_model.pt"

    @cached_property
    def heldout(self) -> Path:
        return self.path / "heldout.npz"
