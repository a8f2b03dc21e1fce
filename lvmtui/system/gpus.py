"""Which GPUs there are, which one a run gets, and for which the installed torch was built.

torch is not imported for this: that takes seconds, and lvmtui never does it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Literal

from lvmtui.system.programs import done_by

DRIVER = Path("/proc/driver/nvidia/gpus")
KFD = Path("/sys/class/kfd/kfd/topology/nodes")
"""AMD's driver: a folder a device, CPUs among them."""
WSL_TOOL = Path("/usr/lib/wsl/lib/nvidia-smi")
"""NVIDIA's command under WSL; often not on the path."""
NO_GPU = ("-1", "NoDevFiles")
"""In CUDA_VISIBLE_DEVICES: the first of these ends the list. The second is what Slurm writes for a job without GPUs."""
NVIDIA = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9a-f-]+)\)")
MPS_CONTROL = "nvidia-cuda-mps-control"
"""The command of NVIDIA's MPS. With it processes compute on a GPU at the same time, without it they take turns."""
MPS_START, MPS_END = f"{MPS_CONTROL} -d", f"echo quit | {MPS_CONTROL}"
SLICE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")
Mps = Literal["missing", "stopped", "running"]


@dataclass(frozen=True)
class TorchBuild:
    version: str
    """As `torch.__version__`; empty if torch is not installed."""
    kind: str
    """`cuda`, `hip` or `cpu`; empty if unknown."""
    toolkit: str
    """Version of CUDA or HIP it was built with; empty for `cpu`."""


@cache
def torch_build() -> TorchBuild:
    """The torch of this Python, read from its `version.py`."""
    try:
        found = importlib.util.find_spec("torch")
        text = (Path(found.origin).parent / "version.py").read_text() if found and found.origin else ""
    except (OSError, ValueError, ImportError):
        text = ""
    values = dict(re.findall(r"^(__version__|cuda|hip)\b[^=\n]*= *['\"]([^'\"]+)['\"]", text, re.MULTILINE))
    version = values.get("__version__", "")
    for kind in ("cuda", "hip"):
        if kind in values:
            return TorchBuild(version, kind, values[kind])
    return TorchBuild(version, "cpu" if re.search(r"^cuda\b[^=\n]*= *None", text, re.MULTILINE) else "", "")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one (MIG), that a run can be given."""

    device: str
    """As CUDA_VISIBLE_DEVICES names it: a number, or a slice's UUID."""
    name: str
    uuid: str = ""
    """Empty where it is not known."""


def visible_gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs runs may be given, as CUDA_VISIBLE_DEVICES names them; a choice in their environment is respected.

    None where this Python's torch is built for CPUs only. Asking for them may take a second, the first time.
    """
    if torch_build().kind == "cpu":
        return ()
    variable = environment.get("CUDA_VISIBLE_DEVICES", environment.get("HIP_VISIBLE_DEVICES"))
    if variable is None:
        return tuple(gpu.device for gpu in listed_gpus())
    named = (part.strip() for part in variable.split(","))
    usable = takewhile(lambda device: device not in NO_GPU, named)  # CUDA stops reading at the first wrong one
    return tuple(filter(None, usable))


def gpu_variables(devices: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that give a process these GPUs and no others; nothing if no choice was made."""
    if not devices:
        return {}
    variables = {"CUDA_VISIBLE_DEVICES": devices}
    # HIP looks at CUDA's variable only where its own is not set
    return variables | ({"HIP_VISIBLE_DEVICES": devices} if "HIP_VISIBLE_DEVICES" in environment else {})


def device_for(device: str, gpus: tuple[str, ...], in_use: Iterable[str]) -> str:
    """The GPU a new run gets: the one the fewest others have. Empty where there is nothing to choose. `device`: of the
    spec. `in_use`: CUDA_VISIBLE_DEVICES of the living runs."""
    if device not in ("auto", "cuda") or len(gpus) < 2:
        return ""
    users = Counter(in_use)
    return min(gpus, key=lambda gpu: (users[gpu], gpus.index(gpu)))


def nvidia_tool() -> str:
    """Path of NVIDIA's command; empty where there is none."""
    return shutil.which("nvidia-smi") or (str(WSL_TOOL) if WSL_TOOL.exists() else "")


def mps_state() -> Mps:
    """Whether NVIDIA's MPS is installed, and runs. Its own command is asked: the files of a service may outlive it."""
    if shutil.which(MPS_CONTROL) is None:
        return "missing"
    answer = done_by((MPS_CONTROL,), seconds=5, given="get_server_list\n")
    return "stopped" if answer.code or "cannot find" in (answer.out + answer.err).lower() else "running"


def listed_gpus() -> tuple[Gpu, ...]:
    """All GPUs of this machine: by NVIDIA's command, else by its driver's folder, else by AMD's driver."""
    tool = nvidia_tool()
    found = parse_nvidia(_list_of(tool)) if tool else ()
    if not found and DRIVER.is_dir():
        found = tuple(Gpu(str(number), "NVIDIA GPU") for number in range(len(list(DRIVER.iterdir()))))
    return found or _amd()


def parse_nvidia(text: str) -> tuple[Gpu, ...]:
    """What `nvidia-smi -L` prints. A GPU that is cut into slices is listed as its slices, which is what can be used."""
    found: list[Gpu] = []
    whole: Gpu | None = None
    for line in text.splitlines():
        if match := NVIDIA.match(line):
            whole = Gpu(match[1], match[2], match[3])
            found.append(whole)
        elif whole is not None and (match := SLICE.match(line)):
            if found[-1] is whole:
                found.pop()
            found.append(Gpu(match[2], f"{whole.name}, slice {match[1]}", match[2]))
    return tuple(found)


@cache
def _list_of(tool: str) -> str:
    """Asked once a process: GPUs do not come and go, and the driver may take a second."""
    listed = done_by([tool, "-L"], seconds=20)
    return "" if listed.code else listed.out


def _amd() -> tuple[Gpu, ...]:
    try:
        nodes = sorted(KFD.iterdir(), key=lambda node: int(node.name))
        texts = [(node / "properties").read_text(errors="replace") for node in nodes]
        properties = [dict(line.split(None, 1) for line in text.splitlines() if " " in line) for text in texts]
    except (OSError, ValueError):
        return ()
    computing = [node for node in properties if int(node.get("simd_count", "0")) > 0]
    return tuple(Gpu(str(number), "AMD GPU") for number in range(len(computing)))
