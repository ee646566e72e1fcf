"""An ordered, gap-proof reader of one stream: an ephemeral push consumer with our own check of its sequence.

nats-py's ordered consumer drops messages without a gap error above its pending limit; here nothing is dropped: flow
control is answered only once the reader has taken what came before, so the server stops at its window (32 MB).
Whatever else goes wrong (a gap, silence, a deleted consumer, a lost connection) ends this consumer with BrokenError,
and the caller opens the next one after the last position it has taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Self

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from modeldeck_events.connection import Connection, Tap
from modeldeck_events.errors import EventsError

HEARTBEAT_S = 1.0
SILENCE_S = 2.5 * HEARTBEAT_S
INACTIVE_S = 30.0


class BrokenError(EventsError):
    """This consumer cannot be trusted any further; open another one."""


class Delivered(NamedTuple):
    """One message as it came. `pending` is how many of the followed subjects the stream held beyond it."""

    seq: int
    pending: int
    subject: str
    headers: bytes
    data: bytes


class OrderedConsumer:
    """One consumer's life. `pending` is what matched at its creation; `skipped_to` how far the server has looked."""

    def __init__(self, nc: Connection) -> None:
        self._nc = nc
        self._tap: Tap | None = None
        self._inbox: list[Delivered | bytes] = []
        self._news = asyncio.Event()
        self._expected = 1
        self._broken = ""
        self.pending = 0
        self.skipped_to = 0

    @classmethod
    async def open(
        cls,
        nc: Connection,
        stream: str,
        subjects: Sequence[str],
        *,
        after: int = 0,
        newest_only: bool = False,
    ) -> Self:
        """Create the consumer: everything with a sequence > `after`, or the newest of each subject and all later.

        Raises nats.errors.Error or OSError when it cannot be created.
        """
        self = cls(nc)
        inbox = nc.new_inbox()
        self._tap = await nc.tap(inbox, self._receive, lambda: self._break("the connection was lost"))
        config = ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT if newest_only else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if newest_only else after + 1,
            filter_subjects=list(subjects),
            ack_policy=AckPolicy.NONE,
            max_deliver=1,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_S,
            inactive_threshold=INACTIVE_S,
            mem_storage=True,
            num_replicas=1,
        )
        try:
            info = await JetStreamContext(nc).add_consumer(stream, config)
        except BaseException:
            await self.close()
            raise
        self.pending = info.num_pending or 0
        if set(info.config.filter_subjects or [info.config.filter_subject or ""]) != set(subjects):
            await self.close()
            raise BrokenError(f"{stream}: the server did not take over the filter {subjects}")
        return self

    async def take(self, limit: int) -> list[Delivered]:
        """Return what has come, at most `limit` messages; empty after a heartbeat without news.

        Raises BrokenError after all messages that came in good order were taken.
        """
        if not self._inbox:
            await self._wait()
        taken: list[Delivered] = []
        used = 0
        for used, item in enumerate(self._inbox, 1):  # noqa: B007 - read after the loop
            if isinstance(item, bytes):
                await self._nc.publish(item.decode())  # flow control: all before it was taken
            else:
                taken.append(item)
                if len(taken) == limit:
                    break
        del self._inbox[:used]
        if not taken and self._broken:
            raise BrokenError(self._broken)
        return taken

    async def close(self) -> None:
        """End it; the server removes the consumer when nobody listens."""
        if self._tap is not None:
            await self._nc.untap(self._tap)
            self._tap = None

    async def _wait(self) -> None:
        self._news.clear()
        if self._broken:
            return
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._news.wait()
        except TimeoutError:
            self._break(f"nothing heard for {SILENCE_S} s")

    def _receive(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        if self._broken:
            return
        if not reply.startswith(b"$JS.ACK."):
            self._control(reply, headers or b"")
            return
        parts = reply.split(b".")
        first = 4 if len(parts) == 9 else 6  # `$JS.ACK.` with or without domain and account
        if int(parts[first + 2]) != self._expected:
            self._break(f"message {int(parts[first + 2])} came where {self._expected} was due")
            return
        self._expected += 1
        self._inbox.append(
            Delivered(
                int(parts[first + 1]),
                int(parts[first + 4]),
                subject.decode(errors="backslashreplace"),
                headers or b"",
                data,
            )
        )
        self._news.set()

    def _control(self, reply: bytes, headers: bytes) -> None:
        if not headers.startswith(b"NATS/1.0 100"):
            self._break(f"status {headers[9:60].decode(errors='replace').strip()}")
            return
        if reply:
            self._inbox.append(reply)
        for line in headers.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if name == b"Nats-Consumer-Stalled":
                self._inbox.append(value)
            elif name == b"Nats-Last-Consumer" and int(value) != self._expected - 1:
                self._break(f"message {self._expected} was lost")
            elif name == b"Nats-Last-Stream":
                self.skipped_to = int(value)
        self._news.set()

    def _break(self, reason: str) -> None:
        self._broken = self._broken or reason
        self._news.set()


OPEN_ERRORS = (nats.errors.Error, OSError, BrokenError)
"""What opening or reading can raise while the bus is troubled."""
