"""What every service's `app.py` runs on: commands, policies, folds, background tasks, health, an orderly end.

    service = Service("downloader", load(Settings))
    projector = service.folds([downloads], subjects=["evt.download.>"])

    @service.command(PauseDownload)
    async def pause(command: PauseDownload) -> Reply: ...

    service.task(worker.run)
    sys.exit(service.run())

Nothing here fails because NATS is away: start-up waits for it, and an outage only makes the service not ready.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from prometheus_client import start_http_server

from modeldeck_events import delivery, logs, metrics, subjects, system, topology, tracing
from modeldeck_events.broker import Broker
from modeldeck_events.bus import Bus
from modeldeck_events.connection import Connection
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, UnavailableError
from modeldeck_events.jetstream import JetStreamStore
from modeldeck_events.message import UNREADABLE, Command, Reply
from modeldeck_events.projector import Fold, OnBatch, Projector
from modeldeck_events.settings import ServiceSettings
from modeldeck_events.store import Position

DEFAULT_NATS_URL = "nats://127.0.0.1:4222"
METRICS_HOST = "127.0.0.1"
COMMANDS_AT_ONCE = 16
READY_WAIT_S = 4.0
STREAMS_WATCH_S = 5.0
DRAIN_S = 8.0
CANCEL_AGAIN_S = 3.0
WELL_AFTER_S = 10.0
"""A task that ran this long after a failure counts as recovered."""
TASK_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

C = TypeVar("C", bound=Command)
Handler = Callable[[C], Awaitable[Reply]]
TaskFunction = Callable[[], Coroutine[Any, Any, None]]
_log = structlog.get_logger(__name__)


class Service:
    """One service process. Declare everything first, then `run()`, or `start()` and `stop()` inside another loop."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self.bus = Bus(Connection(), name)
        self.projectors: list[Projector] = []
        self.stopping = asyncio.Event()
        self.detail: Callable[[], dict[str, object]] = dict
        """What the service adds to its health reply; `ok: False` in it makes the service not ready."""
        self._broker = Broker(self.bus.nc)
        self._commands: dict[type[Command], Callable[[Msg], Awaitable[bytes]]] = {}
        self._policies: list[delivery.Policy] = []
        self._tasks: list[tuple[str, TaskFunction, bool]] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, str] = {}
        self._limit = asyncio.Semaphore(COMMANDS_AT_ONCE)
        self._up = asyncio.Event()

    @property
    def store(self) -> JetStreamStore:
        """The event store."""
        return self.bus.store

    def command(self, command: type[C]) -> Callable[[Handler[C]], Handler[C]]:
        """Register the handler of a command, as a decorator."""

        def register(handler: Handler[C]) -> Handler[C]:
            self._commands[command] = self._answering(command, handler)
            return handler

        return register

    def policy(
        self, durable: str, patterns: Sequence[str], **options: Any
    ) -> Callable[[delivery.Handler], delivery.Handler]:
        """Register a durable policy, as a decorator; options are those of `delivery.Policy`."""

        def register(handler: delivery.Handler) -> delivery.Handler:
            self._policies.append(delivery.policy_of(durable, patterns, handler, **options))
            return handler

        return register

    def folds(
        self,
        folds: Sequence[Fold],
        *,
        subjects: Sequence[str] = ("evt.>",),
        after: Position | None = None,
        on_batch: OnBatch | None = None,
    ) -> Projector:
        """Keep `folds` up to the log; the service is ready once they have caught up."""
        projector = Projector(self.store, folds, subjects=subjects, after=after, on_batch=on_batch)
        self.projectors.append(projector)
        return projector

    def task(self, function: TaskFunction, *, name: str = "", when_ready: bool = True) -> None:
        """Run `function` in the background, again with backoff when it raises; cancelled at the end.

        With `when_ready` it starts once the folds have caught up, else at once, even before NATS is there.
        """
        self._tasks.append((name or function.__qualname__, function, when_ready))

    async def ready(self) -> None:
        """Return once the service is up and all folds have caught up."""
        await self._up.wait()
        for projector in self.projectors:
            await projector.caught_up.wait()

    async def health(self) -> Reply:
        """Return how the service is doing; `ok` means ready."""
        problems = [f"{name}: {reason}" for name, reason in self._failing.items()]
        detail: dict[str, object] = {"problems": problems, **self.detail()}
        ok = self._up.is_set() and all(projector.caught_up.is_set() for projector in self.projectors)
        ok = ok and not self._failing and detail.get("ok", True) is not False
        position = Position("", 0)
        try:
            async with asyncio.timeout(2):
                position = await self.store.head()
        except (UnavailableError, TimeoutError) as error:
            ok = False
            problems.append(f"event log: {type(error).__name__} {error}")
        else:
            if any(projector.epoch != position.epoch for projector in self.projectors):
                ok = False
                problems.append("the log was replaced; folding from zero")
        seq = min((projector.seq for projector in self.projectors), default=position.seq)
        detail["fold_errors"] = sum(projector.errors for projector in self.projectors)
        data = {"service": self.name, "seq": seq, "epoch": position.epoch, "detail": detail}
        return Reply(ok=ok, status=200 if ok else 503, code="" if ok else "not_ready", data=data)

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or the end of the parent; return the process's exit status."""
        logs.configure(self.name, self.settings.log_level)
        tracing.configure(self.name)
        asyncio.run(self.main())
        return 0

    async def main(self) -> None:
        """Run with signal handlers until told to end."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stopping.set)
        pipe = self.settings.parent_pipe
        if pipe is not None:
            loop.add_reader(pipe, self._parent_said, pipe)
        if self.settings.metrics_port:
            start_http_server(self.settings.metrics_port, addr=METRICS_HOST)
        await self.start()
        await self.stopping.wait()
        await self.stop()
        await asyncio.to_thread(tracing.stop)

    async def start(self) -> None:
        """Begin: connecting, creating streams and all else goes on in the background; see `ready`."""
        for name, function, when_ready in self._tasks:
            self._supervise(name, function, when_ready=when_ready)
        self._supervise("start-up", self._bring_up, when_ready=False)

    async def stop(self) -> None:
        """Take no more commands, let the running ones finish, cancel the tasks, close; at most 8 s."""
        self.stopping.set()
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(self._broker.stop(), self._cancel_tasks())
                await self.bus.close()
        except TimeoutError:
            left = [name for name, task in self._running.items() if not task.done()]
            _log.warning("not everything ended in time", after_s=DRAIN_S, tasks=left)
        _log.info("service ended")

    async def _cancel_tasks(self) -> None:
        """Cancel all tasks; again after a while, as asyncio.wait_for of Python 3.11 can swallow a cancellation."""
        left = set(self._running.values())
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)

    async def _bring_up(self) -> None:
        await self.bus.nc.open(self.settings.nats_url or DEFAULT_NATS_URL, self.name)
        await self._ensure_streams()
        await self._broker.start()
        for pool in ("", self.settings.pool):
            subject = subjects.command(self.name, system.Health.VERB, pool)
            await self._broker.answer(subject, self.name, self._answer_health)
        for number, projector in enumerate(self.projectors):
            self._supervise(f"fold-{number}", projector.run, when_ready=False)
        self._supervise("streams", self._watch_streams, when_ready=False)
        for command, handler in self._commands.items():
            key = self.settings.pool if command.KEY == "pool" else ""
            subject = subjects.command(command.SERVICE, command.VERB, key)
            await self._broker.answer(subject, self.name, handler, concurrency=COMMANDS_AT_ONCE)
        for policy in self._policies:
            deliverer = delivery.Delivery(self.bus, policy, ready=self.ready)
            await deliverer.made()
            await self._broker.deliver(
                policy.stream, policy.consumer(), deliverer.on_message, concurrency=policy.in_hand
            )
            subject = subjects.command(self.name, system.ReplayLetter.VERB, policy.durable)
            await self._broker.answer(subject, self.name, self._answering(system.ReplayLetter, deliverer.replay))
            self._supervise(f"consumer-{policy.durable}", deliverer.watch, when_ready=False)
        self._up.set()
        _log.info("service started", pid=os.getpid())

    async def _ensure_streams(self) -> None:
        said = ""
        while True:
            try:
                await topology.ensure(self.bus.js)
            except (UnavailableError, topology.TopologyError) as error:
                if str(error) != said:
                    said = str(error)
                    _log.error("the streams are not as they must be; trying again", reason=said)
                await asyncio.sleep(1)  # nothing tells when a person has mended the streams
            else:
                return

    async def _watch_streams(self) -> None:
        """Make streams anew that were lost: a wiped store, or one deleted under us. EVENTS then has a new epoch."""
        lost = asyncio.Event()
        self.bus.nc.on_reconnected.append(lost.set)
        while True:
            metrics.NATS_CONNECTED.set(self.bus.nc.is_connected)
            metrics.FOLDED_SEQ.set(min((projector.seq for projector in self.projectors), default=0))
            try:
                await self.bus.nc.wait_usable()
                gone = await topology.missing(self.bus.js)
                if gone:
                    say = _log.info if gone == [topology.READINGS] else _log.error  # memory ends with the server
                    say("streams are gone; making them anew", streams=gone)
                    await self._ensure_streams()
            except UnavailableError as error:
                _log.debug("streams could not be looked at", reason=str(error))
            try:
                async with asyncio.timeout(STREAMS_WATCH_S):
                    await lost.wait()
            except TimeoutError:
                pass
            lost.clear()

    def _supervise(self, name: str, function: TaskFunction, *, when_ready: bool) -> None:
        self._running[name] = asyncio.create_task(self._keep_running(name, function, when_ready), name=name)

    async def _keep_running(self, name: str, function: TaskFunction, when_ready: bool) -> None:
        failures = 0
        while True:
            if when_ready:
                await self.ready()
            well = asyncio.get_running_loop().call_later(WELL_AFTER_S, self._failing.pop, name, None)
            try:
                await function()
            except Exception as error:  # noqa: BLE001 - the outermost loop: logged, counted, tried again
                metrics.TASK_FAILURES.labels(name).inc()
                failures = failures + 1 if name in self._failing else 1
                self._failing[name] = f"{type(error).__name__}: {error}"
                delay_s = TASK_RETRY_S[min(failures, len(TASK_RETRY_S)) - 1]
                _log.exception("background task failed", task=name, again_in_s=delay_s)
            else:
                self._failing.pop(name, None)
                return
            finally:
                well.cancel()
            await asyncio.sleep(delay_s)

    def _answering(self, command_type: type[C], handler: Handler[C]) -> Callable[[Msg], Awaitable[bytes]]:
        decoder = msgspec.json.Decoder(command_type)
        verb = command_type.VERB

        async def answer(message: Msg) -> bytes:
            parent = (message.headers or {}).get(tracing.HEADER, "")
            span = tracing.span(f"handle {verb}", kind="server", parent=parent)
            with metrics.COMMAND_SECONDS.labels(verb).time(), span:
                try:
                    command = decoder.decode(message.data)
                except UNREADABLE as error:
                    reply = Reply(ok=False, code="invalid_command", message=str(error), status=422)
                else:
                    with structlog.contextvars.bound_contextvars(command=verb, command_id=command.command_id):
                        reply = await self._guarded(handler, command)
            metrics.COMMANDS.labels(verb, reply.code or "ok").inc()
            return msgspec.json.encode(reply)

        return answer

    async def _guarded(self, handler: Handler[C], command: C) -> Reply:
        try:
            async with asyncio.timeout(READY_WAIT_S):
                await self.ready()
        except TimeoutError:
            return Reply(ok=False, code="not_ready", message=f"{self.name} is still starting", status=503)
        async with self._limit:
            try:
                return await handler(command)
            except CommandNotAllowedError as error:
                return Reply(ok=False, code=error.code, message=str(error), status=error.status)
            except ConflictError as error:
                _log.warning("command lost every race", reason=str(error))
                text = "someone else changed this at the same time; try again"
                return Reply(ok=False, code="conflict", message=text, status=409)
            except UnavailableError as error:
                return Reply(ok=False, code="unavailable", message=str(error), status=503)
            except Exception:  # noqa: BLE001 - the outermost loop of the commands: logged, counted, answered
                _log.exception("command failed", command_type=type(command).__name__)
                return Reply(ok=False, code="internal", message=f"{self.name} could not do this", status=500)

    async def _answer_health(self, _message: Msg) -> bytes:
        return msgspec.json.encode(await self.health())

    def _parent_said(self, pipe: int) -> None:
        if os.read(pipe, 1024):
            return
        _log.info("the supervisor is gone; ending")
        asyncio.get_running_loop().remove_reader(pipe)
        self.stopping.set()
