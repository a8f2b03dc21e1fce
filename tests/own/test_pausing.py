"""A user's own program that is to pause: it leaves, does not listen, or is only starting."""

from __future__ import annotations

from lvmtui.formats.intent import write_intent
from lvmtui.formats.trainer_log import Exit, Finished, Paused
from tests.own.bench import KIT, PATTERN, SLOW, Bench, ending
from tests.waiting import wait_for


def test_one_that_ends_instead_of_pausing_has_finished(bench: Bench) -> None:
    """It said that it writes checkpoints, does not listen, and trains to its end while it is to be paused."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    script = deaf + "for e in range(1, 4): print(f'epoch {e} val 0.5'); time.sleep(0.5)\n"
    run = bench.plan(script, pattern=PATTERN, epochs=3, steps=None, checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    assert bench.process.wait(30) == Exit.FINISHED
    assert isinstance(ending(run), Finished)


def test_one_that_leaves_with_a_checkpoint_of_its_last_step_is_paused(bench: Bench) -> None:
    """It is still to hand in its predictions."""
    last = "run.evaluated(50, cosine=0.5)\nwhile not run.asked_to_leave: time.sleep(0.01)\n"
    run = bench.plan(KIT + last + "(run.out / 'ck').write_text('50'); run.checkpoint('ck', 50)\n", checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    assert bench.process.wait(30) == Exit.PAUSED


def test_one_that_does_not_answer_a_pause_is_told_of_and_waited_for(bench: Bench) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    run = bench.plan(deaf + SLOW.replace("if run.asked_to_leave:", "if False:"), checkpoints=True)
    bench.start()
    wait_for(bench.evaluated)
    write_intent(run.intent, "pause", by="test")
    wait_for(lambda: "has not answered the pause for 5 s; it is waited for, a cancel ends it" in bench.log())
    assert bench.process.poll() is None and bench.tree()
    write_intent(run.intent, "cancel", by="test")
    assert bench.process.wait(30) == Exit.CANCELLED


def test_a_pause_while_it_starts_again_frees_its_memory(bench: Bench) -> None:
    """It told of a checkpoint in an attempt before; it was suspended, and so kept its memory."""
    slow_to_start = "import os, time\nif os.path.exists('again'): time.sleep(600)\nopen('again', 'w').close()\n"
    run = bench.plan(slow_to_start + KIT + "(run.out / 'ck').write_text('7'); run.checkpoint('ck', 7); sys.exit(1)")
    assert bench.to_the_end() is Exit.FAILED
    bench.start()
    wait_for(bench.tree)
    write_intent(run.intent, "pause", by="test")
    assert bench.process.wait(30) == Exit.PAUSED
    paused = ending(run)
    assert isinstance(paused, Paused) and paused.step == 7 and not bench.tree()
    assert "it left without telling of a checkpoint" not in bench.log()
