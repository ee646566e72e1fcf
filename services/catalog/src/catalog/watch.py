"""Keeps the log's picture of the model folders true: walks, looks at once where a download ended, appends facts."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import structlog
from modeldeck_events import modelfiles
from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import InventorySurveyed, ModelFileFound, ModelFileGone
from modeldeck_events.paths import ModelPathError
from modeldeck_events.store import EventStore

from catalog import examining, inventory, metadata
from catalog.changes import append
from catalog.inventory import FolderUnavailableError, Walk
from catalog.publishing import append_all
from catalog.root_marker import RootMarker
from catalog.roots import Roots, RootsFile, prefix_of
from catalog.stamps import Stamp, moment
from catalog.states import Append, ModelFilesFold
from catalog.survey import survey

CHECK_S = 1.0
"""So often the folders are glanced at, to see whether anything came or went in them ..."""
GLANCE_SHARE = 0.02
SLOW_CHECK_S = 1.5
"""... and so often when that would take more than this share of the time."""
WALK_SHARE = 0.03
"""A slow walk is repeated so much more rarely that it takes at most this share of the time (but every MAX_WALK_S);
earlier when a folder changed, so that only files which change in place are noticed later ...
"""
MAX_WALK_S = 30.0
BUSY_SHARE = 0.35
"""... and with this share while folders change all the time, as during downloads."""
SETTLE_S = 0.4
"""A new file that was just written to is looked at again after this: it is announced once it stands still."""
MOVING_AGE_S = 1.0
MAX_SAID = 50
"""So many things that are left out are logged after one walk."""
AT_ONCE = 500
"""So many files are examined between two looks at finished downloads."""
Examined: TypeAlias = "list[tuple[str, tuple[ModelFileFound, Stamp] | str]]"
"""Paths, and of each the present state or why there is none."""
_log = structlog.get_logger(__name__)


class Watch:
    """The model folders of one pool. `named` returns the paths that presets name."""

    def __init__(
        self,
        store: EventStore,
        fold: ModelFilesFold,
        roots: RootsFile,
        *,
        named: Callable[[], AbstractSet[str]],
        marker: RootMarker,
    ) -> None:
        self.problems: dict[str, str] = {}
        """Per prefix of a root of which nothing is known at present: why."""
        self.skipped: dict[str, str] = {}
        """What is no part of the inventory, as text, and why; capped."""
        self.skipped_count = 0
        self.walked = asyncio.Event()
        """Set once one whole walk of every folder that can be read is through and in the log."""
        self.walking = False
        """Whether the folders are compared with the log right now."""
        self._store = store
        self._fold = fold
        self._source = roots
        self._roots: Roots | None = None
        self._source_problem = ""
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
        self._log_away = False

    def look_at(self, path: str) -> None:
        """Have a finished file looked at now, without waiting for the next walk."""
        self._finished.add(path)
        self._wake.set()

    @property
    def problem(self) -> str:
        """Why nothing is known of some folder at present; empty when all is well."""
        return "; ".join(self.problems.values())

    async def roots(self) -> Roots:
        """Return the folders as they were looked at last."""
        if self._roots is None:
            self._roots = await asyncio.to_thread(self._source.look)
        return self._roots

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
        began = time.monotonic()
        changed, roots = await asyncio.to_thread(self._glanced)
        check_s = max(CHECK_S, min((time.monotonic() - began) / GLANCE_SHARE, SLOW_CHECK_S))
        reason = (self._fold.files.generation, self._named(), roots)
        if time.monotonic() >= self._next_walk or reason != self._walked_for or changed:
            took_s = await self.check()
            self._walked_for = reason
            self._next_walk = time.monotonic() + min(took_s / WALK_SHARE, MAX_WALK_S)
            self._next_glance = time.monotonic() + max(check_s, took_s / BUSY_SHARE)
        else:
            self._next_glance = time.monotonic() + check_s

    def _glanced(self) -> tuple[bool, Roots]:
        return inventory.folders_changed(self._folders), self._source.look()

    async def check(self) -> float:
        """Compare the folders with the log once and append what differs; return how long the walk took.

        Raises UnavailableError when the log is away.
        """
        self.walking = True
        try:
            return await self._check()
        finally:
            self.walking = False

    async def _check(self) -> float:
        began = time.monotonic()
        known_roots = {prefix_of(known.path) for known in self._fold.files.live()}
        roots, found, surveyed = await asyncio.to_thread(self._walk, self._named(), known_roots)
        self._roots = roots
        took_s = time.monotonic() - began
        self._folders = found.folders
        self._say_problems(found.problems)
        self._say_skipped(found)
        if roots.complete:
            await self._publish_survey(surveyed)
        await self._look_at_changed(self._changed(found))
        await self._report_gone(roots, found)
        self.walked.set()
        return took_s

    def _walk(self, named: AbstractSet[str], known_roots: AbstractSet[str]) -> tuple[Roots, Walk, InventorySurveyed]:
        """Walk all roots (runs in a thread). One that is not what it was is taken for unreadable."""
        roots = self._source.look()
        found = inventory.walk(roots, named, self._stamps.keys())
        for root in roots.roots:
            look = found.looks.get(root.prefix)
            if look is None or root.prefix in found.problems:
                continue
            try:
                self._marker.check(root, look, known_any=root.prefix in known_roots)
            except FolderUnavailableError as error:
                found.forget(root, str(error))
        return roots, found, survey(self._fold.pool, roots, found, self._fold.survey)

    async def _publish_survey(self, surveyed: InventorySurveyed) -> None:
        """Say which folders the inventory covers, when the log says otherwise."""
        if surveyed == self._fold.survey:
            return
        subject = modelfiles.inventory_subject(self._fold.pool)
        item = append("", subject, surveyed, self._fold.survey_seq)
        await append_all(self._store, (item,), on_appended=lambda _, seq: self._fold.note_survey(seq, surveyed))

    def _changed(self, found: Walk) -> list[str]:
        """Return the paths of files that are not as the log says."""
        if self._generation != self._fold.files.generation:
            self._generation = self._fold.files.generation
            self._stamps.clear()
        changed = []
        for path, stamp in found.files.items():
            before, known = self._stamps.get(path), self._fold.files.stands(path).value
            if known is not None and before is None and _same(known, stamp) and not _lacks_metadata(known):
                self._stamps[path] = stamp  # after a start: it was announced before
            elif path not in self._moving and (known is None or before != stamp):
                changed.append(path)
        return changed

    async def _look_at_changed(self, changed: Collection[str]) -> None:
        """Announce these, part by part: while one part is written to the log, the headers of the next are read."""
        paths = iter(changed)
        read: Examined = []
        while read or (part := tuple(itertools.islice(paths, AT_ONCE))):
            following = tuple(itertools.islice(paths, AT_ONCE)) if read else part
            read, _ = await asyncio.gather(self._read(following), self._announce(read))
            await self._look_at_finished()

    async def _look_at_finished(self) -> None:
        paths, self._finished = self._finished, set()
        try:
            await self._look(tuple(paths), finished=True)
        except UnavailableError:
            self._finished |= paths
            raise

    async def _look(self, paths: Collection[str], *, finished: bool = False) -> None:
        if paths:
            await self._announce(await self._read(paths), finished=finished)

    async def _read(self, paths: Collection[str]) -> Examined:
        """Return the present state of each file, or why there is none."""
        return await asyncio.to_thread(self._examine, await self.roots(), paths) if paths else []

    async def _announce(self, examined: Examined, *, finished: bool = False) -> None:
        """Say what is new of these files; one that is being written to waits."""
        facts: list[Append] = []
        stamps: dict[str, Stamp] = {}
        for path, outcome in examined:
            if isinstance(outcome, str):
                self._moving.pop(path, None)
                self._say_unread(path, outcome)
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

    def _examine(self, roots: Roots, paths: Collection[str]) -> Examined:
        """Read the headers of these files (runs in a thread)."""
        examined: Examined = []
        for path in paths:
            try:
                examined.append((path, examining.examine(roots, self._fold.pool, path)))
            except (ModelPathError, ValueError) as error:
                examined.append((path, str(error)))
            except OSError as error:
                examined.append((path, error.strerror or str(error)))
        return examined

    async def _report_gone(self, roots: Roots, found: Walk) -> None:
        """Announce files that were there and are not; each is asked for by name, as a walk may race with a rename."""
        missing = [
            known.path for known in self._fold.files.live() if known.path not in found.files and found.knows(known.path)
        ]
        if not missing:
            return
        gone = await asyncio.to_thread(lambda: [path for path in missing if examining.gone(roots, path)])
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

    def _say_problems(self, problems: dict[str, str]) -> None:
        for prefix, reason in problems.items():
            if prefix not in self.problems:
                _log.warning("a model folder cannot be read; what is known of it stays", prefix=prefix, reason=reason)
        for prefix in self.problems.keys() - problems.keys():
            _log.info("a model folder can be read again", prefix=prefix)
        self.problems = dict(problems)
        if self._source.problem != self._source_problem:
            self._source_problem = self._source.problem
            if self._source_problem:
                _log.warning(
                    "extra_model_paths.yaml cannot be used; the last good one counts", reason=self._source_problem
                )
            else:
                _log.info("extra_model_paths.yaml is used")

    def _say_skipped(self, found: Walk) -> None:
        for path, reason in itertools.islice(found.skipped.items(), MAX_SAID):
            if self.skipped.get(path) != reason:
                _log.warning("not part of the inventory", path=path, reason=reason)
        self.skipped, self.skipped_count = found.skipped, found.skipped_count

    def _say_unread(self, path: str, reason: str) -> None:
        """Note a file that could not be read just now; it is tried again with the next walk."""
        self.skipped_count += 1
        if len(self.skipped) < inventory.MAX_TOLD:
            self.skipped[ascii(path)] = reason

    def _say_log(self, *, away: bool, reason: str = "") -> None:
        if away and not self._log_away:
            _log.warning("the log is away; the inventory waits", reason=reason)
        elif self._log_away and not away:
            _log.info("the log is back; the inventory goes on")
        self._log_away = away


def _same(known: ModelFileFound, stamp: Stamp) -> bool:
    return known.size_bytes == stamp.size_bytes and known.modified_at == moment(stamp.mtime_ns)


def _lacks_metadata(known: ModelFileFound) -> bool:
    """Return whether the log knows the file from a time when headers were not read."""
    return known.metadata is None and known.whole is not False and known.format in metadata.FORMATS
