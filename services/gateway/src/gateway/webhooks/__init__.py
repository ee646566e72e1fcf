"""Webhooks out: facts as signed CloudEvents to configured addresses, in order, at least once, from a durable place.

`signing` says what a request carries, `addresses` where it may go, `sender` sends one, `worker` keeps one webhook's
order, tries again and parks it; `Webhooks` here is all of them.
"""

from __future__ import annotations

import asyncio

from modeldeck_events.runtime import Service

from gateway.webhook_settings import Webhook
from gateway.webhooks.sender import Sender
from gateway.webhooks.worker import Worker


class Webhooks:
    """Every configured webhook by its name; the places where they stand are kept by JetStream."""

    def __init__(self, service: Service, webhooks: tuple[Webhook, ...]) -> None:
        self.workers = {webhook.name: Worker(service, webhook, Sender(webhook)) for webhook in webhooks}
        for worker in self.workers.values():
            service.policy(worker.durable, ["evt.>"], start="new")(worker.handle)

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            for worker in self.workers.values():
                await worker.close()


__all__ = ["Webhooks"]
