"""Keeps the log's picture of the templates true: looks at the folders, scans what is new or changed, appends facts.

A file that a program is writing right now is no JSON yet: such a file keeps what is known of it until it has stood
still for a moment. A whole one is told at once. An editor that saves by putting another file in the place of the first
one may leave a moment without either: a file counts as gone only when a second walk finds none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
from modeldeck_events import templates
from modeldeck_events.errors import UnavailableError
from modeldeck_events.store import EventStore
from modeldeck_events.templates import TemplateGone, TemplateScanned

from catalog.changes import append
from catalog.publishing import append_all
from catalog.stamps import Stamp
from catalog.states import Append
from catalog.workflows import facts, folders
from catalog.workflows.facts import Place
from catalog.workflows.fold import TemplatesFold
from catalog.workflows.folders import Refused, Root
from catalog.workflows.glances import Glances
from catalog.workflows.loaders import Loaders

DOUBT_S = 1.5
"""A file that cannot be read as JSON and was changed this lately may still be in the making."""
GONE_S = 0.3
RACY_NS = 50_000_000
"""A file that was changed this lately may change again without another time: it is read once more."""
READ_AGAIN = Stamp(-1, -1, -1)
"""The stamp of no file."""
FILES_AT_ONCE = 100
BYTES_AT_ONCE = 8 * 1024 * 1024
REFERENCES_AT_ONCE = 20_000
MAX_PROBLEMS = 20
MIN_WAIT_S = 0.05
LOG_RETRY_S = 0.5
_log = structlog.get_logger(__name__)


class _Read(NamedTuple):
    """A file's fact, and what it was of; `stamp` is None when the file could not be read."""

    fact: TemplateScanned
    stamp: Stamp | None
    is_steady: bool


class TemplateWatch:
    """The template folders of one pool; the folder `make` is made when the watch begins."""

    def __init__(
        self,
        store: EventStore,
        fold: TemplatesFold,
        roots: Sequence[Root],
        loaders: Loaders,
        *,
        make: Path | None = None,
    ) -> None:
        self.scanned_all = False
        """Whether all that was there at the start is in the log."""
        self._store = store
        self._fold = fold
        self._glances = Glances(roots)
        self._loaders = loaders
        self._make = make
        self._known_as: dict[str, Stamp] = {}
        """The stamps of the files of which the log tells the truth."""
        self._known_for: object = None
        self._is_unsettled = True
        """Whether something that was seen may not be in the log yet."""
        self._doubtful: dict[str, tuple[Stamp | None, float]] = {}
        self._missing: dict[str, tuple[int, float]] = {}
        self._said: dict[str, str] = {}
        self._log_away = False

    async def run(self) -> None:
        """Watch for ever; a log that is away is said once, and its return once."""
        if self._make is not None:
            await asyncio.to_thread(_make_folder, self._make)
        while True:
            began = time.monotonic()
            try:
                await self.check()
            except UnavailableError as error:
                self._say_log(away=True, reason=str(error))
                await asyncio.sleep(LOG_RETRY_S)
                continue
            self._say_log(away=False)
            wait_s = self._glances.rest_s - (time.monotonic() - began)
            due = [due for _, due in (*self._doubtful.values(), *self._missing.values())]
            if due:
                wait_s = min(wait_s, max(min(due) - time.monotonic(), MIN_WAIT_S))
                self._glances.hurry(walk=bool(self._missing))
            await asyncio.sleep(max(0.0, wait_s))

    async def check(self) -> None:
        """Look once, and append what the log does not say yet; raises UnavailableError when the log is away."""
        is_renewed = await asyncio.to_thread(self._look)
        known_for = (self._loaders.scanner, self._fold.templates.generation)
        if known_for != self._known_for:
            self._known_for, self._is_unsettled = known_for, True
            self._known_as.clear()
        if is_renewed or self._is_unsettled or self._missing:
            self._is_unsettled = True
            self._say_notes()
            await self._tell_refused()
            is_settled = await self._tell_changed()
            await self._tell_gone()
            self._is_unsettled = not is_settled
        self.scanned_all = True

    def problems(self) -> list[str]:
        """Return what a person should know of the folders and of the table, at most MAX_PROBLEMS lines."""
        found = [self._loaders.problem] if self._loaders.problem else []
        found += [f"{place}: {reason}" for place, reason in self._said.items()]
        return found[:MAX_PROBLEMS]

    def _look(self) -> bool:
        self._loaders.look()
        return self._glances.look()

    async def _tell_refused(self) -> None:
        refused = sorted(self._glances.seen.refused.items())
        for name, _ in refused:
            self._known_as.pop(name, None)
        await self._publish((facts.refused(self._place(name), why) for name, why in refused), {})

    async def _tell_changed(self) -> bool:
        """Scan and publish what is not as the log says; true when nothing is left to be looked at again."""
        stamps = self._glances.seen.stamps
        self._doubtful = {name: doubt for name, doubt in self._doubtful.items() if name in stamps}
        changed = self._changed()
        todo = deque(changed)
        while todo:
            told: list[TemplateScanned] = []
            settled: dict[str, Stamp] = {}
            for read in await asyncio.to_thread(self._read, todo):
                name = read.fact.template_id
                if self._is_in_the_making(name, read):
                    continue
                told.append(read.fact)
                is_racy = read.stamp is None or abs(time.time_ns() - read.stamp.mtime_ns) <= RACY_NS
                settled[name] = READ_AGAIN if is_racy or read.stamp is None else read.stamp
            await self._publish(told, settled)
        return all(self._known_as.get(name) == stamps[name] for name in changed)

    def _changed(self) -> list[str]:
        """Return the ids of files of which the log does not tell the truth, as far as their stamps say."""
        changed = []
        for name, stamp in self._glances.seen.stamps.items():
            if self._known_as.get(name) == stamp:
                continue
            known = self._fold.templates.stands(name).value
            if known is not None and name not in self._known_as and facts.is_of(known, stamp, self._loaders.scanner):
                self._known_as[name] = stamp  # after a start: it was scanned before
            else:
                changed.append(name)
        return sorted(changed)

    def _read(self, todo: deque[str]) -> list[_Read]:
        """Read and scan the next files (runs in a thread); so many that the answer stays small."""
        done: list[_Read] = []
        size_bytes = references = 0
        for read in self._each(todo):
            done.append(read)
            size_bytes += read.fact.size_bytes
            references += len(read.fact.references)
            if len(done) >= FILES_AT_ONCE or size_bytes >= BYTES_AT_ONCE or references >= REFERENCES_AT_ONCE:
                break
        return done

    def _each(self, todo: deque[str]) -> Iterator[_Read]:
        table, seen, roots = self._loaders.table, self._glances.seen, dict(self._glances.roots)
        while todo:
            name = todo.popleft()
            place, root = self._place(name), roots[name.partition("/")[0]]
            try:
                data, stamp, is_steady = folders.read(seen.paths[name], str(root), facts.MAX_READ_BYTES)
            except FileNotFoundError:
                continue  # the next look tells
            except OSError as error:
                why = Refused("unreadable_file", error.strerror or str(error), seen.stamps[name])
                yield _Read(facts.refused(place, why), None, is_steady=True)
            else:
                yield _Read(facts.scanned(place, data, stamp, table), stamp, is_steady)

    def _is_in_the_making(self, name: str, read: _Read) -> bool:
        """Tell whether the file may be half written, so that what is known of it stays for a moment."""
        if read.is_steady and (read.fact.format != "unreadable" or read.stamp is None):
            self._doubtful.pop(name, None)
            return False
        now = time.monotonic()
        before, due = self._doubtful.get(name, (None, 0.0))
        if before is None or before != read.stamp or not read.is_steady:
            age_s = abs(time.time_ns() - read.stamp.mtime_ns) / 1e9 if read.stamp is not None else 0.0
            due = now + (max(0.0, DOUBT_S - age_s) if read.is_steady else DOUBT_S)
        if read.is_steady and now >= due:
            self._doubtful.pop(name, None)
            return False
        self._doubtful[name] = (read.stamp, due)
        return True

    async def _tell_gone(self) -> None:
        """Publish what is no longer there, once two walks have not found it."""
        now, seen, walks = time.monotonic(), self._glances.seen, self._glances.walks
        missing = (
            one.template_id
            for one in self._fold.templates.live()
            if one.template_id not in seen.stamps and one.template_id not in seen.refused
        )
        self._missing = {name: self._missing.get(name, (walks, now + GONE_S)) for name in missing if seen.knows(name)}
        gone = [name for name, (noticed, due) in self._missing.items() if noticed < walks and due <= now]
        pool, stands = self._fold.pool, self._fold.templates.stands
        facts_of_gone = (
            append(name, templates.subject(pool, name), TemplateGone(pool=pool, template_id=name), stands(name).seq)
            for name in sorted(gone)
        )

        def forget(name: str) -> None:
            self._known_as.pop(name, None)
            self._missing.pop(name, None)

        await self._append(facts_of_gone, forget)

    def _place(self, name: str) -> Place:
        return Place(self._fold.pool, name, self._loaders.scanner)

    async def _publish(self, told: Iterable[TemplateScanned], settled: dict[str, Stamp]) -> None:
        """Append the facts that say something new; `settled` are the stamps of files that need not be read again."""
        new: list[Append] = []

        def settle(name: str) -> None:
            if name in settled:
                self._known_as[name] = settled[name]

        for fact in told:
            name, known = fact.template_id, self._fold.templates.stands(fact.template_id)
            if facts.says_more(fact, known.value):
                new.append(append(name, templates.subject(self._fold.pool, name), fact, known.seq))
            else:
                settle(name)
        await self._append(new, settle)

    async def _append(self, new: Iterable[Append], on_known: Callable[[str], None]) -> None:
        def on_appended(item: Append, seq: int) -> None:
            self._fold.note(item.key, seq, item.event)
            on_known(item.key)

        await append_all(self._store, new, on_appended=on_appended)

    def _say_notes(self) -> None:
        seen = self._glances.seen
        said = dict.fromkeys(seen.missing, "the folder is not there; its templates come when it is")
        said |= seen.notes
        said |= {name: why.message for name, why in seen.refused.items()}
        for place, reason in said.items():
            if self._said.get(place) != reason:
                _log.warning("not among the templates", place=place, reason=reason)
        self._said = said

    def _say_log(self, *, away: bool, reason: str = "") -> None:
        if away and not self._log_away:
            _log.warning("the log is away; the templates wait", reason=reason)
        elif self._log_away and not away:
            _log.info("the log is back; the templates go on")
        self._log_away = away


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.warning("the folder for workflows cannot be made", folder=str(folder), reason=error.strerror or str(error))
