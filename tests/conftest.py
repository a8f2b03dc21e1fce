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
    "tests/slurm/",
    "tests/test_end_to_end",
    "tests/test_files_end_to_end",
    "tests/test_sizes_end_to_end",
    "tests/own/test_commands",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no worker is left with one when the others have ended."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
