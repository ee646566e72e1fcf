"""The queue object of the API: what runs, what waits and in which order, what ended last, and the pool's settings."""

from __future__ import annotations

import msgspec
from modeldeck_events.downloads import DownloadEvent
from modeldeck_events.pools import PoolConfigured
from modeldeck_events.store import Record

from gateway.boards.board import Json
from gateway.boards.downloads import ACTIVE, Download, Downloads

COMPLETED_SHOWN = 20

_WAITING_FIELDS = (
    "preset_id",
    "download_id",
    "name",
    "status",
    "total_bytes",
    "downloaded_bytes",
    "progress",
    "queued_at",
    "error",
    "error_code",
)


class _Saved(msgspec.Struct):
    seq: int = 0
    pools: dict[str, PoolConfigured] = {}


class Queue:
    """The queue of every pool, with the settings of `pool`; reads the downloads from their board."""

    VERSION = 1
    FOLDS = (DownloadEvent, PoolConfigured)

    def __init__(self, downloads: Downloads, *, pool: str, max_concurrent: int = 1) -> None:
        self._downloads = downloads
        self._pool = pool
        self._default = PoolConfigured(pool=pool, max_concurrent=max_concurrent)
        self._saved = _Saved()
        self._waiting: dict[str, tuple[Json, Json]] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact of a download or a pool; the downloads board has seen it already."""
        event = record.event
        if not isinstance(event, DownloadEvent):
            if not isinstance(event, PoolConfigured):
                return False
            self._saved.pools[event.pool] = event
        self._saved.seq = record.seq
        return True

    @property
    def settings(self) -> PoolConfigured:
        """The settings of the pool that this gateway speaks for."""
        return self._saved.pools.get(self._pool, self._default)

    def state(self) -> Json:
        """Return the stream's topic: collections by download id, `current` the id of the first running one."""
        board = self._downloads
        running = sorted((x for x in board.open() if x.phase in ACTIVE), key=lambda x: x.run_seq)
        waiting = sorted((x for x in board.open() if x.phase not in ACTIVE), key=lambda x: x.place)
        settings = self.settings
        return {
            "current": running[0].download_id if running else None,
            "active": {x.download_id: board.item(x) for x in running},
            "queue": self._place(waiting),
            "completed": {x.download_id: board.item(x) for x in board.ended(COMPLETED_SHOWN)},
            "active_downloads": len(running),
            "paused": settings.paused,
            "max_concurrent": settings.max_concurrent,
            "bandwidth_limit_bps": settings.bandwidth_limit_bps,
            "seq": self._saved.seq,
        }

    def _place(self, waiting: list[Download]) -> dict[str, Json]:
        """Return the waiting ones by id in their order; who did not change is the same object as the last time."""
        before, self._waiting = self._waiting, {}
        placed = {}
        for position, download in enumerate(waiting, start=1):
            item = self._downloads.item(download)
            old_item, view = before.get(download.download_id, (None, {}))
            if old_item is not item or view["position"] != position:
                view = {name: item[name] for name in _WAITING_FIELDS if name in item} | {"position": position}
            placed[download.download_id] = view
            self._waiting[download.download_id] = (item, view)
        return placed

    def reset(self) -> None:
        """Forget everything folded."""
        self._saved = _Saved()
        self._waiting = {}

    def dump(self) -> bytes:
        """Return the settings of the pools and the last fact's position."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)


def queue_object(state: Json) -> Json:
    """Return the topic's state as HTTP shows it: lists instead of collections by id, `current` in full."""
    active = state["active"]
    current = state["current"]
    return state | {
        "current": active.get(current) if current else None,
        "active": list(active.values()),
        "queue": list(state["queue"].values()),
        "completed": list(state["completed"].values()),
    }
