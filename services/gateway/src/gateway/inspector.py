"""What in the log cannot be read becomes a dead letter, and a fact that says so.

Read models get past such a record without a word. The fold meets it anyway, so looking for it costs nothing; the fact
`MessageDeadLettered` in the same log tells what was dealt with, so each becomes one letter however often all is folded.
"""

from __future__ import annotations

import asyncio

import nats.errors
import structlog
from modeldeck_events import dead_letters, envelope, registry, topology
from modeldeck_events.dead_letters import Letter
from modeldeck_events.errors import PoisonError, UnavailableError
from modeldeck_events.runtime import Service
from modeldeck_events.store import Record
from modeldeck_events.system import MessageDeadLettered

NAME = "gateway-inspector"
AWAY_S = 1.0
_log = structlog.get_logger(__name__)


class Inspector:
    """A fold of what is broken and not yet kept: `pending` is sequence to subject. A newer version's type is not."""

    def __init__(self, service: Service) -> None:
        self.pending: dict[int, str] = {}
        self._service = service
        self._found = asyncio.Event()

    def apply(self, record: Record) -> None:
        """Take note of a record that nobody can read, or of the letter made of one."""
        event = record.event
        if isinstance(event, MessageDeadLettered) and event.durable == NAME:
            self.pending.pop(event.stream_seq, None)
        elif event is None and (not record.type or registry.is_known(record.type)):
            self.pending[record.seq] = record.subject
            self._found.set()

    def reset(self) -> None:
        """Forget everything: the log is another one."""
        self.pending.clear()

    async def run(self) -> None:
        """Keep what is found, for ever; not before the whole log has told what was kept already."""
        while True:
            await self._found.wait()
            await self._service.ready()
            self._found.clear()
            for seq, subject in sorted(self.pending.items()):
                try:
                    await self._keep(seq, subject)
                except UnavailableError as error:
                    _log.info("a broken fact waits for the bus", seq=seq, reason=str(error))
                    self._found.set()
                    await asyncio.sleep(AWAY_S)
                    break
                self.pending.pop(seq, None)

    async def _keep(self, seq: int, subject: str) -> None:
        bus = self._service.bus
        headers: dict[str, str] = {}
        data, error = b"", PoisonError("its envelope cannot be read")
        try:
            message = await bus.js.get_msg(topology.EVENTS, seq)
            headers, data = message.headers or {}, message.data or b""
            envelope.unpack(seq, subject, headers, data)
        except PoisonError as told:
            error = told
        except ValueError as told:  # headers or a subject that are no text: nats-py cannot take the message apart
            _log.info("a broken fact is kept without its content", seq=seq, reason=str(told))
        except (nats.errors.Error, OSError) as told:
            raise UnavailableError(f"the event log did not answer: {told}") from told
        letter = Letter(NAME, topology.EVENTS, seq, subject, headers, data)
        await dead_letters.bury(bus.js, bus.store, letter, error, source=self._service.name)
