"""What a person asks for: the words of the command line and of a campaign file, checked."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lvmtui.models import MODELS, recipe_for
from lvmtui.supervisor.engines import kind as engine_kind
from lvmtui.system.errors import UserError, unknown

BUNDLED = "bundled"
MOST = 1_000_000_000
"""What no number a person gives can reach in earnest."""
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")


@dataclass(frozen=True)
class Options:
    """A campaign as it is asked for. None: the program chooses, and the plan says what."""

    baseline: str = BUNDLED
    """Vector file of the small arm, or `bundled`."""
    expanded: str = BUNDLED
    models: tuple[str, ...] = MODELS
    size: str = "full"
    recipe: str | None = None
    """None: `tuned` for the bundled vectors, else `reference`."""
    epochs: float | None = None
    batch_size: int | None = None
    rate: float | None = None
    seeds: tuple[int, ...] = (1,)
    split_seed: int = 0
    """Of the draw of the held-out windows."""
    device: str = "auto"
    jobs: int | None = None
    threads: int | None = None
    labels: tuple[str, ...] = ()
    arms: str = "both"
    """`both`, or `expanded` with `baseline_runs`."""
    baseline_runs: tuple[str, ...] = ()
    """Folders of finished runs that serve as the baseline."""
    cross_articles: bool = False
    """Windows may cross from one article into the next."""
    normalise: bool = False
    """Scale rows that are not of unit length."""
    stall_timeout: float | None = None
    """Seconds."""
    deterministic: bool = True
    engine: str = "local"
    """Who runs the runs; see `lvmtui/supervisor/engines/`."""
    engine_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What it is told: the keys of `[engine]` in a campaign file but `name`, or the options of that engine."""

    @property
    def bundled(self) -> bool:
        return BUNDLED in (self.baseline, self.expanded)

    @property
    def recipe_name(self) -> str:
        return self.recipe or ("tuned" if self.bundled else "reference")


def demo() -> Options:
    """The bundled vectors, small models: the whole program in minutes."""
    return Options(size="small", recipe="tuned")


def read_campaign_file(path: Path, start: Options) -> Options:
    """Options from a TOML file, over `start`. Paths in it are relative to it. Raises UserError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a campaign file (TOML)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if path.suffix in (".npz", ".npy"):
            raise UserError(
                f"{path}: vectors, not a campaign file; name two such files by --baseline and --expanded"
            ) from None
        raise UserError(f"{path}: not TOML ({error})") from None
    options = merge(start, {key.replace("-", "_"): value for key, value in document.items()}, str(path))

    def here(name: str) -> str:
        return name if name == BUNDLED else str(path.parent / Path(name).expanduser())

    return replace(
        options,
        baseline=here(options.baseline) if "baseline" in document else options.baseline,
        expanded=here(options.expanded) if "expanded" in document else options.expanded,
        baseline_runs=tuple(map(here, options.baseline_runs)),
    )


def merge(start: Options, given: Mapping[str, Any], where: str) -> Options:
    """`start` with the values given, their types checked. `where` is named in errors. Raises UserError."""
    hints = typing.get_type_hints(Options)
    known = [f.name for f in fields(Options) if f.name != "engine_settings"]
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key == "engine":
            changes |= _engine(f"{where}: [engine]", value, start)
            continue
        if key not in hints or key == "engine_settings":
            raise unknown(f"{where}: key", key, known)
        changes[key] = _value(f"{where}: {key.replace('_', '-')}", value, hints[key])
    return check(replace(start, **changes))


def _engine(where: str, value: Any, start: Options) -> dict[str, Any]:
    """An engine by its name alone, or a table of its name and what it is told."""
    table = dict(value) if isinstance(value, Mapping) else {"name": value}
    name = _value(f"{where}: name", table.pop("name", start.engine), str)
    settings = dict(start.engine_settings) if name == start.engine else {}
    for key, given in table.items():
        items = given if isinstance(given, (list, tuple)) else [given]
        if any(isinstance(item, (bool, Mapping, list)) for item in items):
            raise UserError(f"{where}: {key}: {given!r:.60} is neither text nor a number")
        settings[key.replace("-", "_")] = tuple(str(item) for item in items)
    return {"engine": name, "engine_settings": settings}


def check(options: Options) -> Options:
    """The options, if they make sense. Raises UserError naming the option."""
    kind = engine_kind(options.engine)
    known = [setting.name for setting in kind.settings]
    for key, told in options.engine_settings.items():
        if key not in known:
            raise unknown(f"[engine]: the {options.engine} engine's key", key, known or ["name"])
        if any("\n" in value or "\r" in value for value in told):
            raise UserError(f"[engine]: {key}: one line each, please")
    kind.check(options.engine_settings)
    for model in options.models:
        if model not in MODELS:
            raise unknown("--models", model, MODELS)
    if options.size not in ("small", "full"):
        raise unknown("--size", options.size, ("small", "full"))
    recipe_for(options.recipe_name, "amn")
    if options.device.partition(":")[0] not in DEVICES:  # cuda:1 is one too
        raise unknown("--device", options.device, DEVICES)
    if options.arms not in ("both", "expanded"):
        raise unknown("--arms", options.arms, ("both", "expanded"))
    for name, values in (("--models", options.models), ("--seeds", options.seeds)):
        if not values:
            raise UserError(f"{name}: nothing is named; name at least one")
        if len(set(values)) < len(values):
            raise UserError(f"{name}: {', '.join(map(str, values))} names one twice; name each once")
    positive = {
        "--epochs": options.epochs,
        "--batch-size": options.batch_size,
        "--rate": options.rate,
        "--jobs": options.jobs,
        "--threads": options.threads,
        "--stall-timeout": options.stall_timeout,
    }
    for name, number in positive.items():
        if number is not None and not 0 < number < MOST:
            raise UserError(f"{name}: {number:g} makes no sense; give a number above 0 and below {MOST:,}")
    if any(seed < 0 for seed in (*options.seeds, options.split_seed)):
        raise UserError("--seeds: a seed is a whole number from 0")
    if options.labels and (len(options.labels) != 2 or options.labels[0] == options.labels[1]):
        raise UserError("--labels: two different words are needed, as in --labels 80k 232k")
    for label in options.labels:
        if not label.replace("-", "").replace(".", "").isalnum() or len(label) > 16 or label[0] in ".-":
            raise UserError(f"--labels: '{label}' becomes part of file names; use up to 16 letters, digits, '-', '.'")
    if (options.arms == "expanded") != bool(options.baseline_runs):
        raise UserError("--arms expanded and --baseline-runs FOLDER... go together; give both or neither")
    if options.arms == "both" and (options.baseline == BUNDLED) != (options.expanded == BUNDLED):
        raise UserError("--baseline and --expanded: name both files, or neither for the bundled vectors")
    return options


def _value(where: str, value: Any, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    if typing.get_origin(hint) is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_value(where, item, typing.get_args(hint)[0]) for item in items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise UserError(f"{where}: {value!r:.60} is not {names[hint]}")
    return value
