"""The commands. Each one takes its parsed options, calls the package that does the work, prints, and returns an exit
code.

Results go to stdout, progress and remarks to stderr. Imports are inside the commands: `lvmtui status` must answer at
once, and only the screen may import Textual.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvmtui.cli.parser import parse
from lvmtui.cli.shared import WIPE, ExitCode, announcer, campaign_of, line_width, named_campaign, workspace_of
from lvmtui.formats.json_codec import encode
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import USUAL_CONTEXT, Reading
from lvmtui.planning.options import OPTIONS
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import SHARED_MARK, is_shared

if TYPE_CHECKING:
    from lvmtui.state.campaign_reader import CampaignState

LOOKED_BACK = 5
"""How many other campaigns `status` looks at, the newest ones."""


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
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("\nlvmtui: interrupted; runs that were started go on", file=sys.stderr)
        return ExitCode.LEFT
    except BrokenPipeError:  # `lvmtui status | head`
        _drop_output()
        return ExitCode.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        _say_fault(f"{where}{error.strerror or error}; make sure that it can be read and written")
        _drop_output()
        return ExitCode.USAGE


def _say_fault(words: str) -> None:
    """One line on stderr, in place of the progress that `announcer` shows there."""
    print(f"{WIPE if sys.stderr.isatty() else ''}lvmtui: {words}", file=sys.stderr)


def _drop_output() -> None:
    """Send what is still buffered to /dev/null. Otherwise Python would try again when it exits, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read(given: argparse.Namespace) -> tuple[Workspace, CampaignState]:
    """The workspace that was named, and the campaign as it is now. Raises UserError."""
    from lvmtui.state.campaign_reader import CampaignReader

    workspace = workspace_of(given)
    return workspace, CampaignReader(workspace, campaign_of(given, workspace)).refresh()


# -- commands ------------------------------------------------------------------------------------------------------


def screen(given: argparse.Namespace) -> int:
    gc.disable()  # until the first picture: what is loaded stays
    from lvmtui.ui.start import run

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
    return ExitCode.OK


def demo(given: argparse.Namespace) -> int:
    from lvmtui.cli.start import demo as start_demo

    return start_demo(given)


def run(given: argparse.Namespace) -> int:
    from lvmtui.cli.start import run as start_run

    return start_run(given)


def attach(given: argparse.Namespace) -> int:
    from lvmtui.cli.start import attach as come_back

    return come_back(given)


def status(given: argparse.Namespace) -> int:
    from lvmtui.cli.status import status_as_json, status_as_text
    from lvmtui.state.campaign_reader import CampaignReader, supervisor_of

    workspace, state = _read(given)
    supervisor = supervisor_of(workspace)
    if given.json:
        print(json.dumps(status_as_json(state, supervisor), indent=1))
        return ExitCode.OK
    print(status_as_text(state, supervisor))
    others = [f for f in workspace.campaign_dirs() if f.id != state.campaign.id]
    for other in others[-LOOKED_BACK:]:
        if not CampaignReader(workspace, other).refresh().settled:
            print(f"campaign {other.id} is not over either: --campaign {other.id}")
    return ExitCode.OK


def campaigns(given: argparse.Namespace) -> int:
    from lvmtui.cli.campaigns import campaigns_as_json, campaigns_as_text

    workspace = workspace_of(given)
    print(json.dumps(campaigns_as_json(workspace), indent=1) if given.json else campaigns_as_text(workspace))
    return ExitCode.OK


def report(given: argparse.Namespace) -> int:
    from lvmtui.cli.report import report as write

    write(given, campaign_of(given, workspace_of(given)))
    return ExitCode.OK


def tensorboard(given: argparse.Namespace) -> int:
    from lvmtui.cli.report import tensorboard as write

    workspace = workspace_of(given)
    write(given, workspace, campaign_of(given, workspace))
    return ExitCode.OK


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
    from lvmtui.supervisor.lock import ensure_supervisor

    workspace, state = _read(given)
    for line in order(orders.select(state, given.runs)):
        print(line)
    ensure_supervisor(workspace)
    return ExitCode.OK


def queue(given: argparse.Namespace) -> int:
    from lvmtui import orders
    from lvmtui.supervisor.lock import ensure_supervisor

    workspace, state = _read(given)
    if given.jobs is None and not given.first:
        raise UserError("queue: nothing to change; give --jobs N or --first RUN...")
    if given.jobs is not None:
        print(orders.set_jobs(state, given.jobs))
    if given.first:
        print(orders.set_order(state, orders.select(state, given.first)))
    ensure_supervisor(workspace)
    return ExitCode.OK


def check(given: argparse.Namespace) -> int:
    from lvmtui.system.hardware import load_numpy

    load_numpy()
    from lvmtui.datasets.check import check_files
    from lvmtui.datasets.check_text import check_as_text
    from lvmtui.datasets.proof import prove_campaign
    from lvmtui.planning.read_options import read_value

    workspace = workspace_of(given)
    if given.split is not None and given.files:
        raise UserError("check: name vector files, or give --split for a campaign's proof, not both")
    if given.split is not None:
        named = given.split
        folder = named_campaign(workspace, named, "--split") if named else campaign_of(given, workspace)
        words, holds = prove_campaign(folder)
        print(words)
        return ExitCode.OK if holds else ExitCode.RUNS_FAILED
    if not given.files:
        raise UserError("check: name one or two vector files, or give --split for a campaign's proof")
    say = announcer()
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
    print(json.dumps(encode(found), indent=1) if given.json else check_as_text(found, line_width()))
    if found.files and not given.json:
        print(f"compact copies are kept in {workspace.datasets} for the next check and for campaigns", file=sys.stderr)
    return ExitCode.USAGE if found.faults else ExitCode.OK


def import_runs(given: argparse.Namespace) -> int:
    from lvmtui.legacy.importer import import_folders

    folders, context = [Path(folder) for folder in given.folders], _one_context(given.context)
    trained_on = None if given.trained_on is None else Path(given.trained_on)
    for line in import_folders(workspace_of(given), folders, given.arm, trained_on, context):
        print(line)
    return ExitCode.OK


def embed(given: argparse.Namespace) -> int:
    from lvmtui.cli.embed import embed_texts

    embed_texts(given, announcer())
    return ExitCode.OK


def _one_context(given: Sequence[str] | None) -> int:
    """The context that was given to a command which takes one."""
    from lvmtui.planning.read_options import read_value

    values = (USUAL_CONTEXT,) if given is None else read_value(OPTIONS["context"], given, "--context")
    if len(values) > 1:
        raise UserError(f"--context: {' '.join(map(str, values))} are several; this command takes one")
    return int(values[0])


def doctor(given: argparse.Namespace) -> int:
    from lvmtui.cli.doctor import doctor as examine

    return ExitCode.OK if examine(given, workspace_of(given).root) else ExitCode.RUNS_FAILED


def trainer(given: argparse.Namespace) -> int:
    from lvmtui.cli.trainer_test import pattern_report, try_trainer

    patterns = given.pattern or []
    if given.log is not None:
        if not patterns or given.trainer:
            raise UserError("trainer test LOGFILE: needs --pattern, and no --command")
        lines, understood = pattern_report(patterns, Path(given.log))
        print("\n".join(lines))
        return ExitCode.OK if understood else ExitCode.RUNS_FAILED
    if not given.trainer:
        raise UserError("trainer test: give --command, or --pattern and a log file")
    code = ExitCode.OK
    print(f"trying it on bundled vectors for up to {given.seconds:.0f} s", file=sys.stderr)
    for found in try_trainer(
        given.trainer, patterns, checkpoints=given.checkpoints, folder=Path.cwd(), limit=given.seconds
    ):
        print(found.line, flush=True)
        if found.needed and not found.works:
            code = ExitCode.RUNS_FAILED
    return code


def watch(given: argparse.Namespace) -> int:
    from lvmtui.cli.watch_logs import watch as watch_logs

    once = given.once or not sys.stdout.isatty()
    return (
        ExitCode.OK
        if watch_logs([Path(p) for p in given.places], given.pattern or [], once=once)
        else ExitCode.RUNS_FAILED
    )


def supervise(given: argparse.Namespace) -> int:
    from lvmtui.supervisor.supervisor import main as supervise_workspace

    return supervise_workspace(workspace_of(given))


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
