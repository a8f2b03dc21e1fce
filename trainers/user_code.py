"""Runs a user's own model or loss from the copy in the campaign, and from nowhere else."""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import IN_THE_PLAN
from lvmtui.formats.user_code import OptionValue, UserCode, digest_of_folder
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.text import sanitise

Loss = Callable[[Tensor, Tensor], Tensor]
"""A user's loss: raw outputs (B, D) and unit targets (B, D) -> ()."""
MOST_OUTPUT = 4 << 20
"""Characters a user's code may print in one attempt at a run; the rest is left out of train.log."""


def load(code: UserCode, workspace: Path) -> Any:
    """The class or function. Raises UserError if the copy is missing or changed, or lacks the name."""
    folder = workspace / code.folder
    try:
        found = digest_of_folder(folder)
    except OSError as error:
        raise UserError(f"{folder}: the copy of {code.source} cannot be read ({error.strerror})") from None
    if found != code.digest:
        raise UserError(f"{folder}: not the {code.source} that was planned; restore the copy or start a new campaign")
    return load_from(folder, code.module, code.name)


def load_from(folder: Path, module: str, name: str) -> Any:
    """`name` of the module in a folder. Raises UserError with the user's own file and line."""
    package = module.partition(".")[0]
    for known in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
        del sys.modules[known]  # a module of the same name that came from somewhere else
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        loaded = importlib.import_module(module)
    except Exception as error:
        words = fault_words(error, folder) or f"{module}: cannot be imported ({error})"
        alone = isinstance(error, ImportError) and module == package
        hint = "; a file is copied without its neighbours, a package with them: PACKAGE.MODULE:NAME" if alone else ""
        raise UserError(words + hint) from None
    finally:
        sys.path.remove(str(folder))
    if not hasattr(loaded, name):
        theirs = [one for one, found in vars(loaded).items() if getattr(found, "__module__", "") == module]
        raise unknown(f"{Path(str(loaded.__file__)).name}: the class or function", name, theirs)
    return getattr(loaded, name)


def built(maker: Any, source: str, options: Mapping[str, OptionValue], dim: int, context: int) -> nn.Module:
    """What the user's class or function returns. Raises UserError if that is no module."""
    if not callable(maker):
        raise UserError(f"{source}: not a class or function; it is called with (dim, context)")
    module = maker(dim, context, **options)
    if not isinstance(module, nn.Module):
        raise UserError(f"{source}: returned {type(module).__name__}, not a torch.nn.Module")
    module.register_forward_hook(_as_float32)
    return module


def _as_float32(module: nn.Module, inputs: object, output: object) -> object:
    """All else is in float32, whatever the user's network computes in."""
    return output.float() if isinstance(output, Tensor) and output.is_floating_point() else output


def fault_words(error: BaseException, folder: Path) -> str:
    """`mixer.py:12: NameError: name 'x' is not defined`, if an error passed through the user's code; else empty."""
    where = f"{folder.resolve()}/"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).resolve()).startswith(where)]
    if isinstance(error, SyntaxError) and error.filename and str(Path(error.filename).resolve()).startswith(where):
        return f"{Path(error.filename).name}:{error.lineno}: SyntaxError: {error.msg}"
    if not frames:
        return ""
    name, words = str(Path(frames[-1].filename).resolve()).removeprefix(where), str(error) or frames[-1].line
    return f"{name}:{frames[-1].lineno}: {type(error).__name__}: {words}"


def own_fault(error: BaseException, spec: RunSpec, workspace: Path) -> str:
    """An error in the user's own code with its file and line, and what helps; empty for others."""
    for code in spec.own_code:
        if words := fault_words(error, workspace / code.folder):
            cure = f"mend {code.source} and start a new campaign"
            return f"{sanitise(words, 300)}, in the copy {IN_THE_PLAN}; {cure}"
    return ""


def kept_source(code: UserCode, workspace: Path) -> dict[str, str]:
    """The user's Python files by their path in the copy, for `best_model.pt`."""
    folder = workspace / code.folder
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.py"))}


def load_kept(kept: Mapping[str, Any]) -> nn.Module:
    """The user's model out of the content of a `best_model.pt`. This runs the code that the file holds."""
    own = kept["own"]
    with tempfile.TemporaryDirectory() as folder:
        for name, source in own["files"].items():
            path = Path(folder, name)
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise UserError(f"{name}: leads out of the folder it is to be written to")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        maker = load_from(Path(folder), own["module"], own["name"])
        return built(maker, own["module"], own["options"], kept["dim"], kept["context"])


class Bounded:
    """Stands in for stdout or stderr while a user's code runs, and passes on at most MOST_OUTPUT characters."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = MOST_OUTPUT

    def write(self, text: str) -> int:
        if self._left > 0:
            self._stream.write(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._stream.write("\n(more output is left out)\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
