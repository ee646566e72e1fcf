"""Commands that every service answers, and facts about the system itself. Subject `evt.system.<topic>`."""

from __future__ import annotations

from typing import ClassVar

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event


class MessageDeadLettered(Event, frozen=True, kw_only=True):
    """A message could not be handled and waits in DEAD_LETTERS at `dead_seq`."""

    TYPE: ClassVar[str] = "modeldeck.system.dead-lettered.v1"
    durable: str
    subject: str
    reason: str
    stream_seq: int
    dead_seq: int


class WebhookParked(Event, frozen=True, kw_only=True):
    """A webhook failed too often with the fact at `stream_seq`; nothing is sent until a person resumes it.

    Nothing is lost meanwhile: it goes on where it stood.
    """

    TYPE: ClassVar[str] = "modeldeck.system.webhook-parked.v1"
    webhook: str
    stream_seq: int
    tries: int
    reason: str


class WebhookResumed(Event, frozen=True, kw_only=True):
    """A person let a parked webhook go on, with the fact at which it stood or, with `skipped_seq`, after that one."""

    TYPE: ClassVar[str] = "modeldeck.system.webhook-resumed.v1"
    webhook: str
    skipped_seq: int = 0


EVENTS: tuple[type[Event], ...] = (MessageDeadLettered, WebhookParked, WebhookResumed)


def subject(topic: str) -> str:
    """Subject of facts about one part of the system, e.g. a durable's name."""
    return subjects.event("system", topic)


class Health(Command, frozen=True, kw_only=True):
    """Asked of any service as `cmd.<service>.health`: ok once its folds have caught up and its work is being done.

    With a pool, asked of the service of that pool. Reply data: `{service, seq, epoch, detail}`.
    """

    VERB: ClassVar[str] = "health"
    KEY: ClassVar[str] = "pool"
    pool: str = ""


class ReplayLetter(Command, frozen=True, kw_only=True):
    """Handle again what a durable policy could not, asked of its service: the letter at `dead_seq` in DEAD_LETTERS."""

    VERB: ClassVar[str] = "replay"
    KEY: ClassVar[str] = "durable"
    durable: str
    dead_seq: int


COMMANDS: tuple[type[Command], ...] = (Health, ReplayLetter)
