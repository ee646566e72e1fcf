"""The facts of users are decided here, by no other service: appended with a guard, and visible before the answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from modeldeck_events.errors import ConflictError
from modeldeck_events.store import EventStore, Meta
from modeldeck_events.users import UserEvent, subject

from gateway.live import Live
from gateway.problems import ProblemError, away

MAX_BYTES = 64 * 1024
_TRIES = 3


class UserFacts:
    """Appends facts of users."""

    def __init__(self, store: EventStore, live: Live) -> None:
        self._store = store
        self._live = live

    async def append(self, event: UserEvent, *, actor: str, check: Callable[[], None] | None = None) -> None:
        """Append a fact, and wait until it can be read (at most 2 s).

        `check` raises ProblemError when the state of the user forbids it; it is asked again when somebody else was
        faster. Raises ProblemError 413 for too large a fact, 503 when others are faster three times.
        """
        size = len(msgspec.json.encode(event))
        if size > MAX_BYTES:
            raise ProblemError(413, "too_large", f"This has {size} bytes; at most {MAX_BYTES} are kept for a user.")
        where = subject(event.user_id)
        for _ in range(_TRIES):
            last = await self._store.last_seq(where)
            if check is not None:
                await self._live.wait_for(last)
                check()
            meta = Meta(source="gateway", actor=actor)
            try:
                seq = await self._store.append(where, [event], expected_seq=last, meta=meta)
            except ConflictError:
                continue
            await self._live.wait_for(seq)
            return
        raise away("Someone else changed the same at the same time; try again.")
