"""The form for a new campaign: its fields, the command line they stand for, and how they are drawn. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lvmtui.models import MODELS, size_of
from lvmtui.planning.options import OPTIONS
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, hanging, left, wrapped
from lvmtui.verdict.words import listed

SHOWN = tuple(one for one in OPTIONS.values() if one.hint)
"""Options with a line of their own, as `lvmtui/planning/options.py` declares them."""
FILES = tuple(one.name for one in SHOWN if one.is_path)
CHOICES = {one.name: one.choices for one in SHOWN if one.choices and not one.several} | {
    one.name: ("yes", "no") if one.default else ("no", "yes") for one in SHOWN if one.type is bool
}
"""Fields with one of a few words. The first is the default."""
OWN = {one.name: f"own-{one.name}" for one in SHOWN if one.own_hint}
"""Option -> the field for values of the user's own beside its choices."""
HINTS = {
    **{one.name: one.hint for one in SHOWN if one.name not in CHOICES and not one.choices},
    **{OWN[one.name]: one.own_hint for one in SHOWN if one.own_hint},
    "campaign": "a campaign file (TOML): trainers, recipes, models of your own",
    "more": "other options of 'lvmtui run': --normalise, --device cuda",
    "import": "folders of earlier runs to import, instead of everything above",
}
"""Fields that take text, and what an empty one shows."""
FIELDS = (
    *(name for one in SHOWN for name in (one.name, OWN.get(one.name, "")) if name),
    *("campaign", "more", "import"),
)
NAME = 12


@dataclass(frozen=True)
class CampaignForm:
    """What has been filled in so far. What is not named is as the program proposes."""

    texts: Mapping[str, str] = field(default_factory=dict)
    ticked: frozenset[str] = frozenset(MODELS)
    chosen: Mapping[str, str] = field(default_factory=dict)
    """Without the defaults."""

    def text(self, name: str) -> str:
        return self.texts.get(name, "").strip()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of vectors named; none for the bundled ones."""
        return tuple(path for name in FILES for path in self.values(name))

    @property
    def folders(self) -> list[str]:
        """Folders of earlier runs to import."""
        return self._split("import")

    def _split(self, name: str) -> list[str]:
        """The words in a field, split as a shell would."""
        text = self.text(name)
        try:
            return shlex.split(text)
        except ValueError:  # a quotation mark is not closed
            return text.split()

    @property
    def starting(self) -> list[str]:
        """Arguments of the command that carries out what the form asks for."""
        return self.arguments() if self.folders else [*self.arguments(), "--detach", "--headless"]

    @property
    def fault(self) -> str:
        """What must be filled in before anything can be planned; empty if nothing."""
        return "" if self.folders or self._models else "no model is ticked; tick one with the space bar"

    @property
    def _models(self) -> list[str]:
        return [*(model for model in MODELS if model in self.ticked), *self._split(OWN["models"])]

    def arguments(self) -> list[str]:
        """Arguments for `lvmtui`: `demo` for the bundled vectors, `run` for files, `import` for earlier runs."""
        if self.folders:
            return ["import", *self.folders]
        file = self.text("campaign")
        arguments = ["run", file] if file else ["run" if self.files else "demo"]
        for one in SHOWN:
            values = self.values(one.name)
            if one.type is bool and values:
                arguments.append(f"--{one.key}" if values == ["yes"] else f"--no-{one.key}")
            elif values:
                arguments += [f"--{one.key}", *values]
        return [*arguments, *self._split("more")]

    def values(self, name: str) -> list[str]:
        """What is filled in for an option; nothing for its default."""
        if name == "models":
            return [] if self._models == list(MODELS) else self._models
        if name in CHOICES:
            return [self.chosen[name]] if name in self.chosen else []
        one, text = OPTIONS[name], self.text(name)
        if not one.several:
            return [text] if text else []
        return self._split(name) if one.is_path else text.replace(",", " ").split()

    @property
    def command(self) -> str:
        """The same as one would type it in a shell."""
        return shlex.join(["lvmtui", *self.arguments()])


@dataclass(frozen=True)
class Answers:
    """What the commands reported about the form as it is now."""

    facts: dict[str, Any] | None = None
    """`lvmtui check --json`"""
    plan: dict[str, Any] | None = None
    """`lvmtui run --plan --json`"""
    fault: str = ""
    busy: str = ""


def answer_lines(form: CampaignForm, answers: Answers, width: int) -> list[Line]:
    """What the commands reported: faults, the plan, facts of the files."""
    lines: list[Line] = []
    fault = form.fault or answers.fault
    if answers.busy:
        lines += [((f" {part}", "dim"),) for part in wrapped(f"{answers.busy}{glyphs.ELLIPSIS}", width - 3)]
    if fault:
        lines += _fault_lines(fault, width)
    elif answers.plan:
        against = dict.fromkeys((*answers.plan["doubts"], *answers.plan["others"]))
        lines += [*_plan_lines(answers.plan, width), *_notes(against, width)]
    return [*lines, *(_fact_lines(answers.facts, width, said_already=fault) if answers.facts else ())]


def _plan_lines(plan: dict[str, Any], width: int) -> list[Line]:
    """Runs, held-out windows, expected time, and what is worth knowing about them."""
    campaign, split = plan["campaign"], plan["split"]
    size = size_of(campaign["size"], campaign["models"])
    how = f"{f'{size} models, recipe ' if size else 'recipe '}{campaign['recipe']}, device {campaign['device']}"
    arms = [campaign["baseline"], *campaign["between"], campaign["expanded"]]
    said = {
        "plan": f"{_runs_words(plan)}, {how}",
        "trained on": listed([arm["label"] for arm in arms]),
        "held out": f"{split['windows']:,} windows of {split['clusters']:,} articles or blocks",
        "expected": _expected_words(plan),
    }
    lines = [line for name, value in said.items() for line in _named(name, value, width)]
    return [*lines, *_notes([*plan["remarks"], *campaign["notes"], *campaign["doubts"]], width)]


def plan_words(plan: dict[str, Any]) -> str:
    """What to ask before it starts: how many runs, how long."""
    return f"{_runs_words(plan)}; expected {_expected_words(plan)}"


def _runs_words(plan: dict[str, Any]) -> str:
    return f"{words.plural(len(plan['runs']), 'run')}, {plan['campaign']['jobs']} side by side"


def _expected_words(plan: dict[str, Any]) -> str:
    seconds, low, high = (words.duration(plan["expected"][name]) for name in ("seconds", "low", "high"))
    return f"{seconds} ({low} to {high})"


def _fact_lines(facts: dict[str, Any], width: int, *, said_already: str) -> list[Line]:
    """Facts and faults of the files."""
    lines: list[Line] = []
    for one in facts["files"]:
        said = f"{one['vectors']:,} {one['dim']:,}-d vectors, {one['articles']:,} articles, {one['windows']:,} windows"
        if one["duplicates"]:
            said += f", {one['duplicates']:,} duplicates"
        if one["coherence"] is not None:
            said += f", cosine of neighbours {one['coherence']:.2f}"
        lines += _named(one["label"], said, width)
    for fault in dict.fromkeys(facts["faults"]):
        if fault != said_already:
            lines += _fault_lines(sanitise(fault), width)
    return [*lines, *_notes(facts["notes"], width)]


def _named(name: str, value: str, width: int) -> list[Line]:
    return hanging([(left(f" {sanitise(name, 20)}", NAME + 1), "dim")], sanitise(value, 600), "", width - 2)


def _notes(notes: Iterable[str], width: int) -> list[Line]:
    return [((" " + part, "note"),) for note in notes for part in wrapped(sanitise(note, 400), width - 3)]


def _fault_lines(fault: str, width: int) -> list[Line]:
    return hanging([(f" {glyphs.FAILED} ", "alarm")], fault, "alarm", width - 2)
