"""Work that is done over and over, recorded once on a GPU and replayed from then on.

A step is hundreds of small operations; sent one by one they keep the host busy for longer than a GPU needs to do them.
A recording (a CUDA graph) is one thing to send. It repeats what was recorded with the same memory: work that is to be
recorded takes all that changes from tensors that stay, and leaves its results there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Work = Callable[[], None]
Record = Callable[[Work], Work]
"""Records work without doing it; what comes back does it. Raises RuntimeError if it cannot be recorded."""

WARM = 3
"""Times the work is done before it is recorded: libraries set themselves up, memory is taken."""


class Replay:
    """Does `work` each time it is called."""

    def __init__(self, work: Work, record: Record | None, say: Callable[[str], None]) -> None:
        """`record` is None where nothing is gained by it; `say` is told if it fails, and the work is done without."""
        self.work = work
        self.record = record
        self.say = say
        self.calls = 0

    def __call__(self) -> None:
        if self.record is not None and self.calls == WARM:
            record, self.record = self.record, None
            try:
                self.work = record(self.work)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                reason = (str(error) or type(error).__name__).splitlines()[0]
                self.say(f"the steps could not be recorded and are sent one by one, which is slower: {reason}")
        self.calls += 1
        self.work()


def recorder(device: torch.device) -> Record | None:
    """How work on `device` is recorded, if that is of use there."""
    return cuda_graph if device.type == "cuda" else None


def cuda_graph(work: Work) -> Work:
    """https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs"""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
