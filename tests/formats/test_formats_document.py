"""`docs/formats.md` tells every field there is, and its examples can be read."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lvmtui.cli.status import status_as_json
from lvmtui.formats import supervisor_log as supervision
from lvmtui.formats import trainer_log as events
from lvmtui.formats.campaign import ArmFacts, Campaign, CampaignIntent, PlannedRun
from lvmtui.formats.intent import Intent
from lvmtui.formats.json_codec import Unknown, decode, kind_of
from lvmtui.formats.live import EngineAnswer, Job, Progress, Pulse
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.spec import ArmData, Imported, Recipe, RunSpec
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system.process_id import Identity
from tests.factory import make_campaign

TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
EVENTS = [t for t in events.Event.__args__ if t is not Unknown]
RECORDS = [t for t in supervision.Record.__args__ if t is not Unknown]
DOCUMENTS = [RunSpec, Imported, ArmData, Intent, Progress, Campaign, ArmFacts, PlannedRun, CampaignIntent, Identity]
DOCUMENTS += [Pulse, Job, EngineAnswer]
LINES = [*EVENTS, *RECORDS, events.HeldoutScores]
EXAMPLES = re.findall(r"```json\n(.*?)```", TEXT, re.S)


def examples(*marks: str) -> list[dict[str, Any]]:
    """The examples that hold all of these words."""
    documents = []
    for block in EXAMPLES:
        parts = block.splitlines() if '"kind":' in block else [block]
        documents += [json.loads(part) for part in parts if all(f'"{mark}"' in part for mark in marks)]
    assert documents, f"no example with {marks}"
    return documents


@pytest.mark.parametrize("document", [*DOCUMENTS, *LINES], ids=lambda document: str(document.__name__))
def test_every_field_is_told(document: type) -> None:
    told = set(re.findall(r"`([A-Za-z_.0-9]+)`", TEXT))
    assert {f.name for f in fields(document)} - {"version", "kind"} - told == set()


@pytest.mark.parametrize("kind", EVENTS, ids=kind_of)
def test_each_event_has_an_example(kind: type) -> None:
    lines = [e for e in examples("kind", "active") if e["kind"] == kind_of(kind)]
    assert lines
    for line in lines:
        assert isinstance(events.decode_event(json.dumps(line).encode()), kind)
        assert set(line) == {"v", "kind"} | {f.name for f in fields(kind)}


@pytest.mark.parametrize("kind", RECORDS, ids=kind_of)
def test_each_record_has_an_example(kind: type) -> None:
    lines = [e for e in examples("kind") if e["kind"] == kind_of(kind)]
    assert lines
    for line in lines:
        assert isinstance(supervision.decode_record(json.dumps(line).encode()), kind)
        assert set(line) == {"v", "kind"} | {f.name for f in fields(kind)}


def test_the_documents_have_examples() -> None:
    (spec,) = examples("total_steps")
    assert decode(RunSpec, spec).run and set(spec["recipe"]) == {f.name for f in fields(Recipe)}
    assert decode(Intent, examples("want")[0]).want == "pause"
    assert decode(CampaignIntent, examples("order")[0]).jobs == 3
    (pulse,) = examples("beat")
    assert decode(Pulse, pulse).jobs and set(pulse) == {f.name for f in fields(Pulse)}
    (progress,) = examples("activity")
    assert decode(Progress, progress).step and set(progress) == {f.name for f in fields(Progress)}


def test_every_file_is_told(tmp_path: Path) -> None:
    rooms = (RunDir(tmp_path), CampaignDir(tmp_path), Workspace(tmp_path))
    for room in rooms:
        for name in (n for n in dir(type(room)) if not n.startswith("_") and n not in ("path", "root")):
            path = getattr(room, name)
            if isinstance(path, Path) and path not in (tmp_path, *tmp_path.parents):
                assert path.name in TEXT, f"{type(room).__name__}.{name}"


def test_what_status_prints_is_told(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    printed = status_as_json(state, None)
    told = set(re.findall(r"`([a-z_]+)`", TEXT.partition("status --json")[2]))
    assert printed.keys() | printed["runs"][0].keys() <= told
