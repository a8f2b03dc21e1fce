"""The runs of a campaign: which there are, the spec of each, and the campaign that lists them."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import lvmtui
from lvmtui.datasets.sizes import uneven
from lvmtui.datasets.weights import default_cap
from lvmtui.formats.campaign import ArmFacts, Campaign, PlannedRun, with_context
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.spec import ARMS, ArmName, Recipe, RunSpec
from lvmtui.legacy.earlier_runs import Earlier
from lvmtui.models import title_of
from lvmtui.planning.arrange import Arrangement
from lvmtui.planning.data import CampaignData, fingerprint_of, judging
from lvmtui.planning.extend import Extension
from lvmtui.planning.judged_on import held_out_lengths, population_of
from lvmtui.planning.options import AUTO, Options
from lvmtui.planning.own_code import OwnCode
from lvmtui.system.numbers import plural
from lvmtui.system.permissions import who
from lvmtui.verdict.words import listed


def recipe_of(options: Options, model: str, start: Recipe | None = None) -> Recipe:
    """The recipe of a model with the options applied. `start` replaces the one that `auto` would choose."""
    table = options.own.models.get(model)
    name = table.recipe if table and table.recipe else options.recipe
    recipe = start if start and name == AUTO else options.own.recipe(name, model)
    if table and table.rate:
        recipe = replace(recipe, rate=table.rate)
    if options.epochs is not None:
        recipe = recipe.of_epochs(options.epochs)
    return replace(recipe, batch_size=options.batch_size or recipe.batch_size, rate=options.rate or recipe.rate)


def short_training(specs: Sequence[RunSpec], titles: Mapping[str, str]) -> str:
    """The doubt of a campaign with runs that mostly warm up; empty: there are none."""
    ours = [spec for spec in specs if not (spec.own_trainer or spec.imported)]
    short = [spec for spec in ours if spec.total_steps < 2 * spec.recipe.warmup_steps]
    if not short:
        return ""
    models = listed(list(dict.fromkeys(title_of(spec.model, titles) for spec in short)))
    least = min(short, key=lambda spec: spec.total_steps)
    return (
        f"{'the runs' if len(short) == len(ours) else f'runs of {models}'} have as few as "
        f"{plural(least.total_steps, 'update')}, and the learning rate rises for the first "
        f"{least.recipe.warmup_steps}; longer training (--epochs) may give another verdict"
    )


@dataclass(frozen=True)
class Layout:
    """What a campaign and the specs of its runs are made of besides the options."""

    id: str
    """Of the campaign."""
    stamp: str
    data: CampaignData
    facts: Mapping[ArmName, ArmFacts]
    earlier: Earlier | None
    extended: Extension | None

    def specs(self, options: Options, own: OwnCode) -> tuple[RunSpec, ...]:
        """Of the runs that are trained, or judged, here."""
        return tuple(
            _with_own(self._spec(options, model, context, arm, seed), options, own)
            for seed in options.seeds
            for model in options.models
            for context in self.data.contexts
            for arm in self.facts
            if arm == "expanded" or self.earlier is None or self.earlier.weights_of(model, seed)
            if self.extended is None or all(s.label != self.facts[arm].label for s in self.extended.specs)
        )

    def _spec(self, options: Options, model: str, context: int, arm: ArmName, seed: int) -> RunSpec:
        earlier, extended, data, facts = self.earlier, self.extended, self.data, self.facts[arm]
        fold = options.seeds.index(seed) + 1 if len(data.splits) > 1 else 0
        split = data.splits[max(0, fold - 1)]
        campaign = CampaignDir(Path("artifacts/lvm/campaigns", self.id))
        like = extended.like(model, seed) if extended else None
        trained = like.recipe if like else earlier.recipe(model, seed) if earlier else None
        weights = earlier.weights_of(model, seed) if earlier and arm == "baseline" else None
        recipe = trained if trained and (weights or like) else recipe_of(options, model, trained)
        own = len(split.arms[arm].train)
        counted = max(len(arm.train) for arm in split.arms.values()) if recipe.equal_updates else own
        steps = max(1, recipe.least_updates, round(recipe.epochs * recipe.steps_per_epoch(counted)))
        if earlier and not earlier.spec.imported and recipe.equal_updates and options.epochs is None:
            steps = earlier.of(model, seed)[1].total_steps
        if like and recipe.equal_updates:
            steps = like.total_steps * (like.recipe.steps_per_epoch(like.train_windows) if like.unit == "epoch" else 1)
        seeded = f"_s{seed}" if len(options.seeds) > 1 else ""
        spec = RunSpec(
            run=f"{with_context(model, context, data.contexts)}_{facts.label}{seeded}_{self.stamp}",
            campaign=self.id,
            model=model,
            size="small" if options.size == "small" else "full",
            arm=arm,
            label=facts.label,
            seed=seed,
            dim=data.check.files[0].dim,
            context=context,
            recipe=recipe,
            data=facts.data,
            split=campaign.split_of(fold).as_posix(),
            split_fingerprint=split.facts.fingerprint,
            train_windows=own,
            validation_windows=len(split.arms[arm].validation),
            heldout_windows=split.facts.windows,
            total_steps=steps,
            evaluate_every=math.ceil(steps / recipe.evaluations),
            device=options.device,
            threads=1,
            deterministic=options.deterministic,
            centre=split.facts.centre.by if split.facts.centre else "",
        )
        if earlier and weights:
            return replace(spec, total_steps=earlier.of(model, seed)[1].total_steps, evaluate_every=1, imported=weights)
        return spec

    def runs(self, specs: Sequence[RunSpec], options: Options, workspace: Workspace) -> tuple[PlannedRun, ...]:
        """All runs of the campaign, with those that an earlier one has trained."""
        planned = list(self.earlier.planned(workspace)) if self.earlier else []
        if self.extended:
            planned = self.extended.planned({arm.label: name for name, arm in self.facts.items()})
        for s in specs:
            model = with_context(s.model, s.context, self.data.contexts)
            planned.append(PlannedRun(s.run, f"artifacts/lvm/models/{s.run}", model, s.arm, s.seed))
        place = {(run.model, run.arm, run.seed): run for run in planned}
        return tuple(place[m, arm, seed] for seed in options.seeds for m in self.models(options) for arm in self.facts)

    def models(self, options: Options) -> tuple[str, ...]:
        contexts = self.data.contexts
        return tuple(with_context(model, context, contexts) for model in options.models for context in contexts)

    def campaign(
        self, options: Options, own: OwnCode, specs: Sequence[RunSpec], way: Arrangement, workspace: Workspace
    ) -> Campaign:
        """The campaign as it is written down. `specs`: of the runs that are trained, or judged, here."""
        data, facts, contexts = self.data, self.facts, self.data.contexts
        nearly = data.check.neighbours.nearly if data.check.neighbours else None
        doubt = uneven(facts["baseline"]) if options.sizes else ""
        other = self.earlier.doubt(data.arms["baseline"]) if self.earlier else ""
        short = short_training(specs, own.titles)
        doubts = (other, data.check.warning, nearly.words if nearly else "", doubt, short, *own.doubts)
        judged, judge_on = judging(data.splits), population_of(options, data.splits)
        held = [windows for split in judged for windows in held_out_lengths(split, judge_on)]
        return Campaign(
            id=self.id,
            created=time.time(),
            baseline=facts["baseline"],
            expanded=facts["expanded"],
            dim=specs[0].dim,
            context=contexts[-1],
            models=self.models(options),
            size=options.size,
            recipe=specs[-1].recipe.name,  # trained here in any case
            seeds=options.seeds,
            heldout_windows=sum(split.facts.windows for split in judged),
            heldout_clusters=sum(split.facts.clusters for split in judged),
            split_fingerprint=fingerprint_of([split.facts.fingerprint for split in data.splits]),
            jobs=min(way.jobs, len(specs)),
            threads=way.threads,
            device=options.device,
            runs=self.runs(specs, options, workspace),
            by=who(),
            versions={"lvmtui": lvmtui.__version__, "python": platform.python_version(), "numpy": np.__version__},
            stall_timeout=options.stall_timeout,
            on_event=options.on_event,
            engine=options.engine,
            engine_settings=options.engine_settings,
            first=tuple(specs[run].run for run in way.first),
            notes=data.notes,
            doubts=tuple(filter(None, doubts)),
            titles=own.titles,
            folds=bool(options.folds),
            cluster_cap=options.cluster_cap or default_cap(held),
            judge_on=judge_on,
            contexts=contexts if len(contexts) > 1 else (),
            between=tuple(facts[name] for name in facts if name not in ARMS),
            subsets=options.subsets if options.sizes else "",
            centre=data.splits[0].facts.centre,
        )


def _with_own(spec: RunSpec, options: Options, own: OwnCode) -> RunSpec:
    """The spec of a run with what is the user's own in it."""
    trainer, table = own.trainers.get(spec.model), options.own.trainers.get(spec.model)
    if trainer and table:
        planned = spec.total_steps / spec.steps_per_epoch if trainer.unit == "epoch" else spec.total_steps
        steps = table.steps or max(1, round(planned))
        return replace(spec, own_trainer=trainer, total_steps=steps, evaluate_every=max(1, steps // 20))
    recipe = replace(spec.recipe, own_loss=own.losses.get(spec.recipe.name))
    return replace(spec, own_model=own.models.get((spec.model, spec.context)), recipe=recipe)
