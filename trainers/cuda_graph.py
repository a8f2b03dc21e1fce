"""A training step, recorded once on a GPU and replayed from then on.

A step is hundreds of small operations. Sending them one by one keeps the host busy for longer than a GPU needs to do
them; a recording (a CUDA graph) is sent as one. A replay uses the memory that was recorded: the work must read all
that changes from tensors that stay, and leave its results in such tensors.
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], None]

WARM = 3
"""Times the work is done before it is recorded: libraries set themselves up, memory is taken."""


class CannotRecord(Exception):
    """A recording failed. Gradients, streams, allocator and random state of this process cannot be trusted any more."""


class Recorder(Protocol):
    """How work is recorded on a device."""

    def warm(self, work: Work) -> None:
        """Do the work once, on the stream on which it will be recorded."""

    def record(self, work: Work) -> Work:
        """Record the work without doing it; what is returned does it. May raise anything."""


class Replay:
    """Does `work` each time it is called: as it is while it warms up, then from a recording."""

    def __init__(self, work: Work, recorder: Recorder | None) -> None:
        """`recorder` is None where nothing is to be recorded."""
        self.work = work
        self.recorder = recorder
        self.replay: Work | None = None
        self.calls = 0

    def __call__(self) -> None:
        """Raises CannotRecord, with the cause, if the recording fails."""
        if self.recorder is None:
            self.work()
        elif self.calls < WARM:
            self.recorder.warm(self.work)
        else:
            if self.replay is None:
                try:
                    self.replay = self.recorder.record(self.work)
                except Exception as error:
                    raise CannotRecord(reason_of(error)) from error
            self.replay()
        self.calls += 1


class CudaGraphs:
    """Records on one GPU. Warm-up and recording share a stream: ROCm's libraries keep their workspace per stream."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)

    def warm(self, work: Work) -> None:
        with torch.cuda.device(self.device):
            outside = torch.cuda.current_stream()
            self.stream.wait_stream(outside)
            with torch.cuda.stream(self.stream):
                work()
            outside.wait_stream(self.stream)

    def record(self, work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device), torch.cuda.graph(graph, stream=self.stream):
            work()
        return graph.replay


def recorder(device: torch.device) -> Recorder | None:
    """How work on `device` is recorded, where that pays."""
    return CudaGraphs(device) if device.type == "cuda" else None


def reason_of(error: BaseException) -> str:
    """What went wrong first, in one line. Ending a capture that failed raises an error of its own over the cause."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error) or type(error).__name__).splitlines()[0]
