"""A plan in words, before it starts: models, data, held-out windows, expected time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lvmtui.datasets.weights import capped, effective
from lvmtui.formats.campaign import ArmFacts, Campaign
from lvmtui.formats.json_codec import encode, find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import LEAST_DF
from lvmtui.formats.spec import RunSpec
from lvmtui.legacy.earlier_runs import RISING
from lvmtui.legacy.importer import SEEN
from lvmtui.models import size_of, title_of
from lvmtui.planning.data import judging
from lvmtui.planning.judged_on import held_out_lengths
from lvmtui.planning.plan import Plan
from lvmtui.state.campaign_reader import newest_campaigns
from lvmtui.system import numbers as words
from lvmtui.system.text import grouped, sanitise, wrap
from lvmtui.verdict.power import Prior
from lvmtui.verdict.words import LEFT_OUT, centre_words, population_words

COHERENCE, UNLIKE = 0.42, 0.2
"""Mean cosine of neighbours in the bundled vectors, and a difference from it that is large."""
BUSY = 0.5
"""Cores that other programs keep busy, from which on the plan says so."""
LONG = 4
"""An article with more than one in so many vectors of a size is told."""
NAMED = 3
"""How many runs a line names before it says "and 5 more"."""


def plan_as_text(plan: Plan, width: int = 10_000) -> str:
    """The plan as `lvmtui run` shows it, its lines wrapped to `width` characters."""
    campaign = plan.campaign
    trained = [spec for spec in plan.specs if spec.imported is None]
    judged = len(plan.specs) - len(trained)
    seeds = f", {'seeds' if len(campaign.seeds) > 1 else 'seed'} {', '.join(map(str, campaign.seeds))}"
    beside, device = words.plural(campaign.jobs, "run"), campaign.device
    local = campaign.engine == Campaign.engine
    if device == "auto" and local:
        device = words.plural(plan.hardware.gpus, "GPU") if plan.hardware.gpus else "CPU (no GPU found)"
    own = grouped((f"{one.title}: {one.words}", f"{one.parameters:,}") for one in plan.own.models.values())
    lines = [
        f"campaign   {campaign.id}",
        f"models     {_models(campaign)}; {words.plural(len(plan.specs), 'run')}"
        + (seeds if campaign.seeds != (1,) else "")
        + (f"; {judged} only {'loads' if judged == 1 else 'load'} the weights of another program's" if judged else ""),
        *(f"own model  {told}, {' or '.join(dict.fromkeys(of))} parameters" for told, of in own.items()),
        *_own_trainers(plan),
        *_recipes(campaign, [spec for spec in trained if spec.own_trainer is None]),
        *_arm_lines(plan),
        *([f"left out   {LEFT_OUT}"] if any(arm.dropped_windows for arm in campaign.arms.values()) else []),
        _held_out(plan),
        f"judged by  {_judged_by(plan)}",
        f"power      each model{' that is judged' if _by_trainers(plan) else ''} {_power(plan)}",
        _copies(plan),
        *([f"space      {centre_words(campaign.centre, folds=campaign.folds)}"] if campaign.centre else []),
        f"machine    {'' if local else f'{campaign.engine_words}, '}{device}, {beside} side by side, "
        f"{words.plural(campaign.threads, 'thread')} each{_first(plan)}",
    ]
    python = campaign.engine_settings.get("python", (plan.started_with.python,))[-1]
    lines.append(f"started    with {replace(plan.started_with, python=python).words}")
    lines += [f"on event   {sanitise(command)}" for command in campaign.on_event]
    expected = plan.expected
    lines.append(
        f"expected   about {words.duration(expected.seconds)} "
        f"({words.duration(expected.low)} to {words.duration(expected.high)})"
        + (f", beside other programs with work for {busy:.1f} cores" if (busy := plan.hardware.busy) >= BUSY else "")
        + ("" if local else f", if the cluster starts {campaign.jobs} at once")
    )
    notes = dict.fromkeys((*campaign.doubts, *plan.remarks, *plan.check.notes, *campaign.notes))
    lines.extend(f"note       {note}" for note in notes)
    return "\n".join(part for line in lines for part in wrap(line, max(40, width), subsequent_indent=" " * 11) or [""])


def _models(campaign: Campaign) -> str:
    """`AMN, GRU (small)`; beside the user's own, which come in no size, `AMN (small), GRU (small), Mixer`."""
    told = [(title_of(model, campaign.titles), size_of(campaign.size, [model])) for model in campaign.models]
    if all(size for _, size in told):
        return f"{', '.join(title for title, _ in told)} ({campaign.size})"
    return ", ".join(f"{title} ({size})" if size else title for title, size in told)


def _held_out(plan: Plan) -> str:
    """The held-out windows, and what they are worth."""
    facts = [split.facts for split in judging(plan.splits)]
    windows, clusters = sum(f.windows for f in facts), sum(f.clusters for f in facts)
    folds = f" in {len(facts)} folds, each seed judged on other ones" if len(facts) > 1 else ""
    cap = plan.campaign.cluster_cap
    weights = np.concatenate([capped(held_out_lengths(split, "both"), cap) for split in judging(plan.splits)])
    neighbours = plan.check.neighbours
    copied = "; articles that hold copies of each other count as one" if neighbours and neighbours.repeated else ""
    every = "all sizes" if plan.campaign.between else "both arms"
    most = f"; none weighs more than {words.plural(cap, 'window')}" if cap else ""
    return (
        f"held out   {windows:,} windows of {clusters} whole articles or blocks{folds}, the same for {every} "
        f"(worth {effective(weights):.0f} of equal weight{most}{copied})"
    )


def _judged_by(plan: Plan) -> str:
    """The primary figure, and the articles it is about."""
    campaign = plan.campaign
    models, trained = len(campaign.models), _by_trainers(plan)
    average = f", on average over the {models} models" if models > 1 else ""
    if trained:
        certain = f"the models that are judged ({models - trained} of {models} for certain)"
        average = f", on average over {certain if trained < models else 'those that do'}" if models > 1 else ""
    unless = "nothing unless a trainer predicts the held-out windows; then " if trained == models else ""
    on = population_words(campaign.judge_on, campaign.baseline.label)
    several = campaign.judge_on == Campaign.judge_on and not campaign.subsets
    default = " (--judge-on own or new: one source alone)" if several else ""
    return f"{unless}the change of the mean held-out cosine{average}, on {on}{default}"


def _power(plan: Plan) -> str:
    """What can be detected, whether seeds are few, and how far the data is from the bundled vectors it goes by."""
    centre, said, seeds = plan.campaign.centre, plan.power.words, len(plan.campaign.seeds)
    judged = len(plan.campaign.models) - _by_trainers(plan) or len(plan.campaign.models)
    enough = math.ceil(LEAST_DF / judged) + 1  # training noise has (seeds - 1) degrees of freedom for each model
    if 1 < seeds < enough and not plan.campaign.between:
        said += f"; {seeds} seeds may be too few for an interval, {enough} are enough"
    here = centre.neighbours if centre else plan.check.files[-1].coherence
    if plan.power.source != Prior().source or here is None or abs(here - COHERENCE) <= UNLIKE:
        return said
    return f"{said}; neighbours there have a mean cosine of {COHERENCE}, here of {here:.2f}, so this may be far off"


def _by_trainers(plan: Plan) -> int:
    """How many of its models the user's own programs train, so that nobody knows whether they can be judged."""
    theirs = {spec.model for spec in plan.specs if spec.own_trainer}
    return sum(model.partition("@")[0] in theirs for model in plan.campaign.models)


def doubts_of(plan: Plan, workspace: Workspace) -> list[str]:
    """Why training may be a mistake: it was done, held-out texts may be trained on, or no verdict could follow."""
    doubts = [said for said, same in others(plan.campaign, plan.specs, workspace) if same]
    doubts += [doubt for doubt in plan.campaign.doubts if doubt == plan.check.warning or doubt.endswith(SEEN)]
    doubts += [note for note in plan.campaign.notes if note.startswith(RISING)]
    if plan.power.smallest is None:
        doubts.append(f"each model's verdict {plan.power.words}")
    elif all(spec.own_trainer and spec.own_trainer.pattern for spec in plan.specs):
        lack = "no verdict unless a trainer predicts the held-out windows (predictions.npy, or the kit)"
        doubts.append(f"{lack}; 'lvmtui trainer test --command' shows whether it does")
    taken = [find_document(RunSpec, workspace.run(run).spec) for run in plan.campaign.runs if not run.trained_here]
    if all(spec.arm == "expanded" for spec in plan.specs) and all(spec and spec.history for spec in taken):
        doubts.append("no verdict: the --baseline-runs are histories without weights; leave them out to train both")
    return doubts


def _copies(plan: Plan) -> str:
    """From which cosine on vectors are copies, and what that costs."""
    folds = [split.facts for split in judging(plan.splits)]
    dropped = words.spread(facts.expanded.equal_to_held_out + facts.baseline.equal_to_held_out for facts in folds)
    neighbours = plan.check.neighbours
    how = f" ({neighbours.how})" if neighbours else ""
    alike = f"vectors with a cosine of {plan.split.facts.same:.4g} and more count as one{how}"
    whose = "each fold's" if len(folds) > 1 else "the"
    return f"copies     {alike}; windows outside {whose} held-out articles that repeat a vector of theirs: {dropped}"


def _own_trainers(plan: Plan) -> list[str]:
    """A line for each of the user's own, with what it takes to be judged, which nobody knows before it has ended."""
    found = dict.fromkeys((one.title, one.words, one.guessed) for spec in plan.specs if (one := spec.own_trainer))
    steps = grouped(
        (one.title, spec.total_steps) for spec in plan.specs if (one := spec.own_trainer) and one.unit == "epoch"
    )
    alike = {title for title, given in steps.items() if len({*given}) == 1}
    judged = "judged only if it predicts the held-out windows: predictions.npy, or the kit (docs/your-own.md)"
    guess = "; without epochs or steps its progress and time left are guesses"
    longer = "; the same epochs are more updates on the larger arm"
    return [
        f"trainer    {sanitise(title)}: {sanitise(told)}; {judged}{guess if guessed else longer * (title in alike)}"
        for title, told, guessed in found
    ]


def _recipes(campaign: Campaign, trained: Sequence[RunSpec]) -> Iterator[str]:
    """A line for each recipe and rate, with the models it trains if there are others."""
    recipes = grouped(((spec.recipe.name, spec.recipe.rate), spec) for spec in trained)
    for (name, rate), specs in recipes.items():
        whose = ", ".join(dict.fromkeys(title_of(spec.model, campaign.titles) for spec in specs))
        loss = f"loss {specs[0].recipe.loss_words}; " if specs[0].recipe.own_loss else ""
        yield f"recipe     {name}{f' ({whose})' if len(recipes) > 1 else ''}: {loss}rate {rate:g}, {_updates(specs)}"


def _updates(trained: Sequence[RunSpec]) -> str:
    """`updates of 128 windows, 315 for both arms (10.5 epochs of 8k, 3.0 of 23k)`, or `23,928 to 39,880 for 80k`."""
    labels = grouped((spec.label, spec.total_steps) for spec in trained)
    ranges = grouped((words.spread(steps), label) for label, steps in labels.items())
    every = "both arms" if len(labels) == 2 else "all sizes"
    updates = ", ".join(
        f"{few} for {every if len(of) == len(labels) > 1 else ' and '.join(of)}" for few, of in ranges.items()
    )
    if len(ranges) == 1 < len(labels):  # a small arm is passed over more often
        epochs = grouped((spec.label, spec.epoch_of(spec.total_steps)) for spec in trained)
        passes = (f"{words.spread(each, '{:.1f}'.format)} epochs of {label}" for label, each in epochs.items())
        updates += f" ({', '.join(passes)})"
    return f"updates of {trained[0].recipe.batch_size} windows, {updates}"


def _first(plan: Plan) -> str:
    """Which runs do not wait for their turn."""
    first = [spec for spec in plan.specs if spec.run in plan.campaign.first]
    if not first:
        return ""
    seeds = len(plan.campaign.seeds) > 1
    names = [
        f"{title_of(s.model, plan.campaign.titles)} {s.label}" + (f" s{s.seed}" if seeds else "") for s in first[:NAMED]
    ]
    more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
    takes = "may take" if any(s.own_trainer for s in first) else "take" if len(first) > 1 else "takes"
    return f"; {', '.join(names)}{more} first, because {'they' if len(first) > 1 else 'it'} {takes} longest"


def _arm_lines(plan: Plan) -> list[str]:
    """One line per data set; with several sizes, also the cost of a run of each and how they were drawn."""
    campaign = plan.campaign
    if not campaign.between:
        return [_arm_line(name, arm, campaign.dim) for name, arm in campaign.arms.items()]
    lines: list[str] = []
    for name, arm in campaign.arms.items():
        cost = plan.run_seconds.get(name)
        cost_words = f"; {words.duration(cost)} a run" if cost is not None else "; its runs are taken over"
        lines.append(_arm_line(f"size {len(lines) + 1}", arm, campaign.dim) + cost_words)
    if campaign.subsets:
        how = "the first articles of the file" if campaign.subsets == "file" else "articles drawn by the seed"
        how += ", other ones for each seed" if campaign.drawn_by_seed else ""
        lines.append(f"sizes      {how}; each size contains the smaller ones")
    return lines


def _arm_line(name: str, arm: ArmFacts, dim: int) -> str:
    articles = f" of {arm.told('articles')} articles" if arm.articles is not None else ""
    if arm.longest and any(LONG * one > of for one, of in zip(arm.each("longest"), arm.each("vectors"), strict=True)):
        articles += f" (the longest has {arm.told('longest')})"
    return (
        f"{name:<11}{arm.label}: {arm.told('vectors')} vectors{articles}, {dim}-d; {arm.trained} windows "
        f"to train, {arm.validated} to validate, {arm.told('dropped_windows')} left out"
    )


def others(campaign: Campaign, specs: Sequence[RunSpec], workspace: Workspace) -> Iterator[tuple[str, bool]]:
    """What to know of other campaigns, newest first, a sentence each; and whether one has these runs and goes on."""
    for state in newest_campaigns(workspace):
        theirs = state.campaign
        name = f"{sanitise(theirs.title, 60)} of {words.date(theirs.created)[:-3]}"
        same = _vectors(theirs) == _vectors(campaign)
        trained = [_trained(view.state.spec) for view in state.runs if view.state]
        if same and not state.finished and trained == [*map(_trained, specs)]:
            ends = f"'lvmtui cancel all --campaign {theirs.id}' ends it"
            yield f"{name} has the same runs and is not over; 'lvmtui' shows it, {ends}", True
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
    how = spec.recipe.words(), spec.total_steps, spec.size, spec.context
    return spec.model, own, how, spec.arm, spec.seed, spec.split_fingerprint


def plan_as_json(plan: Plan, workspace: Workspace) -> dict[str, Any]:
    """The plan for programs, the new-campaign view among them."""
    return {
        "version": 1,
        "campaign": encode(plan.campaign),
        "split": encode(plan.split.facts),
        "folds": [encode(split.facts) for split in plan.splits] if plan.campaign.folds else [],
        "check": encode(plan.check),
        "expected": encode(plan.expected),
        "started_with": encode(plan.started_with),
        "remarks": list(plan.remarks),
        "others": [said for said, _ in others(plan.campaign, plan.specs, workspace)],
        "doubts": doubts_of(plan, workspace),
        "runs": [
            {"run": s.run, "model": s.model, "arm": s.arm, "seed": s.seed, "total_steps": s.total_steps}
            for s in plan.specs
        ],
    }
