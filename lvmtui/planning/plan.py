"""From options to a campaign: draw the held-out windows, prove them, and write down every run before any starts."""

from __future__ import annotations

import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np

import lvmtui
from lvmtui.datasets.arm import Arm
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.proof import prove_all
from lvmtui.datasets.split import Split
from lvmtui.datasets.weights import default_cap
from lvmtui.doctor.devices import APPLE, CPU, devices, self_tests_of, sharing_remarks
from lvmtui.estimate.cost import work_of
from lvmtui.estimate.eta import Eta, all_of, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine, machine_of, machine_tested
from lvmtui.formats.campaign import ArmFacts, Campaign, PlannedRun, with_context, write_campaign
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.selftest import SelfTest
from lvmtui.formats.spec import ARMS, USUAL_CONTEXT, ArmName, Recipe, RunSpec, write_spec
from lvmtui.formats.started_with import StartedWith, started_with_now
from lvmtui.legacy.earlier_runs import Earlier, read_earlier
from lvmtui.planning.arrange import Arrangement, arrange
from lvmtui.planning.choose import choose, seed_remarks, with_other
from lvmtui.planning.data import CampaignData, fingerprint_of, judging, open_campaign_data
from lvmtui.planning.extend import Extension
from lvmtui.planning.judged_on import LOOKED_BACK, held_out_lengths, population_of, power_of, seeds_to_fold
from lvmtui.planning.options import AUTO, Options
from lvmtui.planning.own_code import OwnCode, Say, Shape, gather_own, lay_out
from lvmtui.state.campaign_reader import newest_campaigns
from lvmtui.supervisor.engine import kind as engine_kind
from lvmtui.system.errors import UserError
from lvmtui.system.files import sync_folder
from lvmtui.system.gpus import mps_state
from lvmtui.system.hardware import Hardware, hardware, refuse_missing
from lvmtui.system.permissions import who
from lvmtui.system.text import grouped
from lvmtui.verdict.power import Power

LEAST_EVALUATIONS = 4
"""Fewest evaluations of a run, however short: a curve and a best model need some."""


@dataclass(frozen=True)
class Plan:
    """A campaign that could start: everything but its files is there."""

    campaign: Campaign
    """With its runs; their folders do not exist yet."""
    specs: tuple[RunSpec, ...]
    """Specs of the runs that are to start, in the order of `campaign.runs`."""
    splits: tuple[Split, ...]
    """One, or with folds one for each seed in the order of `campaign.seeds`."""
    arms: Mapping[ArmName, Arm]
    check: DataCheck
    """Facts of the data; without faults, or there would be no plan."""
    expected: Eta
    """Time of the whole campaign."""
    hardware: Hardware
    """For which it was made."""
    started_with: StartedWith
    """The Python and the variables its runs will be started with: those of this process."""
    power: Power
    """What each model's verdict will be able to tell."""
    run_seconds: Mapping[ArmName, float] = field(default_factory=dict)
    """Expected seconds of one run of each arm that is trained here, mean over the models."""
    remarks: tuple[str, ...] = ()
    """What the program chose and why, and what options mean that are easily misread; one sentence each."""
    own: OwnCode = field(default_factory=OwnCode)
    """Copies of the user's own models and losses, tried."""

    @property
    def split(self) -> Split:
        """The first split, or the only one."""
        return self.splits[0]


def make_plan(
    options: Options, workspace: Workspace, say: Say = lambda words: None, extended: Extension | None = None
) -> Plan:
    """Open the data, draw the split, lay out the runs. Writes nothing but the compact stores. Raises UserError.

    `extended`: a finished campaign to which the options add sizes (`Extension.options`).
    """
    engine = engine_kind(options.engine)
    usual = engine.room(options.engine_settings) if engine.room else (None, None)
    jobs, threads = options.jobs or usual[0], options.threads or usual[1]
    engine.ready(workspace, options.engine_settings, threads or 1)
    if engine.room is None:
        there = hardware()
        refuse_missing(options.device, there)
        tests = tests_for(options.device, say)
        there = replace(there, side_by_side=min((t.side_by_side or 1.0 for t in tests), default=1.0))
    else:
        there, tests = Hardware((jobs or 1) * (threads or 1), 0, math.inf), []  # jobs wait until the cluster has it
    earlier = None
    if options.arms == "expanded":
        earlier = read_earlier(options.baseline_runs, options.models, options.seeds)
    likely = replace(options, recipe="tuned") if options.recipe == AUTO else options
    batch = max(recipe_of(likely, model).batch_size for model in options.models)
    options, data = open_campaign_data(options, earlier, extended, workspace, batch, say)
    judge_on, contexts = population_of(options, data.splits), data.contexts
    stamp = time.strftime("%Y%m%d_%H%M%S")
    campaign_id = f"{data.labels[0]}_vs_{data.labels[-1]}_{stamp}"
    facts = data.facts(workspace, cut=bool(options.sizes))
    if earlier and options.size == AUTO:
        options = replace(options, size=earlier.spec.size)
    smaller = min(len(split.arms[name].train) for split in data.splits for name in facts)
    asked = options
    options, choices = choose(options, smaller, keep_recipe=earlier is not None)

    def arranged(specs: tuple[RunSpec, ...]) -> Arrangement:
        device = "cuda" if options.device == "auto" and there.gpus and sys.platform != "darwin" else options.device
        return arrange([work_of(spec, device=device) for spec in specs], there, device, shown, jobs, threads)

    layout = _Layout(campaign_id, stamp, data, facts, earlier, extended)
    specs = layout.specs(options, OwnCode())
    shapes = sorted({(s.dim, s.context, s.recipe.batch_size) for s in specs if s.model in options.own.models})
    shapes = shapes or [(specs[0].dim, specs[0].context, specs[0].recipe.batch_size)]
    recipes, folder = {s.model: s.recipe for s in specs}, f"artifacts/lvm/campaigns/{campaign_id}/own"
    own = gather_own(options.own, options.models, recipes, [Shape(*s) for s in shapes], folder, say)
    specs = layout.specs(options, own)
    shown = Machine((*shown_in(workspace).shown, *machine_tested(tests).shown))
    measured = shown.shown or tests  # beside whatever else was running; and a GPU does not share cores
    there = replace(there, busy=0.0 if measured else there.busy)
    _refuse_specs(specs, earlier)
    way = arranged(specs)
    others = [  # a program of the user's own knows neither recipe nor size
        arranged(tuple(s if s.own_trainer else o for s, o in zip(specs, other, strict=True)))
        for other in (layout.specs(with_other(asked, choice, smaller), own) for choice in choices)
    ]
    remarks = [choice.sentence(way.expected, o.expected) for choice, o in zip(choices, others, strict=True)]
    remarks += [*seed_remarks(options.seeds), *own.remarks]
    remarks += [f"{t.device}: {words}" for t in tests for words in t.fallbacks.sentences]
    remarks += sharing_remarks(tests, len(specs), mps_state()) if tests else []
    specs = tuple(replace(spec, threads=way.threads) for spec in specs)
    works = ((spec.arm, work_of(spec, device=options.device)) for spec in specs)
    run_seconds = grouped((arm, way.crowd * time_of(work, all_of(work), shown).mean) for arm, work in works)
    planned = {(p.model, p.arm, p.seed): p for p in earlier.planned(workspace)} if earlier else {}
    if extended:
        arm_of = {arm.label: name for name, arm in facts.items()}
        planned = {(p.model, p.arm, p.seed): p for p in extended.planned(arm_of)}
    for s in specs:
        trained = with_context(s.model, s.context, contexts)
        folder = f"artifacts/lvm/models/{s.run}"
        planned[trained, s.arm, s.seed] = PlannedRun(s.run, folder, trained, s.arm, s.seed)
    models = tuple(with_context(model, context, contexts) for model in options.models for context in contexts)
    held = [windows for split in judging(data.splits) for windows in held_out_lengths(split, judge_on)]
    campaign = Campaign(
        id=campaign_id,
        created=time.time(),
        baseline=facts["baseline"],
        expanded=facts["expanded"],
        dim=specs[0].dim,
        context=contexts[-1],
        models=models,
        size=options.size,
        recipe=specs[-1].recipe.name,  # trained here in any case
        seeds=options.seeds,
        heldout_windows=sum(split.facts.windows for split in judging(data.splits)),
        heldout_clusters=sum(split.facts.clusters for split in judging(data.splits)),
        split_fingerprint=fingerprint_of([split.facts.fingerprint for split in data.splits]),
        jobs=way.jobs,
        threads=way.threads,
        device=options.device,
        runs=tuple(planned[m, arm, seed] for seed in options.seeds for m in models for arm in facts),
        by=who(),
        versions={"lvmtui": lvmtui.__version__, "python": platform.python_version(), "numpy": np.__version__},
        stall_timeout=options.stall_timeout,
        on_event=options.on_event,
        engine=options.engine,
        engine_settings=options.engine_settings,
        first=tuple(specs[run].run for run in way.first),
        notes=(*data.notes, *engine.notes(workspace, options.engine_settings, max(chain(*run_seconds.values())))),
        doubts=tuple(filter(None, (data.check.warning, *own.doubts))),
        titles=own.titles,
        folds=bool(options.folds),
        cluster_cap=options.cluster_cap or default_cap(held),
        judge_on=judge_on,
        contexts=contexts if len(contexts) > 1 else (),
        between=tuple(facts[name] for name in facts if name not in ARMS),
        subsets=options.subsets if options.sizes else "",
        centre=data.splits[0].facts.centre,
    )
    return Plan(
        campaign=campaign,
        specs=specs,
        splits=data.splits,
        arms=data.arms,
        check=data.check,
        expected=way.expected,
        hardware=there,
        started_with=started_with_now(os.environ),
        power=replace(power_of(campaign, judging(data.splits), workspace), seeds_to_fold=seeds_to_fold(options)),
        run_seconds={arm: fmean(seconds) for arm, seconds in run_seconds.items()},
        remarks=tuple(remarks),
        own=own,
    )


def _refuse_specs(specs: Sequence[RunSpec], earlier: Earlier | None) -> None:
    """Raise UserError for a run that has not windows enough for a batch, or could not be compared with earlier ones."""
    if earlier:
        earlier.refuse_other_training(specs)
    for spec in specs:
        if spec.train_windows < spec.recipe.batch_size:
            what = f"context {spec.context}" if spec.context > USUAL_CONTEXT else f"batch-size {spec.recipe.batch_size}"
            raise UserError(
                f"--{what}: the {spec.label} arm has only {spec.train_windows:,} training windows, fewer than a batch "
                f"of {spec.recipe.batch_size}; give a shorter context, a smaller batch or a larger file"
            )


def write_plan(plan: Plan, workspace: Workspace, say: Say = lambda words: None) -> Campaign:
    """Write the campaign; `campaign.json` comes last, and with it the campaign exists.

    Before that the split is proven on the files as written. Raises UserError (the proof failed, the disk is full),
    and then nothing is left behind.
    """
    campaign = plan.campaign
    folder = workspace.campaign(campaign.id)
    made: list[Path] = []
    try:
        for parent in (workspace.models, workspace.campaigns, workspace.logs):
            parent.mkdir(parents=True, exist_ok=True)
        folder.path.mkdir()
        made.append(folder.path)
        first = folder.split_of(campaign.fold_numbers[0])
        for fold, split in zip(campaign.fold_numbers, plan.splits, strict=True):
            same = campaign.fold_numbers[0] < fold and not campaign.folds
            split.write(folder.split_of(fold), beside=first if same else None)
        write_document(folder.check, plan.check)
        say("proving that no held-out vector is trained or validated on")
        folders = [folder.split_of(fold) for fold in campaign.fold_numbers]
        labels = {name: arm.label for name, arm in campaign.arms.items()}
        proof, holds = prove_all(folders, {name: arm.open() for name, arm in plan.arms.items()}, labels)
        if not holds:
            raise UserError(f"{folder.split}: {proof}; nothing was started, please report this fault of lvmtui")
        for spec in plan.specs:
            run = RunDir(workspace.models / spec.run)
            run.path.mkdir()
            made.append(run.path)
            write_spec(run.spec, spec)
        sync_folder(workspace.models)
        lay_out(plan.own.files, workspace.root)
        write_document(folder.started_with, plan.started_with)
        write_campaign(folder.campaign, campaign)
    except BaseException as error:
        for path in made:
            shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, FileExistsError):
            raise UserError(f"{error.filename}: another campaign was planned in this second; try again") from None
        if isinstance(error, OSError):
            raise UserError(f"{error.filename or workspace.lvm}: cannot be written ({error.strerror})") from None
        raise
    return campaign


def recipe_of(options: Options, model: str, start: Recipe | None = None) -> Recipe:
    """The recipe of a model with the options applied. `start` replaces the one that `auto` would choose."""
    table = options.own.models.get(model)
    name = table.recipe if table and table.recipe else options.recipe
    recipe = start if start and name == AUTO else options.own.recipe(name, model)
    if table and table.rate:
        recipe = replace(recipe, rate=table.rate)
    if options.epochs is not None and recipe.schedule == "plateau":  # one evaluation an epoch, which the plateau counts
        recipe = replace(recipe, evaluations=max(LEAST_EVALUATIONS, round(options.epochs)))
    return replace(
        recipe,
        epochs=options.epochs or recipe.epochs,
        batch_size=options.batch_size or recipe.batch_size,
        rate=options.rate or recipe.rate,
    )


@dataclass(frozen=True)
class _Layout:
    """What the specs of a campaign's runs are made of besides the options."""

    campaign_id: str
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
        campaign = CampaignDir(Path("artifacts/lvm/campaigns", self.campaign_id))
        trained = earlier.recipe(model, seed) if earlier else None
        if extended:
            trained = extended.like(model, seed).recipe
        weights = earlier.weights_of(model, seed) if earlier and arm == "baseline" else None
        recipe = trained if trained and (weights or extended) else recipe_of(options, model, trained)
        own = len(split.arms[arm].train)
        counted = max(len(arm.train) for arm in split.arms.values()) if recipe.equal_updates else own
        steps = max(1, round(recipe.epochs * (counted // recipe.batch_size)))
        if earlier and not earlier.spec.imported and recipe.equal_updates and options.epochs is None:
            steps = earlier.of(model, seed)[1].total_steps
        if extended and recipe.equal_updates:
            steps = extended.like(model, seed).total_steps
        seeded = f"_s{seed}" if len(options.seeds) > 1 else ""
        spec = RunSpec(
            run=f"{with_context(model, context, data.contexts)}_{facts.label}{seeded}_{self.stamp}",
            campaign=self.campaign_id,
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


def _with_own(spec: RunSpec, options: Options, own: OwnCode) -> RunSpec:
    """The spec of a run with what is the user's own in it."""
    trainer, table = own.trainers.get(spec.model), options.own.trainers.get(spec.model)
    if trainer and table:
        steps = table.epochs or table.steps or spec.total_steps
        return replace(spec, own_trainer=trainer, total_steps=steps, evaluate_every=max(1, steps // 20))
    recipe = replace(spec.recipe, own_loss=own.losses.get(spec.recipe.name))
    return replace(spec, own_model=own.models.get((spec.model, spec.context)), recipe=recipe)


def tests_for(device: str, say: Say) -> list[SelfTest]:
    """The self-tests of the GPUs that runs of this campaign may be given; made now for those that have none."""
    gpus = [gpu for gpu in devices() if gpu not in (CPU, APPLE)] if device.partition(":")[0] in ("auto", "cuda") else []
    return [result.record for result in self_tests_of(gpus, say) if result.record]


def shown_in(workspace: Workspace) -> Machine:
    """What the runs of the newest campaign here that trained have shown of this machine."""
    campaigns = newest_campaigns(workspace, LOOKED_BACK)
    machines = (machine_of(view.state for view in state.runs if view.state) for state in campaigns)
    return next((machine for machine in machines if machine.shown), NOTHING_SHOWN)
