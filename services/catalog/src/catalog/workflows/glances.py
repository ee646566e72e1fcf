"""How often the template folders are looked at, and how closely, so that a look at many files stays cheap."""

from __future__ import annotations

import time
from collections.abc import Sequence

from catalog.workflows import folders
from catalog.workflows.folders import Root, Seen

CHECK_S = 1.0
IDLE_SHARE = 0.004
"""Looking at many files is repeated so much more rarely that it takes at most this share of a core (but every
MAX_WAIT_S). One that is new, gone or replaced changes its folder, and folders are looked at every CHECK_S."""
MAX_WAIT_S = 15.0
WALK_S = 30.0
BUSY_SHARE = 0.1
"""While folders change all the time, walks take at most this share."""


class Glances:
    """Looks at the roots again and again; `seen` is what lies in them. Blocking, one thread at a time."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self.roots = tuple(roots)
        self.seen = Seen()
        self.walks = 0
        self.rest_s = CHECK_S
        """How long to wait before the next look."""
        self._next_files = self._next_walk = 0.0

    def hurry(self, *, walk: bool = False) -> None:
        """Look at every file at the next look, whenever that would be due; with `walk` also for files that came."""
        self._next_files = 0.0
        if walk:
            self._next_walk = 0.0

    def look(self) -> bool:
        """Look as closely as it is time to; true when `seen` was renewed."""
        began, began_cpu_s = time.monotonic(), time.thread_time()
        self.rest_s = CHECK_S
        if began < self._next_walk and not folders.folders_changed(self.seen):
            if began < self._next_files:
                self.rest_s = self._rest_s(time.thread_time() - began_cpu_s, IDLE_SHARE)
                return False
            if folders.look_at_files(self.seen):
                took_s = time.thread_time() - began_cpu_s
                self._next_files = began + self._rest_s(took_s, IDLE_SHARE) - CHECK_S / 4
                return True
        self.seen = folders.walk(self.roots)
        self.walks += 1
        took_s = time.thread_time() - began_cpu_s
        self._next_walk = began + max(WALK_S, took_s / IDLE_SHARE)
        self._next_files = began + self._rest_s(took_s, IDLE_SHARE) - CHECK_S / 4
        self.rest_s = self._rest_s(took_s, BUSY_SHARE)
        return True

    @staticmethod
    def _rest_s(took_s: float, share: float) -> float:
        return min(max(CHECK_S, took_s / share), MAX_WAIT_S)
