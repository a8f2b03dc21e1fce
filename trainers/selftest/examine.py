"""All checks on one device, one after the other, and what follows from each failure."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from lvmtui.formats.selftest import CheckResult, Fallbacks, SelfTest, driver_version, training_code
from lvmtui.system.gpus import mps_state
from trainers.cuda_graph import CannotRecord
from trainers.device import device_name, set_precision, uuid_of
from trainers.selftest import bench as speed
from trainers.selftest import checks
from trainers.selftest.bench import Bench
from trainers.selftest.checks import Outcome

CHECKS: tuple[tuple[str, Callable[[Bench], Outcome], Fallbacks], ...] = (
    ("kernels", checks.kernels, Fallbacks()),
    ("memory", checks.memory, Fallbacks()),
    ("gradients", checks.gradients, Fallbacks()),
    ("optimizer", checks.optimizer, Fallbacks()),
    ("ranks", checks.ranks, Fallbacks(ranks_on_cpu=True)),
    ("graph", checks.graph, Fallbacks(no_graph=True)),
    ("dropout", checks.dropout, Fallbacks(no_graph=True)),
    ("resume", checks.resume, Fallbacks(inexact_resume=True)),
    ("evaluation", checks.evaluation, Fallbacks(no_graph=True)),
    ("steady memory", checks.steady_memory, Fallbacks(no_graph=True)),
)
"""Name, check, and what trainers do without where it fails. Those that need no recording come first."""


def examine(bench: Bench, why_no_graph: str = "", say: Callable[[str], None] = lambda words: None) -> SelfTest:
    """Test a device. Raises CannotRecord: this process must then be replaced by one that records nothing.

    `why_no_graph`: why nothing is recorded, where that was tried before.
    """
    began, fallbacks = time.monotonic(), Fallbacks(no_graph=bool(why_no_graph))
    results: list[CheckResult] = []

    def told(result: CheckResult) -> None:
        results.append(result)
        state = {True: "ok", False: "FAILED", None: "-"}[result.ok]
        say(f"{result.name:18} {state:7} {result.words}  ({result.seconds:.1f} s)")

    if why_no_graph:
        results.append(CheckResult("graph", False, f"steps cannot be recorded: {why_no_graph}"))
    for name, check, fallback in CHECKS:
        if why_no_graph and name == "graph":
            continue
        result = _done(name, check, bench)
        if result.ok is False:
            fallbacks = Fallbacks(**{name: value or getattr(fallback, name) for name, value in vars(fallbacks).items()})
        if name == "gradients" and result.ok is False:
            result, fallbacks = _other_arithmetic(bench, result, fallbacks, told)
        if fallbacks.no_graph:
            bench.recorder_of = lambda device: None
        told(result)
    step_seconds, beside = _speeds(bench, told)
    return SelfTest(
        device=device_name(bench.device),
        kind=bench.device.type,
        uuid=uuid_of(bench.device),
        torch=torch.__version__,
        driver=driver_version(),
        code=training_code(),
        results=tuple(results),
        fallbacks=fallbacks,
        step_seconds=step_seconds,
        side_by_side=beside,
        mps=bench.device.type == "cuda" and mps_state() == "running",
        seconds=time.monotonic() - began,
        time=time.time(),
    )


def _other_arithmetic(
    bench: Bench, result: CheckResult, fallbacks: Fallbacks, told: Callable[[CheckResult], None]
) -> tuple[CheckResult, Fallbacks]:
    """Gradients were wrong: try float32, then the plain modules. Returns the last result and what helped; of a device
    on which nothing helps, the first fallbacks."""
    given = fallbacks
    if bench.device.type == "cuda":
        told(replace(result, name="gradients in TF32"))
        set_precision(bench.device, tf32=False)
        fallbacks = replace(fallbacks, float32=True)
        result = _done("gradients", checks.gradients, bench)
    if result.ok is False:
        told(replace(result, name="gradients of the faster modules"))
        bench.plain, fallbacks = True, replace(fallbacks, plain=True)
        result = _done("gradients", checks.gradients, bench)
    return result, fallbacks if result.ok else given


def _done(name: str, check: Callable[[Bench], Outcome], bench: Bench) -> CheckResult:
    began = time.monotonic()
    try:
        ok, words = check(bench)
    except CannotRecord:
        raise
    except Exception as error:  # whatever a device may answer
        first = (str(error) or type(error).__name__).splitlines()[0]
        ok, words = False, f"{type(error).__name__}: {first}"
    return CheckResult(name, ok, words, time.monotonic() - began)


def _speeds(bench: Bench, told: Callable[[CheckResult], None]) -> tuple[dict[str, float], float | None]:
    """Step times, and the gain of two processes at once; nothing on a CPU, where campaigns show it themselves."""
    if bench.device.type != "cuda":
        return {}, None
    seconds: dict[str, float] = {}
    beside: float | None = None

    def alone(bench: Bench) -> Outcome:
        seconds.update(speed.step_seconds(bench))
        return True, ", ".join(f"{model} {1e3 * s:.2f}" for model, s in seconds.items()) + " ms a step"

    def shared(bench: Bench) -> Outcome:
        nonlocal beside
        try:
            together = speed.paces(bench.device, (speed.SHARED_MODEL, speed.SHARED_MODEL))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return None, f"two processes could not be run: {error}"
        beside = sum(seconds[speed.SHARED_MODEL] / pace for pace in together)
        return True, f"two processes at once take {beside:.2f} times as many steps as one"

    told(_done("speed", alone, bench))
    if speed.SHARED_MODEL in seconds:
        told(_done("side by side", shared, bench))
    return seconds, beside
