"""Text from files cannot command the terminal, break a layout or crash a view: fed to each view, read at the wire."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.paths import Workspace
from lvmtui.formats.trainer_log import Failed
from lvmtui.system.files import append_line, replace_file
from lvmtui.system.filesystem import try_lock
from lvmtui.ui.widgets.canvas import Canvas
from tests.factory import bring_to, make_campaign, write_trivial
from tests.ui.conftest import MakeApp
from tests.ui.terminal import Terminal

EVIL = (
    "\x1b]52;c;ZXZpbA==\x07",  # the clipboard
    "\x1b]0;owned\x07\x1b]2;owned\x1b\\",  # the title
    "\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\",  # a link
    "\x1b[2J\x1b[H\x1b[31mred\x1bc\x1b[?1049l",  # cursor, erase, reset
    "\x9b2J\x9d0;owned\x9c\x90q\x9c",  # the same as single C1 characters
    "\u202eevil\u2066txt\u200b\u200f",  # what is read is not what is written
    "[/nope][bold]x[@click=app.quit]y[/]",  # markup
    "a\tb\rc\x08\x08\x00d\x7f",
    "漢字" * 30 + "e\u0301" * 10,
)
NASTY = " ".join(EVIL)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    workspace = Workspace(tmp_path)
    evil = "evil \x1b]0;owned\x07[nope]\u202e"
    campaign = make_campaign(workspace, models=("amn", evil), labels=("8\x1b[2Jk", "[nope]"), notes=(NASTY,))
    for arm in ("baseline", "expanded"):
        write_trivial(workspace, campaign, arm)
    good = bring_to(workspace, campaign, "amn", "baseline", state="finished")
    failed = bring_to(workspace, campaign, campaign.models[1], "baseline", state="paused")
    failed.want("run")
    failed.start()
    failed.end(Failed(failed.time, failed.step, "data", NASTY, failed.active))
    given_up = bring_to(workspace, campaign, campaign.models[1], "expanded", state="gave up")
    given_up.give_up(NASTY)
    for run in (good, failed, given_up):
        with run.folder.log.open("ab") as log:
            for text in EVIL:
                log.write(text.encode("utf-8", "surrogateescape") + b"\n" + text.encode("latin-1", "replace") + b"\n")
            log.write(b"\xff\xfe\x80\x9b2J\n" + b"x" * 10_000_000 + b"\nthe end \x1b]52;c;AAAA")
    append_line(good.folder.events, json.dumps({"v": 1, "kind": NASTY}).encode() + b"\n")
    path = workspace.campaign(campaign.id).campaign
    changed = dataclasses.replace(
        campaign,
        by=NASTY,
        versions={NASTY[:20]: NASTY},
        expanded=dataclasses.replace(campaign.expanded, label="[/nope]" + NASTY),
    )
    replace_file(path, dump_document(encode(changed)))
    lock = try_lock(workspace.supervisor_lock)
    yield tmp_path
    assert lock is not None
    lock.close()


VIEWS = ((), ("enter",), ("enter", "2"), ("enter", "2", "w"), ("enter", "3"), ("enter", "4"), ("v",), ("v", "tab"),
         ("x",), ("r",), ("e",), ("n",), ("ctrl+p",), ("question_mark",))  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (130, 45)])
async def test_every_view_stays_a_view(root: Path, make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app(root)
    async with app.run_test(size=size) as pilot:
        assert app.snapshot is not None
        for run in app.snapshot.runs[::2]:
            app.selected = run.name
            for keys in VIEWS:
                await pilot.press(*keys)
                await pilot.pause()
                for canvas in app.screen.query(Canvas):
                    assert "cannot be shown" not in canvas.text
                    for line in canvas.text.splitlines():
                        assert cell_len(line) <= size[0]
                        assert all(_harmless(character) for character in line), (keys, line)
                while len(app.screen_stack) > 1:
                    await pilot.press("escape")
                    await pilot.pause()


def _harmless(character: str) -> bool:
    return unicodedata.category(character)[0] != "C" or character == "\ufffd"


def test_nothing_of_it_reaches_the_terminal(root: Path) -> None:
    with Terminal(["--workspace", str(root)], size=(120, 40)) as terminal:
        terminal.wait_for("AMN")
        for down in range(2):
            for keys in ("\r", "2", "w", "g", "G", "3", "4", "\x1b", "v", "\t", "G", "\x1b", "x", "\x1b", "r", "\x1b"):
                terminal.press(keys)
                terminal.read(0.12)
            open_palette(terminal)
            terminal.press("nope")
            terminal.wait_for("list and open another")
            terminal.press("\x1b")
            terminal.wait_for(lambda text: "list and open another" not in text)  # else it is typed into the palette
            terminal.press("\x1b[C" if down == 0 else "q")
        assert terminal.wait_end() == 0
        assert "Traceback" not in terminal.text
        check_wire(bytes(terminal.raw))


def open_palette(terminal: Terminal) -> None:
    """A dialog that a busy machine opens only after its Esc keeps all keys to itself, so it is given another."""
    for _ in range(10):
        terminal.press("\x10")
        terminal.read(1.0)
        if "Search for commands" in terminal.text:
            return
        terminal.press("\x1b")
    terminal.wait_for("Search for commands")


SEQUENCE = re.compile(
    r"\x1b\[[0-9;]*m"  # colours
    r"|\x1b\[[0-9;]*H"  # to a place
    r"|\x1b\[\?[0-9;]+[hl]"  # modes
    r"|\x1b\[\?[0-9]+\$p"  # asking for modes
    r"|\x1b\[[<>=]?[0-9;]*u"  # the keyboard
    r"|\x1b\[6n"
)


def check_wire(raw: bytes) -> None:
    """What reached the terminal is text and the few sequences our program has reason to send."""
    text = raw.decode("utf-8")
    left = SEQUENCE.sub("", text)
    strange = {character for character in left if unicodedata.category(character)[0] == "C"} - {"\r", "\n"}
    assert not strange, [left[max(0, left.index(c) - 60) : left.index(c) + 40] for c in strange]
