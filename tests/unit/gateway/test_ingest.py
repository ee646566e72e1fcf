"""CloudEvents over HTTP become facts, or say item by item why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway import ingest
from gateway.ingest import BATCH, STRUCTURED, MalformedError, Refused, Taken
from gateway.pace import Pace
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events import generations as g
from modeldeck_events.studio.training import TrainingStarted

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "job-7/1",
    "source": "trainer",
    "type": "modeldeck.training.started.v1",
    "data": {"job_id": "7", "worker": "gpu-2"},
}


def structured(**changed: Any) -> list[Taken | Refused]:
    item = {name: value for name, value in (EVENT | changed).items() if value is not ...}
    return ingest.read({"content-type": STRUCTURED}, json.dumps(item).encode(), NOW)


def test_structured_mode() -> None:
    [item] = structured(time="2026-11-20T10:00:00+02:00", actor="ana")
    assert isinstance(item, Taken)
    assert item.event == TrainingStarted(job_id="7", worker="gpu-2")
    assert item.subject == "evt.training.trainer.7"
    assert (item.stamp.source, item.stamp.id, item.stamp.actor) == ("trainer", "job-7/1", "ana")
    assert item.stamp.time == datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_binary_mode_percent_decodes_its_headers() -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items() if name != "data"}
    headers |= {"content-type": "application/json; charset=utf-8", "ce-source": "caf%C3%A9"}
    [item] = ingest.read(headers, json.dumps(EVENT["data"]).encode(), NOW)
    assert isinstance(item, Taken)
    assert (item.stamp.source, item.stamp.time) == ("café", NOW)


def test_a_batch_keeps_its_order_and_one_bad_item_spoils_no_other() -> None:
    items = [EVENT, EVENT | {"type": "modeldeck.download.queued.v1", "id": "2"}, 7, EVENT | {"id": "4"}]
    told = ingest.read({"content-type": BATCH}, json.dumps(items).encode(), NOW)
    assert [item.position for item in told] == [0, 1, 2, 3]
    assert [item.code if isinstance(item, Refused) else "" for item in told] == ["", "closed_type", "not_an_event", ""]
    assert ingest.sources(told) == {"trainer": 2}


def test_a_generation_belongs_to_the_source_that_tells_of_it() -> None:
    data = {"generation_id": "a", "source": "somebody else"}
    [item] = structured(type=g.GenerationStarted.TYPE, data=data)
    assert isinstance(item, Taken)
    assert item.subject == g.subject("trainer", "a")
    assert isinstance(item.event, g.GenerationStarted)
    assert item.event.source == "trainer"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"specversion": "0.3"}, "bad_specversion"),
        ({"id": ""}, "bad_id"),
        ({"id": ...}, "bad_id"),
        ({"source": 5}, "bad_source"),
        ({"source": "a\nb"}, "bad_source"),
        ({"type": "x" * 300}, "bad_type"),
        ({"type": "modeldeck.preset.published.v1"}, "closed_type"),
        ({"time": "yesterday"}, "bad_time"),
        ({"time": "2026-11-21T12:00:00"}, "bad_time"),
        ({"time": (NOW + timedelta(minutes=6)).isoformat()}, "bad_time"),
        ({"actor": ["ana"]}, "bad_actor"),
        ({"datacontenttype": "text/xml"}, "bad_content_type"),
        ({"data": {"worker": "gpu-2"}}, "bad_data"),
        ({"data": None}, "bad_data"),
        ({"data": {"job_id": ""}}, "bad_id"),
        ({"data": {"job_id": "x" * 2000}}, "bad_id"),
        ({"data": {"job_id": "7", "worker": "x" * 600_000}}, "too_large"),
    ],
)
def test_a_bad_item_says_what_is_wrong(changed: dict[str, Any], code: str) -> None:
    [item] = structured(**changed)
    assert isinstance(item, Refused)
    assert item.code == code
    assert item.message


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"content-type": "application/json"}, json.dumps(EVENT).encode()),
        ({"content-type": STRUCTURED}, b"{"),
        ({"content-type": STRUCTURED}, b"[" * 100_000),
        ({"content-type": BATCH}, b"{}"),
        ({"content-type": BATCH}, json.dumps([EVENT] * 501).encode()),
    ],
)
def test_what_is_no_cloudevent_is_said_to_be_none(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(MalformedError):
        ingest.read(headers, body, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*EVENT, "time", "actor", "datacontenttype"]), JSON, max_size=3))
def test_any_json_is_taken_or_refused(changed: dict[str, Any]) -> None:
    [item] = structured(**changed)
    assert isinstance(item, Taken | Refused)


def test_a_name_that_goes_too_fast_waits_and_no_other_one_does() -> None:
    now = 100.0
    pace = Pace(rate=10, burst=20, clock=lambda: now)
    assert pace.take({"a": 20}) == 0
    assert pace.take({"a": 5}) == pytest.approx(0.5)
    assert pace.take({"b": 5}) == 0
    now += 0.5
    assert pace.take({"a": 5}) == 0
    now += 60
    assert pace.take({"a": 1000}) == 0, "more than the burst at once empties the bucket"
    assert pace.take({"a": 1}) == pytest.approx(0.1)
