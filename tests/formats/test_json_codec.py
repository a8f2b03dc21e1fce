"""What is written is what is read, and what cannot be read is no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.campaign import Campaign, CampaignIntent, read_campaign
from lvmtui.formats.intent import Intent, read_intent
from lvmtui.formats.json_codec import DecodeError, decode, encode, encode_line
from lvmtui.formats.live import Progress
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import Record, decode_record
from lvmtui.formats.trainer_log import Event, Unknown, decode_event
from lvmtui.system.errors import UserError
from tests.factory import make_campaign
from tests.strategies import campaign_intents, events, intents, progresses, records

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(event=events)
def test_an_event_is_one_line_and_comes_back(event: Event) -> None:
    line = encode_line(event)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode_event(line[:-1]) == event


@settings(deadline=None)
@given(record=records)
def test_a_record_is_one_line_and_comes_back(record: Record) -> None:
    line = encode_line(record)
    assert line.count(b"\n") == 1 and decode_record(line[:-1]) == record


@settings(deadline=None)
@given(value=st.one_of(intents, campaign_intents, progresses))
def test_documents_come_back(value: Any) -> None:
    assert decode(type(value), json.loads(json.dumps(encode(value)))) == value


@settings(deadline=None)
@given(event=events, cut=st.integers(1, 400))
def test_a_line_cut_anywhere_is_unknown(event: Event, cut: int) -> None:
    line = encode_line(event)[:-1]
    if cut < len(line):
        assert isinstance(decode_event(line[:cut]), Unknown)


@settings(deadline=None)
@given(event=events, name=st.text(min_size=1, max_size=5), value=json_values)
def test_what_a_later_version_adds_is_passed_over(event: Event, name: str, value: object) -> None:
    data = json.loads(encode_line(event))
    if name not in data:
        data[name] = value
        assert decode_event(json.dumps(data).encode()) == event


@settings(deadline=None, max_examples=300)
@given(line=st.binary(max_size=60) | json_values.map(lambda v: json.dumps(v).encode()))
def test_no_line_is_an_error(line: bytes) -> None:
    assert isinstance(decode_event(line), Unknown) and isinstance(decode_record(line), Unknown)


def test_a_line_nested_without_end_is_no_error() -> None:
    assert isinstance(decode_event(b"[" * 100_000), Unknown)
    assert isinstance(decode_event(b'{"kind":' * 50_000), Unknown)


@settings(deadline=None)
@given(event=events, data=st.data())
def test_a_value_of_another_type_is_never_taken(event: Event, data: st.DataObject) -> None:
    document = json.loads(encode_line(event))
    name = data.draw(st.sampled_from(sorted(set(document) - {"v", "kind"})))
    document[name] = {"nothing": ["of", "the", "kind"]}
    decoded = decode_event(json.dumps(document).encode())
    assert isinstance(decoded, Unknown) and name in decoded.reason


@pytest.mark.parametrize("cls", [Intent, CampaignIntent, Progress, Campaign, RunSpec])
@settings(deadline=None)
@given(value=json_values)
def test_any_document_is_read_or_refused(cls: type, value: object) -> None:
    try:
        decode(cls, value)
    except DecodeError as error:
        assert str(error)


def test_a_plan_comes_back_and_a_later_or_damaged_one_is_refused_with_words(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",), stall_timeout=3.0, notes=("one",))
    path = tmp_path / "artifacts/lvm/campaigns" / campaign.id / "campaign.json"
    assert read_campaign(path) == campaign
    spec = read_spec(tmp_path / campaign.runs[0].folder / "spec.json")
    assert spec.run == campaign.runs[0].run and decode(RunSpec, encode(spec)) == spec
    document = json.loads(path.read_bytes())
    for content, words in (
        (json.dumps({**document, "version": 99}), "later version of lvmtui"),
        (json.dumps({**document, "runs": 3}), "runs"),
        ("{", "not a campaign"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=words):
            read_campaign(path)


def test_a_damaged_intent_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "intent.json"
    paused = Intent("pause", generation=3)
    assert read_intent(path) == read_intent(path, paused) == Intent()
    for content in (b"", b"{", b"[]", b'{"want": "fly"}', b"\xff\xfe"):
        path.write_bytes(content)
        assert read_intent(path) == Intent() and read_intent(path, paused) == paused
