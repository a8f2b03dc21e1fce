"""What must hold after the misfortunes of `tests/chaos.py`."""

from __future__ import annotations

from collections import Counter

from lvmtui.event_sentences import sentence_of
from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import Evaluated, Event, Finished, Started, decode_event
from lvmtui.state.run_reader import RunReader
from lvmtui.system.numbers import date
from tests.chaos import FULL, Chaos


def faults(chaos: Chaos) -> list[str]:
    """What is not as it must be: events lost or doubled, two trainers at once, lines that cannot be read."""
    found: list[str] = []
    if chaos.copy_reached:
        found.append(f"the supervisor of a copied workspace signalled {sorted(chaos.copy_reached)}")
    for planned in chaos.campaign.runs:
        folder = chaos.workspace.run(planned)
        found += [f"{planned.run}: {fault}" for fault in _faults_of(folder, chaos)]
        label = chaos.campaign.arm(planned.arm).label
        retrain = chaos.workspace.retrain_log(chaos.campaign, label).read_text().splitlines()
        told = Counter(line for line in retrain if f" {planned.run}  epoch " in line)
        happened = Counter(
            f"{date(event.time)} {planned.run}  {sentence.words}"
            for event in _events(folder)
            if isinstance(event, Evaluated) and (sentence := sentence_of(event)) is not None
        )  # an evaluation that was done again in the same second gives the same line
        if set(told) != set(happened) or any(told[line] > happened[line] for line in told):
            found.append(f"{planned.run}: evaluations are missing in the log, or doubled")
    return found


def _faults_of(folder: RunDir, chaos: Chaos) -> list[str]:
    found: list[str] = []
    events = _events(folder)
    state = RunReader(folder).refresh()
    assert state is not None
    for path, unknown in ((folder.events, state.trainer.unknown), (folder.supervision, state.supervision.unknown)):
        held_back = 0 if path.read_bytes().endswith(b"\n") else 1
        torn = chaos.torn[path] - held_back
        if not torn <= unknown <= torn + chaos.happened[FULL]:  # a full disk tears lines too
            found.append(f"{path.name}: {unknown} lines cannot be read, {chaos.torn[path]} were torn")
    if (ends := sum(isinstance(event, Finished) for event in events)) != 1:
        found.append(f"it finished {ends} times")
    starts = [event for event in events if isinstance(event, Started)]
    if len({event.process for event in starts}) != len(starts):
        found.append("a process started twice")
    steps = [evaluation.step for evaluation in state.trainer.evaluations]
    last = state.trainer.step
    due = sorted({*range(state.spec.evaluate_every, last + 1, state.spec.evaluate_every), last} - {0})
    if not set(steps) <= set(due) or not set(due[:-1]) <= set(steps) or len(set(steps)) != len(steps):
        found.append(f"evaluated at {steps}, due at {due}")
    return found


def _events(folder: RunDir) -> list[Event]:
    return [decode_event(line) for line in folder.events.read_bytes().splitlines()]
