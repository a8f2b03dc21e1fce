"""Which torch there is, read and not imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lvmtui.system.torch_build import TorchBuild, torch_build


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip = None\n",
            ("2.13.0+cpu", "cpu", ""),
        ),
        ("__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n", ("2.11.0+cu130", "cuda", "13.0")),
        (
            "__version__ = '2.9.1'\ncuda = None\nhip: Optional[str] = '6.4.4'\n",
            ("2.9.1", "hip", "6.4.4"),
        ),
        ("debug = False\n", ("", "", "")),
    ],
)
def test_it_is_read_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, str, str]
) -> None:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "version.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert torch_build.__wrapped__() == TorchBuild(*expected)
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()
    assert torch_build.__wrapped__() == TorchBuild("", "", "")


def test_it_is_the_one_that_trains() -> None:
    import torch

    build = torch_build.__wrapped__()
    assert build.version == torch.__version__ and bool(build.toolkit) == bool(torch.version.cuda or torch.version.hip)
