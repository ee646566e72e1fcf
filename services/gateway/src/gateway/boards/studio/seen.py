"""Which facts of other services were folded already: beyond the server's two minutes a repetition stands in the log."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import msgspec
from modeldeck_events.store import Record

KEPT = 100_000


class Seen:
    """The last facts by source and id, bounded. The same log always gives the same answers."""

    VERSION = 1

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._ids: OrderedDict[int, None] = OrderedDict()

    def is_repetition(self, record: Record) -> bool:
        """Tell whether a fact with this source and id came before; note it if not."""
        key = _key(record.source, record.id)
        if key in self._ids:
            return True
        self._ids[key] = None
        if len(self._ids) > self._kept:
            self._ids.popitem(last=False)
        return False

    def knows(self, source: str, event_id: str) -> bool:
        """Tell whether a fact with this source and id is in the log, as far back as is kept here."""
        return _key(source, event_id) in self._ids

    def reset(self) -> None:
        """Forget everything."""
        self._ids.clear()

    def dump(self) -> bytes:
        """Return what is known, oldest first."""
        return msgspec.json.encode(list(self._ids))

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._ids = OrderedDict.fromkeys(msgspec.json.decode(data, type=list[int]))


def _key(source: str, event_id: str) -> int:
    digest = hashlib.blake2b(f"{source}\n{event_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1  # 63 bits: what every JSON reader takes for an integer
