"""What cannot be handled is kept: the original message, reason and trace in DEAD_LETTERS, and a fact that says so."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from modeldeck_events import envelope, subjects, system, topology
from modeldeck_events.errors import ConflictError, PoisonError, TransientError, UnavailableError
from modeldeck_events.store import EventStore, Meta

MAX_TRACE_CHARS = 4000
MAX_REASON_CHARS = 1000
PUBLISH_TIMEOUT_S = 5.0
_LEFT_OUT = "Modeldeck-Left-Out"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came, where from, and which reader (`durable`) could not handle it."""

    durable: str
    stream: str
    seq: int
    subject: str
    headers: Mapping[str, str]
    data: bytes
    deliveries: int = 1
    reason: str = ""

    @classmethod
    def of(cls, durable: str, message: Msg) -> Letter:
        """Return the letter of a JetStream message."""
        origin = message.metadata
        return cls(
            durable,
            origin.stream,
            origin.sequence.stream,
            message.subject,
            message.headers or {},
            message.data,
            origin.num_delivered or 1,
        )

    @property
    def id(self) -> str:
        """The same for the same message and reader, so that it is kept once however often it fails."""
        digest = hashlib.blake2b(self.data, digest_size=8).hexdigest()
        return f"{self.stream}-{self.seq}-{digest}-{self.durable}"


async def bury(js: JetStreamContext, store: EventStore, letter: Letter, error: Exception, *, source: str) -> None:
    """Keep a message in DEAD_LETTERS and append `MessageDeadLettered`; the caller then terms the message.

    The original `ce-*` headers and the body stay as they were; `Modeldeck-*` headers (percent-encoded) add reason,
    trace, subject, stream, sequence, durable and deliveries. Where one message cannot hold all that, the original is
    left out and stays in its own stream. Repeated, it keeps one letter and one fact. Raises UnavailableError.
    """
    reason = describe(error)
    trace = "".join(traceback.format_exception(error))[-MAX_TRACE_CHARS:]
    ours = {
        "Modeldeck-Durable": letter.durable,
        "Modeldeck-Reason": envelope.quote(reason),
        "Modeldeck-Trace": envelope.quote(trace),
        "Modeldeck-Subject": letter.subject,
        "Modeldeck-Stream": letter.stream,
        "Modeldeck-Seq": str(letter.seq),
        "Modeldeck-Deliveries": str(letter.deliveries),
        "Nats-Msg-Id": letter.id,
    }
    headers, data = _original_headers(letter.headers) | ours, letter.data
    if len(envelope.wire_headers(headers)) + len(data) > js._nc.max_payload:  # noqa: SLF001 - no public way to it
        headers, data = ours | {_LEFT_OUT: str(len(letter.data))}, b""
    try:
        ack = await js.publish(subjects.dead_letter(letter.durable), data, headers=headers, timeout=PUBLISH_TIMEOUT_S)
    except (nats.errors.Error, OSError) as failure:
        raise UnavailableError(f"DEAD_LETTERS did not answer: {failure}") from failure
    if not ack.duplicate:
        where = {"durable": letter.durable, "subject": letter.subject, "dead_seq": ack.seq}
        _log.error("message went to DEAD_LETTERS", reason=reason, **where)
    fact = system.MessageDeadLettered(
        durable=letter.durable, subject=letter.subject, reason=reason, stream_seq=letter.seq, dead_seq=ack.seq
    )
    await _append(store, fact, Meta(source=source, command_id=f"{letter.id}-{ack.seq}"))


async def read(js: JetStreamContext, dead_seq: int) -> Letter:
    """Return a letter, with its original; raises PoisonError when there is none, UnavailableError."""
    try:
        message = await js.get_msg(topology.DEAD_LETTERS, dead_seq)
        headers, data = message.headers or {}, message.data or b""
        stream, seq = headers["Modeldeck-Stream"], int(headers["Modeldeck-Seq"])
        ours = headers
        if _LEFT_OUT in headers:
            message = await js.get_msg(stream, seq)
            headers, data = message.headers or {}, message.data or b""
    except NotFoundError as error:
        raise PoisonError(f"there is no letter {dead_seq}, or its original is gone") from error
    except (nats.errors.Error, OSError) as error:
        raise UnavailableError(f"DEAD_LETTERS did not answer: {error}") from error
    return Letter(
        ours["Modeldeck-Durable"],
        stream,
        seq,
        ours["Modeldeck-Subject"],
        _original_headers(headers),
        data,
        int(ours["Modeldeck-Deliveries"]),
        envelope.unquote_value(ours["Modeldeck-Reason"]),
    )


def _original_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.startswith(("Nats-", "Modeldeck-"))}


async def _append(store: EventStore, fact: system.MessageDeadLettered, meta: Meta) -> None:
    subject = system.subject(fact.durable)
    while True:
        try:
            await store.append(subject, [fact], expected_seq=await store.last_seq(subject), meta=meta)
        except ConflictError:  # another process buried something at the same time
            continue
        return


def describe(error: Exception) -> str:
    """Return an error in one line for people."""
    text = str(error) if isinstance(error, PoisonError | TransientError) else f"{type(error).__name__}: {error}"
    return text[:MAX_REASON_CHARS]
