"""How often the template folders are looked at, and how closely, so that a look at many files stays cheap."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence

from catalog.workflows import folders
from catalog.workflows.folders import Root, Seen

CHECK_S = 1.2
RECENT = 800
"""So many files, those that changed last, are looked at every CHECK_S, as a person goes on with what was begun. The
others are looked at so much more rarely that it takes at most IDLE_SHARE of a core (but every MAX_WAIT_S). One that is
new, gone or replaced changes its folder, and folders are looked at every CHECK_S."""
IDLE_SHARE = 0.004
MAX_WAIT_S = 15.0
WALK_S = 60.0
"""A full check, whatever the folders say."""
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
        self._recent: dict[str, None] = {}

    def hurry(self, *, walk: bool = False) -> None:
        """Look at every file at the next look, whenever that would be due; with `walk` also for files that came."""
        self._next_files = 0.0
        if walk:
            self._next_walk = 0.0

    def look(self) -> bool:
        """Look as closely as it is time to; true when `seen` was renewed, so that something may have changed."""
        began, began_cpu_s = time.monotonic(), time.thread_time()
        if began < self._next_walk and not folders.folders_changed(self.seen):
            is_time = began >= self._next_files
            try:
                changed = folders.look_at_files(self.seen, self.seen.paths if is_time else self._recent)
            except OSError:  # one of them is not what it was
                pass
            else:
                self._recent.update(dict.fromkeys(changed))
                self.rest_s = CHECK_S
                if is_time:
                    self._rest(began, time.thread_time() - began_cpu_s)
                return bool(changed)
        self.seen = folders.walk(self.roots)
        self.walks += 1
        stamps = self.seen.stamps
        self._recent = dict.fromkeys(heapq.nlargest(RECENT, stamps, key=lambda name: stamps[name].mtime_ns))
        took_s = time.thread_time() - began_cpu_s
        self._next_walk = began + max(WALK_S, took_s / IDLE_SHARE)
        self.rest_s = min(max(CHECK_S, took_s / BUSY_SHARE), MAX_WAIT_S)
        self._rest(began, took_s)
        return True

    def _rest(self, began: float, took_s: float) -> None:
        """Put off the next look at every file, but for no more than the next look where that took little."""
        rest_s = min(took_s / IDLE_SHARE, MAX_WAIT_S)
        self._next_files = began + (rest_s if rest_s > CHECK_S else 0.0)
