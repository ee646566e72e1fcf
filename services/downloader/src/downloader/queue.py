"""A downloader's cache of the log: the state of every target of its pool, the pool's settings, the verified files.

Applied by the projector in order; nothing here performs I/O. It is also the engine's look-up of verified files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from modeldeck_events import downloads as d
from modeldeck_events import pools
from modeldeck_events.store import Record

from downloader import domain, pool
from downloader.domain import Download
from downloader.pool import PoolSettings
from downloader.transfer import KnownFile

REMEMBERED_COMMANDS = 4096
_NOTHING = Download()


class QueueFold:
    """The downloads of one pool."""

    def __init__(self, pool_name: str) -> None:
        self.pool = pool_name
        self._pool_subject = pools.subject(pool_name)
        self._prefix = d.subject(pool_name, "x").removesuffix("x")
        self.reset()

    def reset(self) -> None:
        """Forget everything: the log is another one."""
        self.settings = PoolSettings()
        self.seq = 0
        self._downloads: dict[str, Download] = {}
        self._last_seqs: dict[str, int] = {}
        self._open: set[str] = set()
        self._commands: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._verified: dict[str, KnownFile] = {}
        self._by_sha256: dict[str, set[str]] = {}
        self._by_url: dict[str, set[str]] = {}

    @property
    def subjects(self) -> tuple[str, ...]:
        """What this fold wants to be given."""
        return (f"{self._prefix}>", self._pool_subject)

    def apply(self, record: Record) -> None:
        """Apply one record; one that was applied before changes nothing."""
        if record.seq <= self.seq:
            return
        self.seq = record.seq
        self._last_seqs[record.subject] = record.seq
        self._remember(record)
        event = record.event
        if isinstance(event, pools.PoolConfigured) and record.subject == self._pool_subject:
            self.settings = pool.evolve(self.settings, event)
        elif isinstance(event, d.DownloadEvent) and record.subject.startswith(self._prefix):
            self._apply_download(record.subject, event, record.seq)

    def get(self, target_id: str) -> Download:
        """Return the state of a target; the phase of one never heard of is `available`."""
        return self.by_subject(d.subject(self.pool, target_id))

    def by_subject(self, subject: str) -> Download:
        """Return the state of the target whose facts have this subject."""
        return self._downloads.get(subject, _NOTHING)

    def last_seq(self, subject: str) -> int:
        """Return the last sequence of a subject, for the guard of the next append; 0 when it has none."""
        return self._last_seqs.get(subject, 0)

    def answered(self, subject: str, command_id: str) -> int | None:
        """Return the sequence that a command with this id led to, if it was handled before (of the last thousands)."""
        return self._commands.get((subject, command_id)) if command_id else None

    def in_phase(self, *phases: d.Phase) -> list[Download]:
        """Return the downloads in these open phases, in the order of the queue."""
        found = (state for state in self.open_downloads() if state.phase in phases)
        return sorted(found, key=lambda state: state.order)

    def open_downloads(self) -> Iterator[Download]:
        """Yield everything queued, running or paused, in no order."""
        return (self._downloads[subject] for subject in tuple(self._open))

    def ranks(self) -> set[Decimal]:
        """Return the ranks in use."""
        return {state.rank for state in self.open_downloads()}

    def pending_files(self, *, besides: str = "") -> dict[str, d.FileSpec]:
        """Return by path what the open downloads still have to get, each path once; `besides` leaves out a target."""
        return {
            spec.path: spec
            for state in self.open_downloads()
            if state.target is not None and state.target.id != besides
            for spec in state.files
            if spec.path not in state.completed
        }

    def at_path(self, path: str) -> KnownFile | None:
        """Return what was last verified at this path."""
        return self._verified.get(path)

    def with_sha256(self, sha256: str) -> Sequence[KnownFile]:
        """Return the verified files with this content."""
        return self._known(self._by_sha256.get(sha256, ()))

    def from_url(self, url: str) -> Sequence[KnownFile]:
        """Return the verified files that came from exactly this URL."""
        return self._known(self._by_url.get(url, ()))

    def _known(self, paths: Iterable[str]) -> list[KnownFile]:
        return [self._verified[path] for path in sorted(paths)]

    def _apply_download(self, subject: str, event: d.DownloadEvent, seq: int) -> None:
        state = domain.evolve(self._downloads.get(subject, _NOTHING), event, seq)
        self._downloads[subject] = state
        (self._open.add if state.phase in domain.OPEN else self._open.discard)(subject)
        if isinstance(event, d.DownloadFileCompleted):
            self._verify(event)

    def _verify(self, event: d.DownloadFileCompleted) -> None:
        before = self._verified.pop(event.path, None)
        if before is not None:
            self._by_sha256.get(before.sha256 or "", set()).discard(event.path)
            self._by_url.get(before.url or "", set()).discard(event.path)
        self._verified[event.path] = KnownFile(event.path, event.url, event.size_bytes, event.sha256, event.mtime_ns)
        if event.sha256:
            self._by_sha256.setdefault(event.sha256, set()).add(event.path)
        self._by_url.setdefault(event.url, set()).add(event.path)

    def _remember(self, record: Record) -> None:
        if record.causation_id:
            self._commands[record.subject, record.causation_id] = record.seq
            if len(self._commands) > REMEMBERED_COMMANDS:
                self._commands.popitem(last=False)
