"""A user's own model, loss or trainer as the spec of a run holds it: a copy with its digest, and how it is used."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lvmtui.system.errors import UserError, unknown

FIX = "fix the script"
"""What helps begins so, where a user's own program has failed."""
OptionValue = bool | int | float | str
"""What an option of a user's model may be."""


@dataclass(frozen=True)
class UserCode:
    """A class or function in a Python file of the user's, copied into the campaign."""

    folder: str
    """Folder of the copy, relative to the workspace. Nothing else is in it."""
    module: str
    """`mixer` is `mixer.py` in that folder, `package.module` a file of a package in it."""
    name: str
    """Name of the class or function."""
    digest: str
    """`digest_of_folder` of the copy. Code that does not have it is not run."""
    source: str = ""
    """As the user named it: `mixer.py:Mixer`."""

    @property
    def words(self) -> str:
        """`mixer.py:Mixer, digest 0a1b2c3d4e5f6071`."""
        named = (self.source or self.module).rpartition("/")[2]  # with --add-sizes it comes from another folder
        return f"{named}, digest {self.digest[:16]}"


@dataclass(frozen=True)
class OwnModel:
    """A user's model. `code` names a class or function: (dim, context, **options) -> nn.Module."""

    title: str
    """How people write it."""
    code: UserCode
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    parameters: int = 0
    """Trainable ones, counted when the campaign was planned."""
    uses: float = 0.0
    """How often one window uses a parameter, as timed when it was planned; see `lvmtui.models.ModelCost.uses`."""
    alone: float = 0.0
    """Seconds of one prediction by itself on the reference core, as timed then; 0: not timed."""
    constant: bool = False
    """After some steps its output was still the same for every context, when the campaign was planned."""

    @property
    def words(self) -> str:
        """`mixer.py:Mixer, digest 0a1b2c3d4e5f6071, width = 512`."""
        return ", ".join((self.code.words, *(f"{name} = {value}" for name, value in self.options.items())))


@dataclass(frozen=True)
class OwnTrainer:
    """A program of the user's that trains the run, understood by what it tells the kit, by what it prints, or both."""

    title: str
    command: str
    """As a shell would split it; `{data}`, `{run}` and others stand for the run's paths and numbers."""
    folder: str
    """Absolute path of the folder it is started in."""
    pattern: tuple[str, ...] = ()
    """Regular expressions with named groups, searched for in each line it prints."""
    unit: Literal["step", "epoch"] = "step"
    """What the run's steps are. `epoch`: the program tells epochs only."""
    checkpoints: bool = False
    """On TERM it writes a checkpoint and leaves, and it goes on from there when it is started again."""
    files: Mapping[str, str] = field(default_factory=dict)
    """sha256 of the files named in the command, when the campaign was planned."""
    guessed: bool = False
    """Nobody knows how long it trains: neither its table says so, nor is it told, by its command or by the kit."""

    @property
    def words(self) -> str:
        """`python train.py {data}, pattern 'loss (?P<loss>\\S+)'`, or `told through the kit`."""
        patterns = " or ".join(f"'{pattern}'" for pattern in self.pattern)
        return f"{self.command}, {f'pattern {patterns}' if patterns else 'told through the kit'}"


@dataclass(frozen=True)
class Trial:
    """What `trainers/check_model.py` is to build and use."""

    folder: str
    """Absolute path of the folder with the code."""
    module: str
    name: str
    source: str
    dim: int
    context: int
    batch_size: int
    options: Mapping[str, OptionValue]
    kind: str = "model"
    """`model` or `loss`."""
    allowed: str = ""
    """The only folder the code may write into."""


@dataclass(frozen=True)
class TrialResult:
    """What it found."""

    fault: str = ""
    """One line; empty: the code can be used."""
    parameters: int = 0
    step_seconds: float = 0.0
    """Median time of one step on one thread."""
    alone_seconds: float = 0.0
    """Mean time of one prediction by itself, on one thread."""
    reference_seconds: float = 0.0
    """Median time of a step of a small GRU beside it, so that the speed of this machine does not matter."""
    constant: bool = False
    """After some steps its output is still the same for every context."""


def command_words(command: str, values: Mapping[str, str], where: str) -> list[str]:
    """The words of a command, with `{data}` and others filled in. Raises UserError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"{where}: command: cannot be split into words ({error})") from None
    if not words:
        raise UserError(f"{where}: command: is empty")

    def filled(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise unknown(f"{where}: command: {{{found[1]}}}:", found[1], values)
        return values[found[1]]

    return [re.sub(r"\{([a-z_]+)\}", filled, word) for word in words]


def digest_of_folder(folder: Path) -> str:
    """sha256 in hex over names and contents of the Python files in a folder. Raises OSError."""
    hashed = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        hashed.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        hashed.update(content)
    return hashed.hexdigest()
