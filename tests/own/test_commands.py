"""`lvmtui trainer test` and `lvmtui watch` as a person types them, and the Lightning callback by a stand-in."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lvmtui.cli.commands import main
from lvmtui.cli.shared import WIPE
from lvmtui.cli.trainer_test import try_trainer
from lvmtui.cli.watch_logs import Watch, log_table
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


def write_log(path: Path, epochs: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("start\n" + "".join(f"epoch {e} val {0.5 + e / 100}\n" for e in range(1, epochs + 1)))
    return path


def test_a_pattern_is_shown_what_it_understands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "a.log")
    assert main(["trainer", "test", "--pattern", PATTERN, str(log)]) == 0
    said = capsys.readouterr().out
    assert "3 of 4 lines understood, 3 of them evaluations, best validation cosine 0.5300" in said
    assert "line 2: epoch 1, validation cosine 0.51" in said
    log.write_text(log.read_text() + "epoch 3 val nan\nepoch 3 val 0.53\n")
    assert main(["trainer", "test", "--pattern", PATTERN, str(log)]) == 0
    said = capsys.readouterr().out
    assert "5 of 6 lines understood, 5 of them evaluations, best validation cosine 0.5300" in said
    assert "a run leaves out 2 of the evaluations: their count began again" in said
    assert "diverged" not in said
    assert main(["trainer", "test", "--pattern", r"loss (?P<loss>\d)", str(log)]) == 1
    assert "no pattern is found in any of 6 lines; the last line is: epoch 3 val 0.53" in capsys.readouterr().out
    other = write_log(tmp_path / "b.log")
    assert main(["trainer", "test", "--pattern", PATTERN, str(log), str(other)]) == 0, "as a shell writes out a *"
    said = capsys.readouterr().out
    assert f"{log}: 5 of 6 lines" in said and f"{other}: 3 of 4 lines" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trainer", "test"], "give --command, or --pattern and a log file"),
        (["trainer", "test", "x.log"], "needs --pattern"),
        (["trainer", "test", "--pattern", "(", "x.log"], "not a regular expression"),
        (["trainer", "test", "--pattern", PATTERN, "nowhere.log"], "nowhere.log: cannot be read"),
        (["watch", "nowhere"], "nowhere: no such file or folder"),
        (["watch", ".", "--pattern", "("], "not a regular expression"),
    ],
)
def test_mistakes(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_check_of_a_model_says_what_tries_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mixer.py:Mixer"]) == 2
    assert "lvmtui run ... --models mixer.py:Mixer --plan" in capsys.readouterr().err


def test_a_count_that_begins_again_is_left_out_as_in_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that two attempts were appended to: the best of it is one that no run would report."""
    log = tmp_path / "twice.log"
    log.write_text("epoch 0 val 0.5\nepoch 1 val 0.7\nagain\nepoch 0 val 0.6\nepoch 1 val 0.9\nepoch 2 val 0.65\n")
    assert main(["trainer", "test", "--pattern", PATTERN, str(log)]) == 0
    said = capsys.readouterr().out
    assert "5 of 6 lines understood, 5 of them evaluations, best validation cosine 0.7000" in said
    assert "a run leaves out 2 of the evaluations" in said
    assert "line 5: epoch 1, validation cosine 0.9; left out: not past the evaluation before" in said
    log.write_text("epoch 0 val 0.5\nepoch 1 val nan\nepoch 2 val 0.6\n")
    assert main(["trainer", "test", "--pattern", PATTERN, str(log)]) == 0
    said = capsys.readouterr().out
    assert "1 evaluation without a finite figure: a run with one counts as diverged" in said
    assert "line 2: epoch 1, validation cosine nan\n" in said, "a run does not leave it out"


def test_watch_shows_logs_as_rows_and_says_that_it_only_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(tmp_path / "runs" / "a.log")
    write_log(tmp_path / "runs" / "deep" / "b.out", epochs=5)
    (tmp_path / "runs" / "notes.txt").write_text("nothing here\n")
    assert main(["watch", str(tmp_path / "runs"), "--pattern", PATTERN]) == 0
    said = capsys.readouterr().out
    assert "a.log" in said and "deep/b.out" in said and ".5500" in said and "notes.txt" not in said
    assert "nothing can be paused or cancelled" in said
    other = write_log(tmp_path / "deep" / "b.out")
    logs = [tmp_path / "runs" / "deep", other]
    names = {log.name for log in Watch(logs, [PATTERN]).look()}
    assert names == {str(logs[0] / "b.out"), str(other)}, "in two folders they are called alike"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("epoch 2, step 30: loss .4123, val_loss .4011", (2, None, 0.4011)),
        ("epoch 0.8, step 80: validation cosine .5202, loss .47984", (0.8, 0.5202, None)),
        ("step 900: validation cosine .5028, loss .49724", (None, 0.5028, None)),
        ("epoch 3 val_cosine -0.0150", (3, -0.015, None)),
        ("Epoch [4/20] val_cos=-.5", (4, -0.5, None)),
        ("epoch 5 | val_cosine - 0.25", (5, 0.25, None)),
        ("step 7 loss: 1.5e-3", (None, None, 0.0015)),
    ],
)
def test_what_many_scripts_print_is_read_with_its_sign_and_dot(
    line: str, told: tuple[float | None, ...], tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text(f"{line}\n")
    (found,) = Watch([tmp_path], []).look()
    assert (found.epoch, found.cosine, found.loss) == told


def test_a_log_that_grows_is_replaced_or_goes_is_followed(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", epochs=2)
    watch = Watch([tmp_path], [PATTERN])
    assert watch.look()[0].epoch == 2
    with log.open("a") as more:
        more.write("epoch 3 val 0.9\nepo")
    assert watch.look()[0].best == 0.9
    with log.open("a") as more:
        more.write("ch 4 val 0.1\n\x1b]0;owned\x07\n")
    found = watch.look()[0]
    assert (found.epoch, found.cosine, found.best) == (4, 0.1, 0.9)
    write_log(log, epochs=1)
    assert watch.look()[0].best == 0.51
    log.unlink()
    assert watch.look()[0].best == 0.51
    assert "\x1b" not in "".join(log_table(watch.look(), 0.0))


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
    assert re.match(r"it ended before it was asked, after 1 of \d+ epochs, and told", found["leave"].words)


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
    found = list(try_trainer(command, [PATTERN], checkpoints=True, folder=tmp_path, limit=20))
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


# The Lightning callback -----------------------------------------------------------------------------------------------


class FakeRun:
    """Notes what it is told."""

    def __init__(self, out: Path) -> None:
        self.out, self.resume_from, self.asked_to_leave = out, None, False
        self.told: list[tuple[Any, ...]] = []

    def step(self, step: int, **figures: Any) -> None:
        self.told.append(("step", step, figures))

    def evaluated(self, step: int, **figures: Any) -> None:
        self.told.append(("evaluated", step, figures))

    def checkpoint(self, path: str, step: int) -> None:
        self.told.append(("checkpoint", path, step))


def test_the_lightning_callback_tells_saves_and_leaves(tmp_path: Path) -> None:
    """By a stand-in for Lightning's Trainer: its hooks and attributes, as Lightning 2 documents them."""
    spec = importlib.util.spec_from_file_location("lightning_callback", EXAMPLES / "lightning_callback.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run = FakeRun(tmp_path)
    callback = module.LvmtuiCallback(run)
    saved: list[str] = []
    trainer = SimpleNamespace(
        global_step=7,
        callback_metrics={"train_loss": 0.5, "val_cosine": 0.6, "val_loss": 0.4},
        sanity_checking=False,
        should_stop=False,
        save_checkpoint=saved.append,
    )
    callback.on_train_batch_end(trainer, None, None, None, 0)
    callback.on_validation_end(trainer, None)
    assert run.told == [
        ("step", 7, {"loss": 0.5}),
        ("evaluated", 7, {"cosine": 0.6, "loss": 0.4}),
        ("checkpoint", "last.ckpt", 7),
    ]
    assert saved == [str(tmp_path / "last.ckpt")] and not trainer.should_stop
    run.asked_to_leave = True
    callback.on_train_batch_end(trainer, None, None, None, 1)
    assert trainer.should_stop and len(saved) == 2
