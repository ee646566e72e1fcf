"""Kill -9 of every process, again and again, while 100 files are installed (quality.md, The system under faults)."""

import asyncio
import hashlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.faults.watcher import Watcher, watching
from tests.support.origin import MIB, File, Origin
from tests.support.product import Product, running_product

PRESETS, FILES = 10, 10
FILE_BYTES = 3_000_000
RATE = 3_000_000
KILLS = ["downloader", "gateway", "nats-server", "catalog"] * 4
SEED = int(os.environ.get("FAULTS_SEED", "7"))
DONE_WITHIN_S = 300
FROZEN_S = 8.0  # longer than a permit waits for its worker


def studio(origin: Origin, folder: Path) -> dict[str, File]:
    """Write a catalog of presets that share every tenth file, and give the origin their content."""
    files: dict[str, File] = {}
    presets: dict[str, Any] = {}
    for p in range(PRESETS):
        entries = []
        for f in range(FILES):
            number = f if f == 0 else p * FILES + f  # the first file is everybody's
            path = f"vae/file-{number}.bin"
            files[path] = File(size=FILE_BYTES, seed=number + 1, rate=RATE)
            entries.append({"path": path, "url": f"{origin.url}/{path}", "size": f"{FILE_BYTES}B"})
        presets[f"SET_{p}"] = {"name": f"Set {p}", "category": "Test", "type": "image", "files": entries}
    for path, file in files.items():
        origin.files[f"/{path}"] = file
    (folder / "presets.yaml").write_text(
        yaml.safe_dump({"metadata": {"version": "1"}, "categories": {}, "presets": presets})
    )
    return files


async def ask(product: Product, method: str, path: str, *, within_s: float = 60, **options: Any) -> httpx.Response:
    """Ask until there is an answer that is not "away": what a patient client does."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                async with product.client() as client:
                    answer = await client.request(method, f"/api/v1{path}", **options)
                if answer.status_code < 500:
                    return answer
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)  # the product is away; nobody could tell when it is back


async def install_all(product: Product) -> list[str]:
    """Install every preset with an idempotency key, so that asking twice is asking once; return the download ids."""
    ids = []
    for p in range(PRESETS):
        answer = await ask(
            product, "POST", f"/presets/SET_{p}/install", headers={"Idempotency-Key": f"install-{SEED}-{p}"}
        )
        assert answer.status_code == 200, answer.text
        ids.append(answer.json()["download_id"])
    return ids


async def kill_at_random(product: Product) -> None:
    chance = random.Random(SEED)
    order = KILLS.copy()
    chance.shuffle(order)
    for name in order:
        await asyncio.sleep(chance.uniform(0.5, 3.5))
        await product.kill(name)


async def all_ended(product: Product, ids: list[str]) -> dict[str, str]:
    """Return the status of each download once none is under way."""
    async with asyncio.timeout(DONE_WITHIN_S):
        while True:
            found = {i: (await ask(product, "GET", f"/downloads/{i}")).json()["status"] for i in ids}
            if all(status in {"completed", "failed", "cancelled"} for status in found.values()):
                return found
            await asyncio.sleep(0.5)  # asked as a person asks: the stream is what is being tested


async def pages(product: Product, path: str, key: str) -> list[dict[str, Any]]:
    """Return everything of a paged list."""
    entries: list[dict[str, Any]] = []
    cursor = ""
    while True:
        params = {"limit": "200", **({"cursor": cursor} if cursor else {})}
        page = (await ask(product, "GET", path, params=params)).json()
        entries += page[key]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return entries


@pytest.mark.timeout(600)
async def test_a_hundred_files_survive_kills_of_everything(tmp_path: Path) -> None:
    async with Origin() as origin:
        files = studio(origin, tmp_path)
        settings = {
            "MODELDECK_PRESETS_URL": str(tmp_path / "presets.yaml"),
            "MODELDECK_ALLOWED_HOSTS": origin.host,
            "MODELDECK_MAX_CONCURRENT": "2",
        }
        async with running_product(tmp_path / "data", settings=settings) as product, watching(product) as watcher:
            began = time.monotonic()
            killer = asyncio.create_task(kill_at_random(product))
            ids = await install_all(product)
            assert len(set(ids)) == PRESETS
            await killer
            killed_for = time.monotonic() - began
            ended = await all_ended(product, ids)
            took = time.monotonic() - began
            assert set(ended.values()) == {"completed"}, ended
            await settled(product, watcher)

            print(f"\n{len(KILLS)} kills in {killed_for:.0f} s, {len(files)} files in {took:.0f} s, seed {SEED}")
            await check_files(product, files)
            check_bytes(origin, files, kills=len(KILLS))
            assert watcher.breaks > 0, "no kill was noticed"
            await check_stream(product, watcher)
            check_order(watcher, ids)


async def settled(product: Product, watcher: Watcher) -> None:
    """Wait until the watcher has seen the end of the log."""
    await product.wait_ready()
    head = (await ask(product, "GET", "/presets/queue/status")).json()["seq"]
    async with asyncio.timeout(60):
        while not watcher.facts or int(watcher.facts[-1]["seq"]) < head:  # noqa: ASYNC110  # the stream brings them
            await asyncio.sleep(0.1)


async def check_files(product: Product, files: dict[str, File]) -> None:
    for path, file in files.items():
        with (product.data_dir / "models" / path).open("rb") as content:
            assert hashlib.file_digest(content, "sha256").hexdigest() == file.sha256, path
    left = [p for p in (product.data_dir / "models").rglob("*") if p.is_file() and p.name.startswith(".")]
    assert not [p for p in left if p.suffix == ".part"], "staging was left behind"
    statuses = {p["id"]: p["status"] for p in (await ask(product, "GET", "/presets/")).json()["presets"]}
    assert set(statuses.values()) == {"installed"}, statuses


def check_bytes(origin: Origin, files: dict[str, File], *, kills: int) -> None:
    """At most 8 MiB come again per kill, and no file in full twice without one."""
    sent = sum(request.sent for request in origin.requests)
    needed = sum(file.size for file in files.values())
    print(f"origin sent {sent:,} bytes for {needed:,} ({(sent / needed - 1) * 100:.1f} % again)")
    assert sent <= needed + kills * 8 * MIB
    assert any(request.range and not request.range.startswith("bytes=0-") for request in origin.requests), (
        "nothing was ever resumed"
    )


async def check_stream(product: Product, watcher: Watcher) -> None:
    """The client that came back each time saw every entry of the log exactly once, in order."""
    print(f"the stream broke {watcher.breaks} times, {len(watcher.facts)} facts, {len(watcher.activity)} entries")
    assert watcher.resets == 0
    seen = [int(fact["seq"]) for fact in watcher.facts]
    assert seen == sorted(set(seen))
    everything = (await pages(product, "/activity", "activities"))[::-1]
    streamed = [entry["id"] for entry in watcher.activity]
    assert len(streamed) == len(set(streamed))
    assert streamed == [entry["id"] for entry in everything][-len(streamed) :]
    log = [int(fact["seq"]) for fact in await log_after(product, seen[0] - 1)]
    assert seen == log[: len(seen)]


async def log_after(product: Product, seq: int) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = []
    while page := (await ask(product, "GET", "/events", params={"after": seq, "limit": 200})).json()["events"]:
        facts += page
        seq = int(page[-1]["seq"])
    return facts


def check_order(watcher: Watcher, ids: list[str]) -> None:
    """First claims come in the order of the queue."""
    first: list[str] = []
    for fact in watcher.facts:
        if fact["type"] == "modeldeck.download.started.v1" and fact["data"]["download_id"] not in first:
            first.append(fact["data"]["download_id"])
    assert first == [each for each in ids if each in first]


@pytest.mark.timeout(300)
async def test_frozen_processes_go_on(tmp_path: Path) -> None:
    """SIGSTOP for longer than a permit's life, then SIGCONT: each of the processes in turn."""
    async with Origin() as origin:
        files = studio(origin, tmp_path)
        settings = {
            "MODELDECK_PRESETS_URL": str(tmp_path / "presets.yaml"),
            "MODELDECK_ALLOWED_HOSTS": origin.host,
            "MODELDECK_MAX_CONCURRENT": "3",
        }
        async with running_product(tmp_path / "data", settings=settings) as product, watching(product) as watcher:
            ids = await install_all(product)
            for name in ("downloader", "nats-server", "gateway", "catalog"):
                pid = product.pids()[name]
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(FROZEN_S)
                os.kill(pid, signal.SIGCONT)
            ended = await all_ended(product, ids)
            assert set(ended.values()) == {"completed"}, ended
            await settled(product, watcher)
            await check_files(product, files)
            check_bytes(origin, files, kills=4)
            await check_stream(product, watcher)
