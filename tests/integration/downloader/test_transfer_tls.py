"""What TLS adds: bytes that wait decrypted or not, ends that are signed or cut, handshakes that fail."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from downloader.limits import BandwidthLimiter
from downloader.sources import Sources
from downloader.transfer import FileRequest, LinkError, Transfer

from tests.support.origin import Origin
from tests.support.transfers import bench

MIB = 1 << 20
BODY = bytes(range(256)) * 100  # fits into a socket's buffer: written means sent

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Keys:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def keys() -> Keys:
    authority = trustme.CA()
    made = Keys(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context())
    authority.issue_cert("127.0.0.1").configure_cert(made.server)
    authority.configure_trust(made.client)
    return made


@contextlib.asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve every connection by `answer`; yield host:port."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def fetch(models_dir: Path, host: str, keys: Keys, **promised: object) -> bytes:
    async with Transfer(
        models_dir=models_dir,
        sources=Sources(allowed_hosts=[host]),
        disk_reserve_bytes=0,
        stall_timeout_s=1.0,
        ssl_context=keys.client,
    ) as transfer:
        await transfer.fetch(FileRequest("a.bin", f"https://{host}/a.bin", **promised))  # type: ignore[arg-type]
    return (models_dir / "a.bin").read_bytes()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_large_files_come_whole_over_several_connections(
    tmp_path: Path, keys: Keys, version: ssl.TLSVersion, framing: str
) -> None:
    client = ssl.create_default_context()
    client.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(keys.client.get_ca_certs(binary_form=True)[-1]))
    client.maximum_version = version
    async with Origin(ssl_context=keys.server) as origin, bench(tmp_path, origin, ssl_context=client) as deck:
        file = deck.serve(size=24 * MIB + 12345, framing=framing, rate=40_000_000)
        result = await deck.fetch(sha256=file.sha256)
        assert (result.verified, hashlib.sha256(deck.final().read_bytes()).hexdigest()) == ("sha256", file.sha256)
        assert len({request.peer for request in origin.requests}) > 1


async def test_bytes_that_wait_while_reading_is_paused_are_not_forgotten(tmp_path: Path, keys: Keys) -> None:
    """The last records wait undecrypted behind the limit, and no more comes from the socket to remind of them."""
    limiter = BandwidthLimiter(2_000_000)
    options = {"ssl_context": keys.client, "limiter": limiter, "connections": 1}
    async with Origin(ssl_context=keys.server) as origin, bench(tmp_path, origin, **options) as deck:
        file = deck.serve(size=1_000_000)
        result = await asyncio.wait_for(deck.fetch(sha256=file.sha256), 10)
        assert result.fetched_bytes == 1_000_000


async def test_connections_are_kept_between_files(tmp_path: Path, keys: Keys) -> None:
    async with Origin(ssl_context=keys.server) as origin, bench(tmp_path, origin, ssl_context=keys.client) as deck:
        for number in range(3):
            deck.serve(f"/{number}.bin", size=100_000 + number)
            await deck.fetch(f"/{number}.bin", f"{number}.bin")
        assert len({request.peer for request in origin.requests}) == 1


async def test_a_signed_end_ends_a_body_of_unknown_length(tmp_path: Path, keys: Keys) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
        writer.close()
        await writer.wait_closed()

    async with serving(answer, keys.server) as host:
        assert await fetch(tmp_path, host, keys, sha256=hashlib.sha256(BODY).hexdigest()) == BODY


async def test_a_cut_does_not_end_a_body_of_unknown_length(tmp_path: Path, keys: Keys) -> None:
    """Anybody on the way can end a TCP connection; only the server can sign the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
        await writer.drain()
        raw = writer.transport.get_extra_info("socket")
        raw.shutdown(1)  # a FIN below TLS
        await reader.read()

    async with serving(answer, keys.server) as host:
        with pytest.raises(LinkError) as caught:
            await fetch(tmp_path, host, keys)
    assert caught.value.code == "closed_early"
    assert not (tmp_path / "a.bin").exists()


async def test_a_damaged_record_is_no_data(tmp_path: Path, keys: Keys) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(BODY) + 9) + BODY)
        await writer.drain()
        raw = writer.transport.get_extra_info("socket")
        os.write(raw.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))  # a record whose seal cannot be right
        await reader.read()

    async with serving(answer, keys.server) as host:
        with pytest.raises(LinkError) as caught:
            await fetch(tmp_path, host, keys)
    assert caught.value.code == "closed_early"
    assert not (tmp_path / "a.bin").exists()


async def test_a_server_that_does_not_speak_tls_is_named_so(tmp_path: Path, keys: Keys) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with serving(answer, None) as host:
        with pytest.raises(LinkError) as caught:
            await fetch(tmp_path, host, keys)
    assert (caught.value.code, caught.value.retryable) == ("tls_failed", True)


@pytest.mark.parametrize("hangs_up", [True, False])
async def test_a_handshake_without_an_answer_ends(tmp_path: Path, keys: Keys, hangs_up: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if not hangs_up:
            await reader.read()
            await reader.read()

    async with serving(answer, None) as host:
        with pytest.raises(LinkError) as caught:
            await asyncio.wait_for(fetch(tmp_path, host, keys), 10)
    assert (caught.value.code, caught.value.retryable) == ("connection_failed", True)
