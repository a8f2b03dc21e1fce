"""The commands. Each one takes its parsed options, calls the package that does the work, prints, and returns an exit
code.

Results go to stdout, progress and remarks to stderr. Imports are inside the commands: `lvmtui status` must answer at
once, and only the screen may import Textual.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvmtui.cli.parser import USAGE, given_options, parse
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.spec import USUAL_CONTEXT, Reading
from lvmtui.planning import options
from lvmtui.planning.options import OPTIONS, Options
from lvmtui.planning.read_options import Given, combine, naming_the_file, read_campaign_file, read_value
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import SHARED_MARK, is_shared

if TYPE_CHECKING:
    from lvmtui.planning.extend import Extension

LOOKED_BACK = 5
"""How many other campaigns `status` looks at, the newest ones."""
WIPE = "\r\x1b[K"
"""Clears the line of a terminal in which progress is shown."""


class Exit(IntEnum):
    """Exit codes of the commands."""

    OK = 0
    RUNS_FAILED = 1
    """The campaign is over, and a run of it failed, diverged or was cancelled."""
    USAGE = USAGE
    """An option, a file or the machine is not as it must be. One line on stderr says what."""
    LEFT = 130
    """Ctrl-C. The runs go on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character gets a question mark
    given = parse(sys.argv[1:] if arguments is None else arguments)
    if hasattr(given, "poll"):
        os.environ[SHARED_MARK] = "1"  # for the processes started from here
    try:
        code = int(HANDLERS[given.command](given))
        sys.stdout.flush()
        return code
    except UserError as error:
        _say_fault(str(error))
        return Exit.USAGE
    except KeyboardInterrupt:
        print("\nlvmtui: interrupted; runs that were started go on", file=sys.stderr)
        return Exit.LEFT
    except BrokenPipeError:  # `lvmtui status | head`
        _drop_output()
        return Exit.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        _say_fault(f"{where}{error.strerror or error}; make sure that it can be read and written")
        _drop_output()
        return Exit.USAGE


def _say_fault(words: str) -> None:
    """One line on stderr, in place of what `_announcer` shows there."""
    print(f"{WIPE if sys.stderr.isatty() else ''}lvmtui: {words}", file=sys.stderr)


def _drop_output() -> None:
    """Send what is still buffered to /dev/null. Otherwise Python would try again when it exits, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# -- commands ------------------------------------------------------------------------------------------------------


def screen(given: argparse.Namespace) -> int:
    from lvmtui.ui.app import run

    workspace = workspace_of(given)
    campaign = campaign_of(given, workspace).id if hasattr(given, "campaign") else None
    return run(workspace, campaign=campaign, read_only=given.read_only, poll=is_shared(workspace.root))


def serve(given: argparse.Namespace) -> int:
    try:
        from lvmtui.ui.serve import serve as serve_screen
    except ImportError:
        raise UserError("serve: textual-serve is not installed; pip install 'lvmtui[serve]'") from None

    workspace = workspace_of(given)
    campaign = campaign_of(given, workspace).id if hasattr(given, "campaign") else None
    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: not a port; give a number from 1 to 65535")
    serve_screen(workspace, campaign=campaign, port=given.port, control=given.control)
    return Exit.OK


def demo(given: argparse.Namespace) -> int:
    return _start(given, options.demo(), Given({}))


def run(given: argparse.Namespace) -> int:
    file = read_campaign_file(Path(given.config)) if given.config else Given({})
    named = {*file.values, *given_options(given).values}
    if given.add_sizes:
        return _add_sizes(given, named)
    if not {"baseline", "expanded", "baseline_runs", "data"} & named:
        raise UserError(
            "run: name two vector files with --baseline and --expanded, or one with --data and --sizes; 'lvmtui demo' "
            "has its own data"
        )
    return _start(given, Options(), file)


def _add_sizes(given: argparse.Namespace, named: set[str]) -> int:
    """Plan a finished campaign again with more sizes, and start what is new."""
    from lvmtui.planning.extend import read_extension

    if fixed := sorted(named - {"jobs", "threads", "stall_timeout", "engine"}):
        option = fixed[0].replace("_", "-")
        raise UserError(f"--{option}: with --add-sizes all is as in the campaign that is extended; leave it out")
    workspace = workspace_of(given)
    extended = read_extension(workspace, campaign_of(given, workspace))
    return _start(given, extended.options(given.add_sizes), Given({}), extended)


def _start(given: argparse.Namespace, start: Options, file: Given, extended: Extension | None = None) -> int:
    """Plan a campaign, show the plan, make sure a supervisor runs, follow the campaign."""
    from lvmtui.datasets.convert import move_stores
    from lvmtui.planning.describe import plan_as_json, plan_as_text
    from lvmtui.planning.plan import make_plan, write_plan

    workspace = workspace_of(given)
    chosen = combine(start, file, given_options(given))
    say = _announcer()
    if workspace.cache is not None and not given.plan:
        move_stores(workspace.cache, workspace.root)
    with naming_the_file(file, given_options(given)):
        plan = make_plan(chosen, workspace, say, extended)
    if given.plan:
        say("")
        print(json.dumps(plan_as_json(plan), indent=1) if given.json else plan_as_text(plan, _width()))
        return Exit.OK
    if plan.power.smallest is None and not given.yes:
        say("")
        _ask_whether_to_train(plan.power.words)
    campaign = write_plan(plan, workspace, say)
    say("")
    print(plan_as_text(plan, _width()), flush=True)
    return _follow(workspace, workspace.campaign(campaign.id), given)


def _ask_whether_to_train(power: str) -> None:
    """Ask on a terminal; elsewhere, where nobody can answer, only say it. Raises UserError for no."""
    print(f"lvmtui: each model's verdict {power}", file=sys.stderr, flush=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print("Train all the same? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("nothing was started; give a larger file, or --yes to train all the same")


def attach(given: argparse.Namespace) -> int:
    workspace = workspace_of(given)
    return _follow(workspace, campaign_of(given, workspace), given)


def _follow(workspace: Workspace, folder: CampaignDir, given: argparse.Namespace) -> int:
    from lvmtui.cli.follow import follow, program
    from lvmtui.supervisor.container import ends_the_container
    from lvmtui.supervisor.lock import ensure_supervisor

    if given.detach and ends_the_container():
        raise UserError("--detach: this is the first process of its container, which ends with it; leave it out")
    print(ensure_supervisor(workspace), file=sys.stderr)
    if given.detach:
        print(f"campaign {folder.id} runs detached; come back with '{program()}'", file=sys.stderr)
        return Exit.OK
    return follow(workspace, folder, headless=given.headless)


def status(given: argparse.Namespace) -> int:
    from lvmtui.cli.status import status_as_json, status_as_text
    from lvmtui.state.campaign_reader import CampaignReader, supervisor_of

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
            print(f"campaign {other.id} is not over either: --campaign {other.id}")
    return Exit.OK


def campaigns(given: argparse.Namespace) -> int:
    from lvmtui.cli.campaigns import campaigns_as_json, campaigns_as_text

    workspace = workspace_of(given)
    print(json.dumps(campaigns_as_json(workspace), indent=1) if given.json else campaigns_as_text(workspace))
    return Exit.OK


def report(given: argparse.Namespace) -> int:
    from lvmtui.cli.report import report as write

    write(given, campaign_of(given, workspace_of(given)))
    return Exit.OK


def tensorboard(given: argparse.Namespace) -> int:
    from lvmtui.cli.tensorboard import write

    workspace = workspace_of(given)
    write(given, workspace, campaign_of(given, workspace))
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
    from lvmtui.state.campaign_reader import CampaignReader
    from lvmtui.supervisor.lock import ensure_supervisor

    workspace = workspace_of(given)
    state = CampaignReader(workspace, campaign_of(given, workspace)).refresh()
    for line in order(orders.select(state, given.runs)):
        print(line)
    ensure_supervisor(workspace)
    return Exit.OK


def queue(given: argparse.Namespace) -> int:
    from lvmtui import orders
    from lvmtui.state.campaign_reader import CampaignReader
    from lvmtui.supervisor.lock import ensure_supervisor

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
    from lvmtui.datasets.check import check_files
    from lvmtui.datasets.check_text import check_as_json, check_as_text
    from lvmtui.datasets.proof import prove_campaign

    workspace = workspace_of(given)
    if given.split is not None and given.files:
        raise UserError("check: name vector files, or give --split for a campaign's proof, not both")
    if given.split is not None:
        folder = workspace.campaign(given.split) if given.split else campaign_of(given, workspace)
        words, holds = prove_campaign(folder)
        print(words)
        return Exit.OK if holds else Exit.RUNS_FAILED
    if not given.files:
        raise UserError("check: name one or two vector files, or give --split for a campaign's proof")
    say = _announcer()
    found = check_files(
        [Path(f) for f in given.files],
        workspace.root,
        normalise=given.normalise,
        cross_articles=given.cross_articles,
        reading=Reading(given.vectors or "", given.article or "", given.order or ""),
        same=None if given.same is None else read_value(OPTIONS["same"], given.same, "--same"),
        context=_one_context(given.context),
        cache=workspace.cache,
        progress=lambda done, total: say(f"reading: {100 * done // max(total, 1)} %"),
    )
    say("")
    print(json.dumps(check_as_json(found), indent=1) if given.json else check_as_text(found))
    if found.files and not given.json:
        print(f"compact copies are kept in {workspace.datasets} for the next check and for campaigns", file=sys.stderr)
    return Exit.USAGE if found.faults else Exit.OK


def import_runs(given: argparse.Namespace) -> int:
    from lvmtui.legacy.importer import import_folders

    folders, context = [Path(f) for f in given.folders], _one_context(given.context)
    for line in import_folders(workspace_of(given), folders, given.arm, given.trained_on, context):
        print(line)
    return Exit.OK


def embed(given: argparse.Namespace) -> int:
    from lvmtui.cli.embed import embed_texts

    embed_texts(given, _announcer())
    return Exit.OK


def _one_context(given: Sequence[str] | None) -> int:
    """The context that was given to a command which takes one."""
    values = (USUAL_CONTEXT,) if given is None else read_value(OPTIONS["context"], given, "--context")
    if len(values) > 1:
        raise UserError(f"--context: {' '.join(map(str, values))} are several; this command takes one")
    return int(values[0])


def doctor(given: argparse.Namespace) -> int:
    from lvmtui.cli.doctor import doctor as examine

    return Exit.OK if examine(given, workspace_of(given).root) else Exit.RUNS_FAILED


def trainer(given: argparse.Namespace) -> int:
    from lvmtui.cli.trainer_test import pattern_report, try_trainer

    patterns = given.pattern or []
    if given.log is not None:
        if not patterns or given.trainer:
            raise UserError("trainer test LOGFILE: needs --pattern, and no --command")
        lines, understood = pattern_report(patterns, Path(given.log))
        print("\n".join(lines))
        return Exit.OK if understood else Exit.RUNS_FAILED
    if not given.trainer:
        raise UserError("trainer test: give --command, or --pattern and a log file")
    code = Exit.OK
    print(f"trying it on bundled vectors for up to {given.seconds:.0f} s", file=sys.stderr)
    for found in try_trainer(
        given.trainer, patterns, checkpoints=given.checkpoints, folder=Path.cwd(), limit=given.seconds
    ):
        print(found.line, flush=True)
        if found.needed and not found.works:
            code = Exit.RUNS_FAILED
    return code


def watch(given: argparse.Namespace) -> int:
    from lvmtui.cli.watch_logs import watch as watch_logs

    once = given.once or not sys.stdout.isatty()
    return Exit.OK if watch_logs([Path(p) for p in given.places], given.pattern or [], once=once) else Exit.RUNS_FAILED


def supervise(given: argparse.Namespace) -> int:
    from lvmtui.supervisor.supervisor import main as supervise_workspace

    return supervise_workspace(workspace_of(given))


# -- what the commands share ---------------------------------------------------------------------------------------


def workspace_of(given: argparse.Namespace) -> Workspace:
    """The workspace that was named. It may be empty. Raises UserError if it is not a folder."""
    named = getattr(given, "workspace", ".")  # no default in argparse: a command's would hide a --workspace before it
    root = Path(named).expanduser()
    if not root.is_dir():
        raise UserError(f"--workspace {named}: no such folder; make it or name another")
    cache = getattr(given, "cache", None)
    return Workspace(root.resolve(), None if cache is None else Path(cache))


def campaign_of(given: argparse.Namespace, workspace: Workspace) -> CampaignDir:
    """The campaign named by its id or part of it; the newest if none is named. Raises UserError."""
    from lvmtui.state.campaign_reader import newest_campaign

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
    """Characters in a line of the terminal; for a pipe or a file, more than any line has."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _announcer() -> Callable[[str], None]:
    """A function that shows progress on stderr: on a terminal one line that is overwritten, elsewhere nothing."""
    terminal = sys.stderr.isatty()

    def say(words: str) -> None:
        if terminal:
            print(f"{WIPE}{words}", end="", file=sys.stderr, flush=True)

    return say


HANDLERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "screen": screen,
    "serve": serve,
    "demo": demo,
    "run": run,
    "attach": attach,
    "status": status,
    "campaigns": campaigns,
    "report": report,
    "tensorboard": tensorboard,
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "retry": retry,
    "queue": queue,
    "check": check,
    "doctor": doctor,
    "embed": embed,
    "import": import_runs,
    "trainer": trainer,
    "watch": watch,
    "supervise": supervise,
}
"""The commands by the names that `parser.py` gives them."""
