"""From options to a campaign: draw the held-out windows, prove them, and write down every run before any starts."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.proof import prove_all
from lvmtui.datasets.split import Split
from lvmtui.doctor.devices import APPLE, CPU, devices, self_tests_of, sharing_remarks
from lvmtui.estimate.cost import work_of
from lvmtui.estimate.eta import Eta, all_of, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine, machine_of, machine_tested
from lvmtui.formats.campaign import Campaign, write_campaign
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.selftest import SelfTest
from lvmtui.formats.spec import USUAL_CONTEXT, ArmName, RunSpec, write_spec
from lvmtui.formats.started_with import StartedWith, started_with_now
from lvmtui.legacy.earlier_runs import Earlier, read_earlier
from lvmtui.planning.arrange import Arrangement, arrange
from lvmtui.planning.choose import choose, remarks_on, with_other
from lvmtui.planning.data import judging, open_campaign_data
from lvmtui.planning.extend import Extension
from lvmtui.planning.judged_on import LEARNED_FROM, power_of, seeds_to_fold
from lvmtui.planning.layout import Layout, recipe_of
from lvmtui.planning.options import AUTO, Options
from lvmtui.planning.own_code import OwnCode, Say, Shape, gather_own, lay_out, refuse_absent
from lvmtui.state.campaign_reader import newest_campaigns
from lvmtui.supervisor.engine import kind as engine_kind
from lvmtui.system.errors import UserError
from lvmtui.system.files import sync_folder
from lvmtui.system.gpus import mps_state
from lvmtui.system.hardware import Hardware, hardware, refuse_missing
from lvmtui.system.text import grouped
from lvmtui.verdict.power import Power


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
    if earlier and options.size == AUTO:
        options = replace(options, size=earlier.size)
    stamp = time.strftime("%Y%m%d_%H%M%S")
    facts = data.facts(workspace, cut=bool(options.sizes))
    layout = Layout(f"{data.labels[0]}_vs_{data.labels[-1]}_{stamp}", stamp, data, facts, earlier, extended)
    smaller = min(len(split.arms[name].train) for split in data.splits for name in facts)
    asked = options
    options, choices = choose(options, smaller, keep_recipe=earlier is not None)
    own = _own_code(layout, options, say)
    specs = layout.specs(options, own)
    _refuse_specs(specs, earlier)

    def arranged(specs: tuple[RunSpec, ...]) -> Arrangement:
        device = "cuda" if options.device == "auto" and there.gpus and sys.platform != "darwin" else options.device
        return arrange([work_of(spec, device=device) for spec in specs], there, device, shown, jobs, threads)

    shown = Machine((*shown_in(workspace).shown, *machine_tested(tests).shown))
    measured = shown.shown or tests  # beside whatever else was running; and a GPU does not share cores
    there = replace(there, busy=0.0 if measured else there.busy)
    way = arranged(specs)
    others = [  # a program of the user's own knows neither recipe nor size
        arranged(tuple(s if s.own_trainer else o for s, o in zip(specs, other, strict=True)))
        for other in (layout.specs(with_other(asked, choice, smaller), own) for choice in choices)
    ]
    remarks = [choice.sentence(way.expected, o.expected) for choice, o in zip(choices, others, strict=True)]
    remarks += [*remarks_on(options), *own.remarks]
    remarks += [f"{t.device}: {words}" for t in tests for words in t.fallbacks.sentences]
    remarks += sharing_remarks(tests, len(specs), mps_state()) if tests else []
    specs = tuple(replace(spec, threads=way.threads) for spec in specs)
    works = [(spec, work_of(spec, device=options.device)) for spec in specs]
    timed = [(spec, way.crowd * time_of(work, all_of(work), shown).mean) for spec, work in works]
    campaign = layout.campaign(options, own, specs, way, workspace)
    anew = {s.model: s.own_trainer.title for s in specs if s.own_trainer and not s.own_trainer.checkpoints}
    longest = max((of_run for spec, of_run in timed if spec.model not in anew), default=0.0)
    side_by_side = campaign.jobs, campaign.threads
    notes = engine.notes(workspace, options.engine_settings, *side_by_side, longest, tuple(anew.values()))
    campaign = replace(campaign, notes=(*campaign.notes, *notes))
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
        run_seconds={arm: fmean(each) for arm, each in grouped((spec.arm, s) for spec, s in timed).items()},
        remarks=tuple(remarks),
        own=own,
    )


def _own_code(layout: Layout, options: Options, say: Say) -> OwnCode:
    """The user's own models and losses, copied and tried at the shapes that they will meet."""
    if options.engine == Campaign.engine:  # the nodes of a cluster may have other programs
        for name in options.own.trainers.keys() & set(options.models):
            refuse_absent(options.own.trainers[name])
    specs = layout.specs(options, OwnCode())
    shapes = sorted({(s.dim, s.context, s.recipe.batch_size) for s in specs if s.model in options.own.models})
    shapes = shapes or [(specs[0].dim, specs[0].context, specs[0].recipe.batch_size)]
    recipes, folder = {s.model: s.recipe for s in specs}, f"artifacts/lvm/campaigns/{layout.id}/own"
    return gather_own(options.own, options.models, recipes, [Shape(*s) for s in shapes], folder, say)


def _refuse_specs(specs: Sequence[RunSpec], earlier: Earlier | None) -> None:
    """Raise UserError for a run that has not windows enough for a batch, or could not be compared with earlier ones."""
    if earlier:
        earlier.refuse_what_fails(specs)
    for spec in specs:
        if spec.train_windows < spec.recipe.batch_size:
            what = f"context {spec.context}" if spec.context > USUAL_CONTEXT else f"batch-size {spec.recipe.batch_size}"
            few = f"only {spec.train_windows:,} training windows, fewer than a batch of {spec.recipe.batch_size}"
            cure = "give a shorter context, a smaller batch or a larger file"
            raise UserError(f"--{what}: the {spec.label} arm has {few}; {cure}")


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
        proof, holds = prove_all(folder, campaign, {name: arm.open() for name, arm in plan.arms.items()})
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


def tests_for(device: str, say: Say) -> list[SelfTest]:
    """The self-tests of the GPUs that runs of this campaign may be given; made now for those that have none."""
    gpus = [gpu for gpu in devices() if gpu not in (CPU, APPLE)] if device.partition(":")[0] in ("auto", "cuda") else []
    return [result.record for result in self_tests_of(gpus, say) if result.record]


def shown_in(workspace: Workspace) -> Machine:
    """What the runs of the newest campaign here that trained have shown of this machine."""
    campaigns = newest_campaigns(workspace, LEARNED_FROM)
    machines = (machine_of(view.state for view in state.runs if view.state) for state in campaigns)
    return next((machine for machine in machines if machine.shown), NOTHING_SHOWN)
