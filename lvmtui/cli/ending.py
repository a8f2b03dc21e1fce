"""What `lvmtui run`, `demo` and `attach` print when a campaign is over: the answer, the table, where the report is,
what to do next, and a last line for scripts. Pure, but for `read_ending`."""

from __future__ import annotations

from dataclasses import dataclass

from lvmtui.formats.learning_curve import read_learning_curve
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import BUNDLED
from lvmtui.report.questions import context_questions
from lvmtui.report.sizes import curve_answer
from lvmtui.state.campaign_reader import CampaignState
from lvmtui.state.status import FAILURES, Phase
from lvmtui.system import numbers as words
from lvmtui.system.text import aligned, grouped, wrap
from lvmtui.verdict.answer import LEANS, answer
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.table import Table
from lvmtui.verdict.words import Word

LEAST_WIDTH = 24
"""Characters of a line that the verdict's words may have, however narrow the terminal is."""

NEXT = 8
"""Characters before the next commands."""


def read_ending(workspace: Workspace, state: CampaignState, program: str, width: int) -> str:
    """The ending of a campaign from its folder. `program`: how people call lvmtui here. `width`: of a line."""
    known = Judgement(state)
    table = known.table
    sizes = curve_answer(read_learning_curve(state.dir.learning_curve), table.seeds)
    asked = context_questions(table, known.comparisons.values())
    said = (answer(table), sizes, *(f"{one.question} {one.answer}" for one in asked))
    lines = [line for words in said for line in wrap(words, width)]  # none of an empty one
    title_line, *rows = aligned(result_rows(table), right=(1, 2, 3))
    lines += ["", title_line]
    last = title_line.index("verdict")
    for row in rows:
        lines += wrap(row, max(width, last + LEAST_WIDTH), subsequent_indent=" " * last)
    unranked = ((row.verdict.reason, row.title) for row in table.rows if row.verdict.reason and row.rank is None)
    for reason, titles in grouped(unranked).items():
        lines += wrap(f"{', '.join(titles)}: {reason}", width, subsequent_indent="  ")
    if doubts := known.doubts:
        lines += ["", *wrap(f"Before you rely on it: {doubts[0]}", width)]
        lines += ["The report has more doubts."] if len(doubts) > 1 else []
    lines += ["", f"report  {workspace.final_comparison(state.campaign)}"]
    steps = next_commands(state, table, program)
    beside = aligned(steps)
    if max(map(len, beside)) + NEXT > width:
        beside = ["  ".join(step) for step in steps]
    return "\n".join([*lines, *(f"{'' if i else 'next':{NEXT}}{step}" for i, step in enumerate(beside))])


@dataclass(frozen=True)
class CampaignOutcome:
    """The verdict of a campaign for programs: of the average of its models, or of its only model."""

    campaign: str
    word: str
    """The verdict's word, blanks as hyphens: `improved`, `too-close-to-call`; `none`: no average is judged."""
    degree: str
    """`slight`, `minor` or `large`; empty: the word says none."""
    change_percent: float | None
    """Where the word is `none`, the plain mean of the models compared."""
    interval: tuple[float, float] | None
    """95 %, in percent."""
    models: int
    """Models that are compared."""
    planned: int
    """Models that were planned."""
    seeds: int
    """Seeds that were planned."""
    above_trivial: int | None = None
    """Models that are better than the best trivial baseline, clear of chance; None: not known of any."""

    @property
    def line(self) -> str:
        """`VERDICT improved +1.86 [+1.80,+1.91] models=5 planned=5 seeds=3 campaign=8k_vs_23k_20261122_134500 ...`.

        A dash stands for what is not known. Later versions add only at the end.
        """
        change = "-" if self.change_percent is None else _seen(self.change_percent)
        ends = "-" if self.interval is None else f"[{','.join(map(_seen, self.interval))}]"
        counts = f"models={self.models} planned={self.planned} seeds={self.seeds}"
        above = "-" if self.above_trivial is None else self.above_trivial
        return f"VERDICT {self.word} {change} {ends} {counts} campaign={self.campaign} above-trivial={above}"


def _seen(value: float) -> str:
    """With two digits, or so many more that what is not zero does not read as zero."""
    digits = next((n for n in range(2, 6) if round(value, n)), 2)
    return f"{value:+z.{digits}f}"


def outcome_of(campaign: str, table: Table) -> CampaignOutcome:
    """The campaign's verdict as it stands now."""
    ranked = table.ranked
    change: float | None
    if len(table.rows) > 1 and table.primary:
        verdict, estimate = table.primary.verdict, table.primary.estimate
        change, interval = estimate.value, estimate.interval()
    elif len(table.rows) == 1 and ranked and not table.histories:
        verdict, change, interval = ranked[0].verdict, ranked[0].change, ranked[0].interval
    else:
        verdict, change, interval = None, table.average, None
    word = verdict.word.value.replace(" ", "-") if verdict else "none"
    degree = verdict.degree if verdict else ""
    judged = [row.expanded.skill_words == "better" for row in ranked if row.expanded.skill]
    above = sum(judged) if judged else None
    return CampaignOutcome(campaign, word, degree, change, interval, len(ranked), len(table.rows), table.seeds, above)


def result_rows(table: Table) -> list[tuple[str, ...]]:
    """A title row, a row for each model, and those of the best trivial baselines."""
    rows: list[tuple[str, ...]] = [("model", *table.labels, "change", "95 % interval", "verdict")]
    for row in table.rows:
        cosines = words.cosine(row.baseline.cosine), words.cosine(row.expanded.cosine)
        rows.append((row.title, *cosines, row.figure, row.ends, row.verdict_words))
    for best in table.best_trivial:
        cosines = words.cosine(best.baseline), words.cosine(best.expanded)
        rows.append((best.title, *cosines, "", "", "no network"))
    return rows


def next_commands(state: CampaignState, table: Table, program: str) -> list[tuple[str, str]]:
    """Commands worth typing now, each with its purpose, the most useful first."""
    steps = []
    unfinished = [view for view in state.runs if view.status.phase is not Phase.FINISHED]
    if retried := [view for view in unfinished if view.retry_helps]:
        failed = [view for view in retried if view.status.phase in FAILURES] or retried  # cancelled ones come last
        runs = "all" if 1 < len(failed) == len(unfinished) else " ".join(view.planned.run for view in failed)
        steps.append((f"{program} retry {runs}", "try again what did not finish"))
    steps.append((program, "curves, logs, the verdict"))
    steps.append((f"{program} report --output -", "print the whole report"))
    if state.campaign.baseline.data.file == BUNDLED:
        steps.append((f"{program} check SMALL.npz LARGE.npz", "check your own files"))
    elif table.seeds == 1 and table.with_word(*LEANS, Word.TOO_CLOSE):  # what more seeds may make firm
        steps.append((f"{program} run ... --seeds 1 2 3", "three seeds, for a firmer verdict"))
    return steps
