"""Finished runs of an earlier campaign as the baseline of a new one: only the expanded arm is trained then."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lvmtui.contract.campaign import PlannedRun
from lvmtui.contract.errors import UserError
from lvmtui.contract.rundir import RunDir
from lvmtui.contract.spec import RunSpec
from lvmtui.contract.workspace import Workspace
from lvmtui.datasets.arm import BUNDLED, Arm, bundled_arms, file_arm
from lvmtui.datasets.split import Split, draw_split, keep_held_out, read_split
from lvmtui.state.reader import RunReader

APART = (
    "the held-out windows of the baseline runs are gone, so new ones were drawn: the baseline may have been trained on "
    "them, and no verdict will be given; each arm's own validation cosine is all there is to go by"
)
SOURCES = (
    "the baseline runs were the expanded arm of their own campaign: what is told by source means the sources "
    "of that campaign, and the baseline has seen both"
)


@dataclass(frozen=True)
class Earlier:
    """Runs that serve as the baseline; all were trained on the same vectors and judged on the same windows."""

    folders: tuple[RunDir, ...]
    specs: tuple[RunSpec, ...]

    @property
    def spec(self) -> RunSpec:
        return self.specs[0]

    def planned(self, workspace: Workspace) -> tuple[PlannedRun, ...]:
        """Their places in the campaign; folders of another workspace are absolute."""
        return tuple(
            PlannedRun(s.run, _relative(f.path, workspace), s.model, "baseline", s.seed, trained_here=False)
            for f, s in zip(self.folders, self.specs, strict=True)
        )

    def arm(self, workspace: Workspace) -> Arm:
        """The vectors they were trained on, opened here. Raises UserError if the file is gone or another by now."""
        data = self.spec.data
        if data.file == BUNDLED:
            arm = replace(bundled_arms(workspace.root)[1], name="baseline", rows=data.rows)
        else:
            arm = replace(file_arm("baseline", Path(data.file), workspace.root), rows=data.rows)
        if arm.fingerprint != data.fingerprint:
            raise UserError(f"{data.file}: not the file {self.spec.run} was trained on; restore it")
        return arm

    def split(self, baseline: Arm, expanded: Arm, seed: int, cross_articles: bool) -> tuple[Split, tuple[str, ...]]:
        """A split that keeps their held-out windows, and what must be noted about it."""
        try:
            kept = read_split(self.folders[0].workspace / self.spec.split)
        except UserError:
            return draw_split(baseline, expanded, seed=seed, cross_articles=cross_articles), (APART,)
        notes = () if self.spec.arm == "baseline" else (SOURCES,)
        return keep_held_out(kept, self.spec.arm, baseline, expanded, seed=seed), notes


def read_earlier(names: Sequence[str], models: Sequence[str], seeds: Sequence[int]) -> Earlier:
    """Read the runs in these folders. Raises UserError if they cannot serve together as a baseline."""
    folders, specs = [], []
    for name in names:
        folder = RunDir(Path(name).expanduser().resolve())
        reader = RunReader(folder)
        state = reader.refresh()
        if state is None:
            raise UserError(f"--baseline-runs {name}: {reader.fault}")
        if state.trainer.finished is None:
            raise UserError(f"--baseline-runs {name}: this run has not finished; let it finish or leave it out")
        folders.append(folder)
        specs.append(state.spec)
    first = specs[0]
    for name, spec in zip(names, specs, strict=True):
        if (spec.data.fingerprint, spec.data.rows) != (first.data.fingerprint, first.data.rows):
            raise UserError(
                f"--baseline-runs {name}: trained on other vectors than {names[0]}; compare one arm at a time"
            )
        if spec.split_fingerprint != first.split_fingerprint:
            raise UserError(f"--baseline-runs {name}: judged on other held-out windows than {names[0]}; leave one out")
    found = {(s.model, s.seed) for s in specs}
    if len(found) < len(specs):
        raise UserError("--baseline-runs: two folders hold the same model and seed; leave one out")
    wanted = {(model, seed) for model in models for seed in seeds}
    if found != wanted:
        lacking, idle = sorted(wanted - found), sorted(found - wanted)
        what = f"no run of {lacking[0][0]} with seed {lacking[0][1]}" if lacking else f"{idle[0][0]} has no counterpart"
        raise UserError(f"--baseline-runs: {what}; make --models and --seeds fit the folders")
    return Earlier(tuple(folders), tuple(specs))


def _relative(path: Path, workspace: Workspace) -> str:
    inside = path.is_relative_to(workspace.root)
    return os.fspath(path.relative_to(workspace.root) if inside else path)
