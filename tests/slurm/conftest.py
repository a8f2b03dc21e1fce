from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, why_not
from tests.slurm.world import SlurmWorld


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real Slurm of one node that this process and its children use; tests that ask for it are skipped without."""
    if reason := why_not():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    before = dict(os.environ)
    # jobs get our environment: what they import is what is tested, wherever it is installed
    found = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        cluster.start()
        os.environ.update(cluster.environment, PYTHONPATH=os.pathsep.join(found))
        yield cluster
    finally:
        os.environ.clear()
        os.environ.update(before)
        cluster.stop()


@pytest.fixture
def world(tmp_path: Path, cluster: Cluster) -> Iterator[SlurmWorld]:
    """A workspace whose runs are jobs, with trainers that train nothing."""
    cluster.heal()
    world = SlurmWorld(tmp_path, cluster)
    yield world
    world.clean()
