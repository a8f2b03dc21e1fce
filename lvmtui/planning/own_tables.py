"""A user's own models, recipes and trainers, as campaign files and the command line name them (`docs/your-own.md`).

Here they are read and checked without being run; `own_code.py` copies and tries them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lvmtui.formats.json_codec import DecodeError, decode, encode
from lvmtui.formats.patterns import pattern_fault
from lvmtui.formats.spec import Recipe
from lvmtui.formats.user_code import OptionValue, OwnTrainer, command_words
from lvmtui.models import MODELS, RECIPES, recipe_for, title_of
from lvmtui.system.errors import UserError, unknown
from lvmtui.verdict.words import TRIVIAL_TITLES

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}")
"""Names become parts of file names and of commands."""
PLACES = ("data", "run", "checkpoint", "seed", "steps", "epochs", "dim", "context", "arm", "label", "threads", "python")
"""What may stand in braces in a trainer's command."""
TABLES = ("models", "recipes", "trainers")
_KEYS = {
    "models": ("file", "options", "title", "rate", "recipe"),
    "recipes": ("based_on", "loss", *(f.name for f in fields(Recipe) if f.name not in ("name", "loss", "own_loss"))),
    "trainers": ("command", "pattern", "title", "steps", "epochs", "checkpoints", "folder"),
}


@dataclass(frozen=True)
class ModelTable:
    """A model as it is asked for: one of ours, with other settings, or one in a file."""

    name: str
    source: str = ""
    """`mixer.py:Mixer` or `package.module:name`; empty: one of ours."""
    base: Path = Path()
    """Folder that paths are relative to."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    title: str = ""
    rate: float | None = None
    recipe: str = ""
    where: str = "--models"
    """How to name it in a message."""


@dataclass(frozen=True)
class RecipeTable:
    """A recipe as it is asked for."""

    name: str
    based_on: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Recipe`."""
    loss: str = ""
    """`my.py:loss`; empty: that of the recipe."""
    base: Path = Path()
    where: str = ""

    def made(self, model: str) -> Recipe:
        """The recipe for a model, without the loss of one's own. Raises UserError."""
        recipe, epochs = replace(recipe_for(self.based_on, model), name=self.name), self.changes.get("epochs")
        if isinstance(epochs, int | float) and 0 < epochs < 1e9:  # another is refused below, or by its bounds
            recipe = replace(recipe, schedule=self.changes.get("schedule", recipe.schedule)).of_epochs(epochs)
        try:
            return decode(Recipe, {**encode(recipe), **self.changes})
        except DecodeError as error:
            raise UserError(f"{self.where}: {error}") from None


@dataclass(frozen=True)
class TrainerTable:
    """A trainer of one's own as it is asked for."""

    program: OwnTrainer
    """The digests of its files are taken when the campaign is planned."""
    steps: int | None = None
    """Or epochs, if that is its unit."""
    where: str = ""

    @property
    def title(self) -> str:
        return self.program.title


@dataclass(frozen=True)
class Own:
    """Everything of the user's own in a campaign, by name."""

    models: Mapping[str, ModelTable] = field(default_factory=dict)
    recipes: Mapping[str, RecipeTable] = field(default_factory=dict)
    trainers: Mapping[str, TrainerTable] = field(default_factory=dict)

    def recipe(self, name: str, model: str) -> Recipe:
        """A recipe of ours or of the user's, for a model. Raises UserError."""
        return self.recipes[name].made(model) if name in self.recipes else recipe_for(name, model)


def read_own(document: Mapping[str, Any], file: Path) -> Own:
    """The tables of a campaign file. Raises UserError."""
    tables = {key: document.get(key, {}) for key in TABLES}
    if isinstance(tables["models"], (list, str)):
        tables["models"] = {}
    for key, found in tables.items():
        if not isinstance(found, Mapping) or not all(isinstance(table, Mapping) for table in found.values()):
            raise UserError(f"{file}: {key}: must be tables, as in [{key}.mine]")
        for name, table in found.items():
            where = f"{file}: [{key}.{name}]"
            _check_name(name, where)
            for given in table:
                if given not in _KEYS[key]:
                    raise unknown(f"{where}: key", given, _KEYS[key])
    base = file.parent
    own = Own(
        {name: _model(name, table, base, f"{file}: [models.{name}]") for name, table in tables["models"].items()},
        {name: _recipe(name, table, base, f"{file}: [recipes.{name}]") for name, table in tables["recipes"].items()},
        {name: _trainer(name, table, base, f"{file}: [trainers.{name}]") for name, table in tables["trainers"].items()},
    )
    _check_names(own)
    return own


def _check_names(own: Own) -> None:
    """Raises UserError for a name or title that means something else already."""
    for name, trainer in own.trainers.items():
        if name in MODELS or name in own.models:
            raise UserError(f"{trainer.where}: '{name}' is the name of a model; give the trainer another")
    meant = {title.lower(): name for name in MODELS for title in (name, title_of(name))}
    titled: dict[str, ModelTable | TrainerTable] = {**own.models, **own.trainers}
    for name, mine in titled.items():
        if mine.title.lower() in TRIVIAL_TITLES.values():
            raise UserError(f"{mine.where}: '{mine.title}' is a trivial baseline's name; give it another, or a title")
        for title in {name, mine.title.lower()}:  # orders take either
            if meant.setdefault(title, name) != name:
                raise UserError(f"{mine.where}: title: '{mine.title}' also means {meant[title]}; give it another")


def with_sources(own: Own, names: Iterable[str], where: str) -> tuple[Own, tuple[str, ...]]:
    """`mixer.py:Mixer` among the names of models becomes an entry of its own. Returns the entries and all names.

    Raises UserError for a name that is neither one of ours, nor in a table, nor a file.
    """
    models, found = dict(own.models), []
    for name in names:
        if name in MODELS or name in models or name in own.trainers:
            found.append(name)
            continue
        if ":" not in name:
            if name.endswith(".py"):
                raise UserError(f"{where}: {name}: name the class or function in it, as in {name}:Mixer")
            raise unknown(where, name, [*MODELS, *models, *own.trainers])
        short = re.sub("[^a-z0-9_-]", "", name.rpartition(":")[2].lower())
        if short in MODELS or short in models or short in own.trainers:
            raise UserError(f"{where}: {name} would be called '{short}', as another model; name it in [models.NAME]")
        _check_name(short, f"{where}: {name}")
        models[short] = _model(short, {"file": name, "title": name.rpartition(":")[2]}, Path(), where)
        found.append(short)
    return replace(own, models=models), tuple(found)


def _check_name(name: str, where: str) -> None:
    if name == "all":
        raise UserError(f"{where}: 'all' means all runs in commands; give it another name")
    if not NAME.fullmatch(name):
        raise UserError(
            f"{where}: '{name}' becomes part of file names; use up to 24 lower-case letters, digits, '-', '_'"
        )


def _model(name: str, table: Mapping[str, Any], base: Path, where: str) -> ModelTable:
    source, options = table.get("file", ""), table.get("options", {})
    if not source and name not in MODELS:
        raise UserError(f'{where}: the file is missing; add file = "mixer.py:Mixer"')
    if source and name in MODELS:
        raise UserError(f"{where}: '{name}' is one of the built-in models; give yours another name")
    if not isinstance(source, str) or (source and not re.fullmatch(r"[^:]+:[A-Za-z_]\w*", source)):
        raise UserError(f"{where}: file: {source!r:.60} is not like mixer.py:Mixer or package.module:Mixer")
    if not isinstance(options, Mapping) or not all(isinstance(v, (bool, int, float, str)) for v in options.values()):
        raise UserError(f"{where}: options: must be a table of numbers, text, true and false")
    if (options or "title" in table) and not source:
        raise UserError(f"{where}: the built-in models take no options and no title; 'size' chooses between two")
    rate = table.get("rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < 1e9):
        raise UserError(f"{where}: rate: {rate!r:.60} is not a number above 0")
    return ModelTable(
        name, source, base, dict(options), _text(table, "title", where) or name, None if rate is None else float(rate),
        _text(table, "recipe", where), where,
    )  # fmt: skip


def _recipe(name: str, table: Mapping[str, Any], base: Path, where: str) -> RecipeTable:
    based_on, loss = table.get("based_on", "tuned"), _text(table, "loss", where)
    if based_on not in RECIPES:
        raise unknown(f"{where}: based_on", str(based_on), RECIPES)
    if name in RECIPES:
        raise UserError(f"{where}: '{name}' is one of the built-in recipes; give yours another name")
    changes = {key: value for key, value in table.items() if key not in ("based_on", "loss")}
    if loss in ("mse", "cosine"):
        changes["loss"], loss = loss, ""
    elif loss and ":" not in loss:
        raise UserError(f"{where}: loss: '{loss}' is not mse, cosine, or a function in a file, as in my.py:loss")
    if (schedule := changes.get("schedule", "cosine")) not in ("plateau", "cosine"):
        raise unknown(f"{where}: schedule", str(schedule), ("plateau", "cosine"))
    made = RecipeTable(name, based_on, changes, loss, base, where)
    recipe = made.made("")
    for key in ("epochs", "batch_size", "rate", "evaluations", "clip"):
        if not 0 < getattr(recipe, key) < 1e9:
            raise UserError(f"{where}: {key}: {getattr(recipe, key):g} is out of range; give a number above 0")
    return made


def _trainer(name: str, table: Mapping[str, Any], base: Path, where: str) -> TrainerTable:
    command, pattern = _text(table, "command", where), table.get("pattern", [])
    if not command:
        raise UserError(f'{where}: the command is missing; add command = "{{python}} train.py --data {{data}}"')
    command_words(command, dict.fromkeys(PLACES, ""), where)
    patterns = (pattern,) if isinstance(pattern, str) else tuple(pattern) if isinstance(pattern, list) else (None,)
    for one in patterns:
        if fault := pattern_fault(one) if isinstance(one, str) else "not text":
            raise UserError(f"{where}: pattern: {fault}")
    for key in ("steps", "epochs"):
        value = table.get(key, 1)
        if type(value) is not int or not 0 < value < 1e9:
            raise UserError(f"{where}: {key}: {value!r:.60} is not a whole number above 0")
    if "steps" in table and "epochs" in table:
        raise UserError(f"{where}: give steps or epochs, whichever it tells of, not both")
    if type(table.get("checkpoints", False)) is not bool:
        raise UserError(f"{where}: checkpoints: is not true or false")
    folder = (base / _text(table, "folder", where)).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"{where}: folder: {folder}: no such folder")
    counters = {group for one in patterns for group in re.compile(one).groupindex} & {"step", "epoch"}
    told_steps, told_epochs = "steps" in table or "{steps}" in command, "{epochs}" in command
    epochs_only = counters == {"epoch"} and told_epochs and not told_steps
    guessed = bool(patterns) and not (told_steps or told_epochs or "epochs" in table)
    program = OwnTrainer(
        _text(table, "title", where) or name, command, str(folder), patterns,
        "epoch" if "epochs" in table or epochs_only else "step", table.get("checkpoints", False), guessed=guessed,
    )  # fmt: skip
    return TrainerTable(program, table.get("epochs", table.get("steps")), where)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or "\n" in value:
        raise UserError(f"{where}: {key}: {value!r:.60} is not a line of text")
    return value
