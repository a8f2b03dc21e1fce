"""How many runs side by side, on how many threads, and which of them first, where the person does not say: so that all
are over soonest. Pure.

On a CPU two runs with a core each are faster than one after the other with two: most products here are too small to
share. But the longest run of all, alone at the end on one core, would eat that up again; so it starts first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lvmtui.estimate.cost import GUESSED, Work, parameters_of
from lvmtui.estimate.eta import Eta, Time, all_of, expected, play, time_of
from lvmtui.estimate.pace import Machine
from lvmtui.system.hardware import Hardware

MOST_JOBS, MOST_THREADS = 8, 16
"""Side by side, and each; unless somebody wants more."""
MOST_FIRST = 64
"""Runs that start before the others."""
WORTH_SHARING = 1.2
"""Gain of two processes on one GPU from which on the plan considers two runs a GPU."""
WORTH = 0.02
"""Share of the whole by which the end has to come sooner for runs to leave their places: estimates are no better."""
TRAINER = 400e6
"""Bytes of a trainer but for its model: torch, its buffers, the windows it holds."""
PARAMETER = 30
"""Bytes a parameter: weight, gradient, AdamW's moments, averaged and best weights, and a copy while they are
written. Measured with GraphMERT-LVM at full size: 1.8 GB (reference) and 2.3 GB (tuned)."""
KEPT = 1e9
"""Bytes for everything else: supervisor, comparisons, trainers that stand by."""


@dataclass(frozen=True)
class Arrangement:
    """How a campaign's runs are to go."""

    jobs: int
    threads: int
    """Of each."""
    first: tuple[int, ...]
    """Which of the runs start before the others; these follow in their order."""
    expected: Eta
    """Until all are over."""


def rooms(
    works: Sequence[Work], hardware: Hardware, device: str, jobs: int | None = None, threads: int | None = None
) -> list[tuple[int, int]]:
    """What could be chosen: (runs side by side, threads of each). `jobs`, `threads`: what the person wants."""

    def share(jobs: int) -> int:
        return threads or max(1, min(hardware.cores // min(jobs, len(works)), MOST_THREADS))

    if jobs is None and _on_gpu(device, hardware):
        gpus = max(1, hardware.gpus) if device in ("auto", "cuda") else 1
        most = 2 if hardware.side_by_side >= WORTH_SHARING else 1
        return [(gpus * beside, share(gpus * beside)) for beside in range(1, most + 1)]
    if jobs is not None:
        return [(jobs, share(jobs))]
    largest = max(parameters_of(w.model, w.size, w.dim) or GUESSED.get(w.size, GUESSED["full"]) for w in works)
    fit = int((hardware.memory - KEPT) // (TRAINER + PARAMETER * largest))
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
    """Of `rooms`, the one in which the runs are expected to be over soonest; of equal ones the smallest.

    `machine`: what earlier runs have shown of this one.
    """
    found = []
    for beside, each in rooms(works, hardware, device, jobs, threads):
        arranged = _arranged([replace(work, threads=each) for work in works], beside, machine)
        if _on_gpu(device, hardware):
            shared = min(beside, len(works)) / max(1, hardware.gpus if device in ("auto", "cuda") else 1)
            crowd = max(1.0, shared / hardware.side_by_side) if shared > 1 else 1.0
        else:
            crowd = max(1.0, min(beside, len(works)) * each / hardware.cores)
        found.append(replace(arranged, expected=arranged.expected.times(crowd)))
    return min(found, key=lambda a: (a.expected.seconds, a.jobs))


def _on_gpu(device: str, hardware: Hardware) -> bool:
    return hardware.gpus > 0 if device == "auto" else device != "cpu"


def _arranged(works: Sequence[Work], jobs: int, machine: Machine) -> Arrangement:
    """The fewest of the longest runs first that make the end come about as soon as any number of them. One place is
    left to all the others in their order, so that the first comparisons come early."""
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
