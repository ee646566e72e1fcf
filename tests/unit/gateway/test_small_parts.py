"""Snapshots, ids, words, frames: the small parts, by their promises."""

import subprocess
import sys
from pathlib import Path

import pytest
from gateway import ids
from gateway.asgi import etag_matches
from gateway.boards import words
from gateway.boards.fold import Boards
from gateway.frames import chunk, cloudevent, encode, frame
from gateway.live import group_of
from gateway.snapshots import FILE_NAME, Snapshots
from gateway.web import Dashboard
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.presets import PresetPublished
from modeldeck_events.store import Position

from tests.unit.gateway.facts import START, preset, queued, records


@pytest.fixture
def saved(tmp_path: Path) -> Snapshots:
    boards = Boards()
    for record in records([queued("one"), PresetPublished(preset=preset("a"))]):
        boards.apply(record)
    snapshots = Snapshots(tmp_path)
    snapshots.save(boards.schema, boards.pool, Position("epoch", 2), list(boards.dump_slices()))
    return snapshots


def test_a_snapshot_is_loaded_at_its_position(saved: Snapshots) -> None:
    boards = Boards()
    assert saved.load(boards) == Position("epoch", 2)
    assert list(boards.presets.state()["presets"]) == ["a"]
    assert list(boards.queue.state()["queue"]) == ["one"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b'"one"', b'"two"'),
        lambda text: text[:-20],
        lambda text: b"",
        lambda text: b"\xff\xfe" + text,
        lambda text: text.replace(b'"seq":2', b'"seq":"x"', 1),
        lambda text: text.replace(b'"schema":"', b'"schema":"9', 1),
        lambda text: text.replace(b'"pool":"default"', b'"pool":"other"', 1),
    ],
    ids=["changed", "cut", "empty", "not text", "wrong type", "other version", "other pool"],
)
def test_a_bad_or_old_snapshot_is_ignored(saved: Snapshots, tmp_path: Path, damage: object) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    boards = Boards()
    assert saved.load(boards) is None
    assert boards.presets.state()["presets"] == {}


def test_no_snapshot_is_no_position(tmp_path: Path) -> None:
    assert Snapshots(tmp_path / "nowhere").load(Boards()) is None


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(0, 10**17), st.booleans())
def test_ids_survive_their_text(epoch: str, seq: int, event_due: bool) -> None:
    event_id = ids.EventId(epoch, seq, event_due)
    assert ids.parse(str(event_id)) == event_id


@given(st.text(max_size=80))
def test_other_text_is_no_id_or_writes_itself_again(text: str) -> None:
    parsed = ids.parse(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (45_200_000, "45.2 MB"),
        (999_999, "1.0 MB"),
        (27_000_000_000, "27.0 GB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert words.size(size_bytes) == text
    assert words.speed(size_bytes) == f"{text}/s"


@pytest.mark.parametrize(
    ("duration_s", "text"), [(0, "0s"), (45, "45s"), (204, "3m 24s"), (60, "1m 00s"), (3720, "1h 02m"), (-1, "0s")]
)
def test_durations(duration_s: float, text: str) -> None:
    assert words.duration(duration_s) == text


def test_times_are_utc_with_z() -> None:
    assert words.time(START) == "2026-01-02T03:04:05.000Z"


def test_frames_are_one_event_each() -> None:
    data = encode({"text": "a\nb\u2028c"})
    assert frame("x", data, "e.1", 5) == b"retry: 5\nid: e.1\nevent: x\ndata: " + data + b"\n\n"
    assert data.count(b"\n") == 0
    assert chunk(b"x" * 16) == b"10\r\n" + b"x" * 16 + b"\r\n"


def test_facts_are_shown_as_cloudevents_with_their_position() -> None:
    (record,) = records([queued("one")], after=6)
    event = cloudevent(record)
    assert {k: event[k] for k in ("specversion", "id", "type", "time", "seq", "actor")} == {
        "specversion": "1.0",
        "id": "id-7",
        "type": "modeldeck.download.queued.v1",
        "time": "2026-01-02T03:04:12.000Z",
        "seq": 7,
        "actor": "local",
    }
    assert b'"data":{"' in encode(event)


@pytest.mark.parametrize(
    ("header", "matches"),
    [(b"", False), (b'"a"', True), (b'W/"a"', True), (b'"b", "a"', True), (b"*", True), (b'"b"', False)],
)
def test_etags_are_compared_weakly(header: bytes, matches: bool) -> None:
    assert etag_matches(header, b'"a"') is matches


def test_both_log_topics_together_get_ids_of_their_own() -> None:
    assert group_of(["queue", "activity"]) == {"queue", "activity"}
    assert group_of(["activity", "events"]) == {"activity+", "events"}


def test_a_dashboard_that_is_not_built_says_so(tmp_path: Path) -> None:
    dashboard = Dashboard(tmp_path / "nowhere")
    index = dashboard.find("/")
    assert index is not None
    assert b"make setup" in index.body
    assert dashboard.find("/assets/x.js") is None


def test_many_connections_are_allowed_where_the_system_lets_us() -> None:
    code = (
        "import resource; from gateway.server import allow_connections; resource.setrlimit(resource.RLIMIT_NOFILE,"
        "(64, 300)); allow_connections(200); print(resource.getrlimit(resource.RLIMIT_NOFILE));"
        "allow_connections(5000); allow_connections(100); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "(200, 300)\n(300, 300)\n"
