"""Everything the screens show at one moment, frozen. Built by a thread, drawn by views, pure in between.

This is the only module of the room that knows how time, health, ranking and words are come by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lvmtui.estimate.cost import parameters_of_run
from lvmtui.estimate.eta import CampaignEta, campaign_eta
from lvmtui.formats.campaign import told
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.results import Comparison
from lvmtui.formats.spec import ArmName
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.run_state import TrainerState
from lvmtui.system.text import grouped, sanitise
from lvmtui.ui.read.machine import MachineFigures
from lvmtui.ui.read.run_facts import NAME, RunFacts
from lvmtui.verdict.answer import answer, headline
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.comparison import lost_scores, read_comparisons, trivial_by_run
from lvmtui.verdict.early import best_trivial
from lvmtui.verdict.health import Finding, health_of
from lvmtui.verdict.ranking import table_of
from lvmtui.verdict.table import Row, Table

if TYPE_CHECKING:  # what most campaigns do not need is not loaded before the first picture
    from lvmtui.formats.learning_curve import LearningCurve, ModelCurve
    from lvmtui.report.blocks import Block


@dataclass(frozen=True)
class ModelFacts:
    model: str
    title: str
    parameters: int | None
    runs: tuple[RunFacts, ...]
    """The baseline arm's and the expanded arm's, seed by seed."""
    row: Row | None
    """Its row of the ranked table."""
    curve: ModelCurve | None = None
    """Its learning curve, where there are more than two sizes."""

    @cached_property
    def arms(self) -> dict[ArmName, list[RunFacts]]:
        """Its runs by arm."""
        return grouped((run.arm, run) for run in self.runs)

    @property
    def note(self) -> str:
        """What health has to say of it short of an alarm, in a word or two: `8k overfitting`; empty if nothing."""
        notes = (f"{run.label} {finding.label}" for run in self.runs for finding in run.findings if not finding.alarm)
        return next(notes, "")


@dataclass(frozen=True)
class Snapshot:
    now: float
    state: CampaignState
    models: tuple[ModelFacts, ...]
    eta: CampaignEta
    table: Table
    headline: str
    """The answer and its doubt, in a line."""
    answer: str
    """Does the larger data set help? In a few sentences."""
    caveats: tuple[str, ...]
    """What must be known before believing it."""
    machine: MachineFigures | None = None
    supervised: bool = True
    """False: nobody is there who would start what waits."""
    log: tuple[str, ...] = ()
    """Newest lines of the selected run's log."""
    log_run: str = ""
    notes: tuple[str, ...] = ()
    """What a person must know about the screen itself: that it polls, that a folder is gone."""
    learning_curve: LearningCurve | None = None
    """Of a campaign of more than two sizes."""

    @property
    def title(self) -> str:
        return sanitise(self.state.campaign.title, 2 * NAME)

    @cached_property
    def runs(self) -> tuple[RunFacts, ...]:
        return tuple(run for model in self.models for run in model.runs)

    @cached_property
    def _by_name(self) -> dict[str, tuple[ModelFacts, RunFacts]]:
        return {run.name: (model, run) for model in self.models for run in model.runs}

    def run(self, name: str) -> RunFacts | None:
        return self._by_name.get(name, (None, None))[1]

    def model(self, name: str) -> ModelFacts | None:
        return self._by_name.get(name, (None, None))[0]

    @property
    def most_interesting(self) -> str:
        """The name of the run to look at first: one that goes on, else the first."""
        going = next((run for run in self.runs if run.view.status.pace == "works"), None)
        return (going or self.runs[0]).name if self.runs else ""

    @property
    def judged(self) -> bool:
        """True if the campaign is over and its last word has been written."""
        return self.state.finished and not self.state.unmade


@dataclass
class Builder:
    """Makes snapshots, and keeps what has not changed since the one before: five hundred runs cost what changes."""

    _health: dict[str, tuple[TrainerState, object, tuple[Finding, ...]]] = field(default_factory=dict)
    _facts: dict[str, tuple[RunView, object, RunFacts]] = field(default_factory=dict)
    _known: dict[str, tuple[list[RunView], Row | None, CampaignEta, ModelFacts]] = field(default_factory=dict)
    _trivial: dict[str, TrivialBaselines | None] = field(default_factory=dict)
    _comparisons: dict[str, Comparison] = field(default_factory=dict)
    _lost: tuple[str, ...] = ()
    _curve: LearningCurve | None = None
    _table: Table | None = None
    _eta: CampaignEta | None = None
    _said: tuple[str, ...] = ("", "")

    def read(self, state: CampaignState) -> None:
        """Take in what others have left in the campaign's folders: trivial baselines, comparisons, held-out scores."""
        self._trivial = trivial_by_run(state)
        self._comparisons = read_comparisons(state)
        self._lost = lost_scores(state)
        if state.campaign.between:
            from lvmtui.formats.learning_curve import read_learning_curve

            self._curve = read_learning_curve(state.dir.learning_curve)
        self._facts.clear()
        self._known.clear()

    def recompute(self, state: CampaignState, now: float) -> None:
        """Compute what depends on all runs together: the ranked table, and the time left."""
        health = {view.planned.run: self._health_of(view) for view in state.runs}
        self._table = table_of(state, self._comparisons, self._trivial, health)
        doubts = (*self._lost, *told(state.campaign.doubts), *caveats(self._table))
        self._said = (headline(self._table), answer(self._table), *doubts)
        self._eta = campaign_eta(state, now)

    def build(self, state: CampaignState, now: float) -> Snapshot:
        """The snapshot of `state`, from what `read` and `recompute` found last; no machine, supervisor, log, notes."""
        if self._table is None or self._eta is None:
            self._table = Table(("", ""), (), (), None, len(state.campaign.seeds), 0)
            self._eta = CampaignEta(now, None, {}, ())
        return Snapshot(
            now=now,
            state=state,
            models=self._models(state, self._table, self._eta),
            eta=self._eta,
            table=self._table,
            headline=self._said[0],
            answer=self._said[1],
            caveats=self._said[2:],
            learning_curve=self._curve,
        )

    def _models(self, state: CampaignState, table: Table, eta: CampaignEta) -> tuple[ModelFacts, ...]:
        campaign, rows = state.campaign, {row.model: row for row in table.rows}
        views = grouped((view.planned.model, view) for view in state.runs)
        models = dict.fromkeys((*campaign.models, *views))
        return tuple(self._model(state, model, views.get(model, []), rows.get(model), eta) for model in models)

    def _model(
        self, state: CampaignState, model: str, views: list[RunView], row: Row | None, eta: CampaignEta
    ) -> ModelFacts:
        before = self._known.get(model)
        if before is not None:
            seen, seen_row, seen_eta, facts = before
            if seen_row is row and seen_eta is eta and all(a is b for a, b in zip(seen, views, strict=True)):
                return facts
        states = sorted((v.state for v in views if v.state), key=lambda run: run.trainer.started is None)
        parameters = next(filter(None, map(parameters_of_run, states)), None)
        runs = [self._run(state, view, eta, parameters) for view in views]
        runs.sort(key=lambda run: (run.view.planned.seed, run.arm != "baseline"))
        title = sanitise(title_of(model, state.campaign.titles), NAME)
        facts = ModelFacts(model, title, parameters, tuple(runs), row, self._curve.of(model) if self._curve else None)
        self._known[model] = views, row, eta, facts
        return facts

    def _run(self, state: CampaignState, view: RunView, eta: CampaignEta, parameters: int | None) -> RunFacts:
        name = view.planned.run
        expected = eta.runs.get(name)
        before = self._facts.get(name)
        known = (expected, parameters, view.worked(eta.now))
        if before is not None and before[0] is view and before[1] == known:
            return before[2]
        trivial = best_trivial(view.state, self._trivial.get(name)) if view.state else None
        facts = RunFacts(view, state.campaign, expected, self._health_of(view), trivial, parameters, known[2])
        self._facts[name] = (view, known, facts)
        return facts

    def _health_of(self, view: RunView) -> tuple[Finding, ...]:
        if view.state is None:
            return ()
        name, trainer = view.planned.run, view.state.trainer
        read = self._trivial.get(name), self._comparisons.get(view.planned.model)
        before = self._health.get(name)
        if before is None or before[0] is not trainer or before[1] != read:
            before = self._health[name] = (trainer, read, health_of(view.state, *read))
        return before[2]


def report_page(snapshot: Snapshot) -> tuple[Block, ...]:
    """The report as it would be exported now. Reads small files; writes nothing, loads no numpy."""
    from lvmtui.report.make import read_report
    from lvmtui.report.page import page_of

    return page_of(read_report(snapshot.state, now=snapshot.now))
