"""Settings all tests share."""

import os

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
    (
        "tests/trainers/test_selftest",
        "tests/trainers/test_replace_process",
        "tests/trainers/test_legacy_",
        "tests/legacy/",
    ),
)
"""The longest tests. `tests/__main__.py` starts a worker for each of these groups."""


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
