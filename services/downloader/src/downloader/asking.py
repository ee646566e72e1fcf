"""What sources say of files before anything is fetched, so that a plan knows sizes that nobody stated."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from modeldeck_events.downloads import FileSpec

from downloader.errors import TransferError
from downloader.transfer import Stated

AT_ONCE = 8
MOST = 64
"""So many sources are asked for one plan; the sizes of further files stay as the catalog claims them."""
LIMIT_S = 2.5
KEPT = 2000
FRESH_S = 300.0

Ask = Callable[[str], Awaitable[Stated]]


class Asked:
    """Asks sources by HEAD, and remembers their answers for five minutes, bounded."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, Stated | None]] = OrderedDict()

    async def fill(self, files: Sequence[FileSpec]) -> tuple[FileSpec, ...]:
        """Return the files with exact sizes and hashes where their sources state them, after at most LIMIT_S.

        A source that refuses or does not answer in time changes nothing: its file stays as it is.
        """
        urls = list(dict.fromkeys(spec.url for spec in sorted(files, key=_claimed) if spec.size_bytes is None))
        unknown = [url for url in urls if self._fresh(url) is None][:MOST]
        limit = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._note(url, limit)) for url in unknown]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LIMIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        return tuple(map(self._filled, files))

    async def _note(self, url: str, limit: asyncio.Semaphore) -> None:
        async with limit:
            try:
                stated = await self._ask(url)
            except TransferError:
                stated = None
        self._answers.pop(url, None)
        self._answers[url] = (self._clock() + FRESH_S, stated)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)

    def _fresh(self, url: str) -> tuple[float, Stated | None] | None:
        answer = self._answers.get(url)
        return answer if answer is not None and answer[0] > self._clock() else None

    def _filled(self, spec: FileSpec) -> FileSpec:
        answer = self._fresh(spec.url)
        stated = answer[1] if answer is not None else None
        if stated is None or stated.size is None or spec.size_bytes is not None:
            return spec
        return msgspec.structs.replace(spec, size_bytes=stated.size, sha256=spec.sha256 or stated.sha256)


def _claimed(spec: FileSpec) -> bool:
    """Sort files of unknown size before those whose size a catalog at least claims."""
    return spec.approx_size_bytes is not None
