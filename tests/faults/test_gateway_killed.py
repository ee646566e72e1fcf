"""Kill -9 of the gateway while ten thousand facts a minute come: soon ready again, and its boards equal a rebuild."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
from modeldeck_events.bus import Bus, connect
from modeldeck_local.nats_config import address_in

from tests.support.big_log import Size, facts, fill, messages
from tests.support.product import Product, environment, running_product

BEFORE = int(os.environ.get("FAULTS_EVENTS", "20000"))
PER_MINUTE = 10_000
KILLS = 3
BETWEEN_S = 6.0
HISTORY = Size().scaled(BEFORE)


@pytest.mark.timeout(300)
async def test_boards_equal_a_rebuild_after_kills_under_load(tmp_path: Path) -> None:
    async with running_product(tmp_path / "data") as product:
        url = address_in(tmp_path / "data" / "nats", "gateway")
        assert url is not None
        bus = await connect(url, "gateway")  # the one user who may write any fact
        started = (await bus.store.head()).seq
        head = await fill(bus, facts(HISTORY), after=started)
        stop = asyncio.Event()
        writing = asyncio.create_task(write_until(bus, stop, head))
        took = []
        for _ in range(KILLS):
            await asyncio.sleep(BETWEEN_S)  # so long facts come, and a snapshot may or may not be made
            began = time.monotonic()
            await product.kill("gateway")
            await product.wait_ready()
            took.append(time.monotonic() - began)
        stop.set()
        written = await writing
        await shown_up_to(product, (await bus.store.head()).seq)
        await bus.close()
        print(f"\n{KILLS} kills, {head - started:,} facts before and {written:,} meanwhile")
        print(f"ready again after {', '.join(f'{each:.1f}' for each in took)} s")
        await check_rebuild(product)


async def write_until(bus: Bus, stop: asyncio.Event, after: int) -> int:
    """Append facts at the rate; return how many."""
    written, began = 0, time.monotonic()
    for subject, headers, data in messages(facts(HISTORY), after=after):
        if stop.is_set():
            break
        await asyncio.sleep(max(0.0, began + written * 60 / PER_MINUTE - time.monotonic()))
        await bus.js.publish(subject, data, headers=headers)
        written += 1
    return written


async def shown_up_to(product: Product, seq: int) -> None:
    """Wait until the gateway shows the log up to there."""
    async with product.client() as client, asyncio.timeout(30):
        while (await client.get("/api/v1/system/health")).json()["seq"] < seq:  # noqa: ASYNC110 - it folds
            await asyncio.sleep(0.1)


async def check_rebuild(product: Product) -> None:
    """Ask as a person would: `modeldeck doctor --rebuild`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modeldeck_local", "doctor", "--rebuild", "--json", "--url", product.url),
        env=environment({"MODELDECK_DATA_DIR": str(product.data_dir)}),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    findings = {finding["what"]: finding for finding in json.loads(said)}
    print(f"boards: {findings['boards']['detail']}")
    assert findings["boards"]["verdict"] == "ok", findings["boards"]
    assert process.returncode == 0, findings
