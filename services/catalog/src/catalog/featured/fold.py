"""What the log says of the featured list, so that only what is new is appended. Pure; rebuilt from the log."""

from __future__ import annotations

from modeldeck_events.message import Event
from modeldeck_events.repositories import FEATURED_SUBJECT, FeaturedPublished, FeaturedRefreshFailed
from modeldeck_events.store import Record


class FeaturedFold:
    """The list that stands; `failed` is set while the last refresh is said to have failed."""

    subjects = FEATURED_SUBJECT

    def __init__(self) -> None:
        self.seq = 0
        self.published: FeaturedPublished | None = None
        self.failed: FeaturedRefreshFailed | None = None

    def reset(self) -> None:
        """Start from zero."""
        self.seq, self.published, self.failed = 0, None, None

    def apply(self, record: Record, /) -> None:
        """Apply one record; others' are passed over."""
        if record.subject == FEATURED_SUBJECT:
            self.note(record.seq, record.event)

    def note(self, seq: int, event: Event | None) -> None:
        """Take over one fact; one that this version does not know moves only the guard."""
        if seq <= self.seq:
            return
        self.seq = seq
        if isinstance(event, FeaturedPublished):
            self.published, self.failed = event, None
        elif isinstance(event, FeaturedRefreshFailed):
            self.failed = event
