"""`install --wait`: which of some downloads have ended, told by successive queue objects. Pure."""

from __future__ import annotations

import dataclasses
from typing import Literal

from gateway.cli.client import Json
from gateway.cli.text import plain

ENDED = frozenset({"completed", "failed", "cancelled", "installed", "refused"})
Place = Literal["running", "waiting", "ended", "absent"]


@dataclasses.dataclass(slots=True)
class Watched:
    """One download that is waited for; `item` is what the queue last said about it."""

    label: str
    preset_id: str | None = None
    download_id: str | None = None
    status: str = "queued"
    error: str = ""
    item: Json = dataclasses.field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.status in ENDED

    @property
    def good(self) -> bool:
        """Whether all files are there."""
        return self.status in {"completed", "installed"}

    def outcome(self) -> Json:
        """Return the JSON for scripts."""
        known = {"preset_id": self.preset_id, "download_id": self.download_id, "status": self.status}
        found = {name: value for name, value in known.items() if value is not None}
        return {**found, "error": self.error} if self.error else found

    def take(self, item: Json) -> None:
        """Take over what the gateway says about it now."""
        self.item = item
        self.status = plain(item.get("status")) or self.status
        self.error = plain(item.get("error")) if self.status in {"failed", "cancelled", "retrying", "paused"} else ""


def apply_queue(watched: list[Watched], queue: Json) -> list[Watched]:
    """Update what has not ended from the `queue` topic's object; return those that it no longer mentions.

    Only the last ended ones stay in the queue object, so one that is not mentioned has to be looked up.
    """
    absent = []
    for one in watched:
        if one.ended or one.download_id is None:
            continue
        for collection in ("active", "queue", "completed"):
            item = (queue.get(collection) or {}).get(one.download_id)
            if item is not None:
                one.take(item)
                break
        else:
            absent.append(one)
    return absent
