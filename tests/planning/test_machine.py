"""What runs may use of the machine: containers and jobs see all of it and may use a part."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from lvmtui.planning.machine import cores, free_memory


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """We are in the group `/a/b` of a machine whose groups are below tmp_path/groups."""
    (tmp_path / "groups" / "a" / "b").mkdir(parents=True)
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/a/b\n")
    return own


def test_a_share_of_time_is_worth_so_many_cores(tmp_path: Path, own: Path) -> None:
    groups = tmp_path / "groups"
    allowed = len(os.sched_getaffinity(0))
    assert cores(groups, own) == allowed
    (groups / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert cores(groups, own) == allowed
    (groups / "a" / "cpu.max").write_text("50000 100000\n")
    assert cores(groups, own) == 1, "the group around ours has half a core"


def test_the_group_s_limit_is_the_memory_there_is(tmp_path: Path, own: Path) -> None:
    groups = tmp_path / "groups"
    whole = free_memory(groups, own)
    assert 0 < whole <= psutil.virtual_memory().total
    for at in (groups / "a", groups / "a" / "b"):
        (at / "memory.stat").write_text("anon 3000000\nfile 90000000\n")
    (groups / "a" / "b" / "memory.max").write_text("max\n")
    (groups / "a" / "memory.max").write_text("5000000\n")
    assert free_memory(groups, own) == 2_000_000, "cached files give way"


def test_no_groups_are_no_limit(tmp_path: Path) -> None:
    assert cores(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))
    assert free_memory(tmp_path, tmp_path / "none") > 0
