"""Settings all tests share."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.threads import ONE_THREAD

os.environ.update({**ONE_THREAD, **os.environ})

# Machines that run the tests are shared and slow at times: how long an example takes says nothing about the program.
settings.register_profile("lvmtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lvmtui")

LONG = (
    ("tests/slurm/",),
    ("tests/test_end_to_end", "tests/own/test_trainer_test"),
    ("tests/test_files_end_to_end", "tests/test_sizes_end_to_end", "tests/own/test_own_model"),
    ("tests/ui/test_hostile", "tests/supervisor/test_chaos"),
)
"""The longest tests. `tests/__main__.py` starts a worker for each of these groups."""


@pytest.fixture
def weights_opened_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old weights are opened in the process of the test: another one takes longer to import torch than most tests take.
    `tests/legacy/test_importer.py` has the process that opens them for people."""
    from lvmtui.formats.paths import RunDir
    from lvmtui.legacy import importer
    from lvmtui.system.programs import Done
    from trainers.legacy_weights import size_that_fits

    def opened(command: Sequence[str], **_given: object) -> Done:
        runs = [RunDir(Path(word)) for word in command if Path(word).is_dir()]
        *_, size, dim = (word for word in command if not Path(word).is_dir())
        return Done(0, json.dumps([size_that_fits(run, size, int(dim)) for run in runs]), "")

    monkeypatch.setattr(importer, "done_by", opened)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker's share begins with one of the groups, so that none is left with a long test when the others have
    ended. pytest-xdist gives the workers equal shares of this order."""
    groups = [[item for item in items if item.nodeid.startswith(names)] for names in LONG]
    rest = [item for item in items if not item.nodeid.startswith(sum(LONG, ()))]
    share, ordered = len(items) // len(LONG), []
    for group in groups:
        room = max(0, share - len(group))
        ordered += [*group, *rest[:room]]
        rest = rest[room:]
    items[:] = [*ordered, *rest]
