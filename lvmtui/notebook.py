"""What a workspace holds, as plain typed objects: for notebooks, scripts and the long CSV tables. Reads only.

    import lvmtui
    campaign = lvmtui.open("workspace").newest
    campaign.comparisons.to_pandas()

pandas is needed for `to_pandas` alone, numpy for held-out scores alone. `docs/notebooks.md` has examples.
"""

from __future__ import annotations

import csv
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.report.contents import Report, RunDetail
from lvmtui.report.csv_table import figures_of, no_formula
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView, named_campaign, newest_campaign
from lvmtui.system.errors import UserError
from lvmtui.verdict.table import Row

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas

    from lvmtui.datasets.centre import Centre

TABLES = ("runs", "curves", "heldout", "comparisons")


@dataclass(frozen=True)
class RunRecord:
    """One run. What is unknown, or not there before it finishes, is None."""

    campaign: str
    run: str
    """Name of its folder."""
    model: str
    title: str
    arm: str
    label: str
    seed: int
    status: str
    reason: str
    alarms: str
    """What health found wrong, comma-separated."""
    parameters: int | None
    steps: int | None
    total_steps: int | None
    best_epoch: float | None
    validation_cosine: float | None
    heldout_cosine: float | None
    latency_p50_ms: float | None
    seconds: float | None
    """Of work, without pauses."""
    attempts: int
    """Starts that its trainer logged; a process that died before that is not counted."""
    started: float | None
    """Seconds since 1970."""
    ended: float | None
    device: str
    folder: str


@dataclass(frozen=True)
class OfRun:
    campaign: str
    run: str
    model: str
    arm: str
    label: str
    seed: int


@dataclass(frozen=True)
class CurvePoint(OfRun):
    """One evaluation of a run on its validation windows."""

    step: int
    epoch: float
    cosine: float | None
    margin: float | None
    loss: float | None
    train_cosine: float | None
    train_loss: float | None
    best: bool
    """The lowest validation loss so far."""
    time: float
    """Seconds since 1970."""
    active: float
    """Seconds of work until then."""


@dataclass(frozen=True)
class HeldoutRecord(OfRun):
    """A finished run's scores, an entry a held-out window: arrays (W,), the same windows for both arms of a seed."""

    window: npt.NDArray[Any]
    """Row at which the window starts, among the held-out vectors."""
    cluster: npt.NDArray[Any]
    source: npt.NDArray[Any]
    """`own`: articles that the baseline's file has too; `new`: others."""
    cosine: npt.NDArray[Any]
    """Of the prediction and the next vector."""
    last_cosine: npt.NDArray[Any]
    """Of the prediction and the last context vector."""
    rank: npt.NDArray[Any]
    """Of the true next vector among all held-out ones, from 1."""


@dataclass(frozen=True)
class ComparisonRecord:
    """A model's row of the verdict. What is not known (yet) is None."""

    campaign: str
    model: str
    title: str
    rank: int | None
    baseline_label: str
    expanded_label: str
    baseline_cosine: float | None
    expanded_cosine: float | None
    """Weighted as the change is; until there is a comparison, both are plain means over windows."""
    change_percent: float | None
    low_percent: float | None
    """95 % interval of this model alone."""
    high_percent: float | None
    adjusted_low_percent: float | None
    """Interval that decides the word: those of all models hold at once."""
    adjusted_high_percent: float | None
    df: float | None
    clusters: int | None
    windows: int | None
    seeds: int
    word: str
    degree: str
    reason: str


Found = TypeVar("Found")
T = TypeVar("T", bound=RunRecord | CurvePoint | HeldoutRecord | ComparisonRecord)


class Rows(tuple[T, ...]):
    """Objects of one kind, in order; a tuple that can become a table."""

    kind: type[T]

    def __new__(cls, kind: type[T], rows: Iterable[T] = ()) -> Rows[T]:
        self = super().__new__(cls, rows)
        self.kind = kind
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.kind, tuple(self)

    def columns(self) -> dict[str, list[Any]]:
        """By name, all of one length. An object with arrays makes as many rows as they have entries."""
        found: dict[str, list[Any]] = {field.name: [] for field in fields(self.kind)}
        for one in self:
            rows = len(one.window) if isinstance(one, HeldoutRecord) else 1
            for name, column in found.items():
                value = getattr(one, name)
                column.extend(value.tolist() if hasattr(value, "tolist") else [value] * rows)
        return found

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row each; of held-out scores with a row for each window. Raises ImportError."""
        import pandas

        return pandas.DataFrame(self.columns())

    def write_csv(self, file: IO[str]) -> None:
        """Write a title row and all rows. Figures are unrounded, and empty if unknown."""
        columns = self.columns()
        write = csv.writer(file, lineterminator="\n").writerow
        write(columns)
        for row in zip(*columns.values(), strict=True):
            write([no_formula(value) if isinstance(value, str) else value for value in row])


class OpenCampaign:
    """A campaign as it was when it was opened."""

    def __init__(self, state: CampaignState) -> None:
        self._state = state

    def __repr__(self) -> str:
        return f"<campaign {self.id}: {self.title}>"

    @property
    def id(self) -> str:
        return self._state.campaign.id

    @property
    def title(self) -> str:
        """`8k vs 23k`."""
        return self._state.campaign.title

    @property
    def plan(self) -> Campaign:
        """What was planned: models, seeds, recipe, arms."""
        return self._state.campaign

    @property
    def finished(self) -> bool:
        """Every run is over, whatever way."""
        return self._state.finished

    @property
    def answer(self) -> str:
        """Does the larger data set help? As the report says it."""
        return self.report.answer

    @cached_property
    def report(self) -> Report:
        """Everything the report says. `lvmtui report` makes comparisons that are missing; this does not."""
        from lvmtui.report.make import read_report

        return read_report(self._state, now=time.time())

    @cached_property
    def runs(self) -> Rows[RunRecord]:
        return Rows(RunRecord, (_run(self.id, run) for run in self.report.runs))

    @cached_property
    def curves(self) -> Rows[CurvePoint]:
        """All evaluations of all runs."""
        told = ((view, one) for view in self._state.runs if view.state for one in view.state.trainer.evaluations)
        points = (CurvePoint(**_named(self.plan, view), **_same(CurvePoint, one)) for view, one in told)
        return Rows(CurvePoint, points)

    @cached_property
    def heldout(self) -> Rows[HeldoutRecord]:
        """Of the runs that have finished. Scores that are not as their run wrote them are left out, with a warning."""
        scored = (view for view in self._state.runs if view.finished and view.finished.heldout_digest)
        return Rows(HeldoutRecord, _readable(partial(_heldout, self.plan), scored))

    @cached_property
    def comparisons(self) -> Rows[ComparisonRecord]:
        """In the order of the ranking."""
        table = self.report.table
        return Rows(ComparisonRecord, (_comparison(self.id, table.labels, row) for row in table.rows))

    def centre(self, seed: int | None = None) -> Centre | None:
        """What maps vectors to the centred space and back (`centre.back`), with folds that of a seed; None where
        vectors are not centred. Raises UserError."""
        from lvmtui.datasets.split import read_heldout

        fold = self.plan.fold_of(self.plan.seeds[0] if seed is None else seed)
        return read_heldout(self._state.dir.split_of(fold)).centre if self.plan.centre else None

    def table(self, name: str) -> Rows[Any]:
        """One of TABLES by its name."""
        rows: Rows[Any] = getattr(self, name)
        return rows


class OpenWorkspace:
    """The campaigns of a folder."""

    def __init__(self, folder: Workspace) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"<workspace {self._folder.root}: {len(self.ids)} campaigns>"

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all campaigns, the oldest first."""
        return tuple(folder.id for folder in self._folder.campaign_dirs())

    @property
    def newest(self) -> OpenCampaign:
        """Raises UserError if there is none."""
        return self._read(newest_campaign(self._folder))

    @property
    def campaigns(self) -> tuple[OpenCampaign, ...]:
        """All that can be read, the oldest first; there is a warning for each other one."""
        return tuple(_readable(self._read, self._folder.campaign_dirs()))

    def campaign(self, id: str) -> OpenCampaign:
        """The one with this id, or with this part of an id. Raises UserError."""
        return self._read(named_campaign(self._folder, id, "campaign"))

    def _read(self, folder: CampaignDir) -> OpenCampaign:
        return OpenCampaign(CampaignReader(self._folder, folder).refresh())


def open_workspace(folder: str | os.PathLike[str]) -> OpenWorkspace:
    """Raises UserError if there is no such folder."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; name a workspace")
    return OpenWorkspace(Workspace(root.resolve()))


def _readable(read: Callable[[Any], Found], sources: Iterable[Any]) -> list[Found]:
    """What can be read of these; a warning names each file that cannot."""
    found = []
    for source in sources:
        try:
            found.append(read(source))
        except UserError as error:
            warnings.warn(f"left out: {error}", stacklevel=3)
    return found


# -- rows --------------------------------------------------------------------------------------------------------------


def _same(kind: type, source: object) -> dict[str, Any]:
    """What a row of this kind takes as it is: the fields that the source has under the same names."""
    return {field.name: getattr(source, field.name) for field in fields(kind) if hasattr(source, field.name)}


def _run(campaign: str, run: RunDetail) -> RunRecord:
    return RunRecord(
        campaign=campaign,
        alarms=", ".join(finding.label for finding in run.findings if finding.alarm),
        validation_cosine=run.validation,
        heldout_cosine=run.heldout,
        **_same(RunRecord, run),
    )


def _named(plan: Campaign, view: RunView) -> dict[str, Any]:
    planned = view.planned
    return {"campaign": plan.id, "label": plan.arm(planned.arm).label, **_same(OfRun, planned)}


def _heldout(plan: Campaign, view: RunView) -> HeldoutRecord:
    import numpy as np

    from lvmtui.verdict.compare import read_scores

    assert view.finished, "only scored runs are asked"
    scores, fault = read_scores(view.folder.heldout, view.finished.heldout_digest)
    if scores is None:
        raise UserError(f"{view.folder.heldout.parent}: {fault}; restore the file")
    source = np.where(scores.stratum == 0, "own", "new")
    return HeldoutRecord(**_named(plan, view), source=source, **_same(HeldoutRecord, scores))


def _comparison(campaign: str, labels: tuple[str, str], row: Row) -> ComparisonRecord:
    known = figures_of(row)
    return ComparisonRecord(
        campaign=campaign,
        title=row.title,
        baseline_label=labels[0],
        expanded_label=labels[1],
        word=known["verdict"],
        model=row.model,
        **{field.name: known[field.name] for field in fields(ComparisonRecord) if field.name in known},
    )
