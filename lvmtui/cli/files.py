"""`lvmtui check` and `lvmtui import`: what is in files, before anything is trained here."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lvmtui.cli.shared import ExitCode, announcer, campaign_of, line_width, workspace_of
from lvmtui.cli.start import given_options
from lvmtui.formats.json_codec import encode
from lvmtui.formats.spec import USUAL_CONTEXT
from lvmtui.planning.options import Options
from lvmtui.planning.read_options import combine
from lvmtui.system.errors import UserError
from lvmtui.system.hardware import load_numpy


def check(given: argparse.Namespace) -> int:
    load_numpy()
    from lvmtui.datasets.check import check_files
    from lvmtui.datasets.check_text import check_as_text
    from lvmtui.datasets.proof import prove_campaign
    from lvmtui.state.campaign_reader import named_campaign

    workspace = workspace_of(given)
    if given.split is not None:
        named = given.split
        folder = named_campaign(workspace, named, "--split") if named else campaign_of(given)
        words, holds = prove_campaign(folder, [Path(file).expanduser() for file in given.files])
        print(json.dumps({"campaign": folder.id, "holds": holds, "words": words}, indent=1) if given.json else words)
        return ExitCode.OK if holds else ExitCode.RUNS_FAILED
    options = combine(Options(), given_options(given))
    if not given.files:
        raise UserError("check: name one or two vector files, or give --split for a campaign's proof")
    if model := next((f for f in given.files if f.partition(":")[0].endswith(".py")), None):
        cure = f"a model is tried by lvmtui run ... --models {model} --plan"
        raise UserError(f"check: {model}: only vector files; {cure}")
    say = announcer()
    found = check_files(
        [Path(f) for f in given.files],
        workspace.root,
        normalise=options.normalise,
        cross_articles=options.cross_articles,
        readings=options.readings(len(given.files)),
        same=options.same,
        context=_one_context(options),
        cache=workspace.cache,
        progress=lambda done, total: say(f"reading: {100 * done // max(total, 1)} %"),
    )
    say("")
    as_json = json.dumps(encode(found) | {"warning": found.warning}, indent=1)
    print(as_json if given.json else check_as_text(found, line_width()))
    if found.files and not given.json:
        print(f"compact copies are kept in {workspace.datasets} for the next check and for campaigns", file=sys.stderr)
    return ExitCode.USAGE if found.faults else ExitCode.OK


def import_runs(given: argparse.Namespace) -> int:
    from lvmtui.legacy.importer import import_folders

    folders = [Path(folder) for folder in given.folders]
    context = _one_context(combine(Options(), given_options(given)))
    trained_on = None if given.trained_on is None else Path(given.trained_on)
    for line in import_folders(workspace_of(given), folders, given.arm, trained_on, context):
        print(line)
    return ExitCode.OK


def _one_context(options: Options) -> int:
    """The context that was given to a command which takes one."""
    if len(options.context) > 1:
        raise UserError(f"--context: {' '.join(map(str, options.context))} are several; this command takes one")
    return (*options.context, USUAL_CONTEXT)[0]
