"""Describing a repository: asked of its hub, or of the log while the hub is away, and published when it is new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import structlog
from modeldeck_events.deciding import execute
from modeldeck_events.envelope import utc_now
from modeldeck_events.repositories import DescribeRepository, Hub, Repository, RepositoryDescribed, subject
from modeldeck_events.store import EventStore, Meta

from catalog.hubs.civitai import Civitai, repo_of
from catalog.hubs.huggingface import HuggingFace
from catalog.hubs.links import CivitaiLink, HuggingFaceLink, Link, LinkError, check_revision, parse
from catalog.hubs.problems import HubError, not_found
from catalog.hubs.remembering import Memory, Told
from catalog.hubs.variants import is_model_file

COUNTERS_AFTER = timedelta(days=1)
"""Likes and downloads change all the time: by themselves they are a fact at most once a day."""
MAIN = "main"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stands:
    """What the log says last of a repository; `seq` guards it."""

    seq: int = 0
    repository: Repository | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """The answer: `checked_at` is when the hub said so, `stale` why it was not asked now, `seq` the fact's."""

    repository: Repository
    checked_at: datetime
    selected: str = ""
    stale: str = ""
    seq: int = 0


def decide(found: Repository, stands: Stands, now: datetime) -> tuple[RepositoryDescribed, ...]:
    """Return the fact that follows from what the hub says, none when the log says it already. Pure."""
    known = stands.repository
    if known is not None and stands.at is not None:
        if found == known or _is_older(found, known):
            return ()
        same = msgspec.structs.replace(found, likes=known.likes, downloads=known.downloads) == known
        if same and now - stands.at < COUNTERS_AFTER:
            return ()
    return (RepositoryDescribed(repository=found),)


def _is_older(found: Repository, known: Repository) -> bool:
    """Tell whether a Civitai version is older than the one in the log: all versions of a model are one repository."""
    return found.hub == "civitai" and int(found.revision) < int(known.revision)


class Describer:
    """Answers what a person wrote: from memory while it is fresh, else from the hub, else from the log."""

    def __init__(
        self,
        store: EventStore,
        hugging_face: HuggingFace,
        civitai: Civitai,
        *,
        memory: Memory | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._hugging_face = hugging_face
        self._civitai = civitai
        self._memory = memory or Memory()
        self._clock = clock
        self._under_way: dict[Link, asyncio.Task[Description]] = {}
        self._away: set[str] = set()

    async def describe(self, command: DescribeRepository) -> Description:
        """Return the repository that `command` names, within some 10 s.

        Raises LinkError, HubError; UnavailableError and ConflictError when the log cannot be asked or appended to.
        """
        host = self._hugging_face.host
        link, filename = _asked(command, (host.page, host.base))
        task = self._under_way.get(link)
        if task is None:  # whoever asks for the same at the same time shares one request
            task = asyncio.create_task(self._describe(link, command), name=f"describe {link}")
            self._under_way[link] = task
            task.add_done_callback(lambda done: self._ended(link, done))
        found = await asyncio.shield(task)
        return replace(found, selected=_selected(filename, found.repository))

    def _ended(self, link: Link, task: asyncio.Task[Description]) -> None:
        del self._under_way[link]
        if not task.cancelled():
            task.exception()  # noted, also when nobody waits for it any more

    async def _describe(self, link: Link, command: DescribeRepository) -> Description:
        kept = self._memory.get(str(link))
        if kept is not None and self._memory.is_fresh(kept):
            return Description(kept.told.repository, kept.checked_at)
        try:
            told = await self._ask(link, kept.told if kept else None)
        except HubError as error:
            if not error.away:
                raise
            known = Description(kept.told.repository, kept.checked_at) if kept else await self._in_log(link)
            if known is None:
                raise
            self._say(link, str(error))
            return replace(known, stale=str(error))
        self._say(link, "")
        seq = await self._publish(told.repository, command) if _is_of_interest(link) else 0
        now = self._clock()
        self._memory.keep(str(link), told, now)
        return Description(told.repository, now, seq=seq)

    def _say(self, link: Link, problem: str) -> None:
        """Log once that a hub is away, and once that it is back."""
        hub = "civitai" if isinstance(link, CivitaiLink) else "huggingface"
        if problem and hub not in self._away:
            _log.warning("a hub is away; what it said last is answered", hub=hub, reason=problem)
            self._away.add(hub)
        elif not problem and hub in self._away:
            _log.info("the hub answers again", hub=hub)
            self._away.remove(hub)

    async def _ask(self, link: Link, known: Told | None) -> Told:
        if isinstance(link, CivitaiLink):
            return await self._civitai.ask(link, known)
        return await self._hugging_face.ask(link, known)

    async def _in_log(self, link: Link) -> Description | None:
        """Return what the log says, when it is about what is asked for."""
        if isinstance(link, HuggingFaceLink):
            stands = await self._stands("huggingface", link.repo)
        elif link.model_id is not None:
            stands = await self._stands("civitai", repo_of(link.model_id))
        else:
            return None
        known = stands.repository
        wanted = link.revision if isinstance(link, HuggingFaceLink) else str(link.version_id or "")
        if known is None or stands.at is None or wanted not in ("", known.revision):
            return None
        return Description(known, stands.at)

    async def _stands(self, hub: Hub, repo: str) -> Stands:
        about = subject(hub, repo)
        seq = await self._store.last_seq(about)
        for record in await self._store.read(after=seq - 1, limit=1, subjects=(about,)) if seq else ():
            if isinstance(record.event, RepositoryDescribed):
                return Stands(record.seq, record.event.repository, record.time)
        return Stands(seq)

    async def _publish(self, found: Repository, command: DescribeRepository) -> int:
        """Append what is new; return its sequence, 0 when nothing is."""

        async def load() -> tuple[Stands, int]:
            stands = await self._stands(found.hub, found.repo)
            return stands, stands.seq

        seq, _ = await execute(
            self._store,
            subject(found.hub, found.repo),
            load=load,
            decide=lambda repository, stands: decide(repository, stands, self._clock()),
            command=found,
            meta=Meta("catalog", actor=command.actor, command_id=command.command_id),
        )
        return seq


def _asked(command: DescribeRepository, hubs: Iterable[str]) -> tuple[Link, str]:
    """Return what is asked for, the hub's main branch as no revision at all, and the file that the text names."""
    link = parse(command.text, hubs=hubs)
    if isinstance(link, CivitaiLink):
        version = command.revision if link.version_id is None else ""
        return (replace(link, version_id=_version(version)) if version else link), ""
    revision = link.revision or (check_revision(command.revision) if command.revision else "")
    return HuggingFaceLink(link.repo, "" if revision == MAIN else revision), link.filename


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise LinkError(f"{text[:100]!a} is not the id of a model version")
    return int(text)


def _is_of_interest(link: Link) -> bool:
    """Tell whether the log keeps it: what a hub offers now, not each revision that somebody looked at."""
    return isinstance(link, CivitaiLink) or not link.revision


def _selected(filename: str, repository: Repository) -> str:
    """Return the variant that holds the file; a file that is no model is no selection. Raises HubError."""
    for variant in repository.variants if filename else ():
        if filename == variant.filename or filename in variant.parts:
            return variant.filename
    if filename and is_model_file(filename) and not repository.left_out:
        raise not_found("entry_not_found", f"{repository.repo} has no file {filename[:200]} at this revision")
    return ""
