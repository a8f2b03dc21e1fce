"""How many runs side by side, and which first: what is over soonest, within what the machine has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.contract.recipe import MODELS
from lvmtui.judge.cost import Work
from lvmtui.judge.eta import all_of, play, time_of
from lvmtui.judge.pace import NOTHING_SHOWN
from lvmtui.planning.arrange import MOST_JOBS, MOST_THREADS, PARAMETER, TRAINER, arrange, rooms
from lvmtui.planning.machine import Hardware

LARGE = Hardware(cores=64, gpus=0, memory=256e9)


def campaign(size: str = "full", models: tuple[str, ...] = MODELS, seeds: int = 1) -> list[Work]:
    """The original's: a small and a large arm of each model."""
    small, large = 40_000, 115_000
    return [
        Work(model, size, 768, 32, steps, steps // 20, 5_000, 22_000, "auto", 1)
        for _ in range(seeds)
        for model in models
        for steps in (small, large)
    ]


def test_two_cores_go_to_two_runs_and_the_longest_begins() -> None:
    works = campaign()
    chosen = arrange(works, rooms(works, Hardware(2, 0, 16e9), "auto"), NOTHING_SHOWN)
    assert (chosen.jobs, chosen.threads) == (2, 1)
    assert chosen.first == (len(works) - 1,), "GraphMERT-LVM on the large arm, which comes last in the plan"


def test_where_one_run_outlasts_all_others_together_it_gets_more_cores_than_one() -> None:
    works = campaign(models=("amn", "graphmert_lvm"))
    chosen = arrange(works, rooms(works, replace(LARGE, cores=8), "auto"), NOTHING_SHOWN)
    assert chosen.jobs < 4 and chosen.threads > 2


def test_equal_runs_keep_their_order() -> None:
    works = campaign(models=("gru",), seeds=6)
    even = [replace(work, steps=works[0].steps) for work in works]
    assert arrange(even, [(4, 1)], NOTHING_SHOWN).first == ()


def test_little_memory_means_fewer_at_a_time() -> None:
    works = campaign()
    for_three = 3.5 * (TRAINER + PARAMETER * 67_354_369)
    assert max(rooms(works, replace(LARGE, memory=for_three), "auto")) == (3, 16)
    assert rooms(works, replace(LARGE, memory=1e6), "auto") == [(1, 16)], "it is tried all the same"


def test_a_run_a_gpu_unless_they_are_not_wanted() -> None:
    works = campaign()
    boxed = replace(LARGE, gpus=2)
    assert rooms(works, boxed, "auto") == rooms(works, boxed, "cuda") == [(2, 16)]
    assert len(rooms(works, boxed, "cpu")) == MOST_JOBS


def test_what_is_wanted_is_done() -> None:
    works = campaign()
    assert rooms(works, LARGE, "auto", jobs=12) == [(12, 5)]
    assert rooms(works, LARGE, "auto", jobs=12, threads=9) == [(12, 9)]
    assert rooms(works, LARGE, "auto", threads=20) == [(1, 20), (2, 20), (3, 20)]


@given(
    st.lists(st.tuples(st.sampled_from(MODELS), st.integers(1, 200_000)), min_size=1, max_size=12),
    st.integers(1, 80),
    st.floats(0, 64e9),
)
def test_nothing_is_booked_twice_and_no_order_is_worse_than_the_plans(
    runs: list[tuple[str, int]], cores: int, memory: float
) -> None:
    works = [Work(model, "full", 768, 32, steps, steps, 100, 100, "cpu", 1) for model, steps in runs]
    possible = rooms(works, Hardware(cores, 0, memory), "cpu")
    chosen = arrange(works, possible, NOTHING_SHOWN)
    assert (chosen.jobs, chosen.threads) in possible
    assert (
        chosen.jobs * chosen.threads <= cores and chosen.jobs <= max(1, len(works)) and chosen.threads <= MOST_THREADS
    )
    assert len(set(chosen.first)) == len(chosen.first) <= max(0, chosen.jobs - 1)
    for jobs, threads in possible:
        seconds = [time_of(w, all_of(w), NOTHING_SHOWN).mean for w in (replace(w, threads=threads) for w in works)]
        assert chosen.expected.seconds <= play(seconds, [], jobs)[1] * (1 + 1e-9)


def test_the_estimate_is_of_the_arrangement() -> None:
    works = campaign(models=("amn", "lstm", "gru"))
    given_order = arrange(works, [(2, 1)], NOTHING_SHOWN)
    mean = [time_of(replace(w, threads=1), all_of(w), NOTHING_SHOWN).mean for w in works]
    order = [*given_order.first, *(i for i in range(len(works)) if i not in given_order.first)]
    assert given_order.expected.seconds == pytest.approx(play([mean[i] for i in order], [], 2)[1])
