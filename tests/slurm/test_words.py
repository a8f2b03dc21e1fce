"""What is said to Slurm, and what is made of what it says; without any Slurm."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.cli.commands import main
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.formats.started_with import StartedWith, started_with_now
from lvmtui.report.make import read_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.supervisor.engine import CannotStart, Occupied, Place
from lvmtui.supervisor.engines.slurm import SlurmEngine, environment, ready, run_command
from lvmtui.supervisor.engines.slurm_text import check_settings, fault_of, jobs_in, reason_words, script, seconds_of
from lvmtui.system.errors import UserError
from lvmtui.system.processes import Sent
from lvmtui.system.programs import Done
from tests.factory import make_campaign
from tests.verdict.scenes import state_of

FOLDER = "/data/x/artifacts/lvm/models/gru_8k"


def test_who_runs_the_runs_is_said_line_by_line(tmp_path: Path) -> None:
    told = {"time": ("30",), "setup": ("module load cuda", "ulimit -c 0")}
    campaign = replace(make_campaign(tmp_path, models=("amn",)), engine="slurm", engine_settings=told)
    assert campaign.engine_words == "slurm (time 30, setup 'module load cuda', setup 'ulimit -c 0')"
    report = read_report(state_of(Workspace(tmp_path), campaign), now=0.0)
    page = markdown(page_of(replace(report, campaign_facts=campaign)))
    assert "Run by slurm (time 30, setup 'module load cuda'" in page


def test_a_second_value_of_setup_is_not_taken_for_a_campaign_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--engine", "slurm", "--setup", "module load a", "module load b"]) == 2
    assert "module load b: is no file; --setup takes one value: give it again" in capsys.readouterr().err


def line(*fields: str) -> str:
    return "\t".join(fields) + "\n"


# What it says ---------------------------------------------------------------------------------------------------------


def test_what_squeue_prints() -> None:
    text = line("12", "RUNNING", "None", "node17", "1795355100", f"{FOLDER}/job.sh", "c/gru/8k/s1")
    text += line("13", "PENDING", "(Resources)", "", "N/A", f"{FOLDER}/job.sh", "c/gru/8k/s2")
    text += line("14_2", "RUNNING", "None", "node17", "N/A", "/home/ada/array.sh", "an array") + "a broken line\n"
    first, second = jobs_in(text)
    assert (first.id, first.node, first.starts, first.folder) == (12, "node17", 1795355100.0, FOLDER)
    assert first.detail == "job 12 on node17" and not first.member.waiting
    assert second.member.waiting and second.starts is None
    assert second.detail == "job 13: waits for nodes to become free (Resources)"


def test_a_start_that_slurm_expects_is_told() -> None:
    (job,) = jobs_in(line("13", "PENDING", "Priority", "", "1795355100", f"{FOLDER}/job.sh", "c/gru/8k/s2"))
    assert job.detail.startswith("job 13: others come first (Priority), to start by ")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_answer_breaks_it(text: str) -> None:
    for job in jobs_in(text):
        assert "\x1b" not in job.detail


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Resources", "waits for nodes to become free (Resources)"),
        ("ReqNodeNotAvail, UnavailableNodes:node[1-4]", "the nodes it needs are not available (ReqNodeNotAvail)"),
        ("QOSMaxJobsPerUserLimit", "waits: qosmax jobs per user limit (QOSMaxJobsPerUserLimit)"),
        ("AssocGrpGRES", "waits: assoc grp gres (AssocGrpGRES)"),
        (
            "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
            "the nodes it needs are down, drained or reserved for others",
        ),
        ("launch failed requeued held", "waits: launch failed requeued held"),
        ("None", "just submitted"),
        ("", "waits"),
    ],
)
def test_reasons_in_words(reason: str, said: str) -> None:
    assert reason_words(reason).lower() == said.lower()


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        (
            "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid "
            "partition name specified\n",
            "invalid partition specified: x; Invalid partition name specified",
        ),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", "Unable to contact slurm"),
        ("Usage: sbatch\nTry 'sbatch --help'\n", "Usage: sbatch"),
        ("", "exit code 1"),
    ],
)
def test_slurms_own_words(complaint: str, said: str) -> None:
    found = fault_of(Done(1, "", complaint))
    assert found.startswith(said) and "\n" not in found


# What is said to it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("30", 1800), ("30:10", 1860), ("4:00:00", 14400), ("2-12", 216000), ("1-0:30", 88200), ("1-1:1:1", 90120)],
)
def test_time_limits(limit: str, seconds: int) -> None:
    assert seconds_of(limit) == seconds


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("time", "soon", "--time: 'soon' is not a time"),
        ("time", "1", "give at least 2 (minutes)"),
        ("memory", "16 G", "--memory"),
        ("gpus", "all", "--gpus"),
        ("cpus", "0", "--cpus"),
        ("partition", "a b", "--partition"),
        ("sbatch", "qos=long", "--sbatch"),
        ("speed", "high", "no 'speed'"),
    ],
)
def test_what_cannot_be_meant(name: str, value: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        check_settings({name: (value,)})
    assert said in str(caught.value) or name in str(caught.value)


def test_the_script_is_what_the_campaign_asks_for(tmp_path: Path) -> None:
    folder = RunDir(tmp_path / "a folder with $HOME and 100% 'quotes'" / "artifacts" / "lvm" / "models" / "gru_8k")
    folder.path.mkdir(parents=True)
    told = {
        "partition": ("gpu",), "account": ("ml",), "time": ("4:00:00",), "gpus": ("a100:1",), "memory": ("16G",),
        "sbatch": ("--qos=long", "--exclude=node[1-3]"), "setup": ("module load cuda", "source ~/venv/bin/activate"),
        "python": ("/opt/py thon",),
    }  # fmt: skip
    text = script(Place(folder, name="c/gru/8k/s1", settings=told), threads=4)
    lines = text.splitlines()
    options = [x.removeprefix("#SBATCH ") for x in lines if x.startswith("#SBATCH")]
    for option in (
        "--job-name=c/gru/8k/s1", "--partition=gpu", "--account=ml", "--time=4:00:00", "--gres=gpu:a100:1",
        "--mem=16G", "--cpus-per-task=4", "--qos=long", "--signal=B:USR1@60", "--no-requeue",
    ):  # fmt: skip
        assert option in options
    assert lines[0] == "#!/bin/bash" and lines.index("module load cuda") < lines.index("export OMP_NUM_THREADS=4")
    assert shlex.split(lines[-1]) == ["exec", "/opt/py thon", "-P", "-m", "trainers", str(folder.path)]
    assert "100%%" in text  # a percent sign means something in a file name of Slurm's
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


def test_what_says_that_we_are_a_job_ourselves_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor may itself be a job; its limits are not its trainers'. Nor are its GPUs: a job gets other ones."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("LVMTUI_RUN", "/x")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "3")
    handed = environment(os.environ)
    assert not [name for name in handed if name.endswith("VISIBLE_DEVICES")]
    assert "SLURM_JOB_ID" not in handed and "SLURM_MEM_PER_NODE" not in handed and "LVMTUI_RUN" not in handed
    assert handed["SLURM_CONF"] == "/etc/slurm.conf" and handed["SLURM_TIME_FORMAT"] == "%s"


# The engine over what a cluster may answer ----------------------------------------------------------------------------


class Answers:
    """Slurm's commands as a test wants them."""

    def __init__(self) -> None:
        self.queue = ""
        self.submits = Done(0, "7\n", "")
        self.fault: Done | None = None
        self.calls: list[Sequence[str]] = []
        self.environments: list[Mapping[str, str]] = []

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> Done:
        self.calls.append(command)
        self.environments.append(environment)
        if self.fault is not None:
            return self.fault
        return {"squeue": Done(0, self.queue, ""), "sbatch": self.submits}.get(command[0], Done(0, "", ""))

    def called(self, name: str) -> list[Sequence[str]]:
        return [call for call in self.calls if call[0] == name]


class Bench:
    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        campaign = make_campaign(self.workspace, models=("amn",))
        self.places = [
            Place(self.workspace.run(planned), name=f"{campaign.id}/{planned.model}/{planned.arm}/s1")
            for planned in campaign.runs
        ]
        self.place = self.places[0]
        self.spec = read_spec(self.place.folder.spec)
        self.answers = Answers()
        self.now = 0.0
        self.engine = SlurmEngine(self.answers, clock=lambda: self.now)

    def line(self, number: int, state: str = "RUNNING", place: Place | None = None) -> str:
        place = place or self.place
        return line(str(number), state, "None", "node1", "N/A", f"{place.folder.path}/job.sh", place.name)

    def look(self, seconds: float = 10.0) -> list[tuple[int, ...] | None]:
        """Numbers of each run's jobs; None: not known."""
        self.now += seconds
        probes = self.engine.look(self.places)
        found = [probes[place.folder.path] for place in self.places]
        return [tuple(m.identity.pid for m in probe.members) if probe.known else None for probe in found]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_one_question_for_all_and_not_more_often_than_may_be(bench: Bench) -> None:
    bench.answers.queue = bench.line(1) + bench.line(2, place=bench.places[1])
    assert bench.look() == [(1,), (2,)]
    for _ in range(40):
        bench.look(0.1)
    assert len(bench.answers.called("squeue")) == 1
    bench.look(1.1)
    assert len(bench.answers.called("squeue")) == 2


def test_no_answer_means_not_known(bench: Bench) -> None:
    bench.answers.fault = Done(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    assert bench.look() == [None, None]
    with pytest.raises(Occupied, match="does not answer"):
        bench.engine.start(bench.place, bench.spec)
    assert not bench.answers.called("sbatch"), "who cannot be seen is not submitted again"
    bench.answers.fault = None
    bench.answers.queue = bench.line(1)
    assert bench.look() == [(1,), ()]


def test_slurm_is_asked_as_the_shell_asked_that_planned_the_campaign(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor that cron started has no SLURM_CONF; and two campaigns may have been planned for two clusters."""
    shells = [{"PATH": "/bin", "SLURM_CONF": f"/{name}.conf", "SBATCH_ACCOUNT": name} for name in ("a", "b")]
    monkeypatch.setenv("SLURM_CONF", "/ours.conf")
    bench.places = [
        replace(place, started_with=started_with_now(shell)) for place, shell in zip(bench.places, shells, strict=True)
    ]
    bench.answers.queue = bench.line(1)
    assert bench.look() == [(1,), ()]
    bench.engine.start(bench.places[1], bench.spec)
    bench.engine.ask(bench.places)
    asked = [
        (call[0], shell["SLURM_CONF"])
        for call, shell in zip(bench.answers.calls, bench.answers.environments, strict=True)
    ]
    assert asked == [
        *[("squeue", "/a.conf"), ("squeue", "/b.conf"), ("sbatch", "/b.conf")],
        *[("scancel", "/a.conf"), ("scancel", "/b.conf")],
    ]
    assert bench.answers.environments[2]["SBATCH_ACCOUNT"] == "b"
    before = StartedWith("python", {"PATH": "/bin"})  # of a version that did not write it down
    assert before.environment({"SLURM_CONF": "/ours.conf"})["SLURM_CONF"] == "/ours.conf"
    in_a_job = started_with_now({"SLURM_JOB_ID": "7", "SLURM_CONF": "/run/slurm/conf/slurm.conf"})
    assert not in_a_job.variables, "Slurm sets it in every job, to where the node has it"


def test_a_slurm_that_is_not_on_the_path_is_named(bench: Bench) -> None:
    engine = SlurmEngine()
    place = replace(bench.place, started_with=StartedWith("python", {"PATH": "/nowhere"}))
    assert engine.look([place])[place.folder.path].detail == (
        "Slurm cannot be asked (squeue is not found on PATH /nowhere)"
    )


def test_a_job_is_there_as_soon_as_it_is_submitted(bench: Bench) -> None:
    bench.look()
    begun = bench.engine.start(bench.place, bench.spec)
    assert (begun.process.pid, begun.process.is_job, begun.launch) == (7, True, "slurm-7")
    assert bench.look(0.1) == [(7,), ()]
    bench.answers.queue = bench.line(7, "COMPLETED")
    assert bench.look() == [(), ()]


def test_an_answer_that_never_came_is_found_by_the_name(bench: Bench) -> None:
    """`sbatch` hung and was killed by us; Slurm had taken the job."""
    bench.look()
    bench.answers.submits = Done(124, "", "no answer from sbatch in 15 s")
    with pytest.raises(Occupied):
        bench.engine.start(bench.place, bench.spec)
    bench.answers.queue = bench.line(8, "PENDING")
    assert bench.look() == [(8,), ()]


def test_of_two_jobs_of_a_run_the_one_that_waits_gives_way(bench: Bench) -> None:
    bench.answers.queue = bench.line(5, "PENDING") + bench.line(6)
    assert bench.look() == [(6,), ()]
    assert bench.answers.called("scancel") == [("scancel", "5")]


def test_the_same_name_in_another_workspace_is_none_of_ours(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "amn_8k"
    other.mkdir(parents=True)
    bench.answers.queue = line("5", "RUNNING", "None", "node1", "N/A", f"{other}/job.sh", bench.place.name)
    assert bench.look() == [(), ()]


def test_a_job_that_will_not_start_is_told_from_one_that_waits(bench: Bench) -> None:
    for reason, never in (("PartitionTimeLimit", True), ("JobHeldAdmin", True), ("Resources", False)):
        folder = bench.place.folder.path
        bench.answers.queue = line("1", "PENDING", reason, "", "N/A", f"{folder}/job.sh", bench.place.name)
        bench.look()
        assert bench.engine.look([bench.place])[folder].never is never


def test_many_are_asked_with_one_command(bench: Bench) -> None:
    bench.answers.queue = bench.line(1) + bench.line(2, place=bench.places[1])
    bench.look()
    reached = bench.engine.ask(bench.places)
    assert list(reached.values()) == [Sent((1,)), Sent((2,))] and bench.answers.called("scancel") == [
        ("scancel", "1", "2")
    ]
    bench.engine.insist(bench.places)
    assert bench.answers.called("scancel")[1:] == [
        ("scancel", "--full", "--signal=SIGKILL", "1", "2"),
        ("scancel", "1", "2"),
    ]


def test_what_is_refused_for_good_and_what_for_now(bench: Bench) -> None:
    bench.look()
    bench.answers.submits = Done(1, "", "sbatch: error: invalid account or partition\n")
    with pytest.raises(CannotStart, match="Slurm refused the job: invalid account"):
        bench.engine.start(bench.place, bench.spec)
    bench.answers.submits = Done(1, "", "sbatch: error: Job violates accounting/QOS policy (job submit limit, ...)\n")
    with pytest.raises(Occupied):
        bench.engine.start(bench.place, bench.spec)


def test_slurm_is_asked_before_anything_is_planned(bench: Bench) -> None:
    ready(bench.workspace, {"partition": ("gpu",)}, 4, bench.answers)
    (asked,) = bench.answers.calls
    assert asked[:2] == ("sbatch", "--test-only") and "--partition=gpu" in asked
    bench.answers.fault = Done(1, "", "allocation failure: Invalid account or account/partition combination specified")
    with pytest.raises(UserError, match="refuses such a job: Invalid account"):
        ready(bench.workspace, {}, 4, bench.answers)


def test_setup_lines_that_bash_cannot_read_are_refused_while_planning(bench: Bench) -> None:
    def asked(command: Sequence[str], environment: Mapping[str, str]) -> Done:
        return run_command(command, environment) if command[0] == "bash" else bench.answers(command, environment)

    ready(bench.workspace, {"setup": ("if true; then", "echo 'well'; fi")}, 4, asked)
    with pytest.raises(UserError, match=r"^--setup: bash cannot read it: line 1: .*; correct it$") as refused:
        ready(bench.workspace, {"setup": ("source 'env.sh",)}, 4, asked)
    assert "\n" not in str(refused.value)
