"""How long each sample lives on the bus: so that an hour of many hosts fits into the memory that READINGS has."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from modeldeck_events.message import Reading
from modeldeck_events.readings import SHORT_LIFE_S, HostSample, host_subject, is_kept


class PublishReading(Protocol):
    """What `Bus.publish_reading` is."""

    async def __call__(self, subject: str, reading: Reading, /, *, ttl_s: int | None = None) -> None:
        """Publish a reading, to be forgotten after `ttl_s`; while NATS is away it is dropped."""
        ...


class Feed:
    """Publishes every sample of a host; one in ten seconds stays for an hour, the others for half a minute."""

    def __init__(self, publish: PublishReading, host: str) -> None:
        self._publish = publish
        self._subject = host_subject(host)
        self._kept_at: datetime | None = None

    async def publish(self, sample: HostSample) -> None:
        """Publish a sample."""
        kept = is_kept(sample, self._kept_at)
        if kept:
            self._kept_at = sample.at
        await self._publish(self._subject, sample, ttl_s=None if kept else SHORT_LIFE_S)
