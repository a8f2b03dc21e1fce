"""Which torch this Python has, without importing it: that takes seconds, and lvmtui never does."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch."""

    version: str
    """As `torch.__version__`; empty if torch is not installed."""
    kind: str
    """`cuda`, `hip` or `cpu`; empty if unknown."""
    toolkit: str
    """Version of CUDA or HIP it was built with; empty for `cpu`."""


@cache
def torch_build() -> TorchBuild:
    """Read from the package's `version.py`."""
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
