"""What each user chose: the arrangement of the home board, settings, personal tokens (by their hashes); who left."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter

import msgspec
from modeldeck_events.store import Record
from modeldeck_events.users import (
    DashboardArranged,
    DashboardReset,
    Scope,
    SessionEnded,
    SettingsChanged,
    TokenIssued,
    TokenRevoked,
    UserEvent,
    WidgetPlace,
)

from gateway.boards import words
from gateway.boards.board import Json, known

COLUMNS = 4
MAX_ENDED = 10_000
"""So many ended sessions are remembered; of more, those that end by themselves first are forgotten."""
DEFAULT_LAYOUT: tuple[WidgetPlace, ...] = (
    WidgetPlace(widget="active-tasks", x=0, y=0, w=2, h=2),
    WidgetPlace(widget="project-progress", x=2, y=0, w=2, h=2),
    WidgetPlace(widget="disk-health", x=0, y=2, w=1, h=2),
    WidgetPlace(widget="activity-feed", x=1, y=2, w=3, h=2),
    WidgetPlace(widget="download-queue", x=0, y=4, w=4, h=1),
    WidgetPlace(widget="stats", x=0, y=5, w=4, h=1),
    WidgetPlace(widget="system-resources", x=0, y=6, w=2, h=2),
    WidgetPlace(widget="recent-models", x=2, y=6, w=2, h=2),
    WidgetPlace(widget="overview", x=0, y=8, w=4, h=1),
    WidgetPlace(widget="quick-actions", x=0, y=9, w=2, h=1),
    WidgetPlace(widget="system-status", x=2, y=9, w=2, h=1),
)
"""R-241's four as it places them, the others below."""
DEFAULT_SETTINGS: Json = {"show_featured_models": True}
"""R-170; a setting that the user never changed has its value here."""


class Token(msgspec.Struct, kw_only=True):
    """A personal API token; `sha256` is all that is known of it."""

    user_id: str
    token_id: str
    name: str
    prefix: str
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None


class _User(msgspec.Struct, kw_only=True, omit_defaults=True):
    layout: tuple[WidgetPlace, ...] | None = None
    widget_settings: dict[str, dict[str, object]] = {}
    created_at: datetime | None = None
    updated_at: datetime | None = None
    settings: dict[str, object] = {}
    seq: int = 0


class _Saved(msgspec.Struct):
    users: dict[str, _User] = {}
    tokens: dict[str, Token] = {}
    ended: dict[str, datetime] = {}


class Users:
    """The users by id, all tokens that were not revoked, and the sessions that ended before their time."""

    VERSION = 2
    FOLDS = (UserEvent,)

    def __init__(self) -> None:
        self._saved = _Saved()
        self._by_hash: dict[str, Token] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact of a user."""
        event = record.event
        if not isinstance(event, UserEvent):
            return False
        user = self._saved.users.setdefault(event.user_id, _User())
        user.seq = record.seq
        match event:
            case DashboardArranged():
                user.layout, user.widget_settings = event.layout, event.widget_settings
                user.created_at = user.created_at or record.time
                user.updated_at = record.time
            case DashboardReset():
                user.layout, user.widget_settings, user.updated_at = None, {}, record.time
            case SettingsChanged():
                user.settings = event.settings
            case TokenIssued():
                token = Token(
                    user_id=event.user_id,
                    token_id=event.token_id,
                    name=event.name,
                    prefix=event.prefix,
                    sha256=event.sha256,
                    scopes=event.scopes,
                    created_at=record.time,
                    expires_at=event.expires_at,
                )
                self._saved.tokens[event.token_id] = self._by_hash[event.sha256] = token
            case TokenRevoked():
                revoked = self._saved.tokens.pop(event.token_id, None)
                if revoked is not None:
                    self._by_hash.pop(revoked.sha256, None)
            case SessionEnded():
                ended = self._saved.ended | {event.session_id: event.expires_at}
                lasting = [item for item in ended.items() if item[1] > record.time]
                self._saved.ended = dict(sorted(lasting, key=itemgetter(1))[-MAX_ENDED:])
            case _:
                return False
        return True

    def seq(self, user_id: str) -> int:
        """Return the sequence of the user's last fact, for the guard of the next one."""
        user = self._saved.users.get(user_id)
        return user.seq if user else 0

    def dashboard(self, user_id: str) -> Json:
        """Return the user's board (R-239, R-240), the default one while he has not arranged his own."""
        user = self._saved.users.get(user_id) or _User()
        layout = DEFAULT_LAYOUT if user.layout is None else user.layout
        return known(
            id=user_id,
            user_id=user_id,
            layout=msgspec.to_builtins(layout),
            layout_json=msgspec.to_builtins(layout),
            widget_settings=user.widget_settings,
            widget_settings_json=user.widget_settings,
            is_default=user.layout is None,
            columns=COLUMNS,
            created_at=words.time(user.created_at) if user.created_at else None,
            updated_at=words.time(user.updated_at) if user.updated_at else None,
        )

    def own(self, user_id: str) -> Json:
        """Return what the user's own topic shows: who he is, his board and his settings."""
        return {"user_id": user_id, "dashboard": self.dashboard(user_id), "settings": self.settings(user_id)}

    def settings(self, user_id: str) -> Json:
        """Return the user's settings, each with its default while he has not chosen."""
        return DEFAULT_SETTINGS | self.chosen(user_id)

    def chosen(self, user_id: str) -> Json:
        """Return the settings that the user chose himself."""
        user = self._saved.users.get(user_id)
        return dict(user.settings) if user else {}

    def tokens(self, user_id: str) -> list[Token]:
        """Return the user's tokens, the oldest first."""
        return [token for token in self._saved.tokens.values() if token.user_id == user_id]

    def token(self, token_id: str) -> Token | None:
        """Return a token that was not revoked."""
        return self._saved.tokens.get(token_id)

    def by_hash(self, sha256: str) -> Token | None:
        """Return the token with this hash that was not revoked; it may have expired."""
        return self._by_hash.get(sha256)

    def all_tokens(self) -> list[Token]:
        """Return the tokens of all users, the oldest first."""
        return list(self._saved.tokens.values())

    def session_ended(self, session_id: str) -> bool:
        """Tell whether the user of this session signed out."""
        return session_id in self._saved.ended

    def state(self) -> Json:
        """Return how many there are: what one user chose stands in his own topic only."""
        return {"users": len(self._saved.users), "tokens": len(self._saved.tokens)}

    def reset(self) -> None:
        """Forget everything."""
        self._saved = _Saved()
        self._by_hash = {}

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)
        self._by_hash = {token.sha256: token for token in self._saved.tokens.values()}
