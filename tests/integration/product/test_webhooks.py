"""A webhook of the whole product as a person starts it: with the embedded server's own rights for each service."""

import base64
import json
from pathlib import Path

from tests.support.product import running_product
from tests.support.receiver import receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


async def test_what_a_person_asks_for_reaches_a_webhook(tmp_path: Path) -> None:
    async with receiver() as hooks:
        file = tmp_path / "hooks.yaml"
        file.write_text(json.dumps([{"name": "mine", "url": hooks.url, "secret": SECRET, "types": ["*.download.*"]}]))
        async with running_product(tmp_path / "data", settings={"MODELDECK_WEBHOOKS": str(file)}) as product:
            async with product.client() as client:
                await client.patch("/api/v1/downloads/settings", json={"paused": True})  # nothing is fetched
                body = {"repo": "org/model", "filename": "m.gguf"}
                created = await client.post("/api/v1/downloads", json=body)
                assert created.status_code == 201, created.text
            await hooks.until(1)
    assert hooks.hooks[0].event["data"]["download_id"] == created.json()["download_id"]
