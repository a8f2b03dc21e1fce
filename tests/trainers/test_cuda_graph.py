"""On which GPU and stream steps are warmed up and recorded, with a fake `torch.cuda` that notes who is current."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import torch

from trainers.cuda_graph import WARM, CudaGraphs, Replay, recorder

FIRST, SECOND = torch.device("cuda:0"), torch.device("cuda:1")


@dataclass
class Stream:
    """A stream of a GPU; `waited_for`: the streams it was made to wait for."""

    device: torch.device
    waited_for: list[Stream] = field(default_factory=list)

    def wait_stream(self, other: Stream) -> None:
        self.waited_for.append(other)


@dataclass
class Cuda:
    """What is current, and whether a capture is going on."""

    device: torch.device = FIRST
    stream: Stream = field(default_factory=lambda: Stream(SECOND))
    capturing: bool = False
    replays: int = 0


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    now = Cuda()

    @contextmanager
    def device(wanted: torch.device) -> Iterator[None]:
        now.device, before = wanted, now.device
        yield
        now.device = before

    @contextmanager
    def stream(wanted: Stream) -> Iterator[None]:
        now.stream, before = wanted, now.stream
        yield
        now.stream = before

    @contextmanager
    def graph(graph: object, stream: Stream) -> Iterator[None]:
        now.capturing, now.stream, before = True, stream, now.stream
        yield
        now.capturing, now.stream = False, before

    class Graph:
        def replay(self) -> None:
            now.replays += 1

    parts = {"device": device, "stream": stream, "graph": graph, "CUDAGraph": Graph, "Stream": Stream}
    for name, part in {**parts, "current_stream": lambda: now.stream}.items():
        monkeypatch.setattr(torch.cuda, name, part)
    return now


def test_steps_are_warmed_up_and_recorded_on_one_stream_of_the_runs_own_gpu(cuda: Cuda) -> None:
    """A graph captured on GPU 0 while the work is on GPU 1 is empty and trains nothing. ROCm's libraries keep their
    workspace per stream: what was set up on another one is set up again while recording, which is not allowed."""
    usual, seen = cuda.stream, []
    once = Replay(lambda: seen.append((cuda.device, cuda.stream, cuda.capturing)), CudaGraphs(SECOND))
    for _ in range(WARM + 4):
        once()
    own = seen[0][1]
    assert own is not usual and own.device == SECOND
    assert seen == [(SECOND, own, False)] * WARM + [(SECOND, own, True)] and cuda.replays == 4
    assert (cuda.device, cuda.stream) == (FIRST, usual)
    assert own.waited_for == [usual] * WARM, "the vectors must be there before it begins"
    assert usual.waited_for == [own] * WARM, "what comes next must see its results"


def test_only_a_gpu_records(cuda: Cuda) -> None:
    assert isinstance(recorder(FIRST), CudaGraphs)
    assert recorder(torch.device("cpu")) is None and recorder(torch.device("mps")) is None
