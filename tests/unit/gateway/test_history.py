"""The story of one download: attempts, hosts and reasons, of that download and no other."""

from datetime import timedelta
from typing import Any

from gateway.boards.downloads import Download, Downloads
from gateway.history import Timeline, timeline
from modeldeck_events import downloads as d
from modeldeck_events.memory import MemoryStore
from modeldeck_events.store import Meta

from tests.unit.gateway.facts import START, file_completed, queued

FAILURE = d.FailureInfo(code="http_503", message="The host is busy.", host="cdn.example.org", status=503)


def fetched(name: str, path: str, size: int, attempt: int = 1) -> d.DownloadFileCompleted:
    return d.DownloadFileCompleted(
        download_id=name,
        attempt=attempt,
        path=path,
        url=f"https://example.org/{path}",
        size_bytes=size,
        fetched_bytes=size,
        verified="size",
        host="example.org",
    )


STORY = [
    queued("old"),
    d.DownloadCancelled(download_id="old"),
    queued("one"),
    d.DownloadStarted(download_id="one", attempt=1, worker="box"),
    fetched("one", "x/a", 100),
    d.DownloadRetryScheduled(
        download_id="one", attempt=1, path="x/b", failure=FAILURE, tries=1, max_tries=3, retry_at=START
    ),
    d.DownloadRetryBegan(download_id="one", attempt=1, path="x/b"),
    d.DownloadPaused(download_id="one", reason="no_space", message="There is not enough space."),
    d.DownloadResumed(download_id="one", reason="space_available"),
    d.DownloadStarted(download_id="one", attempt=2, worker="box"),
    d.DownloadStarted(download_id="one", attempt=3, worker="other"),
    fetched("one", "x/b", 50, attempt=3),
    d.DownloadCompleted(download_id="one", attempt=3, total_bytes=150),
    queued("next"),
    file_completed("next", "x/a", 1),
]


async def story(*, after: int = 0, limit: int = 200) -> Timeline:
    times = iter(START + timedelta(seconds=n) for n in range(99))
    store, board, seq = MemoryStore(clock=lambda: next(times)), Downloads(), 0
    subject = d.subject("default", "preset:a")
    for event in STORY:
        seq = await store.append(subject, [event], expected_seq=seq, meta=Meta(source="t", actor="local"))
    for record in await store.read(after=0, limit=99):
        board.apply(record)
    download: Download = board.by_id["one"]
    return await timeline(store, download, after=after, limit=limit)


def but(item: dict[str, Any], *left_out: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in left_out}


async def test_each_attempt_says_where_from_what_and_how_it_ended() -> None:
    told = await story()
    assert [but(attempt, "started_at", "ended_at") for attempt in told.attempts] == [
        {
            "attempt": 1,
            "worker": "box",
            "outcome": "paused",
            "reason": "There is not enough space.",
            "hosts": ["example.org", "cdn.example.org"],
            "files": 1,
            "retries": 1,
            "fetched_bytes": 100,
        },
        {"attempt": 2, "worker": "box", "outcome": "interrupted", "reason": "the worker went away without a word"},
        {
            "attempt": 3,
            "worker": "other",
            "outcome": "completed",
            "hosts": ["example.org"],
            "files": 1,
            "fetched_bytes": 50,
        },
    ]
    assert told.attempts[0]["started_at"] == "2026-01-02T03:04:08.000Z"
    assert told.attempts[0]["ended_at"] == "2026-01-02T03:04:12.000Z"


async def test_every_fact_of_this_download_has_its_attempt_and_reason() -> None:
    told = await story()
    assert [event["seq"] for event in told.events] == list(range(3, 14))
    assert [event.get("attempt") for event in told.events] == [None, 1, 1, 1, 1, 1, None, 2, 3, 3, 3]
    retry = told.events[3]
    assert (retry["host"], retry["reason"], retry["code"], retry["http_status"]) == (
        "cdn.example.org",
        "The host is busy.",
        "http_503",
        503,
    )
    assert told.events[2]["bytes"] == 100
    assert all(event["actor"] == "local" and event["data"]["download_id"] == "one" for event in told.events)


async def test_a_page_of_facts_comes_with_all_attempts() -> None:
    told = await story(after=5, limit=2)
    assert [event["seq"] for event in told.events] == [6, 7]
    assert told.events[0]["attempt"] == 1
    assert len(told.attempts) == 3
