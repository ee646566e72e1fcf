"""NATS away, frozen and back: the gateway says so, keeps answering reads, and goes on without help."""

import asyncio
from pathlib import Path

import pytest
from gateway.app import App
from gateway.server import bind
from modeldeck_events import downloads as d
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject

from tests.integration.gateway.conftest import caught_up, client, settings
from tests.integration.gateway.fakes import eventually, fake_services
from tests.integration.gateway.sse_client import Follower
from tests.support.nats import LocalServer
from tests.unit.gateway.facts import preset, queued


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_the_bus_goes_and_comes_back(tmp_path: Path, how: str) -> None:
    server = LocalServer(tmp_path / "nats")
    await server.start()
    listener = bind("127.0.0.1", 0)
    app = App(settings(tmp_path, server.url), listener)
    await app.service.start()
    await app.service.ready()
    services = await fake_services(server.url)
    await services.append(preset_subject("a"), PresetPublished(preset=preset("a")))
    await eventually(lambda: caught_up(app, services))
    async with client(f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        follower = Follower(http, "presets,activity,events")
        await follower.until(lambda f: bool(f.last_id))
        if how == "kill":
            await server.kill()
        else:
            server.freeze()
        started = asyncio.get_running_loop().time()
        refused = await http.post("/api/presets/a/install")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        assert asyncio.get_running_loop().time() - started < 5
        assert "retry-after" in refused.headers
        assert (await http.get("/api/presets")).json()["total"] == 1
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/api/events")).status_code == 503
        if how == "kill":  # a frozen one is noticed later
            await follower.until(lambda f: "behind_since" in f.named("ping")[-1].data if f.named("ping") else False)
            late = Follower(http, "presets")
            await late.until(lambda f: bool(f.last_id))
            assert "behind_since" in late.named("hello")[0].data
            await late.stop()
        if how == "kill":
            await server.start()
        else:
            server.thaw()

        async def works() -> bool:
            return (await http.post("/api/presets/a/install")).status_code == 200

        await eventually(works, 30)
        await services.append_download("b", queued("b", preset_id="b"), d.DownloadCancelled(download_id="b"))
        await eventually(lambda: caught_up(app, services))
        head = app.live.position.seq
        await follower.until(lambda f: f.named("event")[-1].data["seq"] == head)
        assert [e.data["seq"] for e in follower.named("event")] == list(range(2, head + 1))
        assert all("behind_since" not in ping.data for ping in follower.named("ping")[-1:])
        assert (await http.get("/readyz")).status_code == 200
        await follower.stop()
    await services.bus.close()
    await app.service.stop()
    await server.stop()
