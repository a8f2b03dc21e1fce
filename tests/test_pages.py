"""Every command of README and the pages in docs: it runs in a workspace that has what the pages speak of, or it parses.

A command that is not of these fails here, so nothing is left out by mistake. What only parses is in `PARSED`, with the
reason.
"""

from __future__ import annotations

import glob
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lvmtui.cli.commands import main
from lvmtui.cli.parser import parse
from lvmtui.report.make import write_report
from tests.legacy.originals import write_originals
from tests.report.made_campaigns import UP
from tests.trainers.tiny import write_walk
from tests.verdict.scenes import finished

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

PARSED = {
    "lvmtui demo": "minutes of training; tests/test_end_to_end.py runs it",
    "lvmtui pause": "needs runs that train; tests/test_end_to_end.py",
    "lvmtui resume": "needs runs that train; tests/test_end_to_end.py",
    "lvmtui cancel": "needs runs that train; tests/test_end_to_end.py",
    "lvmtui queue": "needs runs that train; tests/test_end_to_end.py",
    "lvmtui run --add-sizes": "needs a finished campaign of sizes; tests/test_sizes_end_to_end.py",
    "lvmtui run --arms expanded": "needs weights of the original experiment; tests/trainers/test_legacy_weights.py",
    "lvmtui import old/*_80k* --arm": "needs weights of the original experiment, as the line after it",
    "lvmtui run --baseline small.npz --expanded large.npz --engine slurm": "needs a cluster; tests/slurm",
    "lvmtui embed": "fetches a model; tests/embed",
    "lvmtui serve": "goes on until ctrl-c; tests/ui/test_serve.py",
    "lvmtui supervise": "goes on; tests/supervisor/test_main.py",
    "lvmtui trainer test --command": "a minute; tests/own/test_trainer_test.py",
}
"""Beginnings of the commands that are not run, and why."""
ADDED = {"run": "--plan", "watch": "--once"}
"""Added to a command so that it ends: the plan needs all files and options that the run needs."""
OTHERS = ("tensorboard --logdir logs/tensorboard",)
"""Commands of other programs, word for word."""


def commands_of(page: Path) -> Iterator[str]:
    """The commands in the page's blocks of shell. Where lines begin with `$`, the others are what a command prints."""
    for block in BLOCK.findall(page.read_text()):
        lines = block.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            words = shlex.split(line, comments=True)
            while "&&" in words:
                yield shlex.join(words[: words.index("&&")])
                words = words[words.index("&&") + 1 :]
            if words[:1] == ["sbatch"]:  # what the job runs
                yield words[words.index("--wrap") + 1].removeprefix("exec ")
            elif words:
                yield shlex.join(words)


COMMANDS = {command: page.relative_to(ROOT) for page in PAGES for command in commands_of(page)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the files the pages name, a finished campaign and runs of the original experiment."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    root = tmp_path_factory.mktemp("pages").resolve()
    for name, articles in (
        ("small.npz", 40),
        ("80k.npz", 40),
        ("large.npz", 160),
        ("232k.npz", 160),
        ("vectors.npz", 160),
    ):
        write_walk(root / name, articles)
    with np.load(write_walk(root / "books.npz", 20, length=20)) as books:
        rows = [list(row) for row in books["vectors"]]
    columns = {"text_emb": rows, "book_id": [i // 20 for i in range(400)], "page": [i % 20 for i in range(400)]}
    parquet.write_table(pa.table(columns), root / "books.parquet")
    (root / "campaign.toml").write_text('baseline = "small.npz"\nexpanded = "large.npz"\nmodels = ["amn"]\n')
    (root / "mixer.py").write_bytes((ROOT / "examples" / "mixer.py").read_bytes())
    (root / "train.py").write_bytes((ROOT / "examples" / "plain_torch.py").read_bytes())
    (root / "texts").mkdir()
    (root / "logs").mkdir()
    for log in (root / "yesterday.log", root / "logs" / "mine.log"):
        log.write_text("".join(f"epoch {n} loss 0.{9 - n} val_cosine 0.4{n}\n" for n in range(1, 6)))
    old = root / "old"
    for folder in write_originals(old):
        size = "232k" if "232k" in folder.name else "80k"
        folder.rename(old / f"{folder.name.split('_')[0]}_{size}_20251017_090129")
    workspace, campaign = finished(root, UP, seeds=(1, 2), stamp="20261122_101500")
    write_report(workspace, campaign.id)
    return root


def test_every_page_is_read() -> None:
    assert len(COMMANDS) >= 40
    unused = [start for start in PARSED if not any(_begins(command, start) for command in COMMANDS)]
    assert not unused, f"no page has these any more: {unused}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_holds(
    command: str, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world)
    program, *arguments = shlex.split(command)
    if Path(program).name != "lvmtui":
        assert command in OTHERS or _sets_up(program, arguments), f"{COMMANDS[command]}: {command}: untested"
        return
    command = command.replace(program, "lvmtui", 1)
    expanded = [name for word in arguments for name in sorted(glob.glob(word)) or [word]]
    if any(_begins(command, start) for start in PARSED):
        parse(expanded)
        for word in re.findall(r"[\w./]+\.(?:npz|parquet|toml|log|py)\b", command):
            assert Path(word).exists(), f"{word}: no such file"
        return
    code = main([*expanded, *([more] if (more := ADDED.get(arguments[0])) and more not in arguments else ())])
    assert code == 0, capsys.readouterr().err


def _begins(command: str, start: str) -> bool:
    return shlex.split(command)[: len(start.split())] == start.split()


def _sets_up(program: str, arguments: list[str]) -> bool:
    """A line that makes an environment, or starts a module of ours: it is not run, but what it names is there."""
    if program == ".":
        return arguments == [".venv/bin/activate"]
    if (program := Path(program).name).startswith("python") and arguments[0] == "-m":
        return importlib.util.find_spec(arguments[1]) is not None
    if program in ("pip", "uv", "pipx"):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extras = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
        return "install" in arguments and all(extra in project["optional-dependencies"] for extra in extras)
    return False
