"""The boards by example: each test is one sentence of the API's contract."""

from datetime import timedelta
from decimal import Decimal

import pytest
from gateway.boards.activity import only
from gateway.boards.fold import Boards
from gateway.boards.queue import queue_object
from modeldeck_events import downloads as d
from modeldeck_events import generations as g
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone
from modeldeck_events.pools import PoolConfigured
from modeldeck_events.presets import (
    CatalogRefreshed,
    CatalogRefreshFailed,
    Category,
    PresetPublished,
    PresetWarning,
    PresetWithdrawn,
)
from modeldeck_events.users import ActivityCleared

from tests.unit.gateway.facts import START, file, file_completed, found, preset, progress, queued, records

FAILURE = d.FailureInfo(code="http_error", message="The host answered 500.", host="example.org", status=500)


def folded(*events: Event) -> Boards:
    boards = Boards()
    for record in records(events):
        boards.apply(record)
    return boards


def started(download_id: str, attempt: int = 1) -> d.DownloadStarted:
    return d.DownloadStarted(download_id=download_id, attempt=attempt, worker="w")


class TestQueue:
    def test_is_empty_at_first(self) -> None:
        assert queue_object(Boards().queue.state()) == {
            "current": None,
            "queue": [],
            "active": [],
            "completed": [],
            "active_downloads": 0,
            "paused": False,
            "max_concurrent": 1,
            "bandwidth_limit_bps": None,
            "seq": 0,
        }

    def test_shows_what_runs_waits_and_ended(self) -> None:
        boards = folded(
            queued("one", preset_id="a"),
            queued("two", preset_id="b"),
            queued("three", preset_id=None),
            started("one"),
            started("two"),
            d.DownloadCompleted(download_id="one", attempt=1, total_bytes=77),
        )
        state = queue_object(boards.queue.state())
        assert state["current"]["download_id"] == "two"
        assert [x["download_id"] for x in state["active"]] == ["two"]
        assert [(x["download_id"], x["position"], x["status"]) for x in state["queue"]] == [("three", 1, "queued")]
        assert "preset_id" not in state["queue"][0]
        (done,) = state["completed"]
        assert (done["download_id"], done["status"], done["progress"], done["total_bytes"]) == (
            "one",
            "completed",
            100.0,
            77,
        )
        assert done["finished_at"] == "2026-01-02T03:04:11.000Z"
        assert state["active_downloads"] == 1
        assert state["seq"] == 6

    def test_orders_by_priority_then_rank(self) -> None:
        boards = folded(
            queued("one", preset_id="a"),
            queued("two", preset_id="b"),
            queued("three", preset_id="c"),
            queued("urgent", preset_id="d", priority=5),
            d.DownloadMoved(download_id="three", priority=0, rank=Decimal("1.5")),
        )
        assert list(boards.queue.state()["queue"]) == ["urgent", "one", "three", "two"]

    def test_a_paused_download_keeps_its_place_and_its_bytes(self) -> None:
        boards = folded(queued("one", preset_id="a"), queued("two", preset_id="b"), started("one"))
        boards.read(progress("one", 40))
        boards.take_changes(100.0)
        for record in records([d.DownloadPaused(download_id="one")], after=3):
            boards.apply(record)
        waiting = queue_object(boards.queue.state())["queue"]
        assert [(x["download_id"], x["status"], x.get("downloaded_bytes")) for x in waiting] == [
            ("one", "paused", 40),
            ("two", "queued", 0),
        ]

    def test_says_why_space_paused_it(self) -> None:
        boards = folded(
            queued("one"), d.DownloadPaused(download_id="one", reason="no_space", message="2 GB are missing.")
        )
        (item,) = queue_object(boards.queue.state())["queue"]
        assert (item["status"], item["error"], item["error_code"]) == ("paused", "2 GB are missing.", "no_space")

    def test_shows_the_pools_settings(self) -> None:
        boards = folded(PoolConfigured(pool="default", max_concurrent=3, bandwidth_limit_bps=50, paused=True))
        state = boards.queue.state()
        assert (state["max_concurrent"], state["bandwidth_limit_bps"], state["paused"]) == (3, 50, True)

    def test_retrying_tells_which_try_and_when_the_next(self) -> None:
        boards = folded(
            queued("one"),
            started("one"),
            d.DownloadRetryScheduled(
                download_id="one",
                attempt=1,
                path="m.bin",
                failure=FAILURE,
                tries=1,
                max_tries=3,
                retry_at=START + timedelta(minutes=1),
            ),
        )
        (item,) = queue_object(boards.queue.state())["active"]
        assert (item["status"], item["tries"], item["max_tries"]) == ("retrying", 1, 3)
        assert item["error"] == "The host answered 500."
        assert item["retry_at"] == "2026-01-02T03:05:05.000Z"

    def test_a_failed_one_keeps_its_reason_and_comes_back_when_retried(self) -> None:
        boards = folded(queued("one"), started("one"), d.DownloadFailed(download_id="one", attempt=1, failure=FAILURE))
        (item,) = queue_object(boards.queue.state())["completed"]
        assert (item["status"], item["error"], item["error_code"]) == ("failed", "The host answered 500.", "http_error")
        for record in records([d.DownloadRetried(download_id="one")], after=3):
            boards.apply(record)
        state = queue_object(boards.queue.state())
        assert state["completed"] == []
        assert [x["status"] for x in state["queue"]] == ["queued"]
        assert "error" not in state["queue"][0]

    def test_shows_the_last_twenty_ended_newest_first(self) -> None:
        events: list[Event] = []
        for n in range(25):
            events += [queued(f"d{n}", preset_id=f"p{n}"), d.DownloadCancelled(download_id=f"d{n}")]
        ended = queue_object(folded(*events).queue.state())["completed"]
        assert [x["download_id"] for x in ended] == [f"d{n}" for n in range(24, 4, -1)]


class TestProgress:
    def test_is_told_in_numbers_and_words(self) -> None:
        boards = folded(queued("one"), started("one"))
        boards.read(progress("one", 25))
        boards.take_changes(1.0)
        (item,) = queue_object(boards.queue.state())["active"]
        assert item["progress"] == 25.0
        assert (item["speed"], item["speed_bps"]) == ("45.2 MB/s", 45_200_000)
        assert (item["eta"], item["eta_s"]) == ("3m 24s", 204)
        assert item["file"] == {"path": "m.bin", "kind": "checkpoints", "index": 1, "count": 1}

    def test_shows_itself_at_most_four_times_a_second(self) -> None:
        boards = folded(queued("one"), started("one"))
        boards.read(progress("one", 10, at_s=0.0))
        boards.take_changes(10.0)
        boards.read(progress("one", 20, at_s=0.1))
        assert boards.take_changes(10.1).next_due == pytest.approx(10.25)
        assert boards.queue.state()["active"]["one"]["progress"] == 10.0
        assert boards.take_changes(10.25).next_due is None
        assert boards.queue.state()["active"]["one"]["progress"] == 20.0

    def test_never_decreases_unless_bytes_were_discarded(self) -> None:
        boards = folded(queued("one"), started("one"))
        for at_s, (done, total) in enumerate([(50, 100), (60, 150), (30, 150)]):
            boards.read(progress("one", done, total, at_s=at_s))
            boards.take_changes(100.0 * (at_s + 1))
            shown = boards.queue.state()["active"]["one"]["progress"]
            assert shown == [50.0, 50.0, 20.0][at_s]

    def test_one_hundred_means_every_byte(self) -> None:
        boards = folded(queued("one"), started("one"))
        for at_s, done in enumerate((999_999, 1_000_000)):
            boards.read(progress("one", done, 1_000_000, at_s=at_s))
            boards.take_changes(100.0 * (at_s + 1))
            assert boards.queue.state()["active"]["one"]["progress"] == [99.9, 100.0][at_s]

    def test_never_exceeds_one_hundred(self) -> None:
        boards = folded(queued("one"), started("one"))
        boards.read(progress("one", 130, 100))
        boards.take_changes(1.0)
        item = boards.queue.state()["active"]["one"]
        assert (item["progress"], item["total_bytes"]) == (100.0, 130)

    def test_of_an_older_attempt_tells_the_bytes_until_the_present_one_tells_its_own(self) -> None:
        boards = folded(queued("one"), started("one", 2))
        boards.read(progress("one", 90, attempt=1))
        boards.take_changes(1.0)
        item = boards.queue.state()["active"]["one"]
        assert item["progress"] == 90.0
        assert "speed" not in item
        boards.read(progress("one", 85, attempt=2))
        boards.take_changes(2.0)
        assert boards.queue.state()["active"]["one"]["progress"] == 85.0
        boards.read(progress("one", 95, attempt=1, at_s=9))
        boards.take_changes(3.0)
        assert boards.queue.state()["active"]["one"]["progress"] == 85.0

    def test_that_comes_before_its_fact_is_shown_with_it(self) -> None:
        boards = folded(queued("one"))
        boards.read(progress("one", 40))
        boards.take_changes(1.0)
        for record in records([started("one")], after=1):
            boards.apply(record)
        assert boards.queue.state()["active"]["one"]["progress"] == 40.0

    def test_is_absent_while_no_size_is_known(self) -> None:
        boards = folded(queued("one", file("m.bin", None)), started("one"))
        item = boards.queue.state()["active"]["one"]
        assert "progress" not in item
        assert "total_bytes" not in item


class TestPresets:
    def test_are_available_at_first(self) -> None:
        view = folded(PresetPublished(preset=preset("a"))).presets.state()["presets"]["a"]
        assert (view["status"], view["installed"], view["progress"]) == ("available", False, 0.0)
        assert (view["size"], view["size_bytes"]) == ("100 B", 100)

    def test_follow_their_download(self) -> None:
        boards = folded(PresetPublished(preset=preset("a")), queued("one"), started("one"))
        boards.read(progress("one", 40))
        assert "presets" in boards.take_changes(1.0).topics
        view = boards.presets.state()["presets"]["a"]
        assert (view["status"], view["progress"], view["download_id"]) == ("downloading", 40.0, "one")

    def test_are_installed_when_every_needed_file_is_whole(self) -> None:
        files = (file("x/1.bin"), file("x/2.bin", None), file("x/extra.bin", optional=True))
        events = [PresetPublished(preset=preset("a", *files)), found("x/1.bin")]
        assert folded(*events).presets.state()["presets"]["a"]["installed"] is False
        view = folded(*events, found("x/2.bin", 7)).presets.state()["presets"]["a"]
        assert (view["status"], view["installed"], view["progress"]) == ("installed", True, 100.0)
        assert view["modified_at"] == "2026-01-02T03:04:05.000Z"
        assert [f["installed"] for f in view["files"]] == [True, True, False]

    @pytest.mark.parametrize(
        "event",
        [
            found("x/1.bin", 99),
            found("x/1.bin", whole=False),
            found("x/1.bin", pool="other"),
            ModelFileGone(pool="default", path="x/1.bin"),
        ],
        ids=["wrong size", "truncated", "in another pool", "gone"],
    )
    def test_are_not_installed_by(self, event: Event) -> None:
        published = PresetPublished(preset=preset("a", file("x/1.bin")))
        first = [] if getattr(event, "pool", "") == "other" else [found("x/1.bin")]
        assert folded(published, *first, event).presets.state()["presets"]["a"]["installed"] is False

    def test_size_of_the_last_download_counts_when_the_catalog_knows_none(self) -> None:
        published = PresetPublished(preset=preset("a", file("x/1.bin", None)))
        downloaded = [queued("one", file("x/1.bin", None)), file_completed("one", "x/1.bin", 50)]
        assert folded(published, *downloaded, found("x/1.bin", 50)).presets.state()["presets"]["a"]["installed"] is True
        assert (
            folded(published, *downloaded, found("x/1.bin", 49)).presets.state()["presets"]["a"]["installed"] is False
        )

    def test_a_file_from_another_source_counts_only_once_the_own_source_agrees(self) -> None:
        published = PresetPublished(preset=preset("a", file("x/1.bin", None)))
        other = "https://elsewhere.example/x.bin"
        theirs = [
            published,
            queued("two", d.FileSpec(path="x/1.bin", url=other), preset_id="b"),
            file_completed("two", "x/1.bin", 50, url=other),
            found("x/1.bin", 50),
        ]
        assert folded(*theirs).presets.state()["presets"]["a"]["installed"] is False
        agrees = [queued("one", file("x/1.bin", None)), file_completed("one", "x/1.bin", 50, action="present")]
        assert folded(*theirs, *agrees).presets.state()["presets"]["a"]["installed"] is True

    def test_between_the_download_and_the_inventory_they_are_completed(self) -> None:
        done = [
            PresetPublished(preset=preset("a", file("x/1.bin"))),
            queued("one", file("x/1.bin")),
            started("one"),
            d.DownloadCompleted(download_id="one", attempt=1, total_bytes=100),
        ]
        assert folded(*done).presets.state()["presets"]["a"]["status"] == "completed"
        gone = ModelFileGone(pool="default", path="x/1.bin")
        assert folded(*done, found("x/1.bin"), gone).presets.state()["presets"]["a"]["status"] == "available"

    @pytest.mark.parametrize(
        ("later", "codes"),
        [
            ([], []),
            ([ModelFileGone(pool="default", path="x/1.bin")], ["file_removed"]),
            ([found("x/1.bin", 40)], ["file_changed"]),
            ([found("x/1.bin", whole=False)], ["file_damaged"]),
            (
                [file_completed("two", "x/1.bin", 70, url="https://else.example/x"), found("x/1.bin", 70)],
                ["other_file"],
            ),
            ([ModelFileGone(pool="default", path="x/1.bin"), found("x/1.bin")], []),
            ([ModelFileGone(pool="default", path="x/1.bin"), queued("again", file("x/1.bin"))], []),
        ],
    )
    def test_what_became_of_installed_files_is_said(self, later: list[Event], codes: list[str]) -> None:
        installed = [
            PresetPublished(preset=preset("a", file("x/1.bin"))),
            queued("one", file("x/1.bin")),
            started("one"),
            file_completed("one", "x/1.bin", 100),
            found("x/1.bin"),
            d.DownloadCompleted(download_id="one", attempt=1, total_bytes=100),
            queued("two", file("x/1.bin"), preset_id="b"),
        ]
        view = folded(*installed, *later).presets.state()["presets"]["a"]
        assert [warning["code"] for warning in view["warnings"]] == codes
        assert all("x/1.bin" in warning["message"] for warning in view["warnings"])
        if codes:
            assert (view["status"], view["installed"], view["progress"]) == ("available", False, 0.0)

    def test_shared_files_count_for_every_preset(self) -> None:
        boards = folded(
            PresetPublished(preset=preset("a", file("x/s.bin"))), PresetPublished(preset=preset("b", file("x/s.bin")))
        )
        boards.presets.state()
        for record in records([found("x/s.bin")], after=2):
            boards.apply(record)
        assert [v["installed"] for v in boards.presets.state()["presets"].values()] == [True, True]

    def test_installed_ones_come_first_newest_first(self) -> None:
        boards = folded(
            *(PresetPublished(preset=preset(name, file(f"x/{name}"))) for name in "abc"),
            found("x/c"),
        )
        assert list(boards.presets.state()["presets"]) == ["c", "a", "b"]

    def test_categories_count(self) -> None:
        boards = folded(
            CatalogRefreshed(
                version="7",
                total_presets=2,
                published=2,
                withdrawn=0,
                source="s",
                categories=(Category(name="Video", description="moving"),),
            ),
            PresetPublished(preset=preset("a")),
            PresetPublished(preset=preset("b", category="Sound")),
        )
        state = boards.presets.state()
        assert state["version"] == "7"
        assert state["categories"] == {
            "Video": {"name": "Video", "description": "moving", "count": 1, "installed": 0},
            "Sound": {"name": "Sound", "count": 1, "installed": 0},
        }

    def test_withdrawn_ones_are_gone_and_changed_ones_replaced(self) -> None:
        boards = folded(
            PresetPublished(preset=preset("a")),
            PresetPublished(preset=preset("a", file("x/new.bin"))),
            PresetPublished(preset=preset("b")),
            PresetWithdrawn(preset_id="b"),
            found("x/new.bin"),
        )
        assert {k: v["installed"] for k, v in boards.presets.state()["presets"].items()} == {"a": True}


class TestActivity:
    def test_entries_say_what_happened_to_what(self) -> None:
        boards = folded(queued("one"), started("one"), d.DownloadFailed(download_id="one", attempt=1, failure=FAILURE))
        newest, *_, oldest = boards.activity.state()["activities"]
        assert newest == {
            "event_type": "modeldeck.download.failed.v1",
            "actor_user_id": "local",
            "seq": 3,
            "source_entity_type": "download",
            "source_entity_id": "one",
            "id": "dl_3",
            "type": "download",
            "category": "job",
            "status": "failed",
            "title": "preset:a",
            "subtitle": "The host answered 500.",
            "timestamp": "2026-01-02T03:04:08.000Z",
            "link": "/models?preset=a",
            "download_id": "one",
            "preset_id": "a",
        }
        assert (oldest["id"], oldest["status"]) == ("dl_1", "queued")

    def test_progress_of_single_files_is_not_worth_an_entry(self) -> None:
        boards = folded(queued("one"), file_completed("one", "m.bin", 100), found("m.bin"))
        assert [a["id"] for a in boards.activity.state()["activities"]] == ["dl_1"]

    def test_presets_that_a_refresh_left_out_are_counted(self) -> None:
        left_out = PresetWarning(code="invalid_preset", message="the preset 'x' is left out: it has no files")
        refreshed = CatalogRefreshed(
            version="1", total_presets=2, published=2, withdrawn=0, source="s", warnings=(left_out, left_out)
        )
        (entry,) = folded(refreshed).activity.state()["activities"]
        assert entry["subtitle"] == "2 presets, 2 new or changed, 0 withdrawn, 2 left out"

    def test_the_catalog_speaks_too(self) -> None:
        boards = folded(CatalogRefreshFailed(source="s", code="bad_yaml", message="It is not YAML."))
        (entry,) = boards.activity.state()["activities"]
        assert (entry["id"], entry["category"], entry["status"]) == ("cat_1", "system", "failed")

    def test_generations_are_told_with_their_outcome(self) -> None:
        box = "box:8188"
        boards = folded(
            g.GenerationStarted(source=box, generation_id="a/1", workflow="Portrait"),
            g.GenerationProgressed(source=box, generation_id="a/1", percent=50.0),
            g.GenerationCompleted(
                source=box, generation_id="a/1", workflow="Portrait", output_count=2, duration_s=204.0
            ),
            g.GenerationFailed(source=box, generation_id="2", error="CUDA out of memory"),
            g.GenerationInterrupted(source=box, generation_id="3", project_id="film"),
        )
        entries = boards.activity.state()["activities"]
        assert [(e["id"], e["status"], e["title"], e["subtitle"]) for e in entries] == [
            ("gen_5", "cancelled", "Generation", "Interrupted"),
            ("gen_4", "failed", "Generation", "CUDA out of memory"),
            ("gen_3", "completed", "Portrait", "2 outputs in 3m 24s"),
            ("gen_1", "started", "Portrait", "Generation started"),
        ]
        assert (entries[2]["type"], entries[2]["link"]) == ("generation", "/gallery?item=a%2F1")
        assert (entries[0]["project_id"], "project_id" in entries[1]) == ("film", False)
        assert len(boards.activity.newest("local", limit=9, wanted=only("generation", None))) == 4

    def test_clearing_hides_for_that_user_only(self) -> None:
        boards = folded(queued("one"), ActivityCleared(user_id="local", up_to_seq=1), started("one"))
        assert [e.data["id"] for e in boards.activity.newest("local", limit=9)] == ["dl_3"]
        assert [e.data["id"] for e in boards.activity.newest("other", limit=9)] == ["dl_3", "dl_1"]

    @pytest.mark.parametrize("category", ["job", "download", "model"])
    def test_categories_of_every_vocabulary_select(self, category: str) -> None:
        assert len(folded(queued("one")).activity.newest("local", limit=9, wanted=only(category, None))) == 1
        assert not folded(queued("one")).activity.newest("local", limit=9, wanted=only("review", None))
