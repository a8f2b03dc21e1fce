"""A user's model is tried by a child process before anything is planned; what is wrong is said in one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lvmtui.formats.user_code import Trial, TrialResult
from lvmtui.planning.own_code import Shape, copy_of, costs_of, try_code
from lvmtui.system.errors import UserError
from trainers.check_model import check

SHAPE = Shape(dim=16, context=5, batch_size=8)
HEAD = "import os, time, threading, random\nimport torch\nfrom torch import nn\n"
GOOD = HEAD + (
    "class Model(nn.Module):\n"
    "    def __init__(self, dim, context, width=4):\n"
    "        super().__init__()\n"
    "        self.line = nn.Linear(dim * context, dim)\n"
    "    def forward(self, x):\n"
    "        return self.line(x.flatten(1))\n"
)


def answer(folder: Path, source: str, **more: object) -> TrialResult:
    """As the child would answer, in this process."""
    (folder / "code").mkdir()
    (folder / "free").mkdir()
    (folder / "code" / "mine.py").write_text(source)
    request = Trial(
        folder=str(folder / "code"),
        module="mine",
        name="Model",
        source="mine.py:Model",
        dim=SHAPE.dim,
        context=SHAPE.context,
        batch_size=SHAPE.batch_size,
        options={},
        allowed=str(folder / "free"),
        **more,  # type: ignore[arg-type]
    )
    return check(request)


def test_a_good_model_is_counted_and_timed(tmp_path: Path) -> None:
    found = answer(tmp_path, GOOD)
    assert found.fault == "" and found.parameters == 16 * 80 + 16
    assert found.step_seconds > 0 and found.reference_seconds > 0
    assert costs_of(found, SHAPE)[0] > 0


def test_what_a_prediction_takes_is_timed(tmp_path: Path) -> None:
    found = answer(tmp_path, GOOD.replace("return self", "time.sleep(0.05); return self"))
    _, alone = costs_of(found, SHAPE)
    assert 0.05 <= found.alone_seconds < 0.5 and 0.05 <= found.step_seconds < 0.5
    assert alone / found.alone_seconds > 0


FAULTS = {
    "missing name": (GOOD.replace("class Model", "class Mode"), "'Model' is not known; did you mean 'Mode'?"),
    "syntax": (GOOD + "def broken(:\n", "mine.py:10: SyntaxError: invalid syntax"),
    "import": (
        "import layers\n",
        "mine.py:1: ModuleNotFoundError: No module named 'layers'; a file is copied without its neighbours, a package "
        "with them",
    ),
    "assert": (
        GOOD.replace("return self", "assert len(x) == 7; return self"),
        "mine.py:9: AssertionError: assert len(",
    ),
    "key": (GOOD.replace("return self", "{}['width']; return self"), "mine.py:9: KeyError: 'width'"),
    "error in init": (
        GOOD.replace("super().__init__()", "super().__init__(); nowhere"),
        "mine.py:6: NameError: name 'nowhere'",
    ),
    "error in forward": (
        GOOD.replace("x.flatten(1)", "x.flatten(1)[:, 1:]"),
        "mine.py:9: RuntimeError: ",  # torch's own words, which change
    ),
    "no module": (HEAD + "def Model(dim, context):\n    return 3\n", "returned int, not a torch.nn.Module"),
    "shape": (
        GOOD.replace("x.flatten(1)", "x.flatten(1))[:, :3] + 0 * (self.line(x.flatten(1))[:, :3]"),
        "mine.py:8: forward() of contexts (8, 5, 16) returned (8, 3); (8, 16) is needed",
    ),
    "tuple": (GOOD.replace("x.flatten(1))", "x.flatten(1)), 1"), "mine.py:8: forward() returned tuple"),
    "not finite": (
        GOOD.replace("x.flatten(1))", "x.flatten(1)) / 0"),
        "mine.py:8: the output for random windows",
    ),
    "constant": (
        GOOD.replace("return self.line(x.flatten(1))", "return torch.zeros(len(x), 16)"),
        "mine.py:8: what forward() returned does not depend on its parameters",
    ),
    "detached": (
        GOOD.replace("    def forward", "    @torch.no_grad()\n    def forward"),
        "mine.py:8: what forward() returned does not depend on its parameters",
    ),
    "not its own forward": (
        HEAD + "def Model(dim, context):\n    return nn.Sequential(nn.Flatten(), nn.Linear(dim * context, 3))\n",
        "mine.py:Model: forward() of contexts (8, 5, 16) returned (8, 3)",
    ),
    "no gradient": (
        GOOD.replace("    def forward", "        self.spare = nn.Linear(2, 2)\n    def forward"),
        "no gradient reaches spare.weight, spare.bias",
    ),
    "output of zero": (
        GOOD.replace("return self.line(x.flatten(1))", "return self.line(x.flatten(1)) * 0"),
        "every gradient is exactly zero",
    ),
    "dead": (
        GOOD.replace("return self.line(x.flatten(1))", "return (self.line(x.flatten(1)) - 100).relu()"),
        "every gradient is exactly zero",
    ),
    "noise": (
        GOOD.replace("x.flatten(1))", "x.flatten(1)) + torch.randn(1)"),
        "evaluated twice, it predicts differently",
    ),
    "neighbours": (GOOD.replace("x.flatten(1))", "x.flatten(1)) + x.mean()"), "depends on the windows beside it"),
    "foreign dice": (
        # not times: the loss does not see the length of a prediction, only rounding would differ
        GOOD.replace("x.flatten(1))", "x.flatten(1)) + (random.random() if self.training else 0)"),
        "two steps from one seed end with different",
    ),
    "hidden state": (
        GOOD.replace(
            "return self.line(x.flatten(1))",
            "self.seen = getattr(self, 'seen', 0) + self.training; return self.line(x.flatten(1)) * (1 + self.seen)",
        ),
        "saved and loaded, it predicts differently",
    ),
    "writes": (
        GOOD.replace("return self", "open('/tmp/lvmtui_own_stray', 'w'); return self"),
        "writes to /tmp/lvmtui_own_stray",
    ),
    "forks": (GOOD.replace("return self", "os.fork(); return self"), "starts another process"),
    "shell": (GOOD.replace("return self", "os.system('true'); return self"), "starts another process"),
    "leak": (
        HEAD.replace("\n", "\nKEPT = []\n", 1)
        + GOOD.removeprefix(HEAD).replace("return self", "KEPT.append(b'x' * (8 << 20)); return self"),
        "more with each step",
    ),
    "precision": (
        GOOD.replace("x.flatten(1))", "x.flatten(1).double())").replace(
            "    def forward", "        self.double()\n    def forward"
        ),
        "line.weight is torch.float64; parameters are trained in torch.float32, forward() may compute otherwise",
    ),
    "no parameters": (
        HEAD + "class Model(nn.Identity):\n    def forward(self, x): return x.mean(1)\n",
        "has no parameters",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_said_in_one_line(tmp_path: Path, case: str) -> None:
    source, words = FAULTS[case]
    found = answer(tmp_path, source)
    assert words in found.fault and "\n" not in found.fault
    assert not Path("/tmp/lvmtui_own_stray").exists()


def test_a_last_layer_that_starts_at_zero_is_no_fault(tmp_path: Path) -> None:
    source = GOOD.replace("    def forward", "        nn.init.zeros_(self.line.weight)\n    def forward")
    found = answer(tmp_path, source.replace("context, dim)\n", "context, dim, bias=False)\n"))
    assert found.fault == "" and not found.constant


def test_one_output_for_every_context_is_noticed(tmp_path: Path) -> None:
    constant = GOOD.replace("x.flatten(1))", "torch.ones_like(x.flatten(1)))")
    found = answer(tmp_path, constant)
    assert found.fault == "" and found.constant


def test_frozen_parameters_are_no_fault(tmp_path: Path) -> None:
    source = GOOD.replace(
        "    def forward", "        self.spare = nn.Linear(2, 2).requires_grad_(False)\n    def forward"
    )
    found = answer(tmp_path, source)
    assert found.fault == "" and found.parameters == 16 * 80 + 16


LOSS = "def Model(output, target):\n    return (output - target).pow(2).mean()\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LOSS, ""),
        (LOSS.replace(".mean()", ""), "mine.py:1: returned shape (8, 16); a loss is one number"),
        (LOSS.replace(".mean()", ".mean().item()"), "returned float"),
        (LOSS.replace(".mean()", ".mean() / 0"), "the loss of random vectors is inf"),
        (
            LOSS.replace("output - target", "output.detach() - target"),
            "mine.py:1: the loss does not depend",
        ),
        (LOSS.replace(".mean()", ".mean() * 0"), "the gradient at the output is missing, zero"),
    ],
)
def test_a_loss_is_tried_too(tmp_path: Path, source: str, words: str) -> None:
    found = answer(tmp_path, source, kind="loss")
    assert words in found.fault and bool(words) == bool(found.fault)


# As the plan does it: in a child ------------------------------------------------------------------------------------


def tried(tmp_path: Path, source: str) -> TrialResult:
    (tmp_path / "mine.py").write_text(source)
    code, files = copy_of("mine.py:Model", tmp_path, "own/mine", "--models")
    return try_code(code, files, SHAPE, {"width": 3}, "model", "--models")


def test_the_child_answers(tmp_path: Path) -> None:
    assert tried(tmp_path, "print('x' * 10_000_000)\n" + GOOD).parameters == 16 * 80 + 16


def test_a_model_that_takes_its_process_down_harms_only_that(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the process that tried it died"):
        tried(tmp_path, GOOD.replace("return self", "os._exit(9); return self"))


def test_a_model_that_hangs_and_ignores_term_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.planning.own_code.PATIENCE", 6.0)
    source = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n"
    began = time.monotonic()
    with pytest.raises(UserError, match="was not built and tried within 6 s"):
        tried(tmp_path, source)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.py:Model", "nowhere.py: cannot be read"),
        ("no.such.module:Model", "no such module"),
        ("my-model.py:Model", "is not a name that Python can import"),
    ],
)
def test_files_that_are_not_there(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "my-model.py").write_text(GOOD)
    with pytest.raises(UserError, match=words):
        copy_of(source, tmp_path, "own/mine", "--models")


def test_a_package_is_copied_whole(tmp_path: Path) -> None:
    package = tmp_path / "nets"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts" / "__init__.py").write_text("")
    (package / "parts" / "line.py").write_text(GOOD)
    (package / "mixer.py").write_text("from .parts.line import Model\n")
    code, files = copy_of("nets.mixer:Model", tmp_path, "own/m", "--models")
    assert set(files) == {f"own/m/nets/{n}" for n in ("__init__.py", "mixer.py", "parts/__init__.py", "parts/line.py")}
    assert try_code(code, files, SHAPE, {}, "model", "--models").fault == ""
