"""The self-test on a CPU, with the capture replaced by a tape: it passes, and each planted fault is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lvmtui.formats.json_codec import decode, encode, find_document
from lvmtui.formats.selftest import Fallbacks, SelfTest, record_path, training_code, write_record
from lvmtui.formats.user_code import digest_of_folder
from tests.threads import ONE_THREAD
from tests.trainers.taping import Taping
from trainers import device as device_module
from trainers import state
from trainers.cuda_graph import CannotRecord, Work
from trainers.selftest import bench as bench_module
from trainers.selftest import checks
from trainers.selftest.bench import Bench
from trainers.selftest.examine import examine

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plain modules: the faster ones draw their masks on the host, which a tape does not see; and no oneDNN, whose
    LSTM keeps more than torch is shown."""
    monkeypatch.setattr(state, "faster", lambda model: model)
    with torch.backends.mkldnn.flags(enabled=False):
        yield


def examined(models: tuple[str, ...], recorder: type = Taping) -> SelfTest:
    return examine(Bench(CPU, lambda device: recorder(), models))


def failed(found: SelfTest) -> set[str]:
    return {result.name for result in found.results if result.ok is False}


def test_it_passes() -> None:
    found = examined(("amn", "transformer"))  # other tests examine an LSTM
    assert not failed(found), found.results
    assert found.fallbacks == Fallbacks() and found.fallbacks.sentences == ()
    by_name = {result.name: result for result in found.results}
    assert by_name["graph"].ok and "4 of 4 models and recipes equal to the bit" in by_name["graph"].words
    assert by_name["memory"].ok is None and found.step_seconds == {}
    assert decode(SelfTest, json.loads(json.dumps(encode(found)))) == found


class Idle(Taping):
    """An empty graph, as one captured on another device: it trains nothing."""

    def record(self, work: Work) -> Work:
        return lambda: None


class SameMasks(Taping):
    """Replays with the generator where it was when the step was recorded."""

    def record(self, work: Work) -> Work:
        before = torch.get_rng_state()

        def again() -> None:
            torch.set_rng_state(before)
            work()

        return again


@pytest.mark.parametrize("recorder", [Idle, SameMasks])
def test_a_replay_that_is_wrong_means_no_graph(recorder: type) -> None:
    found = examined(("lstm",), recorder)
    assert "graph" in failed(found) and found.fallbacks.no_graph
    assert "resume" not in failed(found)  # the later checks were done without


def test_wrong_gradients_mean_the_plain_modules_and_then_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "faster", lambda model: lambda context: 1.01 * model(context) + 0.01)
    found = examined(("amn",))
    assert failed(found) == {"gradients of the faster modules"} and found.fallbacks == Fallbacks(plain=True)
    monkeypatch.setattr(checks, "_gradient_error", lambda name, bench: 0.5)
    found = examined(("amn",))
    assert "gradients" in failed(found) and found.fallbacks == Fallbacks()


def test_other_faults_have_their_own_fallbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "counting", lambda pool, device: lambda p, t, o: np.zeros(len(p), np.int64))
    found = examined(("amn",))
    assert failed(found) == {"ranks"} and found.fallbacks == Fallbacks(ranks_on_cpu=True)
    monkeypatch.undo()
    monkeypatch.setattr(state, "set_random_state", lambda device, states: None)
    monkeypatch.setattr(state, "faster", lambda model: model)
    found = examined(("lstm",))
    assert failed(found) == {"resume"} and found.fallbacks == Fallbacks(inexact_resume=True)


def test_an_evaluation_that_changes_the_next_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "evaluate", lambda *given: torch.rand(1))
    assert "evaluation" in failed(examined(("lstm",)))


def test_an_optimizer_that_does_not_clip_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Metal's fused kernel did, which ignored the divisor."""
    monkeypatch.setattr("trainers.selftest.checks.AdamW._divisor", lambda *given: None)
    assert "optimizer" in failed(examined(("amn",)))


def test_any_error_is_a_failed_check_but_a_failed_capture_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Taping):
        def record(self, work: Work) -> Work:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(CannotRecord, match="CUDA out of memory"):
        examined(("amn",), Failing)

    def broken(*given: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")

    monkeypatch.setattr(checks, "counting", broken)
    (result,) = (r for r in examined(("amn",)).results if r.name == "ranks")
    assert result.ok is False and result.words.endswith("illegal memory access was encountered")


def test_the_process_starts_over_without_graphs_and_says_why(tmp_path: Path) -> None:
    script = tmp_path / "failing.py"
    script.write_text(
        """
import sys
import trainers.cuda_graph
import trainers.selftest.bench as bench

class Failing:
    def warm(self, work):
        work()
    def record(self, work):
        raise RuntimeError("not permitted while capturing")

trainers.cuda_graph.recorder = lambda device: Failing()
bench.MODELS = ("amn",)
from trainers.selftest.__main__ import main
sys.exit(main(["--device", "cpu"]))
"""
    )
    ours = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env={**ONE_THREAD, **ours})
    assert done.returncode == 1, done.stderr
    found = decode(SelfTest, json.loads(done.stdout))
    (graph,) = (result for result in found.results if result.name == "graph")
    assert graph.words == "steps cannot be recorded: not permitted while capturing"
    assert found.fallbacks == Fallbacks(no_graph=True) and failed(found) == {"graph"}
    assert (tmp_path / "lvmtui" / "selftest-cpu.json").exists()


def test_a_record_holds_until_code_torch_or_driver_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = replace(examined(("amn",)), uuid="GPU-12ab", fallbacks=Fallbacks(no_graph=True, float32=True))
    write_record(found)
    assert find_document(SelfTest, record_path("12AB")) == found  # torch writes no prefix
    assert find_document(SelfTest, record_path("GPU-99")) is None
    monkeypatch.setattr(device_module, "uuid_of", lambda device: "12ab")
    gpu = torch.device("meta")
    assert device_module.fallbacks_on(gpu) == found.fallbacks and len(found.fallbacks.sentences) == 2
    for changed in (replace(found, torch="1.0"), replace(found, driver="1"), replace(found, code="")):
        write_record(changed)
        assert device_module.fallbacks_on(gpu) == Fallbacks()
    (tmp_path / "lvmtui" / "selftest-12ab.json").write_text("{")
    assert device_module.fallbacks_on(gpu) == Fallbacks()


def test_the_code_that_trains_has_a_digest(tmp_path: Path) -> None:
    package = tmp_path / "trainers"
    (package / "models").mkdir(parents=True)
    (package / "models" / "amn.py").write_text("width = 1")
    digests = {digest_of_folder(package)}
    (package / "models" / "amn.py").write_text("width = 2")
    digests.add(digest_of_folder(package))
    (package / "models" / "amn.py").rename(package / "amn.py")
    digests.add(digest_of_folder(package))
    assert len(digests) == 3
    assert training_code() == digest_of_folder(Path(bench_module.__file__).parents[1])


class RoundedProducts(TorchDispatchMode):
    """Rounds the factors of float32 products to 10 bits, as a tensor core does with TF32."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func._schema.name in ("aten::mm", "aten::bmm", "aten::addmm"):
            args = (*args[:-2], *map(_rounded, args[-2:]))
        return func(*args, **(kwargs or {}))


def _rounded(x: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        return x
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0x0FFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


@pytest.mark.parametrize("model", ["amn", "transformer", "graphmert_lvm"])
def test_gradients_in_tf32_pass_on_a_device_without_fault(model: str) -> None:
    """The transformer failed once on a GPU, by .12: units of a ReLU near zero were on in one arithmetic only."""
    with RoundedProducts():
        error = checks._gradient_error(model, Bench(CPU, lambda device: None, plain=True))
    assert checks.FLOAT32_ERROR < error < checks.TF32_ERROR


def test_resuming_and_evaluating_are_tested_with_both_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one run that resumed differently on a GPU was one by the reference recipe."""
    monkeypatch.setattr(checks, "difference", lambda *ends: 1.0)
    bench = Bench(CPU, lambda device: None, models=("amn",))
    assert checks.resume(bench)[1] == "not equal to the bit: amn (tuned), amn (reference)"
    assert checks.evaluation(bench)[1] == "changes amn (tuned), amn (reference)"
