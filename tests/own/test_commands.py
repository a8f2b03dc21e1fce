"""`lvmtui trainer test` and `lvmtui watch` as a person types them, and the Lightning callback by a stand-in."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lvmtui.cli.commands import main
from lvmtui.cli.watch_logs import Watch, log_table
from tests.own.bench import PATTERN, Bench

EXAMPLES = Path(__file__).parents[2] / "examples"


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


def test_lines_of_ours_in_the_log_of_a_run_are_not_the_scripts(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that tells of a failure quotes the script's last one, and another attempt begins its count anew."""
    bench.plan("import sys\nprint('epoch 1 val 0.5\\nepoch 2 val 0.6')\nsys.exit(3)\n", pattern=[PATTERN])
    for _ in range(2):
        bench.to_the_end()
    assert bench.log().count("epoch 2 val 0.6") == 4, "each is quoted once"
    assert main(["trainer", "test", "--pattern", PATTERN, str(bench.run.log)]) == 0
    said = capsys.readouterr().out
    assert "4 of 8 lines understood, 4 of them evaluations" in said and "left out" not in said and "leaves" not in said


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
