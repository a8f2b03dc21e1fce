"""How many runs side by side, and which first: what is over soonest, within what the machine has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.estimate.cost import Work
from lvmtui.estimate.eta import all_of, play, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN
from lvmtui.models import MODELS
from lvmtui.planning.arrange import (
    KEPT,
    MOST_JOBS,
    MOST_THREADS,
    PARAMETER,
    TRAINER,
    WORTH,
    Arrangement,
    arrange,
    choices,
)
from lvmtui.system.hardware import Hardware

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


def arranged(works: list[Work], hardware: Hardware, jobs: int | None = None, threads: int | None = None) -> Arrangement:
    return arrange(works, hardware, "cpu", NOTHING_SHOWN, jobs, threads)


def test_two_cores_go_to_two_runs_and_the_longest_begins() -> None:
    works = campaign()
    chosen = arranged(works, Hardware(2, 0, 16e9))
    assert (chosen.jobs, chosen.threads) == (2, 1)
    assert chosen.first == (len(works) - 1,), "GraphMERT-LVM on the large arm, which comes last in the plan"


def test_where_one_run_outlasts_all_others_together_it_gets_more_cores_than_one() -> None:
    works = campaign(models=("amn", "graphmert_lvm"))
    chosen = arranged(works, replace(LARGE, cores=8))
    assert chosen.jobs < 4 and chosen.threads > 2


def test_equal_runs_keep_their_order() -> None:
    works = campaign(models=("gru",), seeds=6)
    even = [replace(work, steps=works[0].steps) for work in works]
    assert arranged(even, LARGE, jobs=4, threads=1).first == ()


def test_several_that_are_equally_long_begin_together() -> None:
    """One of them alone would gain nothing: the other would still be last."""
    works = [replace(work, steps=10_000) for work in campaign()]
    chosen = arranged(works, replace(LARGE, cores=3), jobs=3)
    assert [works[run].model for run in chosen.first] == ["graphmert_lvm", "graphmert_lvm"]


def test_little_memory_means_fewer_at_a_time() -> None:
    works = campaign()
    for_three = KEPT + 3.5 * (TRAINER + PARAMETER * 67_352_833)
    assert max(choices(works, replace(LARGE, memory=for_three), "auto")) == (3, 16)
    assert choices(works, replace(LARGE, memory=1e6), "auto") == [(1, 16)], "it is tried all the same"


@pytest.mark.parametrize(
    ("device", "gpus", "jobs"),
    [("auto", 2, 2), ("cuda", 2, 2), ("cuda", 0, 1), ("cuda:1", 2, 1), ("mps", 0, 1), ("xpu", 0, 1)],
)
def test_a_run_a_gpu(device: str, gpus: int, jobs: int) -> None:
    assert choices(campaign(), replace(LARGE, gpus=gpus), device) == [(jobs, 16)]


def test_of_two_runs_that_share_a_gpu_the_longest_begins() -> None:
    works = [replace(work, device="cuda") for work in campaign()]
    chosen = arrange(works, replace(LARGE, gpus=1, side_by_side=1.4), "cuda", NOTHING_SHOWN)
    assert chosen.jobs == 2 and chosen.first == (len(works) - 1,)
    alone = arrange(works, replace(LARGE, gpus=1), "cuda", NOTHING_SHOWN)
    assert alone.jobs == 1 and chosen.expected.seconds < alone.expected.seconds


def test_gpus_that_are_not_wanted_do_not_count() -> None:
    assert len(choices(campaign(), replace(LARGE, gpus=2), "cpu")) == MOST_JOBS


def test_what_is_wanted_is_done() -> None:
    works = campaign()
    assert choices(works, LARGE, "auto", jobs=12) == [(12, 6)]
    assert choices(works, LARGE, "auto", jobs=12, threads=9) == [(12, 9)]
    assert choices(works, LARGE, "auto", threads=20) == [(1, 20), (2, 20), (3, 20)]
    assert choices(works[:2], LARGE, "auto", jobs=12) == [(12, 16)], "two runs share the cores, not twelve"


def test_more_threads_than_cores_make_nothing_faster() -> None:
    works, two = campaign(), Hardware(2, 0, 64e9)
    usual = arranged(works, two).expected.seconds
    assert arranged(works, two, jobs=10).expected.seconds >= usual
    assert arranged(works, two, threads=64).expected.seconds >= usual


def test_runs_share_the_cores_with_other_programs_that_are_busy() -> None:
    works, quiet = campaign(), Hardware(2, 0, 64e9)
    alone, beside = arranged(works, quiet), arranged(works, replace(quiet, busy=2.8))
    assert alone.jobs == beside.jobs == 2
    assert beside.expected.seconds == pytest.approx(2.4 * alone.expected.seconds)
    one = arranged(works, quiet, jobs=1, threads=1)
    assert arranged(works, replace(quiet, busy=1.0), jobs=1, threads=1) == one, "a core is free"


@given(
    st.lists(st.tuples(st.sampled_from(MODELS), st.integers(1, 200_000)), min_size=1, max_size=12),
    st.integers(1, 80),
    st.floats(0, 64e9),
)
def test_nothing_is_booked_twice_and_no_order_is_worse_than_the_plans(
    runs: list[tuple[str, int]], cores: int, memory: float
) -> None:
    works = [Work(model, "full", 768, 32, steps, steps, 100, 100, "cpu", 1) for model, steps in runs]
    hardware = Hardware(cores, 0, memory)
    possible, chosen = choices(works, hardware, "cpu"), arranged(works, hardware)
    assert (chosen.jobs, chosen.threads) in possible
    assert chosen.jobs * chosen.threads <= cores
    assert chosen.jobs <= len(works) and chosen.threads <= MOST_THREADS
    assert len(set(chosen.first)) == len(chosen.first) <= max(0, chosen.jobs - 1)
    for jobs, threads in possible:
        seconds = [time_of(w, all_of(w), NOTHING_SHOWN).mean for w in (replace(w, threads=threads) for w in works)]
        assert chosen.expected.seconds <= play(seconds, [], jobs)[1] * (1 + WORTH)


def test_the_estimate_is_of_the_arrangement() -> None:
    works = campaign(models=("amn", "lstm", "gru"))
    chosen = arranged(works, Hardware(2, 0, 16e9))
    mean = [time_of(w, all_of(w), NOTHING_SHOWN).mean for w in works]
    order = [*chosen.first, *(run for run in range(len(works)) if run not in chosen.first)]
    assert chosen.expected.seconds == pytest.approx(play([mean[run] for run in order], [], 2)[1])
