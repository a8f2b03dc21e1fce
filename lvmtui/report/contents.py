"""The report as facts and sentences, before it becomes a page (`page.py`), JSON or CSV. Pure.

`report.json` is exactly this dataclass (`lvmtui.formats.json_codec.encode`), so its fields are documented here. A field
that changes its meaning raises VERSION; a new one does not.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

from lvmtui.estimate.cost import parameters_of_run
from lvmtui.formats.campaign import ArmFacts, Campaign
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.json_codec import kind_of
from lvmtui.formats.learning_curve import LearningCurve
from lvmtui.formats.results import Comparison
from lvmtui.formats.spec import ARMS, ArmName, RunSpec
from lvmtui.formats.trainer_log import LONGEST_REASON, Failed, Interrupted
from lvmtui.models import title_of
from lvmtui.report.advice import Recommendation, next_steps, recommendations
from lvmtui.report.costs import PricedModel, UseCost, priced_models
from lvmtui.report.curves import RunCurve
from lvmtui.report.questions import Question, context_questions, questions
from lvmtui.report.size_questions import size_questions
from lvmtui.state.attempt import RETRIED
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.run_state import RunState, TrainerState
from lvmtui.state.status import FAILURES, Phase, interruptions
from lvmtui.system.files import seal_fault
from lvmtui.system.numbers import numbered
from lvmtui.system.text import grouped, sanitise
from lvmtui.verdict.answer import answer
from lvmtui.verdict.comparison import context_means
from lvmtui.verdict.health import Finding
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.table import Table
from lvmtui.verdict.trend import cosine_of, scored
from lvmtui.verdict.words import Word, listed

VERSION = 1


@dataclass(frozen=True)
class HeldoutSet:
    """The held-out windows, which every run of the campaign is judged on."""

    windows: int
    windows_own: int | None
    """Windows in articles of the baseline's source; the others are in new articles. None if unknown."""
    clusters: int
    seed: int | None
    """They were drawn with."""
    fingerprint: str
    """Runs with the same fingerprint are judged on the same windows. Empty: there are no held-out windows."""
    effective_clusters: float | None = None
    """How many of equal weight would tell as much (Kish 1965), as in the estimates; None: nothing is judged."""


@dataclass(frozen=True)
class Completion:
    """How far the campaign is."""

    started: float | None
    """Seconds since 1970."""
    ended: float | None
    """None while it is still going on."""
    runs: int
    finished: int
    missing: tuple[str, ...]
    """The runs that are not finished, each with its status and the reason."""
    words: str
    """`3 of 10 runs finished, 2 running, 5 queued`."""
    to_come: int = 0
    """Runs that have not ended yet."""
    taken_over: int = 0
    """Runs that had ended before the campaign was planned; `started` is not theirs."""

    @property
    def duration(self) -> float | None:
        """Seconds from the first start to the last end."""
        return self.ended - self.started if self.started is not None and self.ended is not None else None


@dataclass(frozen=True)
class RunDetail:
    """One run. What is unknown, or not there before it finishes, is None."""

    run: str
    model: str
    title: str
    arm: ArmName
    label: str
    seed: int
    status: str
    reason: str
    findings: tuple[Finding, ...]
    parameters: int | None
    steps: int | None
    total_steps: int | None
    unit: str
    """What its steps are: `step`, or `epoch`."""
    stopped_early: bool | None
    best_epoch: float | None
    validation: float | None
    """Validation cosine of the best model so far."""
    heldout: float | None
    """Mean held-out cosine."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    seconds: float | None
    """Seconds of work over all attempts, without pauses."""
    attempts: int
    started_again: str
    """How the attempts before the newest ended, in words."""
    started: float | None
    """When its first process was started; None for a history, which does not say it."""
    ended: float | None
    device: str
    threads: int | None
    recipe: str
    versions: dict[str, str]
    """Of the libraries and of the training code; `2.12.0, then 2.13.0` where a later attempt had another."""
    folder: str
    """Relative to the workspace, or absolute."""
    best_model: str
    """File of the best weights; empty: there is none."""
    best_digest: str
    best_lost: str
    """That its file is gone, or names another checksum than the run logged; empty: it is as it was."""
    weights_digest: str
    heldout_digest: str
    data_fingerprint: str
    split_fingerprint: str
    imported_from: str
    """The history file it was imported from; empty: trained by this program."""
    history_digest: str
    """sha256 of the imported history."""
    curve: RunCurve
    own_model: str = ""
    """Of the user's own: its file and class, the digest of the copy, its options."""
    own_trainer: str = ""
    """Of the user's own: its command and patterns."""
    training: str = ""
    """The recipe's name, loss, rate and length; empty for a trainer of the user's own."""
    foreign: bool = False
    """See `RunSpec.foreign`."""
    best_at_first: bool = False
    """The first of several evaluations was its best: it may have been better still before."""

    @property
    def name(self) -> str:
        """`AMN 8k`; with several seeds `AMN 8k s1`."""
        return f"{self.title} {self.curve.label}"


@dataclass(frozen=True)
class Report:
    campaign: str
    title: str
    """`8k vs 23k`."""
    made: float
    """Seconds since 1970."""
    by: str
    """Version of lvmtui that made it."""
    answer: str
    caveats: tuple[str, ...]
    progress: Completion
    table: Table
    questions: tuple[Question, ...]
    recommendations: tuple[Recommendation, ...]
    costs: dict[str, UseCost]
    """What a prediction costs, by model."""
    choices: tuple[PricedModel, ...]
    """Expanded models by quality, with the Pareto front."""
    comparisons: tuple[Comparison, ...]
    """The figures behind the table."""
    baseline: ArmFacts
    expanded: ArmFacts
    data: DataFacts | None
    """What the check of both data sets found; None: unknown."""
    heldout: HeldoutSet
    validation_mean: dict[str, float]
    """Cosine of the context mean on each arm's validation windows, by arm, where it is known."""
    runs: tuple[RunDetail, ...]
    campaign_facts: Campaign
    """The plan: models, size, recipe, seeds, jobs, threads, device, versions, author."""
    next_steps: tuple[str, ...] = ()
    """What would make the answer surer."""
    learning_curve: LearningCurve | None = None
    """None unless the campaign has more than two sizes."""
    version: int = VERSION

    @property
    def imported(self) -> bool:
        """True if nothing was trained here: every figure is from another program's history."""
        return self.table.histories and all(run.imported_from for run in self.runs)

    def title_of(self, model: str) -> str:
        """How people write a model's name."""
        row = self.table.row(model)
        return row.title if row else model


def report_of(
    known: Judgement,
    heldout: HeldoutSet,
    data: DataFacts | None,
    learning_curve: LearningCurve | None = None,
    *,
    now: float,
    version: str,
) -> Report:
    """The report of a campaign as it is now."""
    state, table, comparisons = known.state, known.table, known.comparisons
    campaign = state.campaign
    place = {name: i for i, name in enumerate((*campaign.models, *campaign.arms))}  # not that in which they started
    views = sorted(state.runs, key=lambda v: (place.get(v.planned.model, -1), place[v.planned.arm], v.planned.seed))
    runs = tuple(_detail(state, view, known.health.get(view.planned.run, ())) for view in views)
    here = [view for view in views if view.state and view.planned.trained_here]
    doomed = (v.planned.model for v in here if v.status.phase in FAILURES and not v.retry_helps)
    estimated = {row.model for row in table.with_word(Word.POINT_ESTIMATE)}
    costs = _costs(campaign, runs)
    compared = tuple(comparisons[model] for model in campaign.models if model in comparisons)
    progress = _progress(state, runs)
    return Report(
        campaign=campaign.id,
        title=sanitise(campaign.title, 100),
        made=now,
        by=version,
        answer=answer(table),
        caveats=known.doubts,
        progress=progress,
        table=table,
        questions=(
            *size_questions(learning_curve, costs),
            *questions(table, costs, pair=learning_curve is None),
            *context_questions(table, compared),
        ),
        recommendations=recommendations(table, costs),
        costs=costs,
        choices=priced_models(table, costs),
        comparisons=compared,
        baseline=campaign.baseline,
        expanded=campaign.expanded,
        data=data,
        heldout=replace(
            heldout, effective_clusters=next((r.estimate.effective_clusters for r in table.rows if r.estimate), None)
        ),
        validation_mean={**context_means(state, known.trivial)},
        runs=runs,
        campaign_facts=campaign,
        learning_curve=learning_curve,
        next_steps=next_steps(
            table,
            {v.planned.run: v.status.phase for v in state.runs if v.retry_helps and v.planned.model not in estimated},
            campaign=campaign.id,
            over=progress.ended is not None,
            doomed=[sanitise(title_of(model, campaign.titles), 60) for model in dict.fromkeys(doomed)],
            earlier=not all(run.trained_here for run in campaign.runs),
        ),
    )


def _progress(state: CampaignState, runs: tuple[RunDetail, ...]) -> Completion:
    before = [run.run for run in runs if run.started and run.ended and run.ended < state.campaign.created]
    starts = [run.started for run in runs if run.started is not None and run.run not in before]
    ends = [run.ended for run in runs if run.ended is not None]
    each = grouped(
        ((run.title, run.label, run.status + (f" ({run.reason})" if run.reason else "")), run.seed)
        for run in runs
        if run.status != Phase.FINISHED.value
    )
    missing = grouped(((title, why, tuple(seeds)), label) for (title, label, why), seeds in each.items())
    several = len(state.campaign.seeds) > 1
    return Completion(
        started=min(starts, default=None),
        ended=max(ends) if ends and all(view.status.over for view in state.runs) else None,
        runs=len(runs),
        finished=sum(run.status == Phase.FINISHED.value for run in runs),
        missing=tuple(
            f"{title} {listed(labels)}{', ' + numbered(seeds, 'seed') if several else ''}: {why}"
            for (title, why, seeds), labels in missing.items()
        ),
        words=state.progress_words,
        to_come=sum(not view.status.over for view in state.runs),
        taken_over=len(before),
    )


def _costs(campaign: Campaign, runs: tuple[RunDetail, ...]) -> dict[str, UseCost]:
    """By model, from the runs of both arms: they have the same network. Of an arm's seeds the fastest counts."""
    found = {}
    for model in campaign.models:
        arms = [[run for run in runs if (run.model, run.arm) == (model, arm)] for arm in reversed(ARMS)]
        parameters = next((run.parameters for mine in arms for run in mine if run.parameters), None)
        fastest = (min((run.latency_p50_ms or math.inf for run in mine), default=math.inf) for mine in arms)
        latency, again, *_ = *sorted(ms for ms in fastest if ms < math.inf), None, None
        found[model] = UseCost(parameters, latency, again)
    return found


def _detail(state: CampaignState, view: RunView, findings: tuple[Finding, ...]) -> RunDetail:
    planned, run = view.planned, view.state
    spec = run.spec if run else None
    source = spec.imported if spec else None
    trainer = run.trainer if run else TrainerState()
    started, finished, best = trainer.started, trainer.finished, trainer.best
    versions = grouped(
        (sanitise(name, 40), sanitise(version, 60))
        for start in trainer.kept
        for name, version in (*start.versions.items(), ("training code", "" if source else start.code[:16]))
        if version
    )
    measured = finished if finished and not (spec and spec.history) else None
    epochs = spec is None or spec.counts_epochs
    first = "" if all(one.trained_here for one in state.campaign.runs) else " of the first campaign"
    points = tuple((e.epoch if epochs else e.step, cosine_of(e)) for e in scored(trainer.evaluations))
    label, several = sanitise(state.campaign.arm(planned.arm).label, 40), len(state.campaign.seeds) > 1
    return RunDetail(
        run=planned.run,
        model=planned.model,
        title=sanitise(title_of(planned.model, state.campaign.titles), 60),
        arm=planned.arm,
        label=label,
        seed=planned.seed,
        status=view.status.phase.value,
        reason=sanitise(view.status.reason, LONGEST_REASON),
        findings=findings,
        parameters=parameters_of_run(run) if run else None,
        steps=run.step if run and not run.spec.imported else None,
        total_steps=run.planned_steps if run and not run.spec.imported else None,
        unit=spec.unit if spec else "step",
        stopped_early=finished.stopped_early if finished else None,
        best_epoch=None if not epochs else finished.best_epoch or None if finished else best.epoch if best else None,
        validation=finished.best_cosine if finished else best.cosine if best else None,
        heldout=measured.heldout.cosine if measured and measured.heldout.windows else None,
        latency_p50_ms=measured.latency_p50_ms or None if measured else None,
        latency_p95_ms=measured.latency_p95_ms or None if measured else None,
        seconds=run.seconds if run else None,
        attempts=trainer.attempts,
        started_again=_started_again(run) if run else "",
        started=run.began if run and not run.spec.history else None,
        ended=view.status.since if view.status.over else None,
        device=sanitise(started.device, 60) if started and started.device != "auto" else "",
        threads=spec.threads if spec and not spec.history else None,
        recipe=sanitise(spec.recipe.name, 60) if spec and not spec.own_trainer else "",
        versions={name: ", then ".join(dict.fromkeys(found)) for name, found in versions.items()},
        folder=planned.folder,
        best_model=_best_model(view, spec) if finished else "",
        best_digest=measured.best_digest if measured else "",
        best_lost=seal_fault(view.folder.best_model, measured.best_digest) if measured and measured.best_digest else "",
        weights_digest=measured.weights_digest if measured else "",
        heldout_digest=measured.heldout_digest if measured else "",
        data_fingerprint=spec.data.fingerprint if spec else "",
        split_fingerprint=spec.split_fingerprint if spec else "",
        imported_from=f"{source.folder}/{source.history}" if source else "",
        history_digest=source.digest if source else "",
        foreign=spec.foreign if spec else False,
        curve=RunCurve(
            planned.arm, f"{label} s{planned.seed}" if several else label, points, "epoch" if epochs else "step"
        ),
        own_model=sanitise(spec.own_model.words, 400) if spec and spec.own_model else "",
        own_trainer=sanitise(spec.own_trainer.words, 400) if spec and spec.own_trainer else "",
        training=sanitise(spec.recipe.words(first), 400) if spec and not spec.own_trainer else "",
        best_at_first=bool(best and len(trainer.evaluations) > 1 and best is trainer.evaluations[0]),
    )


def _started_again(run: RunState) -> str:
    """`paused (2 times); killed by signal 9`. Failures that are tried again are deaths too; the status has the last."""
    newest = {end.time for end in (run.supervision.lost, run.trainer.ending) if end}
    again = [e for e in run.trainer.endings if not (isinstance(e, Failed) and e.reason in RETRIED)]
    said = [(e.time, kind_of(type(e))) for e in again if not isinstance(e, Interrupted)]
    times = Counter(sanitise(why, 120) for time, why in sorted([*said, *interruptions(run)]) if time not in newest)
    return "; ".join(f"{why} ({count} times)" if count > 1 else why for why, count in times.items())


def _best_model(view: RunView, spec: RunSpec | None) -> str:
    """The file with the weights: ours, or the one beside an imported history; of a user's own trainer nobody knows."""
    if spec and spec.own_trainer:
        return ""
    if spec and spec.imported and spec.history:
        return str(spec.imported.weights_file) if spec.imported.weights else ""
    return f"{view.planned.folder}/{view.folder.best_model.name}"
