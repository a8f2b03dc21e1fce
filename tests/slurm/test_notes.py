"""What the plan says of a cluster before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.engine import Settings
from lvmtui.supervisor.engines.slurm import notes
from lvmtui.system.programs import Done


def test_a_time_limit_shorter_than_a_run_is_noted(tmp_path: Path) -> None:
    def said(longest: float, time: str, **more: tuple[str]) -> str:
        return " ".join(notes(Workspace(tmp_path), {"time": (time,), **more}, 1, 4, longest, (), silent))

    limits = "--time is 30, and a job is told to leave 60 s before, up to a minute early: it trains for about 28 m 30 s"
    assert f"{limits}, so a run of 1 h 00 m takes about 3 jobs" in said(3600.0, "30")
    assert "about 30 s, so a run of 1 m 54 s takes about 4 jobs" in said(114.0, "2")
    assert "told to leave 600 s before" in said(1500.0, "30", warn=("600",))
    assert "--time" not in said(3600.0, "4:00:00") + said(1500.0, "30")


def test_a_trainer_that_promises_no_checkpoints_must_end_within_its_time_limit(tmp_path: Path) -> None:
    def said(settings: Settings) -> str:
        return " ".join(notes(Workspace(tmp_path), settings, 1, 4, 0.0, ("mine",), silent))

    assert "60 s before: mine, which promises no checkpoints, must end by then or begins anew" in said({"time": ("2",)})
    assert "mine" not in said({})


def silent(command: Sequence[str], environment: Mapping[str, str]) -> Done:
    return Done(1, "", "no such command")


@pytest.mark.parametrize(
    ("jobs", "cpus", "settings", "said"),
    [
        (3, 4, {}, "a node of 4 CPUs runs at most 1 of these 3 jobs at once, of 4 CPUs each: it takes about 3 "),
        (3, 1, {}, ""),
        (
            9,
            2,
            {"partition": ("big,normal",)},
            "3 nodes with 16 CPUs run at most 8 of these 9 jobs at once, of 2 CPUs each: it takes about 1.1 times as",
        ),
        (
            9,
            1,
            {"partition": ("big",), "cpus": ("6",)},
            "2 nodes with 12 CPUs run at most 2 of these 9 jobs at once, of 6 CPUs each: it takes about 4.5 times as",
        ),
        (3, 4, {"sbatch": ("--partition=big",)}, ""),
        (3, 4, {"partition": ("unheard",)}, ""),
        (3, 8, {}, ""),  # `ready` has asked about that
    ],
)
def test_how_many_jobs_fit_is_said_where_slurm_tells(
    tmp_path: Path, jobs: int, cpus: int, settings: Settings, said: str
) -> None:
    told = "odd\n" + "normal\tnormal*\tn1\t4\n" + "big\tbig\tn2\t6\n" + "big\tbig\tn3\t6\n"

    def sinfo(command: Sequence[str], environment: Mapping[str, str]) -> Done:
        return Done(0, told + "short\tshort\tn1\t4\n", "")

    noted = " ".join(notes(Workspace(tmp_path), settings, jobs, cpus, 1.0, (), sinfo))
    assert said in noted and ("jobs at once" in noted) is bool(said)
    assert "jobs at once" not in " ".join(notes(Workspace(tmp_path), settings, jobs, cpus, 1.0, (), silent))
