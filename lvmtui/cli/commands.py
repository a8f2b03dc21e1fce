"""The commands: each one reads its options, calls the room that knows, prints, and returns an exit code.

Data goes to stdout, words about it to stderr. Imports stand inside the commands: `lvmtui status` must answer at once,
and only the screen may import Textual.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import lvmtui
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.models import MODELS
from lvmtui.planning.options import Options
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import SHARED_MARK, is_shared

LOOKED_BACK = 5
"""Other campaigns that `status` looks at, the newest ones."""


class Exit(IntEnum):
    """What the shell is told."""

    OK = 0
    RUNS_FAILED = 1
    """The campaign is over, and a run of it failed, diverged or was cancelled."""
    USAGE = 2
    """An option, a file or the machine is not as it must be; one line on stderr says what."""
    LEFT = 130
    """Ctrl-C: the runs go on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = build_parser(engines=any(word in STARTING for word in arguments))
    given = parser.parse_args(arguments)
    if hasattr(given, "poll"):
        os.environ[SHARED_MARK] = "1"  # whoever is started from here is to know it too
    try:
        code = int(given.handler(given))
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"lvmtui: {error}", file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        print("\nlvmtui: interrupted; whatever runs goes on", file=sys.stderr)
        return Exit.LEFT
    except BrokenPipeError:  # `lvmtui status | head`
        _drop_output()
        return Exit.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        print(f"lvmtui: {where}{error.strerror or error}; see that it can be read and written", file=sys.stderr)
        _drop_output()
        return Exit.USAGE


def _drop_output() -> None:
    """What is still to be printed goes nowhere; Python would try once more at its end, and say so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# -- commands ------------------------------------------------------------------------------------------------------


def screen(given: argparse.Namespace) -> int:
    from lvmtui.ui.app import run

    workspace = workspace_of(given)
    campaign = campaign_of(given, workspace).id if hasattr(given, "campaign") else None
    return run(workspace, campaign=campaign, read_only=given.read_only, poll=is_shared(workspace.root))


def demo(given: argparse.Namespace) -> int:
    from lvmtui.planning import options

    return _start(given, options.demo())


def run(given: argparse.Namespace) -> int:
    from lvmtui.planning import options

    start = options.Options()
    if given.config:
        start = options.read_campaign_file(Path(given.config), start)
    if start.bundled and not (given.baseline or given.expanded or given.baseline_runs):
        raise UserError("run: name two vector files by --baseline and --expanded; 'lvmtui demo' has data of its own")
    return _start(given, start)


def _start(given: argparse.Namespace, start: Any) -> int:
    """Plan a campaign, show the plan, make sure somebody supervises it, follow it."""
    from lvmtui.planning import options
    from lvmtui.planning.describe import plan_as_json, plan_as_text
    from lvmtui.planning.plan import make_plan, write_plan

    workspace = workspace_of(given)
    chosen = options.merge(start, {k: v for k, v in vars(given).items() if k in OPTION_NAMES and v is not None}, "")
    chosen = options.merge(chosen, {"engine": _engine_of(given, chosen)}, "")
    say = _announcer()
    plan = make_plan(chosen, workspace, say)
    if given.plan:
        say("")
        print(json.dumps(plan_as_json(plan), indent=1) if given.json else plan_as_text(plan, _width()))
        return Exit.OK
    campaign = write_plan(plan, workspace, say)
    say("")
    print(plan_as_text(plan, _width()), flush=True)
    return _follow(workspace, workspace.campaign(campaign.id), given)


def _engine_of(given: argparse.Namespace, chosen: Options) -> dict[str, Any]:
    """The engine with what was given for it beside its name. Raises UserError for an option of another engine."""
    from lvmtui.supervisor.engines import kind, names

    told: dict[str, Any] = {"name": chosen.engine}
    own = {setting.name for setting in kind(chosen.engine).settings}
    for other in names():
        for name in (setting.name for setting in kind(other).settings):
            value = getattr(given, ENGINE_OPTION + name, None)
            if value is not None and name not in own:
                raise UserError(f"--{name}: an option of the {other} engine; add --engine {other}")
            if value is not None:
                told[name] = value
    return told


def attach(given: argparse.Namespace) -> int:
    workspace = workspace_of(given)
    return _follow(workspace, campaign_of(given, workspace), given)


def _follow(workspace: Workspace, folder: CampaignDir, given: argparse.Namespace) -> int:
    from lvmtui.cli.follow import follow, program
    from lvmtui.supervisor.ensure import ensure_supervisor

    print(ensure_supervisor(workspace), file=sys.stderr)
    if given.detach:
        print(f"campaign {folder.id} runs detached; come back with '{program()}'", file=sys.stderr)
        return Exit.OK
    return follow(workspace, folder, headless=given.headless)


def status(given: argparse.Namespace) -> int:
    from lvmtui.cli.status import status_as_json, status_as_text
    from lvmtui.state.reader import CampaignReader, supervisor_of

    workspace = workspace_of(given)
    state = CampaignReader(workspace, campaign_of(given, workspace)).refresh()
    supervisor = supervisor_of(workspace)
    if given.json:
        print(json.dumps(status_as_json(state, supervisor), indent=1))
        return Exit.OK
    print(status_as_text(state, supervisor))
    others = [f for f in workspace.campaign_dirs() if f.id != state.campaign.id]
    for other in others[-LOOKED_BACK:]:
        if not CampaignReader(workspace, other).refresh().settled:
            print(f"campaign {other.id} goes on here too: --campaign {other.id}")
    return Exit.OK


def report(given: argparse.Namespace) -> int:
    from lvmtui.report.make import render_report, write_report

    workspace = workspace_of(given)
    folder = campaign_of(given, workspace)
    if given.output == "-":
        print(render_report(workspace, folder.id, given.format), end="")
        return Exit.OK
    print(write_report(workspace, folder.id, given.format, Path(given.output) if given.output else None))
    return Exit.OK


def pause(given: argparse.Namespace) -> int:
    from lvmtui import orders

    return _order(given, orders.pause)


def resume(given: argparse.Namespace) -> int:
    from lvmtui import orders

    return _order(given, orders.resume)


def cancel(given: argparse.Namespace) -> int:
    from lvmtui import orders

    return _order(given, lambda views: orders.cancel(views, force=given.force))


def retry(given: argparse.Namespace) -> int:
    from lvmtui import orders

    return _order(given, lambda views: orders.retry(views, from_start=given.from_start))


def _order(given: argparse.Namespace, order: Callable[[Any], Sequence[str]]) -> int:
    from lvmtui import orders
    from lvmtui.state.reader import CampaignReader
    from lvmtui.supervisor.ensure import ensure_supervisor

    workspace = workspace_of(given)
    state = CampaignReader(workspace, campaign_of(given, workspace)).refresh()
    for line in order(orders.select(state, given.runs)):
        print(line)
    ensure_supervisor(workspace)
    return Exit.OK


def queue(given: argparse.Namespace) -> int:
    from lvmtui import orders
    from lvmtui.state.reader import CampaignReader
    from lvmtui.supervisor.ensure import ensure_supervisor

    workspace = workspace_of(given)
    state = CampaignReader(workspace, campaign_of(given, workspace)).refresh()
    if given.jobs is None and not given.first:
        raise UserError("queue: nothing to change; give --jobs N or --first RUN...")
    if given.jobs is not None:
        print(orders.set_jobs(state, given.jobs))
    if given.first:
        print(orders.set_order(state, orders.select(state, given.first)))
    ensure_supervisor(workspace)
    return Exit.OK


def check(given: argparse.Namespace) -> int:
    from lvmtui.datasets.check import check_as_json, check_as_text, check_files, check_split

    workspace = workspace_of(given)
    if given.split is not None and given.files:
        raise UserError("check: name vector files, or --split for a campaign's proof, not both")
    if given.split is not None:
        folder = workspace.campaign(given.split) if given.split else campaign_of(given, workspace)
        words, holds = check_split(folder)
        print(words)
        return Exit.OK if holds else Exit.RUNS_FAILED
    if not given.files:
        raise UserError("check: name one or two vector files, or --split for a campaign's proof")
    say = _announcer()
    found = check_files(
        [Path(f) for f in given.files],
        workspace.root,
        normalise=given.normalise,
        cross_articles=given.cross_articles,
        progress=lambda done, total: say(f"reading: {100 * done // max(total, 1)} %"),
    )
    say("")
    print(json.dumps(check_as_json(found), indent=1) if given.json else check_as_text(found))
    if found.files and not given.json:
        print(f"compact copies are kept in {workspace.datasets}, for the next look and for campaigns", file=sys.stderr)
    return Exit.USAGE if found.faults else Exit.OK


def import_runs(given: argparse.Namespace) -> int:
    from lvmtui.legacy.importer import import_folders

    for line in import_folders(
        workspace_of(given), [Path(f) for f in given.folders], arm=given.arm, trained_on=given.trained_on
    ):
        print(line)
    return Exit.OK


def supervise(given: argparse.Namespace) -> int:
    from lvmtui.supervisor.supervisor import main as supervise_workspace

    return supervise_workspace(workspace_of(given))


# -- options -------------------------------------------------------------------------------------------------------

OPTION_NAMES = frozenset(f.name for f in dataclasses.fields(Options)) - {"engine_settings"}
ENGINE_OPTION = "engine_option_"
"""Before the names of what only engines know, so that they are in nobody's way."""
STARTING = ("run", "demo")
"""Commands that start something; only they make it worth asking every engine what it can be told."""


class Parser(argparse.ArgumentParser):
    """One line for a wrong option, not the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"lvmtui: {message}; '{self.prog} --help' shows the options\n")


def build_parser(*, engines: bool = True) -> argparse.ArgumentParser:
    """All commands and their options; `engines` False leaves out those that the engines add."""
    common = Parser(add_help=False)
    common.add_argument("--workspace", metavar="DIR", default=argparse.SUPPRESS, help="default: the current folder")
    common.add_argument(
        "--poll",
        action="store_true",
        default=argparse.SUPPRESS,
        help="the workspace is on a file system that hosts share: look for changes instead of waiting for the "
        "kernel's word; most such file systems are known as such without it",
    )
    chosen = Parser(add_help=False)
    chosen.add_argument(
        "--campaign", metavar="ID", default=argparse.SUPPRESS, help="default: the newest; a part of the id will do"
    )

    parser = Parser(prog="lvmtui", description=lvmtui.__doc__, parents=[common, chosen])
    parser.set_defaults(handler=screen)
    parser.add_argument("--version", action="version", version=f"lvmtui {lvmtui.__version__}")
    parser.add_argument("--read-only", action="store_true", help="the screen shows, and changes nothing")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def command(name: str, handler: Callable[[argparse.Namespace], int], words: str, *parents: Parser) -> Parser:
        added: Parser = commands.add_parser(name, help=words, description=words, parents=[common, *parents])
        added.set_defaults(handler=handler)
        return added

    watching = Parser(add_help=False)
    watching.add_argument("--detach", action="store_true", help="start and return at once")
    watching.add_argument("--headless", action="store_true", help="plain lines instead of a live table")

    starting = _starting_options(watching)
    if engines:
        _add_engine_options(starting)
    command("demo", demo, "train five small models on the bundled Wikipedia vectors and compare", starting)
    added = command("run", run, "plan a campaign on two vector files, start it and follow it", starting)
    added.add_argument("config", nargs="?", metavar="CONFIG.toml", help="a campaign file; options given beside it win")
    command("attach", attach, "follow the campaign that runs here", chosen, watching)

    added = command("status", status, "what every run is doing", chosen)
    added.add_argument("--json", action="store_true", help="for programs")

    added = command("report", report, "write the comparison again, also while runs are missing", chosen)
    added.add_argument("--format", choices=("md", "json", "csv"), default="md", help="default: md")
    added.add_argument("--output", metavar="FILE", help="instead of the usual place; - for stdout")

    runs = Parser(add_help=False)
    runs.add_argument(
        "runs", nargs="+", metavar="RUN", help="model, model/arm, model/arm/seed, name of the run folder, or all"
    )
    command("pause", pause, "checkpoint, free the memory, leave; survives a reboot", chosen, runs)
    command("resume", resume, "go on where it was paused", chosen, runs)
    added = command("cancel", cancel, "end a run; what it has achieved stays readable", chosen, runs)
    added.add_argument("--force", action="store_true", help="do not wait for it to leave by itself")
    added = command("retry", retry, "try a failed or cancelled run again, from its last good checkpoint", chosen, runs)
    added.add_argument("--from-start", action="store_true", help="forget what it has learned")
    added = command("queue", queue, "change how many runs go side by side, or which come first", chosen)
    added.add_argument("--jobs", type=int, metavar="N", help="runs side by side")
    added.add_argument("--first", nargs="+", metavar="RUN", help="these before the others, in this order")

    added = command("check", check, "facts and faults of vector files, or the proof of a campaign's split", chosen)
    added.add_argument("files", nargs="*", metavar="FILE")
    added.add_argument("--json", action="store_true", help="for programs")
    added.add_argument("--cross-articles", action="store_true", help="windows may cross from article to article")
    added.add_argument("--normalise", action="store_true", help="scale rows that are not of unit length")
    added.add_argument(
        "--split", nargs="?", const="", metavar="CAMPAIGN", help="prove that a split does not leak; default: the newest"
    )

    added = command("import", import_runs, "take in runs of the original experiment's trainers")
    added.add_argument("folders", nargs="+", metavar="FOLDER")
    added.add_argument("--arm", metavar="LABEL", help="the arm of folders that do not tell")
    added.add_argument("--trained-on", metavar="FILE", help="the vectors they were trained on")

    command("supervise", supervise, "see to the campaigns of the workspace; started by itself when needed")
    return parser


def _starting_options(watching: Parser) -> Parser:
    options = Parser(add_help=False, parents=[watching])
    add = options.add_argument
    add("--baseline", metavar="FILE", help="vectors of the small arm (.npz, .npy)")
    add("--expanded", metavar="FILE", help="vectors of the large arm")
    add("--models", nargs="+", metavar="MODEL", help=f"of {', '.join(MODELS)}; default: all")
    add("--size", metavar="small|full", help="of the models; default: full, in the demo small")
    how = "trained as the original did, or for the best cosine in less time; default: reference, in the demo tuned"
    add("--recipe", metavar="reference|tuned", help=how)
    add(
        "--epochs",
        type=float,
        metavar="N",
        help="passes over the training windows (of the larger arm, with tuned); default: the recipe's",
    )
    add("--batch-size", type=int, metavar="N", help="windows a step; default: the recipe's")
    add("--rate", type=float, metavar="LR", help="AdamW's learning rate at its peak")
    add(
        "--seeds",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers, as 1 2 3: with each, every model trains on both arms",
    )
    add("--split-seed", type=int, metavar="N", help="another draw of the held-out windows")
    add("--device", metavar="auto|cpu|cuda|mps", help="default: auto, a GPU where there is one")
    add("--jobs", type=int, metavar="N", help="runs side by side")
    add("--threads", type=int, metavar="N", help="CPU threads of a run")
    add("--labels", nargs=2, metavar=("SMALL", "LARGE"), help="names of the arms; default: 80k for 80,634 vectors")
    add("--arms", metavar="both|expanded", help="expanded: compare with --baseline-runs")
    add("--baseline-runs", nargs="+", metavar="FOLDER", help="finished runs that serve as the baseline")
    add("--cross-articles", action="store_true", default=None, help="windows may cross from article to article")
    add("--normalise", action="store_true", default=None, help="scale rows that are not of unit length")
    add("--stall-timeout", type=float, metavar="S", help="start a run again that makes no step for S seconds")
    add("--plan", action="store_true", help="show the plan and stop")
    add("--json", action="store_true", help="with --plan: as JSON")
    return options


def _add_engine_options(options: Parser) -> None:
    """What engines other than this machine's can be told."""
    from lvmtui.supervisor.engines import kind, names

    added: set[str] = set()
    group = options.add_argument_group("engines")
    group.add_argument("--engine", metavar="|".join(names()), help="who runs the runs; default: local, this machine")
    for setting in (setting for name in names() for setting in kind(name).settings):
        if setting.name not in added:
            added.add(setting.name)
            more: dict[str, Any] = {"action": "append"} if setting.many else {}
            words = setting.words.replace("%", "%%")
            where = ENGINE_OPTION + setting.name
            group.add_argument(f"--{setting.name}", metavar=setting.metavar, dest=where, help=words, **more)


# -- what the commands share ---------------------------------------------------------------------------------------


def workspace_of(given: argparse.Namespace) -> Workspace:
    """The workspace named; it need not hold anything yet. Raises UserError if it is no folder."""
    named = getattr(given, "workspace", ".")  # not set as a default: a command's would hide what stands before it
    root = Path(named).expanduser()
    if not root.is_dir():
        raise UserError(f"--workspace {named}: no such folder; make it or name another")
    return Workspace(root.resolve())


def campaign_of(given: argparse.Namespace, workspace: Workspace) -> CampaignDir:
    """The campaign named by its id or a part of it, or the newest. Raises UserError."""
    from lvmtui.state.reader import newest_campaign

    named = getattr(given, "campaign", None)
    if named is None:
        return newest_campaign(workspace)
    folders = workspace.campaign_dirs()
    exact = [f for f in folders if f.id == named]
    found = exact or [f for f in folders if named in f.id]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f.id for f in (found or folders)[-5:]) or "none"
    what = "means more than one" if found else "is not here"
    which = "the newest campaigns" if len(found or folders) > 5 else "campaigns"
    raise UserError(f"--campaign {named} {what}; {which}: {known}")


def _width() -> int:
    """Characters of a line; pipes and files take any."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _announcer() -> Callable[[str], None]:
    """Says on stderr what takes a while; on a terminal in one line that is overwritten."""
    terminal = sys.stderr.isatty()

    def say(words: str) -> None:
        if terminal:
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)

    return say
