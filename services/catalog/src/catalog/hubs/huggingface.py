"""The Hugging Face Hub, asked through huggingface_hub in threads of their own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from modeldeck_events.repositories import Repository

from catalog.hubs.card import first_paragraph, repository
from catalog.hubs.hosts import HubHost
from catalog.hubs.links import HuggingFaceLink
from catalog.hubs.problems import unreachable
from catalog.hubs.remembering import Told

LIMIT_S = 10.0
AT_ONCE = 4
"""So many repositories are asked for at the same time; the others wait, within their time limit."""
T = TypeVar("T")


class HuggingFace:
    """The hub at one address. The library is loaded when it is first asked."""

    def __init__(self, host: HubHost, *, limit_s: float | None = None) -> None:
        self.host = host
        self._limit_s = LIMIT_S if limit_s is None else limit_s
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._loading = asyncio.Lock()
        self._loaded = False

    async def ask(self, link: HuggingFaceLink, known: Told | None) -> Told:
        """Return what the hub says; `known` itself when it says that this still holds. Raises HubError."""
        deadline = time.monotonic() + self._limit_s
        try:
            async with asyncio.timeout(self._limit_s), self._slots:
                await self._load()
                return await _in_thread(lambda: _ask(self.host, link, known, deadline))
        except TimeoutError as error:
            raise unreachable(self.host.name, f"no answer within {self._limit_s:g} s") from error

    async def _load(self) -> None:
        async with self._loading:
            if not self._loaded:
                await _in_thread(_prepare)
                self._loaded = True


def _prepare() -> None:
    from catalog.hubs import hub_client  # noqa: PLC0415 - 18 MB that a product which asks no hub does not spend

    hub_client.prepare()


def _ask(host: HubHost, link: HuggingFaceLink, known: Told | None, deadline: float) -> Told:
    from catalog.hubs import hub_client, hub_transport  # noqa: PLC0415 - see _prepare

    try:
        info, etag = hub_client.model_info(
            host, link.repo, link.revision, known_etag=known.etag if known else "", deadline=deadline
        )
    except hub_transport.NotModifiedError:
        assert known is not None  # noqa: S101 - without an ETag nothing is said to be unmodified
        return known
    found = repository(info, asked=link.repo, page=host.page)
    if found.description is None and found.revision:
        found = _described(host, found, known, deadline)
    return Told(found, etag)


def _described(host: HubHost, found: Repository, known: Told | None, deadline: float) -> Repository:
    """Return the repository with a description: that of the same commit, else what its README begins with."""
    from catalog.hubs import hub_client  # noqa: PLC0415 - see _prepare

    if known is not None and known.repository.revision == found.revision:
        description = known.repository.description
    else:
        description = first_paragraph(hub_client.readme(host, found.repo, found.revision, deadline=deadline))
    return msgspec.structs.replace(found, description=description)


async def _in_thread(function: Callable[[], T]) -> T:
    """Run `function` in a thread that nobody waits for at the end: an executor's would hold up the service's exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            loop.call_soon_threadsafe(lambda: None if future.done() else outcome())

    def run() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - handed over to who waits, whatever it is
            tell(lambda error=error: future.set_exception(error))  # type: ignore[misc]
        else:
            tell(lambda: future.set_result(result))

    threading.Thread(target=run, name="hub", daemon=True).start()
    return await future
