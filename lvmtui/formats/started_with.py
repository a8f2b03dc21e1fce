"""`started_with.json` of a campaign: the Python and the environment variables that its runs are started with.

A supervisor may have been started from another shell, days before, for another campaign. So what a run gets is written
down when its campaign is planned, and used at every start. `lvmtui retry` replaces it by what its own shell has.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

KEPT = (
    "PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHASHSEED", "VIRTUAL_ENV", "CONDA_PREFIX", "LANG",
    "LC_*", "TZ", "OMP_*", "GOMP_*", "KMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*", "MALLOC_*", "CUDA_*", "CUBLAS_*",
    "CUDNN_*", "NVIDIA_*", "NCCL_*", "HIP_*", "ROCR_*", "HSA_*", "TORCH_*", "PYTORCH_*", "TRITON_*",
)  # fmt: skip
"""Names of the variables that matter for training; `*` stands for anything."""
CLUSTER = ("SLURM_CONF", "SLURM_CLUSTERS")
"""Names of the variables by which Slurm's commands find their cluster. These, and `SBATCH_*`, are written down too, but
one that was not set is not unset: earlier versions did not write them. A job's `SLURM_CONF` is Slurm's own."""
SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|AUTH|API_?KEY|PRIVATE", re.IGNORECASE)
"""In the name of a variable that is never written down, whatever else its name says."""
SHORT = 40
"""Characters of a value up to which it is shown in a plan; of longer ones only the name is."""
_KEPT, _RECORDED = (
    re.compile("|".join(name.replace("*", ".*") for name in names)) for names in (KEPT, (*KEPT, *CLUSTER, "SBATCH_*"))
)


@dataclass(frozen=True)
class StartedWith:
    """What the runs of a campaign are started with."""

    python: str
    """Path of the interpreter."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those that were set. Variables in `KEPT` that were not set are unset for the runs too."""
    time: float = 0.0
    version: int = 1

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Our environment with the variables that matter taken from the campaign."""
        return {name: value for name, value in ours.items() if not _of(_KEPT, name)} | dict(self.variables)

    @property
    def words(self) -> str:
        """For the plan: the interpreter, and the variables that choose something; paths by name only."""
        short = {name: value for name, value in self.variables.items() if _is_short(value)}
        shown = [f"{name}={value}" for name, value in sorted(short.items())]
        named = sorted(self.variables.keys() - short.keys())
        return "; ".join([self.python, *shown, *([f"{', '.join(named)} as in this shell"] if named else [])])


def _of(names: re.Pattern[str], name: str) -> bool:
    return bool(names.fullmatch(name)) and not SECRET.search(name)


def started_with_now(environment: Mapping[str, str]) -> StartedWith:
    """The Python and variables of this process."""
    kept = {name: value for name, value in sorted(environment.items()) if _of(_RECORDED, name)}
    if "SLURM_JOB_ID" in environment:
        kept.pop("SLURM_CONF", None)
    return StartedWith(sys.executable, kept, time.time())


def differences(before: StartedWith | None, now: StartedWith) -> str:
    """What changes for the runs, in words; empty: nothing."""
    if before is None:
        return "the Python and the variables of this shell"
    found = [now.python] if now.python != before.python else []
    for name in sorted({*before.variables, *now.variables}):
        value = now.variables.get(name)
        if value != before.variables.get(name):
            found.append(f"{name} unset" if value is None else f"{name}={value}" if _is_short(value) else name)
    return ", ".join(found)


def _is_short(value: str) -> bool:
    return len(value) <= SHORT and "/" not in value
