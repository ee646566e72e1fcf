"""Which repositories a hub described, and which of their files has a name or a hash. Pure; rebuilt from the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from modeldeck_events import repositories
from modeldeck_events.repositories import Repository, RepositoryDescribed, Variant
from modeldeck_events.store import Record

MAX_REPOSITORIES = 5_000
"""So many are remembered; what was not described for longest is forgotten first."""


class RepositoriesFold:
    """The repositories that were described, at their newest revision."""

    def __init__(self, *, max_repositories: int = MAX_REPOSITORIES) -> None:
        self.version = 0
        """Grows with every change."""
        self._described: OrderedDict[str, Repository] = OrderedDict()
        self._max = max_repositories

    @property
    def subjects(self) -> tuple[str, ...]:
        """What this fold has to see."""
        return (f"evt.{repositories.AGGREGATE}.>",)

    def reset(self) -> None:
        """Start from zero."""
        self._described.clear()
        self.version += 1

    def apply(self, record: Record, /) -> None:
        """Apply one record."""
        if isinstance(record.event, RepositoryDescribed):
            self._described[record.subject] = record.event.repository
            self._described.move_to_end(record.subject)
            if len(self._described) > self._max:
                self._described.popitem(last=False)
            self.version += 1

    def files(self) -> Iterator[tuple[Repository, Variant]]:
        """Yield every variant that is one file; one in several parts cannot be had from one URL."""
        return (
            (repository, variant)
            for repository in self._described.values()
            for variant in repository.variants
            if len(variant.parts) <= 1
        )
