from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.spec import RunSpec, read_spec
from tests.factory import make_campaign
from tests.supervisor.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.clean()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    root = tmp_path_factory.mktemp("spec")
    campaign = make_campaign(root, models=("amn",))
    return read_spec(Path(root, campaign.runs[0].folder, "spec.json"))
