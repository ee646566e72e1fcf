"""`GET /stream`: a raw ASGI endpoint that hands its connection to `live` once the client has what came before.

The mailbox of a stream is its connection's write buffer: live frames are written there without waiting, and a client
that lets it grow beyond MAILBOX_BYTES is cut off and resumes by its last id. What comes before the live part (the
replay of the log) is written with flow control, so that a slow reader of a long history costs nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from urllib.parse import parse_qs

import structlog
from modeldeck_events.errors import UnavailableError
from modeldeck_events.store import EventStore, Record

from gateway import ids
from gateway.asgi import SECURITY_HEADERS, Receive, Scope, Send, header
from gateway.boards import activity
from gateway.frames import chunk, cloudevent, encode, frame, is_private
from gateway.ids import EventId
from gateway.live import HEARTBEAT_S, LOG_TOPICS, STATE_TOPICS, TOPICS, Live, Topic
from gateway.problems import ProblemError, away, not_ready

MAILBOX_BYTES = 256 * 1024
SEND_BUFFER_BYTES = 128 * 1024
MAX_STREAMS = 5000
RETRY_MS = 1000
PAGE = 500
SEND_TIMEOUT_S = 30.0
TRANSPORT = "modeldeck.transport"
"""Key of the ASGI extension under which the server's protocol offers the connection's transport."""

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *SECURITY_HEADERS,
]


_log = structlog.get_logger(__name__)


class Mailbox:
    """One client's connection, written to without waiting. `extra_bytes` is room for the first snapshots."""

    __slots__ = ("_limit", "_transport", "session")

    def __init__(self, transport: asyncio.WriteTransport, session: str) -> None:
        self._transport = transport
        connection = transport.get_extra_info("socket")
        if connection is not None:  # else the kernel grows it to megabytes for each client that does not read
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._limit = MAILBOX_BYTES
        self.session = session

    def open_with(self, data: bytes) -> None:
        """Write the first bytes, whatever their size: they count on top of the limit."""
        self._limit = MAILBOX_BYTES + self._transport.get_write_buffer_size() + len(data)
        self._transport.write(data)

    def push(self, data: bytes) -> bool:
        """Write without waiting; cut the client off when it does not read."""
        if self._transport.get_write_buffer_size() > self._limit:
            self._transport.abort()
            return False
        self._transport.write(data)
        return True

    @property
    def closing(self) -> bool:
        """Whether the connection is gone or about to be."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def finish(self, data: bytes) -> None:
        """Write the last bytes and close; who does not read them in a second is cut off."""
        self._transport.write(data)
        self._transport.close()
        asyncio.get_running_loop().call_later(1.0, self._transport.abort)


class StreamRequest:
    """A checked request: whose, which topics, and after which position of the log (None: from now on)."""

    def __init__(self, scope: Scope, user: str) -> None:
        self.user = user
        query = parse_qs(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        wanted = [name for part in query.get("topics", []) for name in part.split(",") if name.strip()]
        self.topics = tuple(dict.fromkeys(name.strip() for name in wanted)) or (*STATE_TOPICS, "activity")
        unknown = [name for name in self.topics if name not in TOPICS]
        if unknown:
            raise ProblemError(
                400,
                "unknown_topic",
                f"There is no topic {', '.join(ascii(name[:40]) for name in unknown[:5])}; "
                f"known are {', '.join(TOPICS)}.",
                known_topics=list(TOPICS),
            )
        given = header(scope, b"last-event-id").decode("utf-8", "replace") or query.get("last_event_id", [""])[-1]
        self.after = ids.parse(given) if given else None
        if given and self.after is None:
            raise ProblemError(400, "bad_event_id", f"{given[:80]!a} is not an id that this stream ever sent.")

    @property
    def logs(self) -> tuple[str, ...]:
        """The log topics among them."""
        return tuple(name for name in LOG_TOPICS if name in self.topics)


class StreamEndpoint:
    """Serves streams from `live` and replays from `store`."""

    def __init__(self, live: Live, store: EventStore) -> None:
        self._live = live
        self._store = store
        self._open: set[Mailbox] = set()
        self._closing = False

    @property
    def open_count(self) -> int:
        """How many streams are open, replaying ones included."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, session: str, user: str) -> None:
        """Answer one request; raises ProblemError before anything was sent."""
        request = StreamRequest(scope, user)
        if self._closing or not self._live.caught_up.is_set():
            raise not_ready()
        if len(self._open) >= MAX_STREAMS:
            raise away(f"There are {MAX_STREAMS} streams open already.", retry_after_s=10)
        mailbox = Mailbox(scope["extensions"][TRANSPORT]["transport"], session)
        self._open.add(mailbox)  # before anything is waited for: if the session ends meanwhile, so does this
        try:
            after, resumed = await self._resume_point(request)
            await self._serve(mailbox, request, after, receive, send, resumed=resumed)
        finally:
            self._live.leave(mailbox)
            self._open.discard(mailbox)

    async def _serve(  # noqa: PLR0913 - of one request
        self,
        mailbox: Mailbox,
        request: StreamRequest,
        after: EventId | None,
        receive: Receive,
        send: Send,
        *,
        resumed: bool,
    ) -> None:
        # held to the end: the user's own topic is kept up to date for as long
        states = [self._live.topic(name, request.user) for name in request.topics if name not in LOG_TOPICS]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if after is None or not request.logs:
                self._start(mailbox, request, states, resumed=resumed)
            else:
                await self._start_with_replay(mailbox, request, states, after, send)
            while (await receive())["type"] != "http.disconnect":
                pass
        except (TimeoutError, UnavailableError) as error:
            _log.info("stream ended in its replay; the client resumes", reason=str(error) or "the client does not read")
            mailbox.abort()

    def close(self) -> None:
        """Say goodbye to every stream: the gateway goes down."""
        self._closing = True
        self._live.end_streams([frame("bye", b"{}", retry_ms=RETRY_MS)])
        for mailbox in self._open:
            if not mailbox.closing:  # in its replay
                mailbox.abort()

    def end_session(self, session: str) -> None:
        """Close the streams of a session that was revoked."""
        for mailbox in self._open:
            if mailbox.session == session:
                mailbox.abort()

    async def _resume_point(self, request: StreamRequest) -> tuple[EventId | None, bool]:
        """Return the id to go on after, and whether the log after it is all there."""
        after = request.after
        if after is None or after.epoch != self._live.position.epoch:
            return None, False
        if not await self._live.wait_for(after.seq):  # another gateway may have been a moment ahead of this one
            return None, False
        if request.logs and after.seen < self._live.position.seq:
            following = await self._store.read(after=after.seen, limit=1)
            if following and following[0].seq != after.seen + 1:
                return None, False
        return after, True

    def _start(self, mailbox: Mailbox, request: StreamRequest, states: Sequence[Topic], *, resumed: bool) -> None:
        """Send what is true now and join, in one step."""
        now = str(EventId(*self._live.position))
        frames = self._opening(request, states, now, resumed=resumed)
        mailbox.open_with(chunk(b"".join(frames)))
        self._live.join(mailbox, request.topics, request.user)

    async def _start_with_replay(
        self, mailbox: Mailbox, request: StreamRequest, states: Sequence[Topic], after: EventId, send: Send
    ) -> None:
        """Send the present state, the log from `after` to the present, the state again where it changed, and join."""
        versions = [topic.version for topic in states]
        await _send(send, b"".join(self._opening(request, states, str(after), resumed=True)))
        at = after
        while at.epoch == self._live.position.epoch and at.seen < self._live.position.seq and not mailbox.closing:
            at = await self._replay_page(request, at, send)
        if at.epoch != self._live.position.epoch:  # the log was replaced meanwhile; the client hears so by resuming
            mailbox.abort()
        if mailbox.closing:
            return
        changed = [topic for topic, version in zip(states, versions, strict=True) if topic.version != version]
        frames = [frame("snapshot", topic.snapshot(), str(at)) for topic in changed]
        mailbox.open_with(chunk(b"".join(frames)) if frames else b"")
        self._live.join(mailbox, request.topics, request.user)

    async def _replay_page(self, request: StreamRequest, at: EventId, send: Send) -> EventId:
        """Send the next entries after `at`, none beyond what is published; return how far that is."""
        horizon = self._live.position.seq
        subjects = ("evt.>",) if "events" in request.topics else activity.SUBJECTS
        records = await self._store.read(after=at.seen, limit=PAGE, subjects=subjects)
        sent = [record for record in records if record.seq <= horizon]
        frames = [data for record in sent for data in self._entry(record, request, at)]
        if frames:
            await _send(send, b"".join(frames))
        whole = len(records) < PAGE or len(sent) < len(records)
        return EventId(at.epoch, horizon if whole else sent[-1].seq)

    def _entry(self, record: Record, request: StreamRequest, after: EventId) -> list[bytes]:
        at = EventId(after.epoch, record.seq)
        frames = []
        both = len(request.logs) == len(LOG_TOPICS)
        told = after.event_due and record.seq == after.seq
        if "activity" in request.topics and not told:
            data = activity.entry(record, self._live.boards.activity.around(record))
            if data is not None:
                frames.append(frame("activity", encode(data), str(at._replace(event_due=both))))
        if "events" in request.topics and not is_private(record):
            frames.append(frame("event", encode(cloudevent(record)), str(at)))
        return frames

    def _opening(self, request: StreamRequest, states: Sequence[Topic], event_id: str, *, resumed: bool) -> list[bytes]:
        position = self._live.position
        hello = {"v": 1, "epoch": position.epoch, "heartbeat_s": HEARTBEAT_S, "resumed": resumed}
        hello |= self._live.reach()
        snapshots = [topic.snapshot() for topic in states]
        opening = [frame("hello", encode(hello), "" if snapshots else event_id, RETRY_MS)]
        if request.after is not None and not resumed:
            opening.append(frame("reset", encode({"epoch": position.epoch})))
        last = len(snapshots) - 1
        opening += [frame("snapshot", data, event_id if i == last else "") for i, data in enumerate(snapshots)]
        return opening


async def _send(send: Send, body: bytes) -> None:
    """Write with flow control; a client that reads nothing for half a minute loses its connection."""
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})
