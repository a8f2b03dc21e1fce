"""The options of a campaign. Each is declared once, as a field of `Options`.

The command line (`lvmtui/cli/parser.py`), campaign files (TOML) and the form on the screen (those with a `hint`;
`lvmtui/ui/draw/new_form.py`) are all made from these declarations. `read_options.py` reads and checks the values.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lvmtui.formats.learning_curve import LEAST_SIZES
from lvmtui.formats.results import POPULATIONS
from lvmtui.formats.spec import BUNDLED, LONGEST_CONTEXT, Reading
from lvmtui.models import MODELS, RECIPES
from lvmtui.planning.own_tables import Own
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.numbers import plural

AUTO = "auto"
"""In place of a recipe or a size: the program chooses by the data and says what it chose."""
LARGEST = 1_000_000_000
"""No number an option takes is as large as this."""
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")

DATA, TRAINING, JUDGING, RUNNING = GROUPS = ("data", "models and training", "the verdict", "while it runs")
"""`--help-all` shows the options in these groups."""

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
    group: str = RUNNING
    """One of `GROUPS`."""
    metavar: str | tuple[str, ...] = ""
    """The placeholder in `--help`; of each value where `count` is given."""
    several: bool = False
    """True if it takes a list of values."""
    count: int | None = None
    """How many values the list must have; None: one or more."""
    choices: tuple[str, ...] = ()
    more_choices: bool = False
    """Names that a campaign file declares, or files, are choices too; they are checked when all values are known."""
    least: float = 0
    above: float | None = None
    """Bounds of a number: the smallest that is allowed, or one that it must exceed."""
    most: float = LARGEST
    is_path: bool = False
    """A relative path in a campaign file is relative to that file."""
    commas: bool = False
    """Its values may contain commas, which otherwise separate values."""
    of_files: bool = False
    """Its values are names in files, one for each: with commas, and some of them may be the same."""
    hint: str = ""
    """What the form shows in the empty field. Options without a hint have no line in the form."""
    own_hint: str = ""
    """The same, of a second line for values of the user's own beside the `choices`."""
    problem: Callable[[Any], str | None] = lambda value: None
    """What is wrong with a value of the right type, and what to do; None if nothing is."""

    @property
    def key(self) -> str:
        """The name as people type it: `batch-size`."""
        return self.name.replace("_", "-")


def option(group: str, default: Any, help: str, **more: Any) -> Any:
    """A field of `Options` that people can set; `more` are fields of `Option`. Type and name come from the field."""
    return field(default=default, metadata={"group": group, "help": help, **more})


def _device_problem(device: str) -> str | None:
    known = device.partition(":")[0] in DEVICES  # cuda:1 is one too
    return None if known else str(unknown("", device, DEVICES)).strip()


def _command_problem(commands: tuple[str, ...]) -> str | None:
    empty = any(not command.strip() or "\0" in command for command in commands)
    return "an empty command; give what a shell can run, such as 'mail -s lvmtui me@example.org'" if empty else None


def _labels_problem(labels: tuple[str, ...]) -> str | None:
    for label in labels:
        if not label.replace("-", "").replace(".", "").isalnum() or len(label) > 16 or label[0] in ".-":
            return f"'{label}' becomes part of file names; use up to 16 letters, digits, '-', '.'"
    return None


MOST_SIZES = 12
"""A single number up to this one is a count of sizes, a larger one is a size."""
UNITS = {"k": 1_000, "m": 1_000_000}


def count_of_sizes(sizes: Sequence[str]) -> int | None:
    """`5`: how many sizes are to be chosen; None where they are listed."""
    return int(sizes[0]) if len(sizes) == 1 and sizes[0].isdecimal() and int(sizes[0]) <= MOST_SIZES else None


def vectors_of(size: str) -> int | None:
    """`10k`, `2.5k`, `1m`, `8000`, or None for `all`. Raises ValueError for what is no size."""
    word = size.lower()
    if word == "all":
        return None
    unit = UNITS.get(word[-1:], 1)
    number = float(word[:-1] if unit > 1 else word) * unit
    if not 1 <= number <= LARGEST:
        raise ValueError(f"{size} is no number of vectors")
    return round(number)


def size_problem(size: str) -> str | None:
    """Why a word is no size, and what to write."""
    try:
        vectors_of(size)
    except (ValueError, OverflowError):
        return f"'{size}' is no size; write numbers of vectors, as 10k 20k all"
    return None


def _sizes_problem(sizes: tuple[str, ...]) -> str | None:
    if not sizes:
        return None
    if problem := next(filter(None, map(size_problem, sizes)), None):
        return f"{problem}, or how many sizes, as 5"
    if (count := count_of_sizes(sizes) or len(sizes)) < LEAST_SIZES:
        named = f"{count} sizes" if count > 1 else "one size"
        other = "two data sets are compared with --baseline and --expanded"
        return f"{named}: a learning curve needs {LEAST_SIZES} or more; {other}"
    return None


# -- the options -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """A campaign as it is asked for. None: the program chooses, and the plan says what."""

    baseline: str = option(
        DATA,
        BUNDLED,
        "vectors of the small arm: a file or a folder (docs/data.md)",
        metavar="FILE",
        is_path=True,
        hint="bundled vectors, first 41 articles; or a path, ctrl+o picks",
    )
    expanded: str = option(
        DATA,
        BUNDLED,
        "vectors of the large arm",
        metavar="FILE",
        is_path=True,
        hint="bundled vectors, all 890 articles; or a path, ctrl+o picks",
    )
    data: tuple[str, ...] = option(
        DATA,
        (),
        "for a learning curve: one file, from which --sizes are taken, or three and more from small to large, each "
        "of which contains those before",
        metavar="FILE",
        is_path=True,
        hint="a learning curve instead: the largest file, or all of its sizes",
    )
    sizes: tuple[str, ...] = option(
        DATA,
        (),
        "training vectors of each size, as 10k 20k 40k all, or how many sizes, as 5: from one of eight batches, "
        "or from a quarter of all if that is less, to all",
        metavar="SIZE",
        problem=_sizes_problem,
        hint="of that file: 5, or 10k 20k 40k all",
    )
    subsets: str = option(
        DATA,
        "random",
        "with --sizes: whole articles drawn by the seed, so that intervals cover the draw (random), or the first so "
        "many of the file (file)",
        choices=("random", "file"),
    )
    models: tuple[str, ...] = option(
        TRAINING,
        MODELS,
        "which models to train, or your own, as in mixer.py:Mixer (docs/your-own.md); default: all of ours",
        metavar="MODEL",
        choices=MODELS,
        more_choices=True,
        hint="all",
        own_hint="file.py:Class, a network of your own; several with a space",
    )
    context: tuple[int, ...] = option(
        TRAINING,
        (),
        "vectors in a context; several, such as 5 10 20, are compared on the same targets; default: 5",
        metavar="N",
        least=1,
        most=LONGEST_CONTEXT,
        hint="5 vectors; several, such as 5 10 20, are compared",
    )
    recipe: str = option(
        TRAINING,
        AUTO,
        "how to train: as the original experiment did (reference), or for the best cosine in less time (tuned); "
        "default: chosen by the data",
        choices=(AUTO, *RECIPES),
        more_choices=True,
        hint="chosen by the data",
    )
    size: str = option(
        TRAINING,
        AUTO,
        "size of the models; default: chosen by the data",
        choices=(AUTO, "small", "full"),
        hint="chosen by the data",
    )
    epochs: float | None = option(
        TRAINING,
        None,
        "passes over the training windows (with tuned: those of the larger arm); default: the recipe's",
        metavar="N",
        above=0,
        hint="as the recipe says",
    )
    batch_size: int | None = option(TRAINING, None, "windows per update; default: the recipe's", metavar="N", above=0)
    rate: float | None = option(
        TRAINING, None, "peak learning rate of AdamW; default: the recipe's", metavar="LR", above=0
    )
    seeds: tuple[int, ...] = option(
        TRAINING,
        (1,),
        "a list of seeds, such as 1 2 3, not a count; every model trains on both arms once for each seed",
        metavar="SEED",
        hint="1",
    )
    split_seed: int = option(JUDGING, 0, "seed for drawing the held-out windows", metavar="SEED")
    device: str = option(
        RUNNING, AUTO, "default: auto, a GPU if there is one", metavar="auto|cpu|cuda|mps", problem=_device_problem
    )
    jobs: int | None = option(
        RUNNING,
        None,
        "how many runs to train side by side",
        metavar="N",
        above=0,
        hint="as many as this machine can take",
    )
    threads: int | None = option(RUNNING, None, "CPU threads for each run", metavar="N", above=0)
    labels: tuple[str, ...] = option(
        DATA,
        (),
        "names of the arms; default: 80k for 80,634 vectors",
        metavar=("SMALL", "LARGE"),
        count=2,
        problem=_labels_problem,
    )
    arms: str = option(
        DATA, "both", "expanded: train only this arm and compare it with --baseline-runs", choices=("both", "expanded")
    )
    baseline_runs: tuple[str, ...] = option(
        DATA, (), "folders of finished runs to use as the baseline", metavar="FOLDER", is_path=True
    )
    cross_articles: bool = option(DATA, False, "allow windows that cross from one article into the next")
    folds: bool | None = option(
        JUDGING,
        None,
        "hold out other articles for each seed, so that more of them judge; default: with several seeds, if models "
        "times (seeds - 1) is at least 4",
    )
    same: float | None = option(
        JUDGING,
        None,
        "cosine from which two vectors count as copies of each other; default: chosen from the data, about .98",
        metavar="COSINE",
        above=0.5,
        most=1,
    )
    cluster_cap: int | None = option(
        JUDGING,
        None,
        "windows that one held-out article may weigh in the verdict; default: chosen by its length",
        metavar="N",
        above=0,
    )
    vectors: tuple[str, ...] = option(
        DATA,
        (),
        "array or column with the vectors, one name for all files or one for each; default: found by name and shape",
        metavar="NAME",
        of_files=True,
    )
    article: tuple[str, ...] = option(
        DATA, (), "likewise, naming the article of each vector", metavar="NAME", of_files=True
    )
    order: tuple[str, ...] = option(
        DATA, (), "likewise, with the place of each vector in its article", metavar="NAME", of_files=True
    )
    judge_on: str = option(
        JUDGING,
        "both",
        "held-out articles the verdict is about: those the small file has too (own), those that only the large one has "
        "(new), or both; default: both",
        choices=POPULATIONS,
    )
    centre: str = option(
        DATA,
        "no",
        "subtract what all vectors share, their mean or their median, and scale by what they vary by; fitted to the "
        "training windows, and everything is judged in that space; default: no",
        choices=("no", "mean", "median"),
        hint="no; or mean, median",
    )
    normalise: bool = option(DATA, False, "scale vectors that are not of unit length")
    stall_timeout: float | None = option(
        RUNNING, None, "restart a run that makes no step for this many seconds", metavar="SECONDS", above=0
    )
    on_event: tuple[str, ...] = option(
        RUNNING,
        (),
        "shell commands to run when a run finishes, fails, raises an alarm or stalls, a pair is compared, or the "
        "campaign is over; facts come as JSON on stdin, a sentence in $LVMTUI_MESSAGE",
        metavar="COMMAND",
        commas=True,
        problem=_command_problem,
    )
    deterministic: bool = option(
        TRAINING, True, "use deterministic operations, so that a resumed run ends with the same weights"
    )
    engine: str = option(RUNNING, "local", "where runs are trained; local: here (the default)")
    engine_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of the engine: the other keys of `[engine]` in a campaign file. Declared by each engine."""
    own: Own = field(default_factory=Own)
    """Models, recipes and trainers of the user's own: `[models.NAME]` and so on in a campaign file."""

    def readings(self, files: int) -> tuple[Reading, ...]:
        """What the person said about the arrays of each of so many files. Raises UserError."""
        said = {"vectors": self.vectors, "article": self.article, "order": self.order}
        for name, names in said.items():
            if len(names) not in (0, 1, files):
                fault = f"{len(names)} names for {plural(files, 'file')}"
                raise UserError(f"--{name}: {fault}; give one for all, or one for each in their order")
        of_each = ((names or ("",)) * (files if len(names) < 2 else 1) for names in said.values())
        return tuple(Reading(*one) for one in zip(*of_each, strict=True))


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
