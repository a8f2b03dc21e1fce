"""One sentence an event: every kind has one, in one line, and text from files cannot control the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lvmtui.event_sentences import sentence_of
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import (
    CheckpointSaved,
    Evaluated,
    Event,
    Failed,
    Interrupted,
    Paused,
    Started,
    Trained,
    Unknown,
)
from lvmtui.system.process_id import Identity
from lvmtui.ui.draw.styles import STYLES

HERE = Identity("h", "b", 7, 1)
EVALUATED = Evaluated(1.0, 600, 2.0, 0.5, 0.5, best=True)
EVIL = "\x1b]52;c;ZXZpbA==\x07bad\nline"


def started(**changes: object) -> Started:
    fields = {"resumed_from": 0, "checkpoint": None, "passed_over": (), "process": HERE} | changes
    return Started(time=1.0, generation=0, active=0.0, parameters=1, device="cpu", versions={}, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (Launched(1.0, 0, HERE, "local", "2"), "launched process 7, CUDA device 2"),
        (Adopted(1.0, HERE), "found process 7 running"),
        (Signalled(1.0, "KILL", (7, 8), "cancelled"), "sent KILL to processes 7, 8: cancelled"),
        (Lost(1.0, 0, HERE, "killed for memory", 3, True), "lost process 7: killed for memory"),
        (Stopped(1.0, 0, ()), "cancelled, no process is left"),
        (Stopped(1.0, 0, (7,)), "cancelled, no process is left; process 7 had to be killed"),
        (GaveUp(1.0, 0, "died"), "not tried again: died"),
        (started(), "started from the first step, process 7 on h, cpu"),
        (started(resumed_from=1200, checkpoint="c.pt"), "started from step 1,200 (c.pt), process 7 on h, cpu"),
        (started(process=Identity("h", "b", 0, 1)), "another program's history begins"),
        (CheckpointSaved(1.0, 600, 2**20, 0.25, "0", 1.0), "checkpoint of step 600: 1.0 MB in 0.2 s"),
        (Paused(1.0, 600, 1.0), "paused at step 600"),
        (Interrupted(1.0, 600, "TERM", 1.0), "left at step 600 on TERM, it was told to end"),
        (EVALUATED, "epoch 2.0, step 600: validation cosine .5000, loss .50000, training cosine –, best so far"),
        (
            replace(EVALUATED, epoch=0.0),
            "step 600: validation cosine .5000, loss .50000, training cosine –, best so far",
        ),
        (Unknown("not JSON"), "a line that cannot be read (not JSON)"),
    ],
)
def test_what_happened_in_words(happened: Event | Record, words: str) -> None:
    sentence = sentence_of(happened)
    assert sentence is not None and sentence.words == words and sentence.style in STYLES


def test_a_script_whose_steps_are_epochs_is_told_in_epochs() -> None:
    """`epoch 20.0, step 20` stood beside models with 300 steps."""
    told = [sentence_of(one, "epoch") for one in (replace(EVALUATED, step=2), Paused(1.0, 6, 1.0))]
    assert [one.words.partition(":")[0] for one in told if one] == ["epoch 2", "paused at epoch 6"]


def test_a_point_of_the_curve_is_no_sentence() -> None:
    assert sentence_of(Trained(1.0, 1, 0.1, 0.1, 0.1, 1.0, 1.0)) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda text: Lost(1.0, 0, HERE, text, 3, True),
        lambda text: GaveUp(1.0, 0, text),
        lambda text: Signalled(1.0, text, (1,), text, text),
        lambda text: Stopped(1.0, 0, (1,), text),
        lambda text: Failed(1.0, 1, "error", text, 1.0),
        lambda text: started(passed_over=(text,), checkpoint=text, resumed_from=1),
        lambda text: Unknown(text),
    ],
)
def test_text_from_files_is_harmless(make: Callable[[str], Event | Record]) -> None:
    sentence = sentence_of(make(EVIL))
    assert sentence is not None and sentence.words.isprintable()
