"""One rule for versions: what a later version wrote is refused, whatever it is."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import lvmtui.formats
from lvmtui.formats.campaign import CampaignIntent, read_campaign_intent, write_campaign_intent
from lvmtui.formats.intent import Intent, read_intent, write_intent
from lvmtui.formats.json_codec import LaterVersion, Unknown, decode, encode, encode_line
from lvmtui.formats.spec import read_spec
from lvmtui.formats.supervisor_log import Lost, decode_record
from lvmtui.formats.trainer_log import Evaluated, Paused, decode_event
from lvmtui.system.errors import UserError


def documents() -> list[type]:
    """Every dataclass of the formats that carries a version of its own."""
    found: set[type] = set()
    for module in pkgutil.iter_modules(lvmtui.formats.__path__, "lvmtui.formats."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                found |= {value} if isinstance(getattr(value, "version", None), int) else set()
    return sorted(found, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", documents(), ids=lambda cls: cls.__name__)
def test_every_document_of_a_later_version_is_refused(cls: Any) -> None:
    with pytest.raises(LaterVersion, match="later version of lvmtui"):
        decode(cls, {"version": cls.version + 1})


def test_there_are_documents_to_refuse() -> None:
    assert {"Intent", "RunSpec", "Campaign", "CampaignIntent", "Progress", "Pulse"} <= {c.__name__ for c in documents()}


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
