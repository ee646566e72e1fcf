"""The activity feed: facts that a person wants to know, as one kind of entry for every view (R-140, R-145, R-245a).

`entry` is a pure function of one record, so the same entry comes from the board, from a replay of the log, and from
any gateway. Clearing hides what stands up to a position of the log; nothing is deleted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events import generations as g
from modeldeck_events import hosts
from modeldeck_events import presets as p
from modeldeck_events import system as s
from modeldeck_events.store import Record
from modeldeck_events.subjects import untoken
from modeldeck_events.users import ActivityCleared

from gateway.boards import file_entries, words
from gateway.boards.board import Json, known
from gateway.boards.downloads import Downloads
from gateway.boards.studio import telling
from gateway.boards.studio.studio import Studio

KEPT = 1000
SUBJECTS = (
    "evt.download.>",
    "evt.catalog.>",
    "evt.system.>",
    "evt.generation.>",
    "evt.host.>",
    *file_entries.SUBJECTS,
    *telling.SUBJECTS,
)
"""Where the facts stand that can become entries."""

Wanted = Callable[[Json], bool]


class Around(NamedTuple):
    """What a fact does not say itself: the target of its download, what people call what it tells of."""

    target: d.Target | None = None
    names: telling.Names = telling.Names()


class Told(NamedTuple):
    """One line of the feed before its identity: how it ended, and what to say."""

    status: str
    subtitle: str


class Cleared(NamedTuple):
    """Up to which position of the log a user hid the feed, and when he did."""

    up_to_seq: int = 0
    at: str = ""


NEVER = Cleared()


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """An entry with its position in the log."""

    seq: int
    data: Json


def entry(record: Record, around: Around) -> Json | None:
    """Return the feed's entry for a fact, None when a person need not know."""
    data = _entry(record, around)
    return data and known(event_type=record.type, actor_user_id=record.actor or None, seq=record.seq) | data


def _entry(record: Record, around: Around) -> Json | None:
    event = record.event
    if type(event) in telling.TELLING:
        return telling.entry(record, around.names)
    if type(event) in file_entries.TELLING:
        return file_entries.entry(record)
    if isinstance(event, d.DownloadEvent):
        told = _tell_download(event)
        return _download_entry(record, event, told, around.target) if told else None
    if isinstance(event, g.GenerationEvent):
        told = _tell_generation(event)
        return _generation_entry(record, event, told, around.names) if told else None
    match event:
        case p.CatalogRefreshed():
            subtitle = f"{event.total_presets} presets, {event.published} new or changed, {event.withdrawn} withdrawn"
            if left_out := sum(warning.code == "invalid_preset" for warning in event.warnings):
                subtitle += f", {left_out} left out"
            return _system_entry(record, "catalog", "completed", ("Preset catalog refreshed", subtitle), "presets")
        case p.CatalogRefreshFailed():
            text = ("Preset catalog refresh failed", event.message)
            return _system_entry(record, "catalog", "failed", text, "presets")
        case hosts.HostEvent():
            return _host_entry(record, event)
        case s.MessageDeadLettered() | s.WebhookParked() | s.WebhookResumed():
            return _trouble_entry(record, event)
    return None


def _trouble_entry(record: Record, event: s.MessageDeadLettered | s.WebhookParked | s.WebhookResumed) -> Json:
    match event:
        case s.MessageDeadLettered():
            text = ("A message could not be handled", f"{event.durable}: {event.reason}")
            return _system_entry(record, "system", "failed", text, event.durable)
        case s.WebhookParked():
            text = (f"Webhook {event.webhook} is parked", f"{event.tries} tries failed: {event.reason}")
            return _system_entry(record, "webhook", "failed", text, event.webhook)
        case s.WebhookResumed():
            return _system_entry(record, "webhook", "started", (f"Webhook {event.webhook} goes on", ""), event.webhook)


_TELLING: frozenset[type] = frozenset(
    {
        d.DownloadQueued,
        d.DownloadStarted,
        d.DownloadRetryScheduled,
        d.DownloadPaused,
        d.DownloadResumed,
        d.DownloadRetried,
        d.DownloadCompleted,
        d.DownloadFailed,
        d.DownloadCancelled,
        g.GenerationStarted,
        g.GenerationCompleted,
        g.GenerationFailed,
        g.GenerationInterrupted,
        p.CatalogRefreshed,
        p.CatalogRefreshFailed,
        s.MessageDeadLettered,
        s.WebhookParked,
        s.WebhookResumed,
        *hosts.EVENTS,
        *file_entries.TELLING,
        *telling.TELLING,
    }
)
"""The types for which `entry` has something to say."""
_NAMED: frozenset[type] = telling.TELLING | frozenset(g.EVENTS)
"""Those that tell of something whose name another fact may have said."""


class Activity:
    """The last entries, and how far each user cleared the feed."""

    VERSION = 2
    FOLDS = (*_TELLING, ActivityCleared)

    def __init__(self, downloads: Downloads, studio: Studio, *, kept: int = KEPT) -> None:
        self._downloads = downloads
        self._studio = studio
        self._kept = kept
        self._entries: deque[Entry | _Unsaid] = deque(maxlen=kept)
        self._cleared: dict[str, Cleared] = {}
        self._dropped_seq = 0

    def around(self, record: Record) -> Around:
        """Return what is known by now of what a fact tells of."""
        event = record.event
        if isinstance(event, d.DownloadEvent):
            download = self._downloads.by_id.get(event.download_id)
            return Around(target=download.target if download else None)
        return Around(names=self._studio.names(record)) if type(event) in _NAMED else Around()

    def apply(self, record: Record) -> bool:
        """Fold one fact; true when it made an entry or hid some."""
        event = record.event
        if type(event) not in _TELLING:
            if not isinstance(event, ActivityCleared):
                return False
            self._cleared[event.user_id] = Cleared(event.up_to_seq, words.time(record.time))
            return True
        if len(self._entries) == self._kept:
            self._dropped_seq = self._entries[0].seq
        self._entries.append(_Unsaid(record.seq, record, self.around(record)))
        return True

    def cleared(self, user: str) -> Cleared:
        """Return up to which position the user hid the feed, and when."""
        return self._cleared.get(user, NEVER)

    def newest(
        self, user: str, *, limit: int, before: int | None = None, wanted: Wanted = lambda _data: True
    ) -> Sequence[Entry]:
        """Return up to `limit` wanted entries older than `before`, newest first, of those that are kept here."""
        hidden = self.cleared(user).up_to_seq
        found: list[Entry] = []
        for item in reversed(self._entries):
            if item.seq <= hidden or len(found) == limit:
                break
            said = _say(item)
            if (before is None or item.seq < before) and wanted(said.data):
                found.append(said)
        return found

    @property
    def complete_after(self) -> int:
        """Entries at or before this position of the log are not kept here."""
        return self._dropped_seq

    def state(self) -> Json:
        """Return the kept entries, newest first."""
        return {"activities": [_say(item).data for item in reversed(self._entries)]}

    def reset(self) -> None:
        """Forget everything folded."""
        self._entries.clear()
        self._cleared.clear()
        self._dropped_seq = 0

    def dump(self) -> bytes:
        """Return the kept entries and the users' marks."""
        return msgspec.json.encode(_Saved([_say(item) for item in self._entries], self._cleared, self._dropped_seq))

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self._entries = deque(saved.entries, maxlen=self._kept)
        self._cleared, self._dropped_seq = saved.cleared, saved.dropped_seq


class _Unsaid(NamedTuple):
    """A fact that makes an entry once somebody looks: most are never looked at."""

    seq: int
    record: Record
    around: Around


class _Saved(msgspec.Struct):
    entries: list[Entry]
    cleared: dict[str, Cleared]
    dropped_seq: int


def _say(item: Entry | _Unsaid) -> Entry:
    if isinstance(item, Entry):
        return item
    data = entry(item.record, item.around)
    return Entry(item.seq, data or {})


def only(category: str | None, project_id: str | None, text: str | None = None) -> Wanted:
    """Return a test for entries of a category of any of the vocabularies (C-06), of a project, and that say each word
    of a text; None means any.
    """
    spoken = text.lower().split() if text else []
    return lambda data: (
        (category is None or category in _vocabulary(data))
        and (project_id is None or data.get("project_id") == project_id)
        and (not spoken or _says(data, spoken))
    )


def _says(data: Json, spoken: list[str]) -> bool:
    said = " ".join(str(data.get(name, "")) for name in ("title", "subtitle", "type", "status", "project_name")).lower()
    return all(word in said for word in spoken)


def _vocabulary(data: Json) -> tuple[str, ...]:
    return (data["category"], data["type"], "model") if data["type"] == "download" else (data["category"], data["type"])


def _tell_download(event: d.DownloadEvent) -> Told | None:
    match event:
        case d.DownloadQueued():
            return Told("queued", f"{len(event.files)} files" if len(event.files) != 1 else "1 file")
        case d.DownloadStarted():
            return Told(
                "started", "Download started" if event.attempt == 1 else f"Download continues, run {event.attempt}"
            )
        case d.DownloadRetryScheduled():
            return Told("retrying", f"{event.failure.message} (try {event.tries} of {event.max_tries})")
        case d.DownloadPaused():
            return Told("paused", event.message or ("Paused" if event.reason == "user" else "Not enough space"))
        case d.DownloadResumed():
            return Told("resumed", "Resumed" if event.reason == "user" else "Resumed: there is room again")
        case d.DownloadRetried():
            return Told("queued", "Queued again")
        case d.DownloadCompleted():
            return Told("completed", f"{words.size(event.total_bytes)} on the disk, checked")
        case d.DownloadFailed():
            return Told("failed", event.failure.message)
        case d.DownloadCancelled():
            return Told("cancelled", "Cancelled" if event.keep_partial else "Cancelled, partial files deleted")
    return None


def _tell_generation(event: g.GenerationEvent) -> Told | None:
    match event:
        case g.GenerationStarted():
            return Told("started", "Generation started")
        case g.GenerationCompleted():
            made = "1 output" if event.output_count == 1 else f"{event.output_count} outputs"
            return Told(
                "completed", made if event.duration_s is None else f"{made} in {words.duration(event.duration_s)}"
            )
        case g.GenerationFailed():
            return Told("failed", event.error)
        case g.GenerationInterrupted():
            return Told("cancelled", "Interrupted")
    return None


def _generation_entry(record: Record, event: g.GenerationEvent, told: Told, names: telling.Names) -> Json:
    return known(
        id=f"gen_{record.seq}",
        type="generation",
        category="job",
        status=told.status,
        title=event.workflow or names.thing or "Generation",
        subtitle=told.subtitle,
        timestamp=words.time(record.time),
        link=f"/gallery?item={quote(event.generation_id, safe='')}",
        source_entity_type="generation",
        source_entity_id=event.generation_id,
        generation_id=event.generation_id,
        project_id=event.project_id or None,
        project_name=names.project or None,
    )


def _download_entry(record: Record, event: d.DownloadEvent, told: Told, known_target: d.Target | None) -> Json:
    target = event.target if isinstance(event, d.DownloadQueued) else known_target
    target_id = target.id if target else untoken(record.subject.rsplit(".", 1)[-1])
    kind, _, name = target_id.partition(":")
    link = f"/models?{'preset' if kind == 'preset' else 'file'}={quote(name)}"
    return known(
        id=f"dl_{record.seq}",
        type="download",
        category="job",
        status=told.status,
        title=target.name if target else name,
        subtitle=told.subtitle,
        timestamp=words.time(record.time),
        link=link,
        source_entity_type="download",
        source_entity_id=event.download_id,
        download_id=event.download_id,
        preset_id=name if kind == "preset" else None,
    )


def _host_entry(record: Record, event: hosts.HostEvent) -> Json:
    match event:
        case hosts.HostJoined():
            told = ("started", f"{event.host} joined", f"Pool {event.pool}")
        case hosts.HostFellSilent():
            told = ("failed", f"{event.host} fell silent", _silent_for(record, event))
        case hosts.HostReturned():
            told = ("completed", f"{event.host} is back", f"Pool {event.pool}")
        case hosts.DiskLevelChanged():
            room = f"{event.percent:.0f} % full, {words.size(event.free_bytes)} free"
            title = {"ok": "has room again", "warning": "is filling up", "critical": "is nearly full"}[event.level]
            told = ({"ok": "completed"}.get(event.level, event.level), f"{event.path} on {event.host} {title}", room)
        case _:
            told = ("completed", event.host, "")
    status, title, subtitle = told
    return _system_entry(record, "host", status, (title, subtitle), event.host)


def _silent_for(record: Record, event: hosts.HostFellSilent) -> str:
    return f"Nothing was heard of it for {words.duration((record.time - event.last_seen_at).total_seconds())}"


def _system_entry(record: Record, kind: str, status: str, text: tuple[str, str], entity: str) -> Json:
    title, subtitle = text
    return {
        "id": f"{kind[:3]}_{record.seq}",
        "type": kind,
        "category": "system",
        "status": status,
        "title": title,
        "subtitle": subtitle,
        "timestamp": words.time(record.time),
        "link": "/models" if kind == "catalog" else "/activity",
        "source_entity_type": kind,
        "source_entity_id": entity,
    }
