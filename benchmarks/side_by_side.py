"""Is it faster to train two runs side by side with half the cores each, or one after the other with all of them?

    python benchmarks/side_by_side.py [OPTIONS OF training_speed.py]

By the clock, because the question is when both are done; on a machine with nothing else to do. Turns A B A B: two
trainers at once with half of the cores each, one trainer with all of them. What is printed is the median over the turns
of (two steps one after the other) / (one step of each side by side).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from training_speed import TURN_SECONDS, Worker, arguments_of, folders, rewrite_spec

from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec


def compare(folder: RunDir, cores: int, turns: int) -> tuple[float, float]:
    """Milliseconds of a step, one after the other and each of two side by side."""
    together: list[Worker] = []
    for threads in (cores // 2, cores // 2, cores):
        rewrite_spec(folder, replace(read_spec(folder.spec), threads=threads))
        together.append(Worker("ours", folder, threads))
        together[-1].turn(2)  # it has read its spec
    alone = together.pop()
    steps = max(1, round(TURN_SECONDS / alone.turn(4).wall))
    after, beside = [], []
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(turns):
                after.append(alone.turn(steps).wall)
                beside.append(statistics.mean(turn.wall for turn in pool.map(lambda w: w.turn(steps), together)))
    finally:
        for worker in (alone, *together):
            worker.close()
    return 1e3 * statistics.median(after), 1e3 * statistics.median(beside)


def main() -> None:
    arguments = arguments_of(sys.argv[1:])
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, size {arguments.size}, load {os.getloadavg()[0]:.1f}")
    print("model          ms a step, all cores   side by side, half of them each   gain of side by side")
    with tempfile.TemporaryDirectory() as root:
        for model, folder in folders(Path(root).resolve(), arguments).items():
            after, beside = compare(folder, cores, arguments.turns)
            print(f"{model:14} {after:12.2f} {beside:26.2f} {2 * after / beside:30.2f}", flush=True)


if __name__ == "__main__":
    main()
