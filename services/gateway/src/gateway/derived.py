"""The state topics whose numbers come from several boards: reckoned anew at most every DERIVED_S, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from gateway.boards.board import Json
from gateway.boards.fold import Boards
from gateway.boards.overview import overview, stats
from gateway.boards.studio.studio import RECENT
from gateway.boards.widgets import disk_health, tasks

DERIVED_S = 0.25
TOPICS = ("stats", "overview", "active-tasks", "project-progress", "disk-health")
_ENTRIES = 200


class Derived:
    """`connected` tells whether the log can be reached at present, `now` the time."""

    def __init__(
        self, boards: Boards, connected: Callable[[], bool], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._boards = boards
        self._connected = connected
        self._now = now
        self._late: set[str] = set()
        self._next_at = 0.0
        self._shown: tuple[bool, date] = (True, datetime.now(UTC).date())

    def renders(self) -> Mapping[str, Callable[[], Json]]:
        """Return what renders each topic."""
        boards = self._boards
        return {
            "stats": lambda: stats(boards, self._now()),
            "overview": self._overview,
            "active-tasks": lambda: {"tasks": {task["id"]: task for task in tasks(boards, RECENT)}},
            "project-progress": boards.studio.projects.state,
            "disk-health": lambda: disk_health(boards),
        }

    def take(self, changed: frozenset[str], now: float) -> tuple[frozenset[str], float | None]:
        """Return the topics to render at `now` (monotonic seconds) of what changed, and when the others are due."""
        self._late |= changed.intersection(TOPICS)
        plain = changed.difference(TOPICS)
        if not self._late:
            return plain, None
        if now < self._next_at:
            return plain, self._next_at
        due, self._late = frozenset(self._late), set()
        self._next_at = now + DERIVED_S
        return plain | due, None

    def age(self) -> bool:
        """Return whether the overview changed by itself: a new day began, or the log went away or came back."""
        shown = (self._connected(), datetime.now(UTC).date())
        before, self._shown = self._shown, shown
        return shown != before

    def _overview(self) -> Json:
        """Return the overview in UTC, its recent activity by id: the order is that of the object.

        It says also what else runs now, which no log knows and so no answer from the past.
        """
        entries = [item.data for item in self._boards.activity.newest("", limit=_ENTRIES)]
        state = overview(self._boards, entries, self._now(), connected=self._connected())
        return state | {
            "recentActivity": {item["id"]: item for item in state["recentActivity"]},
            "systemStatus": state["systemStatus"] | self._boards.vitals.state(),
        }
