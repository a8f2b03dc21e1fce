"""Finished runs of an earlier campaign as the baseline of a new one, which then trains only the expanded arm.

Runs of another program can serve too if they were imported with the vectors they were trained on. If they have
weights, they become runs of the new campaign that load these weights and are judged like all others.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from lvmtui.datasets.arm import Arm, arm_again, file_arm
from lvmtui.datasets.draw import draw_folds, keep_held_out
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.split import Split, read_split
from lvmtui.estimate.cost import parameters_of
from lvmtui.formats.campaign import PlannedRun
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import Imported, Recipe, RunSpec
from lvmtui.legacy.importer import NOT_KNOWN, mislabelled, sizes_that_fit
from lvmtui.models import title_of
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.system.errors import UserError
from lvmtui.verdict.comparable import BOTH_ARMS, differences, settled

APART = (
    "the held-out windows of the baseline runs are gone, so new ones were drawn. The baseline may have been trained on "
    "them, so there will be no verdict, only each arm's own validation cosine"
)
SOURCES = (
    "the baseline runs were the expanded arm of their own campaign: figures by source refer to the sources of that "
    "campaign, and the baseline has seen both"
)
RISING = "no verdict where a history ends while its run still improved"


@dataclass(frozen=True)
class Earlier:
    """Runs that serve as the baseline, all trained on the same vectors and judged on the same windows. Either all are
    imported, runs of another program whose history, vectors and perhaps weights are known, or none is."""

    folders: tuple[RunDir, ...]
    specs: tuple[RunSpec, ...]

    @property
    def spec(self) -> RunSpec:
        return self.specs[0]

    def planned(self, workspace: Workspace) -> tuple[PlannedRun, ...]:
        """The runs as the new campaign plans them; folders of another workspace are absolute. Without those whose
        weights it loads; other histories serve as they are, for a point estimate."""
        inside = f"{workspace.root}{os.sep}"
        return tuple(
            PlannedRun(s.run, str(f.path).removeprefix(inside), s.model, "baseline", s.seed, trained_here=False)
            for f, s in zip(self.folders, self.specs, strict=True)
            if self.weights_of(s.model, s.seed) is None
        )

    def recipe(self, model: str, seed: int) -> Recipe:
        """How a run was trained (an imported one: by the original recipe and its history), as is the expanded arm."""
        spec = self.of(model, seed)[1]
        return replace(spec.recipe, name="reference") if spec.imported else spec.recipe

    def weights_of(self, model: str, seed: int) -> Imported | None:
        """Weights that a run of the new campaign has to load and judge; None: it is judged already, or has none."""
        folder, spec = self.of(model, seed)
        if spec.imported is None or not spec.imported.weights:
            return None
        return replace(spec.imported, run=os.fspath(folder.path))

    @property
    def size(self) -> str:
        """The size at which the other arm is trained: that of weights, and small where a number of parameters says."""
        weighed = [spec.size for spec in self.specs if self.weights_of(spec.model, spec.seed)]
        return min(weighed or [spec.size for spec in self.specs], key=("small", "full").index)

    def of(self, model: str, seed: int) -> tuple[RunDir, RunSpec]:
        pairs = zip(self.folders, self.specs, strict=True)
        return next((folder, spec) for folder, spec in pairs if (spec.model, spec.seed) == (model, seed))

    def refuse_what_fails(self, planned: Sequence[RunSpec]) -> None:
        """Raises UserError if runs would be trained only to be called not comparable with these, or with what those
        planned do with the weights of these, or if those weights do not fit."""
        judged = {(s.model, s.seed): s for s in (*self.specs, *planned) if s.arm == "baseline"}
        for spec in (s for s in planned if s.arm == "expanded" and not s.own_trainer):
            before = judged.get((spec.model, spec.seed)) or self.of(spec.model, spec.seed)[1]
            if not before.history and (differ := differences(before, spec)):
                raise UserError(
                    f"--baseline-runs: {title_of(spec.model)} would be trained differently from those runs ({differ}), "
                    "and so not be compared with them; leave out the options that change it"
                )
        loading = [(spec, Path(spec.imported.run)) for spec in planned if spec.imported]
        fits = sizes_that_fit([run for _, run in loading], planned[0].size, planned[0].dim)
        for (spec, run), (size, fault) in zip(loading, fits, strict=True):
            if size != spec.size:
                other = f"its weights are those of --size {size}, not {spec.size}; give that"
                _refuse(str(run), other if size else f"{fault}; import its folder again, and its history serves alone")

    def doubt(self, baseline: Arm) -> str:
        """Why they may have been trained on other vectors; empty: they were trained on these."""
        return mislabelled(self.spec.label, baseline.vectors, baseline.title) if self.spec.imported else ""

    def arm(self, workspace: Workspace, normalise: bool) -> Arm:
        """The vectors they were trained on. Raises UserError if they are gone."""
        if self.spec.imported:
            return file_arm("baseline", Path(self.spec.data.file), workspace.root, normalise=normalise)
        return arm_again("baseline", self.spec.data, workspace.root)

    def split(
        self, baseline: Arm, expanded: Arm, seed: int, cross_articles: bool, groups: Groups
    ) -> tuple[Split, tuple[str, ...]]:
        """A split that keeps their held-out windows or, of imported runs, one whose held-out windows are provably
        absent from everything they may have been trained on; and what the report must note about it."""
        imported = self.spec.imported is not None
        kept: Split | None = None
        if not imported:
            with suppress(UserError):  # their held-out windows are gone
                kept = read_split(self.folders[0].workspace.root / self.spec.split)
        if kept is not None:
            notes = () if self.spec.arm == "baseline" else (SOURCES,)
            return keep_held_out(kept, self.spec.arm, baseline, expanded, seed=seed, same=groups.facts.same), notes
        (split,) = draw_folds(
            baseline,
            expanded,
            seed=seed,
            folds=None,
            cross_articles=cross_articles,
            baseline_used=imported,
            groups=groups,
            context=self.spec.context,
        )
        return split, self._notes_of_imported(baseline) if imported else (APART,)

    def _notes_of_imported(self, baseline: Arm) -> tuple[str, ...]:
        notes = [
            f"the {self.spec.label} runs were trained by another program on {baseline.title}. Only articles or blocks "
            "without any vector of that file are held out, so all held-out windows lie in the new source. How many "
            "updates those runs took and which windows they validated on is unknown. What their histories do not say "
            "about their recipe is taken from the reference recipe"
        ]
        lacking = [title_of(s.model) for s in self.specs if self.weights_of(s.model, s.seed) is None]
        if lacking:
            models = ", ".join(dict.fromkeys(lacking))
            notes.append(f"no weights that fit came with the history of {models}, so it gets only a point estimate")
        runs = [run for folder in self.folders if (run := RunReader(folder).refresh())]
        if unlike := ", ".join(dict.fromkeys(filter(None, map(_other_network, runs)))):
            notes.append(f"the network trained here has another number of parameters than that of {unlike}")
        judged = [run for run in runs if self.weights_of(run.spec.model, run.spec.seed)]
        if rising := ", ".join(dict.fromkeys(title_of(run.spec.model) for run in judged if not settled(run))):
            notes.append(f"{RISING} ({rising}); {BOTH_ARMS}")
        return tuple(notes)


def _other_network(run: RunState) -> str:
    """The title of a history that has another number of parameters than our network of its size; else empty."""
    if run.trainer.started is None or not run.spec.history:
        return ""
    spec, theirs = run.spec, run.trainer.started.parameters
    ours = parameters_of(spec.model, spec.size, spec.dim, spec.context)
    return f"{title_of(spec.model)} ({theirs:,}, not {ours:,})" if theirs and ours and theirs != ours else ""


def read_earlier(names: Sequence[str], models: Sequence[str], seeds: Sequence[int]) -> Earlier:
    """Read the runs in these folders. Raises UserError if they cannot serve together as a baseline."""
    folders, specs = [], []
    for name in names:
        folder = RunDir(Path(name).expanduser().resolve())
        reader = RunReader(folder)
        state = reader.refresh()
        if state is None:
            _refuse(name, reader.fault)
        if state.trainer.finished is None:
            _refuse(name, "this run has not finished; let it finish or leave it out")
        if state.spec.history and state.spec.data.file == NOT_KNOWN:
            _refuse(name, "the vectors it was trained on are unknown; import it again with --trained-on FILE")
        if (one := state.spec.imported) and not state.spec.history:
            _refuse(name, f"its weights were judged for another campaign; name the imported run instead, {one.run}")
        folders.append(folder)
        specs.append(state.spec)
    first = specs[0]
    # equal for runs trained on the same vectors; of imported runs only the file's name is known
    vectors = [(spec.data.fingerprint or spec.data.file, spec.data.rows) for spec in specs]
    for name, spec, trained_on in zip(names, specs, vectors, strict=True):
        if trained_on != vectors[0]:
            _refuse(name, f"trained on other vectors than {names[0]}; name runs of one arm")
        if spec.context != first.context:
            contexts = f"contexts of {spec.context} vectors, {names[0]} with {first.context}"
            _refuse(name, f"trained with {contexts}; name runs of one context")
        if spec.split_fingerprint != first.split_fingerprint:
            _refuse(name, f"judged on other held-out windows than {names[0]}; leave one of them out")
    found = {(s.model, s.seed) for s in specs}
    if len(found) < len(specs):
        raise UserError("--baseline-runs: two folders hold the same model and seed; leave one of them out")
    wanted = {(model, seed) for model in models for seed in seeds}
    if found != wanted:
        lacking, idle = sorted(wanted - found), sorted(found - wanted)
        model, seed = (lacking or idle)[0]
        what = "there is no run of" if lacking else "nothing to compare with the run of"
        raise UserError(f"--baseline-runs: {what} {model} with seed {seed}; make --models and --seeds fit the folders")
    return Earlier(tuple(folders), tuple(specs))


def _refuse(name: str, why: str) -> NoReturn:
    raise UserError(f"--baseline-runs {name}: {why}")
