"""A stand-in for Civitai: the two routes of its public REST interface that the catalog asks.

    GET /api/v1/models/{id}            a model with its versions, the newest first
    GET /api/v1/model-versions/{id}    a version with its files

The shapes are those of the published REST documentation (developer.civitai.com, "Public REST API"), with the fields
that answers really have beside it. It is no real Civitai and was never compared with one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

Json = dict[str, Any]


def file(name: str, data: bytes, file_type: str = "Model", **more: Any) -> Json:
    """Return a file as the interface describes it."""
    digest = hashlib.sha256(data).hexdigest().upper()
    return {
        "id": 500,
        "name": name,
        "sizeKB": len(data) / 1024,
        "type": file_type,
        "metadata": {"fp": "fp16", "size": "pruned", "format": "SafeTensor"},
        "pickleScanResult": "Success",
        "virusScanResult": "Success",
        "hashes": {"AutoV2": digest[:10], "SHA256": digest, "CRC32": "00000000"},
        "primary": file_type == "Model",
        **more,
    }


def version(version_id: int, model_id: int, files: list[Json], kind: str = "LORA", **more: Any) -> Json:
    """Return a model version as the interface describes it."""
    return {
        "id": version_id,
        "modelId": model_id,
        "name": "v1.0",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-02-03T04:05:06.789Z",
        "trainedWords": ["moody light"],
        "baseModel": "SDXL 1.0",
        "description": "<p>First &amp; <b>best</b>.</p>",
        "stats": {"downloadCount": 438, "ratingCount": 1, "rating": 5, "thumbsUpCount": 21},
        "model": {"name": "Moody", "type": kind, "nsfw": False, "poi": False},
        "files": files,
        "images": [],
        "downloadUrl": f"https://civitai.com/api/download/models/{version_id}",
        **more,
    }


class Civitai:
    """The server; tests change `versions`, `status` and `headers` while it runs."""

    def __init__(self) -> None:
        self.versions: dict[int, Json] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.requests.append((request.path, request.headers.get("Authorization")))
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        kind, wanted = request.match_info["kind"], int(request.match_info["id"])
        found: Json | None = self.versions.get(wanted)
        if kind == "models":
            mine = sorted((v for v in self.versions.values() if v["modelId"] == wanted), key=lambda v: -v["id"])
            found = {"id": wanted, "name": "Moody", "modelVersions": mine} if mine else None
        if found is None:
            return web.json_response({"error": f"No model with id {wanted}"}, status=404)
        etag = f'"{hashlib.sha256(repr(found).encode()).hexdigest()[:20]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.json_response(found, headers={"ETag": etag})


@contextlib.asynccontextmanager
async def civitai() -> AsyncIterator[Civitai]:
    """Serve on a free loopback port."""
    server = Civitai()
    app = web.Application()
    app.router.add_get("/api/v1/{kind:models|model-versions}/{id}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
