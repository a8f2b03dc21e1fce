"""What `--help` prints: examples first, then options, on one screen of 80 by 24 characters (`run`: 40 lines).

`EXAMPLES` holds what each command's help shows before all else. A command with more options than fit has the common
ones in `COMMON`; `--help-all` shows every option.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from lvmtui.cli.shared import ExitCode
from lvmtui.system.errors import unknown

EVERYWHERE = "all commands"
"""Group of the options that every command has. It comes last."""

# -- the words ---------------------------------------------------------------------------------------------------------


ROOT = "lvmtui"
EXAMPLES: Mapping[str, Sequence[tuple[str, str]]] = {
    ROOT: (
        ("lvmtui demo", "a verdict in minutes"),
        ("lvmtui run --baseline small.npz --expanded large.npz", "on your vectors"),
        ("lvmtui", "the screen"),
    ),
    "demo": (
        ("lvmtui demo", "one to three minutes"),
        ("lvmtui demo --seeds 1 2 3", "a surer verdict in three times the time"),
        ("lvmtui demo --detach", "start it and watch it on the screen: lvmtui"),
    ),
    "run": (
        ("lvmtui run --baseline small.npz --expanded large.npz --plan", "only plan"),
        ("lvmtui run --baseline small.npz --expanded large.npz --seeds 1 2 3", ""),
        ("lvmtui run --data large.npz --sizes 5", "more data?"),
    ),
    "attach": (
        ("lvmtui attach", "the newest campaign; ctrl-c leaves its runs alone"),
        ("lvmtui attach --headless", "plain lines, for a pipe or a log"),
        ("lvmtui attach --detach", "make sure that its runs go on, and return"),
    ),
    "status": (
        ("lvmtui status", "the newest campaign"),
        ("lvmtui status --campaign 0412", "another one; part of its id is enough"),
        ("lvmtui status --json", "for programs"),
    ),
    "campaigns": (
        ("lvmtui campaigns", "in this folder"),
        ("lvmtui campaigns --workspace ~/vectors", "in another one"),
        ("lvmtui campaigns --json", "for programs"),
    ),
    "serve": (
        ("lvmtui serve", "prints the address; nothing can be changed there"),
        ("lvmtui serve --control", "with the keys that change things"),
        ("lvmtui serve --port 8080", "at another port"),
    ),
    "tensorboard": (
        ("lvmtui tensorboard", "goes on until all runs are over"),
        ("lvmtui tensorboard --once", "what is there now"),
        ("lvmtui tensorboard --output tb", "in a folder of your choice"),
    ),
    "report": (
        ("lvmtui report", "Markdown"),
        ("lvmtui report --format html --output answer.html", "to send around"),
        ("lvmtui report --format csv --table heldout --output -", "every window"),
    ),
    "pause": (
        ("lvmtui pause gru", "all runs of a model"),
        ("lvmtui pause gru/80k/1", "one run: model/arm/seed"),
        ("lvmtui pause all", "everything, over lunch"),
    ),
    "resume": (
        ("lvmtui resume all", "everything that is paused"),
        ("lvmtui resume gru", "all runs of a model"),
        ("lvmtui resume gru/80k/1", "one run: model/arm/seed"),
    ),
    "cancel": (
        ("lvmtui cancel gru/80k/1", "one run: model/arm/seed"),
        ("lvmtui cancel all", "the whole campaign"),
        ("lvmtui cancel gru --force", "where a run does not stop by itself"),
    ),
    "retry": (
        ("lvmtui retry gru/80k/1", "one run: model/arm/seed"),
        ("lvmtui retry all", "all that failed or were cancelled"),
        ("lvmtui retry gru --from-start", "without its checkpoint"),
    ),
    "queue": (
        ("lvmtui queue --jobs 2", "two runs side by side from now on"),
        ("lvmtui queue --first gru lstm/80k", "these before the others"),
        ("lvmtui queue --first gru@20", "one of several contexts"),
    ),
    "check": (
        ("lvmtui check small.npz large.npz", "before training"),
        ("lvmtui check books.parquet --vectors emb --article book", "which columns"),
        ("lvmtui check --split", "of a campaign"),
    ),
    "embed": (
        ("lvmtui embed texts/ --model sentence-transformers/all-MiniLM-L6-v2 -o v.npz", ""),
        ("lvmtui embed texts.jsonl --text-field body --model ./my-encoder -o v.npz", ""),
        ("lvmtui embed texts/ --model ./my-encoder -o v.npz --by paragraphs --half", ""),
    ),
    "doctor": (
        ("lvmtui doctor", "what is wrong with this machine, and what helps"),
        ("lvmtui doctor --again", "after new drivers or another torch"),
        ("lvmtui doctor --json", "for programs"),
    ),
    "import": (
        ("lvmtui import old/lstm_80k old/lstm_340k", "folders of two runs"),
        ("lvmtui import old/*_80k* --trained-on 80k.npz", "judge their weights"),
        ("lvmtui import old/lstm --arm 80k --context 10", "what they do not say"),
    ),
    "trainer": (
        ('lvmtui trainer test --command "{python} train.py"', "try it"),
        ("lvmtui trainer test --pattern 'loss (?P<loss>\\S+)' yesterday.log", "its log"),
        ("lvmtui trainer test --help", ""),
    ),
    "trainer test": (
        ('lvmtui trainer test --command "{python} train.py"', "try it"),
        ('lvmtui trainer test --command "{python} train.py" --checkpoints', "on TERM"),
        ("lvmtui trainer test --pattern 'loss (?P<loss>\\S+)' yesterday.log", "its log"),
    ),
    "watch": (
        ("lvmtui watch logs/", "all logs in a folder"),
        ("lvmtui watch train.log --pattern 'epoch (?P<epoch>\\d+) loss (?P<loss>\\S+)'", ""),
        ("lvmtui watch logs/ --once", "print the rows and stop"),
    ),
    "supervise": (
        ("lvmtui supervise", "as it starts by itself"),
        ("lvmtui supervise --workspace ~/vectors", "for another folder"),
        ("lvmtui supervise --poll", "on a shared file system"),
    ),
}
"""The commonest ways to type each command, with what they do, by the words that are typed after `lvmtui`."""
COMMON = {
    "demo": ("seeds", "jobs", "engine", "plan", "detach"),
    "run": ("baseline", "expanded", "data", "sizes", "models", "context", "seeds", "jobs", "engine", "plan", "detach"),
    "check": ("context", "vectors", "article", "order", "split", "campaign"),
    "embed": ("by", "device", "batch_size", "text_field"),
}
"""The options that `--help` shows of commands with too many for a screen. Of others it shows all but `RARE`."""
RARE = ("poll",)

OVERVIEW = (
    ("demo", "train five small models on bundled vectors, compare them"),
    ("run, attach", "plan and start a campaign on your vectors; follow it"),
    ("check", "facts and faults of vector files; the proof of a split"),
    ("embed", "make a vector file from texts"),
    ("doctor", "test this machine: torch, GPUs, memory, disk, terminal"),
    ("status, campaigns", "what every run is doing; what each campaign says"),
    ("pause, resume", "stop runs at a checkpoint and go on from it"),
    ("cancel, retry", "end runs for good; try them again"),
    ("queue", "how many runs train side by side, and which come first"),
    ("report, tensorboard", "write the comparison; write the curves"),
    ("serve", "show the screen in a browser"),
    ("trainer, watch", "try a trainer of your own; show logs of runs as rows"),
    ("import", "take in runs of the original experiment's trainers"),
)
"""The commands as `lvmtui --help` shows them. `supervise` starts by itself and is left to `--help-all`."""

# -- the form ----------------------------------------------------------------------------------------------------------


class Formatter(argparse.HelpFormatter):
    """`SIZE...` instead of `SIZE [SIZE ...]`, `--[no-]folds` instead of `--folds, --no-folds`."""

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs in ("+", "*"):
            (name,) = self._metavar_formatter(action, default_metavar)(1)
            return f"{name}..." if action.nargs == "+" else f"[{name}...]"
        return super()._format_args(action, default_metavar)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, argparse.BooleanOptionalAction):
            return action.option_strings[0].replace("--", "--[no-]", 1)
        if action.option_strings and action.nargs != 0:
            return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"
        return super()._format_action_invocation(action)

    def add_lines(self, rows: Sequence[tuple[str, str]], between: str) -> None:
        """Lines of two columns that stay as they are."""
        width = max((len(first) for first, second in rows if second), default=0)
        lines = (f"  {first:<{width}}{between}{second}" if second else f"  {first}" for first, second in rows)
        self._add_item("{}\n\n".format, ["\n".join(lines)])


class Parser(argparse.ArgumentParser):
    """Prints one line for a mistake instead of the whole usage, and a help that fits a screen."""

    def __init__(self, **more: Any) -> None:
        super().__init__(add_help=False, formatter_class=Formatter, **more)

    def error(self, message: str) -> NoReturn:
        then = "" if message.endswith("?") else ";"
        self.exit(ExitCode.USAGE, f"lvmtui: {message}{then} '{self.prog} --help' shows the options\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = "/".join(action.option_strings) or str(action.metavar or action.dest).lower()
            self.error(str(unknown(what, str(value), map(str, action.choices))))

    def format_help(self, everything: bool = False) -> str:
        name = self.prog.removeprefix(f"{ROOT} ")
        formatter = Formatter(f"{self.prog} [options]", max_help_position=28)
        needed = [action for action in self._actions if action.required or not action.option_strings]
        formatter.add_usage(self.usage, needed, [])
        formatter.add_text(self.description)
        formatter.add_lines(EXAMPLES[name], "  # ")
        if self.prog == ROOT and not everything:
            formatter.add_lines(OVERVIEW, "  ")
            formatter.add_text("'lvmtui COMMAND --help' shows more of each, 'lvmtui --help-all' every option.")
            return formatter.format_help()
        for group in sorted(self._action_groups, key=lambda group: group.title == EVERYWHERE):
            formatter.start_section("arguments" if group is self._positionals else group.title)
            formatter.add_arguments(
                action
                for action in group._group_actions
                if (everything or _is_common(action, COMMON.get(name))) and (action.option_strings or action.help)
            )
            formatter.end_section()
        return formatter.format_help()


class HelpAll(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        assert isinstance(parser, Parser)
        print(parser.format_help(everything=True), end="")
        parser.exit()


def _is_common(action: argparse.Action, common: Collection[str] | None) -> bool:
    if action.required or not action.option_strings or action.dest in ("help", "workspace"):
        return True
    return action.dest not in RARE if common is None else action.dest in common
