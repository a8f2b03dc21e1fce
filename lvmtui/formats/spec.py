"""`spec.json`: all that defines a run, written once by who plans the campaign, never changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import dump_document, encode, read_document
from lvmtui.formats.user_code import OwnModel, OwnTrainer, UserCode
from lvmtui.system.files import create_file

VERSION = 1
USUAL_CONTEXT = 5
"""Vectors in a context where nobody says otherwise, and in files of earlier versions, which had no other."""
LONGEST_CONTEXT = 128
BUNDLED = "bundled"
"""In place of a file name: the Wikipedia vectors that come with the program."""
TABLE_FILES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
VECTOR_FILES = (".npz", ".npy", *TABLE_FILES)
"""How names of files with vectors end."""
ArmName = str
"""Name of an arm, as folders and files of a campaign have it: see `arm_names`."""
ARMS: tuple[ArmName, ArmName] = ("baseline", "expanded")
"""The smallest and the largest arm: the pair that is compared. A campaign of two sizes has no others."""

LEAST_EVALUATIONS = 4
"""Fewest evaluations of a run, however short: a curve and a best model need some."""


def arm_names(sizes: int) -> tuple[ArmName, ...]:
    """The arms of a campaign of so many sizes, smallest first: `baseline`, `size2`, `size3`, ..., `expanded`."""
    return (ARMS[0], *(f"size{number}" for number in range(2, sizes)), ARMS[1])


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one run, complete: the trainer adds no default of its own."""

    name: str
    loss: Literal["mse", "cosine"]
    """`mse`: of the raw output against the target. `cosine`: 1 - cosine."""
    correction: float | None
    """None: the model's output is the prediction. Otherwise the prediction is a softmax-weighted mean of the context
    plus the model's output times a learned scale that starts here."""
    epochs: float
    """Passes over the training windows; with `equal_updates` of the arm that has more of them."""
    equal_updates: bool
    """Both arms take the same number of steps, so that a difference is one of data and not of training."""
    batch_size: int
    rate: float
    """AdamW's learning rate at its peak."""
    weight_decay: float
    clip: float
    """Largest norm of the gradient."""
    warmup_steps: int
    schedule: Literal["plateau", "cosine"]
    """After the warm-up. `plateau`: halved after `plateau_patience` evaluations without gain; `cosine`: to zero."""
    plateau_patience: int
    input_dropout: float
    """Share of the context's numbers set to zero while training."""
    feature_dropout: float
    """Share of the vector's features set to zero in all five context vectors of a window at once."""
    average: float | None
    """Decay of the exponential average of the weights that is evaluated and kept; None: the weights themselves."""
    evaluations: int
    """Evaluations on the validation windows, evenly spread, the last one at the last step."""
    patience: int | None
    """Evaluations without a better validation loss after which the run ends early; None: never."""
    prior_windows: float = 0.0
    """With a correction: training windows that the weighted mean of the context counts for. What is minimised is the
    loss plus `prior_windows / training windows` times 1 - cosine of the prediction with that mean, so that a correction
    has to gain more than it departs, and the less so the more data there is. The loss shown is without it."""
    least_updates: int = 0
    """Updates that a run makes at least: of few windows `epochs` alone are too few."""
    own_loss: UserCode | None = None
    """A user's own loss, (raw output, target) -> number, in the place of `loss`."""

    def of_epochs(self, epochs: float) -> Recipe:
        """Trained for that many epochs, and evaluated as often in each: a small arm may be at its best early."""
        if self.schedule == "plateau":  # one evaluation an epoch, which the plateau counts
            counted = self.evaluations if epochs == self.epochs else max(LEAST_EVALUATIONS, round(epochs))
            return replace(self, epochs=epochs, least_updates=0, evaluations=counted)
        more = max(1, round(epochs / self.epochs))
        patience = self.patience and more * self.patience
        return replace(self, epochs=epochs, least_updates=0, evaluations=more * self.evaluations, patience=patience)

    def steps_per_epoch(self, windows: int) -> int:
        """Whole batches of so many training windows; what is left over waits for another epoch, in another order."""
        return max(1, windows // self.batch_size)

    @property
    def loss_words(self) -> str:
        return self.own_loss.words if self.own_loss else self.loss

    def words(self, campaign: str = "") -> str:
        """`tuned: loss cosine, rate 0.004, 3 epochs of the largest data set, equal updates, batches of 128`.

        `campaign`: whose data set that is, ` of the first campaign`; empty: of this one.
        """
        of = f" of the largest data set{campaign}, equal updates" if self.equal_updates else ""
        least = f" (at least {self.least_updates} updates)" if self.least_updates else ""
        return (
            f"{self.name}: loss {self.loss_words}, rate {self.rate:g}, {self.epochs:g} epochs{of}{least}, "
            f"batches of {self.batch_size}"
        )


@dataclass(frozen=True)
class Reading:
    """What a person said about a file: which of its arrays or columns is what. Empty: found by name and shape."""

    vectors: str = ""
    article: str = ""
    order: str = ""


@dataclass(frozen=True)
class ArmData:
    """Where an arm's vectors are."""

    file: str
    """The file the person named (absolute path), or BUNDLED."""
    store: str
    """Folder of the compact store, relative to the workspace; windows are index arithmetic on its vectors."""
    rows: tuple[int, int]
    """First row and the row after the last, in the store."""
    fingerprint: str
    """Fingerprint of the file's content."""
    reading: Reading = Reading()


@dataclass(frozen=True)
class Imported:
    """Where the history of a run that was not trained here came from. The folder itself is never changed."""

    folder: str
    """Absolute path, as given."""
    history: str
    """Name of the file read."""
    digest: str
    """sha256 of that file."""
    weights: str
    """Name of the file of weights beside it; empty: none."""
    run: str = ""
    """The run folder that holds the history as events, absolute, in the spec of a run that judges those weights."""

    @property
    def weights_file(self) -> Path:
        return Path(self.folder) / self.weights


@dataclass(frozen=True)
class RunSpec:
    """One run: a model trained on an arm with a seed."""

    run: str
    """Name of the run folder."""
    campaign: str
    model: str
    size: Literal["small", "full"]
    arm: ArmName
    label: str
    """What people see for the arm: `8k`, `232k`."""
    seed: int
    dim: int
    """Numbers in a vector."""
    context: int
    """Vectors in a context."""
    recipe: Recipe
    data: ArmData
    split: str
    """Folder of the campaign's split, relative to the workspace."""
    split_fingerprint: str
    """Fingerprint of the held-out windows: runs with the same one are judged on the same windows."""
    train_windows: int
    validation_windows: int
    heldout_windows: int
    total_steps: int
    evaluate_every: int
    """Steps between evaluations on the validation windows."""
    device: str
    """`cpu`, `cuda`, `mps`, or `auto`: the best the trainer finds."""
    threads: int
    """CPU threads; part of what makes a run repeatable to the bit."""
    deterministic: bool
    imported: Imported | None = None
    """Set for a run of another program; one step is one epoch. With held-out windows its weights are judged on them
    by a trainer that trains nothing; without, see `history`."""
    own_model: OwnModel | None = None
    """The user's model that is trained; None: one of ours."""
    own_trainer: OwnTrainer | None = None
    """The user's program that trains the run; None: ours."""
    centre: str = ""
    """`mean` or `median`: it trains on centred vectors; the split has the centre. Empty: on the vectors as they are."""
    version: int = VERSION

    @property
    def history(self) -> bool:
        """A history and no more: a point estimate on its own validation windows, nothing to start."""
        return self.imported is not None and not self.heldout_windows

    @property
    def foreign(self) -> bool:
        """True if another program trains it or did: its validation windows, and what it starts from, are its word."""
        return self.imported is not None or self.own_trainer is not None

    @property
    def own_code(self) -> tuple[UserCode, ...]:
        """What it runs of the user's own: a model, a loss."""
        return tuple(filter(None, (self.own_model.code if self.own_model else None, self.recipe.own_loss)))

    @property
    def unit(self) -> Literal["step", "epoch"]:
        """What its steps are."""
        return "epoch" if self.imported else self.own_trainer.unit if self.own_trainer else "step"

    @property
    def steps_per_epoch(self) -> int:
        return 1 if self.unit == "epoch" else self.recipe.steps_per_epoch(self.train_windows)

    @property
    def counts_epochs(self) -> bool:
        """False for a user's own trainer that tells of steps only: how many windows a step takes is its own choice."""
        own = self.own_trainer
        return own is None or own.unit == "epoch" or any("(?P<epoch>" in pattern for pattern in own.pattern)

    def epoch_of(self, step: int) -> float:
        """Epochs after so many steps; 0 where they are not known."""
        return step / self.steps_per_epoch if self.counts_epochs else 0.0


def write_spec(path: Path, spec: RunSpec) -> None:
    """Create `spec.json`. Raises FileExistsError if it is there: a spec is never changed."""
    create_file(path, dump_document(encode(spec)))


def read_spec(path: Path) -> RunSpec:
    """Read `spec.json`. Raises UserError if it is missing, damaged or of a later version."""
    cure = "restore the file, or start the campaign again"
    return read_document(RunSpec, path, what="a run's spec", place="a run folder", cure=cure)
