"""A user's own program that is not there, or whose figures or checkpoints are not told, or told wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.trainer_log import Evaluated, Exit, Finished, Started
from lvmtui.state.run_reader import RunReader
from lvmtui.system.errors import UserError
from lvmtui.verdict.health import health_of
from tests.own.bench import PATTERN, SLOW, Bench, ending, failed
from tests.trainers.tiny import events_of
from tests.waiting import wait_for


def test_a_program_that_is_not_there_is_refused_by_the_plan_and_named_by_the_run(tmp_path: Path) -> None:
    """A mistyped one was planned, and its failure told to retry."""
    bench, script = Bench(tmp_path), tmp_path / "train.py"
    for command, named in (("pyhton train.py", "pyhton"), ("./train.py", str(script))):
        with pytest.raises(UserError, match=f"command: {named}: no such program here, or it cannot be executed"):
            bench.plan("", command=command)
    script.chmod(0o700)
    run = bench.plan("", command="./train.py")
    script.unlink()
    assert bench.to_the_end() is Exit.FAILED
    assert failed(run).startswith("./train.py: could not be started (No such file or directory); put that right and")
    assert failed(run).endswith("another command needs a new campaign")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('hello'); print('epoch 1 val 1.7')", "1 of 2 lines understood; line 2 of its output: cosine 1.7 is no"),
        ("print('epoch 1 val nan')", "1 of 1 lines understood; line 1 of its output: cosine nan is no cosine, which"),
        (
            "from lvmtui.trainer_kit import Run; Run.open().evaluated(1, cosine=-4)",
            "no line understood; at step 1: cosine -4 is no cosine, which lies between -1 and 1), and it left no",
        ),
    ],
)
def test_where_nothing_else_was_told_the_failure_names_it(tmp_path: Path, script: str, words: str) -> None:
    bench = Bench(tmp_path)
    run = bench.plan(script, pattern=PATTERN)
    assert bench.to_the_end() is Exit.FAILED
    assert f"told of no evaluation ({words}" in failed(run)


def test_a_cosine_that_is_none_is_told_and_the_others_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lines = [f"epoch {n} val {cosine}" for n, cosine in enumerate((0.5, 51, 0.6, 62), 1)]
    run = bench.plan(f"print({chr(10).join(lines)!r})", pattern=PATTERN, epochs=4, steps=None)
    assert bench.to_the_end() is Exit.FINISHED
    assert [e.cosine for e in events_of(run) if isinstance(e, Evaluated)] == [0.5, 0.6]
    assert bench.log().count("is no cosine") == 1 and "line 2 of its output: cosine 51 is no cosine" in bench.log()


@pytest.mark.parametrize("figures", ["cosine=nan, loss=.3", "cosine=.9, loss=nan", "cosine=nan"])
def test_one_figure_that_is_not_finite_is_told_by_the_kit_as_by_a_pattern(tmp_path: Path, figures: str) -> None:
    """It was judged as sound where the other figure, or a later one, was a number."""
    bench = Bench(tmp_path)
    kit = (
        "from lvmtui.trainer_kit import Run; nan = float('nan'); run = Run.open(); run.evaluated(1, cosine=.5, loss=.5)"
    )
    run = bench.plan(f"{kit}; run.evaluated(2, {figures}); run.evaluated(3, cosine=.6, loss=.4)")
    assert bench.to_the_end() is Exit.FINISHED
    first, lost, last = (e for e in events_of(run) if isinstance(e, Evaluated))
    assert (lost.loss, lost.cosine, lost.best) == (None, None, False) and first.best and last.best
    state = RunReader(run).refresh()
    assert state and [(f.kind, f.alarm) for f in health_of(state, None)][:1] == [("diverged", True)]


def test_predictions_alone_make_no_validation_cosine(tmp_path: Path) -> None:
    """The held-out cosine stood in its place, and a script that had run to its end was said to have ended early."""
    bench = Bench(tmp_path)
    kit = "from lvmtui.trainer_kit import Run; run = Run.open(); run.predicted(run.heldout_contexts.mean(axis=1))"
    run = bench.plan(kit)
    assert bench.to_the_end() is Exit.FINISHED
    state = RunReader(run).refresh()
    assert state and state.trainer.finished and state.trainer.finished.heldout.windows
    assert state.trainer.finished.best_cosine is None and not state.trainer.finished.stopped_early


@pytest.mark.parametrize("more", [{}, {"steps": 50}])
def test_how_long_it_trains_is_its_own_choice_where_nobody_says_so(tmp_path: Path, more: dict[str, int]) -> None:
    """It was called stopped early by a guess, and both arms were said to have been given as many updates."""
    bench = Bench(tmp_path)
    run = bench.plan(
        f"print({chr(10).join(f'epoch {n} val .5' for n in (1, 2, 3))!r})",
        **{"pattern": PATTERN, "steps": None, **more},
    )
    assert bench.to_the_end() is Exit.FINISHED
    state = RunReader(run).refresh()
    assert state and isinstance(state.trainer.ending, Finished)
    assert (state.trainer.ending.stopped_early, state.planned_steps) == ((True, 50) if more else (False, None))


def test_a_checkpoint_that_was_written_again_without_a_word_is_not_gone_on_from(tmp_path: Path) -> None:
    """Its step is not known: a script without its process wrote it when it was asked to leave."""
    bench = Bench(tmp_path)
    run = bench.plan(SLOW, checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    bench.process.terminate()
    assert bench.process.wait(30) == Exit.INTERRUPTED
    (run.path / "out" / "ck").write_text("9000")
    bench.start()
    wait_for(lambda: isinstance(ending(run), Evaluated))
    bench.process.kill()
    started = [e for e in events_of(run) if isinstance(e, Started)][-1]
    assert (started.resumed_from, started.checkpoint) == (0, None)
    assert "from the start: its checkpoint is gone, or was written again without telling lvmtui" in bench.log()
