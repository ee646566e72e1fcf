"""The HTTP contract of a running gateway."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from gateway import validation
from modeldeck_events import downloads as d
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.presets import CATALOG_SUBJECT, CatalogRefreshed, PresetPublished, PresetWarning
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.readings import HostSample, host_subject

from tests.integration.gateway.conftest import Product, caught_up, running
from tests.integration.gateway.fakes import eventually
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import START, file, found, preset


async def ok(response: httpx.Response, status: int = 200) -> dict[str, object]:
    assert response.status_code == status, response.text
    body = response.json()
    assert isinstance(body, dict)
    return body


async def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    return body  # type: ignore[no-any-return]


async def test_presets_are_listed_under_every_spelling(product: Product) -> None:
    bodies = [
        await ok(await product.http.get(path))
        for path in ("/api/v1/presets/", "/api/v1/presets", "/api/presets/", "/api/presets/?limit=200")
    ]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["total"] == 2
    page = await ok(await product.http.get("/api/presets/?limit=1&offset=1"))
    assert [p["id"] for p in page["presets"]] == ["b"]  # type: ignore[attr-defined]


async def test_what_is_odd_about_the_catalog_itself_is_listed(product: Product) -> None:
    assert (await product.http.get("/api/presets")).json()["warnings"] == []
    odd = CatalogRefreshed(
        version="1",
        total_presets=2,
        published=0,
        withdrawn=0,
        source="s",
        warnings=(PresetWarning(code="invalid_preset", message="x is left out"),),
    )
    await product.services.append(CATALOG_SUBJECT, odd)
    await eventually(lambda: caught_up(product.app, product.services))
    listed = (await product.http.get("/api/presets")).json()
    assert listed["warnings"] == [{"code": "invalid_preset", "message": "x is left out"}]


async def test_static_names_are_not_taken_for_preset_ids(product: Product) -> None:
    assert "categories" in await ok(await product.http.get("/api/presets/categories"))
    assert "active" in await ok(await product.http.get("/api/presets/queue/status"))
    assert (await ok(await product.http.get("/api/presets/a")))["name"] == "A"
    await problem(await product.http.get("/api/presets/nope"), 404, "preset_not_found")


async def test_an_install_is_visible_to_the_next_read(product: Product) -> None:
    body = await ok(await product.http.post("/api/presets/a/install"))
    assert (body["preset_id"], body["status"]) == ("a", "queued")
    queue = (await product.http.get("/api/presets/queue/status")).json()
    assert [item["download_id"] for item in queue["queue"]] == [body["download_id"]]
    assert (await product.http.get("/api/presets/a")).json()["status"] == "queued"
    again = await ok(await product.http.post("/api/presets/a/install"))
    assert again["download_id"] == body["download_id"]


async def test_installed_is_answered_for_what_is_there(product: Product) -> None:
    product.services.phases["preset:a"] = ("installed", "")
    assert await ok(await product.http.post("/api/presets/a/install")) == {"preset_id": "a", "status": "installed"}


async def test_preset_commands_answer_their_words_and_404_for_nothing(product: Product) -> None:
    await problem(await product.http.post("/api/presets/a/pause"), 404, "nothing_to_pause")
    install = await ok(await product.http.post("/api/presets/a/install"))
    for verb, word in (("pause", "paused"), ("resume", "resumed"), ("cancel", "cancelled"), ("retry", "retrying")):
        body = await ok(await product.http.post(f"/api/presets/a/{verb}"))
        assert (body["status"], body["download_id"]) == (word, install["download_id"])
    await problem(await product.http.post("/api/presets/nope/pause"), 404, "preset_not_found")
    await ok(await product.http.post("/api/presets/a/cancel?keep_partial=false"))
    command = product.services.received[-1]
    assert isinstance(command, d.CancelDownload)
    assert command.keep_partial is False
    assert command.actor == "local"


async def test_a_download_of_a_repository_file(product: Product) -> None:
    response = await product.http.post("/api/downloads", json={"repo": "org/model", "filename": "q4/m.gguf"})
    body = await ok(response, 201)
    assert response.headers["location"] == f"/api/v1/downloads/{body['download_id']}"
    command = product.services.received[-1]
    assert isinstance(command, d.QueueDownload)
    (spec,) = command.files
    assert spec.url == "https://huggingface.co/org/model/resolve/main/q4/m.gguf"
    assert spec.path == "llm/org/model/q4/m.gguf"
    details = await ok(await product.http.get(response.headers["location"]))
    assert details["status"] == "queued"
    queue = (await product.http.get("/api/downloads/queue")).json()
    (item,) = queue["queue"]
    assert (item["id"], item["repo"], item["filename"]) == (body["download_id"], "org/model", "m.gguf")
    await ok(await product.http.post("/api/downloads", json={"repo": "org/model", "filename": "q4/m.gguf"}), 200)
    history = await ok(await product.http.get(f"{response.headers['location']}/history"))
    assert [event["type"] for event in history["events"]] == ["modeldeck.download.queued.v1"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"repo": "org/model"},
        {"repo": "no-slash", "filename": "x"},
        {"repo": "org/model", "filename": "../../etc/passwd"},
        {"url": "https://example.org/x"},
        {"url": "ftp://example.org/x", "path": "x"},
        {"url": "https://user:pw@example.org/x", "path": "x"},
        {"url": "https://example.org/x", "path": "/etc/passwd"},
        {"url": "https://example.org/x", "path": "x", "sha256": "short"},
        {"url": "https://example.org/x", "path": "x", "typo": 1},
    ],
)
async def test_bad_downloads_are_refused_with_what_is_wrong(product: Product, body: dict[str, object]) -> None:
    refused = await problem(await product.http.post("/api/downloads", json=body), 422, "invalid_request")
    assert refused["errors"]
    assert product.services.received == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "the body: give either `repo` and `filename`, or `url` and `path`"),
        ([], "the body: must be a JSON object"),
        (None, "the body: is missing"),
        ({"url": "https://h/x", "path": "../x"}, "path: the path '../x' has the part '..'; name each folder plainly"),
        ({"url": "https://h/x", "path": 5, "typo": 1}, "path: must be text; typo: is not known here"),
        ({"url": "https://h/x", "path": "x", "size_bytes": -1}, "size_bytes: must be at least 0"),
        ({"url": "https://h/x", "path": "x", "size_bytes": "big"}, "size_bytes: must be a whole number"),
        ({"url": "https://h/x", "path": "x", "sha256": "z"}, "sha256: must have the form ^[0-9a-fA-F]{64}$"),
        ({"url": "h" * 5000, "path": "x"}, "url: must have at most 4096 characters"),
    ],
)
async def test_what_does_not_fit_is_said_in_plain_words(product: Product, body: object, detail: str) -> None:
    refused = await problem(await product.http.post("/api/downloads", json=body), 422, "invalid_request")
    assert refused["detail"] == detail


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "/events?limit=0", "limit: must be at least 1"),
        ("GET", "/events?after=x", "after: must be a whole number"),
        ("GET", f"/downloads/x/history?after={10**20}", f"after: must be at most {2**53}"),
        ("GET", "/downloads/x/history?after=-1", "after: must be at least 0"),
        ("POST", "/presets/a/install?force=perhaps", "force: must be true or false"),
        ("POST", "/downloads/plan", "the body: is missing"),
    ],
)
async def test_what_does_not_fit_in_a_query_is_said_too(product: Product, method: str, path: str, detail: str) -> None:
    refused = await problem(await product.http.request(method, f"/api/v1{path}"), 422, "invalid_request")
    assert refused["detail"] == detail


async def test_every_word_for_what_does_not_fit_can_be_filled_in() -> None:
    for kind, words in validation._WORDS.items():
        error = {"type": kind, "loc": ("body", "x"), "ctx": dict.fromkeys(re.findall(r"{(\w+)}", words), 1)}
        assert validation.explain([error])[0]["message"]
    assert validation.explain([{"type": "new_in_pydantic", "loc": ("query", "x")}])[0]["where"] == "x"


async def test_download_commands_answer_409_where_the_state_forbids_it(product: Product) -> None:
    download_id = (await product.http.post("/api/presets/a/install")).json()["download_id"]
    path = f"/api/v1/downloads/{download_id}"
    await problem(await product.http.post(f"{path}/resume"), 409, "nothing_to_resume")
    assert (await ok(await product.http.post(f"{path}/pause")))["status"] == "paused"
    assert (await product.http.delete(path)).status_code == 204
    await problem(await product.http.delete(path), 409, "nothing_to_cancel")
    await problem(await product.http.get("/api/v1/downloads/nope"), 404, "download_not_found")
    await problem(await product.http.post("/api/v1/downloads/nope/pause"), 404, "download_not_found")


@pytest.mark.parametrize(
    ("body", "position"), [({"position": 2}, 2), ({"to": "top"}, 1), ({"to": "bottom"}, 10**9), ({"before": "b"}, 1)]
)
async def test_moves_name_a_place(product: Product, body: dict[str, object], position: int) -> None:
    ids = {p: (await product.http.post(f"/api/presets/{p}/install")).json()["download_id"] for p in ("b", "a")}
    body = {"before": ids["b"]} if "before" in body else body
    await ok(await product.http.post(f"/api/downloads/{ids['a']}/move", json=body))
    command = product.services.received[-1]
    assert isinstance(command, d.MoveDownload)
    assert command.position == position
    await problem(await product.http.post(f"/api/downloads/{ids['a']}/move", json={}), 422, "invalid_request")


async def test_settings_change_and_are_answered(product: Product) -> None:
    body = await ok(
        await product.http.patch("/api/downloads/settings", json={"bandwidth_limit": "50MB/s", "max_concurrent": 2})
    )
    assert body == {"max_concurrent": 2, "bandwidth_limit_bps": 50_000_000, "paused": False}
    assert (await product.http.get("/api/presets/queue/status")).json()["bandwidth_limit_bps"] == 50_000_000
    wrongs: tuple[object, ...] = ("fast", -1, True, 1.5, 10**23, "9999999TB/s", [])
    for wrong in wrongs:
        refused = await product.http.patch("/api/downloads/settings", json={"bandwidth_limit": wrong})
        body = await problem(refused, 422, "invalid_request")
        assert str(body["detail"]).startswith("bandwidth_limit: ")
    await problem(
        await product.http.patch("/api/downloads/settings", json={"max_concurrent": True}), 422, "invalid_request"
    )
    body = await ok(await product.http.patch("/api/downloads/settings", json={"bandwidth_limit": None}))
    assert body["bandwidth_limit_bps"] is None


async def test_plans(product: Product) -> None:
    body = await ok(await product.http.get("/api/presets/a/plan"))
    assert body["preset_id"] == "a"
    body = await ok(await product.http.post("/api/downloads/plan", json={"presets": ["a", "b"]}))
    assert [f["path"] for f in body["files"]] == ["checkpoints/a.safetensors", "checkpoints/b.safetensors"]  # type: ignore[attr-defined]
    await problem(await product.http.post("/api/downloads/plan", json={"presets": ["nope"]}), 404, "preset_not_found")


async def test_reads_carry_etags_and_answer_304(product: Product) -> None:
    for path in (
        "/api/presets",
        "/api/presets?limit=1",
        "/api/presets/a",
        "/api/downloads/queue",
        "/api/state",
        "/api/activity",
    ):
        first = await product.http.get(path)
        same = await product.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"]), path
    before = (await product.http.get("/api/presets")).headers["etag"]
    await product.http.post("/api/presets/a/install")
    assert (await product.http.get("/api/presets", headers={"If-None-Match": before})).status_code == 200


async def test_a_repeated_idempotency_key_is_one_command(product: Product) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await product.http.post("/api/presets/a/install", headers=key)
    second = await product.http.post("/api/presets/a/install", headers=key)
    assert first.json() == second.json()
    assert len(product.services.received) == 1
    await problem(
        await product.http.post("/api/presets/a/install?force=true", headers=key), 422, "idempotency_key_reused"
    )


async def test_a_repetition_gets_its_first_answer_whatever_the_catalog_says_since(product: Product) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await product.http.post("/api/presets/a/install", headers=key)
    other = preset("a", file("checkpoints/other.safetensors"))
    await product.services.append(preset_subject("a"), PresetPublished(preset=other))
    await eventually(lambda: caught_up(product.app, product.services))
    second = await product.http.post("/api/presets/a/install", headers=key)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert len(product.services.received) == 1


async def test_activity_pages_survive_new_entries_and_can_be_cleared(product: Product) -> None:
    for preset_id in ("a", "b"):
        await product.http.post(f"/api/presets/{preset_id}/install")
        await product.http.post(f"/api/presets/{preset_id}/pause")
    everything = (await product.http.get("/api/activity?limit=200")).json()["activities"]
    assert [e["status"] for e in everything] == ["paused", "queued", "paused", "queued"]
    page = (await product.http.get("/api/activity?limit=2")).json()
    await product.http.post("/api/presets/a/resume")
    rest = (await product.http.get(f"/api/activity?limit=5&cursor={page['next_cursor']}")).json()
    assert [e["id"] for e in page["activities"] + rest["activities"]] == [e["id"] for e in everything]
    assert "next_cursor" not in rest
    recent = (await product.http.get("/api/activity/recent?limit=1")).json()["activities"]
    assert recent[0]["status"] == "resumed"
    assert (await product.http.get("/api/activity?category=review")).json() == {"activities": []}
    await problem(await product.http.get("/api/activity?cursor=%00"), 422, "bad_cursor")
    assert [e["status"] for e in (await product.http.get("/api/activity?text=B%20Paus")).json()["activities"]] == [
        "paused"
    ]
    assert (await product.http.delete("/api/activity/clear")).status_code == 204
    assert (await product.http.get("/api/activity/recent")).json() == {"activities": []}
    await product.http.post("/api/presets/a/pause")
    assert len((await product.http.get("/api/activity/recent")).json()["activities"]) == 1
    cleared = (await product.http.get("/api/activity")).json()
    assert (len(cleared["activities"]), cleared["hidden"]["up_to_seq"] < cleared["activities"][0]["seq"]) == (1, True)
    for _ in range(2):
        assert (await product.http.post("/api/activity/restore")).status_code == 204
    shown = (await product.http.get("/api/activity")).json()
    assert (len(shown["activities"]), "hidden" in shown) == (6, False)


async def test_entries_older_than_kept_come_from_the_log(product: Product) -> None:
    board = product.app.boards.activity
    for preset_id in ("a", "b"):
        await product.http.post(f"/api/presets/{preset_id}/install")
        await product.http.post(f"/api/presets/{preset_id}/pause")
    everything = (await product.http.get("/api/activity?limit=200")).json()["activities"]
    while len(board._entries) > 1:
        board._dropped_seq = board._entries.popleft().seq
    got, cursor = [], ""
    while True:
        page = (await product.http.get(f"/api/activity?limit=1{cursor}")).json()
        got += page["activities"]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert got == everything


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=201", "limit=x"])
async def test_limits_out_of_range_are_422(product: Product, query: str) -> None:
    for path in ("/api/presets", "/api/activity", "/api/activity/recent", "/api/events"):
        await problem(await product.http.get(f"{path}?{query}"), 422, "invalid_request")


async def test_the_log_is_paged(product: Product) -> None:
    await product.http.post("/api/presets/a/install")
    first = (await product.http.get("/api/events?limit=2")).json()
    assert [e["seq"] for e in first["events"]] == [1, 2]
    assert first["more"] is True
    assert first["events"][0]["specversion"] == "1.0"
    rest = (await product.http.get(f"/api/events?after={first['seq']}")).json()
    assert [e["type"] for e in rest["events"]] == ["modeldeck.download.queued.v1"]
    assert rest["events"][0]["actor"] == "local"
    assert rest["more"] is False
    only = (await product.http.get("/api/events?type=modeldeck.download.queued.v1")).json()
    assert [e["seq"] for e in only["events"]] == [3]


async def test_resources_come_from_readings(product: Product) -> None:
    await problem(await product.http.get("/api/system/resources"), 503, "service_unavailable")
    sample = HostSample(
        host="box", pool="default", at=START, interval_s=2, cpu_percent=3.0, cpu_count=2, memory=None, disks=()
    )
    await product.services.bus.publish_reading(host_subject("box"), sample)

    async def there() -> bool:
        return (await product.http.get("/api/system/resources")).status_code == 200

    await eventually(there)
    body = (await product.http.get("/api/system/resources")).json()
    assert body["cpu_percent"] == 3.0
    assert "memory" not in body


async def test_installed_state_follows_the_disk(product: Product) -> None:
    path = "checkpoints/a.safetensors"
    await product.services.append(modelfile_subject("default", path), found(path))
    await eventually(lambda: caught_up(product.app, product.services))
    body = (await product.http.get("/api/presets?limit=1")).json()["presets"]
    assert (body[0]["id"], body[0]["installed"], body[0]["status"]) == ("a", True, "installed")


async def test_refresh_answers_what_the_catalog_said(product: Product) -> None:
    body = await ok(await product.http.post("/api/presets/refresh"))
    assert body == {"status": "success", "message": "read", "total_presets": 2, "version": "7"}


async def test_readiness_tells_the_truth_about_every_service(product: Product) -> None:
    assert (await product.stranger.get("/healthz")).status_code == 200
    assert (await product.stranger.get("/readyz")).json()["status"] == "ready"
    product.services.healthy = False

    async def unready() -> bool:
        return (await product.stranger.get("/readyz")).status_code == 503

    await eventually(unready)
    assert (await product.stranger.get("/healthz")).status_code == 200
    health = (await product.http.get("/api/system/health")).json()
    assert health["services"]["downloader"]["ok"] is False
    assert health["services"]["gateway"]["ok"] is True
    assert "comfyui_url" not in health, "none is configured"


async def test_where_comfyui_is_opened_is_told_without_its_password(nats_server: NatsServer, tmp_path: Path) -> None:
    async with running(
        nats_server.url, tmp_path, comfyui_url="http://me:secret@box.example:8188/ui?token=x"
    ) as product:
        health = await product.http.get("/api/v1/system/health")
        assert health.json()["comfyui_url"] == "http://box.example:8188/ui"


async def test_a_service_that_is_away_is_503_soon(product: Product) -> None:
    await product.services.bus.close()
    started = asyncio.get_running_loop().time()
    response = await product.http.post("/api/presets/a/install")
    await problem(response, 503, "service_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert asyncio.get_running_loop().time() - started < 5
    assert (await product.http.get("/api/presets")).status_code == 200


async def test_unknown_routes_and_methods_are_problems(product: Product) -> None:
    await problem(await product.http.get("/api/v1/nope"), 404, "not_found")
    await problem(await product.http.put("/api/v1/presets"), 405, "method_not_allowed")
    json = {"content-type": "application/json"}
    for content, status, code in (
        (b"{", 422, "invalid_request"),
        (b"[" * 500_000, 400, "bad_request"),
        (b"x" * 2_000_000, 413, "too_large"),
    ):
        await problem(await product.http.post("/api/v1/downloads", content=content, headers=json), status, code)

    async def without_length() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    await problem(
        await product.http.post("/api/v1/downloads", content=without_length(), headers=json), 413, "too_large"
    )


async def test_the_document_names_every_route_and_the_page_shows_it(product: Product) -> None:
    document = (await product.http.get("/openapi.json")).json()
    assert "/api/v1/presets/{preset_id}/install" in document["paths"]
    assert "Problem" in document["components"]["schemas"]
    page = await product.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/api/v1/downloads/{download_id}/move" in page.text
    assert "<script" not in page.text
    assert "modeldeck_http_requests_total" in (await product.http.get("/metrics")).text


async def test_reads_answer_from_the_past(product: Product) -> None:
    await product.http.post("/api/presets/a/install")
    queued_at = (await product.http.get("/api/presets/queue/status")).json()
    seq = queued_at["seq"]
    await product.http.post("/api/presets/a/pause")
    for path in ("/api/presets/queue/status", "/api/downloads/queue"):
        now = (await product.http.get(path)).json()
        then = (await product.http.get(f"{path}?at={seq}")).json()
        assert (now["queue"][0]["status"], then["queue"][0]["status"]) == ("paused", "queued")
        assert (await product.http.get(f"{path}?at={seq + 1}")).json() == now
    assert (await product.http.get(f"/api/presets/a?at={seq - 1}")).json()["status"] == "available"
    assert len((await product.http.get(f"/api/activity?at={seq}")).json()["activities"]) == 1
    facts = (await product.http.get("/api/events?after=2")).json()["events"]
    by_time = await product.http.get("/api/presets/a", params={"at": facts[-1]["time"].replace("Z", "+00:00")})
    assert by_time.json()["status"] in {"queued", "paused"}
    assert (await product.http.get("/api/presets?at=2000-01-01T00:00:00Z")).json()["presets"] == []
    for bad in ("999", "yesterday", "2026-01-01T00:00:00", "-1"):
        await problem(await product.http.get("/api/presets", params={"at": bad}), 422, "invalid_request")
    await problem(await product.http.get("/api/system/resources?at=1"), 422, "not_kept")
