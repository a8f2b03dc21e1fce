"""Which campaign a command means, and how the program is called again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.cli.shared import program
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import named_campaign
from lvmtui.system.errors import UserError
from tests.factory import make_campaign


def test_a_part_of_the_id_is_enough_if_it_is_one_campaign_s(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = make_campaign(workspace, models=("amn",), stamp="20261122_134500")
    second = make_campaign(workspace, models=("amn",), stamp="20261123_091500")
    assert named_campaign(workspace, second.id, "--split").id == second.id
    assert named_campaign(workspace, "1122", "--split").id == first.id
    with pytest.raises(UserError, match=rf"^--split 8k_vs means more than one; campaigns: {first.id}, {second.id}$"):
        named_campaign(workspace, "8k_vs", "--split")
    with pytest.raises(UserError, match=rf"^--campaign nope is not here; campaigns: {first.id}, {second.id}$"):
        named_campaign(workspace, "nope", "--campaign")


def test_suggested_commands_name_the_workspace_unless_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert program(Workspace(tmp_path)) == "lvmtui"
    assert program(Workspace(tmp_path / "my runs")) == "lvmtui --workspace 'my runs'"
    assert program(Workspace(Path("/data"))) == "lvmtui --workspace /data"
