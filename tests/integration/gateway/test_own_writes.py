"""A read waits for what its caller has seen elsewhere, as behind a proxy with several gateways."""

import asyncio
import time

from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject

from tests.integration.gateway.conftest import TOKEN, Product
from tests.unit.gateway.facts import preset


async def test_a_read_waits_until_this_gateway_has_seen_as_much(product: Product) -> None:
    await product.http.post("/api/presets/a/install")
    position = product.app.live.position
    seen = f"{position.epoch}.{position.seq + 1}"
    for headers in ({"Modeldeck-Seen": seen}, {"Cookie": f"other=1; modeldeck-seen={seen}"}):
        reading = asyncio.create_task(product.http.get("/api/presets", headers=headers))
        done, _ = await asyncio.wait({reading}, timeout=0.2)
        assert not done, "it was answered before this gateway was as far"
        if headers == {"Modeldeck-Seen": seen}:
            reading.cancel()
    await product.services.append(preset_subject("c"), PresetPublished(preset=preset("c")))
    assert "c" in {shown["id"] for shown in (await reading).json()["presets"]}


async def test_an_answer_to_a_write_says_how_far_it_is(product: Product) -> None:
    answer = await product.http.post("/api/presets/a/install")
    position = product.app.live.position
    assert answer.headers["modeldeck-seen"] == f"{position.epoch}.{position.seq}"
    assert "set-cookie" not in answer.headers
    assert "modeldeck-seen" not in (await product.http.get("/api/presets")).headers
    assert "modeldeck-seen" not in (await product.http.post("/api/presets/nothing/install")).headers
    origin = {"Origin": product.url}
    await product.stranger.post("/api/session", json={"token": TOKEN}, headers=origin)
    answer = await product.stranger.post("/api/presets/b/install", headers=origin)
    assert f"modeldeck-seen={answer.headers['modeldeck-seen']}; Path=/; Max-Age=10" in answer.headers["set-cookie"]


async def test_ids_of_another_log_or_none_at_all_make_nobody_wait(product: Product) -> None:
    began = time.monotonic()
    for seen in ("another-log.99999", "nonsense", "", "é", f"{product.app.live.position.epoch}.1"):
        headers = {b"Modeldeck-Seen": seen.encode()}
        assert (await product.http.get("/api/presets", headers=headers)).status_code == 200
    assert time.monotonic() - began < 1.9, "one of them waited its whole time"
