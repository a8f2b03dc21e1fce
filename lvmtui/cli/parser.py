"""The command line as argparse knows it. Options of a campaign come from the table in `lvmtui/planning/options.py`.

What carries a command out is in `HANDLERS` of `lvmtui/cli/commands.py`.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import lvmtui
from lvmtui.cli.help import EVERYWHERE, ROOT, HelpAll, Parser
from lvmtui.embed.documents import UNITS
from lvmtui.formats.paths import FORMATS
from lvmtui.formats.spec import VECTOR_FILES
from lvmtui.planning.options import GROUPS, OPTIONS, RUNNING, Option

ENGINE_OPTION = "engine_option_"
"""Prefix of the attributes for options that an engine declares, so that they cannot clash with others."""
STARTING = ("run", "demo")
"""Commands that start a campaign. Only for them is every engine asked which options it has."""
ONE_CONTEXT = replace(OPTIONS["context"], count=1, help="vectors in a context; default: 5")
"""Of commands that take one context, not several to compare."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. A mistake ends the process with one line and exit code 2."""
    given, rest = build_parser(starting=any(word in STARTING for word in arguments)).parse_known_args(arguments)
    if rest:
        used = given.parser
        wrong = next((word for word in rest if word.startswith("-")), rest[0]).partition("=")[0]
        if not wrong.startswith("-"):
            vectors = wrong.endswith(VECTOR_FILES) and used.prog.endswith(STARTING)
            named = "; name vector files with --baseline and --expanded" if vectors else ""
            used.error(f"{wrong}: not expected here{named}")
        near = difflib.get_close_matches(wrong, used._option_string_actions, n=1)
        used.error(f"{wrong}: no such option" + (f", did you mean {near[0]}?" if near else ""))
    return given


def build_parser(*, starting: bool = True) -> argparse.ArgumentParser:
    """All commands and their options. `starting` False leaves out the options of a campaign, for speed."""
    common, chosen = _everywhere()
    campaign = Parser()
    if starting:
        _add_campaign_options(campaign)
    runs = Parser()
    runs.add_argument(
        "runs", nargs="+", metavar="RUN", help="model, model/arm, model/arm/seed, the name of a run folder, or all"
    )

    parser = Parser(prog=ROOT, parents=[common, chosen])
    parser.usage = "lvmtui [--workspace DIR] [--campaign ID] [--read-only] [COMMAND ...]"
    parser.description = "train latent vector models on small and large data, watch, control, and judge"
    parser.set_defaults(command="screen", parser=parser)
    parser.add_argument("--version", action="version", version=f"lvmtui {lvmtui.__version__}")
    parser.add_argument("--read-only", action="store_true", help="show the screen without the keys that change things")
    commands = parser.add_subparsers(
        title="commands", prog=ROOT, metavar="COMMAND", help="its options: lvmtui COMMAND --help", parser_class=Parser
    )

    def command(name: str, words: str, *parents: Parser) -> Parser:
        added: Parser = commands.add_parser(name, help=words, description=words, parents=[common, *parents])
        added.set_defaults(command=name, parser=added)
        return added

    command("demo", "train five small models on the bundled Wikipedia vectors and compare", campaign)
    added = command("run", "plan a campaign on two or more data sets, start it and follow it", campaign, chosen)
    added.add_argument("config", nargs="?", metavar="CONFIG.toml", help="a campaign file; options beside it win")
    added.add_argument(
        "--add-sizes",
        action="extend",
        nargs="+",
        metavar="SIZE",
        help="extend a finished campaign (--campaign, or the newest): takes over its runs, all or those of --models",
    )
    _add_following(command("attach", "follow the campaign that runs in this workspace", chosen))

    added = command("status", "what every run is doing", chosen)
    added.add_argument("--json", action="store_true", help="for programs")

    added = command("campaigns", "the campaigns of this workspace, and what each of them says")
    added.add_argument("--json", action="store_true", help="for programs")

    added = command("serve", "show the screen in a browser on this machine", chosen)
    added.add_argument("--port", type=int, default=8717, metavar="N", help="default: 8717")
    added.add_argument("--control", action="store_true", help="with the keys that change things; default: read-only")
    added = command("tensorboard", "write the curves as TensorBoard event files", chosen)
    added.add_argument("-o", "--output", metavar="DIR", help="default: logs/tensorboard in the workspace")
    added.add_argument("--once", action="store_true", help="write what is there now; do not go on while runs go on")
    _add_report_options(command("report", "write the comparison again, also while runs are missing", chosen))

    command("pause", "save a checkpoint, free the memory and stop; survives a reboot", chosen, runs)
    command("resume", "continue a paused run from its checkpoint", chosen, runs)
    added = command("cancel", "end a run for good; what it has achieved stays readable", chosen, runs)
    added.add_argument("--force", action="store_true", help="kill it without waiting for it to stop by itself")
    added = command("retry", "try a failed or cancelled run again, from its last good checkpoint", chosen, runs)
    added.add_argument("--from-start", action="store_true", help="from the start, without the checkpoint")
    added = command("queue", "change how many runs train side by side, or which come first", chosen)
    added.add_argument("--jobs", type=int, metavar="N", help="runs side by side")
    added.add_argument(
        "--first", action="extend", nargs="+", metavar="RUN", help="runs to start before the others, in this order"
    )

    added = command("check", "facts and faults of vector files, or the proof of a campaign's split", chosen)
    added.add_argument("files", nargs="*", metavar="FILE")
    added.add_argument("--json", action="store_true", help="for programs")
    for name in ("context", "cross_articles", "vectors", "article", "order", "normalise", "same"):
        _add_option(added, ONE_CONTEXT if name == "context" else OPTIONS[name])
    added.add_argument(
        "--split",
        nargs="?",
        const="",
        metavar="CAMPAIGN",
        help="prove that no held-out vector is trained on; default: the newest campaign. FILEs: its vectors, if moved",
    )

    _add_embed_options(command("embed", "make a vector file from texts: a folder of text files, or JSON lines"))

    added = command("doctor", "test this machine: torch, GPUs, memory, disk, terminal; say what to do about faults")
    added.add_argument("--again", action="store_true", help="test devices again that were tested before")
    added.add_argument("--json", action="store_true", help="for programs")

    added = command("import", "take in runs of the original experiment's trainers")
    added.add_argument("folders", nargs="+", metavar="FOLDER")
    added.add_argument("--arm", metavar="LABEL", help="the arm of folders that do not name one")
    added.add_argument("--trained-on", metavar="FILE", help="the vectors they were trained on")
    _add_option(added, ONE_CONTEXT)

    _add_own_trainers(command, common)
    command("supervise", "look after the campaigns of the workspace; started automatically when needed")
    return parser


def _everywhere() -> tuple[Parser, Parser]:
    """The options of every command, and of those that ask for a campaign."""
    common = Parser()
    group = common.add_argument_group(EVERYWHERE)
    group.add_argument("--workspace", metavar="DIR", default=argparse.SUPPRESS, help="default: the current folder")
    group.add_argument("--cache", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    group.add_argument(
        "--poll",
        action="store_true",
        default=argparse.SUPPRESS,
        help="look for changes at intervals: for a file system shared between hosts that is not recognised as one",
    )
    group.add_argument("-h", "--help", action="help", help="show this help; --help-all shows every option")
    group.add_argument("--help-all", action=HelpAll, nargs=0, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    chosen = Parser()
    chosen.add_argument_group(EVERYWHERE).add_argument(
        "--campaign", metavar="ID", default=argparse.SUPPRESS, help="default: the newest; part of the id is enough"
    )
    return common, chosen


def _add_choice(parser: Parser, flag: str, choices: Sequence[str], **more: Any) -> None:
    parser.add_argument(flag, choices=choices, metavar="|".join(choices), **more)


def _add_embed_options(parser: Parser) -> None:
    parser.add_argument("texts", metavar="DIR|FILE.jsonl")
    parser.add_argument(
        "--model", required=True, metavar="NAME|FOLDER", help="a sentence-transformers model, by name or in a folder"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.npz")
    _add_choice(parser, "--by", UNITS, default=UNITS[0], help="what becomes one vector; default: sentences")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where the model runs")
    parser.add_argument("--batch-size", type=int, metavar="N", help="texts at a time; default: 64")
    parser.add_argument("--half", action="store_true", help="keep float16: half the file, three digits")
    parser.add_argument("--text-field", metavar="NAME", help="field of a JSON line with the text; default: found")
    parser.add_argument("--title-field", metavar="NAME", help="field of a JSON line with the title; default: found")


def _add_report_options(added: Parser) -> None:
    _add_choice(added, "--format", tuple(FORMATS), help="default: as --output is named, or md")
    added.add_argument(
        "-o", "--output", metavar="FILE", help="write to this file; - for stdout. Markdown brings its pictures along"
    )
    _add_choice(added, "--table", ("runs", "curves", "heldout", "comparisons"), help="as CSV: this table, in full")
    added.add_argument(
        "--self-contained", action="store_true", help="Markdown that holds its pictures itself; HTML always does"
    )


def _add_own_trainers(command: Callable[..., Parser], common: Parser) -> None:
    """Commands for trainers of a user's own."""
    added = command("trainer", "try a trainer of your own, or what a pattern understands of its log")
    tests = added.add_subparsers(title="what", metavar="test", required=True, parser_class=Parser)
    words = "try a command on bundled vectors, or a pattern on a log"
    added = tests.add_parser("test", help=words, description=words, parents=[common])
    added.set_defaults(parser=added)
    added.add_argument("log", nargs="*", metavar="LOGFILE", help="with --pattern: logs to read")
    added.add_argument("--command", dest="trainer", metavar="COMMAND", help="as in [trainers.NAME] of a campaign file")
    added.add_argument(
        "--pattern", action="append", metavar="REGEX", help="with named groups; several are tried in turn"
    )
    added.add_argument(
        "--checkpoints", action="store_true", help="it writes a checkpoint on TERM, as checkpoints = true"
    )
    added.add_argument("--seconds", type=float, default=60.0, metavar="N", help="how long, once begun; default: 60")

    added = command("watch", "show logs of runs that lvmtui did not start, as rows; read only")
    added.add_argument("places", nargs="+", metavar="FOLDER", help="folders with logs, or log files")
    added.add_argument(
        "--pattern", action="append", metavar="REGEX", help="with named groups; default: some usual ones"
    )
    added.add_argument("--once", action="store_true", help="print the rows and stop")


def _add_following(group: argparse._ActionsContainer) -> None:
    group.add_argument("--detach", action="store_true", help="start and return at once")
    group.add_argument("--headless", action="store_true", help="print plain lines instead of a live table")


def _add_campaign_options(parser: Parser) -> None:
    from lvmtui.supervisor.engine import kind, names

    groups = {title: parser.add_argument_group(title) for title in GROUPS}
    for declared in OPTIONS.values():
        if declared.name != "engine":
            _add_option(groups[declared.group], declared)
    running = groups[RUNNING]
    running.add_argument("--engine", metavar="|".join(names()), help=OPTIONS["engine"].help)
    running.add_argument("--plan", action="store_true", help="show the plan and stop")
    running.add_argument("--json", action="store_true", help="with --plan: as JSON")
    running.add_argument("--yes", action="store_true", help="start whatever there is to doubt; do not ask")
    _add_following(running)
    engines = parser.add_argument_group("engines")  # an option that several declare is there once
    for setting in {one.name: one for name in names() for one in kind(name).settings}.values():
        more: dict[str, Any] = {"action": "append"} if setting.many else {}
        words, where = setting.words.replace("%", "%%"), ENGINE_OPTION + setting.name
        engines.add_argument(f"--{setting.name}", metavar=setting.metavar, dest=where, help=words, **more)


def _add_option(parser: argparse._ActionsContainer, declared: Option) -> None:
    """One option of the table. Values stay text; `combine` converts and checks them, as it does those of a file."""
    flag, help = f"--{declared.key}", declared.help.replace("%", "%%")
    if declared.type is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help)
        return
    metavar = declared.metavar or "|".join(declared.choices)
    more: dict[str, Any] = {}
    if declared.several:  # what is given twice is one list
        more = {"action": "extend", "nargs": declared.count or "+"}
        help = f"{', '.join(declared.choices)}: {help}" if declared.choices else help
    parser.add_argument(flag, metavar=metavar, help=help, **more)
