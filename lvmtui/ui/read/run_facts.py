"""One run and one model as a person is told of them. Pure; every text that came from a file is made harmless here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from lvmtui.estimate.eta import RunEta
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.live import OUTLIVED
from lvmtui.formats.spec import ArmName
from lvmtui.formats.trainer_log import Trained
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import RunView
from lvmtui.state.run_state import RunState
from lvmtui.state.status import ALIVE, PHASES, Phase, PhaseFacts, interrupted_words
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.charts import Point
from lvmtui.verdict.early import BestTrivial
from lvmtui.verdict.health import Finding

NAME = 24
"""Characters of a label or a model's name that are kept: they are people's own words."""

SOON = 3.0
"""Seconds to a start that are not worth counting down."""


@dataclass(frozen=True)
class RunFacts:
    view: RunView
    campaign: Campaign
    expected: RunEta | None
    findings: tuple[Finding, ...]
    trivial: BestTrivial | None
    """The best trivial baseline on its own validation windows; None: not known."""
    parameters: int | None
    worked: float
    """Seconds of work, over all attempts."""

    @cached_property
    def title(self) -> str:
        """Of its model."""
        return sanitise(title_of(self.view.planned.model, self.campaign.titles), NAME)

    @cached_property
    def arm_label(self) -> str:
        return sanitise(self.campaign.arm(self.arm).label, NAME)

    @cached_property
    def label(self) -> str:
        """Of its arm, with the seed where there are several."""
        return f"{self.arm_label} s{self.view.planned.seed}" if len(self.campaign.seeds) > 1 else self.arm_label

    @property
    def looks(self) -> PhaseFacts:
        """How its phase is drawn; an alarm speaks louder."""
        if self.alarms and self.alive:
            return PHASES[Phase.STALLED]
        return PHASES[Phase.FAILED if self.alarms and self.phase is Phase.FINISHED else self.phase]

    @property
    def glyph(self) -> str:
        return self.looks.glyph

    @property
    def style(self) -> str:
        return self.looks.style if self.alarms else self.view.status.style

    @cached_property
    def word(self) -> str:
        """What it does: `finished`, `epoch 4/8`, `paused 70 %`, `collapsed`."""
        if self.view.status.no_step is not None:
            return f"no step {words.short_duration(self.view.status.no_step)}"
        if self.phase is Phase.RUNNING:
            if self.view.status.reason == "heldout":
                return "held-out"
            return f"epoch {self.epoch_words}" if self.epoch_words else f"step {self.view.step:,}"
        if self.phase in (Phase.PAUSED, Phase.PAUSING) and self.share > 0:
            return f"{self.phase.value} {math.floor(100 * self.share)} %"
        return self.alarms[0].label if self.alarms and self.phase is Phase.FINISHED else self.phase.value

    @property
    def share(self) -> float:
        """Of its steps, 0 to 1."""
        if self.state is None or self.state.trainer.finished:
            return 1.0 if self.state else 0.0
        return min(1.0, self.view.step / max(1, self.state.spec.total_steps))

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """(step, validation cosine)"""
        evaluations = self.state.trainer.evaluations if self.state else ()
        return tuple((e.step, e.cosine) for e in evaluations if e.cosine is not None)

    @cached_property
    def best(self) -> float | None:
        """Validation cosine of the best model so far."""
        return self.view.best.cosine if self.view.best else None

    @property
    def name(self) -> str:
        """Name of its folder: what it is known by."""
        return self.view.planned.run

    @property
    def arm(self) -> ArmName:
        return self.view.planned.arm

    @property
    def phase(self) -> Phase:
        return self.view.status.phase

    @property
    def state(self) -> RunState | None:
        return self.view.state

    @property
    def alive(self) -> bool:
        return self.phase in ALIVE

    @property
    def over(self) -> bool:
        return self.view.status.over

    @property
    def gain(self) -> float | None:
        """Validation cosine of the best model so far less that of the best trivial baseline, on its own validation
        windows. How hard these windows are is not in it."""
        return self.best - self.trivial.cosine if self.best is not None and self.trivial else None

    @cached_property
    def gains(self) -> tuple[Point, ...]:
        """(step, validation cosine less that of the best trivial baseline); empty where that is not known."""
        return tuple((x, y - self.trivial.cosine) for x, y in self.curve) if self.trivial else ()

    @property
    def points(self) -> tuple[Trained, ...]:
        """What it logged of its training."""
        return self.state.trainer.points if self.state else ()

    @property
    def alarms(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.alarm)

    @property
    def trouble(self) -> str:
        """What is wrong, or why it waits, in words; empty if all is well."""
        if self.alarms:
            return sanitise(self.alarms[0].words, 300)
        if self.phase in (Phase.FINISHED, Phase.RUNNING, Phase.STARTING):
            return ""
        # there is room for what is wrong with a file, not for where the file is
        return sanitise(self.view.status.reason.replace(f"{self.view.folder.path}/", ""), 300)

    @property
    def setback(self) -> str:
        """That its job has ended and it has not; else how often it was interrupted and why, while it is not over."""
        if self.view.job and self.view.job.words.endswith(OUTLIVED):
            return self.view.job.words
        return interrupted_words(self.state, self.trouble) if self.state and not self.over else ""

    @property
    def trouble_style(self) -> str:
        """`dim` while its job only waits for its turn."""
        job = self.view.job
        waits = job is not None and job.waiting and not job.never
        return "alarm" if self.alarms or PHASES[self.phase].style in ("alarm", "failed") else "dim" if waits else "note"

    @property
    def imported(self) -> bool:
        """True if another program trained it: it has neither log nor times."""
        return self.state is not None and self.state.spec.imported is not None

    @property
    def foreign(self) -> bool:
        """True if its validation windows are not known; see `RunSpec.foreign`."""
        return self.state is not None and self.state.spec.foreign

    @property
    def no_log(self) -> str:
        """What is said where its log would be, as long as that is empty."""
        return "another program's run: it has left no log here" if self.imported else "nothing logged yet"

    @property
    def epoch_words(self) -> str:
        """`4/8`: the epoch it is in; empty where epochs are not known."""
        if self.state is None or not self.state.spec.counts_epochs:
            return ""
        done, planned = map(self.state.spec.epoch_of, (self.view.step, self.state.spec.total_steps))
        whole = max(1, round(planned))
        return f"{min(whole, math.floor(done * whole / planned) + 1 if planned else 1)}/{whole}"

    @property
    def waits(self) -> bool:
        """True if it starts, or starts again, by itself."""
        return self.view.status.pace == "waits"

    @property
    def time_words(self) -> str:
        """Time left, time taken, or time it will take; at most six characters."""
        if self.view.status.pace in ("works", "waits"):
            eta = self.expected.eta if self.expected else None
            left = eta.left_words("", words.short_duration).removesuffix(" left") if eta else ""
            return left or ("" if self.waits else glyphs.ELLIPSIS)
        if self.state is None or self.imported or not self.state.trainer.attempts:
            return ""
        return words.short_duration(self.worked)

    def when(self, *, wide: bool) -> str:
        """The column for time: when a run that waits starts, or the time left or taken; nothing beside "no step"."""
        if self.waits or self.view.status.no_step is not None:
            return self.start_words
        if wide and self.expected and self.expected.eta:
            return self.expected.eta.left_words("", words.short_duration)
        return f"took {self.time_words}" if wide and self.over and self.time_words else self.time_words

    @property
    def start_words(self) -> str:
        """When a run that waits starts: `in 2m40`, `next`. Of a job that waits its cluster decides."""
        if self.view.job is not None and self.view.job.waiting:
            return ""
        soon = self.expected.start_in if self.waits and self.expected else None
        if soon is None:
            return ""
        return f"in {words.short_duration(soon.seconds)}" if soon.seconds >= SOON else "next"


def why_it_stands(facts: RunFacts) -> str:
    """What a run left behind that stands still, or does not do as it is told; empty for others."""
    if facts.view.status.no_step is not None:
        return facts.view.status.no_step_words
    return "" if facts.phase is Phase.RUNNING else sanitise(facts.view.status.reason, 600)
