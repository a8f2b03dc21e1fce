"""`campaign.json` and `campaign_intent.json`: all runs of one comparison, and in which order they are wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lvmtui.formats.data_facts import Centring
from lvmtui.formats.json_codec import decode, dump_document, encode, read_document, write_document
from lvmtui.formats.results import Population
from lvmtui.formats.spec import ARMS, ArmData, ArmName, arm_names
from lvmtui.system.files import create_file
from lvmtui.system.numbers import spread
from lvmtui.system.permissions import read_order
from lvmtui.system.text import sanitise

VERSION = 1


@dataclass(frozen=True)
class PlannedRun:
    run: str
    """Name of the run folder."""
    folder: str
    """The run folder, relative to the workspace; absolute if it is taken from another one."""
    model: str
    """An entry of the campaign's `models`: `gru`, or with several contexts `gru@20`."""
    arm: ArmName
    seed: int
    trained_here: bool = True
    """False: a finished run of an earlier campaign that serves as baseline."""


@dataclass(frozen=True)
class ArmFacts:
    """An arm as the plan shows it; its counts are those of the first seed."""

    label: str
    """Of a size the number of vectors aimed at, which whole articles seldom meet."""
    data: ArmData
    vectors: int
    articles: int | None
    train_windows: int
    validation_windows: int
    dropped_windows: int
    """Left out because they hold, or are too near to, a held-out or validation vector."""
    spare_windows: int = 0
    """Windows that are not validated on, because the others are enough."""
    longest: int | None = None
    """Of a size: vectors of its longest article."""
    by_seed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """All counts, by field, for each seed in the order of the campaign's; empty where seeds do not differ."""

    def each(self, count: str) -> tuple[int, ...]:
        """A count for each seed, or the one that all have."""
        return self.by_seed.get(count) or (getattr(self, count),)

    def told(self, count: str) -> str:
        """A count over all seeds: `721 to 1,274`, or `721`; a dash where it is unknown."""
        return "–" if getattr(self, count) is None else spread(self.each(count))

    @property
    def trained(self) -> str:
        """`4,652`; `at most 4,652` where another program trained, on nobody knows which; a dash where it is unknown."""
        most = "at most " if self.data.fingerprint and not self.validation_windows else ""
        return most + self.told("train_windows") if self.train_windows else "–"

    @property
    def validated(self) -> str:
        """`4,652 of 23,260` where some windows that could be validated on are spared; a dash where it is unknown."""
        each = zip(self.each("validation_windows"), self.each("spare_windows"), strict=True)
        of = f" of {spread(map(sum, each))}" if self.spare_windows else ""
        return self.told("validation_windows") + of if self.validation_windows else "–"


@dataclass(frozen=True)
class Campaign:
    """What was planned. Never changed."""

    id: str
    created: float
    baseline: ArmFacts
    expanded: ArmFacts
    dim: int
    context: int
    """Vectors in a context; of several contexts the longest, which all windows have."""
    models: tuple[str, ...]
    """What is trained on every arm and compared: models, or with several contexts each with each, `gru@5`, `gru@20`."""
    size: str
    recipe: str
    seeds: tuple[int, ...]
    heldout_windows: int
    heldout_clusters: int
    split_fingerprint: str
    jobs: int
    threads: int
    device: str
    runs: tuple[PlannedRun, ...]
    """In the order in which they are to start, but for those in `first`."""
    by: str
    versions: dict[str, str]
    engine: str = "local"
    """Who runs the runs: a file of `lvmtui/supervisor/engines/`."""
    engine_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What that engine was told, by its own names for it."""
    stall_timeout: float | None = None
    """Seconds without a step after which a run is started again; None: a stalled run is only shown."""
    on_event: tuple[str, ...] = ()
    """Shell commands that are run when something happens that people want to know."""
    first: tuple[str, ...] = ()
    """Runs that start first because they take longest. One of the places is always left to the other runs."""
    notes: tuple[str, ...] = ()
    """What a reader of the report must know about the plan, in words."""
    doubts: tuple[str, ...] = ()
    """What in the plan speaks against the answer, in words."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """How people write the names of the user's own models and trainers."""
    folds: bool = False
    """True: each seed holds out other clusters, so its runs have a split of their own."""
    cluster_cap: int | None = None
    """Windows a held-out cluster may weigh in the verdict; None: no cap."""
    between: tuple[ArmFacts, ...] = ()
    """The arms between baseline and expanded, smallest first: with them the campaign has a learning curve."""
    subsets: str = ""
    """`random`: the arms are clusters of one file, drawn by the seed; `file`: its first ones; empty: each is a file."""
    judge_on: Population = "both"
    """Which held-out articles the verdict is about."""
    contexts: tuple[int, ...] = ()
    """Several contexts, the shortest first, that are compared on the same targets. Empty: one, `context`."""
    centre: Centring | None = None
    """Set where models train and are judged on centred vectors; with folds, of the first."""
    version: int = VERSION

    @property
    def engine_words(self) -> str:
        """Who runs the runs, and how it was told: `slurm (time 30, setup 'module load cuda', setup 'ulimit -c 0')`."""
        told = [(name, value) for name, values in self.engine_settings.items() for value in values]
        said = ", ".join(f"{name} '{value}'" if " " in value else f"{name} {value}" for name, value in told)
        return sanitise(f"{self.engine} ({said})" if said else self.engine, 600)

    @property
    def arms(self) -> dict[ArmName, ArmFacts]:
        """All arms by name, smallest first."""
        facts = (self.baseline, *self.between, self.expanded)
        return dict(zip(arm_names(len(facts)), facts, strict=True))

    def arm(self, arm: ArmName) -> ArmFacts:
        return self.baseline if arm == ARMS[0] else self.expanded if arm == ARMS[1] else self.arms[arm]

    def context_of(self, model: str) -> int:
        """Vectors in the context of one of `models`."""
        return int(model.rpartition("@")[2]) if self.contexts else self.context

    @property
    def context_words(self) -> str:
        """How many vectors a context has: `5`; among several `5 or 20`."""
        return " or ".join(map(str, self.contexts or (self.context,)))

    def with_shorter(self, model: str) -> str | None:
        """The same model with the next shorter context."""
        name = model.rpartition("@")[0]
        shorter = [context for context in self.contexts if context < self.context_of(model)]
        return f"{name}@{shorter[-1]}" if shorter else None

    def shorter(self, model: str) -> int:
        """The context of one of `models` where it is not the longest; else 0."""
        context = self.context_of(model)
        return context if context != self.context else 0

    @property
    def drawn_by_seed(self) -> bool:
        """Each seed trains on articles of its own; all are judged on the same ones unless there are folds too."""
        return self.subsets == "random" and len(self.seeds) > 1

    def fold_of(self, seed: int) -> int:
        """Number of the split of a seed's runs, from 1; 0 where all seeds share one: no folds, no draws by seed."""
        return self.seeds.index(seed) + 1 if self.folds or self.drawn_by_seed else 0

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """Numbers of all splits; (0,) where there is one."""
        return tuple(dict.fromkeys(self.fold_of(seed) for seed in self.seeds))

    @property
    def title(self) -> str:
        """`8k vs 23k`; `2k to 23k, 5 sizes`."""
        if self.between:
            return f"{self.baseline.label} to {self.expanded.label}, {len(self.arms)} sizes"
        return f"{self.baseline.label} vs {self.expanded.label}"

    @property
    def stamp(self) -> str:
        """The part of the id that names its time."""
        return "_".join(self.id.split("_")[-2:])


@dataclass(frozen=True)
class CampaignIntent:
    """What a person changed about the campaign since it was planned."""

    jobs: int | None = None
    """Runs side by side; None: as planned."""
    order: tuple[str, ...] = ()
    """Runs to start first; the others follow as planned."""
    generation: int = 0
    by: str = ""
    time: float = 0.0
    version: int = 1


def told(doubts: Iterable[str]) -> tuple[str, ...]:
    """Doubts as sentences."""
    return tuple(f"{doubt[0].upper()}{doubt[1:]}." for doubt in doubts)


def with_context(model: str, context: int, contexts: Sequence[int]) -> str:
    """The entry in a campaign's `models` of a model with one of its contexts: `gru`, or `gru@20` among several."""
    return f"{model}@{context}" if len(contexts) > 1 else model


def write_campaign(path: Path, campaign: Campaign) -> None:
    """Create `campaign.json`; with it the campaign exists. Raises FileExistsError."""
    create_file(path, dump_document(encode(campaign)))


def read_campaign(path: Path) -> Campaign:
    """Read `campaign.json`. Raises UserError if it is missing, damaged or of a later version."""
    cure = "restore the file or move the folder away"
    return read_document(Campaign, path, what="a campaign", place="a campaign's folder", cure=cure)


def read_campaign_intent(path: Path) -> CampaignIntent:
    """Read the changes. There are none if the file is missing, damaged, of a later version, or written by a user whose
    orders do not count (see `system/permissions.py`)."""
    try:
        return decode(CampaignIntent, json.loads(read_order(path)))
    except (OSError, ValueError, RecursionError):
        return CampaignIntent()


def write_campaign_intent(
    path: Path, *, by: str, jobs: int | None = None, order: tuple[str, ...] | None = None
) -> CampaignIntent:
    """Change the number of jobs, the order, or both; what is not given stays. Raises OSError."""
    before = read_campaign_intent(path)
    intent = replace(
        before,
        jobs=before.jobs if jobs is None else jobs,
        order=before.order if order is None else order,
        generation=before.generation + 1,
        by=by,
        time=time.time(),
    )
    write_document(path, intent)
    return intent


def start_order(campaign: Campaign, intent: CampaignIntent) -> tuple[PlannedRun, ...]:
    """The runs in the order in which they are wanted now."""
    places = intent.jobs or campaign.jobs
    first = dict.fromkeys((*intent.order, *campaign.first[: max(0, places - 1)]))
    place = {name: i for i, name in enumerate(first)}
    return tuple(sorted(campaign.runs, key=lambda planned: place.get(planned.run, len(place))))
