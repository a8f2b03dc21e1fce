"""What several tests of trainers share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from lvmtui.formats.spec import read_spec
from lvmtui.legacy import importer
from lvmtui.system.programs import Done, done_by

_OPENED: dict[tuple[object, ...], Done] = {}


def _seen(run: Path) -> tuple[object, ...]:
    """All that decides what is said of the weights of an imported run."""
    spec = read_spec(run / "spec.json")
    assert spec.imported is not None
    weights = spec.imported.weights_file
    content = hashlib.sha256(weights.read_bytes()).hexdigest()
    return spec.model, spec.context, weights, spec.imported.digest, content


@pytest.fixture
def weights_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process opens the same weights for all tests: to import torch takes it longer than most of them take."""

    def opened(command: Sequence[str], *, seconds: float, environment: dict[str, str]) -> Done:
        *_, size, dim = (word for word in command if not Path(word).is_dir())
        key = (size, dim, *(_seen(Path(word)) for word in command if Path(word).is_dir()))
        if key not in _OPENED:
            _OPENED[key] = done_by(command, seconds=seconds, environment=environment)
        return _OPENED[key]

    monkeypatch.setattr(importer, "done_by", opened)
