"""Conversations and their messages: how many there are, and how many came within a day or a week (R-023, R-026)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import msgspec
from modeldeck_events.store import Record
from modeldeck_events.studio.conversations import (
    ConversationDeleted,
    ConversationEvent,
    ConversationStarted,
    MessageSent,
)

from gateway.boards.studio.register import Name, key_of

STEP_S = 900
"""Every time zone's midnight lies on a quarter of an hour of UTC, so whole steps make its days."""


class _Chat(msgspec.Struct):
    title: Name = msgspec.field(default_factory=Name)
    messages: int = 0
    deleted: bool = False


class _Saved(msgspec.Struct):
    chats: dict[str, _Chat] = {}
    messages_in: dict[int, int] = {}
    tokens_in: dict[int, int] = {}
    models: dict[str, int] = {}


class Chats:
    """Counts of conversations. A deleted one and its messages no longer count as there; what was spent stays spent."""

    VERSION = 1

    def __init__(self) -> None:
        self._saved = _Saved()

    def apply(self, record: Record) -> bool:
        """Fold one fact, which came for the first time."""
        event = record.event
        if not isinstance(event, ConversationEvent):
            return False
        key = key_of(record)
        chat = self._saved.chats.get(key)
        if chat is None:
            chat = self._saved.chats[key] = _Chat()
        match event:
            case ConversationStarted():
                chat.title.put(event.title, record)
            case MessageSent():
                chat.messages += 1
                self._count(event, record.time)
            case ConversationDeleted():
                chat.deleted = True
        return True

    def _count(self, event: MessageSent, time: datetime) -> None:
        step = int(time.timestamp()) // STEP_S
        saved = self._saved
        saved.messages_in[step] = saved.messages_in.get(step, 0) + 1
        if event.tokens:
            saved.tokens_in[step] = saved.tokens_in.get(step, 0) + max(0, event.tokens)
        if event.model and event.role == "assistant":
            saved.models[event.model] = saved.models.get(event.model, 0) + 1

    @property
    def reported(self) -> bool:
        """Whether any conversation was ever told of."""
        return bool(self._saved.chats)

    @property
    def conversations(self) -> int:
        """How many conversations there are."""
        return sum(not chat.deleted for chat in self._saved.chats.values())

    @property
    def messages(self) -> int:
        """How many messages they hold."""
        return sum(chat.messages for chat in self._saved.chats.values() if not chat.deleted)

    def messages_between(self, start: datetime, end: datetime) -> int:
        """Return how many messages were sent from `start` until before `end`, both on a quarter of an hour."""
        return _sum(self._saved.messages_in, start, end)

    def tokens_between(self, start: datetime, end: datetime) -> int:
        """Return how many tokens were spent from `start` until before `end`."""
        return _sum(self._saved.tokens_in, start, end)

    def models(self) -> Counter[str]:
        """Return how many answers each model wrote."""
        return Counter(self._saved.models)

    def title(self, key: str) -> str:
        """Return a conversation's title, "" when nobody said one."""
        chat = self._saved.chats.get(key)
        return str(chat.title) if chat else ""

    def reset(self) -> None:
        """Forget everything."""
        self._saved = _Saved()

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)


def _sum(counts: dict[int, int], start: datetime, end: datetime) -> int:
    first, last = int(start.timestamp()) // STEP_S, int(end.timestamp()) // STEP_S
    if last - first < len(counts):
        return sum(counts.get(step, 0) for step in range(first, last))
    return sum(count for step, count in counts.items() if first <= step < last)


def day(now: datetime) -> tuple[datetime, datetime]:
    """Return the bounds of the day that `now` lies in, in the time zone of `now`."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=1)).replace(hour=0)


def days(now: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """Return the bounds of the last `count` days up to that of `now`, the oldest first."""
    today = day(now)[0]
    return [day(today - timedelta(days=back)) for back in reversed(range(count))]


def week(now: datetime) -> tuple[datetime, datetime]:
    """Return the bounds of the week that `now` lies in: from Monday (ISO 8601), in the time zone of `now`."""
    monday = day(now)[0] - timedelta(days=now.weekday())
    return monday, monday + timedelta(days=7)
