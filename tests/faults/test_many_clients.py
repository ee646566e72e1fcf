"""Two thousand live streams on one gateway process, a tenth of which never read: nobody else notices.

FAULTS_CLIENTS=2000 FAULTS_RATE=20 FAULTS_SECONDS=25 pytest -s tests/faults/test_many_clients.py
"""

import asyncio
import os
import re
import resource
import socket
import time
from pathlib import Path

import psutil
from gateway.sse import MAILBOX_BYTES, SEND_BUFFER_BYTES
from modeldeck_events import downloads as d
from modeldeck_events.bus import Bus, connect
from modeldeck_events.store import Meta

from tests.support.gateways import TOKEN, client, free_port, running_gateway, until_it_answers
from tests.support.nats import NatsServer

CLIENTS = int(os.environ.get("FAULTS_CLIENTS", "2000"))
RATE = int(os.environ.get("FAULTS_RATE", "20"))
SECONDS = int(os.environ.get("FAULTS_SECONDS", "25"))
IDLE_SHARE = 0.1
FACT_BYTES = 1500
"""So large that who does not read has his mailbox full within the campaign."""
MEMORY_PER_CLIENT = 64 * 1024
"""Of the gateway, for each client that reads: what it takes besides its mailbox, generously."""
_REQUEST = (
    b"GET /api/v1/stream?topics=events,activity,queue HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n\r\n"
)
_MARK = re.compile(rb'"seq":(\d+),.{0,200}?"worker":"(\d+)-')


class Reader(asyncio.Protocol):
    """One client: the positions it saw, and how long each took. A frame cut in two is put together again."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.delays_ms: list[float] = []
        self.begun = self.lost = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(_REQUEST % TOKEN.encode())

    def data_received(self, data: bytes) -> None:
        self.begun, now = True, time.monotonic_ns()
        whole, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not end:
            return
        for seq, made_at in _MARK.findall(whole):
            self.seen.append(int(seq))
            self.delays_ms.append((now - int(made_at)) / 1e6)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def never_reading(port: int) -> socket.socket:
    """Ask for a stream and read nothing of it, with as little room in the kernel as it gives."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(found, ("127.0.0.1", port))
    await loop.sock_sendall(found, _REQUEST % TOKEN.encode())
    return found


async def publish(bus: Bus, count: int) -> None:
    """Append facts at the rate, each with the time of its making."""
    subject, seq, began = d.subject("default", "preset:x"), 0, time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        worker = f"{time.monotonic_ns()}-{'w' * FACT_BYTES}"
        event = d.DownloadStarted(download_id="x", attempt=number + 1, worker=worker)
        seq = await bus.store.append(subject, [event], expected_seq=seq, meta=Meta(source="downloader"))


async def test_two_thousand_streams_a_tenth_of_which_never_read(nats_server: NatsServer, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CLIENTS + 500)), hard))
    port, facts = free_port(), RATE * SECONDS
    async with running_gateway(tmp_path / "data", nats_server.url, port) as process:
        await until_it_answers(port)
        gateway = psutil.Process(process.pid)
        before = gateway.memory_info().rss
        loop = asyncio.get_running_loop()
        idle = [await never_reading(port) for _ in range(int(CLIENTS * IDLE_SHARE))]
        readers = [(await loop.create_connection(Reader, "127.0.0.1", port))[1] for _ in range(CLIENTS - len(idle))]
        await until(lambda: all(reader.begun for reader in readers))
        connected, cpu = gateway.memory_info().rss, gateway.cpu_times()
        bus = await connect(nats_server.url, "downloader")
        largest = asyncio.create_task(watch_memory(gateway))
        await publish(bus, facts)
        await until(lambda: all(len(reader.seen) >= facts for reader in readers), 30)
        largest.cancel()
        grown = await largest - connected
        spent = gateway.cpu_times()
        delays = sorted(delay for reader in readers for delay in reader.delays_ms)
        async with client(port) as http:
            streams = metric((await http.get("/metrics")).text, "modeldeck_sse_streams")
        await bus.close()
        busy = (spent.user + spent.system - cpu.user - cpu.system) / SECONDS
        p50, p99, most = delays[len(delays) // 2], delays[len(delays) * 99 // 100], delays[-1]
        print(f"\n{len(readers)} readers and {len(idle)} that never read, {facts} facts at {RATE}/s")
        print(f"delivered {len(delays):,}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms")
        print(f"gateway: {(connected - before) / 1024 / CLIENTS:.1f} KiB per connection, CPU {busy:.0%},", end=" ")
        print(f"grew by {grown / 1e6:.1f} MB under load")
        for reader in readers:
            assert reader.seen == list(range(1, facts + 1))
            assert not reader.lost
        assert streams == len(readers), "who never read is still served"
        assert grown < len(idle) * (MAILBOX_BYTES + SEND_BUFFER_BYTES) + len(readers) * MEMORY_PER_CLIENT
        for each in idle:
            each.close()


async def watch_memory(process: psutil.Process) -> int:
    """Return the most memory that a process took until this is cancelled."""
    most = 0
    try:
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return most


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{name} ([0-9.e+]+)$", text, re.MULTILINE)
    assert found, f"there is no {name}"
    return float(found[1])


async def until(condition: object, within_s: float = 60) -> None:
    assert callable(condition)
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - sockets and another process bring it about
            await asyncio.sleep(0.05)
