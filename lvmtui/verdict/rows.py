"""A model's row before it is judged among the others: its figures, or why there are none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from lvmtui.formats.data_facts import ForwardScores, TrivialBaselines
from lvmtui.formats.results import Comparison, read_comparison
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.formats.trainer_log import LONGEST_REASON, REFUTED, Failed
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.status import ENDED_EARLY, Phase
from lvmtui.system.numbers import cosine as figure
from lvmtui.system.numbers import finite, mean_of
from lvmtui.system.text import grouped, sanitise
from lvmtui.verdict.comparable import BOTH_ARMS, own_doubts, scored_alike
from lvmtui.verdict.comparison import complete_pairs, repeated_seeds, same_scores
from lvmtui.verdict.early import early_change
from lvmtui.verdict.health import Finding, of_seeds
from lvmtui.verdict.table import ArmCell, EarlyChange, Forward, Row
from lvmtui.verdict.trend import peak
from lvmtui.verdict.words import LITTLE, Verdict, Word, listed, of_context, verdict

UNFIT = frozenset({"diverged", "collapsed", "failed_to_learn"})
"""Alarms of a run that says nothing about its data: beside a baseline that learned nothing, any run gains a lot."""
HISTORY = "own validation set, may have seen held-out windows, no interval"
"""Why a history gives a point estimate only."""
PREDICTIONS = "predictions that fit the held-out windows are needed: predictions.npy, or the kit (docs/your-own.md)"
FITTING = f"import the histories again with weights that fit, or {BOTH_ARMS}"
"""The same where none were taken in, beside runs that were trained here."""
SO_FAR = (
    "the change so far comes from validation cosines at equal progress, each arm against the recency mean on its own "
    "validation windows; the verdict is about other windows"
)
"""Shown beside the change of runs that are not compared yet: the arms have validation windows of their own."""
OTHER_RULES = "judged by the rules of another version; 'lvmtui report --campaign ID' judges it again"
"""Said of a comparison that this version cannot read."""
TOO_EARLY = "too early to tell"
UNPREDICTED = "no verdict without its predictions"
"""Said in its place of a user's own trainer, of which no change so far is ever known."""
WAITS = "not judged before all of its runs have ended"
"""The same of one that has handed in predictions."""

Trivials = Mapping[str, TrivialBaselines | None]
"""Trivial baselines of each run's arm and fold, by the name of the run."""
Health = Mapping[str, tuple[Finding, ...]]
"""What health finds in each run, by the name of the run."""


def draft_row(
    state: CampaignState, model: str, comparison: Comparison | None, trivial: Trivials, health: Health
) -> Row:
    """The row's figures. A row with an estimate gets its verdict later, with the other models; else it is final."""
    cells = {arm: _cell(state, model, arm, comparison, trivial, health) for arm in ARMS}
    views = [view for arm in ARMS for view in _views(state, model, arm)]
    history = any(map(_only_history, views))
    cancelled = {v.status.phase for v in views} - {Phase.FINISHED} == {Phase.CANCELLED}
    estimate, change, moved, early, no_change = None, None, None, None, ""
    seeds = tuple(pair.seed for pair in comparison.pairs) if comparison else ()
    again = repeated_seeds(state, model) if comparison else ()
    compared = f"{len(seeds)} of {len(state.campaign.seeds)} seeds compared"
    used = {run for p in comparison.pairs for run in (p.baseline_run, p.expanded_run)} if comparison else set()
    gone = [v for v in views if v.planned.run in used and v.status.phase is Phase.MISSING]
    ended = {v.status.phase.value for v in views if v.planned.run not in used and v.status.phase in ENDED_EARLY}
    word = Verdict(Word.NO_VERDICT)
    if history:
        word, moved, change = _history_verdict(state, model, health)
    elif comparison is None:
        word = _waiting_verdict(state, model)
    elif unfair := [  # what a run did wrong says more than how it was trained
        *(comparison.unfit if gone else unfit_words(state, model, health)),
        *(check.words for check in comparison.failed),
    ]:
        remedies = {check.remedy for check in comparison.failed}
        remedy = remedies.pop() if len(remedies) == 1 and len(unfair) == len(comparison.failed) else ""
        word = verdict(comparison.change, seeds=len(seeds), unfair=unfair, remedy=remedy)
    elif comparison.change is None:
        word = verdict(None, seeds=len(seeds))
    elif any(b and b.planned.seed not in (*seeds, *again) and _may_finish(b, e) for b, e in _pairs(state, model)):
        change = comparison.change.value
        word = Verdict(Word.PROVISIONAL, reason=compared)
    else:
        estimate, change = comparison.change, comparison.change.value
    if word.word is Word.PROVISIONAL and change is None:
        early = _early(state, model, trivial, health) if word.reason != OTHER_RULES else None
        change = early.percent if early else None
        no_change = "" if early else _no_change(word, views)
    judged = comparison if comparison and estimate else None
    return Row(
        model=model,
        title=sanitise(title_of(model, state.campaign.titles), 60),
        baseline=cells["baseline"],
        expanded=cells["expanded"],
        change=change,
        moved=moved,
        estimate=estimate,
        strata=judged.strata if judged else (),
        verdict=word,
        seeds=len(seeds),
        history=history,
        notes=(
            *((SO_FAR,) if early else (no_change,) if no_change else ()),
            *(comparison.doubts if comparison else ()),
            *scored_alike(again, [title_of(one, state.campaign.titles) for one in same_scores(state, model)]),
            *own_doubts(views, [(b, e) for _, b, e in complete_pairs(state, model)]),
            *([f"{compared}; the others: {', '.join(sorted(ended))}"] if judged and ended else []),
            *(f"compared before its run on {_label(state, v.planned.arm)} was {_ending(v)}" for v in gone),
        ),
        early=early,
        no_change=no_change,
        retrieval=judged.retrieval if judged else (),
        unweighted=judged.unweighted if judged else None,
        cancelled=word.word is Word.NOT_COMPARABLE and comparison is None and cancelled,
        compared=seeds,
    )


# Parts of a row ------------------------------------------------------------------------------------------------------


def _views(state: CampaignState, model: str, arm: ArmName) -> list[RunView]:
    return [view for view in state.runs if (view.planned.model, view.planned.arm) == (model, arm)]


def _label(state: CampaignState, arm: ArmName) -> str:
    return sanitise(state.campaign.arm(arm).label, 40)


def _cell(
    state: CampaignState, model: str, arm: ArmName, comparison: Comparison | None, trivial: Trivials, health: Health
) -> ArmCell:
    views, lost = _views(state, model, arm), _lost_seeds(state, model)
    scores = comparison.arm(arm) if comparison else None
    return ArmCell(
        label=_label(state, arm),
        status=_status_words(views),
        cosine=scores.cosine if scores else mean_of(map(_heldout_cosine, views)),
        validation=mean_of(map(_best_validation, [v for v in views if v.planned.seed not in lost] or views)),
        scores=scores,
        findings=_findings(state, views, health),
        forward=_forward(views, trivial),
    )


def _forward(views: Sequence[RunView], trivial: Trivials) -> Forward | None:
    """Means over the finished runs, each beside the trivial baselines of its own fold."""
    known = [
        (scores, baselines.forward)
        for view in views
        if view.finished and (scores := view.finished.heldout.forward) and (baselines := trivial.get(view.planned.run))
    ]
    if not known:
        return None
    means = {n: _mean_forward([of[n] for _, of in known]) for n in known[0][1] if all(n in of for _, of in known)}
    best = max(means, key=lambda name: means[name].next, default="")
    against = of_context(best, "".join(views[0].planned.model.partition("@")[1:]))
    return Forward(_mean_forward([scores for scores, _ in known]), against, means[best]) if best else None


def _mean_forward(scores: Sequence[ForwardScores]) -> ForwardScores:
    cosines = tuple(map(fmean, zip(*(s.cosines for s in scores), strict=True)))
    rollout = tuple(map(fmean, zip(*(s.rollout for s in scores), strict=True)))
    windows, shuffled = round(fmean(s.windows for s in scores)), fmean(s.shuffled for s in scores)
    return ForwardScores(windows=windows, cosines=cosines, shuffled=shuffled, rollout=rollout)


def _status_words(views: Sequence[RunView]) -> str:
    """`finished`; `2 finished, 1 running`; `missing` where no run is planned."""
    counts = Counter(view.status.phase.value for view in views)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "missing"


def _best_validation(view: RunView) -> float | None:
    """Validation cosine of a run's best model; so far, while it goes on."""
    if view.state is None or REFUTED in (_unfit_weights(view) or ""):
        return None
    trainer = view.state.trainer
    if trainer.finished:
        return finite(trainer.finished.best_cosine)
    kept = trainer.best
    best = kept if kept and finite(kept.cosine) is not None else peak(trainer.evaluations)
    return finite(best.cosine) if best else None


def _heldout_cosine(view: RunView) -> float | None:
    """Mean held-out cosine a finished run logged; None for histories, which have no held-out windows."""
    finished = view.finished
    return finite(finished.heldout.cosine) if finished and finished.heldout.windows else None


# Before the end ------------------------------------------------------------------------------------------------------


def _pairs(state: CampaignState, model: str) -> list[tuple[RunView | None, RunView | None]]:
    """The two runs of each seed."""
    return [(state.view(model, "baseline", seed), state.view(model, "expanded", seed)) for seed in state.campaign.seeds]


def _early(state: CampaignState, model: str, trivial: Trivials, health: Health) -> EarlyChange | None:
    ill = {run for run, findings in health.items() if any(found.alarm for found in findings)}
    pairs = [
        (b.state, e.state, {v.planned.arm: trivial.get(v.planned.run) for v in (b, e)})
        for b, e in _pairs(state, model)
        if b and e and b.state and e.state and not ill & {b.planned.run, e.planned.run}
    ]
    early = early_change(pairs)
    return early and replace(early, planned=len(state.campaign.seeds))


def _waiting_verdict(state: CampaignState, model: str) -> Verdict:
    """Why there is no comparison: runs are still to come, or some never will."""
    views = [(arm, view) for pair in _pairs(state, model) for arm, view in zip(ARMS, pair, strict=True)]
    if any(_may_finish(*pair) for pair in _pairs(state, model)):
        going_on = [(arm, view) for arm, view in views if view and not view.status.over]
        words = "; ".join(dict.fromkeys(f"{_label(state, arm)} {v.status.phase.value}" for arm, v in going_on))
        unread = (path := state.dir.comparison(model)).exists() and read_comparison(path) is None
        return Verdict(Word.PROVISIONAL, reason=words or (OTHER_RULES if unread else "finished, not compared yet"))
    stopped = [(_label(state, arm), view) for arm, view in views if not _may_finish(view)]
    reason, ending = (
        "; ".join(f"{listed(list(dict.fromkeys(labels)))} {words}" for words, labels in told.items())
        for told in (grouped((_ending(view, cause=cause), label) for label, view in stopped) for cause in (True, False))
    )
    return Verdict(Word.NOT_COMPARABLE, reason=reason, ending=ending)


def _no_change(word: Verdict, views: Sequence[RunView]) -> str:
    """Why no change can be told so far."""
    if word.reason == OTHER_RULES:
        return OTHER_RULES
    if not any(view.state.spec.own_trainer for view in views if view.state):
        return TOO_EARLY
    return WAITS if any(_heldout_cosine(view) is not None for view in views) else UNPREDICTED


def _may_finish(*views: RunView | None) -> bool:
    """True if each has its figures, or may still get them."""
    return all(view is not None and (view.status.phase not in ENDED_EARLY or _only_history(view)) for view in views)


def _ending(view: RunView | None, *, cause: bool = True) -> str:
    """How a run ended, with its cause or without, to be read after the label of its arm."""
    ended, reason = (view.status.phase, view.status.reason) if view else (Phase.MISSING, "")
    return ended.value + (f": {sanitise(reason, LONGEST_REASON)}" if cause and reason else "")


def unfit_words(state: CampaignState, model: str, health: Health) -> tuple[str, ...]:
    """Alarms of a model's complete pairs that leave nothing to compare."""
    return tuple(_unfit(state, [view for _, *pair in complete_pairs(state, model) for view in pair], health))


def _unfit(state: CampaignState, views: Sequence[RunView], health: Health) -> list[str]:
    """The same of the runs `views`."""
    return [
        f"{_label(state, arm)} {finding.words}"
        for arm in ARMS
        for finding in _findings(state, [view for view in views if view.planned.arm == arm], health)
        if finding.kind in UNFIT
    ]


def _findings(state: CampaignState, views: Sequence[RunView], health: Health) -> tuple[Finding, ...]:
    """What health found in the runs of an arm, alarms first, each kind once with its seeds."""
    told = [(view.planned.seed, finding) for view in views for finding in health.get(view.planned.run, ())]
    kinds = grouped((finding.kind, (seed, finding)) for seed, finding in told)
    several = len(state.campaign.seeds) > 1
    said = [replace(f[0][1], words=of_seeds(f, several=several), seeds=len(f)) for f in kinds.values()]
    return tuple(sorted(said, key=lambda finding: not finding.alarm))


# Histories of earlier runs -------------------------------------------------------------------------------------------


def _only_history(view: RunView) -> bool:
    """True if there is a point estimate and no more: another program's run without weights, or with weights that do not
    fit, or a user's own trainer that handed in no predictions."""
    if view.state is None:
        return False
    if view.state.spec.imported is None:
        return _unjudged(view) is not None
    return view.state.spec.history or view.status.phase is Phase.FAILED or _unfit_weights(view) is not None


def _unfit_weights(view: RunView) -> str | None:
    """Why another program's weights could not be judged, as the trainer said it."""
    ending = view.state.trainer.ending if view.state else None
    return sanitise(ending.message, LONGEST_REASON) if isinstance(ending, Failed) and ending.reason == "data" else None


def _unjudged(view: RunView) -> str | None:
    """Why a user's own trainer was judged on no held-out windows, in words."""
    return sanitise(view.finished.unjudged, 200) if view.finished and view.finished.unjudged else None


def _lost_seeds(state: CampaignState, model: str) -> set[int]:
    """The seeds of which a run has ended early: they make no pair."""
    views = [view for arm in ARMS for view in _views(state, model, arm) if view.state]
    return {view.planned.seed for view in views if not _may_finish(view)}


def _history_verdict(state: CampaignState, model: str, health: Health) -> tuple[Verdict, float | None, float | None]:
    """The verdict, and the change in cosine and in percent of a baseline that is more than next to nothing."""
    views = [view for arm in ARMS for view in _views(state, model, arm) if view.state]
    views = [view for view in views if view.planned.seed not in _lost_seeds(state, model)]
    if not views or not all(view.status.over for view in views):
        return _waiting_verdict(state, model), None, None
    own = dict.fromkeys(why for view in views if (why := _unjudged(view)))
    unfit = [why for view in views if _only_history(view) and (why := _unfit_weights(view))]
    bare = [bool(view.state and view.state.spec.history) for view in views]
    remedy = PREDICTIONS if own else BOTH_ARMS if unfit else FITTING if any(bare) and not all(bare) else ""
    ours = [view for view in views if view.state and not view.state.spec.history]  # a history's figures stay as told
    if unfair := _unfit(state, ours, health) + [why for why in unfit if REFUTED in why]:
        remedy = "mend the script and start a new campaign" if own else remedy
        return Verdict(Word.NOT_COMPARABLE, reason="; ".join(dict.fromkeys(unfair)), remedy=remedy), None, None
    baseline, expanded = (mean_of(_best_validation(view) for view in views if view.planned.arm == arm) for arm in ARMS)
    if baseline is None or expanded is None:
        known = zip(ARMS, (baseline, expanded), strict=True)
        missing = " and ".join(_label(state, arm) for arm, cosine in known if cosine is None)
        return Verdict(Word.NOT_COMPARABLE, reason=f"no validation cosine of {missing}"), None, None
    figures = f"{figure(baseline)} and {figure(expanded)}"
    apart = "which differ between the arms, so the sign may be wrong"
    said = f"{figures} by what it says of its validation windows, {apart}"
    reasons = (said, *own) if own else (HISTORY, *dict.fromkeys(unfit))
    moved = expanded - baseline
    change = 100 * moved / baseline if baseline > LITTLE else None
    return Verdict(Word.POINT_ESTIMATE, reason="; ".join(reasons), remedy=remedy), moved, change
