"""The top of the board: the answer first, then what is wrong and the key that helps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.draw.header import banner, troubled, troubles
from lvmtui.ui.draw.lines import Line, width_of
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.terminal import TerminalDriver, driver
from tests.ui.conftest import MakeApp, shown
from tests.ui.draw.test_board import look
from tests.ui.showcase import end, every_state, middle


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    made = {}
    for make in (middle, end, every_state):
        root = tmp_path_factory.mktemp(make.__name__)
        make(root)
        made[make.__name__] = dataclasses.replace(look(root), supervised=True)
    return made


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line).rstrip()


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("name", ["middle", "end"])
def test_the_answer_is_the_first_thing_on_the_board(snapshots: dict[str, Snapshot], name: str, width: int) -> None:
    snapshot = snapshots[name]
    lines = banner(snapshot.headline, snapshot, width, 2)
    assert all(width_of(line) == width and {style for _, style in line} == {"banner"} for line in lines)
    said = " ".join(" ".join(text(line) for line in lines).split())
    assert " ".join(snapshot.headline.split()[:9]) in said and "one seed" in said
    assert text(lines[0]).startswith(" Provisional:") is (name == "middle")
    assert ("4" in said and "left" in said) if name == "middle" else "all ended" in said


async def test_the_answer_comes_first_and_the_machine_last(tmp_path: Path, make_app: MakeApp) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        first, *others, last = shown(app).splitlines()
        assert app.snapshot is not None and first.startswith(f" {app.snapshot.headline[:40]}")
        assert last.endswith("13:49") and "cpu" in last and not any("cpu" in line for line in others)


def test_what_is_wrong_comes_with_a_key_that_is_allowed(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["every_state"]
    wrong = troubled(snapshot)
    assert {run.phase.value for run in wrong} >= {"no space", "failed", "diverged", "unknown"}
    assert not {"running", "queued", "paused", "cancelled"} & {run.phase.value for run in wrong}
    assert [run.over for run in wrong] == sorted(run.over for run in wrong), "what still takes time comes first"
    for run in wrong:
        said = {
            other.name: text(line) for other, line in zip(wrong, troubles(snapshot, run.name, 160, 99), strict=False)
        }
        assert "enter opens it" in said[run.name]
        assert all("! selects it" in line for name, line in said.items() if name != run.name)
    failed = next(run for run in wrong if run.phase.value == "failed")
    assert any("r tries it again, enter opens it" in text(line) for line in troubles(snapshot, failed.name, 160, 99))
    looked = [text(line) for line in troubles(snapshot, failed.name, 160, 99, read_only=True)]
    assert not any("tries it again" in line for line in looked)


def test_more_than_there_is_room_for_is_counted(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["every_state"]
    everything = len(troubles(snapshot, "", 120, 99))
    lines = troubles(snapshot, "", 120, 2)
    assert len(lines) == 2 and text(lines[1]).endswith(f"and {everything - 2} more")
    assert all(width_of(line) <= 120 for line in lines)
    assert troubles(snapshot, "", 120, 0) == []


def test_without_a_supervisor_it_is_said_first(snapshots: dict[str, Snapshot]) -> None:
    alone = dataclasses.replace(snapshots["middle"], supervised=False)
    assert text(troubles(alone, "", 120, 2)[0]).startswith(" ! no supervisor: nothing that waits is started")
    assert "'lvmtui attach' starts one" in text(troubles(alone, "", 120, 2, read_only=True)[0])


def test_another_driver_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert driver() is TerminalDriver
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    monkeypatch.setattr("textual.constants.DRIVER", "textual.drivers.web_driver:WebDriver")  # read when it is imported
    assert driver() is None
    assert LvmApp(Workspace(tmp_path)).driver_class.__name__ == "WebDriver"


async def test_a_long_message_is_never_cut(tmp_path: Path, make_app: MakeApp) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    path = "/a/folder/" + "with_a_very_long_name/" * 6 + "REPORT.md"
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.say(f"report written to {path}")
        await pilot.pause()
        *said, last = shown(app).splitlines()[-5:]
        assert path in "".join(map(str.strip, said))
        assert last.startswith(" q leave, runs go on")
