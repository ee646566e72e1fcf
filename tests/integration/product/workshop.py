"""The whole product with an origin beside it that stands in for the public hosts, and folders to put things into."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from modeldeck_local.demo.content import GeneratedFile

from tests.integration.gateway.sse_client import events
from tests.support.merge_patch import merge
from tests.support.origin import Origin
from tests.support.product import Product, start

API = "/api/v1"
HUB = "https://huggingface.co"
WITHIN_S = 20.0

State = dict[str, Any]


class Workshop:
    """A running product; what it fetches from huggingface.co comes from `origin`."""

    def __init__(self, folder: Path, origin: Origin, product: Product, client: httpx.AsyncClient) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.workflows = folder / "workflows"
        self.origin = origin
        self.product = product
        self.client = client

    def serve(self, url: str, seed: str, size_bytes: int = 200_000, *, stated: bool = True) -> bytes:
        """Let the origin have a valid model file at the URL; `stated`: it tells the hash as the hub does."""
        content = model(seed, size_bytes)
        number = int.from_bytes(hashlib.sha256(content).digest()[:4])  # the origin's ETag follows from it
        self.origin.add(urlsplit(url).path, body=content, seed=number, linked=stated)
        return content

    def put_model(self, path: str, content: bytes) -> Path:
        """Put a file below the models folder, as somebody else's program would."""
        return put(self.models / path, content)

    def put_workflow(self, name: str, content: bytes) -> Path:
        """Put a workflow into the templates' folder."""
        return put(self.workflows / name, content)

    async def get(self, path: str, status: int = 200) -> Any:
        """Read below the API's base and check the status."""
        return _checked(await self.client.get(f"{API}{path}"), status)

    async def post(self, path: str, status: int = 200, **options: Any) -> Any:
        """Post below the API's base and check the status."""
        return _checked(await self.client.post(f"{API}{path}", **options), status)

    async def delete(self, path: str, status: int = 200, **options: Any) -> Any:
        """Delete below the API's base and check the status."""
        return _checked(await self.client.delete(f"{API}{path}", **options), status)

    async def lock(self, template_id: str) -> Any:
        """Return a template's lock file, once the files that it names are hashed."""
        return await _hashed(lambda: self.client.get(f"{API}/workflows/templates/{template_id}/lock"))

    async def install_lock(self, lock: State) -> Any:
        """Install a lock file, once the files that might be those it names are hashed."""
        return await _hashed(lambda: self.client.post(f"{API}/workflows/lock/install", json=lock))

    async def log(self, after: int = 0) -> list[State]:
        """Return the log's entries after a sequence, to its present end."""
        found: list[State] = []
        while True:
            page = await self.get(f"/events?after={after}&limit=200")
            found += page["events"]
            after = page["seq"]
            if not page["more"]:
                return found

    @contextlib.asynccontextmanager
    async def live(self, *topics: str) -> AsyncIterator[Live]:
        """Follow state topics for the length of a block."""
        following = Live(self.client, topics)
        try:
            await following.until(lambda states: all(topic in states for topic in topics))
            yield following
        finally:
            await following.stop()


class Live:
    """State topics as a client of the stream has them: the snapshot, and every delta merged into it as it comes."""

    def __init__(self, client: httpx.AsyncClient, topics: tuple[str, ...]) -> None:
        self.states: State = {}
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._follow(client, ",".join(topics)))

    async def _follow(self, client: httpx.AsyncClient, topics: str) -> None:
        async for event in events(client, topics):
            if event.name in {"snapshot", "delta"}:
                topic, data = event.data["topic"], event.data["data"]
                self.states[topic] = data if event.name == "snapshot" else merge(self.states[topic], data)
                self._changed.set()

    async def until(self, condition: Callable[[State], bool], within_s: float = WITHIN_S) -> float:
        """Return after how many seconds the condition held."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within_s):
                while not condition(self.states):
                    self._changed.clear()
                    changed = asyncio.create_task(self._changed.wait())
                    await asyncio.wait({changed, self._task}, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    if self._task.done():
                        raise AssertionError(f"the stream ended: {self._task.exception()!r}")
        except TimeoutError:
            raise AssertionError(f"not within {within_s} s; the states are {str(self.states)[:3000]}") from None
        return loop.time() - began

    async def stop(self) -> None:
        """Close the stream."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def workshop(
    folder: Path,
    *,
    presets: Mapping[str, Mapping[str, str]] | None = None,
    settings: Mapping[str, str] | None = None,
    origin: Origin | None = None,
) -> AsyncIterator[Workshop]:
    """Run the product with folders below `folder`. `presets`: id to files, each a path and its URL."""
    async with contextlib.AsyncExitStack() as stack:
        serving = origin if origin is not None else await stack.enter_async_context(Origin())
        (folder / "models").mkdir(parents=True, exist_ok=True)
        (folder / "workflows").mkdir(exist_ok=True)
        catalog = put(folder / "presets.yaml", catalog_of(presets or {}))
        own = {
            "MODELDECK_MODELS_DIR": str(folder / "models"),
            "MODELDECK_TEMPLATE_DIRS": f"workflows={folder / 'workflows'}",
            "MODELDECK_PRESETS_URL": str(catalog),
            "MODELDECK_MIRRORS": f"huggingface.co={serving.url}",
            "MODELDECK_ALLOWED_HOSTS": f"huggingface.co,{serving.host}",
            "MODELDECK_RETRY_BASE_S": "0.2",
        }
        product = await start(folder / "data", settings=own | dict(settings or {}))
        try:
            async with product.client() as client:
                yield Workshop(folder, serving, product, client)
        finally:
            await product.stop()


def model(seed: str, size_bytes: int = 200_000) -> bytes:
    """Return a valid safetensors file; the same for the same seed and size."""
    return GeneratedFile(f"{seed}.safetensors", size_bytes).read(0, size_bytes)


def put(path: Path, content: bytes) -> Path:
    """Write a file as a careful program does: it is there whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.writing")
    writing.write_bytes(content)
    return writing.replace(path)


def sha256(content: bytes) -> str:
    """Return the hash in hex."""
    return hashlib.sha256(content).hexdigest()


def catalog_of(presets: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return a presets.yaml; a catalog without any preset is none, so it has at least one."""
    presets = presets or {"SOME": {"vae/some.safetensors": f"{HUB}/org/some/resolve/main/some.safetensors"}}
    made = {
        preset_id: {
            "name": preset_id.title(),
            "category": "Tests",
            "files": [{"path": path, "url": url} for path, url in files.items()],
        }
        for preset_id, files in presets.items()
    }
    metadata = {"version": "1", "total_presets": len(made)}
    document = {"metadata": metadata, "categories": {"Tests": {"type": "image"}}, "presets": made}
    return yaml.safe_dump(document, sort_keys=False).encode()


async def _hashed(ask: Callable[[], Awaitable[httpx.Response]]) -> Any:
    async with asyncio.timeout(WITHIN_S):
        while (answer := await ask()).status_code == 503:
            assert answer.json()["code"] == "hash_pending"
            await asyncio.sleep(0.1)  # as the answer asks for; no topic tells when the catalog knows a hash
    return _checked(answer, 200)


def _checked(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:1000]}"
    return answer.json() if answer.content else None
