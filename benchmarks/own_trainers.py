"""What a user's own trainer pays: the kit in a step, and patterns in the lines it prints.

    python benchmarks/own_trainers.py

Goals: the kit costs under 1 % of a step (of 1 ms, the shortest of our own models'), patterns read 10 MB/s.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from pathlib import Path

from command_line import parser_of

from lvmtui.trainer_kit import Run
from trainers.program.output import Output

STEPS = 200_000
MEGABYTES = 64
PATTERN = r"epoch (?P<epoch>\d+).*val_cosine (?P<cosine>[\d.]+)"


def kit_seconds() -> float:
    """Seconds of CPU for one `run.step`, with a reader at the other end of the pipe."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder) / "told"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        facts = {
            **{"data": folder, "out": folder, "checkpoint": "", "pipe": str(pipe)},
            **{"seed": 1, "steps": STEPS, "dim": 384, "context": 5, "first_step": 0, "steps_per_epoch": 100.0},
            **{"batch_size": 128, "best_loss": None, "best_cosine": None},
        }
        run = Run(facts)
        began = time.process_time()
        for step in range(1, STEPS + 1):
            run.step(step, loss=0.5, cosine=0.5)
            if step % 1000 == 0:
                while True:
                    try:
                        os.read(reader, 1 << 16)
                    except BlockingIOError:
                        break
        return (time.process_time() - began) / STEPS


def pattern_speed(share: float) -> float:
    """Megabytes a second of CPU, where this share of the lines is understood."""
    every = max(1, round(1 / share))
    lines = [
        b"epoch %d | lr 1.0e-3 | train_loss 0.4812 | val_cosine 0.51%02d | 3.2 it/s" % (n, n % 100)
        if n % every == 0
        else b"[2026-11-28 08:00:00] INFO batch %06d loader ok, queue 12, gpu 87 %%, loss smooth" % n
        for n in range(100_000)
    ]
    text = b"\n".join(lines) + b"\n"
    output = Output(io.BytesIO(), [PATTERN], lambda reading, line: None)
    done, began = 0, time.process_time()
    while done < MEGABYTES << 20:
        for start in range(0, len(text), 1 << 16):
            output.feed(text[start : start + (1 << 16)])
        done += len(text)
    return done / (time.process_time() - began) / 1e6


def main() -> None:
    parser_of(__doc__).parse_args()
    cost = kit_seconds()
    print(f"kit: {cost * 1e6:.1f} us a step, {100 * cost / 1e-3:.2f} % of a step of 1 ms (goal: under 1 %)")
    for share in (0.001, 0.1, 1.0):
        print(f"patterns: {pattern_speed(share):.0f} MB/s with {share:.1%} of the lines understood (goal: 10 MB/s)")


if __name__ == "__main__":
    main()
