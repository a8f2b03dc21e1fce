"""`selftest-<device>.json` in the user's cache: what the self-test of a device found. Standard library only.

`trainers.selftest` measures, `lvmtui doctor` keeps and shows the record, and a trainer reads from it what to avoid.
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.user_code import digest_of_folder
from lvmtui.system.process_id import read_small

DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Fallbacks:
    """What trainers on a device must not use, because its self-test failed there."""

    float32: bool = False
    """Matrix products in float32 instead of TF32."""
    plain: bool = False
    """The modules as `trainers/models` write them, without the faster forward passes of `trainers/fast`."""
    no_graph: bool = False
    """Operations are sent one by one instead of as a CUDA graph."""
    ranks_on_cpu: bool = False
    inexact_resume: bool = False
    """Nothing to do about it: a resumed run ends with slightly other weights."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each, for people."""
        words = {
            "float32": "products are computed in float32: TF32 was too inexact in this device's self-test",
            "plain": "the plain modules are used: the faster ones were wrong in this device's self-test",
            "no_graph": "steps are not recorded as a CUDA graph: that failed in this device's self-test",
            "ranks_on_cpu": "ranks are counted on the CPU: the device's were wrong in its self-test",
            "inexact_resume": "a resumed run is not equal to the bit on this device, as its self-test found",
        }
        return tuple(sentence for name, sentence in words.items() if getattr(self, name))


@dataclass(frozen=True)
class CheckResult:
    """One check of the self-test."""

    name: str
    ok: bool | None
    """None: not tested, `words` says why."""
    words: str
    seconds: float = 0.0


@dataclass(frozen=True)
class SelfTest:
    """What one device was found to be good for."""

    device: str
    """As torch names it."""
    kind: str
    """`cpu`, `cuda` or `mps`."""
    uuid: str
    torch: str
    driver: str
    code: str
    """Digest of the trainers package."""
    results: tuple[CheckResult, ...]
    fallbacks: Fallbacks = field(default_factory=Fallbacks)
    step_seconds: dict[str, float] = field(default_factory=dict)
    """Seconds of a step by model: full size, 768 numbers a vector, batch 32, reference recipe."""
    side_by_side: float | None = None
    """Steps a second of two processes at once over those of one: 1 where they take turns, 2 where neither slows."""
    mps: bool = False
    """Whether NVIDIA's MPS ran, on which `side_by_side` depends."""
    seconds: float = 0.0
    time: float = 0.0
    """When it was tested, seconds since 1970."""
    version: int = 1

    @property
    def ok(self) -> bool:
        return all(result.ok is not False for result in self.results)


def record_path(uuid: str) -> Path:
    """Where the record of a device is kept; `uuid` as nvidia-smi or torch write it, or `cpu`."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "lvmtui" / f"selftest-{plain_uuid(uuid)}.json"


def plain_uuid(uuid: str) -> str:
    """Letters and digits of a UUID: tools write it with and without a prefix."""
    return re.sub("[^0-9a-z-]", "", uuid.lower().removeprefix("gpu-"))


def record_for(uuid: str, torch: str) -> SelfTest | None:
    """The record of a device if it was tested with this torch and with the driver and the code of now."""
    record = find_document(SelfTest, record_path(uuid))
    now = torch, driver_version(), training_code()
    return record if record and (record.torch, record.driver, record.code) == now else None


def write_record(record: SelfTest, uuid: str = "") -> None:
    """Keep a record under its own UUID, or under another name of the same device. Raises OSError."""
    path = record_path(uuid or record.uuid)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_document(path, record, durable=False)


@cache
def training_code() -> str:
    """Digest of the code that trains; empty where it is not installed."""
    found = importlib.util.find_spec("trainers")
    return digest_of_folder(Path(found.origin).parent) if found and found.origin else ""


def driver_version() -> str:
    """The NVIDIA driver's version, empty where there is none: `580.159.04`."""
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", read_small(DRIVER).decode(errors="replace"))
    return found[0] if found else ""
