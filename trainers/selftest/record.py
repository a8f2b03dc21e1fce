"""What the self-test found out about the device a run is on, and which code the run is trained with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from lvmtui.formats.selftest import Fallbacks, code_digest, driver_version, read_record


@cache
def training_code() -> str:
    """Digest of the code that trains."""
    return code_digest(Path(__file__).parents[1])


def uuid_of(device: torch.device) -> str:
    """The name under which a device's self-test is kept."""
    if device.type != "cuda":
        return device.type
    properties = torch.cuda.get_device_properties(device)
    return str(getattr(properties, "uuid", "")) or properties.name


def fallbacks_on(device: torch.device) -> Fallbacks:
    """What to do without on `device`; nothing where it was not tested with this code, torch and driver.

    A CPU is what every other device is tested against, and needs none.
    """
    record = read_record(uuid_of(device)) if device.type != "cpu" else None
    if record is None or not record.holds_for(torch.__version__, driver_version(), training_code()):
        return Fallbacks()
    return record.fallbacks
