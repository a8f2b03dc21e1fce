"""`python -P -m trainers.check_model REQUEST ANSWER`: build a user's model and take steps on random windows.

It runs while a campaign is planned, in a process of its own: what a model does to this process harms nobody. The
request and the answer are JSON files. Each check says what it found in one line that names the user's own file.
"""

from __future__ import annotations

import inspect
import io
import math
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.user_code import Trial, TrialResult
from lvmtui.system.errors import UserError
from trainers.evaluate import loss_and_cosine
from trainers.models import build, unit
from trainers.user_code import Bounded, built, fault_words, load_from

STEPS = 20
"""Steps that are timed, and held against each other for memory."""
LEAK = 1 << 20
"""Bytes a step may keep. A model that keeps more fills the memory of any machine within a day."""
MOST_WRITTEN = 64 << 20
"""Bytes of a file it may write."""
ALIKE = 1e-4
"""Largest difference of a prediction made alone and made beside others."""
ROUNDING = 1e-6
"""Largest relative difference of outputs that count as one."""


def check(request: Trial) -> TrialResult:
    folder = Path(request.folder)
    torch.set_num_threads(1)
    try:
        with forbidden(Path(request.allowed)):
            maker = load_from(folder, request.module, request.name)
            return check_loss(request, maker) if request.kind == "loss" else check_model(request, maker)
    except UserError as error:
        return TrialResult(str(error))
    except Forbidden as error:
        return TrialResult(f"{request.source}: {error}")
    except MemoryError:
        return TrialResult(f"{request.source}: does not fit into this machine's memory")
    except Exception as error:
        words = str(error).partition("\n")[0][:300] or type(error).__name__
        return TrialResult(fault_words(error, folder).partition("\n")[0][:300] or f"{request.source}: {words}")


def check_loss(request: Trial, loss: Any) -> TrialResult:
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(request.batch_size, request.dim, generator=generator, requires_grad=True)
    target = unit(torch.randn(request.batch_size, request.dim, generator=generator))
    if not callable(loss):
        raise UserError(f"{request.source}: not a function; it is called with (output, target)")
    value, place = loss(raw, target), _place(loss, request)
    if not isinstance(value, Tensor) or value.shape != ():
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise UserError(f"{place}: returned {found}; a loss is one number, a tensor of shape ()")
    if not math.isfinite(value.item()):
        raise UserError(f"{place}: the loss of random vectors is {value.item()}")
    if not value.requires_grad:
        raise UserError(f"{place}: the loss does not depend on the output, so no gradient comes of it")
    value.backward()
    if raw.grad is None or not raw.grad.isfinite().all() or not raw.grad.any():
        raise UserError(f"{request.source}: the gradient at the output is missing, zero or not finite")
    return TrialResult()


def check_model(request: Trial, maker: Any) -> TrialResult:
    source, threads, children = request.source, threading.active_count(), set(psutil.Process().children())

    def fresh() -> nn.Module:
        torch.manual_seed(0)
        return built(maker, source, request.options, request.dim, request.context)

    model = fresh()
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not trainable:
        raise UserError(f"{source}: has no parameters to train")
    if other := next((f"{name} is {p.dtype}" for name, p in trainable if p.dtype != torch.float32), ""):
        raise UserError(f"{source}: {other}; parameters are trained in torch.float32, forward() may compute otherwise")
    generator = torch.Generator().manual_seed(1)
    rows = unit(torch.randn(request.batch_size, request.context + 1, request.dim, generator=generator))
    context, target = rows[:, :-1].contiguous(), rows[:, -1].contiguous()
    place, output = _place(model.forward, request), model.train()(context)
    with torch.no_grad():
        _check_output(place, request, output)
        _check_output(place, request, model.eval()(context))
    if not output.requires_grad:
        raise UserError(f"{place}: what forward() returned does not depend on its parameters; no gradient reaches them")
    alone = _check_alone(source, model, context)
    first, second = _trained(fresh(), context, target, 2), _trained(fresh(), context, target, 2)
    untouched = [name for name, p in first.named_parameters() if p.requires_grad and p.grad is None]
    if untouched:
        some = ", ".join(untouched[:3]) + (f" and {len(untouched) - 3} more" if len(untouched) > 3 else "")
        raise UserError(f"{source}: no gradient reaches {some}; use it in forward(), or set requires_grad to False")
    spoilt = [n for n, p in first.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    if spoilt:
        raise UserError(f"{source}: the gradient of {spoilt[0]} is not finite")
    if not any(p.grad is not None and p.grad.any() for p in first.parameters()):
        raise UserError(f"{source}: every gradient is exactly zero, so it never learns; is its output always zero?")
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        if not torch.equal(a, b):
            raise UserError(
                f"{source}: two steps from one seed end with different {name}; draw random numbers with torch only"
            )
    _check_saved(source, first, fresh(), context)
    if threading.active_count() > threads or set(psutil.Process().children()) - children:
        raise UserError(f"{source}: starts processes or threads; a model must not, its run is stopped and resumed")
    seconds = _timed(source, model.train(), context, target)
    gru = _timed("", build("gru", request.dim, "small").train(), context, target)
    return TrialResult("", sum(p.numel() for _, p in trainable), seconds, alone, gru, _is_constant(model, context))


def _place(function: Any, request: Trial) -> str:
    """`mixer.py:12`: the line at which the user's function begins; as the user named it where that is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    file, folder = Path(code.co_filename if code else "/").resolve(), Path(request.folder).resolve()
    if code is None or not file.is_relative_to(folder):
        return request.source
    return f"{file.relative_to(folder)}:{code.co_firstlineno}"


def _check_output(place: str, request: Trial, output: Any) -> None:
    if not isinstance(output, Tensor):
        raise UserError(f"{place}: forward() returned {type(output).__name__}, not a tensor")
    wanted = (request.batch_size, request.dim)
    if tuple(output.shape) != wanted:
        given = (request.batch_size, request.context, request.dim)
        found = f"forward() of contexts {given} returned {tuple(output.shape)}"
        raise UserError(f"{place}: {found}; {wanted} is needed")
    if not output.isfinite().all():
        raise UserError(f"{place}: the output for random windows is not finite")
    if not output.is_floating_point():
        raise UserError(f"{place}: the output is {output.dtype}, not floating point")


@torch.no_grad()
def _check_alone(source: str, model: nn.Module, context: Tensor) -> float:
    """In evaluation, a window's prediction is its own. Returns the mean seconds of one."""
    model.eval()
    together = model(context)
    if not torch.equal(together, model(context)):
        raise UserError(f"{source}: evaluated twice, it predicts differently; use self.training to switch noise off")
    began, some = time.perf_counter(), context[:4, None]
    alone = torch.cat([model(window) for window in some])
    seconds = (time.perf_counter() - began) / len(some)
    if (alone - together[: len(alone)]).abs().max() > ALIKE * together.abs().max().clamp(min=1e-6):
        raise UserError(f"{source}: in evaluation, what it predicts for a window depends on the windows beside it")
    return seconds


def _trained(model: nn.Module, context: Tensor, target: Tensor, steps: int) -> nn.Module:
    torch.manual_seed(2)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    for _ in range(steps):
        model.zero_grad()
        raw = model(context)
        loss, _ = loss_and_cosine("cosine", raw, unit(raw), target)
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                if p.grad is not None:
                    p.sub_(p.grad, alpha=1e-3)
    return model


@torch.no_grad()
def _check_saved(source: str, model: nn.Module, other: nn.Module, context: Tensor) -> None:
    """A checkpoint holds all of it."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    try:
        other.load_state_dict(torch.load(file, weights_only=True))
    except Exception as error:
        words = str(error).partition("\n")[0][:200]
        raise UserError(f"{source}: its state_dict() cannot be saved and loaded again ({words})") from None
    if not torch.equal(model.eval()(context), other.eval()(context)):
        raise UserError(f"{source}: saved and loaded, it predicts differently; keep its state in parameters or buffers")


@torch.no_grad()
def _is_constant(model: nn.Module, context: Tensor) -> bool:
    """True if it has one output for all contexts. A last layer of zeros has, too, before its first step."""
    output = model.eval()(context)
    return bool((output.amax(0) - output.amin(0)).max() <= ROUNDING * output.abs().max())


def _timed(source: str, model: nn.Module, context: Tensor, target: Tensor) -> float:
    """Median seconds of a step. Raises UserError if the steps keep memory."""
    times, kept = [], []
    for _ in range(STEPS):
        began = time.perf_counter()
        _trained(model, context, target, 1)
        times.append(time.perf_counter() - began)
        kept.append(psutil.Process().memory_info().rss)
        if sum(times) > 10:
            break
    half = len(kept) // 2
    steps = len(kept) - 1 - half
    if source and steps > 0 and min(b - a for a, b in pairwise(kept[half:])) > 0:
        growth = (kept[-1] - kept[half]) / steps
        if growth > LEAK:
            raise UserError(f"{source}: keeps {growth / 1e6:.1f} MB more with each step; let go of old tensors")
    return median(times)


# What a model must not do ---------------------------------------------------------------------------------------------


class Forbidden(BaseException):
    """The user's code did what a model must not. Not an Exception, so that the code does not swallow it."""


@contextmanager
def forbidden(allowed: Path) -> Iterator[None]:
    """Refuse to let the code write files outside `allowed`, start processes, or talk to the network.

    It catches mistakes, not malice: the code runs with the user's rights either way.
    """
    active = True
    inside = f"{allowed.resolve()}{os.sep}"

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not active:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if writes and isinstance(path, (str, bytes, os.PathLike)):
                where = os.path.realpath(os.fsdecode(path))
                if not where.startswith((inside, "/dev/", "/proc/")) and "__pycache__" not in where:
                    raise Forbidden(f"writes to {where}; a model has no files of its own")
        elif event in ("os.fork", "os.forkpty", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"):
            raise Forbidden("starts another process; a model must not, its run is stopped and resumed")
        elif event in ("socket.connect", "socket.bind"):
            raise Forbidden("opens a network connection; a model must train without one")

    sys.addaudithook(watch)
    try:
        yield
    finally:
        active = False


def keep_small() -> None:
    """What this process may take: the memory that is there, and little of the disk. It is the first to be killed."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(OSError, ValueError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))


def main(arguments: list[str]) -> None:
    request = find_document(Trial, Path(arguments[0]))
    assert request is not None
    keep_small()
    sys.stdout, sys.stderr = Bounded(sys.stdout), Bounded(sys.stderr)
    sys.dont_write_bytecode = True
    write_document(Path(arguments[1]), check(request), durable=False)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # threads and handlers of the user's code do not hold us up
