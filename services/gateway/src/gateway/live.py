"""Joins the boards to their readers: what is published, at which position of the log, and who is told.

Everything here happens on the event loop without awaiting in between, so a reader that joins at a position gets every
change after it and none before it. Changes are encoded once for all streams that follow the same topics.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Protocol
from weakref import WeakValueDictionary

import structlog
from modeldeck_events.message import Reading
from modeldeck_events.store import Batch, Position

from gateway import derived
from gateway.boards.activity import entry
from gateway.boards.board import Json, merge_patch
from gateway.boards.fold import Boards
from gateway.derived import Derived
from gateway.frames import LAST_CHUNK, chunk, cloudevent, encode, frame, is_private
from gateway.ids import EventId

STATE_TOPICS = ("queue", "presets", "models", "templates", "featured", "resources", *derived.TOPICS)
OWN_TOPIC = "user"
"""A state topic of which everybody has his own: his board and his settings."""
LOG_TOPICS = ("activity", "events")
TOPICS = (*STATE_TOPICS, OWN_TOPIC, *LOG_TOPICS)

HEARTBEAT_S = 10
_BEAT_S = 8.0
_AGE_S = 0.5
_MOMENT_S = 0.01
_GATHER_S = 0.02
"""Readings that come within this time are shown in one delta."""

BOTH_LOGS = "activity+"
_log = structlog.get_logger(__name__)


class Stream(Protocol):
    """One open stream."""

    def push(self, data: bytes) -> bool:
        """Hand over bytes without waiting; false when the reader was too slow and is cut off."""
        ...

    def finish(self, data: bytes) -> None:
        """Hand over the last bytes and close."""
        ...


class Topic:
    """A state topic: what was published last, and its version."""

    def __init__(self, name: str, render: Callable[[], Json]) -> None:
        self.name = name
        self.version = 0
        self.published: Json = {}
        self._render = render
        self._snapshot: tuple[int, bytes] = (-1, b"")

    def publish(self) -> Json:
        """Take over the board's present state; return the merge patch from the former one."""
        state = self._render()
        patch: Json = merge_patch(self.published, state)
        if patch:
            self.published = state
            self.version += 1
        return patch

    def snapshot(self) -> bytes:
        """Return the data of a `snapshot` event, encoded once per version."""
        if self._snapshot[0] != self.version:
            self._snapshot = (self.version, encode({"topic": self.name, "data": self.published}))
        return self._snapshot[1]


class Answer:
    """The bytes of a GET whose content depends on one topic, encoded once per version.

    With `parts`, it depends on these members of the topic's state only.
    """

    def __init__(self, topic: Topic, render: Callable[[Json], Any], parts: tuple[str, ...] = ()) -> None:
        self._topic = topic
        self._render = render
        self._parts = parts
        self._shown: list[Any] = []
        self._version = -1
        self._body = b""
        self._etag = b""

    def current(self) -> tuple[bytes, bytes]:
        """Return body and ETag; equal bodies have equal tags, on any gateway and after any restart."""
        if self._version != self._topic.version:
            self._version = self._topic.version
            state = self._topic.published
            parts = [state.get(name) for name in self._parts]
            if not parts or any(new is not old for new, old in zip_longest(parts, self._shown, fillvalue=())):
                self._body = encode(self._render(state))
                self._etag = etag(self._body)
                self._shown = parts
        return self._body, self._etag


def etag(body: bytes) -> bytes:
    """Return a strong ETag of a body."""
    return b'"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()


class Live:
    """The published state. `position` is how far of the log has been published."""

    def __init__(self, boards: Boards, *, connected: Callable[[], bool] = lambda: True) -> None:
        self.boards = boards
        self.topics = {
            "queue": Topic("queue", boards.queue.state),
            "presets": Topic("presets", boards.presets.state),
            "models": Topic("models", boards.models.state),
            "templates": Topic("templates", boards.templates.state),
            "featured": Topic("featured", boards.featured.state),
            "resources": Topic("resources", boards.resources.state),
        }
        self._connected = connected
        self._derived = Derived(boards, connected)
        self.topics |= {name: Topic(name, render) for name, render in self._derived.renders().items()}
        self._own: WeakValueDictionary[str, Topic] = WeakValueDictionary()
        self.position = Position("", 0)
        self.caught_up = asyncio.Event()
        self.behind_since: datetime | None = None
        """Since when the log has been out of reach: nothing that is published is newer."""
        self.cut_off = 0
        self._groups: dict[frozenset[str], set[Stream]] = {}
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._generation = boards.generation
        self._timer: asyncio.TimerHandle | None = None

    # -- the log and the readings come in -------------------------------------------------------------------------

    def on_batch(self, batch: Batch, epoch: str) -> None:
        """Publish what a batch changed; the boards have folded it already."""
        replaced = self._generation != self.boards.generation
        self._generation = self.boards.generation
        self.position = Position(epoch, batch.seq)
        if replaced:
            self.caught_up.clear()
            self.end_streams([frame("reset", encode({"epoch": epoch})), frame("bye", b"{}")])
        if batch.caught_up:
            self.caught_up.set()
        if self.caught_up.is_set():
            self._publish(self._entries(batch))
            for seq, reached in self._waiting:
                if seq <= batch.seq and not reached.done():
                    reached.set_result(None)
        if batch.caught_up and self._connected():
            self._reach(log=True)

    def on_reading(self, reading: Reading) -> None:
        """Take a reading; it is published within 20 ms, or when the download's next progress is due."""
        self.boards.read(reading, asyncio.get_running_loop().time())
        self._arm(_GATHER_S)

    def publish(self) -> None:
        """Publish what changed."""
        if self.caught_up.is_set():
            self._publish([])

    # -- readers ---------------------------------------------------------------------------------------------------

    async def wait_for(self, seq: int, timeout_s: float = 2.0) -> bool:
        """Return true once everything up to `seq` is published, false after `timeout_s`."""
        if self.position.seq >= seq:
            return True
        waiter = (seq, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter[1]
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting.remove(waiter)

    def topic(self, name: str, user: str) -> Topic:
        """Return a state topic; the own one of a user is kept up to date for as long as somebody holds it."""
        if name != OWN_TOPIC:
            return self.topics[name]
        own = self._own.get(user)
        if own is None:
            own = self._own[user] = Topic(name, lambda: self.boards.users.own(user))
            own.publish()
        return own

    def join(self, stream: Stream, topics: Iterable[str], user: str = "") -> None:
        """Tell `stream` everything after the present position; of the users' own topics, that of `user`."""
        self._groups.setdefault(group_of(topics, user), set()).add(stream)

    def leave(self, stream: Stream) -> None:
        """Tell `stream` nothing more."""
        for key, group in list(self._groups.items()):
            group.discard(stream)
            if not group:
                del self._groups[key]

    def end_streams(self, frames: Iterable[bytes]) -> None:
        """Send the frames to every stream and close it."""
        last = chunk(b"".join(frames)) + LAST_CHUNK
        groups, self._groups = self._groups, {}
        for group in groups.values():
            for stream in group:
                stream.finish(last)

    @property
    def stream_count(self) -> int:
        """How many streams are told."""
        return sum(len(group) for group in self._groups.values())

    # -- time ------------------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Send `ping` to every stream in time, for ever."""
        while True:
            await asyncio.sleep(_BEAT_S)
            self._send([("*", self._ping())])

    async def age(self) -> None:
        """Notice hosts that fell silent, a new day, and a log that cannot be reached, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_AGE_S, self.boards.resources.next_silence_s(loop.time()) + _MOMENT_S))
            if not self._connected():
                self._reach(log=False)
            silence = self.boards.age(datetime.now(UTC), loop.time(), deaf=not self._connected())
            if self._derived.age():
                self.boards.mark("overview")
                self.boards.mark("stats")
            elif not silence:
                continue
            self.publish()

    def reach(self) -> Json:
        """Return what `hello` and `ping` say of the log: nothing, or since when it has been out of reach."""
        return {} if self.behind_since is None else {"behind_since": self.behind_since}

    def _reach(self, *, log: bool) -> None:
        """Tell every stream at once when the log goes out of reach, and when all of it has been seen again."""
        if log is (self.behind_since is None):
            return
        self.behind_since = None if log else datetime.now(UTC)
        self._send([("*", self._ping())])

    def _ping(self) -> bytes:
        return frame("ping", encode(self.reach()))

    def _arm(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + delay_s
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.publish()

    # -- sending ---------------------------------------------------------------------------------------------------

    def _entries(self, batch: Batch) -> list[tuple[str, bytes]]:
        """Return the log topics' frames of a batch, in order, only of those that somebody follows."""
        followed = {topic for group in self._groups for topic in group}
        activity, events = bool({"activity", BOTH_LOGS} & followed), "events" in followed
        frames: list[tuple[str, bytes]] = []
        for record in batch.records if activity or events else ():
            at = EventId(self.position.epoch, record.seq)
            data = entry(record, self.boards.activity.around(record)) if activity else None
            if data is not None:
                body = encode(data)
                frames.append(("activity", frame("activity", body, str(at))))
                frames.append((BOTH_LOGS, frame("activity", body, str(at._replace(event_due=True)))))
            if events and not is_private(record):
                frames.append(("events", frame("event", encode(cloudevent(record)), str(at))))
        return frames

    def _publish(self, frames: list[tuple[str, bytes]]) -> None:
        now = asyncio.get_running_loop().time()
        changed = self.boards.take_changes(now)
        topics, derived_due = self._derived.take(changed.topics, now)
        event_id = str(EventId(*self.position))
        for name in STATE_TOPICS:
            if name in topics:
                patch = self.topics[name].publish()
                if patch:
                    frames.append((name, frame("delta", encode({"topic": name, "data": patch}), event_id)))
        for user, own in list(self._own.items()) if OWN_TOPIC in topics else ():
            patch = own.publish()
            if patch:
                frames.append((_own_of(user), frame("delta", encode({"topic": OWN_TOPIC, "data": patch}), event_id)))
        if frames:
            self._send(frames)
        for due in (changed.next_due, derived_due):
            if due is not None:
                self._arm(max(0.0, due - now))

    def _send(self, frames: list[tuple[str, bytes]]) -> None:
        slow: list[Stream] = []
        for topics, group in self._groups.items():
            body = b"".join(data for name, data in frames if name == "*" or name in topics)
            if body:
                data = chunk(body)
                slow += [stream for stream in group if not stream.push(data)]
        for stream in slow:
            self.leave(stream)
        if slow:
            self.cut_off += len(slow)
            _log.info("streams cut off: their readers did not read", count=len(slow))


def _own_of(user: str) -> str:
    return f"{OWN_TOPIC}/{user}"


def group_of(topics: Iterable[str], user: str = "") -> frozenset[str]:
    """Return the frames' names that a user's stream of these topics gets."""
    names = frozenset(_own_of(user) if name == OWN_TOPIC else name for name in topics)
    return names - {"activity"} | {BOTH_LOGS} if names >= set(LOG_TOPICS) else names
