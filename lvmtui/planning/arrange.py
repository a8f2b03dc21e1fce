"""How many runs side by side, with how many threads, and which of them first, where the options do not say.

The choice is the one with which the whole campaign is expected to end soonest. Pure.

On a CPU, two runs with one core each are faster than one after the other with two: most products here are too small to
split. But a long run left for last, then alone on one core, would cost that gain. So the longest runs start first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lvmtui.estimate.cost import Work, parameters_in
from lvmtui.estimate.eta import Eta, Time, all_of, expected, play, time_of
from lvmtui.estimate.pace import Machine
from lvmtui.system.hardware import Hardware

MOST_JOBS, MOST_THREADS = 8, 16
"""Most runs side by side, and most threads for each, unless the options say otherwise."""
MOST_FIRST = 64
"""Most runs that are moved to the front."""
WORTH_SHARING = 1.2
"""Least gain of two processes on one GPU at which the plan considers two runs per GPU."""
WORTH = 0.02
"""Runs are moved to the front only if the campaign ends sooner by this share: estimates are no better than that."""
TRAINER = 400e6
"""Bytes that a trainer needs besides its model: torch, its buffers, the windows it holds."""
PARAMETER = 30
"""Bytes for each parameter: weight, gradient, AdamW's moments, averaged and best weights, and a copy while they are
written. Measured with GraphMERT-LVM at full size: 1.8 GB (reference) and 2.3 GB (tuned)."""
KEPT = 1e9
"""Bytes left for everything else: supervisor, comparisons, screen."""


@dataclass(frozen=True)
class Arrangement:
    """How the runs of a campaign are scheduled."""

    jobs: int
    threads: int
    """For each run."""
    first: tuple[int, ...]
    """Indices of the runs that start before the others. The others keep their order."""
    expected: Eta
    """Time until all runs are over."""
    crowd: float = 1.0
    """How much longer each takes than alone, as others share the machine; `expected` has it."""


def choices(
    works: Sequence[Work], hardware: Hardware, device: str, jobs: int | None = None, threads: int | None = None
) -> list[tuple[int, int]]:
    """The possible choices: (runs side by side, threads for each). `jobs` and `threads`: as the options say."""

    def share(jobs: int) -> int:
        return threads or max(1, min(hardware.cores // min(jobs, len(works)), MOST_THREADS))

    if jobs is None and _on_gpu(device, hardware):
        gpus = max(1, hardware.gpus) if device in ("auto", "cuda") else 1
        most = 2 if hardware.side_by_side >= WORTH_SHARING else 1
        return [(gpus * beside, share(gpus * beside)) for beside in range(1, most + 1)]
    if jobs is not None:
        return [(jobs, share(jobs))]
    fit = int((hardware.memory - KEPT) // (TRAINER + PARAMETER * max(map(parameters_in, works))))
    most = min(hardware.cores // (threads or 1), len(works), fit, MOST_JOBS)
    return [(jobs, share(jobs)) for jobs in range(1, max(1, most) + 1)]


def arrange(
    works: Sequence[Work],
    hardware: Hardware,
    device: str,
    machine: Machine,
    jobs: int | None = None,
    threads: int | None = None,
) -> Arrangement:
    """The choice with which all runs are expected to end soonest; among equal ones the one with fewest jobs. On a CPU
    they share the cores with other programs that are busy.

    `machine`: the speed that earlier runs measured here.
    """
    found = []
    for beside, each in choices(works, hardware, device, jobs, threads):
        arranged = _arranged([replace(work, threads=each) for work in works], beside, machine)
        if _on_gpu(device, hardware):
            shared = min(beside, len(works)) / max(1, hardware.gpus if device in ("auto", "cuda") else 1)
            crowd = max(1.0, shared / hardware.side_by_side) if shared > 1 else 1.0
        else:
            crowd = max(1.0, (min(beside, len(works)) * each + hardware.busy) / hardware.cores)
        found.append(replace(arranged, expected=arranged.expected.times(crowd), crowd=crowd))
    return min(found, key=lambda a: (a.expected.seconds, a.jobs))


def _on_gpu(device: str, hardware: Hardware) -> bool:
    return hardware.gpus > 0 if device == "auto" else device != "cpu"


def _arranged(works: Sequence[Work], jobs: int, machine: Machine) -> Arrangement:
    """Move as few of the longest runs to the front as give (nearly) the earliest end. One place stays with the other
    runs in their order, so that the first comparisons come early."""
    known: dict[Work, Time] = {}
    times = [known.get(work) or known.setdefault(work, time_of(work, all_of(work), machine)) for work in works]
    longest = sorted(range(len(works)), key=lambda run: -times[run].mean)
    orders = []
    for count in range(min(jobs, len(works), MOST_FIRST + 1)):
        first = set(longest[:count])
        orders.append([*longest[:count], *(run for run in range(len(works)) if run not in first)])
    ends = [play([times[run].mean for run in order], [], jobs)[1] for order in orders]
    count = next(i for i, end in enumerate(ends) if end <= (1 + WORTH) * min(ends))
    chosen = [times[run] for run in orders[count]]
    return Arrangement(jobs, works[0].threads, tuple(longest[:count]), expected(chosen, jobs, machine))
