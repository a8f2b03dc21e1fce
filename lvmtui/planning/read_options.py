"""Reads the values of options from the command line and from campaign files, and checks them.

Errors name the place of the mistake: `--jobs`, or `campaign.toml: jobs`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lvmtui.formats.spec import BUNDLED, VECTOR_FILES
from lvmtui.planning.options import KEYS, OPTIONS, Option, Options
from lvmtui.planning.own_tables import TABLES, Own, read_own, with_sources
from lvmtui.supervisor.engine import kind as engine_kind
from lvmtui.supervisor.engine import names as engine_names
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.text import sanitise

TYPE_NAMES: dict[type, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Given:
    """Values from one place: the command line, or a campaign file."""

    values: Mapping[str, Any]
    """By field name. `engine` is a name, or a table with a name and the engine's settings."""
    file: Path | None = None
    """The campaign file; None: the command line."""
    own: Own = field(default_factory=Own)
    """The tables in it."""

    def called(self, name: str) -> str:
        """How to name an option in a message, so that people find where they set it."""
        key = name.replace("_", "-")
        return f"--{key}" if self.file is None else f"{self.file}: {key}"


def read_campaign_file(path: Path) -> Given:
    """The values in a TOML file. Paths in it are relative to it. Raises UserError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors add a byte-order mark
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a campaign file (TOML)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if path.suffix in VECTOR_FILES:
            raise UserError(
                f"{path}: vectors, not a campaign file; name two such files with --baseline and --expanded"
            ) from None
        raise UserError(f"{path}: not TOML ({error})") from None
    values = {}
    own = read_own(document, path)
    if isinstance(document.get("models"), Mapping):
        values["models"] = list(document["models"])
    for key, value in document.items():
        if key in TABLES and isinstance(value, Mapping):
            continue
        declared = OPTIONS.get(key.replace("-", "_"))
        if declared is None:
            raise unknown(f"{path}: key", key, KEYS)
        values[declared.name] = _beside(path, value) if declared.is_path else value
    if isinstance(values.get("models"), list):
        values["models"] = [_beside(path, name) if ".py:" in str(name) else name for name in values["models"]]
    if values.get("models") == [] and own.trainers:
        raise UserError(f"{path}: models: the list is empty; name trainers ({', '.join(own.trainers)}) or models in it")
    return Given(values, path, own)


def _beside(file: Path, value: Any) -> Any:
    """Paths as seen from the folder of the campaign file; what is not text is refused later."""
    if isinstance(value, list):
        return [_beside(file, item) for item in value]
    return value if value == BUNDLED or not isinstance(value, str) else str(file.parent / Path(value).expanduser())


def combine(start: Options, *places: Given) -> Options:
    """`start` with the values given; later places win. Raises UserError, which names the place of the mistake."""
    changes: dict[str, Any] = {}
    named: dict[str, str] = {}
    own = next((place.own for place in reversed(places) if place.own != Own()), start.own)
    for i, place in enumerate(places):
        for name, value in place.values.items():
            if name not in OPTIONS:
                raise unknown(f"{place.file}: key" if place.file else "option", name, KEYS)
            named[name] = place.called(name)
            if name == "engine":
                changes |= _engine(place, _without(value, places[i + 1 :]), replace(start, **changes))
            else:
                changes[name] = read_value(OPTIONS[name], value, named[name])
    options = _with_own(replace(start, **changes), own, named)
    _check_together(options, lambda name: named.get(name, f"--{name.replace('_', '-')}"))
    return options


def _with_own(options: Options, own: Own, named: Mapping[str, str]) -> Options:
    """The options with the user's own models and trainers among the models. Raises UserError."""
    own, models = with_sources(own, options.models, named.get("models", "--models"))
    if not set(models) & own.trainers.keys():  # trainers stand beside the models unless these say which
        models = (*models, *own.trainers)
    recipes = (*OPTIONS["recipe"].choices, *own.recipes)
    asked = [(m.recipe, f"{m.where}: recipe") for m in own.models.values()]
    for name, of in [(options.recipe, named.get("recipe", "--recipe")), *asked]:
        if name and name not in recipes:
            raise unknown(of, name, recipes)
    return replace(options, models=models, own=own)


@contextmanager
def naming_the_file(file: Given, command_line: Given) -> Iterator[None]:
    """What planning finds wrong with an option is told where it was set: `--folds` becomes `campaign.toml: folds`.

    Only what comes before the remedy, which follows the first semicolon, is changed.
    """
    try:
        yield
    except UserError as error:
        from_file = file.values.keys() - command_line.values.keys()
        problem, semicolon, remedy = str(error).partition(";")

        def renamed(found: re.Match[str]) -> str:
            key = found[1]
            if key == "sizes" and found.start() == 0 and not {*file.values, *command_line.values} & {"sizes", "data"}:
                return "--add-sizes"  # its sizes are those of the campaign that is extended
            if key.replace("-", "_") not in from_file:
                return found[0]
            return file.called(key) if found.start() == 0 else key

        raise UserError(re.sub(r"--([a-z]+(?:-[a-z]+)*)", renamed, problem) + semicolon + remedy) from None


def read_value(declared: Option, value: Any, where: str) -> Any:
    """A value as its option's type. Numbers may be text; lists too, with commas. `where`: the option, of UserError."""
    if not declared.several:
        return _checked(declared, _one(declared, value, where), where)
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    others = (".toml", *VECTOR_FILES) if declared.of_files else ".toml"
    if swallowed := next((item for item in items if isinstance(item, str) and item.endswith(others)), None):
        what = "a campaign file" if swallowed.endswith(".toml") else "the files"
        raise UserError(f"{where}: {sanitise(swallowed, 60)} is taken for one of its values; name {what} first")
    if not (declared.is_path or declared.commas or declared.of_files):  # a path may contain a comma
        items = [part for item in items for part in _split(item)]
    values = tuple(_one(declared, item, where) for item in items)
    if not values and declared.default:
        raise UserError(f"{where}: the list is empty; name at least one")
    if values and declared.count not in (None, len(values)):
        raise UserError(f"{where}: takes {declared.count} values, not {len(values)}")
    if len(set(values)) < len(values) and not declared.of_files:
        raise UserError(f"{where}: {sanitise(', '.join(map(str, values)), 60)} contains one twice; name each once")
    return _checked(declared, values, where)


def _split(item: Any) -> list[Any]:
    """The parts of `amn,gru`; what is not text is left for the type check."""
    return [part.strip() for part in item.split(",") if part.strip()] if isinstance(item, str) else [item]


def _one(declared: Option, value: Any, where: str) -> Any:
    """One value of the right type, among the choices and within the bounds."""
    if isinstance(value, str) and declared.type in (int, float):
        with suppress(ValueError):
            value = declared.type(value)
    if declared.several and declared.type is str and type(value) is int and not declared.choices:
        value = str(value)  # `sizes = 5` in a file
    if declared.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, declared.type) or (declared.type is int and isinstance(value, bool)):
        raise UserError(f"{where}: {value!r:.60} is not {TYPE_NAMES[declared.type]}")
    if declared.choices and value not in declared.choices and not declared.more_choices:
        raise unknown(where, str(value), declared.choices)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        large_enough = value > declared.above if declared.above is not None else value >= declared.least
        if not (large_enough and value <= declared.most):  # also true of a NaN
            least = f"from {declared.least:,.15g}" if declared.above is None else f"above {declared.above:,.15g}"
            bounds = f"{TYPE_NAMES[declared.type]} {least} to {declared.most:,.15g}"
            raise UserError(f"{where}: {value:g} is out of range; give {bounds}")
    return value


def _checked(declared: Option, value: Any, where: str) -> Any:
    if problem := declared.problem(value):
        raise UserError(f"{where}: {sanitise(problem)}")
    return value


def _without(table: Any, later: Sequence[Given]) -> Any:
    """A table of an engine without the settings that a later place gives: nothing is wrong with what does not count."""
    tables = [place.values.get("engine") for place in later]
    given = {key for one in tables if isinstance(one, Mapping) for key in one if key != "name"}
    return {key: value for key, value in table.items() if key not in given} if isinstance(table, Mapping) else table


def _engine(place: Given, value: Any, so_far: Options) -> dict[str, Any]:
    """An engine by its name alone, or a table with its name and its settings. Settings of the same engine are kept."""
    table = dict(value) if isinstance(value, Mapping) else {"name": value}
    where = f"{place.file}: [engine]" if place.file else "--engine"
    name = table.pop("name", so_far.engine)
    if not isinstance(name, str):
        raise UserError(f"{where}: {name!r:.60} is not the name of an engine")
    try:
        kind = engine_kind(name)
    except UserError as error:
        raise UserError(f"{place.file}: {error}" if place.file else str(error)) from None
    known = [setting.name for setting in kind.settings]
    settings = dict(so_far.engine_settings) if name == so_far.engine else {}
    for key, given in table.items():
        key, items = key.replace("_", "-"), given if isinstance(given, (list, tuple)) else [given]
        if key not in known:
            others = () if place.file else (other for other in engine_names() if other != name)
            for other in others:
                if key in (setting.name for setting in engine_kind(other).settings):
                    raise UserError(f"--{key}: an option of the {other} engine; add --engine {other}")
            raise unknown(f"{where}: the {name} engine's key", key, known or ["name"])
        if any(isinstance(item, (bool, Mapping, list)) for item in items):
            raise UserError(f"{where}: {key}: {given!r:.60} is neither text nor a number")
        settings[key] = tuple(str(item) for item in items)
        if any("\n" in item or "\r" in item for item in settings[key]):
            raise UserError(f"{where}: {key}: must be one line")
    try:
        kind.check(settings)
    except UserError as error:  # names the option as on the command line
        raise UserError(f"{where}: {str(error).removeprefix('--')}" if place.file else str(error)) from None
    return {"engine": name, "engine_settings": settings}


def _check_data(options: Options, called: Callable[[str], str]) -> None:
    """`--data` with the options beside it. Raises UserError."""
    if not (options.baseline == options.expanded == BUNDLED and options.arms == "both"):
        raise UserError(f"{called('data')}: names all files; leave --baseline, --expanded and --arms out")
    if len(options.data) == 1 and not options.sizes:
        raise UserError(f"{called('data')}: one file needs --sizes, as --sizes 5 or --sizes 10k 20k 40k all")
    if len(options.data) == 2:
        cure = "compare them with --baseline and --expanded, or name the larger alone with --sizes"
        raise UserError(f"{called('data')}: two files have no learning curve; {cure}")
    if len(options.data) > 1 and options.sizes:
        raise UserError(f"{called('sizes')}: sizes are taken from one file, and --data names {len(options.data)}")
    if options.labels:
        raise UserError(f"{called('labels')}: sizes are named by their numbers of vectors; leave it out")


def _check_together(options: Options, called: Callable[[str], str]) -> None:
    """What options mean for each other. `called` tells how to name an option. Raises UserError."""
    if (options.arms == "expanded") != bool(options.baseline_runs):
        there, missing = ("arms", "baseline-runs") if options.arms == "expanded" else ("baseline_runs", "arms expanded")
        raise UserError(f"{called(there)}: --{missing} is needed with it; give both or neither")
    if options.data:
        _check_data(options, called)
    elif options.sizes and BUNDLED not in (options.baseline, options.expanded):
        raise UserError(f"{called('sizes')}: name the one file they are taken from with --data")
    if options.sizes and options.baseline_runs:
        raise UserError(f"{called('sizes')}: finished runs serve as one baseline; leave --baseline-runs out")
    if options.arms == "both" and (options.baseline == BUNDLED) != (options.expanded == BUNDLED):
        there, missing = ("expanded", "baseline") if options.baseline == BUNDLED else ("baseline", "expanded")
        raise UserError(f"{called(there)}: --{missing} is missing; name both files, or neither for the bundled vectors")
