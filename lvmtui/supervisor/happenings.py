"""What has happened in a campaign that people want to be told. Pure.

Each happening has a key that is the same for every supervisor, so that what was told is known after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from lvmtui.formats.told import Happening
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Phase, Status
from lvmtui.supervisor.tasks import Outcome
from lvmtui.verdict.health import Finding

FAILED = (Phase.FAILED, Phase.DIVERGED)
COMPARISON = "comparison "
"""How the keys of comparisons in `made.json` begin."""


def of_run(run: str, status: Status, state: RunState | None, findings: Iterable[Finding]) -> list[Happening]:
    """What has happened to a run. An order that was carried out (paused, cancelled) is no news to who gave it."""
    found = []
    since = f"{status.since or 0:.3f}"
    if status.phase is Phase.FINISHED:
        found.append(Happening("run_finished", run, since))
    elif status.phase in FAILED:
        found.append(Happening("run_failed", run, since))
    elif status.phase is Phase.STALLED and state is not None:
        found.append(Happening("run_stalled", run, f"step {state.step}"))
    evaluations = state.trainer.evaluations if state else ()
    if evaluations:
        begun = f"{evaluations[0].time:.3f}"  # another after a retry from the start, the same after a resume
        alarms = [one.kind for one in findings if one.alarm and not (one.kind == "diverged" and status.phase in FAILED)]
        found += [Happening("run_alarm", run, f"{kind} {begun}") for kind in alarms]
    return found


def of_campaign(made: Mapping[str, str], outcomes: Sequence[Outcome], *, all_made: bool) -> list[Happening]:
    """Comparisons that were made, and the end. `made`: as in `made.json`; `all_made`: nothing is left to be made."""
    found = [
        Happening("pair_compared", key.removeprefix(COMPARISON), digest)
        for key, digest in made.items()
        if key.startswith(COMPARISON)
    ]
    if all_made and outcomes and all(outcome.over for outcome in outcomes):
        ends = "\n".join(f"{o.model} {o.arm} {o.seed} {o.phase} {o.digest}" for o in outcomes)
        found.append(Happening("campaign_over", "", hashlib.sha256(ends.encode()).hexdigest()[:16]))
    return found
