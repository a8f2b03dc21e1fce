"""The commands that start a campaign or come back to one: plan it, show the plan, see to a supervisor, follow it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lvmtui.cli.parser import ENGINE_OPTION
from lvmtui.cli.shared import ExitCode, announcer, campaign_of, line_width, program, workspace_of
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.planning import options
from lvmtui.planning.options import OPTIONS, Options
from lvmtui.planning.read_options import Given, combine, naming_the_file, read_campaign_file, read_value
from lvmtui.system.errors import UserError
from lvmtui.system.text import wrap

if TYPE_CHECKING:
    from lvmtui.planning.extend import Extension


def demo(given: argparse.Namespace) -> int:
    return _start(given, options.demo(), Given({}))


def run(given: argparse.Namespace) -> int:
    single = [name for name in ("setup", "sbatch") if getattr(given, ENGINE_OPTION + name, None)]
    if given.config and single and not Path(given.config).exists():
        again = f"--{single[-1]} takes one value: give it again for a second one, or name a campaign file (TOML)"
        raise UserError(f"{given.config}: is no file; {again}")
    if given.add_sizes:
        return _add_sizes(given)
    file = read_campaign_file(Path(given.config)) if given.config else Given({})
    if not {"baseline", "expanded", "baseline_runs", "data"} & {*file.values, *given_options(given).values}:
        cure = "name two vector files with --baseline and --expanded, or one with --data and --sizes"
        raise UserError(f"run: {cure}; 'lvmtui demo' has its own data")
    return _start(given, Options(), file)


def given_options(given: argparse.Namespace) -> Given:
    """The campaign's options among the parsed arguments, with those of its engine."""
    values = {name: value for name in OPTIONS if (value := getattr(given, name, None)) is not None}
    settings = {
        name.removeprefix(ENGINE_OPTION): value
        for name, value in vars(given).items()
        if name.startswith(ENGINE_OPTION) and value is not None
    }
    if settings:
        values["engine"] = {"name": values["engine"], **settings} if "engine" in values else settings
    return Given(values)


def _add_sizes(given: argparse.Namespace) -> int:
    """Plan a finished campaign again with more sizes, and start what is new."""
    from lvmtui.planning.extend import read_extension

    fixed = given_options(given).values.keys() - {"jobs", "threads", "stall_timeout", "on_event", "engine", "models"}
    if wrong := [given.config] if given.config else [f"--{name.replace('_', '-')}" for name in sorted(fixed)]:
        raise UserError(f"{wrong[0]}: with --add-sizes all is as in the campaign that is extended; leave it out")
    models = read_value(OPTIONS["models"], given.models, "--models") if given.models else ()
    given.models = None  # the options of the extension have them
    extended = read_extension(workspace_of(given), campaign_of(given), models)
    return _start(given, extended.options(given.add_sizes), Given({}), extended)


def _start(given: argparse.Namespace, start: Options, file: Given, extended: Extension | None = None) -> int:
    """Plan a campaign, show the plan, make sure a supervisor runs, follow the campaign."""
    if given.json and not given.plan:
        raise UserError("--json: is for the plan; add --plan, or follow the runs with 'lvmtui status --json'")
    from lvmtui.system.hardware import load_numpy

    load_numpy()
    from lvmtui.datasets.convert import move_stores
    from lvmtui.planning.describe import doubts_of, plan_as_json, plan_as_text
    from lvmtui.planning.plan import make_plan, write_plan

    workspace = workspace_of(given)
    chosen = combine(start, file, given_options(given))
    say = announcer()
    if workspace.cache is not None and not given.plan:
        move_stores(workspace.cache, workspace.root)
    with naming_the_file(file, given_options(given)):
        plan = make_plan(chosen, workspace, say, extended)
    if given.plan:
        say("")
        print(json.dumps(plan_as_json(plan, workspace), indent=1) if given.json else plan_as_text(plan, line_width()))
        return ExitCode.OK
    if (doubts := doubts_of(plan, workspace)) and not given.yes:
        say("")
        _ask_whether_to_train(doubts)
    campaign = write_plan(plan, workspace, say)
    say("")
    print(plan_as_text(plan, line_width()), flush=True)
    return _follow(workspace, workspace.campaign(campaign.id), given)


def _ask_whether_to_train(doubts: Sequence[str]) -> None:
    """Ask on a terminal; elsewhere, where nobody can answer, only say it. Raises UserError for no."""
    for doubt in doubts:
        print(*wrap(f"lvmtui: {doubt}", line_width()), sep="\n", file=sys.stderr, flush=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print("Train all the same? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("nothing was started; fix that, or give --yes to train all the same")


def attach(given: argparse.Namespace) -> int:
    return _follow(workspace_of(given), campaign_of(given), given)


def _follow(workspace: Workspace, folder: CampaignDir, given: argparse.Namespace) -> int:
    from lvmtui.cli.follow import follow
    from lvmtui.supervisor.container import ends_the_container
    from lvmtui.supervisor.lock import ensure_supervisor

    if given.detach and ends_the_container():
        raise UserError("--detach: this is the first process of its container, which ends with it; leave it out")
    supervised = ensure_supervisor(workspace)
    if given.detach:
        detached = f"detached; come back to campaign {folder.id} with '{program(workspace)}'"
        print(f"{supervised}\n{detached}", file=sys.stderr)
        return ExitCode.OK
    return follow(workspace, folder, headless=given.headless)
