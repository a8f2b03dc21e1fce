"""Self-tests of devices: run in child processes, kept, and read again until something they depend on changes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from lvmtui.doctor.machine import MachineFinding
from lvmtui.formats.json_codec import DecodeError, decode
from lvmtui.formats.selftest import SelfTest, plain_uuid, record_for, write_record
from lvmtui.system import gpus
from lvmtui.system.launch import our_command
from lvmtui.system.programs import kill_child, spawn, unmarked_environment
from lvmtui.system.text import last_words

LIMIT = 180.0
"""Seconds after which a self-test is given up; it takes under 20 on a machine that is not busy."""
COMMAND = our_command("trainers.selftest")
CPU, APPLE = gpus.Gpu("cpu", "CPU", "cpu"), gpus.Gpu("mps", "Apple GPU", "mps")


@dataclass(frozen=True)
class DeviceRecord:
    """A device with the record of its self-test, or the reason why there is none."""

    gpu: gpus.Gpu
    record: SelfTest | None
    failed: str = ""


def devices() -> tuple[gpus.Gpu, ...]:
    """What runs would train on here: the visible GPUs, or else the CPU."""
    known = {gpu.device: gpu for gpu in gpus.listed_gpus()} | {gpu.uuid: gpu for gpu in gpus.listed_gpus() if gpu.uuid}
    found = tuple(known.get(device, gpus.Gpu(device, "GPU")) for device in gpus.visible_gpus())
    return found or ((APPLE,) if sys.platform == "darwin" else (CPU,))


def kept(gpu: gpus.Gpu) -> SelfTest | None:
    """The record of a device if it was tested with today's torch, driver and code, and with or without MPS as today."""
    record = record_for(_name(gpu), gpus.torch_build().version)
    return record if record is None or record.kind != "cuda" or record.mps == (gpus.mps_state() == "running") else None


def self_tests_of(
    wanted: Sequence[gpus.Gpu], say: Callable[[str], None] = lambda words: None, *, again: bool = False
) -> list[DeviceRecord]:
    """The devices with their records; those without one, or all with `again`, are tested now, at the same time."""
    records = {gpu: None if again else kept(gpu) for gpu in wanted}
    missing = [gpu for gpu, record in records.items() if record is None]
    if missing:
        say("testing " + ", ".join(gpu.name for gpu in missing) + ": takes about 20 s, once")
    running = [(gpu, *_started(gpu)) for gpu in missing]
    found = {gpu: _ended(gpu, process, said) for gpu, process, said in running}
    return [found.get(gpu, DeviceRecord(gpu, records[gpu])) for gpu in wanted]


def findings(results: Sequence[DeviceRecord]) -> list[MachineFinding]:
    """The self-tests as lines of the doctor's page: one a device, and one for each check that failed."""
    found = []
    for result in results:
        record, gpu = result.record, result.gpu
        subject = gpu.name if gpu in (CPU, APPLE) else f"GPU {gpu.device}"
        if record is None:
            remedy = "see that torch works in this Python; runs on the CPU need no self-test"
            found.append(MachineFinding(subject, "fault", f"its self-test could not be run: {result.failed}", remedy))
            continue
        failed = [check for check in record.results if check.ok is False]
        done = sum(check.ok is True for check in record.results)
        words = f"{record.device}: {done} checks passed in {record.seconds:.0f} s"
        words += f", {len(failed)} failed" if failed else ""
        found.append(MachineFinding(subject, "note" if failed else "ok", words))
        for check in failed:
            serious = check.name in ("kernels", "gradients", "optimizer")
            remedy = "use --device cpu, or another build of torch" if serious else _remedy(check.name)
            found.append(MachineFinding(f"  {check.name}", "fault" if serious else "note", check.words, remedy))
        if record.step_seconds:
            steps = ", ".join(f"{model} {1e3 * s:.2f}" for model, s in record.step_seconds.items())
            found.append(MachineFinding("  speed", "ok", f"ms a step at full size: {steps}"))
        if record.side_by_side is not None:
            words = f"two runs at once take {record.side_by_side:.2f} times as many steps as one"
            stopped = not record.mps and gpus.mps_state() == "stopped"
            remedy = f"to let them compute at the same time, start NVIDIA's MPS: {gpus.MPS_START}" if stopped else ""
            words += ", under NVIDIA's MPS" if record.mps else ": they take turns"
            found.append(MachineFinding("  side by side", "note" if remedy else "ok", words, remedy))
    return found


def sharing_remarks(records: Sequence[SelfTest], runs: int, mps: gpus.Mps) -> list[str]:
    """What a plan of so many runs says about NVIDIA's MPS: how to start it where it is installed and does not run."""
    gains = [record.side_by_side for record in records if record.side_by_side and not record.mps]
    if mps != "stopped" or runs < 2 or not gains:
        return []
    return [
        f"NVIDIA's MPS is installed and does not run, so runs on one GPU take turns: two at once take {min(gains):.2f} "
        f"times as many steps as one. '{gpus.MPS_START}' starts it, '{gpus.MPS_END}' ends it; with it they compute at "
        "the same time, and the next plan measures how much faster that is"
    ]


def _remedy(check: str) -> str:
    return {
        "memory": "end what else uses the GPU, or leave the largest models out with --models",
        "gradients in TF32": "nothing to do: trainers compute in float32 there",
        "gradients of the faster modules": "nothing to do: trainers use the plain modules there",
        "ranks": "nothing to do: trainers count ranks on the CPU",
        "resume": "nothing to do: a resumed run may differ in the last digits",
    }.get(check, "nothing to do: trainers send each operation by itself, which is slower")


def _name(gpu: gpus.Gpu) -> str:
    """The name its record is kept under."""
    return gpu.uuid or f"{gpu.name} {gpu.device}"


def _started(gpu: gpus.Gpu) -> tuple[subprocess.Popen[bytes] | None, IO[bytes]]:
    """A self-test with the file its JSON goes to; no process where none can be started."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
    kind, environment = ("cuda", gpus.gpu_variables(gpu.device)) if gpu not in (CPU, APPLE) else (gpu.device, {})
    try:
        return spawn((*COMMAND, "--device", kind), output=said, environment=unmarked_environment() | environment), said
    except OSError:
        return None, said


def _ended(gpu: gpus.Gpu, process: subprocess.Popen[bytes] | None, said: IO[bytes]) -> DeviceRecord:
    with said:
        if process is None:
            return DeviceRecord(gpu, None, f"{sys.executable} cannot be started")
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            kill_child(process)
            return DeviceRecord(gpu, None, f"it took longer than {LIMIT:.0f} s")
        except BaseException:
            kill_child(process)
            raise
        said.seek(0)
        output = said.read()
    try:
        text = output.decode("utf-8", "replace")
        record = decode(SelfTest, json.JSONDecoder().raw_decode(text, text.index("{\n"))[0])
    except (DecodeError, ValueError):
        return DeviceRecord(gpu, None, last_words(output) or f"it ended with code {process.returncode}")
    if plain_uuid(record.uuid) != plain_uuid(_name(gpu)):  # torch names slices otherwise
        with suppress(OSError):
            write_record(record, _name(gpu))
    return DeviceRecord(gpu, record)
