"""Facts about the people who use the dashboard, their tokens and their sessions. Subject `evt.user.<user id>`."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from modeldeck_events import subjects
from modeldeck_events.message import Event, Message

AGGREGATE = "user"

Scope = Literal["read", "operate", "publish", "admin"]


class UserEvent(Event, frozen=True, kw_only=True):
    """Base of a user's facts."""

    user_id: str


class ActivityCleared(UserEvent, frozen=True, kw_only=True):
    """The user hid the activity log up to and including `up_to_seq`; nothing is deleted (C-06)."""

    TYPE: ClassVar[str] = "modeldeck.user.activity-cleared.v1"
    up_to_seq: int


class WidgetPlace(Message, frozen=True, kw_only=True):
    """Where a widget stands on the board of four columns (R-239, R-245a): columns and rows from 0."""

    widget: str
    x: int
    y: int
    w: int
    h: int


class DashboardArranged(UserEvent, frozen=True, kw_only=True):
    """The user's board looks like this from now on; `widget_settings` is per widget, as its page wrote it."""

    TYPE: ClassVar[str] = "modeldeck.user.dashboard-arranged.v1"
    layout: tuple[WidgetPlace, ...]
    widget_settings: dict[str, dict[str, object]] = msgspec.field(default_factory=dict)


class DashboardReset(UserEvent, frozen=True, kw_only=True):
    """The user wants the default board again."""

    TYPE: ClassVar[str] = "modeldeck.user.dashboard-reset.v1"


class SettingsChanged(UserEvent, frozen=True, kw_only=True):
    """The user's settings, all of them: names that the page knows, with JSON values."""

    TYPE: ClassVar[str] = "modeldeck.user.settings-changed.v1"
    settings: dict[str, object] = msgspec.field(default_factory=dict)


class TokenIssued(UserEvent, frozen=True, kw_only=True):
    """The user made a personal API token. Only its SHA-256 is kept; `prefix` is what lists show of it."""

    TYPE: ClassVar[str] = "modeldeck.user.token-issued.v1"
    token_id: str
    name: str
    prefix: str
    sha256: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None


class TokenRevoked(UserEvent, frozen=True, kw_only=True):
    """The token is worth nothing from now on."""

    TYPE: ClassVar[str] = "modeldeck.user.token-revoked.v1"
    token_id: str


class SessionEnded(UserEvent, frozen=True, kw_only=True):
    """The user signed out: every gateway refuses the session's cookie, which ends by itself at `expires_at`.

    `session_id` names the session and opens nothing: a cookie is worth something by its signature.
    """

    TYPE: ClassVar[str] = "modeldeck.user.session-ended.v1"
    session_id: str
    expires_at: datetime


EVENTS: tuple[type[UserEvent], ...] = (
    ActivityCleared,
    DashboardArranged,
    DashboardReset,
    SessionEnded,
    SettingsChanged,
    TokenIssued,
    TokenRevoked,
)


def subject(user_id: str) -> str:
    """Subject of one user's facts."""
    return subjects.event(AGGREGATE, user_id)
