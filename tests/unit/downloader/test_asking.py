"""A plan asks sources for sizes that nobody stated: some at a time, once in a while, never at the price of an error."""

from __future__ import annotations

import asyncio

from downloader.asking import AT_ONCE, MOST, Asked
from downloader.errors import SourceError
from downloader.transfer import Stated
from modeldeck_events.downloads import FileSpec


class Origin:
    """A source of sizes that counts who asks; simulated."""

    def __init__(self, size: int | None = 100) -> None:
        self.size = size
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, url: str) -> Stated:
        self.asked.append(url)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if "refused" in url:
            raise SourceError("not_found", "There is no such file.", status=404)
        return Stated(size=self.size, sha256="a" * 64, host="example.org", etag=None)


def file(name: str, *, size: int | None = None, claimed: int | None = None) -> FileSpec:
    return FileSpec(path=f"vae/{name}", url=f"https://example.org/{name}", size_bytes=size, approx_size_bytes=claimed)


async def test_unknown_sizes_are_asked_for_once() -> None:
    origin = Origin()
    asked = Asked(origin.ask)
    files = (file("a"), file("b", size=7), file("c", claimed=90), file("a"))
    for _ in range(2):
        filled = await asked.fill(files)
        assert [spec.size_bytes for spec in filled] == [100, 7, 100, 100]
        assert filled[0].sha256 == "a" * 64
        assert filled[1].sha256 is None
    assert origin.asked == ["https://example.org/a", "https://example.org/c"]


async def test_an_answer_grows_old() -> None:
    now = 0.0
    origin = Origin()
    asked = Asked(origin.ask, clock=lambda: now)
    await asked.fill((file("a"),))
    now = 301.0
    await asked.fill((file("a"),))
    assert len(origin.asked) == 2


async def test_a_refusal_or_an_unknown_size_changes_nothing() -> None:
    assert await Asked(Origin().ask).fill((file("refused"),)) == (file("refused"),)
    assert await Asked(Origin(size=None).ask).fill((file("a"),)) == (file("a"),)


async def test_sources_are_asked_some_at_a_time_and_not_without_end() -> None:
    origin = Origin()
    await Asked(origin.ask).fill(tuple(file(str(number)) for number in range(200)))
    assert origin.most_at_once == AT_ONCE
    assert len(origin.asked) == MOST


async def test_a_source_that_hangs_does_not_hold_the_plan_up() -> None:
    origin = Origin()
    asked = Asked(origin.ask)
    await asked.fill((file("a"),))
    origin.open.clear()
    async with asyncio.timeout(10):
        filled = await asked.fill((file("a"), file("b")))
    assert [spec.size_bytes for spec in filled] == [100, None]
    assert origin.at_once == 0, "what came too late was given up"
