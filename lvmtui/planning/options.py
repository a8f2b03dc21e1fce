"""The options of a campaign. Each is declared once, as a field of `Options`.

The command line (`lvmtui/cli/parser.py`), campaign files (TOML) and the form on the screen
(`lvmtui/ui/draw/new_form.py`) are all made from these declarations. A new option is one field here:

    folds: bool = option(False, "hold out other articles for each seed")

It is then `--folds` on the command line and `folds = true` in a campaign file. With a `hint` it also has a line of its
own in the form.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lvmtui.models import MODELS
from lvmtui.supervisor.engines import kind as engine_kind
from lvmtui.supervisor.engines import names as engine_names
from lvmtui.system.errors import UserError, unknown

BUNDLED = "bundled"
"""In place of a file name: the Wikipedia vectors that come with the program."""
AUTO = "auto"
"""In place of a recipe or a size: the program chooses by the data and says what it chose."""
LARGEST = 1_000_000_000
"""No number an option takes is as large as this."""
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
TYPE_NAMES: dict[type, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}

# -- declaring an option -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """Everything the command line, a campaign file and the form need to know about one option."""

    name: str
    """The field of `Options`."""
    type: type
    """int, float, str or bool; of each value where there are several."""
    default: Any
    help: str
    metavar: str | tuple[str, ...] = ""
    """The placeholder in `--help`; of each value where `count` is given."""
    several: bool = False
    """It takes a list of values."""
    count: int | None = None
    """How many values the list must have; None: one or more."""
    choices: tuple[str, ...] = ()
    least: float = 0
    above: float | None = None
    """Bounds of a number: the smallest that is allowed, or one that it must exceed."""
    most: float = LARGEST
    is_path: bool = False
    """A relative path in a campaign file is relative to that file."""
    hint: str = ""
    """What the form shows in the empty field. Options without a hint have no line in the form."""
    problem: Callable[[Any], str | None] = lambda value: None
    """What is wrong with a value of the right type, and what to do; None if nothing is."""

    @property
    def key(self) -> str:
        """The name as people type it: `batch-size`."""
        return self.name.replace("_", "-")


def option(default: Any, help: str, **more: Any) -> Any:
    """A field of `Options` that people can set; `more` are fields of `Option`. Type and name come from the field."""
    return field(default=default, metadata={"help": help, **more})


def _device_problem(device: str) -> str | None:
    if device.partition(":")[0] in DEVICES:  # cuda:1 is one too
        return None
    return str(unknown("", device, DEVICES)).strip()


def _labels_problem(labels: tuple[str, ...]) -> str | None:
    for label in labels:
        if not label.replace("-", "").replace(".", "").isalnum() or len(label) > 16 or label[0] in ".-":
            return f"'{label}' becomes part of file names; use up to 16 letters, digits, '-', '.'"
    return None


# -- the options -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """A campaign as it is asked for. None: the program chooses, and the plan says what."""

    baseline: str = option(
        BUNDLED,
        "vectors of the small arm (.npz, .npy)",
        metavar="FILE",
        is_path=True,
        hint="bundled vectors, first 41 articles; or a path, ctrl+o picks",
    )
    expanded: str = option(
        BUNDLED,
        "vectors of the large arm",
        metavar="FILE",
        is_path=True,
        hint="bundled vectors, all 890 articles; or a path, ctrl+o picks",
    )
    models: tuple[str, ...] = option(
        MODELS, "which models to train; default: all", metavar="MODEL", choices=MODELS, hint="all"
    )
    recipe: str = option(
        AUTO,
        "how to train: as the original experiment did (reference), or for the best cosine in less time (tuned); "
        "default: chosen by the data",
        choices=(AUTO, "tuned", "reference"),
        hint="chosen by the data",
    )
    size: str = option(
        AUTO,
        "size of the models; default: chosen by the data",
        choices=(AUTO, "small", "full"),
        hint="chosen by the data",
    )
    epochs: float | None = option(
        None,
        "passes over the training windows (with tuned: those of the larger arm); default: the recipe's",
        metavar="N",
        above=0,
        hint="as the recipe says",
    )
    batch_size: int | None = option(None, "windows per update; default: the recipe's", metavar="N", above=0)
    rate: float | None = option(None, "peak learning rate of AdamW; default: the recipe's", metavar="LR", above=0)
    seeds: tuple[int, ...] = option(
        (1,),
        "a list of seeds, such as 1 2 3, not a count; every model trains on both arms once for each seed",
        metavar="SEED",
        hint="1",
    )
    split_seed: int = option(0, "seed for drawing the held-out windows", metavar="SEED")
    device: str = option(
        AUTO, "default: auto, a GPU if there is one", metavar="auto|cpu|cuda|mps", problem=_device_problem
    )
    jobs: int | None = option(
        None, "how many runs to train side by side", metavar="N", above=0, hint="as many as this machine can take"
    )
    threads: int | None = option(None, "CPU threads for each run", metavar="N", above=0)
    labels: tuple[str, ...] = option(
        (),
        "names of the arms; default: 80k for 80,634 vectors",
        metavar=("SMALL", "LARGE"),
        count=2,
        problem=_labels_problem,
    )
    arms: str = option(
        "both", "expanded: train only this arm and compare it with --baseline-runs", choices=("both", "expanded")
    )
    baseline_runs: tuple[str, ...] = option(
        (), "folders of finished runs to use as the baseline", metavar="FOLDER", is_path=True
    )
    cross_articles: bool = option(False, "allow windows that cross from one article into the next")
    normalise: bool = option(False, "scale vectors that are not of unit length")
    stall_timeout: float | None = option(
        None, "restart a run that makes no step for this many seconds", metavar="SECONDS", above=0
    )
    deterministic: bool = option(True, "use deterministic operations, so that a resumed run ends with the same weights")
    engine: str = option("local", "where the runs are trained; default: local, this machine")
    engine_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of the engine: the other keys of `[engine]` in a campaign file. Declared by each engine."""

    @property
    def bundled(self) -> bool:
        return BUNDLED in (self.baseline, self.expanded)


def _options() -> dict[str, Option]:
    """The declarations above as a table, by field name."""
    hints = typing.get_type_hints(Options)
    table = {}
    for declared in dataclasses.fields(Options):
        if "help" not in declared.metadata:
            continue
        hint, several = hints[declared.name], False
        if isinstance(hint, types.UnionType):  # `int | None`
            hint = next(part for part in typing.get_args(hint) if part is not type(None))
        if typing.get_origin(hint) is tuple:
            hint, several = typing.get_args(hint)[0], True
        table[declared.name] = Option(
            name=declared.name, type=hint, default=declared.default, several=several, **declared.metadata
        )
    return table


OPTIONS = _options()
KEYS = tuple(one.key for one in OPTIONS.values())


def demo() -> Options:
    """The bundled vectors and small models: shows the whole program in minutes."""
    return Options(size="small", recipe="tuned")


# -- reading options ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """Values from one place: the command line, or a campaign file."""

    values: Mapping[str, Any]
    """By field name. `engine` is a name, or a table with a name and the engine's settings."""
    file: Path | None = None
    """The campaign file; None: the command line."""

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
        if path.suffix in (".npz", ".npy"):
            raise UserError(
                f"{path}: vectors, not a campaign file; name two such files with --baseline and --expanded"
            ) from None
        raise UserError(f"{path}: not TOML ({error})") from None
    values = {}
    for key, value in document.items():
        declared = OPTIONS.get(key.replace("-", "_"))
        if declared is None:
            raise unknown(f"{path}: key", key, KEYS)
        values[declared.name] = _beside(path, value) if declared.is_path else value
    return Given(values, path)


def _beside(file: Path, value: Any) -> Any:
    """Paths as seen from the folder of the campaign file; what is not text is refused later."""
    if isinstance(value, list):
        return [_beside(file, item) for item in value]
    return value if value == BUNDLED or not isinstance(value, str) else str(file.parent / Path(value).expanduser())


def combine(start: Options, *places: Given) -> Options:
    """`start` with the values given; later places win. Raises UserError, which names the place of the mistake."""
    changes: dict[str, Any] = {}
    named: dict[str, str] = {}
    for place in places:
        for name, value in place.values.items():
            if name not in OPTIONS:
                raise unknown(f"{place.file}: key" if place.file else "option", name, KEYS)
            named[name] = place.called(name)
            if name == "engine":
                changes |= _engine(place, value, replace(start, **changes))
            else:
                changes[name] = read_value(OPTIONS[name], value, named[name])
    options = replace(start, **changes)
    _check_together(options, lambda name: named.get(name, f"--{name.replace('_', '-')}"))
    return options


def read_value(declared: Option, value: Any, where: str) -> Any:
    """A value as its option's type. Numbers may be text; lists may be text with commas. `where` names the option in
    errors. Raises UserError."""
    if not declared.several:
        return _checked(declared, _one(declared, value, where), where)
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if not declared.is_path:  # a path may contain a comma
        items = [part for item in items for part in _split(item)]
    values = tuple(_one(declared, item, where) for item in items)
    if not values and declared.default:
        raise UserError(f"{where}: the list is empty; name at least one")
    if values and declared.count not in (None, len(values)):
        raise UserError(f"{where}: takes {declared.count} values, not {len(values)}")
    if len(set(values)) < len(values):
        raise UserError(f"{where}: {', '.join(map(str, values))} contains one twice; name each once")
    return _checked(declared, values, where)


def _split(item: Any) -> list[Any]:
    """The parts of `amn,gru`; what is not text is left for the type check."""
    return [part.strip() for part in item.split(",") if part.strip()] if isinstance(item, str) else [item]


def _one(declared: Option, value: Any, where: str) -> Any:
    """One value of the right type, among the choices and within the bounds."""
    if isinstance(value, str) and declared.type in (int, float):
        with suppress(ValueError):
            value = declared.type(value)
    if declared.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, declared.type) or (declared.type is int and isinstance(value, bool)):
        raise UserError(f"{where}: {value!r:.60} is not {TYPE_NAMES[declared.type]}")
    if declared.choices and value not in declared.choices:
        raise unknown(where, str(value), declared.choices)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        large_enough = value > declared.above if declared.above is not None else value >= declared.least
        if not (large_enough and value <= declared.most):  # also true of a NaN
            raise UserError(f"{where}: {value:g} is out of range; give {TYPE_NAMES[declared.type]} {_bounds(declared)}")
    return value


def _bounds(declared: Option) -> str:
    start = f"from {declared.least:,.15g}" if declared.above is None else f"above {declared.above:,.15g}"
    return f"{start} to {declared.most:,.15g}"


def _checked(declared: Option, value: Any, where: str) -> Any:
    if problem := declared.problem(value):
        raise UserError(f"{where}: {problem}")
    return value


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


def _check_together(options: Options, called: Callable[[str], str]) -> None:
    """What options mean for each other. `called` tells how to name an option. Raises UserError."""
    if (options.arms == "expanded") != bool(options.baseline_runs):
        there, missing = ("arms", "baseline-runs") if options.arms == "expanded" else ("baseline_runs", "arms expanded")
        raise UserError(f"{called(there)}: --{missing} is needed with it; give both or neither")
    if options.arms == "both" and (options.baseline == BUNDLED) != (options.expanded == BUNDLED):
        there, missing = ("expanded", "baseline") if options.baseline == BUNDLED else ("baseline", "expanded")
        raise UserError(f"{called(there)}: --{missing} is missing; name both files, or neither for the bundled vectors")
