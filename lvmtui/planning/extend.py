"""More sizes for a finished campaign: its runs are taken over, and only the new sizes are trained.

The new campaign is judged on the windows of the old one. Its articles are drawn in the same order, so the new sizes
contain the old ones, or are contained in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lvmtui.datasets.centring import with_centre
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.split import Split, read_split
from lvmtui.formats.campaign import Campaign, PlannedRun
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.json_codec import encode, find_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.spec import ArmName, RunSpec
from lvmtui.formats.user_code import UserCode, digest_of_folder
from lvmtui.models import RECIPES
from lvmtui.planning.options import Options, size_problem
from lvmtui.planning.own_tables import ModelTable, Own, RecipeTable, TrainerTable
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system.errors import UserError, unknown

ADDED = "--add-sizes"


@dataclass(frozen=True)
class Extension:
    """A finished campaign of several sizes, and what its runs were."""

    folder: CampaignDir
    campaign: Campaign
    specs: tuple[RunSpec, ...]

    def planned(self, arm_of: dict[str, ArmName]) -> list[PlannedRun]:
        """Its runs in the new campaign; `arm_of`: the new arm of each label."""
        return [replace(p, arm=arm_of[self.campaign.arms[p.arm].label], trained_here=False) for p in self.campaign.runs]

    def like(self, model: str, seed: int) -> RunSpec:
        """How its run of a model and seed was trained; all sizes were trained alike."""
        return next(s for s in self.specs if (s.model, s.seed) == (model, seed))

    def options(self, add: Sequence[str]) -> Options:
        """The options that plan it again with more sizes. Raises UserError for a size it has."""
        arms = self.campaign.arms.values()
        labels = [arm.label for arm in arms]
        for word in add:
            if problem := size_problem(word):
                raise UserError(f"{ADDED}: {problem}")
            if word.lower() in labels:
                raise UserError(f"{ADDED} {word}: {self.campaign.id} has this size already; leave it out")
        first, reading = self.specs[0], self.specs[0].data.reading
        split = read_split(self.folder.split_of(self.campaign.fold_numbers[0])).facts
        return Options(
            data=(first.data.file,),
            vectors=(reading.vectors,),
            article=(reading.article,),
            order=(reading.order,),
            sizes=(*(str(arm.vectors) for arm in arms), *add),
            subsets=self.campaign.subsets,
            models=tuple(dict.fromkeys(s.model for s in self.specs)),
            recipe=self.campaign.recipe,
            size=first.size,
            seeds=self.campaign.seeds,
            batch_size=first.recipe.batch_size,
            split_seed=split.seed,
            same=split.same,
            centre=split.centre.by if split.centre else Options.centre,
            cross_articles=split.cross_articles,
            folds=self.campaign.folds,
            cluster_cap=self.campaign.cluster_cap,
            judge_on=self.campaign.judge_on,
            context=self.campaign.contexts or (self.campaign.context,),
            device=self.campaign.device,
            deterministic=first.deterministic,
            engine=self.campaign.engine,
            engine_settings=self.campaign.engine_settings,
            own=self._own(),
            stall_timeout=self.campaign.stall_timeout,
            on_event=self.campaign.on_event,
        )

    def as_chosen(self, check: DataCheck) -> DataCheck:
        """The check, which says of what counts as a copy who chose that."""
        before = find_document(DataFacts, self.folder.check)
        if not check.neighbours or not before or not before.neighbours:
            return check
        return replace(check, neighbours=replace(check.neighbours, chosen_by_hand=before.neighbours.chosen_by_hand))

    def _own(self) -> Own:
        """The user's own models, recipes and trainers as its runs have them: code from the campaign's copies, whatever
        became of the files. Raises UserError if a copy has changed."""
        models, recipes, trainers = {}, {}, {}
        for spec in self.specs:
            recipe, name = spec.recipe, spec.model
            if recipe.name not in RECIPES:
                changes = {key: value for key, value in encode(recipe).items() if key not in ("name", "own_loss")}
                loss, base = self._kept(recipe.own_loss) if recipe.own_loss else ("", Path())
                recipes[recipe.name] = RecipeTable(recipe.name, "tuned", changes, loss, base, ADDED)
            if mine := spec.own_model:
                models[name] = ModelTable(name, *self._kept(mine.code), mine.options, mine.title, where=ADDED)
            if theirs := spec.own_trainer:
                lengths = {other.total_steps for other in self.specs if other.model == name}
                trainers[name] = TrainerTable(theirs, spec.total_steps if len(lengths) == 1 else None, ADDED)
        return Own(models, recipes, trainers)

    def _kept(self, code: UserCode) -> tuple[str, Path]:
        """The copy of a user's code as a table names it: its source, and the folder that this is relative to."""
        folder = self.folder.workspace.root / code.folder
        if digest_of_folder(folder) != code.digest:
            raise UserError(f"{ADDED}: {folder}: not the {code.source} that was trained; restore the copy")
        file = f"{code.module}.py" if (folder / f"{code.module}.py").is_file() else code.module
        return f"{file}:{code.name}", folder

    def label(self, vectors: int) -> str | None:
        """The label of the size with this many vectors; None if it has no such size."""
        return next((arm.label for arm in self.campaign.arms.values() if arm.vectors == vectors), None)

    def with_its_windows(self, splits: Sequence[Split], labels: Sequence[str]) -> tuple[Split, ...]:
        """The splits with the very windows and the centre its runs were trained on. Raises UserError if the windows
        that judge are not those it was judged on."""
        found = []
        for fold, split in zip(self.campaign.fold_numbers, splits, strict=True):
            before = read_split(self.folder.split_of(fold))
            split = with_centre(split, before.heldout.centre, before.facts.centre)
            if before.facts.fingerprint != split.facts.fingerprint:
                raise UserError(
                    f"{ADDED}: the held-out windows of {self.campaign.id} cannot be drawn again: its file or the "
                    "program has changed; start a new campaign"
                )
            arm_of = {arm.label: name for name, arm in self.campaign.arms.items()}
            from_ = [
                (before, arm_of[label]) if label in arm_of else (split, mine)
                for label, mine in zip(labels, split.arms, strict=True)
            ]
            windows = {mine: one.arms[name] for mine, (one, name) in zip(split.arms, from_, strict=True)}
            facts = split.facts.with_counts([one.facts.arms[name] for one, name in from_])
            found.append(Split(split.heldout, windows, facts))
        return tuple(found)


def read_extension(workspace: Workspace, folder: CampaignDir, models: Sequence[str] = ()) -> Extension:
    """The campaign that is to be extended: all its models, or those named. Raises UserError if it cannot be."""
    state = CampaignReader(workspace, folder).refresh()
    campaign = state.campaign
    if not campaign.subsets:
        helps = "name another one with --campaign, or start a new campaign with them"
        raise UserError(f"{ADDED}: {campaign.id} was not planned with --sizes; {helps}")
    trained = {run.model.partition("@")[0] for run in campaign.runs}
    for name in set(models) - trained:
        raise unknown("--models: model", name, trained)
    kept = set(models) or trained
    campaign = replace(campaign, runs=tuple(run for run in campaign.runs if run.model.partition("@")[0] in kept))
    specs = []
    for view in (view for view in state.runs if view.planned in campaign.runs):
        if view.state is None or view.state.trainer.finished is None:
            cure = "let it finish, retry it, or name the models to take over with --models"
            raise UserError(f"{ADDED}: {view.planned.run} of {campaign.id} is not finished; {cure}")
        specs.append(replace(view.state.spec, label=campaign.arm(view.planned.arm).label))
    return Extension(folder, campaign, tuple(specs))
