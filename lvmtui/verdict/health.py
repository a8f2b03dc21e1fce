"""What is wrong with a run, as soon as its evaluations show it: alarms and notes, each with its numbers.

Pure. An alarm means that the run is no evidence about its data; a note is something a reader of its score must know.
The source of each threshold stands beside it; `benchmarks/health.py` tests them on healthy and on broken runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.results import Comparison
from lvmtui.formats.trainer_log import LONGEST_REASON, Evaluated, Failed, Finished
from lvmtui.state.run_state import RunState, TrainerState
from lvmtui.system.numbers import cosine as words_of
from lvmtui.system.numbers import finite, mean_of, numbered
from lvmtui.system.text import sanitise
from lvmtui.verdict.trend import OVERFIT_FALL, at_plateau, cosine_of, late_gain, peak, scored
from lvmtui.verdict.words import short_trivial, skill_words, the_trivial

Kind = Literal[
    "diverged", "collapsed", "failed_to_learn", "overfitting", "echoing", "no_better", "still_improving",
    "best_at_first",
]  # fmt: skip

EARLY = 0.25
"""Share of the run in which nothing is reported: models start near one constant vector."""
COLLAPSED_SHARE = 0.25
"""Least spread of predictions, as a share of the context mean's own. On the bundled validation windows that mean has
.58 to .65, 50 healthy runs had .49 to .57, collapsed ones under .05: the threshold, about .15, is far from both."""
COLLAPSED_SPREAD = 0.05
"""Least spread of predictions while the context mean's is unknown."""
FALL = 0.05
"""Without spread: by how much validation and training cosine fall when a run collapses. The original experiment's
fell by .137 and .105; healthy curves move by less than .01 from one evaluation to the next once they are up. Of
validation alone, over several evaluations: a fall to be told whatever training does."""
CONSTANT = 0.01
"""Without spread: how near together the cosines of one constant vector stay. The original's stayed within .001."""
ALIKE = 0.03
"""Without spread: how near validation and training cosine of one constant vector are. The original's: .001 to .021."""
EXPLODED = 10.0
"""A loss this many times its lowest value counts as diverged, though still finite. On unit vectors, predicting nothing
has a mean squared error within 2 times the best, so only exploding weights reach this."""
BELOW = 0.01
"""Cosine below the context mean at which a run has failed to learn; seeds differ by .001."""
OVERFIT_EVALUATIONS = 3
"""Evaluations after the peak, all below it, that make a fall a trend."""
ECHO_SHARE = 0.6
"""Share of the way from the context mean's margin to copy-last's: the recency mean is at .28, good runs at .1 to .3."""
ECHO_COSINE = 0.9
"""Cosine with the last context vector; the context mean has .69 with it, recency mean and healthy runs up to .82."""
NO_BETTER = 0.001
"""Cosine by which a run must beat the context mean on the validation windows: what seeds differ by."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    kind: Kind
    alarm: bool
    """True if the run is no evidence about its data; False for a note."""
    words: str
    """With the numbers behind it."""
    short: str = ""
    """See `label`; empty: the name of the kind."""
    shared: str = ""
    """The words where other seeds have it too, without what not all of them did; empty: the same."""
    on_heldout: bool = False
    """It is about the held-out windows; what is shown beside it may be about the validation windows."""
    seeds: int = 1
    """How many runs of its arm have it."""

    @property
    def label(self) -> str:
        """At most 18 characters, for the cell of a table: `failed to learn`, `below ridge`."""
        return self.short or self.kind.replace("_", " ")


CONSTANT_NETWORK = Finding(
    "collapsed", True, "trained a network whose output is the same for every context", "constant network"
)
"""With what the recipe adds to that output, as a prior, predictions and their spread may look healthy."""


def of_seeds(found: Sequence[tuple[int, Finding]], *, several: bool) -> str:
    """The same finding on some seeds of an arm, in the first one's words; where the campaign has `several` seeds with
    those that have it: `echoes the last vector: ... (seed 1; also seeds 2, 3)`."""
    (first, finding), *others = found
    also = f"; also {numbered([seed for seed, _ in others], 'seed')}" if others else ""
    alike = all(one.words != one.shared for _, one in found)  # what it did beyond that, the others did too
    told = finding.words if alike else finding.shared or finding.words
    return f"{told} (seed {first}{also})" if several else told


def health_of(
    run: RunState, trivial: TrivialBaselines | None, comparison: Comparison | None = None
) -> tuple[Finding, ...]:
    """What the run's events show now, alarms first; empty for a healthy run.

    `trivial`: the trivial baselines of the run's arm, None as long as they are not there: then only what the run's own
    figures can show is said. `comparison`: of its model, once there is one; its interval then decides whether a trivial
    baseline is better. Runs of other programs have validation windows of their own, so they are held against
    the baselines on the held-out windows alone.
    """
    trainer = run.trainer
    if found := _diverged(trainer, run.spec.unit):
        return (found,)
    if run.spec.own_model and run.spec.own_model.constant:
        return (CONSTANT_NETWORK,)
    evaluations, best = scored(trainer.evaluations), peak(trainer.evaluations)
    if best is None:
        return ()
    total = max(1, run.spec.total_steps)
    over = trainer.finished is not None or evaluations[-1].step >= total
    late = over or evaluations[-1].step >= EARLY * total
    judged, scores = _on_heldout(run, trivial), comparison.arm(run.spec.arm) if comparison else None
    skill = scores.skill if scores else None  # with several contexts perhaps over a baseline of another one
    known = skill_words(skill.gain) if skill and skill.against.partition("@")[2] in ("", str(run.spec.context)) else ""
    if run.spec.foreign or (trivial is not None and trivial.arm != run.spec.arm):
        trivial = None
    if found := _collapsed(evaluations, trivial, late):
        return (found,)
    failed = _failed_to_learn(evaluations[-1], best, trivial, judged) if over else None
    findings = (
        failed,
        _overfitting(evaluations, best, failed),
        _echoing(evaluations[-1], trivial),
        _no_better(best, trivial, judged, known) if late and not failed else None,
        _still_improving(run, evaluations),
        None if failed else _best_at_first(evaluations, best, trainer.finished),
    )
    return tuple(f for f in findings if f is not None)


# Alarms -------------------------------------------------------------------------------------------------------------


def _diverged(trainer: TrainerState, unit: str) -> Finding | None:
    """The loss is not finite, or has exploded."""
    ending = trainer.ending
    if isinstance(ending, Failed) and ending.reason == "diverged":
        where = f"{unit} {ending.step:,}"
        return Finding("diverged", True, f"diverged at {where}: {sanitise(ending.message, LONGEST_REASON)}")
    for evaluation in trainer.evaluations:
        if finite(evaluation.loss) is None and finite(evaluation.cosine) is None:
            return Finding("diverged", True, f"diverged at {evaluation.where}: its validation is not finite")
    return _exploded(trainer.evaluations)


def _exploded(evaluations: Sequence[Evaluated]) -> Finding | None:
    """The newest jump of a loss far above all earlier values, unless a better evaluation followed. Validation and
    training losses are each compared with themselves: where a model memorises they differ much without exploding."""
    lowest = {"": math.inf, "training ": math.inf}
    found = None
    for evaluation in evaluations:
        told = {"": evaluation.loss, "training ": evaluation.train_loss}
        losses = {kind: loss for kind, value in told.items() if (loss := finite(value)) is not None}
        jumps = {kind: loss / lowest[kind] for kind, loss in losses.items() if loss > EXPLODED * lowest[kind] > 0}
        if jumps:
            kind = max(jumps, key=jumps.__getitem__)
            words = f"{kind}loss {losses[kind]:.3g}, {jumps[kind]:.0f} times its lowest before"
            found = Finding("diverged", True, f"diverged at {evaluation.where}: {words}")
        elif evaluation.best:
            found = None
        lowest |= {kind: min(loss, lowest[kind]) for kind, loss in losses.items()}
    return found


def _collapsed(evaluations: Sequence[Evaluated], trivial: TrivialBaselines | None, late: bool) -> Finding | None:
    """Every prediction is the same vector."""
    if finite(evaluations[-1].spread) is None:
        return _collapsed_without_spread(evaluations)
    context = trivial.spread_mean if trivial and trivial.spread_mean else None
    limit = COLLAPSED_SHARE * context if context else COLLAPSED_SPREAD
    same = list(takewhile(lambda e: e.spread is not None and e.spread < limit, reversed(evaluations)))
    if not same or not late:
        return None
    beside = f" of the context's {words_of(context, 2)}" if context else ", healthy runs have over .3"
    spread = words_of(max(0.0, evaluations[-1].spread or 0.0), 3)
    return Finding("collapsed", True, f"predicts the mean vector since {same[-1].where}: spread {spread}{beside}")


def _collapsed_without_spread(evaluations: Sequence[Evaluated]) -> Finding | None:
    """Histories of other programs: validation and training cosine fall together and stay constant."""
    last = evaluations[-1]
    constant = list(takewhile(lambda e: abs(cosine_of(e) - cosine_of(last)) <= CONSTANT, reversed(evaluations)))
    first, before = constant[-1], evaluations[: -len(constant)]
    trains = [value for e in constant if (value := finite(e.train_cosine)) is not None]
    trains_before = [value for e in before if (value := finite(e.train_cosine)) is not None]
    if len(constant) < 2 or not before or len(trains) < len(constant) or not trains_before:
        return None
    top, train_top = max(map(cosine_of, before)), max(trains_before)
    fell = top - cosine_of(first) >= FALL and train_top - trains[0] >= FALL  # trains[0] is the newest
    alike = abs(trains[0] - cosine_of(last)) <= ALIKE
    # The first training cosine of the constant stretch is a mean over the fall itself.
    steady = max(trains[:-1]) - min(trains[:-1]) <= CONSTANT
    if not (fell and alike and steady):
        return None
    words = (
        f"collapsed at {first.where}: validation and training cosine fell together from {words_of(top, 3)} and "
        f"{words_of(train_top, 3)}, and stay at {words_of(last.cosine, 3)} and {words_of(trains[0], 3)}"
    )
    return Finding("collapsed", True, words)


def _failed_to_learn(
    last: Evaluated, best: Evaluated, trivial: TrivialBaselines | None, judged: Judged | None
) -> Finding | None:
    """Even its highest validation cosine is below that of the mean of the context; or it ended there, and not
    because it overfitted: training is below that mean too, and has not risen since. (Validation windows may be easier
    than those of training.) Of another program's run: on the held-out windows."""
    highest = f"{words_of(best.cosine)}, {best.where}"
    if trivial is None:
        if judged is None or judged[0] >= (mean := judged[1].get("mean", -1.0)) - BELOW:
            return None
        means = f"held-out cosine {words_of(judged[0])}, the context mean has {words_of(mean)} (plain means)"
        words = shared = f"failed to learn: {means}"
        if cosine_of(last) <= cosine_of(best) - OVERFIT_FALL:
            words += f"; its validation cosine fell from {highest}, to {words_of(last.cosine)}"
        return Finding("failed_to_learn", True, words, shared=shared, on_heldout=True)
    bar = trivial.validation_mean - BELOW
    then, train = finite(best.train_cosine), finite(last.train_cosine)
    learned = train is None or train >= bar or (then is not None and train > then + OVERFIT_FALL)
    if cosine_of(last) >= bar or (cosine_of(best) >= bar and learned):
        return None
    end, known = f"{words_of(last.cosine)} at the end, training {words_of(train)}", words_of(trivial.validation_mean)
    if cosine_of(best) >= bar:
        words = f"fell apart: validation cosine {end}, the context mean has {known}; its best was {highest}"
        return Finding("failed_to_learn", True, words, "fell apart")
    words = shared = f"failed to learn: highest validation cosine {highest}, the context mean has {known}"
    if train is not None and learned and cosine_of(last) <= cosine_of(best) - OVERFIT_FALL:
        words += f"; then it overfitted: {end}"
    return Finding("failed_to_learn", True, words, shared=shared)


Judged = tuple[float, dict[str, float]]
"""A run's held-out cosine, and those of the trivial baselines on the same windows, by name (plain means)."""


def _on_heldout(run: RunState, trivial: TrivialBaselines | None) -> Judged | None:
    finished = run.trainer.finished
    if trivial is None or (trivial.arm, trivial.fingerprint) != (run.spec.arm, run.spec.split_fingerprint):
        return None
    if finished is None or not finished.heldout.windows or not trivial.scores:
        return None
    return finished.heldout.cosine, {name: score.cosine for name, score in trivial.scores.items()}


# Notes --------------------------------------------------------------------------------------------------------------


def _overfitting(evaluations: Sequence[Evaluated], best: Evaluated, failed: Finding | None) -> Finding | None:
    """Validation falls over several evaluations while training rises; or so far that it does not matter what that does:
    one that goes on for long at a high rate may lose what it had learned of both."""
    last = evaluations[-1]
    after = [e for e in evaluations if e.step > best.step]
    # a single one is noisy, above all of one batch
    ends = [best, *after][:OVERFIT_EVALUATIONS], after[-OVERFIT_EVALUATIONS:]
    train_then, train_now = (mean_of(e.train_cosine for e in end) for end in ends)
    rose = train_then is not None and train_now is not None and train_now > train_then
    bar = cosine_of(best) - (OVERFIT_FALL if rose else FALL)
    if len(after) < OVERFIT_EVALUATIONS or max(map(cosine_of, after[-OVERFIT_EVALUATIONS:])) > bar:
        return None
    fell = f"validation cosine {words_of(best.cosine)} at its peak, {best.where}, now {words_of(last.cosine)}"
    if rose:
        rise = f"from {words_of(train_then)} to {words_of(train_now)} (means of {OVERFIT_EVALUATIONS})"
        return Finding("overfitting", False, f"overfitting: {fell}, while training rose {rise}")
    return None if failed else Finding("overfitting", False, f"got worse: {fell}", "validation fell")


def _echoing(last: Evaluated, trivial: TrivialBaselines | None) -> Finding | None:
    """The prediction is the last context vector again."""
    if trivial is None or trivial.echo_margin is None or trivial.mean_margin is None:
        return None
    margin, beside, way = finite(last.margin), finite(last.last_cosine), trivial.mean_margin - trivial.echo_margin
    if margin is None or beside is None or way <= 0:
        return None
    share = (trivial.mean_margin - margin) / way
    if share <= ECHO_SHARE or beside <= ECHO_COSINE:
        return None
    words = (
        f"echoes the last vector: cosine {words_of(beside, 3)} with it, validation margin "
        f"{words_of(margin, 3)}, {share:.0%} of the way from the context mean to a copy"
    )
    return Finding("echoing", False, words, "echoes last vector")


def _no_better(best: Evaluated, trivial: TrivialBaselines | None, judged: Judged | None, known: str) -> Finding | None:
    """A trivial baseline predicts as well; `below` it in the digits shown, unless an interval (`known`) denies it."""
    if judged:
        reached, scores = judged
        name, bar = max(scores.items(), key=lambda item: item[1])
        if reached > bar or known == "better":
            return None
        of, means = f"{the_trivial(name)} on the held-out windows", " (plain means)"
    elif trivial is None:
        return None
    else:
        name, reached, bar = "mean", cosine_of(best), trivial.validation_mean
        if reached >= bar + NO_BETTER:
            return None
        of, means = "the context mean so far", ""
    words = f"no better than {of}: {words_of(reached)} against {words_of(bar)}{means}"
    below = reached < bar and words_of(reached) != words_of(bar) and "better" not in known
    short = f"{'below' if below else 'at'} {short_trivial(name)}"
    return Finding("no_better", False, words, short, on_heldout=judged is not None)


def _still_improving(run: RunState, evaluations: Sequence[Evaluated]) -> Finding | None:
    """More training would have helped."""
    anneals = run.spec.recipe.schedule == "cosine" and not run.spec.own_trainer
    gain, end = late_gain(evaluations, anneals=anneals), "half" if anneals else "quarter"
    if run.trainer.finished is None or run.improved_no_more or gain is None or at_plateau(evaluations, anneals=anneals):
        return None
    words = f"still improving at the end: {words_of(gain)} of validation cosine came in the last {end}"
    return Finding("still_improving", False, words)


def _best_at_first(evaluations: Sequence[Evaluated], best: Evaluated, finished: Finished | None) -> Finding | None:
    """It may have been better still before anybody looked, and then what is judged is worse than what was trained."""
    fell = cosine_of(best) - cosine_of(evaluations[-1])
    if finished is None or best is not evaluations[0] or fell < NO_BETTER:
        return None
    words = f"had its best score at the first evaluation, {best.where}; it may have been better still before"
    return Finding("best_at_first", False, words)
