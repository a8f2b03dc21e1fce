"""The main job as a person does it: the real command, real processes, real vectors, and things that get killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from lvmtui.__main__ import main
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign, supervisor_of
from lvmtui.state.status import Phase
from lvmtui.system.process_id import RUN_MARK
from tests.trainers.tiny import write_walk
from tests.waiting import wait_for
from trainers.state import load_forecaster


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with two vector files; whatever still runs in it at the end of the test is killed."""
    write_walk(tmp_path / "large.npz", 60)
    write_walk(tmp_path / "small.npz", 24)
    workspace = Workspace(tmp_path)
    yield workspace
    kill_all(workspace)


def kill_all(workspace: Workspace) -> None:
    supervisor = supervisor_of(workspace)
    if supervisor:
        os.kill(supervisor.pid, signal.SIGKILL)
    for pid in marked(workspace):
        os.kill(pid, signal.SIGKILL)


def marked(workspace: Workspace) -> list[int]:
    """Processes that carry the mark of a run of this workspace."""
    mark = f"{RUN_MARK}={workspace.root}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def lvmtui(workspace: Workspace, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "lvmtui", *arguments, "--workspace", str(workspace.root)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def options(workspace: Workspace, *models: str, epochs: int = 1) -> list[str]:
    root = workspace.root
    return [
        *("run", "--baseline", f"{root}/small.npz", "--expanded", f"{root}/large.npz", "--models", *models),
        *("--size", "small", "--recipe", "tuned", "--epochs", str(epochs), "--batch-size", "32", "--device", "cpu"),
        *("--jobs", "2", "--threads", "1", "--labels", "small", "large"),
    ]


def phases(workspace: Workspace) -> dict[str, Phase]:
    state = CampaignReader(workspace, newest_campaign(workspace)).refresh()
    return {f"{v.planned.model}/{v.planned.arm}": v.status.phase for v in state.runs}


def test_one_command_ends_in_a_report(workspace: Workspace) -> None:
    done = lvmtui(workspace, *options(workspace, "amn", "gru"), "--headless")
    assert done.returncode == 0, done.stderr
    assert "held out" in done.stdout and "finished" in done.stdout
    campaign = CampaignReader(workspace, newest_campaign(workspace)).refresh().campaign
    report = workspace.final_comparison(campaign)
    text = report.read_text()
    assert report.name == "SMALL_VS_LARGE_FINAL_COMPARISON.md" and campaign.id in text
    for word in ("AMN", "GRU", "recency", "copy", "small", "large"):
        assert word in text
    assert (workspace.results(campaign) / "amn.txt").exists() and (workspace.results(campaign) / "gru.txt").exists()
    for planned in campaign.runs:
        kept = torch.load(workspace.run(planned).best_model, weights_only=True)
        assert kept["model"] == planned.model
    for arm in ("small", "large"):
        assert "finished" in workspace.retrain_log(campaign, arm).read_text()
    assert workspace.monitor_log(campaign).stat().st_size
    status = json.loads(lvmtui(workspace, "status", "--json").stdout)
    assert [run["phase"] for run in status["runs"]] == ["finished"] * 4 and status["settled"]
    again = lvmtui(workspace, "report")
    assert again.returncode == 0 and again.stdout.strip() == str(report)


def test_several_contexts_are_compared_on_the_same_targets(workspace: Workspace) -> None:
    """Contexts of 1, 3 and 20, trained, judged and compared. What a run says of itself is what its weights do with the
    vectors of the file, gathered here one by one."""
    done = lvmtui(workspace, *options(workspace, "gru"), "--context", "3", "20", "1", "--headless")
    assert done.returncode == 0, done.stderr
    state = CampaignReader(workspace, newest_campaign(workspace)).refresh()
    campaign = state.campaign
    assert campaign.models == ("gru@1", "gru@3", "gru@20") and campaign.context == 20
    with np.load(state.dir.split / "heldout_windows.npz") as held:
        vectors, starts, context = held["vectors"], held["starts"].tolist(), int(held["context"])
    assert context == 20
    for view in state.runs:
        assert view.state and view.state.trainer.finished and view.state.trainer.finished.heldout
        spec = view.state.spec
        assert spec.model == "gru" and view.planned.model == f"gru@{spec.context}"
        assert (spec.heldout_windows, spec.split_fingerprint) == (len(starts), campaign.split_fingerprint)
        seen = np.stack([vectors[start + 20 - spec.context : start + 20] for start in starts])
        with torch.no_grad():
            raw = load_forecaster(view.folder.best_model)(torch.from_numpy(seen)).numpy()
        cosines = (raw * vectors[np.array(starts) + 20]).sum(axis=1) / np.linalg.norm(raw, axis=1)
        assert view.state.trainer.finished.heldout.cosine == pytest.approx(float(cosines.mean()), abs=1e-4)
    gains = [
        gain for model in campaign.models for gain in json.loads(state.dir.comparison(model).read_text())["contexts"]
    ]
    assert [(g["arm"], g["shorter"], g["context"]) for g in gains] == [
        ("baseline", 1, 3),
        ("expanded", 1, 3),
        ("baseline", 3, 20),
        ("expanded", 3, 20),
    ]
    for model in campaign.models:  # a baseline of three vectors is no less an answer for a model with twenty
        judged = json.loads(state.dir.comparison(model).read_text())["expanded"]
        assert judged["trivial"].keys() >= {"copy_last", "ridge@1", "ridge@3", "ridge@20"}
        assert judged["skill"]["against"] == max(judged["trivial"], key=judged["trivial"].get)
    text = workspace.final_comparison(campaign).read_text()
    assert "Longer contexts on the same targets" in text and "GRU@20" in text and "recency mean@3" in text
    assert lvmtui(workspace, "check", "--split").returncode == 0
    status = json.loads(lvmtui(workspace, "status", "--json").stdout)
    assert sorted(run["model"] for run in status["runs"]) == ["gru@1"] * 2 + ["gru@20"] * 2 + ["gru@3"] * 2


def test_everything_may_be_killed_and_nothing_is_lost(workspace: Workspace) -> None:
    command = [sys.executable, "-P", "-m", "lvmtui", *options(workspace, "amn", epochs=60), "--headless"]
    following = subprocess.Popen(
        [*command, "--workspace", str(workspace.root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: workspace.campaign_dirs() and Phase.RUNNING in phases(workspace).values())
    following.kill()
    following.wait()
    assert Phase.RUNNING in phases(workspace).values()

    supervisor = supervisor_of(workspace)
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    trainers = marked(workspace)
    assert trainers
    os.kill(trainers[0], signal.SIGKILL)
    assert "no supervisor: nothing that waits is started" in lvmtui(workspace, "status").stdout

    done = lvmtui(workspace, "attach", "--headless")
    assert done.returncode == 0, done.stderr
    assert set(phases(workspace).values()) == {Phase.FINISHED}
    wait_for(lambda: not marked(workspace))  # the last one may still be on its way out

    # killed after the last run and before the report: somebody still has to write it, and is told so
    if supervisor := supervisor_of(workspace):
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_for(lambda: supervisor_of(workspace) is None)
    report = newest_campaign(workspace).report
    report.unlink()
    assert "no supervisor: the report is not written" in lvmtui(workspace, "status").stdout
    assert lvmtui(workspace, "attach", "--detach").returncode == 0
    wait_for(report.exists)


def test_single_runs_are_paused_resumed_and_cancelled(workspace: Workspace) -> None:
    started = lvmtui(workspace, *options(workspace, "amn", "gru", epochs=2000), "--detach")
    assert started.returncode == 0, started.stderr
    wait_for(lambda: phases(workspace)["amn/baseline"] is Phase.RUNNING)
    assert lvmtui(workspace, "pause", "amn/baseline").returncode == 0
    wait_for(lambda: phases(workspace)["amn/baseline"] is Phase.PAUSED)
    wait_for(lambda: phases(workspace)["gru/baseline"] is Phase.RUNNING)  # the next one takes its place
    cancelled = lvmtui(workspace, "cancel", "gru", "amn/large")
    assert cancelled.returncode == 0
    wait_for(lambda: list(phases(workspace).values()).count(Phase.CANCELLED) == 3)
    assert not marked(workspace)  # cancelled means that nobody is left
    assert lvmtui(workspace, "resume", "amn/small").returncode == 0
    wait_for(lambda: phases(workspace)["amn/baseline"] is Phase.RUNNING)
    assert lvmtui(workspace, "cancel", "all", "--force").returncode == 0
    wait_for(lambda: set(phases(workspace).values()) == {Phase.CANCELLED} and not marked(workspace))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status"], "no campaign"),
        (["run", "--baseline", "none.npz", "--expanded", "none2.npz"], "none.npz"),
        (["run"], "--baseline and --expanded"),
        (["demo", "--models", "grru"], "did you mean 'gru'"),
        (["demo", "--device", "tpu"], "--device: 'tpu'"),
        (["run", "campaign.toml"], "campaign.toml"),
        (["demo", "--jobs", "many"], "--jobs"),
        (["pause", "gru"], "no campaign"),
        (["status", "--campaign", "nothing"], "--campaign nothing"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = lvmtui(Workspace(tmp_path), *arguments)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "artifacts" / "lvm" / "campaigns").exists()


def test_a_workspace_that_is_no_folder_is_named(tmp_path: Path) -> None:
    done = lvmtui(Workspace(tmp_path / "none"), "status")
    assert done.returncode == 2 and "--workspace" in done.stderr


def test_options_before_the_command_count(workspace: Workspace, tmp_path: Path) -> None:
    """`lvmtui --workspace OTHER cancel all` must never cancel here."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (["--workspace", str(empty), "status"], ["status", "--workspace", str(empty)]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lvmtui", *arguments], capture_output=True, text=True, cwd=workspace.root
        )
        assert done.returncode == 2 and str(empty) in done.stderr


def test_ctrl_c_while_a_campaign_is_planned_is_no_traceback(workspace: Workspace) -> None:
    command = [sys.executable, "-P", "-m", "lvmtui", "demo", "--workspace", str(workspace.root)]
    planning = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in a shell's background ignore it
    )
    wait_for(lambda: workspace.datasets.exists())
    planning.send_signal(signal.SIGINT)
    _, said = planning.communicate(timeout=60)
    assert planning.returncode == 130 and "Traceback" not in said and "interrupted" in said
    assert not workspace.campaign_dirs()


def test_check_says_what_it_leaves(workspace: Workspace) -> None:
    done = lvmtui(workspace, "check", str(workspace.root / "small.npz"))
    assert done.returncode == 0 and "vectors" in done.stdout
    assert str(workspace.datasets) in done.stderr and any(workspace.datasets.iterdir())


def test_ctrl_c_while_the_program_is_still_loading_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "lvmtui.cli.commands", Interrupted("lvmtui.cli.commands"))
    assert main() == 130


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full here")
def test_output_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-P", "-m", "lvmtui", "check", "--json", str(write_walk(tmp_path / "a.npz", 20))]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left" in done.stderr
