"""A person's journey: the plug is pulled in the middle of a download, twice, and the page heals without a reload.

First the gateway is killed (kill -9), then nats-server. Each time the page says so within seconds and marks what it
shows as old; the supervisor starts the process again and the page is live by itself. Everything that the page ever
showed of the download is recorded and looked through at the end: no number went backwards or beyond the whole, and
nothing moved while the page said that it was not live.
"""

import re
from typing import Any

import pytest
from modeldeck_local.demo.content import GeneratedFile
from playwright.async_api import expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PRESET, NAME, FILE = "QWEN3_8B_Q4", "Qwen3 8B, Q4_K_M", "llm/Qwen3-8B-Q4_K_M.gguf"
LIMIT = "2500KB/s"
"""Slow enough that the download outlasts both outages."""

_RECORD = """() => {
    window.shown = [];
    const look = () => {
        const bar = document.querySelector("li.download [role=progressbar]");
        const item = bar?.closest("li");
        if (!item) return;
        const [, arrived, whole] = item.innerText.match(/([\\d.]+ [kMG]?B) of ([\\d.]+ [kMG]?B)/) ?? [];
        const seen = {
            percent: bar.getAttribute("aria-valuenow"), arrived, whole,
            stale: bar.closest("section").hasAttribute("data-stale"),
            badge: document.querySelector(".connection").innerText,
        };
        const last = window.shown.at(-1);
        if (JSON.stringify(last) !== JSON.stringify(seen)) window.shown.push(seen);
    };
    new MutationObserver(look).observe(document.body, {
        subtree: true, childList: true, attributes: true, characterData: true,
    });
}"""
_UNITS = {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}


async def test_the_plug_is_pulled_twice_in_mid_download_and_the_page_heals_by_itself(visitor: Visitor) -> None:
    async with visitor.product.client() as http:
        assert (await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": LIMIT})).status_code == 200
    await visitor.sign_in()
    page = visitor.page
    await page.evaluate(_RECORD)
    await visitor.card(NAME).get_by_role("button", name="Install").click()
    await _moves(visitor)
    await _outage(visitor, "gateway", "Connection lost.")
    await _outage(visitor, "nats-server", "The gateway has lost its event log.")
    async with visitor.product.client() as http:
        assert (await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": None})).status_code == 200
    await expect(visitor.card(NAME)).to_contain_text("Installed", timeout=60_000)
    await expect(page.get_by_text("Installed and checked.")).to_be_visible()
    await expect(visitor.section("Download queue")).to_have_count(0)
    _is_true(await page.evaluate("window.shown"))
    path = visitor.product.data_dir / "models" / FILE
    generated = GeneratedFile(FILE, path.stat().st_size)
    assert path.read_bytes() == generated.read(0, generated.size_bytes)
    visitor.complaints[:] = [said for said in visitor.complaints if "Failed to load resource" not in said]


async def _outage(visitor: Visitor, process: str, said: str) -> None:
    """Pull the plug of a process: the page says so and marks what is old; it is started, and the download goes on."""
    page, queue = visitor.page, visitor.section("Download queue")
    with visitor.product.without(process):
        await expect(page.get_by_text(said)).to_be_visible(timeout=15_000)
        await expect(page.get_by_text(re.compile(r"What you see is (of|from) \d+:\d+:\d+"))).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="Not live")).to_be_visible()
        for name in ("Disk health", "System resources", "At a glance"):
            await expect(visitor.section(name)).to_contain_text("Stale data")
        await expect(queue).to_contain_text("Stale data")
        await expect(queue.get_by_role("progressbar")).to_be_visible()
    await visitor.live()
    await expect(page.get_by_text(said)).to_have_count(0)
    await expect(page.get_by_text("Stale data")).to_have_count(0)
    await _moves(visitor)


async def _moves(visitor: Visitor) -> None:
    """Wait until two more percentages were seen."""
    bar = visitor.section("Download queue").get_by_role("progressbar")
    for _ in range(2):
        before = await bar.get_attribute("aria-valuenow") or "0"
        await expect(bar).not_to_have_attribute("aria-valuenow", before, timeout=30_000)


def _is_true(shown: list[dict[str, Any]]) -> None:
    percents = [int(seen["percent"]) for seen in shown if seen["percent"] is not None]
    assert percents == sorted(percents), percents
    assert percents[-1] <= 100
    arrived = [_bytes(seen["arrived"]) for seen in shown if seen["arrived"]]
    assert arrived == sorted(arrived), arrived
    assert {seen["whole"] for seen in shown if seen["whole"]} == {"50.3 MB"}
    assert arrived[-1] <= _bytes("50.3 MB")
    stale = [seen for seen in shown if seen["stale"]]
    assert stale, "nothing was ever marked"
    assert not [seen for seen in stale if "Live" in seen["badge"].split()], stale


def _bytes(text: str) -> float:
    amount, unit = text.split()
    return float(amount) * _UNITS[unit]
