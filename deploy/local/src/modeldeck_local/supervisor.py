"""Runs the whole product on one machine: nats-server first and last, the services in between, each kept alive."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modeldeck_local import environment, nats_process
from modeldeck_local.child import WRONG_SETTINGS, Child
from modeldeck_local.console import Console, LogFile
from modeldeck_local.data_folder import DataFolder
from modeldeck_local.full_disk import FullDisk
from modeldeck_local.leftovers import ProcessRecord
from modeldeck_local.nats_config import NatsConfig
from modeldeck_local.settings import SERVICES

NATS_TIMEOUT_S = 30.0
READY_POLL_S = 0.05
STILL_WAITING_S = 10.0
GATEWAY_STOPPED_BY_S, SERVICES_STOPPED_BY_S, ALL_STOPPED_BY_S = 3.0, 7.0, 9.0
"""Seconds after the signal; what has not ended by then is killed."""


class StartError(Exception):
    """Modeldeck cannot start; the message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What to run, all decided and checked before anything starts."""

    folder: DataFolder
    settings: Mapping[str, str]
    """Environment variables for the services, on top of the inherited ones."""
    announcement: str
    gateway: tuple[str, int]
    """Host and port at which this machine reaches the gateway."""
    address: str
    nats_url: str = ""
    """An outside NATS to use instead of the embedded server."""
    helpers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Programs beside the services (the demo's origin): name to command."""


class Supervisor:
    """Starts a plan's processes in order, keeps them running, and ends them in reverse."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._record = ProcessRecord(plan.folder.path / "processes.json")
        self._logs = plan.folder.folder("logs")
        self._nats: Child | None = None
        self._healing: asyncio.Task[None] | None = None
        self._helpers: list[Child] = []
        self._services: list[Child] = []

    async def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; raises StartError when the product cannot start."""
        asked_to_end = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
        ending = asyncio.create_task(asked_to_end.wait())
        starting = asyncio.create_task(self._start())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._console.announce(self._plan.announcement)
                await ending
        finally:
            starting.cancel()
            ending.cancel()
            await self._stop()

    async def _start(self) -> None:
        left = await asyncio.to_thread(self._record.end_leftovers)
        if left:
            self._console.say(f"ended what an earlier run left behind: {', '.join(left)}")
        urls = await self._start_nats()
        for name, command in self._plan.helpers.items():
            self._helpers.append(self._child(name, command, environment.for_server(os.environ)))
        for service in SERVICES:
            settings = {**self._plan.settings, "MODELDECK_NATS_URL": urls[service]}
            env = environment.for_service(service, os.environ, settings)
            self._services.append(self._child(service, [sys.executable, "-m", service], env))
        for child in (*self._helpers, *self._services):
            child.start()
        self._plan.folder.say_who(self._plan.address)
        await self._wait_until_ready()

    async def _start_nats(self) -> Mapping[str, str]:
        """Return each service's NATS address, once the server answers."""
        if self._plan.nats_url:
            return dict.fromkeys(SERVICES, self._plan.nats_url)
        config = NatsConfig(self._plan.folder.folder("nats"))
        try:
            binary = nats_process.find_server()
        except nats_process.NatsServerError as error:
            raise StartError(str(error)) from error
        nats_process.forget_ports(config)
        nats_process.write_config(config)
        self._nats = self._child(
            "nats-server", [str(binary), "-c", str(config.path)], environment.for_server(os.environ)
        )
        self._nats.end_signal = self._nats.orphan_signal = signal.SIGINT  # it exits with 1 on SIGTERM
        full_disk = FullDisk(config.folder, self._console, self._nats.restart)
        self._nats.on_line = full_disk.read
        self._healing = asyncio.create_task(full_disk.watch(), name="heal nats-server")
        self._nats.start()
        try:
            async with asyncio.timeout(NATS_TIMEOUT_S):
                await nats_process.settle_port(config)
        except TimeoutError:
            log = self._logs / "nats-server.log"
            raise StartError(f"nats-server does not come up: {nats_process.last_words(log)} (its log: {log})") from None
        return {service: config.url_for(service) for service in SERVICES}

    def _child(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Child:
        return Child(name, command, env, self._console, LogFile(self._logs / f"{name}.log"), self._record)

    async def _wait_until_ready(self) -> None:
        """Return once the gateway says that all are ready; every 10 s say what it still waits for."""
        last_said = time.monotonic()
        while (waiting_for := await asyncio.to_thread(why_not_ready, *self._plan.gateway)) is not None:
            for child in self._services:
                if child.ended_with == WRONG_SETTINGS:
                    raise StartError(f"{child.name} refused its settings, see above")
            if time.monotonic() - last_said > STILL_WAITING_S:
                last_said = time.monotonic()
                self._console.say(f"still starting: {waiting_for} (logs: {self._logs})")
            await asyncio.sleep(READY_POLL_S)

    async def _stop(self) -> None:
        """End all in reverse order, within ALL_STOPPED_BY_S."""
        started = time.monotonic()

        def left(stopped_by_s: float) -> float:
            return stopped_by_s - (time.monotonic() - started)

        gateways = [child for child in self._services if child.name == "gateway"]
        others = [child for child in self._services if child.name != "gateway"]
        await _stop_together(gateways, left(GATEWAY_STOPPED_BY_S))
        await _stop_together(others, left(SERVICES_STOPPED_BY_S))
        await _stop_together(self._helpers, left(SERVICES_STOPPED_BY_S))
        if self._healing is not None:
            self._healing.cancel()
        if self._nats is not None:
            await self._nats.stop(left(ALL_STOPPED_BY_S))


async def _stop_together(children: Sequence[Child], within_s: float) -> None:
    await asyncio.gather(*(child.stop(within_s) for child in children))


def why_not_ready(host: str, port: int) -> str | None:
    """Ask the gateway, which asks all services; None once everything is ready, else what it waits for."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return None if answer.status == 200 else answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return "the gateway does not answer yet"
    finally:
        connection.close()
