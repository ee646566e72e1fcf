"""What the log says of credentials: personal API tokens, by their hashes, and sessions that ended.

A token is `md_` and 32 random characters (190 bits), so its SHA-256 needs no salt and cannot be searched for. It is
shown once; afterwards only its hash is known, and its first characters for lists.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from typing import NamedTuple

from modeldeck_events.store import EventStore, Record
from modeldeck_events.users import SessionEnded, TokenRevoked

from gateway.boards.users import Token, Users
from gateway.live import Live
from gateway.problems import not_ready
from gateway.rights import Principal, granted

PREFIX = "md_"
SHOWN_CHARS = len(PREFIX) + 6
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_CHARS = 32
_CATCH_UP_S = 1.0


class NewToken(NamedTuple):
    """A token that was just made; `secret` is what its owner gets to see, once."""

    secret: str
    sha256: str
    prefix: str


def make_token() -> NewToken:
    """Return a new token."""
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    return NewToken(secret, _hash(secret), secret[:SHOWN_CHARS])


def principal_of(token: Token) -> Principal:
    """Return who asks with a token: its owner, with no more rights than the token has."""
    return Principal(
        token.user_id,
        session_of(token.token_id),
        rights=granted(frozenset(token.scopes)),
        token_name=token.name,
        expires_at=token.expires_at.timestamp() if token.expires_at else None,
    )


def session_of(token_id: str) -> str:
    """Return the name under which the streams of a token are known."""
    return f"token:{token_id}"


def ended_by(record: Record) -> str | None:
    """Return the session whose streams a fact ends."""
    match record.event:
        case TokenRevoked(token_id=token_id):
            return session_of(token_id)
        case SessionEnded(session_id=session_id):
            return session_id
    return None


class Accounts:
    """Looks credentials up in the read models."""

    def __init__(self, users: Users, live: Live, store: EventStore) -> None:
        self._users = users
        self._live = live
        self._store = store

    def token(self, secret: str) -> Token | None:
        """Return the token, which may have expired, None when there is none. Raises ProblemError 503 until the read
        models have caught up: before, nobody knows what was revoked.
        """
        if not self._live.caught_up.is_set():
            raise not_ready()
        digest = _hash(secret)
        found = self._users.by_hash(digest)
        return found if found is not None and hmac.compare_digest(found.sha256, digest) else None

    async def newest_token(self, secret: str) -> Token | None:
        """Return the same after what stands in the log now is read: another gateway may have made it a moment ago.

        Raises UnavailableError when the log does not answer.
        """
        head = await self._store.head()
        await self._live.wait_for(head.seq, _CATCH_UP_S)
        return self.token(secret)

    def has_ended(self, session: str) -> bool:
        """Tell whether somebody signed out of a session."""
        return self._users.session_ended(session)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
