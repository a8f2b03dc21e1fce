"""Does the difference between two runs come from their data? Every condition, with what was found. Pure.

In trials, half of an apparent gain was the smaller arm's unfinished training, and the experiment this program was
modelled on compared arms on different validation windows. So each condition is checked; a row shows what fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

from lvmtui.estimate.stopping import without_better
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import PairFacts
from lvmtui.formats.results import METRIC, Check
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import Started
from lvmtui.state.campaign_reader import RunView
from lvmtui.state.run_state import RunState
from lvmtui.system.numbers import cosine, numbered, plural
from lvmtui.system.text import V, grouped, sanitise
from lvmtui.verdict.trend import at_plateau, late_gain
from lvmtui.verdict.words import listed

SHARED_MACHINE = 1.5
"""A difference in speed is noted from this factor on: between the arms, or between a run's median and slowest tenth."""
MORE_WINDOWS = 1.05
"""Times as many windows from which the same number of epochs is said to be longer training."""
BOTH_ARMS = "train both arms here (lvmtui run --baseline SMALL --expanded LARGE)"
"""What helps where another program's runs cannot be compared."""
LONGER = "longer training (more --epochs), or equally many updates for both arms (--recipe tuned)"
"""What helps where one arm was given fewer updates and was still improving."""

HISTORY = "a history, of which nothing was judged here"


@dataclass(frozen=True)
class ComparedRun:
    """One run of a pair, with what only its files say."""

    state: RunState
    starts: tuple[Started, ...]
    """See `TrainerState.kept`."""
    scores_version: int | None
    """Version of `heldout.npz`; None if the file cannot be used."""
    scores_fingerprint: str
    """Fingerprint of the windows it scores."""
    fault: str
    """Why `heldout.npz` cannot be used, in words; else empty."""

    @property
    def label(self) -> str:
        return self.state.spec.label


def checks_of(
    campaign: Campaign, baseline: ComparedRun, expanded: ComparedRun, data: PairFacts | None = None
) -> tuple[Check, ...]:
    """All conditions of a fair comparison, in the order in which people ask for them. `data`: of both data sets."""
    sides = (baseline, expanded)
    # The held-out windows that both arms must share; with folds, those of their seed's fold.
    split = baseline.state.spec.split_fingerprint if campaign.folds else campaign.split_fingerprint
    faults = "; ".join(f"{s.label}: {HISTORY if s.state.spec.history else s.fault}" for s in sides if s.fault)
    return (
        _check("held-out scores", faults, "both runs finished and their scores were intact then"),
        _check_windows(campaign, sides, split),
        _check_disjoint(sides, split),
        _check_recipe(baseline.state, expanded.state),
        _check_metric(sides),
        _check_space(baseline.state, expanded.state, data),
        _check_start(sides),
        _check_chance(baseline.state, expanded.state),
    )


def merged(checks: Mapping[int, tuple[Check, ...]]) -> tuple[Check, ...]:
    """The checks by seed as one list: a condition that fails for one seed fails. Where seeds differ, they are named."""
    return tuple(_of_seeds(dict(zip(checks, same, strict=True))) for same in zip(*checks.values(), strict=True))


def _of_seeds(same: Mapping[int, Check]) -> Check:
    shown = {seed: check for seed, check in same.items() if not check.passed} or same
    told = grouped((check.words, seed) for seed, check in shown.items())
    first = next(iter(shown.values()))
    if len(told) == 1 and len(shown) == len(same):
        return first
    said = (f"{numbered(seeds, 'seed')}: {words}" for words, seeds in told.items() if words)
    return replace(first, words="; ".join(said))


def check_code(sides: Sequence[ComparedRun]) -> Check:
    """Were all runs of the model, of both arms, every seed and every attempt, trained by the same code, and are they
    of the same size? Left out are runs of other programs, which are named, and runs that did not record their code."""
    ours = [side for side in sides if not side.state.spec.imported]
    codes = _by_value((side, start.code) for side in ours for start in side.starts)
    told = [*ours, *(side for side in sides if side.state.spec.history)]  # what loads weights fits them
    parameters = _by_value((side, start.parameters) for side in told for start in side.starts)
    if len(parameters) > 1:
        found = ", ".join(f"{', '.join(names)} {count:,}" for count, names in parameters.items())
        return Check("same model", False, f"the runs have different numbers of parameters: {found}")
    if len(codes) > 1:
        found = "; another ".join(", ".join(names) for names in codes.values())
        return Check(
            "same model",
            False,
            f"the code that trains changed between runs: one version trained {found}",
            "plan a new campaign with the same options, which trains all runs with one version of the code",
        )
    others, unknown = _imported(sides), [side for side in ours if not all(start.code for start in side.starts)]
    but = f" but those of {others} (another program's, its code is not known)" if others else ""
    if codes and unknown:  # an earlier version of lvmtui did not write it down
        names = ", ".join(f"{side.label} seed {side.state.spec.seed}" for side in unknown)
        return Check("same model", True, f"the runs whose code is known were trained by the same; not known of {names}")
    same = f"all runs{but} {'were trained by the same code' if codes else 'have the same number of parameters'}"
    return Check("same model", True, same if codes or parameters else "its code and its parameters are not known")


def version_doubts(sides: Sequence[ComparedRun]) -> tuple[str, ...]:
    """Libraries, and files that a trainer of the user's own names, that differ between runs or attempts."""
    sides = [side for side in sides if not side.state.spec.imported]
    libraries = dict.fromkeys(name for side in sides for start in side.starts for name in start.versions)
    notes = []
    for library in libraries:
        found = _by_value((side, start.versions.get(library, "unknown")) for side in sides for start in side.starts)
        if len(found) > 1:
            versions = ", ".join(f"{sanitise(version, 40)} ({', '.join(names)})" for version, names in found.items())
            notes.append(f"the runs used different versions of {sanitise(library, 40)}: {versions}")
    return tuple(notes)


def _by_value(values: Iterable[tuple[ComparedRun, V]]) -> dict[V, list[str]]:
    """The runs that have each value, by label and seed; without what is not known (empty, 0)."""
    found = grouped((value, f"{side.label} seed {side.state.spec.seed}") for side, value in values if value)
    return {value: list(dict.fromkeys(names)) for value, names in found.items()}


def settled(state: RunState) -> bool:
    """True if more of the same training would not have raised the run's validation cosine."""
    return state.improved_no_more or at_plateau(state.trainer.evaluations)


SAME = "both arms told the same cosines to all digits, so both may have been trained on the same data"
SAME_SCORES = (
    "the predictions of both arms score the same to all digits, so they may not depend on the training, or both were "
    "trained on the same data"
)


def own_doubts(views: Iterable[RunView], pairs: Sequence[tuple[RunView, RunView]]) -> tuple[str, ...]:
    """What to doubt of how the arms were trained, mostly by a program of the user's own. `pairs`: the finished ones."""
    runs = [(run, view.finished) for view in views if (run := view.state) and run.spec.own_trainer]
    ended = [
        f"{run.spec.label} ended at {run.step:,} of {run.spec.total_steps:,} {run.spec.unit}s"
        for run, finished in runs
        if finished and finished.stopped_early
    ]
    unread = [
        f"{run.spec.label} told of no evaluation that its pattern understands, so whether it diverged is not seen"
        for run, finished in runs
        if finished and run.spec.own_trainer and run.spec.own_trainer.pattern and not run.trainer.evaluations
    ]
    same, longer = ([of(*pair) for pair in pairs] for of in (_told_the_same, _longer))
    passed = [_passed_over(view.state) for view in views if view.state and view.state.spec.history]
    return tuple(dict.fromkeys(filter(None, (*ended, *unread, *same, *longer[:1], *passed))))


def _passed_over(run: RunState) -> str:
    """That the epoch of a history with the lowest loss, which counts, tells no cosine."""
    losses = [(e.loss, e) for e in run.trainer.evaluations if e.loss is not None]
    _, lowest = min(losses, key=lambda one: one[0], default=(0.0, None))
    if lowest is None or lowest.cosine is not None or run.trainer.best is None or run.spec.model == "graphmert_lvm":
        return ""
    counts = f"the cosine is that of epoch {run.trainer.best.epoch:g}"
    return f"{run.spec.label}: epoch {lowest.epoch:g} has the lowest loss and tells no cosine; {counts}"


def scored_alike(again: Sequence[int], twins: Sequence[str]) -> tuple[str, ...]:
    """What to doubt where seeds scored exactly `again` as an earlier one did, or models as this one did (`twins`)."""
    seeds = f"seed{'s' * (len(again) > 1)} {listed([str(seed) for seed in again])} scored exactly as an earlier one did"
    why = "its program does not use the seed ({seed}, run.seed), or nothing in it is random"
    once = f"{seeds}, so they count as one and training noise is not known: {why}"
    other = f"scored exactly as {sanitise(listed(twins), 300)}: it may be the same program under two names"
    return (*([once] if again else []), *([other] if twins else []))


def _longer(baseline: RunView, expanded: RunView) -> str:
    """That both arms were given the same epochs, which are more updates on the larger one."""
    specs = [view.state.spec for view in (baseline, expanded) if view.state and view.state.planned_steps]
    told = {(spec.own_trainer.unit, spec.total_steps) for spec in specs if spec.own_trainer}
    if len(specs) < 2 or len(told) != 1 or specs[0].unit != "epoch":
        return ""
    small, large = specs
    times = large.train_windows / max(1, small.train_windows)
    more = f"{large.label} has {times:.1f} times as many windows: a part of the change may be longer training"
    return f"both arms were given {large.total_steps:,} epochs, and {more}" if times >= MORE_WINDOWS else ""


def _told_the_same(baseline: RunView, expanded: RunView) -> str:
    """That two finished runs did the same, held-out or at every evaluation: an own program may ignore its arm."""
    ends, states = (baseline.finished, expanded.finished), (baseline.state, expanded.state)
    if held := [end.heldout.cosine for end in ends if end and end.heldout.windows]:
        return SAME_SCORES if len(held) == 2 and held[0] == held[1] else ""
    told, other = ([e.cosine for e in state.trainer.evaluations] for state in states if state)
    return SAME if told == other and any(told) else ""


def contention_notes(baseline: RunState, expanded: RunState) -> tuple[str, ...]:
    """Training speeds that differ more than one run's own work explains; figures of time suffer, scores do not.

    Why is not known: other programs, and the campaign's own runs side by side, both look like this.
    """
    notes = []
    speeds = {s.spec.label: [p.windows_per_second for p in s.trainer.points] for s in (baseline, expanded)}
    for label, speed in speeds.items():
        if len(speed) >= 20 and median(speed) > SHARED_MACHINE * (slow := sorted(speed)[len(speed) // 10]) > 0:
            notes.append(
                f"{label}: uneven speed, a tenth of the training at {slow:,.0f} windows/s or less, half of it above "
                f"{median(speed):,.0f}; times are rough"
            )
    if not notes and all(speeds.values()) and len(speeds) == 2:
        (slow, slow_label), (fast, fast_label) = sorted((median(speed), label) for label, speed in speeds.items())
        if fast > SHARED_MACHINE * slow > 0:
            notes.append(
                f"{fast_label} trained at {fast:,.0f} windows/s, {slow_label} at {slow:,.0f}; times of the two are not "
                "comparable"
            )
    return tuple(notes)


def _check(name: str, fault: str, words: str) -> Check:
    return Check(name, not fault, fault or words)


def _both(words: str, sides: Sequence[ComparedRun]) -> str:
    """What was done with the scores of both; empty where one has none."""
    return "" if any(side.fault for side in sides) else f"both {words}"


def _check_windows(campaign: Campaign, sides: tuple[ComparedRun, ComparedRun], split: str) -> Check:
    other = " and ".join(s.label for s in sides if not s.fault and s.scores_fingerprint != split)
    judged = "the windows of each seed's fold" if campaign.folds else f"the same {campaign.heldout_windows:,} windows"
    fault = other and f"{other} judged on other held-out windows than this campaign's"
    return _check("held-out windows", fault, _both(f"judged on {judged}", sides))


def _check_disjoint(sides: tuple[ComparedRun, ComparedRun], split: str) -> Check:
    if any(side.state.spec.history for side in sides):
        return Check("held-out by content", False, "")  # nobody knows
    unproven = " and ".join(s.label for s in sides if s.state.spec.split_fingerprint != split)
    fault = unproven and f"{unproven} may have trained on held-out vectors: its split is another one"
    words = "no training or validation window of either arm holds a held-out vector"
    # For runs of another trainer this rests on the vectors it was given, or on the file a person named.
    if any(side.state.spec.own_trainer for side in sides):
        words += " among those its own trainer was given"
    elif others := _imported(sides):
        words += f", {others} being trained on the file named by --trained-on"
    return _check("held-out by content", fault, words)


def _imported(sides: Iterable[ComparedRun]) -> str:
    """The labels of runs that another program trained."""
    return " and ".join(dict.fromkeys(side.label for side in sides if side.state.spec.imported))


def _check_recipe(baseline: RunState, expanded: RunState) -> Check:
    ours, theirs = baseline.spec, expanded.spec
    if ours.own_trainer or theirs.own_trainer:
        commands = [side.own_trainer.command if side.own_trainer else "lvmtui's trainer" for side in (ours, theirs)]
        same = len(set(commands)) == 1
        words = f"both trained by: {commands[0]}" if same else f"trained differently: {' and '.join(commands)}"
        return Check("recipe", same, sanitise(words, 300))
    if differ := differences(ours, theirs):
        return Check("recipe", False, f"trained differently: {differ}", "train both arms the same way (same options)")
    others = " and ".join(side.label for side in (ours, theirs) if side.imported)
    told = f", as far as the history of {others} tells" if others else ""
    return Check("recipe", True, f"both trained by '{theirs.recipe.name}'{told}")


def differences(ours: RunSpec, theirs: RunSpec) -> str:
    """How two runs are trained differently: `epochs 10.0 and 8.0`; at most three things. Empty: they are not."""
    values, others = (  # a loss of one's own by its source and digest: each campaign has a copy of its own
        {"model": spec.model, "size": spec.size, **asdict(spec.recipe), "own_loss": spec.recipe.loss_words}
        for spec in (ours, theirs)
    )
    if ours.imported:  # by another program, as far as its history tells
        others["name"] = values["name"]
    others["least_updates"] = values["least_updates"]  # what came of it, their updates, is a check of its own
    differ = [f"{name} {value} and {others[name]}" for name, value in values.items() if value != others[name]]
    return ", ".join(differ[:3])


def _check_metric(sides: tuple[ComparedRun, ComparedRun]) -> Check:
    other = ", ".join(f"{s.label} version {s.scores_version}" for s in sides if s.scores_version not in (None, METRIC))
    fault = other and f"scores of another version than {METRIC}: {other}"
    return _check("metric", fault, _both(f"scored by version {METRIC}", sides))


def _check_space(baseline: RunState, expanded: RunState, data: PairFacts | None) -> Check:
    shapes = {(s.spec.dim, s.spec.context) for s in (baseline, expanded) if s.spec.dim}  # unknown of some histories
    if len(shapes) > 1:
        return Check("vector space", False, "vectors of different dimension or contexts of different length")
    dim, context = expanded.spec.dim, expanded.spec.context
    words = f"both of {dim} dimensions, contexts of {context}"
    if data and data.same_space == "no":
        rows = ", ".join(sanitise(rows, 100) for rows in data.space.elsewhere) if data.space else ""
        return Check("vector space", False, f"not all vectors are of one space{f' ({rows})' if rows else ''}")
    known = {"yes": ", with vectors in common", "unknown": ", and nothing proves that one encoder made both"}
    return Check("vector space", True, words + known.get(data.same_space if data else "", ""))


def _check_start(sides: tuple[ComparedRun, ComparedRun]) -> Check:
    continued = " and ".join(side.label for side in sides if not side.starts or side.starts[0].resumed_from)
    others = _imported(sides)
    words = "both started from random weights" + (f", of {others} as far as the history tells" if others else "")
    if any(side.state.spec.own_trainer for side in sides):
        words = "both began at the first step, with which weights is for their own trainer to say"
    return _check("own start", continued and f"{continued} continued from another run's checkpoint", words)


def _check_chance(baseline: RunState, expanded: RunState) -> Check:
    name, both = "equal chance to learn", (baseline, expanded)
    if all(run.planned_steps is None for run in both):
        return Check(name, True, "how long both trained was their own script's choice")
    steps = baseline.spec.total_steps, expanded.spec.total_steps
    foreign = baseline.spec.imported or expanded.spec.imported
    if steps[0] == steps[1] and not foreign:
        return Check(name, True, f"both were given {_given(baseline)}{''.join(map(_early_end, both))}")
    given = f"{_given(baseline)} and {_given(expanded)}"
    if all(run.spec.own_trainer and run.spec.unit == "epoch" and run.spec.recipe.equal_updates for run in both):
        return Check(name, True, f"{given}, planned for as many updates of both")
    rising = [state for state in both if not settled(state)]
    if not rising:
        return Check(name, True, f"{given}, both at their plateau")
    words = f"{given}, and {' and '.join(_rise(state) for state in rising)}"
    planned_together = baseline.spec.campaign == expanded.spec.campaign
    return Check(name, False, words, BOTH_ARMS if foreign else LONGER if planned_together else "")


def _early_end(state: RunState) -> str:
    """`; 8k ended early: best at epoch 0.6, its first evaluation, no better in 8 evaluations`, or nothing."""
    evaluations, best, finished = state.trainer.evaluations, state.trainer.best, state.trainer.finished
    if finished is None or not finished.stopped_early:
        return ""
    if best is None:
        return f"; {state.spec.label} ended early"
    worse = without_better(evaluations)
    which = ", its last evaluation" if not worse else ", its first evaluation" if best is evaluations[0] else ""
    then = f", no better in {plural(worse, 'evaluation')}" if worse else ""
    return f"; {state.spec.label} ended early: best at {best.where}{which}{then}"


def _given(state: RunState) -> str:
    """The training it was given; of another program perhaps epochs only are counted."""
    return f"{state.spec.total_steps:,} {'epochs (updates not known)' if state.spec.unit == 'epoch' else 'updates'}"


def _rise(state: RunState) -> str:
    gain = late_gain(state.trainer.evaluations)
    if gain is None:
        return f"{state.spec.label} has too few evaluations to show a plateau"
    return f"{state.spec.label} was still improving ({cosine(gain)} of cosine in the last quarter)"
