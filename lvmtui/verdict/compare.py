"""Judge a model's two arms on the held-out windows.

Reads the complete pairs' `heldout.npz` (each proven to be the file its run vouched for) and the trivial baselines, and
writes `comparisons/<model>.json`. Does nothing if that file is there and was made from these inputs. Only the short
process `lvmtui.report.make` imports this module, so supervisor and screen never load numpy.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lvmtui.datasets.split import SplitFacts
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import DataFacts, TrivialBaselines
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.results import Check, Comparison, ContextGain, Pair
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView
from lvmtui.system.errors import unknown
from lvmtui.system.filesystem import signature
from lvmtui.system.numbers import plural
from lvmtui.verdict.comparable import ComparedRun, check_code, checks_of, contention_notes, merged, version_doubts
from lvmtui.verdict.comparison import REMAKES, complete_pairs, context_pairs, inputs_of, is_current, scores_fault
from lvmtui.verdict.figures import Figures, ScoredPair, TrivialScores, WindowScores
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.rows import unfit_words
from lvmtui.verdict.single_windows import single_windows
from lvmtui.verdict.words import of_context


def compare(folder: CampaignDir, model: str, reader: CampaignReader | None = None) -> bool:
    """Write the comparison; False if it is there and current, or no pair is complete. `reader`: one that has read the
    campaign, and reads only what is new. Raises UserError, OSError."""
    reader = reader or CampaignReader(folder.workspace, folder)
    if model not in reader.campaign.models:
        raise unknown("model", model, reader.campaign.models)
    for times in range(REMAKES):
        state = reader.refresh()
        if not complete_pairs(state, model) or is_current(state, model):
            return times > 0
        folder.comparisons.mkdir(exist_ok=True)
        write_document(folder.comparison(model), comparison_of(state, model, time.time()))
    return True


def comparison_of(state: CampaignState, model: str, now: float) -> Comparison:
    """The comparison over the seeds that are complete."""
    inputs, data, campaign = inputs_of(state, model), find_document(DataFacts, state.dir.check), state.campaign
    pairs: list[Pair] = []
    scored: list[ScoredPair] = []
    checks: dict[int, tuple[Check, ...]] = {}
    shared: list[tuple[str, ...]] = []
    all_sides: list[ComparedRun] = []
    for seed, *views in complete_pairs(state, model):
        scores, sides = zip(*(_side(view) for view in views), strict=True)
        all_sides += sides
        checks[seed] = checks_of(campaign, sides[0], sides[1], data.pair if data else None)
        shared.append(contention_notes(sides[0].state, sides[1].state))
        ends = [view.finished for view in views if view.finished]
        digests = [end.heldout_digest for end in ends]
        means = [float(s.cosine.mean(dtype=np.float64)) if s else None for s in scores]
        runs = [view.planned.run for view in views]
        pairs.append(Pair(seed, runs[0], runs[1], digests[0], digests[1], means[0], means[1]))
        if all(scores):
            best = [end.best_cosine for end in ends]
            by_arm = dict(zip(ARMS, scores, strict=True)), dict(zip(ARMS, best, strict=True))
            scored.append(ScoredPair(*by_arm, _trivials(state, model, seed, len(scores[0].window))))
    whole = _figures(campaign, scored, len(pairs))
    figures = whole.on(campaign.judge_on) if whole else None
    plain = figures.unweighted() if figures else None
    return Comparison(
        campaign=campaign.id,
        model=model,
        inputs=inputs,
        split_fingerprint=campaign.split_fingerprint,
        pairs=tuple(pairs),
        checks=(*merged(checks), check_code(all_sides)),
        notes=_said_once([notes for notes in shared if notes]),
        doubts=version_doubts(all_sides),
        baseline=figures.arm("baseline") if figures else None,
        expanded=figures.arm("expanded") if figures else None,
        change=figures.change() if figures else None,
        strata=whole.strata() if whole and not campaign.subsets else (),  # one file is one source
        made=now,
        cap=campaign.cluster_cap,
        folds=campaign.folds,
        difference=figures.difference() if figures else None,
        unweighted=plain.change() if plain else None,
        unweighted_effects=plain.effects() if plain else None,
        effects=figures.effects() if figures else None,
        retrieval=figures.retrieval() if figures else (),
        judge_on=campaign.judge_on,
        contexts=_contexts(state, model),
        windows=single_windows(scored, _names(state, pairs), folds=campaign.folds) if whole else None,
        unfit=unfit_words(state, model, Judgement(state).health),
    )


def _names(state: CampaignState, pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    """The names of the held-out clusters that judge each pair."""
    folders = [state.dir.split_of(state.campaign.fold_of(pair.seed)) for pair in pairs]
    found = [find_document(SplitFacts, folder / "split.json") for folder in folders]
    return [facts.cluster_names if facts else () for facts in found]


def _contexts(state: CampaignState, model: str) -> tuple[ContextGain, ...]:
    """What the model gains over the next shorter context, which takes the place of the baseline arm."""
    campaign, found = state.campaign, []
    shorter = campaign.with_shorter(model)
    for arm in ARMS:
        scored: dict[int, ScoredPair] = {}
        for seed, *views in context_pairs(state, model, arm):
            scores = [_side(view)[0] for view in views]
            if all(scores):
                scored[seed] = ScoredPair(dict(zip(ARMS, scores, strict=True)), {}, {})  # type: ignore[arg-type]
        whole = _figures(campaign, list(scored.values()), len(scored))
        figures = whole.on(campaign.judge_on) if whole else None
        if shorter and figures:
            before, after = (figures.mean(name) for name in ARMS)
            contexts = campaign.context_of(model), campaign.context_of(shorter)
            found.append(ContextGain(arm, *contexts, after, before, figures.difference(), tuple(scored)))
    return tuple(found)


def _said_once(noted: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The first pair's notes, with a count of the other pairs that had notes: only the figures in them differ."""
    if not noted:
        return ()
    more = f" (likewise {plural(len(noted) - 1, 'other pair')})" if len(noted) > 1 else ""
    return tuple(note + more for note in noted[0])


def _figures(campaign: Campaign, scored: list[ScoredPair], pairs: int) -> Figures | None:
    """None unless every pair has scores, and both arms the same windows: of all seeds, or of the seed with folds."""
    if not scored or len(scored) < pairs:
        return None
    alike = all(
        (pair.scores["baseline"] if campaign.folds else scored[0].scores["baseline"]).same_windows(scores)
        for pair in scored
        for scores in pair.scores.values()
    )
    return Figures(scored, campaign.cluster_cap, folds=campaign.folds) if alike else None


def _side(view: RunView) -> tuple[WindowScores | None, ComparedRun]:
    """A finished run's scores, if they are what it vouched for, and what the checks need."""
    assert view.state and view.finished
    scores, fault = read_scores(view.folder.heldout, view.finished.heldout_digest)
    return scores, ComparedRun(
        state=view.state,
        starts=view.state.trainer.kept,
        scores_version=scores.version if scores else None,
        scores_fingerprint=scores.fingerprint if scores else "",
        fault=fault,
    )


def read_scores(path: Path, digest: str) -> tuple[WindowScores | None, str]:
    if fault := scores_fault(path, digest, signature(path)):
        return None, fault
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = [arrays[name] for name in ("window", "cluster", "stratum", "cosine", "last_cosine", "rank")]
            scores = WindowScores(int(arrays["version"]), str(arrays["fingerprint"]), *columns)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        return None, f"{path.name} cannot be read ({error})"
    if {column.shape for column in columns} != {(scores.window.size,)} or not scores.window.size:
        return None, f"{path.name} has columns of different length, or no windows"
    if wrong := int((~np.isfinite(scores.cosine) | ~np.isfinite(scores.last_cosine)).sum()):
        return None, f"{wrong:,} of {len(scores.window):,} held-out cosines are not finite"
    return scores, ""


def _trivials(state: CampaignState, model: str, seed: int, windows: int) -> dict[ArmName, dict[str, TrivialScores]]:
    """The trivial baselines of all contexts, of several as `ridge@3`: all contexts have the same held-out windows."""
    found: dict[ArmName, dict[str, TrivialScores]] = {arm: {} for arm in ARMS}
    for other in [f"{model.partition('@')[0]}@{context}" for context in state.campaign.contexts] or [model]:
        context = "".join(other.partition("@")[1:])
        for arm in ARMS:
            scores = trivial_scores(state, other, arm, seed, windows)
            found[arm] |= {of_context(name, context): one for name, one in scores.items()}
    return found


def trivial_scores(state: CampaignState, model: str, arm: ArmName, seed: int, windows: int) -> dict[str, TrivialScores]:
    """An arm's trivial baselines, as far as they are there and were scored on the windows of this seed."""
    path = state.dir.baseline_scores(arm, state.campaign.fold_of(seed), state.campaign.shorter(model))
    facts = find_document(TrivialBaselines, path)
    ours = (v.state.spec for v in state.runs if v.state and v.planned.seed == seed and not v.state.spec.imported)
    wanted = next((spec.split_fingerprint for spec in ours), state.campaign.split_fingerprint)
    if facts is None or facts.fingerprint != wanted:
        return {}
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            return {
                name: TrivialScores(cosines, arrays.get(f"{name}_rank"))
                for name in facts.scores
                if (cosines := arrays.get(f"{name}_cosine")) is not None and cosines.shape == (windows,)
            }
    except (ValueError, OSError, zipfile.BadZipFile):
        return {}
