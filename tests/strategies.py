"""Anything our files may hold, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from lvmtui.formats.campaign import CampaignIntent
from lvmtui.formats.intent import Intent
from lvmtui.formats.live import Progress
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Evaluated,
    Event,
    Failed,
    Finished,
    HeldoutScores,
    Interrupted,
    Paused,
    Started,
    Trained,
)
from lvmtui.system.process_id import Identity

words = st.text(max_size=20)
times = st.floats(0, 2e9)
seconds = st.floats(0, 1e7)
steps = st.integers(0, 200)
figures = st.none() | st.floats(-10, 10)
generations = st.integers(0, 5)
pids = st.lists(st.integers(1, 1 << 22), max_size=3).map(tuple)
identities = st.builds(Identity, st.sampled_from(["here", "there"]), words, st.integers(1, 1 << 22), st.integers(0))

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Started, times, identities, generations, steps, st.none() | words, st.lists(words, max_size=2).map(tuple),
        seconds, steps, words, st.dictionaries(words, words, max_size=2),
    ),
    st.builds(Trained, times, steps, figures, figures, seconds, seconds, seconds),
    st.builds(
        Evaluated, times, steps, seconds, figures, figures, figures, figures, figures, figures, figures, seconds,
        st.booleans(), seconds, seconds,
    ),
    st.builds(CheckpointSaved, times, steps, steps, seconds, words, seconds),
    st.builds(Paused, times, steps, seconds),
    st.builds(Interrupted, times, steps, words, seconds),
    st.builds(Cancelled, times, steps, seconds),
    st.builds(
        Failed, times, steps, st.sampled_from(["diverged", "error", "no_space", "data", "out_of_memory"]), words,
        seconds, st.none() | steps,
    ),
    st.builds(
        Finished, times, steps, st.booleans(), steps, seconds, st.floats(-1, 1),
        st.builds(HeldoutScores, steps, *[st.floats(-1, 1)] * 7),
        seconds, seconds, seconds, steps, words, words, words, seconds,
    ),
)  # fmt: skip

records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Launched, times, generations, identities, words, words, words),
    st.builds(Adopted, times, identities, words),
    st.builds(Signalled, times, st.sampled_from(["TERM", "KILL"]), pids, words),
    st.builds(Lost, times, generations, st.none() | identities, words, steps, st.booleans()),
    st.builds(Stopped, times, generations, pids),
    st.builds(GaveUp, times, generations, words),
)

intents = st.builds(
    Intent,
    st.sampled_from(["run", "pause", "cancel"]),
    generations,
    generations,
    generations,
    generations,
    st.booleans(),
    words,
    times,
)
campaign_intents = st.builds(
    CampaignIntent, st.none() | st.integers(1, 9), st.lists(words, max_size=3).map(tuple), generations, words, times
)
progresses = st.builds(
    Progress, times, st.sampled_from(["starting", "training", "evaluating", "saving", "heldout"]), steps, steps,
    seconds, figures, figures, seconds, st.none() | seconds, seconds, seconds, steps, seconds, st.none() | seconds,
    steps, seconds, steps, seconds,
)  # fmt: skip
