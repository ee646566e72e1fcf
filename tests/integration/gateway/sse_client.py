"""A small client of Server-Sent Events, strict about the format."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx

from tests.support.merge_patch import merge


class Event(NamedTuple):
    name: str
    data: Any
    id: str


async def events(
    client: httpx.AsyncClient, topics: str, *, last_event_id: str = "", query: str = ""
) -> AsyncIterator[Event]:
    """Yield the events of one stream until the server closes it."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", f"/api/v1/stream?topics={topics}{query}", headers=headers, timeout=30) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream"
        last_id, name, data = "", "", []
        async for line in response.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not line and data:
                yield Event(name, json.loads("\n".join(data)), last_id)
                name, data = "", []


class Follower:
    """Follows in the background and keeps what came, so that a test waits for conditions."""

    def __init__(self, client: httpx.AsyncClient, topics: str, **options: str) -> None:
        self.seen: list[Event] = []
        self.error: BaseException | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(client, topics, options))

    async def _run(self, client: httpx.AsyncClient, topics: str, options: dict[str, str]) -> None:
        try:
            async for event in events(client, topics, **options):
                self.seen.append(event)
                self._changed.set()
        except httpx.HTTPError as error:
            self.error = error
        finally:
            self._changed.set()

    @property
    def last_id(self) -> str:
        return self.seen[-1].id if self.seen else ""

    def named(self, name: str) -> list[Event]:
        return [event for event in self.seen if event.name == name]

    def state(self, topic: str) -> Any:
        """The topic's state as a client has it: its last snapshot and the deltas after it."""
        state: Any = None
        for event in self.seen:
            if event.name == "snapshot" and event.data["topic"] == topic:
                state = event.data["data"]
            elif event.name == "delta" and event.data["topic"] == topic:
                state = merge(state, event.data["data"])
        return state

    async def until(self, condition: Any, timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                assert not self._task.done(), f"the stream ended ({self.error!r}) after {self.seen[-3:]}"
                self._changed.clear()
                await self._changed.wait()

    async def ended(self, timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            await self._task

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
