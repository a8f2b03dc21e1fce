"""Copies a user's models and losses into a campaign, and has a child process try them. Never runs them here."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lvmtui.estimate.cost import CORE, STEP, UPDATE, parameters_of
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.spec import USUAL_CONTEXT, Recipe
from lvmtui.formats.user_code import OptionValue, OwnModel, OwnTrainer, Trial, TrialResult, UserCode, digest_of_folder
from lvmtui.models import REGISTRY
from lvmtui.planning.own_tables import Own, TrainerTable
from lvmtui.system.errors import UserError
from lvmtui.system.files import last_line
from lvmtui.system.launch import our_command
from lvmtui.system.programs import kill_child, spawn, unmarked_environment

PATIENCE = 120.0
"""Seconds a check may take. A model of 100 million numbers needs ten for it on one core."""
MOST_BYTES = 4 << 20
"""Limit on the Python files that are copied: a package of models, not an environment."""

Say = Callable[[str], None]


@dataclass
class OwnCode:
    """What the specs of a campaign hold of the user's own, and the files that belong to it."""

    models: dict[tuple[str, int], OwnModel] = field(default_factory=dict)
    """By name and context."""
    losses: dict[str, UserCode] = field(default_factory=dict)
    """By the recipe's name."""
    trainers: dict[str, OwnTrainer] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Copies, by their path relative to the workspace."""

    @property
    def titles(self) -> dict[str, str]:
        """How people write the names of the user's own."""
        models = {name: model.title for (name, _), model in self.models.items()}
        return models | {name: trainer.title for name, trainer in self.trainers.items()}

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a reader of the report must know before believing it."""
        constant = dict.fromkeys(model.title for model in self.models.values() if model.constant)
        doubts = [f"the network of {title} has the same output for every context" for title in constant]
        if named := ", ".join(trainer.title for trainer in self.trainers.values()):
            doubts.append(f"that {named} trained on no held-out vector is the word of the user's own program")
        told = re.compile(r"\{(data|run|arm|label)\}")  # the kit asks for the arm by itself
        blind = [one.title for one in self.trainers.values() if one.pattern and not told.search(one.command)]
        if blind:
            what = "the command names none of {data}, {run}, {arm} and {label}, which tell the arms apart"
            both = f"the same data may train both arms of {', '.join(blind)}"
            doubts.append(f"unless the kit tells the arm, {both}: {what}")
        return tuple(doubts)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the plan must say besides."""
        named = ", ".join(trainer.title for trainer in self.trainers.values())
        return (f"how long runs of {named} take is not known; the time expected is a guess",) if named else ()


@dataclass(frozen=True)
class Shape:
    """The windows that the code is tried on."""

    dim: int
    context: int
    batch_size: int


def gather_own(
    own: Own, used: tuple[str, ...], recipes: Mapping[str, Recipe], shapes: Sequence[Shape], folder: str, say: Say
) -> OwnCode:
    """Copy and try what the campaign uses. `recipes`: of each model; `shapes`: of the windows it is to be
    trained on; `folder`: of the copies, from the workspace.

    Raises UserError with the user's own file and line.
    """
    found = OwnCode()
    for name in used:
        if name in own.trainers:
            found.trainers[name] = own_trainer(own.trainers[name])
        elif (table := own.models.get(name)) and table.source:
            say(f"trying {table.source.rpartition('/')[2]}, at most {PATIENCE:.0f} s: timing its predictions and steps")
            code, files = copy_of(table.source, table.base, f"{folder}/{name}", table.where)
            found.files |= files
            by_context = {shape.context: shape for shape in shapes}
            for context, shape in by_context.items():
                where = f"{table.where}: context {context}" if len(by_context) > 1 else table.where
                answer = try_code(code, files, shape, table.options, "model", where)
                mean = 0 if recipes[name].correction is None else context + 1  # learned beside it, see the recipe
                trained, costs = answer.parameters + mean, costs_of(answer, shape)
                found.models[name, context] = OwnModel(
                    table.title, code, table.options, trained, *costs, answer.constant
                )
    for name in dict.fromkeys(recipe.name for recipe in recipes.values()):
        if (recipe := own.recipes.get(name)) and recipe.loss:
            say(f"trying {recipe.loss}")
            code, files = copy_of(recipe.loss, recipe.base, f"{folder}/loss_{name}", recipe.where)
            try_code(code, files, shapes[0], {}, "loss", recipe.where)
            found.losses[name] = code
            found.files |= files
    return found


def costs_of(answer: TrialResult, shape: Shape) -> tuple[float, float]:
    """`uses` and `alone` of `OwnModel`, from a model's times and that of a step of a small GRU on the same machine."""
    count = parameters_of("gru", "small", shape.dim) or 1
    windows = shape.batch_size
    uses = 1 + (REGISTRY["gru"].costs["small"].uses - 1) * shape.context / USUAL_CONTEXT
    known = STEP + UPDATE * count + windows * 6 * count * uses / CORE
    of_reference = known / max(answer.reference_seconds, 1e-9)
    seconds, parameters = of_reference * answer.step_seconds, max(1, answer.parameters)
    left = max(seconds - STEP - UPDATE * parameters, 0.05 * seconds)
    return float(left * CORE / (windows * 6 * parameters)), of_reference * answer.alone_seconds


def own_trainer(table: TrainerTable) -> OwnTrainer:
    """A trainer as specs hold it. Raises UserError."""
    digests = {}
    for word in shlex.split(table.program.command):
        path = Path(table.program.folder) / word
        if "{" not in word and path.is_file():
            digests[word] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif word.endswith(".py") and "{" not in word:
            raise UserError(f"{table.where}: command: {path}: no such file")
    return replace(table.program, files=digests)


def refuse_absent(table: TrainerTable) -> None:
    """Raises UserError if this machine does not have the program that the command starts."""
    program = shlex.split(table.program.command)[0]
    path = Path(table.program.folder) / program if os.sep in program else program
    if "{" not in program and shutil.which(path) is None:
        raise UserError(f"{table.where}: command: {path}: no such program here, or it cannot be executed")


def copy_of(source: str, base: Path, folder: str, where: str) -> tuple[UserCode, dict[str, bytes]]:
    """`mixer.py:Mixer` or `package.module:name` as it will lie in `folder`, with its files. Raises UserError."""
    file, _, name = source.rpartition(":")
    if file.endswith(".py"):
        path = (base / Path(file).expanduser()).resolve()
        if not path.stem.isidentifier():
            raise UserError(f"{where}: {path.name}: is not a name that Python can import; use letters, digits, '_'")
        module, found = path.stem, {path.name: _content(path, where)}
    else:
        module, found = file, _package(file, base, where)
    files = {f"{folder}/{inside}": content for inside, content in found.items()}
    with tempfile.TemporaryDirectory() as copied:
        lay_out(files, Path(copied))
        digest = digest_of_folder(Path(copied, folder))
    return UserCode(folder, module, name, digest, source), files


def _package(module: str, base: Path, where: str) -> dict[str, bytes]:
    """The Python files of the package that a module belongs to, by their path from beside the package."""
    top = module.partition(".")[0]
    beside = base / top
    if beside.is_dir() or beside.with_suffix(".py").is_file():
        root = beside
    else:
        try:
            found = importlib.util.find_spec(top)  # of a top-level name: imports nothing
        except (ImportError, ValueError):
            found = None
        if found is None or found.origin is None:
            raise UserError(f"{where}: {module}: no such module beside the campaign file or in this Python")
        root = Path(found.origin).parent if found.submodule_search_locations else Path(found.origin)
    if not root.is_dir():
        path = root if root.suffix == ".py" else root.with_suffix(".py")
        return {path.name: _content(path, where)}
    files: dict[str, bytes] = {}
    for path in sorted(root.rglob("*.py")):
        files[f"{top}/{path.relative_to(root).as_posix()}"] = _content(path, where)
        if sum(map(len, files.values())) > MOST_BYTES:
            raise UserError(f"{where}: {top}: more than {MOST_BYTES >> 20} MB of Python; put the model into one file")
    return files


def _content(path: Path, where: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}: {path}: cannot be read ({error.strerror})") from None
    if len(content) > MOST_BYTES:
        raise UserError(f"{where}: {path}: larger than {MOST_BYTES >> 20} MB; is it a Python file?")
    return content


def lay_out(files: Mapping[str, bytes], into: Path) -> None:
    """Write files by their path below `into`. Raises OSError."""
    for name, content in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def try_code(
    code: UserCode, files: Mapping[str, bytes], shape: Shape, options: Mapping[str, OptionValue], kind: str, where: str
) -> TrialResult:
    """Have a short process of its own build and use the code; see `trainers/check_model.py`. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="lvmtui-try-") as scratch:
        root = Path(scratch)
        lay_out(files, root)
        (root / "free").mkdir()
        request, answer = root / "request.json", root / "answer.json"
        named = str(root / code.folder), code.module, code.name, code.source
        trial = Trial(*named, **vars(shape), options=options, kind=kind, allowed=str(root / "free"))
        write_document(request, trial, durable=False)
        command = our_command("trainers.check_model", str(request), str(answer))
        environment = {**unmarked_environment(), "TMPDIR": str(root / "free"), "OMP_NUM_THREADS": "1"}
        child = spawn(command, output=root / "output", environment=environment, folder=root)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError(f"{where}: {code.source}: was not built and tried within {PATIENCE:.0f} s") from None
        finally:
            kill_child(child)  # and what it may have left behind in its session
        found = find_document(TrialResult, answer)
        if found is None:
            words = last_line(root / "output") or f"it ended with code {child.returncode}"
            raise UserError(f"{where}: {code.source}: the process that tried it died: {words}")
    if found.fault:
        raise UserError(f"{where}: {found.fault}")
    return found
