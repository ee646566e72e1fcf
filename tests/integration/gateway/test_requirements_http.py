"""The literal fields of the requirements' HTTP contracts, row by row, on a gateway with something of everything.

A row names its requirement, a request, and the shape of the answer: types, words, numbers, patterns; a field that ends
in `?` may be absent. The other services are simulated at the bus.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.integration.gateway.conftest import Product, running
from tests.integration.gateway.furnished import REPO, TEMPLATE, furnish
from tests.support.nats import LocalServer

NUMBER = (int, float)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SIZE = re.compile(r"\d+(\.\d+)? ([KMGT]?B)")
WEB = re.compile(r"https?://.+")
LINK = re.compile(r"/.*")


def either(*words: object) -> Callable[[object], bool]:
    return lambda value: value in words


def between(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, NUMBER) and low <= value <= high


def misfits(value: Any, shape: Any, where: str = "") -> list[str]:
    """Return what of `value` is not as `shape` says."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is {value!r}, no object"]
        found = []
        for name, inner in shape.items():
            key = name.removesuffix("?")
            if key in value:
                found += misfits(value[key], inner, f"{where}.{key}")
            elif key == name:
                found.append(f"{where}.{key} is absent")
        return found
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{where} is {value!r}, no list with something in it"]
        return [text for n, item in enumerate(value) for text in misfits(item, shape[0], f"{where}[{n}]")]
    return [] if _fits(value, shape) else [f"{where} is {value!r}"]


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    if isinstance(shape, type | tuple):
        return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return bool(shape(value)) if callable(shape) else value == shape


STORAGE = {"total_bytes": int, "used_bytes": int, "available_bytes": int, "model_count": int}
QUANTIZATION = {"bits": NUMBER, "method": str}
STATUS = either("available", "queued", "downloading", "verifying", "retrying", "paused", "failed", "installed")
CURRENT = {
    "preset_id": "b",
    "download_id": str,
    "name": str,
    "status": "downloading",
    "progress": between(0, 100),
    "downloaded_bytes": 50,
    "total_bytes": 100,
    "speed": "45.2 MB/s",
    "speed_bps": NUMBER,
    "eta": "3m 24s",
    "eta_s": NUMBER,
    "file": {"path": str, "kind": str, "index": int, "count": int},
    "attempt": int,
    "error?": str,
    "started_at": TIME,
}
QUEUED = {"preset_id?": str, "download_id": str, "name": str, "status": either("queued", "paused"), "position": int}
ENDED = {"download_id": str, "status": either("completed", "failed", "cancelled"), "error?": str, "finished_at": TIME}
QUEUE = {
    "current": CURRENT,
    "queue": [QUEUED | {"total_bytes": int, "queued_at": TIME}],
    "active": [CURRENT],
    "completed": [ENDED],
    "active_downloads": 1,
    "paused": False,
    "max_concurrent": 1,
    "bandwidth_limit_bps": None,
    "seq": int,
}
DOWNLOAD = {
    "id": str,
    "repo?": str,
    "filename": str,
    "size": int,
    "status": str,
    "progress?": NUMBER,
    "error?": str,
    "started_at?": TIME,
}
UNMEASURED = {name: inner for name, inner in DOWNLOAD.items() if name != "size"}
MISSING = {"path": str, "node_type": str, "input_name": str}
TASK = {
    "job_id": str,
    "job_type": str,
    "status": either("running", "queued", "paused", "completed", "failed", "cancelled"),
    "progress_pct?": between(0, 100),
    "progress_message?": str,
    "elapsed_seconds?": NUMBER,
    "worker_id?": str,
    "submitted_by?": str,
    "submitted_at?": TIME,
    "queue_position?": int,
}
FEED = {
    "id": str,
    "event_type": re.compile(r"modeldeck\..+\.v\d+"),
    "category": either("job", "review", "system", "collaboration"),
    "source_entity_type": str,
    "source_entity_id": str,
    "actor_user_id?": str,
    "actor_name?": str,
    "payload": dict,
    "created_at": TIME,
}
ACTIVITY = {
    "id": re.compile(r"[a-z]+_\d+"),
    "type": str,
    "status": str,
    "title": str,
    "subtitle": str,
    "timestamp": TIME,
    "link": LINK,
}


class Row(NamedTuple):
    requirement: str
    path: str
    shape: Any


ROWS = (
    Row(
        "R-020",
        "/api/dashboard/stats",
        {"totalGenerations": 1, "modelsInstalled": 1, "storageUsed": SIZE, "activeWorkflows": 1},
    ),
    Row(
        "R-022",
        "/api/dashboard/overview",
        {"statistics": dict, "recentActivity": list, "systemStatus": dict, "quickStats": dict},
    ),
    Row(
        "R-023",
        "/api/dashboard/overview",
        {
            "statistics": {
                "totalConversations": 1,
                "totalMessages": 2,
                "totalTrainingJobs": 3,
                "activeTrainingJobs": 1,
                "totalModels": 1,
                "runningServers": 1,
                "totalDatasets": 1,
                "tokensThisWeek": 100,
                "messagesToday": 2,
            }
        },
    ),
    Row(
        "R-024",
        "/api/dashboard/overview",
        {
            "recentActivity": [
                {
                    "type": either("training", "conversation", "model", "dataset"),
                    "title": str,
                    "subtitle?": str,
                    "timestamp": TIME,
                    "link?": LINK,
                }
            ]
        },
    ),
    Row(
        "R-025",
        "/api/dashboard/overview",
        {
            "systemStatus": {
                "trainingServer": either("online", "offline"),
                "database": "connected",
                "gpuMemory": {"used": 8 * 1024**3, "total": 24 * 1024**3, "percentage": between(33, 34)},
                "inferenceServers": 1,
            }
        },
    ),
    Row(
        "R-026",
        "/api/dashboard/overview",
        {
            "quickStats": {
                "trainingSuccessRate": between(0, 100),
                "averageConversationLength": NUMBER,
                "mostUsedModel": "llama",
            }
        },
    ),
    Row(
        "R-060",
        "/api/presets/?limit=6",
        {"presets": [{"id": str, "name": str, "size": str, "type": str, "installed": bool, "modified_at?": TIME}]},
    ),
    Row(
        "R-061",
        "/api/presets/",
        {
            "presets": [
                {"description": str, "download_size": str, "category": str, "tags": list, "status": STATUS},
            ]
        },
    ),
    Row("R-067", "/api/presets/queue/status", {"current": {"preset_id": "b"}, "queue": list, "active_downloads": 1}),
    Row("R-068", "/api/presets/queue/status", QUEUE),
    Row("R-075", "/api/presets/categories", {"categories": [{"name": "Video", "count": 3, "installed": 1}]}),
    Row(
        "R-083",
        "/api/workflows/templates",
        {
            "templates": [
                {
                    "id": str,
                    "name": str,
                    "path": str,
                    "compatible": bool,
                    "missing_models": list,
                    "missing_count": int,
                }
            ],
            "total": 2,
        },
    ),
    Row("R-083", f"/api/workflows/templates/{TEMPLATE}", {"missing_models": [MISSING], "missing_count": 1}),
    Row(
        "R-085",
        f"/api/workflows/templates/{TEMPLATE}/missing-models",
        {"template_id": TEMPLATE, "missing_models": [MISSING], "can_generate": False},
    ),
    Row(
        "R-120",
        "/api/system/resources",
        {
            "cpu_percent": 12.5,
            "memory": {"total": int, "used": int, "available": int, "percent": NUMBER},
            "disk": {"total": int, "used": int, "free": int, "percent": NUMBER},
            "gpu": {
                "devices": [{"name": "RTX 4090", "memory_used": 8192, "memory_total": 24576, "utilization": NUMBER}]
            },
            "hosts": {"box": {"cpu_percent": 12.5, "memory": dict, "disk": dict, "gpu": dict}},
        },
    ),
    Row("R-140", "/api/activity/recent?limit=5", {"activities": [ACTIVITY]}),
    Row("R-160", "/api/v1/storage", STORAGE),
    Row("R-161", "/api/v1/modelfiles", {"storage": STORAGE, "repositories": [{"repo": str}]}),
    Row(
        "R-162",
        "/api/v1/modelfiles",
        {
            "repositories": [
                {
                    "repo": str,
                    "metadata": {
                        "likes?": int,
                        "stars?": int,
                        "license?": str,
                        "tags": list,
                        "description?": str,
                        "links": {"huggingface?": WEB, "homepage?": WEB, "paper?": WEB},
                    },
                    "variants": list,
                }
            ]
        },
    ),
    Row(
        "R-163",
        "/api/v1/modelfiles",
        {
            "repositories": [
                {
                    "variants": [
                        {
                            "filename": str,
                            "size": int,
                            "status": either("downloaded", "downloading", "available"),
                            "progress?": NUMBER,
                            "metadata": {"architecture?": str, "parameters?": int, "quantization?": QUANTIZATION},
                        }
                    ]
                }
            ]
        },
    ),
    Row(
        "R-164",
        f"/api/v1/modelfiles/{REPO}/metadata",
        {
            "repo": REPO,
            "model_family?": str,
            "architecture?": str,
            "parameters?": int,
            "quantization?": QUANTIZATION,
            "license": "mit",
            "tags": ["chat"],
            "performance_metrics?": dict,
        },
    ),
    Row(
        "R-165",
        "/api/v1/featured-models",
        {
            "last_updated": TIME,
            "models": [
                {
                    "id": "llama",
                    "name": "Llama",
                    "description": str,
                    "tags": ["chat"],
                    "size_category": "M",
                    "repo": REPO,
                    "filename": "llama-Q4.gguf",
                    "metadata": {"downloads": 10, "likes": 5, "model_type": "text", "family": "llama"},
                    "links": {"huggingface": WEB, "paper?": WEB},
                }
            ],
        },
    ),
    Row(
        "R-166",
        "/api/v1/featured-models",
        {
            "models": [
                {
                    "title": "Llama",
                    "recommended_variant": {"filename": "llama-Q4.gguf", "size": int},
                    "metadata": {"downloads_24h": 2, "stars": 3, "likes": 5, "tags": ["chat"]},
                    "links": {"huggingface?": WEB, "announcement?": WEB, "paper?": WEB},
                    "published_at": TIME,
                }
            ]
        },
    ),
    Row("R-167", "/api/v1/downloads/queue", {"active": [DOWNLOAD], "queue": [DOWNLOAD], "completed": [DOWNLOAD]}),
    Row("R-170", "/api/v1/user/settings", {"show_featured_models": bool}),
    Row("R-230", "/api/v1/dashboard/widgets/active-tasks?recent_completed=10", {"data": [TASK]}),
    Row(
        "R-232",
        "/api/v1/dashboard/widgets/project-progress",
        {"data": [{"project_id": "film", "project_name": "Film", "scenes_approved": 1, "scenes_total": 2}]},
    ),
    Row(
        "R-234",
        "/api/v1/dashboard/widgets/disk-health",
        {"data": {"used": int, "capacity": int, "free_bytes": int, "percentage": 85.0}},
    ),
    Row(
        "R-235",
        "/api/v1/dashboard/widgets/disk-health",
        {"data": {"status": "warning", "warning_threshold": 0.8, "critical_threshold": 0.9}},
    ),
    Row("R-236", "/api/v1/dashboard/widgets/activity-feed", {"data": [FEED]}),
    Row(
        "R-239",
        "/api/v1/user/dashboard",
        {"layout": [{"widget": str, "x": between(0, 3), "y": int, "w": between(1, 4), "h": int}]},
    ),
    Row(
        "R-240",
        "/api/v1/user/dashboard",
        {"id": str, "user_id": "local", "layout_json": list, "widget_settings_json": {}, "created_at?": TIME},
    ),
    Row(
        "R-245a",
        "/api/v1/dashboard/widgets/project-progress",
        {"data": [{"progress_pct": 50.0, "status_color": either("green", "yellow", "red")}]},
    ),
    Row(
        "R-245a",
        "/api/v1/dashboard/widgets/disk-health",
        {"data": {"total_bytes": int, "used_bytes": int, "free_bytes": int, "usage_pct": between(0, 1)}},
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """One gateway for all that only read."""
    server = LocalServer(tmp_path_factory.mktemp("nats"))
    await server.start()
    try:
        async with running(server.url, tmp_path_factory.mktemp("gateway")) as product:
            await furnish(product)
            yield product
    finally:
        await server.stop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.requirement} {row.path.partition('?')[0]}")
async def test_the_fields_are_there(shown: Product, row: Row) -> None:
    answer = await shown.http.get(row.path)
    assert answer.status_code == 200, answer.text
    assert misfits(answer.json(), row.shape) == []
    stranger = await shown.stranger.get(row.path)
    assert stranger.status_code == 401


async def read(product: Product, path: str) -> Any:
    answer = await product.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.asyncio(loop_scope="module")
async def test_r_060_installed_presets_tell_when_they_changed(shown: Product) -> None:
    first = (await read(shown, "/api/presets/?limit=6"))["presets"][0]
    assert (first["id"], first["installed"], first["status"]) == ("a", True, "installed")
    assert TIME.fullmatch(first["modified_at"])
    assert len((await read(shown, "/api/presets/?limit=2"))["presets"]) == 2


@pytest.mark.asyncio(loop_scope="module")
async def test_r_086_compatible_exactly_when_nothing_is_missing(shown: Product) -> None:
    for template in (await read(shown, "/api/workflows/templates"))["templates"]:
        assert template["compatible"] == (not template["missing_models"]) == (template["missing_count"] == 0)
        missing = await read(shown, f"/api/workflows/templates/{template['id']}/missing-models")
        assert missing["can_generate"] == template["compatible"]
    unknown = await shown.http.get("/api/workflows/templates/nope.json/missing-models")
    assert unknown.status_code == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_r_024_and_r_140_are_cut_and_newest_first(shown: Product) -> None:
    recent = (await read(shown, "/api/dashboard/overview"))["recentActivity"]
    assert len(recent) == 10
    entries = (await read(shown, "/api/activity/recent?limit=5"))["activities"]
    assert len(entries) == 5
    for found in (recent, entries):
        times = [entry["timestamp"] for entry in found]
        assert times == sorted(times, reverse=True)
    everything = (await read(shown, "/api/activity?limit=200"))["activities"]
    kinds = {(entry["type"], entry["id"].partition("_")[0], entry["status"]) for entry in everything}
    assert {
        ("generation", "gen", "completed"),
        ("download", "dl", "completed"),
        ("download", "dl", "failed"),
        ("download", "dl", "started"),
    } <= kinds


@pytest.mark.asyncio(loop_scope="module")
async def test_r_230_tells_who_works_and_who_asked(shown: Product) -> None:
    tasks = {task["job_id"]: task for task in (await read(shown, "/api/v1/dashboard/widgets/active-tasks"))["data"]}
    running_download = tasks["dl-b"]
    assert (running_download["worker_id"], running_download["submitted_by"]) == ("w", "local")
    assert (running_download["status"], running_download["progress_pct"]) == ("running", 50)
    assert running_download["elapsed_seconds"] >= 0
    training = tasks["1"]
    assert (training["worker_id"], training["submitted_by"], training["progress_pct"]) == ("gpu-2", "ana", 40)
    assert tasks["dl-waits"]["queue_position"] == 1
    few = (await read(shown, "/api/v1/dashboard/widgets/active-tasks?recent_completed=1"))["data"]
    assert sum("finished_at" in task for task in few) == 1
    assert (await shown.http.get("/api/v1/dashboard/widgets/active-tasks?recent_completed=51")).status_code == 422


@pytest.mark.asyncio(loop_scope="module")
async def test_r_236_the_feed_pages_and_filters(shown: Product) -> None:
    url = "/api/v1/dashboard/widgets/activity-feed"
    whole = (await read(shown, f"{url}?limit=200"))["data"]
    parts = [entry for offset in range(0, len(whole), 5) for entry in (await _page(shown, url, offset))]
    assert parts == whole
    assert [entry["id"] for entry in (await read(shown, url))["data"]] == [entry["id"] for entry in whole[:50]]
    for category in ("job", "review", "collaboration"):
        found = (await read(shown, f"{url}?category={category}&limit=200"))["data"]
        assert found == [entry for entry in whole if entry["category"] == category] != []
    scoped = (await read(shown, f"{url}?project_id=film"))["data"]
    assert scoped
    assert all(entry["payload"]["project_id"] == "film" for entry in scoped)


async def _page(product: Product, url: str, offset: int) -> list[Any]:
    found: list[Any] = (await read(product, f"{url}?limit=5&offset={offset}"))["data"]
    return found


@pytest.mark.asyncio(loop_scope="module")
async def test_r_241_the_default_layout(shown: Product) -> None:
    board = await read(shown, "/api/v1/user/dashboard")
    places = {item["widget"]: (item["x"], item["y"], item["w"]) for item in board["layout"]}
    assert places["active-tasks"] == (0, 0, 2)
    assert places["project-progress"] == (2, 0, 2)
    (x, y, w), (feed_x, feed_y, feed_w) = places["disk-health"], places["activity-feed"]
    assert (x, w, feed_x, feed_w) == (0, 1, 1, 3)
    assert y == feed_y > 0


# -- what changes something gets a gateway of its own


async def sent(product: Product, method: str, path: str, status: int = 200, **options: Any) -> Any:
    answer = await product.http.request(method, path, **options)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_r_062_to_r_066_commands_on_presets(product: Product) -> None:
    """R-062 install, R-063 pause, R-064 resume, R-065 cancel, R-066 retry: literal words; 404 for nothing."""
    for verb in ("install", "pause", "resume", "cancel", "retry"):
        refused = await sent(product, "POST", f"/api/presets/nope/{verb}", 404)
        assert refused["code"] == "preset_not_found", verb
    for verb in ("pause", "resume", "cancel"):
        await sent(product, "POST", f"/api/presets/a/{verb}", 404)
    shape: dict[str, Any] = {"preset_id": "a", "download_id": str}
    queued = await sent(product, "POST", "/api/presets/a/install?force=false")
    assert misfits(queued, shape | {"status": "queued"}) == []
    assert await sent(product, "POST", "/api/presets/a/install") == queued
    for verb, word in (("pause", "paused"), ("resume", "resumed"), ("cancel", "cancelled"), ("retry", "retrying")):
        said = await sent(product, "POST", f"/api/presets/a/{verb}")
        assert misfits(said, shape | {"status": word}) == [], verb


async def test_r_070_refresh(product: Product) -> None:
    said = await sent(product, "POST", "/api/presets/refresh")
    assert misfits(said, {"status": "success", "message": str, "total_presets": int, "version": str}) == []


async def test_r_143_clear_all_hides_and_deletes_nothing(product: Product) -> None:
    await furnish(product)
    assert (await read(product, "/api/activity/recent"))["activities"]
    events = (await read(product, "/api/v1/events?limit=200"))["events"]
    await sent(product, "DELETE", "/api/activity/clear", 204)
    assert (await read(product, "/api/activity/recent"))["activities"] == []
    assert (await read(product, "/api/v1/events?limit=200"))["events"][: len(events)] == events


async def test_r_168_and_r_169_one_file_is_queued_and_cancelled(product: Product) -> None:
    created = await sent(product, "POST", "/api/v1/downloads", 201, json={"repo": REPO, "filename": "x.gguf"})
    url = f"/api/v1/downloads/{created['download_id']}"
    (item,) = (await read(product, "/api/v1/downloads/queue"))["queue"]
    assert misfits(item, UNMEASURED | {"repo": REPO, "filename": "x.gguf", "status": "queued"}) == []
    assert (await product.http.delete(url)).status_code == 204
    assert (await product.http.delete("/api/v1/downloads/nope")).status_code == 404


async def test_r_239_and_r_240_a_board_of_ones_own(product: Product) -> None:
    layout = [{"widget": "disk-health", "x": 0, "y": 0, "w": 4, "h": 1}]
    settings = {"disk-health": {"interval_s": 60}}
    body = {"layout_json": layout, "widget_settings_json": settings}
    kept = await sent(product, "PUT", "/api/user/dashboard", json=body)
    for board in (kept, await read(product, "/api/user/dashboard")):
        assert (board["layout"], board["layout_json"]) == (layout, layout)
        assert (board["widget_settings"], board["widget_settings_json"]) == (settings, settings)
        assert TIME.fullmatch(board["created_at"])
        assert TIME.fullmatch(board["updated_at"])
    again = await sent(product, "PUT", "/api/user/dashboard", json={"layout": []})
    assert (again["layout"], again["id"], again["created_at"]) == ([], kept["id"], kept["created_at"])


async def test_r_170_show_featured_models(product: Product) -> None:
    await sent(product, "PUT", "/api/v1/user/settings", json={"show_featured_models": False})
    assert (await read(product, "/api/v1/user/settings"))["show_featured_models"] is False


def test_the_matcher_finds_what_does_not_fit() -> None:
    shape = {"a": int, "b?": [str], "c": either("x"), "d": TIME, "e": bool}
    good = {"a": 1, "b": ["t"], "c": "x", "d": "2026-01-02T03:04:05Z", "e": True}
    assert misfits(good, shape) == []
    for name, wrong in (("a", True), ("a", "1"), ("b", []), ("b", [1]), ("c", "y"), ("d", "2026-01-02"), ("e", 1)):
        assert misfits(good | {name: wrong}, shape), name
    assert misfits({}, shape) == [".a is absent", ".c is absent", ".d is absent", ".e is absent"]
