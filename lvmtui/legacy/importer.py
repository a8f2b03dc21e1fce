"""Takes in run folders of the original experiment as a campaign of histories.

`history.py` reads a folder. Each becomes a run folder of ours with the events that a trainer of ours would have logged,
so screen, health, ranking and report treat it like any other run. `RunSpec.imported` says where it came from, and the
ranking gives it a point estimate with the reason why there is no more. See
`docs/decisions/0010-imported-runs-are-a-campaign.md`.
"""

from __future__ import annotations

import filecmp
import json
import re
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from lvmtui import __version__
from lvmtui.datasets.readers.source import SourceFacts
from lvmtui.datasets.vector_files import open_source
from lvmtui.estimate.cost import parameters_of
from lvmtui.formats.campaign import ArmFacts, Campaign, PlannedRun, write_campaign
from lvmtui.formats.json_codec import encode_line, find_document
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.spec import USUAL_CONTEXT, ArmData, ArmName, Imported, RunSpec, read_spec, write_spec
from lvmtui.formats.trainer_log import Event, Failed, Finished, HeldoutScores, Started
from lvmtui.legacy.history import WEIGHTS, ImportedHistory, read_history
from lvmtui.models import MODELS, recipe_for
from lvmtui.report.make import write_report
from lvmtui.system.errors import UserError
from lvmtui.system.files import create_file
from lvmtui.system.launch import our_command
from lvmtui.system.permissions import who
from lvmtui.system.process_id import Identity
from lvmtui.system.programs import done_by, unmarked_environment
from lvmtui.system.text import sanitise
from lvmtui.verdict.rows import FITTING

NOT_KNOWN = "not known"
"""Stands for a file of vectors that was not named."""
NO_SIZE = "{}: does not say what size it was trained on; name it with --arm, like --arm 80k"
NO_WEIGHTS = f"it gets only a point estimate, no verdict. If there are some, name the file {' or '.join(WEIGHTS)} there"
NOTHING_TO_JUDGE = f"without weights that fit, training the other arm gives no verdict: {FITTING}"
SEEN = "they may have seen held-out ones"
"""The end of what is said of runs whose label does not fit their file."""
PATIENCE = 300.0
"""Seconds in which a short process opens all weights; five files of 100 MB take five."""
NOWHERE = Identity(host="", boot_id="", pid=0, start_ticks=0)
"""The process of a run that another program trained: never alive, on no host."""


def import_folders(
    workspace: Workspace,
    folders: Sequence[Path],
    arm: str | None = None,
    trained_on: Path | None = None,
    context: int = USUAL_CONTEXT,
) -> tuple[str, ...]:
    """`lvmtui import`: take in the folders, and return lines that say what they became. Raises UserError.

    `arm`: label for folders that do not name a size. Folders of one size, with the vectors they were trained on, become
    runs that can serve as a baseline (`earlier_runs.py`). Those of two become a campaign, whose report is written.
    """
    if not folders:
        raise UserError("import: no folder given; name folders with training_history.json or benchmark_results.json")
    if arm is not None and size_of(arm) is None:
        raise UserError(f"--arm {sanitise(arm, 40)}: is not a size; give one like 80k or 1.2m")
    if trained_on is not None and not trained_on.is_file():
        raise UserError(f"--trained-on {trained_on}: no such file; name the vectors the runs were trained on")
    histories, faults = [], []
    for folder in {folder.resolve(): folder for folder in folders}.values():
        try:
            histories.append(replace(read_history(folder), context=context))
        except UserError as error:
            faults.append(str(error))
    if faults:  # all at once: nothing is written before every folder can be read
        raise UserError("; ".join(faults))
    again = _taken_in_before(workspace, histories)
    if trained_on is not None:
        facts = _facts_of(histories, arm, trained_on)
        label = arm or next((history.label for history in histories if history.label), None)
        if label is None:
            raise UserError(NO_SIZE.format(histories[0].folder))
        runs, unfit = _take_in_baseline(workspace, histories, label, trained_on, facts.dim)
        named = " ".join(shlex.quote(str(run)) for run in runs)
        models = " ".join(_models(histories))
        doubt = mislabelled(label, facts.rows, trained_on.name) if facts.kind == "vectors" else ""
        lacking = [f"{h.folder}: no weights beside its history; {NO_WEIGHTS}" for h in histories if not h.weights]
        lacking += [f"{fault}; it gets only a point estimate, no verdict, from its history" for fault in unfit]
        several = max(Counter(history.model for history in histories).values())
        seeds = f" --seeds {' '.join(map(str, range(1, several + 1)))}" if several > 1 else ""
        command = f"lvmtui run --arms expanded --models {models} --baseline-runs {named}{seeds} --expanded FILE"
        further = f"train the other arm: {command}" if len(lacking) < len(histories) else NOTHING_TO_JUDGE
        return (*(f"run {run}" for run in runs), *again, *filter(None, [doubt]), *lacking, further)
    campaign = _take_in_campaign(workspace, with_arms(histories, arm))
    return (*campaign.notes, *again, f"campaign {campaign.id}", f"report {write_report(workspace, campaign.id)}")


def _facts_of(histories: Sequence[ImportedHistory], arm: str | None, trained_on: Path) -> SourceFacts:
    """Facts of the file. Raises UserError if the runs cannot all have been trained on it."""
    sizes = sorted({history.label for history in histories if history.label})
    if len(sizes) > 1:
        of = f"the folders are of {len(sizes)} sizes ({', '.join(sizes)}), and a file has the vectors of one"
        raise UserError(f"--trained-on {trained_on}: {of}; import the folders of each size with its own file")
    if arm and sizes not in ([], [arm]):
        raise UserError(f"--arm {arm}: the folders say that they are of {sizes[0]}; leave it out")
    facts = open_source(trained_on).facts
    for history in histories:
        if history.dim not in (0, facts.dim):
            of = f"its vectors have {facts.dim} numbers, those of {history.folder} had {history.dim}"
            raise UserError(f"--trained-on {trained_on}: {of}; name the file that it was trained on")
    return facts


def _taken_in_before(workspace: Workspace, histories: Sequence[ImportedHistory]) -> list[str]:
    """Which of the histories are there already, with the same weights where both have some, and as what, in a line."""
    specs = [find_document(RunSpec, RunDir(path).spec) for path in sorted(workspace.models.glob("*"))]
    there = [(s, h) for h in histories for s in specs if s and s.history and s.imported and _same(s.imported, h)]
    named = ", ".join(dict.fromkeys(f"campaign {s.campaign}" if s.campaign else f"run {s.run}" for s, _ in there))
    folders = list(dict.fromkeys(history.folder.name for _, history in there))
    which = "; this is another copy" if len(folders) == len(histories) else f": {', '.join(folders)}; the rest is new"
    return [f"taken in before as {named}{which}"] if named else []


def _same(before: Imported, history: ImportedHistory) -> bool:
    """True if they have one history, and no weights that differ."""
    theirs, ours = before.weights_file, history.folder / history.weights
    other = theirs.is_file() and ours.is_file() and not filecmp.cmp(theirs, ours, shallow=False)
    return before.digest == history.digest and not other


def _take_in_baseline(
    workspace: Workspace, histories: Sequence[ImportedHistory], arm: str, trained_on: Path, dim: int
) -> tuple[tuple[Path, ...], list[str]]:
    """Take in histories of one size as runs without a campaign, for `--baseline-runs`. Returns their folders, and why
    our models cannot hold some of their weights: these runs are histories only."""
    workspace.models.mkdir(parents=True, exist_ok=True)
    histories = [replace(history, label=arm, dim=dim) for history in histories]
    ended = max(history.ended for history in histories)  # they are named after the time they ended
    while any(workspace.models.glob(f"*_{_stamp(ended)}")):
        ended += 1
    planned = [run for model in _models(histories) for run in _runs(histories, model, arm, "baseline", _stamp(ended))]
    for run, history in planned:
        _write_run(workspace, run, history, "", str(trained_on.resolve()))
    judged = [workspace.run(run) for run, history in planned if history.weights]
    faults = []
    for folder, (size, fault) in zip(judged, sizes_that_fit([f.path for f in judged], "full", dim), strict=True):
        spec = read_spec(folder.spec)
        assert spec.imported is not None
        imported = spec.imported if size else replace(spec.imported, weights="")
        folder.spec.unlink()  # nobody has been told of the run yet
        write_spec(folder.spec, replace(spec, size=size or spec.size, imported=imported))
        faults += [fault] * (not size)
    return tuple(workspace.run(run).path for run, _ in planned), faults


# Which arm ------------------------------------------------------------------------------------------------------------


def with_arms(histories: Sequence[ImportedHistory], arm: str | None = None) -> tuple[ImportedHistory, ...]:
    """The histories with a label each, two labels in all. Raises UserError if the folders do not name their sizes.

    A size in the folder's name or history decides; else the size that the model's other folders leave; else `arm`.
    """
    labels = {history.label for history in histories if history.label} | ({arm} if arm else set())
    if len(labels) > 2:
        raise UserError(f"import: folders of {len(labels)} sizes ({', '.join(sorted(labels))}); name those of two")
    labelled, faults = [], []
    for history in histories:
        taken = {other.label for other in histories if other.model == history.model}
        left = labels - taken if len(labels) == 2 else set()
        label = history.label or (left.pop() if len(left) == 1 else arm)
        labelled.append(replace(history, label=label))
        faults += [NO_SIZE.format(history.folder)] * (label is None)
    if faults:
        raise UserError("; ".join(faults))
    if len(labels) < 2:
        cure = "name folders of the other size too, or with --trained-on the file of their vectors"
        raise UserError(f"import: all folders are of {next(iter(labels))}; {cure}")
    return tuple(labelled)


def size_of(label: str) -> float | None:
    """Number of vectors that a label stands for: 80,000 for `80k`; None if it is not a size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([km])", label.lower())
    return float(found.group(1)) * {"k": 1e3, "m": 1e6}[found.group(2)] if found else None


def mislabelled(label: str, vectors: int, file: str) -> str:
    """Said of a file without as many vectors as the label of its runs; empty where it fits, or is no size."""
    named = size_of(label)
    if named is None or int(named // 1000) in (vectors // 1000, round(vectors / 1000)):
        return ""
    return f"{file} has {vectors:,} vectors, but the runs are labelled {label}. If trained on other vectors, {SEEN}"


def sizes_that_fit(runs: Sequence[Path], size: str, dim: int) -> list[tuple[Literal["", "small", "full"], str]]:
    """For each run folder the size of our model that its weights fit, `size` before others, and "". Where there is
    none: "", and why. Raises UserError if the process dies."""
    if not runs:
        return []
    command = our_command("trainers.legacy_weights", size, str(dim), *map(str, runs))
    done = done_by(command, seconds=PATIENCE, environment=unmarked_environment())
    if done.code:
        words = (done.err.strip().splitlines() or [f"exit code {done.code}"])[-1]
        raise UserError(f"{runs[0]}: the process that opens its weights died: {words}; try again, or import it anew")
    return [(fits, fault) for fits, fault in json.loads(done.out.splitlines()[-1])]


# Writing --------------------------------------------------------------------------------------------------------------


def _take_in_campaign(workspace: Workspace, histories: Sequence[ImportedHistory]) -> Campaign:
    """Write the histories of two sizes as a campaign."""
    small, large = sorted({h.label for h in histories if h.label}, key=lambda label: size_of(label) or 0.0)
    arms: dict[str, ArmName] = {small: "baseline", large: "expanded"}
    folder, stamp = _free_folder(workspace, f"{small}_vs_{large}")
    workspace.models.mkdir(parents=True, exist_ok=True)
    models = _models(histories)
    found = [pair for m in models for label, arm in arms.items() for pair in _runs(histories, m, label, arm, stamp)]
    for run, history in found:
        _write_run(workspace, run, history, folder.id)
    planned = tuple(run for run, _ in found)
    facts = {arm: _arm_facts(label, [h for h in histories if h.label == label]) for label, arm in arms.items()}
    weights = sum(bool(history.weights) for history in histories)
    notes = ["Histories of earlier runs. Their folders were read, not changed."]
    if weights:
        notes.append(
            f"{weights} of {len(histories)} folders hold weights. They were not evaluated: that needs windows that "
            "they were provably not trained on. Import them with --trained-on and train the other arm with "
            "--baseline-runs, and they are judged on such windows."
        )
    campaign = Campaign(
        id=folder.id,
        created=time.time(),
        baseline=facts["baseline"],
        expanded=facts["expanded"],
        dim=max(history.dim for history in histories),
        context=histories[0].context,
        models=tuple(models),
        size="full",
        recipe="imported",
        seeds=tuple(sorted({run.seed for run in planned})),
        heldout_windows=0,
        heldout_clusters=0,
        split_fingerprint="",
        jobs=1,
        threads=1,
        device="unknown",
        runs=planned,
        by=who(),
        versions={"lvmtui": __version__},
        notes=tuple(notes),
    )
    write_campaign(folder.campaign, campaign)
    return campaign


def _models(histories: Sequence[ImportedHistory]) -> list[str]:
    """Their models: those of the registry first, in its order."""
    return sorted({h.model for h in histories}, key=lambda m: (MODELS.index(m) if m in MODELS else len(MODELS), m))


def _runs(
    histories: Sequence[ImportedHistory], model: str, label: str, arm: ArmName, stamp: str
) -> Iterator[tuple[PlannedRun, ImportedHistory]]:
    """The runs that a model's histories of one size become. Several count as seeds, the oldest first."""
    same = sorted((h for h in histories if (h.model, h.label) == (model, label)), key=lambda h: (h.ended, h.folder))
    for seed, history in enumerate(same, 1):
        name = f"{model}_{label}{f'_s{seed}' if len(same) > 1 else ''}_{stamp}"
        yield PlannedRun(name, f"artifacts/lvm/models/{name}", model, arm, seed, trained_here=False), history


def _stamp(seconds: float) -> str:
    return time.strftime("%Y%m%d_%H%M%S", time.localtime(seconds))


def _free_folder(workspace: Workspace, title: str) -> tuple[CampaignDir, str]:
    """A new campaign folder and its time stamp."""
    workspace.campaigns.mkdir(parents=True, exist_ok=True)
    now = time.time()
    while True:
        stamp = _stamp(now)
        folder = workspace.campaign(f"{title}_{stamp}")
        try:
            folder.path.mkdir()
            return folder, stamp
        except FileExistsError:
            now += 1


def _arm_facts(label: str, histories: Sequence[ImportedHistory]) -> ArmFacts:
    return ArmFacts(
        label=label,
        data=ArmData(NOT_KNOWN, "", (0, 0), ""),
        vectors=next((h.vectors for h in histories if h.vectors), None) or int(size_of(label) or 0),
        articles=None,
        train_windows=max((h.train_windows for h in histories), default=0),
        validation_windows=max((h.validation_windows for h in histories), default=0),
        dropped_windows=0,
    )


def _write_run(
    workspace: Workspace, run: PlannedRun, history: ImportedHistory, campaign: str, trained_on: str = NOT_KNOWN
) -> None:
    """Write a run folder: its spec, and the events a trainer of ours would have logged."""
    folder = workspace.run(run)
    folder.path.mkdir()
    reference = recipe_for("reference", run.model)
    small = history.parameters == parameters_of(run.model, "small", history.dim, history.context)
    spec = RunSpec(
        run=run.run,
        campaign=campaign,
        model=run.model,
        size="small" if small else "full",  # of one with weights they decide
        arm=run.arm,
        label=history.label or "",
        seed=run.seed,
        dim=history.dim,
        context=history.context,
        recipe=replace(
            reference,
            name="imported",
            epochs=float(history.epochs),
            evaluations=len(history.evaluations),
            batch_size=history.batch_size or reference.batch_size,
            rate=max(0.0, *(epoch.rate for epoch in history.evaluations)) or reference.rate,
        ),
        data=ArmData(trained_on, "", (0, 0), ""),
        split="",
        split_fingerprint="",
        train_windows=history.train_windows,
        validation_windows=history.validation_windows,
        heldout_windows=0,
        total_steps=history.epochs,
        evaluate_every=1,
        device="unknown",
        threads=1,
        deterministic=False,
        imported=Imported(str(history.folder), history.file, history.digest, history.weights),
    )
    create_file(folder.events, b"".join(map(encode_line, events_of(history))))
    write_spec(folder.spec, spec)


def events_of(history: ImportedHistory) -> tuple[Event, ...]:
    """The history as a log of ours, one step an epoch."""
    evaluations = history.evaluations
    best = next((e for e in reversed(evaluations) if e.best), None)
    steps, active = history.epochs, evaluations[-1].active
    ending: Event = Failed(history.ended, steps, "diverged", "its history has no finite validation cosine", active)
    if best is not None and best.cosine is not None:
        ending = Finished(
            time=history.ended,
            step=steps,
            stopped_early=False,
            best_step=best.step,
            best_epoch=best.epoch,
            best_cosine=best.cosine,
            heldout=HeldoutScores(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            train_seconds=active,
            active=active,
        )
    return (
        Started(history.ended - active, NOWHERE, 0, 0, None, (), 0.0, history.parameters, "", {}),
        *evaluations,
        ending,
    )
