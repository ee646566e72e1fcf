"""Keeps the log's picture of the models folder true: walks it, looks at once where a download ended, appends facts."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import structlog
from modeldeck_events import modelfiles
from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileFound, ModelFileGone
from modeldeck_events.paths import ModelPathError
from modeldeck_events.store import EventStore

from catalog import inventory
from catalog.changes import append
from catalog.inventory import FolderUnavailableError, Walk
from catalog.publishing import append_all
from catalog.root_marker import RootMarker
from catalog.stamps import Stamp, moment
from catalog.states import Append, ModelFilesFold

CHECK_S = 1.5
WALK_SHARE = 0.03
"""A slow walk is repeated so much more rarely that it takes at most this share of the time (but every MAX_WALK_S);
earlier when a folder changed, so that only files which change in place are noticed later ...
"""
MAX_WALK_S = 30.0
BUSY_SHARE = 0.2
"""... and with this share while folders change all the time, as during downloads."""
SETTLE_S = 0.4
"""A new file that was just written to is looked at again after this: it is announced once it stands still."""
MOVING_AGE_S = 1.0
AT_ONCE = 500
"""So many files are examined between two looks at finished downloads."""
_log = structlog.get_logger(__name__)


class Watch:
    """The models folder of one pool. `named` returns the paths that presets name."""

    def __init__(
        self,
        store: EventStore,
        fold: ModelFilesFold,
        root: Path,
        *,
        named: Callable[[], AbstractSet[str]],
        marker: RootMarker,
    ) -> None:
        self.problem = ""
        """Why nothing is known of the folder at present; empty when all is well."""
        self.walked = False
        """Whether one whole walk is through and in the log."""
        self._store = store
        self._fold = fold
        self._root = root
        self._named = named
        self._marker = marker
        self._generation = 0
        self._next_glance = self._next_walk = 0.0
        self._walked_for: object = None
        self._folders: dict[str, int] = {}
        self._stamps: dict[str, Stamp] = {}
        self._moving: dict[str, tuple[Stamp, float]] = {}
        self._finished: set[str] = set()
        self._wake = asyncio.Event()
        self._skipped: dict[str, str] = {}
        self._log_away = False

    def look_at(self, path: str) -> None:
        """Have a finished file looked at now, without waiting for the next walk."""
        self._finished.add(path)
        self._wake.set()

    async def run(self) -> None:
        """Watch for ever; a folder or a log that is away is said once, and its return once."""
        while True:
            self._wake.clear()
            try:
                await self._look_at_finished()
                await self._look(tuple(self._moving))
                if time.monotonic() >= self._next_glance:
                    await self._glance()
                self._say_log(away=False)
            except UnavailableError as error:
                self._next_walk = self._next_glance = time.monotonic() + SETTLE_S
                self._say_log(away=True, reason=str(error))
                await asyncio.sleep(SETTLE_S)
            wait_s = max(0.0, self._next_glance - time.monotonic())
            await self._sleep(min(wait_s, SETTLE_S) if self._moving else wait_s)

    async def _glance(self) -> None:
        """Walk when it is time to, or when something says that it is worth it."""
        reason = (self._fold.files.generation, self._named())
        if time.monotonic() >= self._next_walk or reason != self._walked_for or await self._folders_changed():
            took_s = await self.check()
            self._walked_for = reason
            self._next_walk = time.monotonic() + min(took_s / WALK_SHARE, MAX_WALK_S)
            self._next_glance = time.monotonic() + max(CHECK_S, took_s / BUSY_SHARE)
        else:
            self._next_glance = time.monotonic() + CHECK_S

    async def check(self) -> float:
        """Compare the whole folder with the log once and append what differs; return how long the walk took.

        Raises UnavailableError when the log is away.
        """
        began = time.monotonic()
        try:
            found = await asyncio.to_thread(inventory.walk, self._root, self._named(), self._stamps.keys())
            known_any = next(self._fold.files.live(), None) is not None
            await asyncio.to_thread(self._marker.check, found, known_any=known_any)
        except FolderUnavailableError as error:
            self._say_problem(str(error))
            return time.monotonic() - began
        took_s = time.monotonic() - began
        self._say_problem("")
        self._folders = found.folders
        self._say_skipped(found.skipped)
        changed = iter(self._changed(found))
        while part := tuple(itertools.islice(changed, AT_ONCE)):
            await self._look(part)
            await self._look_at_finished()
        await self._report_gone(found)
        self.walked = True
        return took_s

    async def _folders_changed(self) -> bool:
        return await asyncio.to_thread(inventory.folders_changed, self._root, self._folders)

    def _changed(self, found: Walk) -> list[str]:
        """Return the paths of files that are not as the log says."""
        if self._generation != self._fold.files.generation:
            self._generation = self._fold.files.generation
            self._stamps.clear()
        changed = []
        for path, stamp in found.files.items():
            before, known = self._stamps.get(path), self._fold.files.stands(path).value
            if known is not None and before is None and _same(known, stamp):
                self._stamps[path] = stamp  # after a start: it was announced before
            elif path not in self._moving and (known is None or before != stamp):
                changed.append(path)
        return changed

    async def _look_at_finished(self) -> None:
        paths, self._finished = self._finished, set()
        try:
            await self._look(tuple(paths), finished=True)
        except UnavailableError:
            self._finished |= paths
            raise

    async def _look(self, paths: Collection[str], *, finished: bool = False) -> None:
        """Read these files' headers and announce what is new of them; one that is being written to waits."""
        if not paths:
            return
        facts: list[Append] = []
        stamps: dict[str, Stamp] = {}
        for path, outcome in await asyncio.to_thread(self._examine, paths):
            if isinstance(outcome, str):
                self._moving.pop(path, None)
                self._skipped[ascii(path)] = outcome
                continue
            fact, stamp = outcome
            if not finished and self._moves(path, stamp):
                continue
            self._moving.pop(path, None)
            known, before = self._fold.files.stands(path), self._stamps.get(path)
            if known.value == fact and (before is None or before.inode == stamp.inode):
                self._stamps[path] = stamp
            else:
                stamps[path] = stamp
                facts.append(append(path, modelfiles.subject(self._fold.pool, path), fact, known.seq))
        await self._publish(facts, stamps)

    def _moves(self, path: str, stamp: Stamp) -> bool:
        """Return whether the file was just written to and has not stood still for SETTLE_S since."""
        if abs(time.time_ns() - stamp.mtime_ns) >= MOVING_AGE_S * 1e9:
            return False
        now = time.monotonic()
        before, since = self._moving.get(path, (None, now))
        if before != stamp:
            self._moving[path] = (stamp, now)
            return True
        return now - since < SETTLE_S

    def _examine(self, paths: Collection[str]) -> list[tuple[str, tuple[ModelFileFound, Stamp] | str]]:
        """Return the present state of each file, or why there is none (runs in a thread)."""
        return list(self._examined(paths))

    def _examined(self, paths: Collection[str]) -> Iterator[tuple[str, tuple[ModelFileFound, Stamp] | str]]:
        for path in paths:
            try:
                yield path, inventory.examine(self._root, self._fold.pool, path)
            except (ModelPathError, ValueError) as error:
                yield path, str(error)
            except OSError as error:
                yield path, error.strerror or str(error)

    async def _report_gone(self, found: Walk) -> None:
        """Announce files that were there and are not; each is asked for by name, as a walk may race with a rename."""
        missing = [
            known.path for known in self._fold.files.live() if known.path not in found.files and found.knows(known.path)
        ]
        if not missing:
            return
        gone = await asyncio.to_thread(lambda: [path for path in missing if inventory.gone(self._root, path)])
        for path in gone:
            self._moving.pop(path, None)
            self._stamps.pop(path, None)
        pool = self._fold.pool
        await self._publish(
            [
                append(
                    path,
                    modelfiles.subject(pool, path),
                    ModelFileGone(pool=pool, path=path),
                    self._fold.files.stands(path).seq,
                )
                for path in gone
            ],
            {},
        )

    async def _publish(self, facts: Collection[Append], stamps: dict[str, Stamp]) -> None:
        def on_appended(item: Append, seq: int) -> None:
            event: Event = item.event
            self._fold.note(item.key, seq, event)
            if item.key in stamps:
                self._stamps[item.key] = stamps[item.key]

        if facts:
            await append_all(self._store, facts, on_appended=on_appended)

    async def _sleep(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    def _say_problem(self, problem: str) -> None:
        if problem and not self.problem:
            _log.warning("the models folder cannot be read; what is known of it stays", reason=problem)
        elif self.problem and not problem:
            _log.info("the models folder can be read again", folder=str(self._root))
        self.problem = problem

    def _say_skipped(self, skipped: dict[str, str]) -> None:
        for path, reason in skipped.items():
            if self._skipped.get(path) != reason:
                _log.warning("not part of the inventory", path=path, reason=reason)
        self._skipped = dict(skipped)

    def _say_log(self, *, away: bool, reason: str = "") -> None:
        if away and not self._log_away:
            _log.warning("the log is away; the inventory waits", reason=reason)
        elif self._log_away and not away:
            _log.info("the log is back; the inventory goes on")
        self._log_away = away


def _same(known: ModelFileFound, stamp: Stamp) -> bool:
    return known.size_bytes == stamp.size_bytes and known.modified_at == moment(stamp.mtime_ns)
