"""What to do about what was observed. Pure, so that the rules can be read and tested without a process.

`decide` looks at one moment and returns actions; it remembers nothing. What must be remembered (when a process was
asked to leave) is part of the observation. An action is a small step, and the next observation follows at once: a
death is noted in one tick, the run started again in the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

from lvmtui.formats.supervisor_log import Adopted, GaveUp, Lost, Stopped
from lvmtui.formats.trainer_log import IN_THE_PLAN, Exit, Failed, Finished, Interrupted, Started
from lvmtui.state.attempt import AS_ASKED, RETRIED, STALLED, UNBEGUN, Attempt, is_silent
from lvmtui.state.run_state import RunState
from lvmtui.state.status import GONE, Phase, goes_on_words, left_words
from lvmtui.supervisor.engine import Member
from lvmtui.supervisor.observation import NO_FOLDER, CampaignSeen, Observation, RunSeen
from lvmtui.system import numbers as words


@dataclass(frozen=True)
class Rules:
    """How patient the supervisor is. Seconds."""

    cancel_wait: float = 10.0
    """From asking to insisting: a trainer looks at its orders once a step, which may take it seconds."""
    insist_again: float = 1.0
    """A killed process can take a moment to go, and one in the kernel's hands (a dead disk) does not go at all."""
    leave_wait: float = 30.0
    """From a trainer's last log line to insisting that it leaves: an interpreter with torch needs a second or two."""
    retries: int = 2
    """Times a run is started again after it died at the same checkpoint under the same order."""
    space_wait: float = 15.0
    """Between two tries of a run that found its folder locked, or the disk full, as a quota may say of any disk."""
    startup: float = 120.0
    """A trainer is not called stalled before its first step until then: on a busy disk the imports take long."""
    word_wait: float = 5.0
    """From the end of a job on another host to concluding that it did not log how: its last words may come late."""
    pause_wait: float = 60.0
    """From an order to pause to asking a trainer of another host: a shared file system may show the order so late."""


SPARE = 1 << 20
"""Bytes that must be free beyond what a write needed: logs grow too."""
NEEDED = 16 << 20
"""Bytes a run that found the disk full waits for, where it could not say what it needs."""

REMAINS = "left behind by its trainer"
CANCEL = "cancelled"

LEFT: dict[int, str] = {
    Exit.LOCKED: "another process trains this run",
    Exit.PAUSED: AS_ASKED,
    Exit.INTERRUPTED: "left on a signal before it began",
    Exit.CANCELLED: AS_ASKED,
    Exit.NO_SPACE: "the disk is full",
}
"""Exit codes of a trainer that left without logging how it ended. None of them counts as a death."""
KILLED = 128
"""A shell's exit code for a command that a signal has killed, and more: somebody ended it, no fault of the script."""
LATER = (Exit.LOCKED, Exit.NO_SPACE)
"""Those of them that would only happen again if the run were started at once."""


# What is to be done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    run: str


@dataclass(frozen=True)
class AskToLeave:
    """Ask everything of the run to leave."""

    run: str
    reason: str


@dataclass(frozen=True)
class Insist:
    """Kill everything of the run."""

    run: str
    reason: str


@dataclass(frozen=True)
class WriteDown:
    """Write what has been found into the run's log: a process that is its own, a death, a cancel that was carried out,
    that it is not tried again. The record has no time yet."""

    run: str
    record: Adopted | Lost | Stopped | GaveUp
    later: bool = False
    """Do not start the run at once."""


Action = Start | AskToLeave | Insist | WriteDown


# The decision ---------------------------------------------------------------------------------------------------------


def decide(observation: Observation, rules: Rules = Rules()) -> tuple[Action, ...]:
    """What to do now, at most one action a run."""
    runs = [(run, campaign.stall_timeout) for campaign in observation.campaigns for run in campaign.runs]
    runs += [(orphan, None) for orphan in observation.orphans]
    actions: list[Action] = [action for run, timeout in runs if (action := settle(run, rules, timeout))]
    if observation.can_write:
        actions += [Start(run.name) for run in _to_start(observation, {action.run for action in actions}, rules)]
    return tuple(actions)


def active_campaign(observation: Observation, rules: Rules) -> CampaignSeen | None:
    """The campaign whose turn it is: the oldest with something that runs or could. The others wait."""
    turns = (c for c in observation.campaigns if any(r.alive or r.wanted or _has_room(r, rules) for r in c.runs))
    return next(turns, None)


def turns(observation: Observation, rules: Rules) -> dict[str, str]:
    """The campaigns with runs to start whose turn it is not, and the one whose turn it is."""
    first = active_campaign(observation, rules)
    waiting = (c.id for c in observation.campaigns if c is not first and any(run.wanted for run in c.runs))
    return dict.fromkeys(waiting, first.id) if first else {}


def work_left(observation: Observation) -> bool:
    """True while a supervisor is needed without anybody giving an order."""
    runs = [run for campaign in observation.campaigns for run in campaign.runs]
    if observation.orphans or any(r.alive or r.wanted or (not r.probe.known and r.unsettled) for r in runs):
        return True
    waits = (r for r in runs if r.later or not r.probe.known or r.status.phase is Phase.NO_SPACE)
    return any(r.state is not None and r.state.intent.want == "run" and not r.status.over for r in waits)


def _to_start(observation: Observation, busy: set[str], rules: Rules) -> list[RunSeen]:
    campaign = active_campaign(observation, rules)
    if campaign is None:
        return []
    # whoever cannot be seen may be running: a place is kept for it, but not for what runs on another host
    runs = (run for one in observation.campaigns for run in one.runs)
    taken = sum(run.alive or (not run.probe.known and not run.status.over) for run in runs)
    if taken >= campaign.jobs:
        return []
    ready = in_turn(campaign, (run for run in campaign.runs if run.wanted or _has_room(run, rules)))
    # one whose death is only now written down keeps its place: it is started in the next tick
    return [run for run in ready[: campaign.jobs - taken] if run.name not in busy and not run.unsettled]


def in_turn(campaign: CampaignSeen, ready: Iterable[RunSeen]) -> list[RunSeen]:
    """Runs in the order in which they start: the campaign's, but of the places of interrupted ones the first goes to
    whoever was started least often. Else the same ones, back from their time limit, would overtake another for ever.
    By numbers of starts, as times may be of the clocks of two hosts. What a person put first stays first."""
    runs = list(ready)
    took_part = [r.status.phase is Phase.INTERRUPTED and r.name not in campaign.first for r in runs]
    fair = iter(sorted(compress(runs, took_part), key=lambda r: r.state.supervision.launches if r.state else 0))
    return [next(fair) if swapped else run for run, swapped in zip(runs, took_part, strict=True)]


def _has_room(run: RunSeen, rules: Rules) -> bool:
    """True if a run that found the disk full can go on."""
    if run.state is None or run.alive or run.later or run.state.intent.want != "run" or run.room is None:
        return False
    if run.status.phase is not Phase.NO_SPACE or run.quiet < rules.space_wait:
        return False
    ending = run.state.trainer.ending
    needed = ending.needed_bytes if isinstance(ending, Failed) else None
    return run.room >= (needed or NEEDED) + SPARE


def settle(run: RunSeen, rules: Rules, stall_timeout: float | None) -> Action | None:
    """What must be done about one run, apart from starting it."""
    if run.untouchable:
        return None
    if run.state is None:
        return _stop(run, NO_FOLDER, rules)
    if run.trainer is not None:
        return _about_trainer(run, run.trainer, run.state, rules, stall_timeout)
    if run.alive:
        if run.state.intent.want == "cancel":
            return _stop(run, CANCEL, rules, at_once=run.state.intent.force)
        # A script that is asked to leave writes its checkpoint anew, and nobody is there any more to hear its step.
        return _stop(run, REMAINS, rules, at_once=run.state.spec.own_trainer is not None)
    return _about_dead(run, run.state, rules)


def _about_trainer(
    run: RunSeen, trainer: Member, state: RunState, rules: Rules, stall_timeout: float | None
) -> Action | None:
    intent = state.intent
    if state.supervision.process != trainer.identity and not isinstance(state.trainer.ending, Finished):
        return WriteDown(run.name, Adopted(0.0, trainer.identity, trainer.launch, state.newest_launch))
    if run.overtime is not None:  # it has logged how it ended
        return _stop(run, "does not leave", rules) if run.overtime >= rules.leave_wait else None
    if intent.want == "cancel":
        return _stop(run, CANCEL, rules, at_once=intent.force)
    if intent.want == "pause" and run.asked is None:
        if trainer.stopped:
            return AskToLeave(run.name, "stopped by a signal, and to be paused")
        if trainer.waiting:
            return AskToLeave(run.name, "in the queue, and to be paused")
        if state.can_pause and run.probe.sees_all_hosts and run.ordered >= rules.pause_wait:
            return AskToLeave(run.name, "to be paused, and has not heard of it")
    if trainer.waiting:
        return None
    if stall_timeout is not None and run.still >= _patience(state, rules, stall_timeout):
        return _stop(run, f"{STALLED} for {words.duration(run.still)}", rules)
    started = state.trainer.started
    if intent.want == "run" and started is not None and run.attempt is not None and run.attempt.spoke:
        tried_again = run.stalled and intent.again > started.generation
        if intent.restart > started.generation or tried_again:
            return _stop(run, "to be started again, as ordered", rules)
    return None


def _patience(state: RunState, rules: Rules, stall_timeout: float) -> float:
    """Seconds without progress after which a run is held to hang."""
    live = state.live
    if live is None or live.activity == "starting" or is_silent(state):  # silent: the digits are an earlier attempt's
        return max(stall_timeout, rules.startup)
    return max(stall_timeout, 3 * live.evaluation_seconds, 3 * live.checkpoint_seconds)


def _about_dead(run: RunSeen, state: RunState, rules: Rules) -> Action | None:
    intent, supervision = state.intent, state.supervision
    if isinstance(state.trainer.ending, Finished):
        return None
    if intent.want == "cancel":
        if supervision.stopped and supervision.stopped.generation >= intent.generation:
            return None
        what = "job" if supervision.process and supervision.process.is_job else "process"
        return WriteDown(run.name, Stopped(0.0, intent.generation, supervision.insisted, what))
    if run.attempt is not None and not run.attempt.accounted:
        hearsay = run.probe.sees_all_hosts and run.attempt.ending is None and run.quiet < rules.word_wait
        return None if hearsay else _death(run, run.attempt, state)
    if intent.want != "run" or run.status.pace != "waits":
        return None
    deaths = [death for death in supervision.deaths if death.generation == intent.generation]
    if len(deaths) > rules.retries:
        last = deaths[-1].reason
        last += "" if IN_THE_PLAN in last else "; put that right, then retry it"
        again = any(one.generation < intent.generation for one in supervision.losses)
        since = " since it was told to go on" if again else ""
        reason = f"died {len(deaths)} times without a newer checkpoint{since}; the last time: {last}"
        return WriteDown(run.name, GaveUp(0.0, intent.generation, reason))
    ending, started = state.trainer.ending, state.trainer.started
    if started is None or started.generation != intent.generation or state.trainer.fruitless <= rules.retries:
        return None
    if isinstance(ending, Interrupted):
        return WriteDown(run.name, GaveUp(0.0, intent.generation, _fruitless_words(state, ending, started)))
    return None


def _fruitless_words(state: RunState, ending: Interrupted, started: Started) -> str:
    """Why a run is not interrupted once more, and what helps."""
    times = words.plural(state.trainer.fruitless, "time")
    if ending.step <= started.resumed_from:
        return f"interrupted {times} before it made a step; the last time it {left_words(ending)}"
    unit, total, most = state.spec.unit, state.spec.total_steps, max(ending.step, state.trainer.farthest)
    cure = f"plan it with a longer --time{'' if state.can_pause else ', or let it save checkpoints (docs/your-own.md)'}"
    begins = f"each job {goes_on_words(state)}"
    return f"ended by its time limit {times}, never past {unit} {most:,} of {total:,}: {begins}; {cure}"


def _death(run: RunSeen, attempt: Attempt, state: RunState) -> WriteDown:
    """How a process that is gone without an ending (or with one that is to be tried again) is written down."""
    process, generation, ending = attempt.process, attempt.generation, attempt.ending
    ended = run.probe.ended if run.probe.ended and run.probe.ended.process == process else None
    signalled = state.supervision.signalled
    stalled = signalled is not None and signalled.reason.startswith(STALLED)

    def lose(reason: str, counts: bool = True, *, later: bool = False, left: float | None = None) -> WriteDown:
        return WriteDown(run.name, Lost(0.0, generation, process, reason, state.checkpoint_step, counts, left), later)

    if isinstance(ending, Failed) and ending.reason in RETRIED:
        return lose(ending.message)
    if isinstance(ending, Interrupted):  # it hung, or somebody at its cluster told it to end
        cluster = ended.words if ended and ended.outside else left_words(ending)
        return lose(signalled.reason if signalled else cluster, counts=signalled is not None, left=ending.time)
    if process.host == run.host and process.boot_id != run.boot:
        return lose("the machine restarted", counts=False)
    if state.intent.want == "pause" and not attempt.spoke and not state.supervision.insisted:
        return lose(AS_ASKED, counts=False)
    if ended and ended.code in LEFT:
        return lose(LEFT[ended.code], counts=False, later=ended.code in LATER)
    if signalled is not None and state.supervision.insisted:
        return lose(f"{signalled.reason}; it was killed", counts=stalled)
    if ended and ended.excused:
        why, unbegun = signalled.reason if signalled else ended.words, ended.words.endswith(UNBEGUN)
        return lose(why, counts=stalled, later=unbegun)  # later: whoever cancelled a job that waits wants its place
    reason = ended.words if ended else GONE
    if ended is None or ended.code is None:
        return lose(reason)
    said = f"{reason}: {run.last_words}" if run.last_words else reason
    # before any trainer of it has logged a start: the script of its job would fail again
    by_script = process.is_job and state.trainer.attempts == 0 and signalled is None
    if by_script and 0 < ended.code < KILLED and generation == state.intent.generation:
        if said.endswith("No module named trainers"):
            said += f"; lvmtui is not installed for the Python {IN_THE_PLAN}"
        return WriteDown(run.name, GaveUp(0.0, generation, said))
    return lose(said)


def _stop(run: RunSeen, reason: str, rules: Rules, *, at_once: bool = False) -> Action | None:
    """The ladder: ask, wait, insist."""
    asked = run.asked
    if not run.alive:
        return None
    if asked is None:
        return Insist(run.name, reason) if at_once else AskToLeave(run.name, reason)
    again = asked.insisted is not None and asked.insisted >= rules.insist_again
    first = asked.insisted is None and (at_once or asked.seconds >= rules.cancel_wait)
    return Insist(run.name, reason) if first or again else None
