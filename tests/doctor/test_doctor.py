"""The doctor's findings, its page, and how self-tests are run and kept."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.cli import commands
from lvmtui.cli.doctor import as_json, as_text
from lvmtui.doctor import devices, machine
from lvmtui.doctor.devices import DeviceRecord, findings, kept, self_tests_of, sharing_remarks
from lvmtui.doctor.machine import (
    MachineFinding,
    disk_words,
    file_system_words,
    memory_words,
    terminal_words,
    torch_words,
    watch_words,
)
from lvmtui.estimate.cost import work_of
from lvmtui.estimate.pace import machine_tested
from lvmtui.formats.json_codec import encode
from lvmtui.formats.selftest import CheckResult, Fallbacks, SelfTest, driver_version, training_code, write_record
from lvmtui.system.gpus import Gpu, Mps, TorchBuild, torch_build

GPU = Gpu("0", "NVIDIA H100", "GPU-12ab")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def record(*results: CheckResult, uuid: str = "12ab") -> SelfTest:
    build = torch_build()
    return SelfTest(
        device="NVIDIA H100",
        kind="cuda",
        uuid=uuid,
        torch=build.version,
        driver=driver_version(),
        code=training_code(),
        results=results,
        step_seconds={"amn": 2e-4, "graphmert_lvm": 3e-3},
        side_by_side=1.8,
    )


@pytest.mark.parametrize(
    ("build", "driver", "there", "visible", "state", "words"),
    [
        (TorchBuild("", "", ""), "", 0, 0, "fault", "no torch"),
        (TorchBuild("2.13.0+cpu", "cpu", ""), "", 0, 0, "ok", "built for CPUs; there is no GPU"),
        (TorchBuild("2.13.0+cpu", "cpu", ""), "580.1", 1, 0, "fault", "CPUs only, and this machine has a GPU"),
        (TorchBuild("2.11.0", "cuda", "13.0"), "", 0, 0, "note", "no GPU is found"),
        (TorchBuild("2.11.0", "cuda", "13.0"), "580.159.04", 8, 0, "note", "hides the GPUs"),
        (TorchBuild("2.11.0", "cuda", "13.0"), "570.12", 1, 1, "fault", "needs NVIDIA driver 580"),
        (TorchBuild("2.9.0", "cuda", "12.8"), "570.12", 1, 1, "ok", "driver 570.12"),
        (TorchBuild("2.9.0", "hip", "6.4"), "", 2, 2, "ok", "ROCm 6.4"),
    ],
)
def test_torch_against_gpus_and_driver(
    build: TorchBuild, driver: str, there: int, visible: int, state: str, words: str
) -> None:
    found = torch_words(build, driver, there, visible)
    assert found.state == state and words in found.words
    assert bool(found.remedy) or state != "fault"


def test_memory_disk_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory_words(1e9).state == "note" and memory_words(8e9).state == "ok"
    assert disk_words(tmp_path).state in ("ok", "note") and str(tmp_path) in disk_words(tmp_path).words
    assert disk_words(tmp_path / "nowhere").state == "fault"
    assert file_system_words(tmp_path).state == "ok" and not list(tmp_path.glob(".lvmtui*"))
    monkeypatch.setenv("LVMTUI_SHARED", "1")
    assert "shared between hosts" in file_system_words(tmp_path).words
    assert watch_words(tmp_path).state in ("ok", "note")


class Terminal(io.TextIOWrapper):
    """A terminal of some encoding."""

    def __init__(self, encoding: str, is_terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")
    assert terminal_words(Terminal("utf-8"), {"TERM": "xterm-256color"}).state == "ok"
    assert terminal_words(Terminal("utf-8"), {"TERM": "dumb"}).state == "fault"
    latin = terminal_words(Terminal("iso-8859-1"), {"TERM": "xterm"})
    assert latin.state == "note" and "UTF-8" in latin.remedy
    assert terminal_words(Terminal("utf-8", is_terminal=False), {}).state == "ok"
    monkeypatch.setenv("COLUMNS", "60")
    assert "enlarge" in terminal_words(Terminal("utf-8"), {"TERM": "xterm"}).remedy


def test_the_page_names_faults_and_remedies() -> None:
    found = [
        MachineFinding("torch", "fault", "word " * 30, "install it"),
        MachineFinding("disk", "note", "little", "remove files"),
    ]
    page = as_text(found, 60)
    assert all(len(line) <= 60 for line in page.splitlines())
    assert "> install it" in page and page.endswith("1 fault: something here will fail")
    assert as_text(found[1:], 60).endswith("nothing stands in the way; 1 note")
    assert as_json(found, [])["ok"] is False and as_json(found[1:], [record()])["self_tests"][0]["uuid"] == "12ab"


def test_a_device_is_tested_once_in_a_child_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, calls = record(CheckResult("graph", True, "fine")), tmp_path / "calls"
    script = tmp_path / "child.py"
    script.write_text(
        f"import os\nopen({str(calls)!r}, 'a').write(os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')\n"
        f"print('gradients ok')\nprint({json.dumps(encode(made), indent=1)!r})\nprint('a warning at the end')\n"
    )
    monkeypatch.setattr(devices, "COMMAND", (sys.executable, str(script)))
    gpu = Gpu("MIG-7", "slice", "MIG-7")  # torch names it otherwise
    said: list[str] = []
    assert kept(gpu) is None
    assert self_tests_of([gpu], said.append)[0].record == made and said
    assert calls.read_text() == "MIG-7\n" and kept(gpu) == made
    assert self_tests_of([gpu])[0].record == made and calls.read_text() == "MIG-7\n"
    self_tests_of([gpu], again=True)
    assert calls.read_text() == "MIG-7\nMIG-7\n"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no torch')", "no torch"),
        ("print('{'); print('1')", "1"),
        ("import os; os._exit(3)", "code 3"),
    ],
)
def test_a_child_that_fails_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(devices, "COMMAND", (sys.executable, "-c", program))
    (result,) = self_tests_of([GPU])
    assert result.record is None and words in result.failed
    (found,) = findings([result])
    assert found.state == "fault" and found.remedy
    monkeypatch.setattr(devices, "COMMAND", (str(tmp_path / "nowhere"),))
    assert self_tests_of([GPU])[0].record is None


def test_failed_checks_become_lines_with_what_is_done_about_them() -> None:
    mild = record(CheckResult("kernels", True, ""), CheckResult("graph", False, "steps cannot be recorded"))
    head, graph, speed, beside = findings([DeviceRecord(GPU, mild)])
    assert head.state == graph.state == "note" and "slower" in graph.remedy
    assert "graphmert_lvm 3.00" in speed.words and "1.80 times" in beside.words
    broken = record(CheckResult("gradients", False, "largest difference 0.5"))
    assert any(f.state == "fault" and "--device cpu" in f.remedy for f in findings([DeviceRecord(GPU, broken)]))
    assert not Fallbacks().sentences


def test_nvidias_mps_is_offered_where_it_is_installed_and_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    without, under = record(), replace(record(), mps=True)
    cases: tuple[tuple[SelfTest, Mps, bool], ...] = (
        (without, "stopped", True),
        (without, "missing", False),
        (under, "running", False),
        (under, "stopped", False),
    )
    for tested, state, offered in cases:
        monkeypatch.setattr("lvmtui.system.gpus.mps_state", lambda state=state: state)
        beside = findings([DeviceRecord(GPU, tested)])[-1]
        assert ("nvidia-cuda-mps-control -d" in beside.remedy) is offered is (beside.state == "note")
        assert ("under NVIDIA's MPS" in beside.words) is tested.mps
        remarks = sharing_remarks([tested], 2, state)
        assert bool(remarks) is offered and all("1.80 times" in words for words in remarks)
    assert not sharing_remarks([without], 1, "stopped"), "one run shares with nobody"


def test_a_gpu_is_tested_again_when_mps_was_started_or_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What two processes at once gain depends on it, and the plan on that."""
    write_record(record())
    assert kept(GPU) == record()
    monkeypatch.setattr("lvmtui.system.gpus.mps_state", lambda: "running")
    assert kept(GPU) is None
    write_record(replace(record(), mps=True))
    assert kept(GPU) is not None


def test_a_self_test_sets_the_first_time_left(tmp_path: Path) -> None:
    from lvmtui.estimate.cost import step_cost
    from lvmtui.formats.spec import read_spec
    from tests.factory import make_campaign

    campaign = make_campaign(tmp_path, models=("amn",))
    spec = read_spec(tmp_path / campaign.runs[0].folder / "spec.json")
    spec = replace(spec, size="full", dim=768, threads=8, recipe=replace(spec.recipe, batch_size=32))
    work = work_of(spec, device="cuda")
    shown = machine_tested([record()])
    seconds = step_cost(work) * 2.718281828 ** shown.step(work).mean
    assert seconds == pytest.approx(2e-4, rel=0.2)
    assert shown.step(work).variance < machine_tested([]).step(work).variance


def test_the_command_prints_the_page_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lvmtui.cli.doctor.devices", lambda: ())
    monkeypatch.setattr(machine, "slurm_words", lambda: iter(()))
    code = commands.main(["doctor", "--workspace", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["ok"] else 1) and {f["subject"] for f in told["findings"]} >= {"torch", "memory", "disk"}
    commands.main(["doctor", "--workspace", str(tmp_path)])
    assert "torch" in capsys.readouterr().out
