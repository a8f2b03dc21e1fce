"""A recorder for devices without CUDA graphs: it notes what torch does and does it again with the same memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from trainers.cuda_graph import Work


class Tape(TorchDispatchMode):
    """Does to operations of torch what a CUDA graph does: notes them with their memory, does them again with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        done = tree_map(alias, (args, kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten.transpose_.default:  # changes no memory
            self.done.append((func, *done, tree_map(alias, result)))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, result in self.done:
            for old, new in zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and isinstance(new, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def alias(value: Any) -> Any:
    """The same memory in today's shape, whatever becomes of the tensor."""
    return value.detach() if isinstance(value, Tensor) else value


class Taping:
    """Records on a tape. Recording does the work, so the first replay has been done already."""

    def warm(self, work: Work) -> None:
        work()

    def record(self, work: Work) -> Work:
        tape = Tape()
        with tape:
            work()
        again = iter([lambda: None])
        return lambda: next(again, tape.replay)()
