"""`lvmtui check` and `lvmtui import`: what is in files, before anything is trained here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lvmtui.cli.shared import ExitCode, announcer, campaign_of, line_width, workspace_of
from lvmtui.formats.json_codec import encode
from lvmtui.formats.spec import USUAL_CONTEXT
from lvmtui.planning.options import OPTIONS, Options
from lvmtui.planning.read_options import read_value
from lvmtui.system.errors import UserError
from lvmtui.system.hardware import load_numpy


def check(given: argparse.Namespace) -> int:
    load_numpy()
    from lvmtui.datasets.check import check_files
    from lvmtui.datasets.check_text import check_as_text
    from lvmtui.datasets.proof import prove_campaign
    from lvmtui.state.campaign_reader import named_campaign

    workspace = workspace_of(given)
    if given.split is not None and given.files:
        raise UserError("check: name vector files, or give --split for a campaign's proof, not both")
    if given.split is not None:
        named = given.split
        folder = named_campaign(workspace, named, "--split") if named else campaign_of(given, workspace)
        words, holds = prove_campaign(folder)
        print(words)
        return ExitCode.OK if holds else ExitCode.RUNS_FAILED
    names = {name: value for name in ("vectors", "article", "order") if (value := getattr(given, name)) is not None}
    asked = Options(**{name: read_value(OPTIONS[name], value, f"--{name}") for name, value in names.items()})
    if not given.files:
        raise UserError("check: name one or two vector files, or give --split for a campaign's proof")
    if model := next((f for f in given.files if f.partition(":")[0].endswith(".py")), None):
        raise UserError(
            f"check: {model}: only vector files; a model is tried by lvmtui run ... --models {model} --plan"
        )
    say = announcer()
    found = check_files(
        [Path(f) for f in given.files],
        workspace.root,
        normalise=given.normalise,
        cross_articles=given.cross_articles,
        readings=asked.readings(len(given.files)),
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


def _one_context(given: Sequence[str] | None) -> int:
    """The context that was given to a command which takes one."""
    values = (USUAL_CONTEXT,) if given is None else read_value(OPTIONS["context"], given, "--context")
    if len(values) > 1:
        raise UserError(f"--context: {' '.join(map(str, values))} are several; this command takes one")
    return int(values[0])
