"""A user's own trainer: real programs, a real wrapper process, real orders."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lvmtui.formats.intent import write_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Progress
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Evaluated,
    Exit,
    Failed,
    Finished,
    Interrupted,
    Paused,
    Started,
    Trained,
)
from lvmtui.state.run_reader import RunReader
from lvmtui.state.status import Life, Phase, status_of
from tests.own.bench import KIT, PATTERN, SLOW, Bench, ending, failed
from tests.trainers.tiny import events_of
from tests.waiting import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
# Understood -----------------------------------------------------------------------------------------------------------


def test_lines_are_enough_for_a_curve_and_no_verdict(bench: Bench) -> None:
    run = bench.plan(
        "for e in range(1, 6): print(f'epoch {e} val {0.5 + e / 100}')", pattern=PATTERN, epochs=5, steps=None
    )
    assert bench.to_the_end() is Exit.FINISHED
    found = [e for e in events_of(run) if isinstance(e, Evaluated)]
    assert [(e.step, e.epoch, round(e.cosine or 0, 2), e.best) for e in found][-1] == (5, 5.0, 0.55, True)
    finished = ending(run)
    assert isinstance(finished, Finished) and finished.heldout.windows == 0
    assert finished.unjudged == "it left no predictions of the held-out windows (predictions.npy)"


def test_a_training_loss_beside_the_cosine_is_drawn(bench: Bench) -> None:
    both = r"epoch (?P<epoch>\d+) loss (?P<loss>\S+) val (?P<cosine>\S+)"
    script = "for e in range(1, 6): print(f'epoch {e} loss {1 / e} val {0.5 + e / 100}')"
    run = bench.plan(script, pattern=both, epochs=5, steps=None)
    assert bench.to_the_end() is Exit.FINISHED
    assert [(e.step, e.loss) for e in events_of(run) if isinstance(e, Trained)][-1] == (5, 0.2)
    last = [e for e in events_of(run) if isinstance(e, Evaluated)][-1]
    assert (last.loss, last.train_loss, last.best) == (None, 0.2, True)


def test_a_count_that_begins_again_is_told_once_in_the_log(bench: Bench) -> None:
    script = "for e in (1, 2, 3, 1, 2, 3, 4): print(f'epoch {e} val 0.5')"
    run = bench.plan(script, pattern=PATTERN, epochs=4, steps=None)
    assert bench.to_the_end() is Exit.FINISHED
    assert [e.epoch for e in events_of(run) if isinstance(e, Evaluated)] == [1, 2, 3, 4]
    assert bench.log().count("an evaluation of epoch 1 came after one of epoch 3: ") == 1


def test_an_absurd_epoch_does_not_swallow_what_follows(bench: Bench) -> None:
    epochs = (1, -3, 99_999_999, 10**12, 2, 3)
    run = bench.plan(
        f"for e in {epochs}: print(f'epoch {{e}} val 0.5')",
        pattern=PATTERN.replace(r"\d", r"\S"), epochs=3, steps=None,
    )  # fmt: skip
    assert bench.to_the_end() is Exit.FINISHED
    assert [e.epoch for e in events_of(run) if isinstance(e, Evaluated)] == [1, 2, 3]


def test_the_kit_gives_windows_and_takes_predictions(bench: Bench) -> None:
    run = bench.plan(
        KIT
        + "train = run.windows('train')\n"
        + "contexts, targets = train.batch(slice(None))\n"
        + "assert np.isfinite(contexts).all() and np.isfinite(targets).all() and len(contexts) == len(train)\n"
        + "assert np.isnan(train.vectors).any(), 'what was held out is not there'\n"
        + "for step in range(1, run.steps + 1): run.step(step, loss=1 / step, cosine=0.5)\n"
        + "run.evaluated(step, cosine=0.9, loss=0.1)\n"
        + "run.predicted(run.heldout_contexts.mean(axis=1))\n"
    )
    assert bench.to_the_end() is Exit.FINISHED, bench.log()
    finished = ending(run)
    assert isinstance(finished, Finished) and finished.unjudged == "" and run.heldout.exists()
    assert finished.heldout.windows == read_spec(run.spec).heldout_windows and finished.heldout.cosine > 0.5
    points = [e for e in events_of(run) if isinstance(e, Trained)]
    assert [(e.epoch, e.where) for e in events_of(run) if isinstance(e, Evaluated)] == [(0.0, "step 50")]
    assert (finished.best_epoch, finished.best_where) == (0.0, "step 50"), "its batch size is not known"
    assert len(points) == 50 and points[-1].loss == pytest.approx(1 / 50)
    assert not any(point.windows_per_second for point in points), "how many windows a step takes it alone knows"
    assert find_document(Progress, run.progress) is not None


@pytest.mark.parametrize("example", ["without_torch.py", "plain_torch.py"])
def test_the_examples_train_and_are_judged(bench: Bench, example: str) -> None:
    run = bench.plan((EXAMPLES / example).read_text(), steps=40)
    assert bench.to_the_end() is Exit.FINISHED, bench.log()
    finished = ending(run)
    assert isinstance(finished, Finished) and finished.heldout.windows and finished.heldout.cosine > 0.8
    assert any(isinstance(e, CheckpointSaved) for e in events_of(run))


# Obeying --------------------------------------------------------------------------------------------------------------


def test_one_that_writes_checkpoints_is_paused_and_goes_on(bench: Bench) -> None:
    run = bench.plan(SLOW, checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    assert bench.process.wait(30) == Exit.PAUSED
    paused = ending(run)
    assert isinstance(paused, Paused) and not bench.tree()
    write_intent(run.intent, "run", by="test")
    bench.start()
    wait_for(lambda: isinstance(ending(run), Evaluated))
    started = [e for e in events_of(run) if isinstance(e, Started)][-1]
    (saved,) = (e for e in events_of(run) if isinstance(e, CheckpointSaved))
    assert started.resumed_from == paused.step and started.checkpoint == "ck"
    assert started.active == saved.active < paused.active, "seconds after the checkpoint are lost work"
    bench.process.terminate()
    assert bench.process.wait(30) == Exit.INTERRUPTED
    assert isinstance(ending(run), Interrupted)


PRINTS = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "for e in range(1, 10_000):\n"
    "    print(f'epoch {e} val 0.5'); time.sleep(0.05)\n"
)


def test_one_that_cannot_is_suspended_and_goes_on(bench: Bench) -> None:
    run = bench.plan(PRINTS, pattern=PATTERN, epochs=10_000, steps=None)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    wait_for(lambda: len(bench.tree()) == 2 and all(p.stopped for p in bench.tree()))
    wait_for(lambda: (p := find_document(Progress, run.progress)) is not None and p.activity == "suspended")
    write_intent(run.intent, "run", by="test")
    wait_for(lambda: len(bench.tree()) == 2 and not any(p.stopped for p in bench.tree()))
    count = len(events_of(run))  # only now: what it printed before it was stopped may be read while it is stopped
    wait_for(lambda: len(events_of(run)) > count + 5)
    assert bench.process.poll() is None


def test_cancel_ends_the_whole_tree_also_what_ignores_term(bench: Bench) -> None:
    ignores = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    run = bench.plan(ignores + PRINTS, pattern=PATTERN, epochs=10_000, steps=None)
    bench.start()
    wait_for(bench.evaluated)
    assert len(bench.tree()) == 2
    write_intent(run.intent, "cancel", by="test")
    assert bench.process.wait(30) == Exit.CANCELLED
    assert isinstance(ending(run), Cancelled) and not bench.tree()


def test_a_restart_begins_with_an_empty_folder(bench: Bench) -> None:
    run = bench.plan(SLOW, checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    bench.process.wait(30)
    write_intent(run.intent, "run", by="test", from_start=True)
    bench.start()
    wait_for(lambda: isinstance(ending(run), Evaluated))
    assert [e for e in events_of(run) if isinstance(e, Started)][-1].resumed_from == 0


# Misfortunes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise ValueError('no such layer')", "left with exit code 1: ValueError: no such layer"),
        (
            "print('done, all good')",
            "but told of no evaluation (no line understood), and it left no predictions of the held-out windows "
            "(predictions.npy); its last words: done, all good; fix the script, then retry it; another command or "
            "pattern needs a new campaign; 'lvmtui trainer test --pattern REGEX "
            "artifacts/lvm/models/mine_*/train.log' shows what a pattern finds",
        ),
        ("import os; print('a warning', flush=True); os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("import os; print('corrupted', flush=True); os.abort()", "killed by signal 6: corrupted"),
        ("import sys; print('\\x1b]0;owned\\x07\\x1b[31mred'); sys.exit(3)", "left with exit code 3: red"),
    ],
)
def test_how_it_ended_is_said_in_one_line(bench: Bench, script: str, words: str) -> None:
    run = bench.plan(script, pattern=PATTERN)
    assert bench.to_the_end() is Exit.FAILED
    assert words in failed(run) and "a warning" not in failed(run)
    last = ending(run)
    assert isinstance(last, Failed) and (last.reason == "setup") is ("no evaluation" in words), "else it is tried again"


def test_the_end_of_a_failure_is_kept_whatever_it_printed_last(bench: Bench) -> None:
    bench.plan("print('epoch 1 of many'); print('x' * 5000)", pattern=[PATTERN, r"epoch (?P<epoch>\d+) of"])
    assert bench.to_the_end() is Exit.FAILED
    assert "(1 of 2 lines understood)" in failed(bench.run) and failed(bench.run).endswith("shows what a pattern finds")


def test_one_without_a_pattern_is_mended_in_its_script_and_retried(bench: Bench) -> None:
    bench.plan("print('done')")
    assert bench.to_the_end() is Exit.FAILED
    assert "its last words: done; fix the script, then retry it; " in failed(bench.run)
    assert failed(bench.run).endswith("are understood by a pattern, which needs a new campaign")
    (bench.root / "train.py").write_text("print('mended')")
    assert bench.to_the_end() is Exit.FAILED and "train.py has changed since the campaign was planned" in bench.log()
    before, after = (e.versions["train.py"] for e in events_of(bench.run) if isinstance(e, Started))
    digest = hashlib.sha256(b"print('mended')").hexdigest()
    assert before != after == f"sha256 {digest[:16]}"


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        ("np.zeros((3, 3), np.float32)", "predictions.npy has the shape (3, 3), not ("),
        ("run.heldout_contexts.mean(axis=1) / 0", "predictions hold NaN or infinite numbers"),
        ("np.array([{}], dtype=object)", "predictions.npy cannot be read"),
    ],
)
def test_predictions_that_cannot_be_judged_cost_the_verdict_alone(bench: Bench, predictions: str, words: str) -> None:
    save = f"np.save(run.out / 'predictions.npy', {predictions}, allow_pickle=True)"
    run = bench.plan(KIT + f"run.evaluated(1, cosine=0.5)\n{save}\n")
    assert bench.to_the_end() is Exit.FINISHED, bench.log()
    finished = ending(run)
    assert isinstance(finished, Finished) and words in finished.unjudged and finished.best_cosine == 0.5


@pytest.mark.parametrize(
    ("predictions", "words", "before"),
    [
        ("np.zeros((3, 3))", "predictions are (3, 3); one for each", ""),
        ("run.heldout_contexts.mean(axis=1) / 0", "hold NaN or inf", ""),
        ("np.zeros((3, 3))", "are (3, 3)", "(run.out / 'm').write_text('')\nrun.checkpoint('m', 1)\n"),
    ],
)
def test_what_the_kit_refuses_is_not_handed_in_again(bench: Bench, predictions: str, words: str, before: str) -> None:
    run = bench.plan(KIT + f"run.evaluated(1, cosine=0.5)\n{before}run.predicted({predictions})\n")
    assert bench.to_the_end() is Exit.FAILED
    assert words in failed(run) and failed(run).endswith("retry --from-start'" if before else ", then retry it")
    state = RunReader(run).refresh()
    assert state is not None and status_of(state, Life.NONE).phase is Phase.FAILED, "it is not tried again by itself"


def test_what_it_leaves_behind_is_ended(bench: Bench) -> None:
    bench.plan(PRINTS.replace("10_000", "4"), pattern=PATTERN, epochs=3, steps=None)
    assert bench.to_the_end() is Exit.FINISHED
    assert not bench.tree() and "left 1 processes behind" in bench.log()


def test_a_flood_of_output_is_bounded(bench: Bench) -> None:
    lines = "line = 'x' * 99\nfor e in range(1, 4):\n    for _ in range(100_000): print(line)\n"
    flood = lines + "    print(f'epoch {e} val 0.5')\n"
    run = bench.plan(flood, pattern=PATTERN, epochs=3, steps=None)
    assert bench.to_the_end() is Exit.FINISHED
    assert run.log.stat().st_size < 6 << 20 and "lines left out" in bench.log()
    assert sum(isinstance(e, Evaluated) for e in events_of(run)) == 3


def test_what_is_told_in_rubbish_harms_nothing(bench: Bench) -> None:
    rubbish = "pipe = os.open(__import__('json').load(open(os.environ['LVMTUI_KIT']))['pipe'], os.O_WRONLY)\n" + (
        r"os.write(pipe, b'\xff\xfe{[\n{}\n[1]\n{\"kind\": \"digits\", \"step\": \"x\"}\n{\"kind\": \"evaluated\"}\n')"
        + "\n"
    )
    run = bench.plan(KIT + rubbish + "run.evaluated(4, cosine=0.5)\n")
    assert bench.to_the_end() is Exit.FINISHED, bench.log()
    assert sum(isinstance(e, Evaluated) for e in events_of(run)) == 1


def test_many_evaluations_are_thinned(bench: Bench) -> None:
    run = bench.plan(KIT + "for step in range(20_000): run.evaluated(step, cosine=0.5)\n", steps=20_000)
    assert bench.to_the_end() is Exit.FINISHED, bench.log()
    assert sum(isinstance(e, Evaluated) for e in events_of(run)) <= 10_000
