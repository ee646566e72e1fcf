"""One webhook: facts in order, each tried again with growing waits; then parked until a person lets it go on.

The place in the log is a durable consumer's. While the webhook is parked the fact at which it stands stays in hand, so
nothing is lost, nothing overtakes, and nothing piles up elsewhere. That it is parked stands in the log itself.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any, Literal

import nats.errors
import structlog
from modeldeck_events import system, topology
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, TransientError, UnavailableError
from modeldeck_events.runtime import Service
from modeldeck_events.store import Meta, Record
from modeldeck_events.users import UserEvent
from prometheus_client import Counter

from gateway.webhook_settings import Webhook
from gateway.webhooks.sender import Failure, Sender

RETRY_S = (1.0, 5.0, 25.0, 90.0)
"""Waits between the tries, with jitter: five tries in about two minutes."""
LOOK_S = 5.0
"""How soon another gateway's resumption is noticed."""
INFO_S = 1.0
OUTCOMES = Counter("modeldeck_webhook_deliveries", "Facts sent to webhooks", ["webhook", "outcome"])
State = Literal["active", "retrying", "parked"]
_log = structlog.get_logger(__name__)


class Worker:
    """Delivers the facts that one webhook wants. `handle` is called one at a time, in order."""

    def __init__(self, service: Service, webhook: Webhook, sender: Sender) -> None:
        self.webhook = webhook
        self.durable = f"gateway-webhook-{webhook.name}"
        self.state: State = "active"
        self.last_error = ""
        self.last_seq = 0
        self.last_delivered_at: datetime | None = None
        self._service = service
        self._sender = sender
        self._retry_s = RETRY_S
        self._subject = system.subject(f"webhook-{webhook.name}")
        self._kick = asyncio.Event()
        self._word: tuple[int, object] = (0, None)

    async def handle(self, record: Record) -> None:
        """Return once the receiver took the fact, or a person said to skip it. Raises TransientError at the end."""
        if isinstance(record.event, UserEvent) or not self.webhook.wants(record.type):
            return
        while not await self._skipped(record):
            failure = await self._try(record)
            if failure is None:
                self.state, self.last_error = "active", ""
                self.last_seq, self.last_delivered_at = record.seq, datetime.now(UTC)
                return
            await self._park(record, failure)

    async def resume(self, *, skip: bool, actor: str) -> int:
        """Let a parked webhook go on, with `skip` after the fact at which it stands; return the sequence of that fact
        in the log. Raises CommandNotAllowedError when it is not parked, UnavailableError.
        """
        seq, last = await self._last_word()
        if not isinstance(last, system.WebhookParked):
            raise CommandNotAllowedError(f"The webhook {self.webhook.name} is not parked.", code="not_parked")
        fact = system.WebhookResumed(webhook=self.webhook.name, skipped_seq=last.stream_seq if skip else 0)
        try:
            appended = await self._append(fact, after=seq, actor=actor)
        except ConflictError as error:
            raise CommandNotAllowedError("Somebody else resumed it just now.", code="not_parked") from error
        self._kick.set()
        return appended

    async def describe(self) -> dict[str, Any]:
        """Return how it stands; the secret, and the address beyond its host, are not told."""
        _, last = await self._last_word()
        parked = last if isinstance(last, system.WebhookParked) else None
        return {
            "name": self.webhook.name,
            "origin": self.webhook.origin,
            "types": list(self.webhook.types),
            "state": "parked" if parked else "active" if self.state == "parked" else self.state,
            "behind": await self._behind(),
        } | {
            name: value
            for name, value in (
                ("parked_seq", parked.stream_seq if parked else None),
                ("last_error", parked.reason if parked else self.last_error),
                ("last_seq", self.last_seq),
                ("last_delivered_at", self.last_delivered_at and self.last_delivered_at.isoformat()[:-9] + "Z"),
            )
            if value
        }

    async def close(self) -> None:
        """Send nothing more."""
        await self._sender.close()

    async def _try(self, record: Record) -> Failure | None:
        failure: Failure | None = None
        for wait_s in (*self._retry_s, None):
            failure = await self._sender.send(record)
            OUTCOMES.labels(self.webhook.name, "failed" if failure else "delivered").inc()
            if failure is None or failure.final or wait_s is None:
                return failure
            if self.state == "active":
                _log.warning("webhook fails; trying again", webhook=self.webhook.name, reason=failure.reason)
            self.state, self.last_error = "retrying", failure.reason
            await self._pause(max(failure.retry_after_s or 0.0, wait_s * random.uniform(0.8, 1.2)))  # noqa: S311
        return failure

    async def _park(self, record: Record, failure: Failure) -> None:
        tries = 1 if failure.final else len(self._retry_s) + 1
        fact = system.WebhookParked(
            webhook=self.webhook.name, stream_seq=record.seq, tries=tries, reason=failure.reason
        )
        OUTCOMES.labels(self.webhook.name, "parked").inc()
        self._kick.clear()
        try:
            await self._append(fact, after=await self._service.store.last_seq(self._subject), actor="policy:webhooks")
        except ConflictError:
            return  # another gateway was quicker; its word counts
        self.state, self.last_error = "parked", failure.reason
        _log.error("webhook parked", webhook=self.webhook.name, seq=record.seq, reason=failure.reason)

    async def _skipped(self, record: Record) -> bool:
        """Wait while the webhook is parked; return whether this fact is to be passed over."""
        while True:
            _, last = await self._last_word()
            if not isinstance(last, system.WebhookParked):
                return isinstance(last, system.WebhookResumed) and last.skipped_seq == record.seq
            self.state = "parked"
            await self._pause(LOOK_S, until=self._kick)
            self._kick.clear()

    async def _pause(self, seconds: float, *, until: asyncio.Event | None = None) -> None:
        """Wait; raises TransientError when the service goes down, so that the fact is handed back."""
        waits = [asyncio.create_task(event.wait()) for event in (self._service.stopping, until) if event is not None]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._service.stopping.is_set():
            raise TransientError("the gateway goes down", delay_s=0.1)

    async def _last_word(self) -> tuple[int, object]:
        """Return the last fact about this webhook and its sequence."""
        store = self._service.store
        seq = await store.last_seq(self._subject)
        if seq != self._word[0]:
            records = await store.read(after=seq - 1, limit=1, subjects=[self._subject]) if seq else []
            self._word = (seq, records[0].event if records else None)
        return self._word

    async def _append(self, fact: system.WebhookParked | system.WebhookResumed, *, after: int, actor: str) -> int:
        meta = Meta(source=self._service.name, actor=actor)
        return await self._service.store.append(self._subject, [fact], expected_seq=after, meta=meta)

    async def _behind(self) -> int | None:
        """Return how many facts of any type it has not gone through yet; None when that cannot be told."""
        try:
            async with asyncio.timeout(INFO_S):
                info = await self._service.bus.js.consumer_info(topology.EVENTS, self.durable)
        except (nats.errors.Error, UnavailableError, OSError, TimeoutError):
            return None
        return (info.num_pending or 0) + (info.num_ack_pending or 0)
