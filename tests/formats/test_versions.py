"""One rule for versions: what a later version wrote is refused, whatever it is."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import lvmtui.datasets
import lvmtui.formats
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.split import SplitFacts
from lvmtui.formats.campaign import CampaignIntent, read_campaign_intent, write_campaign_intent
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.intent import Intent, read_intent, write_intent
from lvmtui.formats.json_codec import (
    FIRST,
    LaterVersion,
    Unknown,
    decode,
    encode,
    encode_line,
    find_document,
    read_document,
    read_names,
)
from lvmtui.formats.results import ReportedRuns
from lvmtui.formats.spec import read_spec
from lvmtui.formats.supervisor_log import Lost, decode_record
from lvmtui.formats.trainer_log import Evaluated, Paused, decode_event
from lvmtui.report.contents import HeldoutSet, Report
from lvmtui.system.errors import UserError


def documents() -> list[type]:
    """Every dataclass that carries a version of its own: of the formats, of the data sets, and the report."""
    found: set[type] = set()
    rooms = (*lvmtui.formats.__path__,), (*lvmtui.datasets.__path__,)
    names = [
        module.name
        for room, prefix in zip(rooms, ("lvmtui.formats.", "lvmtui.datasets."), strict=True)
        for module in pkgutil.iter_modules(room, prefix)
    ]
    for name in (*names, "lvmtui.report.contents"):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                found |= {value} if isinstance(getattr(value, "version", None), int) else set()
    return sorted(found, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", documents(), ids=lambda cls: cls.__name__)
def test_every_document_of_a_later_version_is_refused(cls: Any) -> None:
    with pytest.raises(LaterVersion, match="later version of lvmtui"):
        decode(cls, {"version": cls.version + 1})


def test_there_are_documents_to_refuse() -> None:
    names = {cls.__name__ for cls in documents()}
    assert {"Intent", "RunSpec", "Campaign", "CampaignIntent", "Progress", "Pulse"} <= names
    assert {"SplitFacts", "StoreFacts", "ArmBaselines", "DataCheck", "Report"} <= names


@pytest.mark.parametrize(
    ("part", "whole"),
    [(HeldoutSet, SplitFacts), (DataFacts, DataCheck), (ReportedRuns, Report)],
    ids=lambda cls: cls.__name__,
)
def test_who_reads_a_part_of_a_document_refuses_what_who_reads_all_of_it_refuses(
    part: Any, whole: Any, tmp_path: Path
) -> None:
    assert getattr(part, "version", FIRST) == whole.version
    path = tmp_path / "document.json"
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(part)}
    filled = {"runs": [], "files": [], "notes": [], "windows": 3, "clusters": 2, "fingerprint": "f"}
    path.write_text(json.dumps(fields | {k: v for k, v in filled.items() if k in fields} | {"version": whole.version}))
    assert find_document(part, path) is not None
    path.write_text(path.read_text().replace(f'"version": {whole.version}', f'"version": {whole.version + 1}'))
    assert find_document(part, path) is None
    with pytest.raises(UserError, match="later version of lvmtui"):
        read_document(part, path, what="a document", place="a folder", cure="make it again")


def test_titles_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "titles.json"
    assert read_names(path) == ()
    path.write_text('["One", "Two"]')
    assert read_names(path) == ("One", "Two")
    for damaged in ("[1]", "{}", "[", '"One"'):
        path.write_text(damaged)
        with pytest.raises(UserError, match=r"titles\.json: not a list of texts"):
            read_names(path)


def put(path: Path, value: Any, version: int) -> None:
    path.write_text(json.dumps({**encode(value), "version": version}))


def test_a_later_intent_is_not_obeyed_and_the_next_order_is_newer(tmp_path: Path) -> None:
    path = tmp_path / "intent.json"
    before = write_intent(path, "pause", by="test")
    put(path, Intent(want="cancel", generation=50), 99)
    assert read_intent(path, before) == before
    assert read_intent(path) == Intent(want="pause"), "it may have been a cancel: nothing is started"
    assert write_intent(path, "run", by="test").generation == 51


def test_a_later_campaign_intent_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "campaign_intent.json"
    put(path, write_campaign_intent(path, by="test", jobs=7), 2)
    assert read_campaign_intent(path) == CampaignIntent()


def test_a_later_spec_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"version": 99}')
    with pytest.raises(
        UserError, match=r"spec\.json: written by a later version of lvmtui \(format 99\); update lvmtui"
    ):
        read_spec(tmp_path / "spec.json")


@pytest.mark.parametrize("decoder", [decode_event, decode_record])
def test_later_lines_are_unknown(decoder: Any) -> None:
    record = Paused(1.0, 2, 3.0) if decoder is decode_event else Lost(1.0, 1, None, "killed", 0, True)
    line = json.loads(encode_line(record))
    assert decoder(json.dumps(line).encode()) == record
    assert decoder(json.dumps(line | {"v": 99}).encode()) == Unknown("written by a later version of lvmtui (format 99)")


def test_an_evaluation_without_what_is_nice_to_have_still_counts() -> None:
    line = {"v": 1, "kind": "evaluated", "time": 1.0, "step": 5, "epoch": 0.5, "loss": 0.1, "cosine": 0.5}
    assert decode_event(json.dumps(line).encode()) == Evaluated(1.0, 5, 0.5, 0.1, 0.5)
