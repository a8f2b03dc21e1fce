"""`lvmtui trainer test`: what it says of trainers that do and that do not keep what they promise."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from lvmtui.cli.commands import main
from lvmtui.cli.shared import WIPE
from lvmtui.cli.trainer_test import try_trainer
from lvmtui.planning.options import Options
from tests.trainers.tiny import tiny_options
from tests.waiting import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
PATTERN = r"epoch (?P<epoch>\d+) val (?P<cosine>\S+)"


SLOW = "import time\nfor e in range(1, 1000):\n    print(f'epoch {e} val 0.5', flush=True); time.sleep(0.05)\n"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers are tried on two small files: to read, check and split the bundled vectors takes longer than a test."""
    (tmp_path / "vectors").mkdir()
    files = tiny_options(tmp_path / "vectors")
    on_files = partial(Options, files.baseline, files.expanded, epochs=60, batch_size=32)
    monkeypatch.setattr("lvmtui.planning.options.Options", on_files)


def test_a_trainer_with_the_kit_passes_every_part(tmp_path: Path) -> None:
    script = (
        (EXAMPLES / "without_torch.py")
        .read_text()
        .replace("    run.step(", "    import time; time.sleep(0.02)\n    run.step(")
    )
    (tmp_path / "train.py").write_text(script)
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [], checkpoints=False, folder=tmp_path, limit=120)}
    assert set(found) == {"events", "leave", "checkpoint", "resume", "predictions", "cancel"}
    assert all(f.works for f in found.values()), found
    page = (EXAMPLES.parent / "docs" / "your-own.md").read_text()
    assert found["predictions"].words.partition(" cosine")[0] in page, "the bundled vectors have other windows now"


@pytest.mark.usefixtures("tiny")
def test_a_cosine_that_is_none_and_a_pattern_that_finds_nothing_are_named(tmp_path: Path) -> None:
    wait = "import time; time.sleep(60)"
    (tmp_path / "train.py").write_text(f"print('epoch 1 val 0.5\\nepoch 2 val 51', flush=True); {wait}")
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=6)}
    assert found["cosines"].words.startswith("line 2 of its output: cosine 51 is no cosine, which lies between")
    (only,) = try_trainer(command, [r"accuracy (?P<cosine>\S+)"], checkpoints=False, folder=tmp_path, limit=4)
    assert only.words == "nothing it said in 4 s is understood; the log ends: epoch 2 val 51"
    predicts = "run = Run.open(); run.predicted(run.heldout_contexts.mean(axis=1))"
    (tmp_path / "train.py").write_text(f"from lvmtui.trainer_kit import Run; {predicts}; print('done')")
    events, predictions = try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=60)
    assert events.words == "nothing it said is understood, so its run has no curve and no time left"
    assert predictions.works and not events.works and not events.needed, "a campaign judges it"


@pytest.mark.usefixtures("tiny")
def test_a_trainer_that_tells_a_nan_fails_the_test(tmp_path: Path) -> None:
    script = "from lvmtui.trainer_kit import Run; Run.open().evaluated(1, cosine=float('nan'), loss=.3)"
    (tmp_path / "train.py").write_text(script)
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [], checkpoints=False, folder=tmp_path, limit=60)}
    assert found["health"].needed and not found["health"].works
    assert found["health"].words.startswith("diverged at step 1: its validation is not finite")


@pytest.mark.usefixtures("tiny")
def test_a_trainer_that_only_prints_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SLOW)
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=8)}
    assert found["events"].works and found["cancel"].works
    assert not found["leave"].works and "memory stays taken" in found["leave"].words
    assert not found["predictions"].works


@pytest.mark.usefixtures("tiny")
def test_a_trainer_that_ends_before_its_planned_epochs_says_after_how_many(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('epoch 1 val 0.5', flush=True)\n")
    command = f"{sys.executable} train.py --epochs {{epochs}}"
    found = {f.part: f for f in try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=60)}
    assert re.match(r"it ended before it was asked, after 1 of \d+ epochs and told", found["leave"].words)
    assert re.search(r"; it ended, after 1 of \d+ epochs$", found["predictions"].words)
    assert found["cancel"].words.endswith("; in all 0 training points, 1 evaluation, 0 checkpoints")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("ending", "words", "needed"),
    [
        (
            "raise RuntimeError('my data is broken')",
            "it failed before it was asked: left with exit code 1: Runtime",
            True,
        ),
        (
            "",
            "it ended before it was asked and told of no checkpoint; if it writes one on TERM, add --checkpoints",
            False,
        ),
    ],
)
def test_a_trainer_that_ends_at_once_says_how(tmp_path: Path, ending: str, words: str, needed: bool) -> None:
    (tmp_path / "train.py").write_text(f"print('epoch 1 val 0.5', flush=True)\n{ending}\n")
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=60)}
    assert not found["leave"].works and found["leave"].needed is needed
    assert found["leave"].words.startswith(words) and "checkpoint" not in found and "resume" not in found


def test_a_trainer_that_fails_after_it_was_asked_fails_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lvmtui.cli.trainer_test.ASK_AFTER", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    wait = "import time; print('epoch 1 val 0.5', flush=True); time.sleep(3); "
    (tmp_path / "train.py").write_text(wait + "raise RuntimeError('my data is broken')")
    command = f"{sys.executable} train.py"
    assert main(["trainer", "test", "--command", command, "--pattern", PATTERN]) == 1
    shown = capsys.readouterr()
    assert "for up to 60 s, and up to 15 s more until it has left\n" in shown.err
    for step in (
        "reading the bundled vectors: 100 %",
        "checking the vectors",
        "drawing the held-out windows",
        "proving",
    ):
        assert f"{WIPE}{step}" in shown.err
    assert shown.err.endswith(WIPE), "nothing is left of it"
    lines = shown.out.splitlines()
    assert any(line.startswith("no  predictions  left with exit code 1: RuntimeError") for line in lines), lines
    assert any(line.startswith("no  leave        it tells of no checkpoint") for line in lines), "it had been asked"


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_test_that_is_ended_takes_its_trainer_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """With its terminal closed the script went on, in a folder that nobody sees."""
    monkeypatch.chdir(tmp_path)
    script = "import os, time; open('pid.new', 'w').write(str(os.getpid())); os.rename('pid.new', 'pid')\n"
    (tmp_path / "train.py").write_text(f"{script}print('epoch 1 val 0.5', flush=True); time.sleep(600)")

    over = threading.Event()

    def end() -> None:
        wait_for((tmp_path / "pid").exists)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # a closed terminal sends HUP, and so does its shell
        while not over.wait(10):  # where it arrives in a callback of the garbage collector, it is lost
            os.kill(os.getpid(), number)

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    thread = threading.Thread(target=end)
    thread.start()
    try:
        code = main(["trainer", "test", "--command", f"{sys.executable} train.py", "--pattern", PATTERN])
    finally:
        over.set()
        thread.join()
        for one, handler in before.items():
            signal.signal(one, handler)
    assert code == 130 and capsys.readouterr().err.endswith("lvmtui: interrupted; the trainer was ended\n")
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


@pytest.mark.usefixtures("tiny")
def test_a_script_that_breaks_as_it_goes_on_is_told_so(tmp_path: Path) -> None:
    """It read "its next word was of step 0", of a word that was never said."""
    script = (EXAMPLES / "without_torch.py").read_text()
    slow = script.replace("    run.step(", "    import time; time.sleep(0.02)\n    run.step(")
    (tmp_path / "train.py").write_text(slow.replace("if run.resume_from", "if run.resume_from and 1 / 0", 1))
    found = {
        f.part: f for f in try_trainer(f"{sys.executable} train.py", [], checkpoints=False, folder=tmp_path, limit=120)
    }
    assert not found["resume"].works and "ZeroDivisionError" in found["resume"].words, found["resume"]
    assert "its next word" not in found["resume"].words


DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLOW}"
LEAVES = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{SLOW}"


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("script", "broken", "words"),
    [
        (DEAF, {"leave"}, ("it was still there after 2 s, and was killed", "it was killed and left nobody behind")),
        (LEAVES, {"checkpoint", "resume"}, ("it told of none, and left no file in {run}", "began again from the")),
    ],
)
def test_a_promise_of_checkpoints_that_is_not_kept_fails_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, broken: set[str], words: tuple[str, str]
) -> None:
    monkeypatch.setattr("lvmtui.cli.trainer_test.ASK_AFTER", 0.0)
    monkeypatch.setattr("lvmtui.cli.trainer_test.LEAVE_AFTER", 2.0)
    (tmp_path / "train.py").write_text(script)
    command = f"{sys.executable} train.py"
    found = list(try_trainer(command, [PATTERN], checkpoints=True, folder=tmp_path, limit=9))
    assert {f.part for f in found if f.needed and not f.works} == broken, found
    told = "; ".join(f.line for f in found)
    assert all(one in told for one in words) and "paused" not in told and "by itself" not in told


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("patterns", [[PATTERN], []])
def test_advice_is_of_a_test_and_not_of_a_campaign(tmp_path: Path, patterns: list[str]) -> None:
    (tmp_path / "train.py").write_text("print('done')")
    found = list(try_trainer(f"{sys.executable} train.py", patterns, checkpoints=False, folder=tmp_path, limit=60))
    assert found[0].words.endswith("; fix the script, or give a --pattern that fits")
    assert "campaign" not in found[0].words and "retry" not in found[0].words


TO_ITS_END = """import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from lvmtui.trainer_kit import Run
run = Run.open()
for step in range(1, 20):
    run.step(step)
    time.sleep(0.1)
run.predicted(run.heldout_contexts.mean(axis=1))
"""


@pytest.mark.usefixtures("tiny")
def test_a_script_that_goes_on_to_its_end_has_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.cli.trainer_test.ASK_AFTER", 0.0)
    (tmp_path / "train.py").write_text(TO_ITS_END)
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [], checkpoints=True, folder=tmp_path, limit=60)}
    leave = found["leave"]
    assert leave.needed and leave.words.startswith("asked to leave (TERM), it went on to its end, for ")
    assert not leave.works and not found["checkpoint"].works and not found["resume"].works
    assert found["checkpoint"].words.endswith("and left no file in {run}"), "predictions are no checkpoint"
    assert found["resume"].words == "it began again from the start"


@pytest.mark.usefixtures("tiny")
def test_of_a_script_that_hangs_it_is_said_since_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.cli.trainer_test.QUIET", 1.0)
    (tmp_path / "train.py").write_text("import time; print('epoch 3 val 0.5', flush=True); time.sleep(60)")
    command = f"{sys.executable} train.py"
    found = {f.part: f for f in try_trainer(command, [PATTERN], checkpoints=False, folder=tmp_path, limit=3)}
    said = found["predictions"].words
    assert re.search(r"did not finish within 3 s, and told of nothing in the last \d+ s, after step \d", said), said
