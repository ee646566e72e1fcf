"""Facts about conversations with a language model. Subject `evt.conversation.<source>.<conversation id>`."""

from __future__ import annotations

from typing import ClassVar, Literal

from modeldeck_events.message import Event

AGGREGATE = "conversation"


class ConversationEvent(Event, frozen=True, kw_only=True):
    """Base of a conversation's facts; `user_id` is whose it is ("": everybody's)."""

    conversation_id: str
    user_id: str = ""
    project_id: str = ""


class ConversationStarted(ConversationEvent, frozen=True, kw_only=True):
    """A conversation began, or has this title from now on."""

    TYPE: ClassVar[str] = "modeldeck.conversation.started.v1"
    title: str = ""
    model: str = ""


class MessageSent(ConversationEvent, frozen=True, kw_only=True):
    """A message was added. `tokens` are all that it cost, prompt and answer; `model` is who wrote it."""

    TYPE: ClassVar[str] = "modeldeck.conversation.message-sent.v1"
    message_id: str
    role: Literal["user", "assistant", "system", "tool"] = "user"
    tokens: int | None = None
    model: str = ""


class ConversationDeleted(ConversationEvent, frozen=True, kw_only=True):
    """The conversation is no longer there, and no longer counts."""

    TYPE: ClassVar[str] = "modeldeck.conversation.deleted.v1"


EVENTS: tuple[type[ConversationEvent], ...] = (ConversationStarted, MessageSent, ConversationDeleted)
