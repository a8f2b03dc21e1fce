"""Tell one command of `--on-event` what happened: the entry of a short process that the supervisor starts.

    python -P -m lvmtui.cli.event_command CAMPAIGN_DIR HAPPENING COMMAND     HAPPENING: `formats.told.Happening` as JSON

The command runs in a shell, in the workspace, with facts as JSON on stdin and a sentence in $LVMTUI_MESSAGE. It has 30
seconds, then everything it started is killed; it is tried twice. The rule of what is told when: `supervisor/tell.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from lvmtui.cli.ending import outcome_of
from lvmtui.cli.status import model_as_json, run_as_json
from lvmtui.estimate.eta import campaign_eta
from lvmtui.event_sentences import sentence_of
from lvmtui.formats.json_codec import decode, encode, encode_line
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.told import Happening, Told, read_told
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView
from lvmtui.system.files import append_line
from lvmtui.system.filesystem import try_lock
from lvmtui.system.programs import ending_words, kill_child, spawn
from lvmtui.system.text import last_words, sanitise
from lvmtui.verdict.answer import answer
from lvmtui.verdict.ranking import Judgement

SECONDS = 30.0
"""Seconds that a command may take."""
TRIES = 2
AGAIN = 2.0
"""Seconds before the second try."""
MARK = "LVMTUI_TELLING"
"""Variable that a command and all it starts carry."""
WAIT = 75.0
"""Seconds to wait for another telling process of the campaign: as long as one can take."""


def main(arguments: list[str]) -> int:
    """Returns exit code 0 if it stands in `told.jsonl` now, else 1."""
    folder, command = CampaignDir(Path(arguments[0]).resolve()), arguments[2]
    happening = decode(Happening, json.loads(arguments[1]))
    if (lock := try_lock(folder.telling, WAIT)) is None:
        return 1
    with lock:
        if (happening.key, command) in read_told(folder.told):
            return 0
        facts = facts_of(CampaignReader(folder.workspace, folder).refresh(), happening)
        for tries in range(1, TRIES + 1):
            if not (fault := tell_command(command, facts, folder.workspace.root, seconds=SECONDS)):
                break
            if tries < TRIES:
                time.sleep(AGAIN)
        append_line(folder.told, encode_line(Told(time.time(), happening.key, command, tries, fault)))
    return 0


def tell_command(command: str, facts: dict[str, Any], folder: Path, *, seconds: float) -> str:
    """Run it once. Returns why it failed, in words; empty: it ended well."""
    mark = uuid.uuid4().hex
    environment = {**os.environ, "LVMTUI_MESSAGE": facts["message"], "LVMTUI_EVENT": facts["event"], MARK: mark}
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
        stdin.write(json.dumps(facts).encode() + b"\n")
        stdin.seek(0)
        try:
            shell = ("/bin/sh", "-c", command)
            process = spawn(shell, output=output, environment=environment, folder=folder, stdin=stdin)
        except OSError as error:
            return f"could not be started ({error.strerror or error})"
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill_child(process)
            for one in psutil.process_iter():  # what left its session is known by the variable it was given
                with suppress(psutil.Error):
                    if one.environ().get(MARK) == mark:
                        one.kill()
            return f"did not end within {seconds:g} s"
        output.seek(max(0, output.seek(0, os.SEEK_END) - 4096))
        return f"{ending_words(code)}: {last_words(output.read())}".removesuffix(": ") if code else ""


# -- what is told ------------------------------------------------------------------------------------------------------


def facts_of(state: CampaignState, happening: Happening) -> dict[str, Any]:
    """What a command gets on stdin; `docs/formats.md` describes it."""
    now, campaign = time.time(), state.campaign
    known = Judgement(state)
    table = known.table
    view = next((v for v in state.runs if v.planned.run == happening.subject), None)
    row = table.row(view.planned.model if view else happening.subject)
    return {
        "version": 1,
        "event": happening.kind,
        "message": sanitise(f"{campaign.title}: {_sentence(state, happening, view, known)}", 1000),
        "time": now,
        "workspace": str(state.dir.workspace.root),
        "campaign": campaign.id,
        "report": str(state.dir.workspace.final_comparison(campaign)),
        "run": run_as_json(view, campaign_eta(state, now), known) if view else None,
        "model": model_as_json(row, table.seeds) if row else None,
        "verdict": encode(outcome := outcome_of(campaign.id, table)) | {"line": outcome.line},
    }


def _sentence(state: CampaignState, happening: Happening, view: RunView | None, known: Judgement) -> str:
    if happening.kind == "campaign_over":
        return f"all runs have ended: {state.progress_words}. {answer(known.table)}"
    if happening.kind == "pair_compared":
        row = known.table.row(happening.subject)
        told = f": {model_as_json(row, known.table.seeds)['words']}" if row else ""
        return f"{row.title if row else happening.subject} is compared{told}"
    if view is None:
        return happening.key
    planned, run = view.planned, view.state
    name = state.title_of(planned)
    if happening.kind == "run_alarm":
        kind = happening.stamp.partition(" ")[0]
        found = known.health.get(planned.run, ())
        said = next((finding.words for finding in found if finding.kind == kind), kind.replace("_", " "))
        return f"{name}: alarm: {said}"
    if happening.kind == "run_stalled":
        return f"{name} stalls: {view.status.reason}"
    if happening.kind == "run_finished" and run and run.trainer.finished:
        sentence = sentence_of(run.trainer.finished, run.spec.unit)
        return f"{name} {sentence.words}" if sentence else f"{name} finished"
    return f"{name} {view.status.phase.value}: {view.status.reason}".removesuffix(": ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
