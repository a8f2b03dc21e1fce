"""How many runs side by side, on how many threads, and which of them first, where the person does not say: so that all
are over soonest. Pure.

On a CPU two runs with a core each are faster than one after the other with two: most products here are too small to
share. But the longest run of all, alone at the end on one core, would eat that up again; so it starts first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lvmtui.judge.cost import GUESSED, Work, parameters_of
from lvmtui.judge.eta import Eta, all_of, expected, play, time_of
from lvmtui.judge.pace import Machine
from lvmtui.planning.machine import Hardware

MOST_JOBS, MOST_THREADS = 8, 16
"""Side by side, and each; unless somebody wants more."""
WORTH = 0.02
"""Share of the whole by which the end has to come sooner for a run to leave its place: estimates are no better."""
TRAINER = 400e6
"""Bytes of a trainer but for its model: torch, its buffers, the windows it holds."""
PARAMETER = 24
"""Bytes a parameter: weight, gradient, AdamW's moments, the best weights, and a copy while they are written."""


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

    def share(of: int) -> int:
        return threads or max(1, min(hardware.cores // of, MOST_THREADS))

    if jobs is None and hardware.gpus and device in ("auto", "cuda"):
        jobs = hardware.gpus
    if jobs is not None:
        return [(jobs, share(jobs))]
    largest = max(parameters_of(w.model, w.size, w.dim) or GUESSED.get(w.size, GUESSED["full"]) for w in works)
    fit = int(hardware.memory // (TRAINER + PARAMETER * largest))
    most = min(hardware.cores // (threads or 1), len(works), fit, MOST_JOBS)
    return [(jobs, share(jobs)) for jobs in range(1, max(1, most) + 1)]


def arrange(works: Sequence[Work], rooms: Iterable[tuple[int, int]], machine: Machine) -> Arrangement:
    """The runs in the one of `rooms` in which they are expected to be over soonest, in the smallest of equal ones."""
    return min((_arranged(works, *room, machine) for room in rooms), key=lambda a: (a.expected.seconds, a.jobs))


def _arranged(works: Sequence[Work], jobs: int, threads: int, machine: Machine) -> Arrangement:
    works = [replace(work, threads=threads) for work in works]
    seconds = [time_of(work, all_of(work), machine).mean for work in works]

    def end(first: Sequence[int]) -> float:
        return play([seconds[run] for run in _order(first, len(works))], [], jobs)[1]

    first: list[int] = []
    while len(first) < min(jobs, len(works)) - 1:  # one place goes through all in their order: results come early
        longest = max((run for run in range(len(works)) if run not in first), key=seconds.__getitem__)
        if end([*first, longest]) > (1 - WORTH) * end(first):
            break
        first.append(longest)
    return Arrangement(
        jobs, threads, tuple(first), expected([works[run] for run in _order(first, len(works))], jobs, machine)
    )


def _order(first: Sequence[int], runs: int) -> list[int]:
    return [*first, *(run for run in range(runs) if run not in first)]
