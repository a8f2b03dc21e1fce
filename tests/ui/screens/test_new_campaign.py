"""A new campaign: what is filled in becomes a command line; what our commands say is shown, faults in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lvmtui.cli.parser import build_parser
from lvmtui.models import MODELS
from lvmtui.ui import child
from lvmtui.ui.draw.new_form import FIELDS, Answers, CampaignForm, answer_lines
from lvmtui.ui.screens.new_campaign import NewScreen
from lvmtui.ui.widgets.picker import VectorTree, completed, names
from lvmtui.ui.widgets.prompt import TextField
from tests.ui.conftest import MakeApp, shown, until
from tests.ui.showcase import middle

TO_MODELS = ("tab",) * FIELDS.index("models")


def filled(**texts: str) -> CampaignForm:
    return CampaignForm(texts)


@pytest.mark.parametrize(
    ("form", "command"),
    [
        (CampaignForm(), "lvmtui demo"),
        (filled(seeds="1, 2 3", jobs="2", epochs="4"), "lvmtui demo --epochs 4 --seeds 1 2 3 --jobs 2"),
        (filled(baseline="a b.npz", expanded="/c.npz"), "lvmtui run --baseline 'a b.npz' --expanded /c.npz"),
        (CampaignForm(ticked=frozenset(MODELS) - {"lstm"}), "lvmtui demo --models amn gru transformer graphmert_lvm"),
        (CampaignForm(chosen={"recipe": "tuned"}), "lvmtui demo --recipe tuned"),
        (CampaignForm(chosen={"size": "full"}), "lvmtui demo --size full"),
        (filled(more="--normalise --labels 'a b' c"), "lvmtui demo --normalise --labels 'a b' c"),
        (filled(sizes="3", context="5 10"), "lvmtui demo --sizes 3 --context 5 10"),
        (filled(data="'a b.npz'", sizes="10k, 20k all"), "lvmtui run --data 'a b.npz' --sizes 10k 20k all"),
        (filled(data="a.npz b.npz c.npz"), "lvmtui run --data a.npz b.npz c.npz"),
        (CampaignForm({"own-models": "mixer.py:Mixer"}, frozenset({"gru"})), "lvmtui demo --models gru mixer.py:Mixer"),
        (CampaignForm({"own-models": "mixer.py:Mixer"}, frozenset()), "lvmtui demo --models mixer.py:Mixer"),
        (filled(campaign="mine.toml", jobs="1"), "lvmtui run mine.toml --jobs 1"),
        (filled(**{"import": "'old runs/amn_80k' gru"}), "lvmtui import 'old runs/amn_80k' gru"),
    ],
)
def test_a_form_is_a_command_line(form: CampaignForm, command: str) -> None:
    assert form.command == command
    build_parser().parse_args(form.starting)
    if not form.folders:
        assert build_parser().parse_args([*form.arguments(), "--plan", "--json"]).plan


def test_typing() -> None:
    field = TextField()
    for key in "hello":
        field = field.typed(key, key) or field
    for key in ("left", "left", "backspace", "home", "delete"):
        field = field.typed(key, None) or field
    assert (field.text, field.cursor) == ("elo", 0)
    assert field.pasted("/tmp/\x1b[2Jx\n").text == "/tmp/xelo"
    assert TextField("/data/old.npz", 13).typed("ctrl+w", None) == TextField("/data/", 6)
    assert TextField("abc", 2).typed("ctrl+u", None) == TextField("c", 0)
    assert TextField().typed("f5", None) is None
    for width in (5, 12):
        shown_ = "".join(text for text, _ in TextField("a long path.npz", 15).pieces(width))
        assert len(shown_) <= width and shown_.endswith(" ")


def test_paths_are_completed(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    for name in ("vec_8k.npz", "vec_23k.npz", "shards.parquet", "notes.txt", ".hidden.npz"):
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path) == ["shards.parquet", "vec_23k.npz", "vec_8k.npz", "vectors/"]
    assert completed(f"{tmp_path}/ve") == f"{tmp_path}/vec"
    assert completed(f"{tmp_path}/vec_8") == f"{tmp_path}/vec_8k.npz"
    assert completed(f"{tmp_path}/vect") == f"{tmp_path}/vectors/"
    assert completed(f"{tmp_path}/no") == f"{tmp_path}/no"
    assert completed("~nobody-here/x") == "~nobody-here/x"
    assert names(tmp_path / "none") == []


ARM: dict[str, Any] = {"label": "8k", "data": {"fingerprint": "f1", "rows": [0, 8280]}}
FILE: dict[str, Any] = {
    "label": "8k", "vectors": 8280, "dim": 384, "articles": 41, "windows": 8075, "duplicates": 3, "coherence": 0.41,
}  # fmt: skip
CHECK: dict[str, Any] = {"files": [FILE], "faults": [], "notes": ["what is well to know"]}
"""What our commands say, as far as the form shows it."""
PLAN: dict[str, Any] = {
    "campaign": {
        "jobs": 2, "models": ["amn"], "size": "small", "recipe": "tuned", "device": "cpu", "notes": [], "doubts": [],
        "baseline": ARM, "between": [], "expanded": ARM,
    },
    "runs": [1] * 10,
    "remarks": ["size small: few windows"],
    "others": ["another waits"],
    "doubts": [],
    "check": CHECK,
    "split": {"windows": 2292, "clusters": 91},
    "expected": {"seconds": 240.0, "low": 180.0, "high": 360.0},
}  # fmt: skip


@pytest.mark.parametrize("width", [80, 30])
@pytest.mark.parametrize("fault", ["", "a fault"])
def test_text_from_files_is_shown_harmless(width: int, fault: str) -> None:
    bad = "\x1b[2J" * 40
    facts = CHECK | {"files": [FILE | {"label": bad, "coherence": None}], "faults": [bad], "notes": [bad]}
    plan = PLAN | {"remarks": [bad], "campaign": {**PLAN["campaign"], "notes": [bad], "baseline": ARM | {"label": bad}}}
    answers = Answers(facts=facts, plan=plan, fault=fault, busy="busy")
    assert "\x1b" not in str(answer_lines(CampaignForm(), answers, width))


def test_doubts_are_shown_and_a_size_only_of_what_has_one() -> None:
    def drawn(**campaign: Any) -> str:
        answers = Answers(plan=PLAN | {"doubts": ["trained already"], "campaign": {**PLAN["campaign"], **campaign}})
        return "\n".join("".join(text for text, _ in line) for line in answer_lines(CampaignForm(), answers, 120))

    assert "2 side by side, small models, recipe tuned" in drawn()
    told = drawn(models=["mine"], doubts=["the network of mine has the same output for every context"])
    assert "2 side by side, recipe tuned" in told and "the network of mine" in told and "trained already" in told


FAKE = f"""
import json, pathlib, sys
CHECK, PLAN = {json.dumps(CHECK)!r}, {json.dumps(PLAN)!r}
arguments = sys.argv[1:]
log = pathlib.Path(sys.argv[0]).with_suffix(".log")
log.open("a").write(json.dumps(arguments) + "\\n")
if "--baseline" in arguments and "--expanded" not in arguments:
    sys.exit("lvmtui: --baseline: --expanded is missing; name both files")
if "wrong.toml" in arguments:
    sys.exit("lvmtui: wrong.toml: not TOML")
if "nope.npz" in arguments:
    sys.exit("lvmtui: nope.npz: no such file; name another")
if arguments[0] == "check":
    print(CHECK)
elif "--plan" in arguments:
    doubts = ["another has the same runs and is not over"] if "again.npz" in arguments else []
    print(json.dumps(json.loads(PLAN) | {{"doubts": doubts}}))
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """Our commands replaced by a small program; what it was asked."""
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE)
    monkeypatch.setattr(child, "COMMAND", (sys.executable, os.fspath(fake)))
    monkeypatch.setattr("lvmtui.ui.screens.new_campaign.PAUSE", 0.05)

    def asked() -> list[list[str]]:
        log = fake.with_suffix(".log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return asked


async def test_facts_plan_and_faults_come_as_it_is_filled(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "4 m 00 s (3 m 00 s to 6 m 00 s)" in shown(app))
        await until(pilot, lambda: "8,280 384-d vectors" in shown(app))
        assert "2,292 windows of 91" in shown(app) and "well to know" in shown(app)
        assert "size small: few windows" in shown(app) and "small models" in shown(app)
        await pilot.press(*"nope.npz")
        await until(pilot, lambda: "--expanded is missing" in shown(app))
        await pilot.press("tab", *"/q.npz")
        await until(pilot, lambda: "nope.npz: no such file; name another" in shown(app))
        assert "lvmtui run --baseline nope.npz --expanded /q.npz" in shown(app)
        looked = ["check", "--json", "nope.npz", "/q.npz", "--cache"]
        await until(pilot, lambda: any(asked[:5] == looked for asked in commands()))


async def test_enter_starts(tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("n")
        await pilot.pause()
        await pilot.press(*TO_MODELS, "space", "tab", "tab", "tab", "enter", "down", "enter", "ctrl+s")
        await until(pilot, lambda: "Start this campaign?" in shown(app))
        assert "10 runs, 2 side by side; expected 4 m 00 s" in shown(app)
        assert not any("--detach" in asked for asked in commands()), "one Enter starts nothing"
        await pilot.press("enter")
        wanted = ["demo", "--models", "lstm", "gru", "transformer", "graphmert_lvm", "--recipe", "tuned", "--detach"]
        await until(pilot, lambda: any(asked[: len(wanted)] == wanted for asked in commands()))
        await until(pilot, lambda: not isinstance(app.screen, NewScreen))


async def test_where_run_would_ask_enter_starts_nothing(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("n")
        await pilot.pause()
        await pilot.press(*"again.npz", "tab", *"b.npz", "ctrl+s")
        await until(pilot, lambda: "Train all the same?" in shown(app))
        assert "another has the same runs and is not over" in shown(app) and "another waits" in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: "Train all the same?" not in shown(app))
        assert not any("--detach" in asked for asked in commands())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Train all the same?" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: any("--detach" in asked for asked in commands()))


async def test_no_question_is_promised_under_a_fault(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press(*"nope.npz", "tab", *"/q.npz", "ctrl+s")
        await until(pilot, lambda: "nope.npz: no such file; name another" in shown(app))
        await until(pilot, lambda: "nothing can be started as it is" in shown(app))
        assert "you will be asked" not in shown(app)


async def test_nothing_starts_without_a_model(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(*TO_MODELS, "space", *("down", "space") * 4, "ctrl+s")
        await pilot.pause()
        assert "no model is ticked" in shown(app)
        assert "esc leave" in shown(app), "there is no board to go back to"
        assert not any("--detach" in asked for asked in commands())


def test_a_fault_is_said_once(tmp_path: Path) -> None:
    fault = "a.npz: 3,000 of 3,000 vectors are not of unit length; add --normalise to scale them to 1"
    answers = Answers(facts=CHECK | {"faults": [fault, fault, "b.npz: other"]}, fault=fault)
    text = "\n".join("".join(piece for piece, _ in line) for line in answer_lines(CampaignForm(), answers, 60))
    assert text.count("a.npz") == text.count("b.npz") == 1
    assert text.count("✗") == 2, "what goes on in the next line is not another fault"


def test_what_goes_on_is_not_cut() -> None:
    busy = "starting: drawing the split, proving it, writing the runs; esc calls it off, 12 s so far"
    lines = ["".join(piece for piece, _ in line) for line in answer_lines(CampaignForm(), Answers(busy=busy), 60)]
    assert all(len(line) <= 60 for line in lines) and " ".join("".join(lines).split()).endswith("12 s so far…")


async def test_a_file_is_picked(tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]) -> None:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "8k.npz").write_bytes(b"x" * 2048)
    (tmp_path / "notes.txt").write_text("x")
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "vectors" in shown(app))
        assert "notes.txt" not in shown(app)
        await pilot.press("down")
        for _ in range(20):
            if "8k.npz" in shown(app):
                break
            node = app.screen.query_one(VectorTree).cursor_node
            if node is not None and "vectors" in str(node.label):
                await pilot.press("space")
                await until(pilot, lambda: "8k.npz" in shown(app))
                break
            await pilot.press("down")
        await pilot.press("down", "enter")
        await until(pilot, lambda: f"--baseline {tmp_path}/vectors/8k.npz" in shown(app))


async def test_letters_give_no_orders_in_the_form(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("n")
        await pilot.pause()
        await pilot.press(*TO_MODELS, *"pxXrvenq!c")
        await pilot.pause()
        assert isinstance(app.screen, NewScreen) and app.is_running and not app.words
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, NewScreen) and "GRU" in shown(app))


async def test_f1_helps_where_a_question_mark_is_text(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("?")
        await until(pilot, lambda: "--baseline '?'" in shown(app))
        await until(pilot, lambda: "f1 help" in shown(app))
        await pilot.press("f1")
        await until(pilot, lambda: "Keys (esc closes)" in shown(app))
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, NewScreen))


async def test_what_is_opened_while_a_campaign_starts_does_not_keep_the_form(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    middle(tmp_path)
    app, go = make_app(tmp_path), tmp_path / "go"
    fake = tmp_path / "fake.py"
    wait = f'if "--detach" in sys.argv:\n while not pathlib.Path({os.fspath(go)!r}).exists(): time.sleep(0.01)\n'
    fake.write_text("import time\n" + FAKE + wait)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: "10 runs" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Start this campaign?" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: any("--detach" in asked for asked in commands()))
        await pilot.press(*"xy")
        await until(pilot, lambda: "esc calls it off" in shown(app))
        assert "--baseline" not in shown(app), "nothing is typed into the form any more"
        await pilot.press("f1")
        await until(pilot, lambda: "Keys (esc closes)" in shown(app))
        go.touch()
        await until(pilot, lambda: app.screen is app.screen_stack[0] and "GRU" in shown(app))


async def test_keys_typed_in_one_burst_keep_their_order(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        for key in (*"wrong.npz", "ctrl+u", *"a.npz", "tab", *"b.npz"):
            app.simulate_key(key)
        await until(pilot, lambda: "--baseline a.npz --expanded b.npz" in shown(app))
        for key in (*TO_MODELS[1:], "space", "down", "down", "space", "tab", *"m.py:M"):
            app.simulate_key(key)
        await until(pilot, lambda: "--models lstm transformer graphmert_lvm m.py:M" in shown(app))


async def test_what_is_ticked_is_told_without_colours(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press(*TO_MODELS, "down", "space")
        await until(pilot, lambda: "[ ] LSTM" in shown(app) and shown(app).count("[x]") == len(MODELS) - 1)


async def test_a_campaign_file_with_a_mistake_leaves_one_line(
    tmp_path: Path, make_app: MakeApp, commands: Callable[[], list[list[str]]]
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: "8,280 384-d vectors" in shown(app))
        await pilot.press(*("tab",) * FIELDS.index("campaign"), *"wrong.toml")
        await until(pilot, lambda: "✗ wrong.toml: not TOML" in shown(app))
        assert "384-d vectors" not in shown(app), "the file may name other vectors"
        assert "lvmtui run wrong.toml" in shown(app)
