"""The live stream of a running gateway: order, ids, exact resume, slow readers, the end."""

import asyncio
import socket
from pathlib import Path

import pytest
from gateway import live, sse
from gateway.app import App
from gateway.server import bind
from modeldeck_events import downloads as d
from modeldeck_events import topology
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.readings import progress_subject
from nats.js.api import DiscardPolicy

from tests.integration.gateway.conftest import TOKEN, Product, caught_up, client, settings
from tests.integration.gateway.fakes import eventually, fake_services
from tests.integration.gateway.sse_client import Follower
from tests.support.nats import LocalServer, NatsServer
from tests.unit.gateway.facts import preset, progress, queued


def is_live(follower: Follower) -> bool:
    return bool(follower.last_id)


async def history(product: Product, presets: int) -> None:
    """Append three facts per preset, one after the other."""
    for n in range(presets):
        name = f"p{n}"
        await product.services.append_download(
            name,
            queued(name, preset_id=name),
            d.DownloadStarted(download_id=name, attempt=1, worker="w"),
            d.DownloadCompleted(download_id=name, attempt=1, total_bytes=1),
        )
    await eventually(lambda: caught_up(product.app, product.services))


async def test_hello_then_snapshots_then_changes(product: Product) -> None:
    follower = Follower(product.http, "queue,presets,resources")
    await follower.until(is_live)
    names = [event.name for event in follower.seen]
    assert names == ["hello", "snapshot", "snapshot", "snapshot"]
    assert [event.id for event in follower.seen[:3]] == ["", "", ""]
    hello = follower.seen[0].data
    assert (hello["v"], hello["resumed"], hello["heartbeat_s"]) == (1, False, 10)
    assert set(follower.state("queue")) == {
        "current",
        "active",
        "queue",
        "completed",
        "active_downloads",
        "paused",
        "max_concurrent",
        "bandwidth_limit_bps",
        "seq",
    }
    download_id = (await product.http.post("/api/presets/a/install")).json()["download_id"]
    await follower.until(lambda f: (f.state("presets")["presets"]["a"]["status"]) == "queued")
    assert follower.state("queue")["queue"][download_id]["position"] == 1
    delta = follower.named("delta")[0]
    assert delta.id.startswith(hello["epoch"])
    answered = (await product.http.get("/api/v1/state?topics=queue")).json()["queue"]
    assert {k: v for k, v in answered.items() if v is not None} == {
        k: v for k, v in follower.state("queue").items() if v is not None
    }
    await follower.stop()


async def test_entries_are_the_same_objects_as_http_answers(product: Product) -> None:
    follower = Follower(product.http, "activity,events")
    await follower.until(is_live)
    assert [event.name for event in follower.seen] == ["hello"]
    await product.http.post("/api/presets/a/install")
    await follower.until(lambda f: len(f.seen) == 3)
    entry, event = follower.seen[1:]
    assert [entry.data] == (await product.http.get("/api/activity/recent")).json()["activities"]
    assert [event.data] == (await product.http.get("/api/events?after=2")).json()["events"]
    await follower.stop()


@pytest.mark.parametrize("topics", ["activity", "events", "activity,events", "queue,activity"])
async def test_resuming_anywhere_gives_each_entry_once_in_order(product: Product, topics: str) -> None:
    whole = Follower(product.http, topics)
    await whole.until(is_live)
    await history(product, 4)
    last = "dl_14" if "activity" in topics else ""
    await whole.until(lambda f: any(e.data.get("id") == last or e.data.get("seq") == 14 for e in f.seen if e.id))
    await asyncio.sleep(0)
    entries = [event for event in whole.seen if event.name in {"activity", "event"}]
    assert len(entries) == 12 * (2 if topics == "activity,events" else 1)
    cuts = [e.id for e in whole.seen if e.id][::3]
    for cut in cuts:
        after = max(i for i, e in enumerate(whole.seen) if e.id == cut) + 1
        expected = [(e.name, e.data) for e in whole.seen[after:] if e.name in {"activity", "event"}]
        resumed = Follower(product.http, topics, last_event_id=cut)
        due = len(expected)
        await resumed.until(lambda f, due=due: len(f.named("activity") + f.named("event")) >= due and f.last_id)
        got = [(e.name, e.data) for e in resumed.seen if e.name in {"activity", "event"}]
        assert got == expected, cut
        assert resumed.seen[0].data["resumed"] is True
        assert not resumed.named("reset")
        await resumed.stop()
    await whole.stop()


async def test_a_long_replay_is_paged_and_live_changes_wait(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PAGE", 7)
    epoch = product.app.live.position.epoch
    await history(product, 20)
    resumed = Follower(product.http, "queue,activity", last_event_id=f"{epoch}.2")
    appended = asyncio.create_task(history_of(product, "late"))
    await resumed.until(lambda f: len(f.named("activity")) == 61)
    await appended
    seqs = [int(e.data["id"].removeprefix("dl_")) for e in resumed.named("activity")]
    assert seqs == list(range(3, 64))
    await resumed.until(lambda f: "late" in f.state("queue")["queue"])
    await resumed.stop()


async def history_of(product: Product, name: str) -> None:
    await product.services.append_download(name, queued(name, preset_id=name))


async def test_the_header_wins_over_the_query(product: Product) -> None:
    epoch = product.app.live.position.epoch
    await history(product, 1)
    resumed = Follower(product.http, "events", last_event_id=f"{epoch}.4", query=f"&last_event_id={epoch}.0")
    await resumed.until(lambda f: len(f.named("event")) == 1)
    assert resumed.named("event")[0].data["seq"] == 5
    await resumed.stop()


async def test_a_foreign_epoch_or_future_position_is_a_reset(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = product.app.live.position.epoch
    wait_for = product.app.live.wait_for
    monkeypatch.setattr(product.app.live, "wait_for", lambda seq, timeout_s=0.01: wait_for(seq, 0.01))
    for last_event_id in ("other-epoch.1", f"{epoch}.999"):
        follower = Follower(product.http, "queue,activity", last_event_id=last_event_id)
        await follower.until(is_live)
        assert [event.name for event in follower.seen] == ["hello", "reset", "snapshot"]
        assert follower.seen[0].data["resumed"] is False
        assert follower.last_id == f"{epoch}.2"
        await follower.stop()


async def test_a_log_whose_part_after_the_id_is_gone_is_a_reset(product: Product) -> None:
    await history(product, 3)
    epoch, head = product.app.live.position
    js = product.services.bus.js
    config = (await js.stream_info(topology.EVENTS)).config
    config.discard, config.max_msgs = DiscardPolicy.OLD, 4
    await js.update_stream(config)
    first = (await js.stream_info(topology.EVENTS)).state.first_seq
    assert first > 3
    for after, events in ((first - 1, ["hello", "snapshot"]), (first - 2, ["hello", "reset", "snapshot"])):
        follower = Follower(product.http, "queue,activity", last_event_id=f"{epoch}.{after}")
        await follower.until(is_live)
        assert [event.name for event in follower.seen][: len(events)] == events
        await follower.until(lambda f: f.last_id == f"{epoch}.{head}")
        await follower.stop()


@pytest.mark.parametrize("bad", ["nonsense", "x.y", "x.01", "x.-1", "x.1.2", "é.1", "a" * 500])
async def test_bad_ids_are_400(product: Product, bad: str) -> None:
    response = await product.http.get("/api/v1/stream?topics=queue", params={"last_event_id": bad, "topics": "queue"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_event_id")


async def test_unknown_topics_are_400_and_name_the_known_ones(product: Product) -> None:
    response = await product.http.get("/api/v1/stream?topics=queue,nope")
    assert response.status_code == 400
    assert response.json()["known_topics"] == list(live.TOPICS)
    assert (await product.http.get("/api/v1/state?topics=activity")).json()["code"] == "unknown_topic"


async def test_pings_come(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Follower(product.http, "queue")
    await follower.until(is_live)
    monkeypatch.setattr(live, "_BEAT_S", 0.02)
    beat = asyncio.create_task(product.app.live.beat())
    await follower.until(lambda f: len(f.named("ping")) >= 2)
    beat.cancel()
    await follower.stop()


async def test_progress_is_conflated_to_four_a_second(product: Product) -> None:
    download_id = (await product.http.post("/api/presets/a/install")).json()["download_id"]
    await product.services.append_download("a", d.DownloadStarted(download_id=download_id, attempt=1, worker="w"))
    follower = Follower(product.http, "queue")
    await follower.until(lambda f: f.state("queue") and download_id in f.state("queue")["active"])
    before = len(follower.seen)  # the start itself tells a progress, too
    started = asyncio.get_running_loop().time()
    for n in range(1, 101):
        reading = progress(download_id, n, at_s=n / 1000)
        await product.services.bus.publish_reading(progress_subject("default", "preset:a"), reading, latest_only=True)
        await asyncio.sleep(0.01)
    await follower.until(lambda f: f.state("queue")["active"][download_id]["progress"] == 100.0)
    elapsed = asyncio.get_running_loop().time() - started
    deltas = [e.data["data"] for e in follower.seen[before:] if e.name == "delta"]
    told = [delta for delta in deltas if "progress" in delta.get("active", {}).get(download_id, {})]
    assert 2 <= len(told) <= 4 * elapsed + 1
    await follower.stop()


async def test_a_client_that_does_not_read_is_cut_off_and_slows_nobody(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAILBOX_BYTES", 600_000)
    host, port = product.url.removeprefix("http://").split(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect((host, int(port)))
    request = f"GET /api/v1/stream?topics=events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    deaf.sendall(request.encode())
    reader = Follower(product.http, "events")
    await reader.until(is_live)
    await eventually(lambda: is_true(product.app.live.stream_count == 2))
    big = preset("big", *(queued("x").files * 3000))
    for _ in range(40):
        await product.services.append(preset_subject("big"), PresetPublished(preset=big))
    await eventually(lambda: caught_up(product.app, product.services))
    assert product.app.live.cut_off == 1
    assert product.app.live.stream_count == 1
    head = product.app.live.position.seq
    await reader.until(lambda f: f.named("event")[-1].data["seq"] == head)
    seqs = [e.data["seq"] for e in reader.named("event")]
    assert seqs == list(range(3, head + 1))
    deaf.close()
    await reader.stop()


async def is_true(value: bool) -> bool:
    return value


async def test_going_down_says_bye_and_ends_within_seconds(product: Product) -> None:
    followers = [Follower(product.http, "queue,activity") for _ in range(5)]
    for follower in followers:
        await follower.until(is_live)
    started = asyncio.get_running_loop().time()
    await product.app.service.stop()
    for follower in followers:
        await follower.ended()
        assert follower.seen[-1].name == "bye"
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_snapshot_saves_the_next_start_from_folding(nats_server: NatsServer, tmp_path: Path) -> None:
    app = App(settings(tmp_path, nats_server.url), bind("127.0.0.1", 0))
    await app.service.start()
    await app.service.ready()
    services = await fake_services(nats_server.url)
    for n in range(30):
        await services.append(preset_subject(f"p{n}"), PresetPublished(preset=preset(f"p{n}")))
    await eventually(lambda: caught_up(app, services))
    state = app.boards.presets.state()
    await app.service.stop()
    again = App(settings(tmp_path, nats_server.url), bind("127.0.0.1", 0))
    assert again.boards.presets.state() == state
    await again.service.start()
    await again.service.ready()
    assert again.boards.applied == 0
    assert again.live.position.seq == 30
    assert again.live.topics["presets"].published == state
    await again.service.stop()
    await services.bus.close()


async def test_another_log_is_noticed_and_nothing_of_the_old_one_remains(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "nats")
    await server.start()
    listener = bind("127.0.0.1", 0)
    app = App(settings(tmp_path, server.url), listener)
    await app.service.start()
    await app.service.ready()
    services = await fake_services(server.url)
    await services.append(preset_subject("a"), PresetPublished(preset=preset("a")))
    await eventually(lambda: caught_up(app, services))
    old_epoch = app.live.position.epoch
    async with client(f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        follower = Follower(http, "presets,activity")
        await follower.until(is_live)
        await server.kill()
        server.wipe()
        await server.start()
        await follower.ended(30)
        assert [e.name for e in follower.seen[-2:]] == ["reset", "bye"]

        async def new_log() -> bool:
            return app.live.caught_up.is_set() and app.live.position.epoch != old_epoch

        await eventually(new_log, 30)
        assert (await http.get("/api/presets")).json()["presets"] == []
        resumed = Follower(http, "presets,activity", last_event_id=follower.last_id)
        await resumed.until(is_live)
        assert "reset" in [e.name for e in resumed.seen]
        await resumed.stop()
    await services.bus.close()
    await app.service.stop()
    await server.stop()


async def test_streams_of_a_gateway_that_starts_are_refused_until_it_has_caught_up(
    tmp_path: Path, unused_port: int
) -> None:
    listener = bind("127.0.0.1", 0)
    app = App(settings(tmp_path, f"nats://127.0.0.1:{unused_port}"), listener)
    await app.service.start()
    async with client(f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        for path in ("/api/v1/stream?topics=queue", "/api/presets", "/api/presets?limit=1"):
            response = await http.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "not_ready"), path
            assert response.headers["retry-after"] == "1"
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz", timeout=10)).status_code == 503
    await app.service.stop()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_streams_need_a_get(product: Product) -> None:
    response = await product.http.post("/api/v1/stream?topics=queue")
    assert response.status_code == 405
