"""Where the catalog comes from: an http(s) URL, a file, or the starter catalog inside this package."""

from __future__ import annotations

import asyncio
import errno
import importlib.resources
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from catalog.capped_yaml import MAX_BYTES

LIMIT_S = 30.0
MAX_REDIRECTS = 5
STARTER = "starter"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class SourceError(Exception):
    """The source gave no catalog. `code` is stable, `status` the HTTP status that fits (R-073)."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file's bytes; `etag` names this version of it, "" when the source has none."""

    data: bytes
    etag: str = ""


class Source(Protocol):
    """One source; `name` may be shown (no credentials, no query)."""

    name: str
    remote: bool

    async def fetch(self, etag: str) -> Fetched | None:
        """Return the bytes, None when they are still those of `etag`; raises SourceError."""
        ...


class FileSource:
    """A file of this machine, read anew each time."""

    remote = False

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or str(path)
        self._path = path

    async def fetch(self, etag: str) -> Fetched | None:
        """Return the file's bytes; `etag` means nothing here."""
        del etag
        try:
            return Fetched(await asyncio.to_thread(self._read))
        except OSError as error:
            message = f"the catalog file {self.name} cannot be read: {error.strerror or error}"
            raise SourceError(message, code="source_unreadable", status=503) from error

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("it is no regular file")
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise OSError(f"it has more than {MAX_BYTES} bytes")
        return data


class HttpSource:
    """A file on a web server. Redirects are followed by hand: at most five, never to plain http, and to another host
    only when its address is a public one, so that a catalog's host cannot point into the own network.
    """

    remote = True

    def __init__(self, url: str, *, limit_s: float = LIMIT_S) -> None:
        parts = urlsplit(url)
        self._url = URL(url)
        self._limit_s = limit_s
        self.name = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    async def fetch(self, etag: str) -> Fetched | None:
        """Fetch, within the limit in all; a status that is not 200 is passed on, no answer is a 503."""
        timeout = aiohttp.ClientTimeout(total=self._limit_s)
        connector = aiohttp.TCPConnector(resolver=_GuardedResolver(self._url.host or ""))
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                return await self._follow(session, etag)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = f"no answer within {self._limit_s:g} s" if isinstance(error, TimeoutError) else str(error)
            message = f"{self.name} cannot be reached: {reason or type(error).__name__}"
            raise SourceError(message, code="upstream_unreachable", status=503) from error

    async def _follow(self, session: aiohttp.ClientSession, etag: str) -> Fetched | None:
        headers = {"Accept-Encoding": "identity", "User-Agent": "modeldeck"}
        if etag:
            headers["If-None-Match"] = etag
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._take(answer, etag)
                url = self._next(url, answer.headers.get("Location", ""))
        raise self._refused(f"more than {MAX_REDIRECTS} redirects")

    def _next(self, url: URL, location: str) -> URL:
        target = url.join(URL(location))
        if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme == "http"):
            raise self._refused(f"a redirect to {target.scheme}")
        if (target.host, target.port) != (self._url.host, self._url.port) and _private(target.host or ""):
            raise self._refused("a redirect to a private address")
        return target

    async def _take(self, answer: aiohttp.ClientResponse, etag: str) -> Fetched | None:
        if etag and answer.status == 304:
            return None
        if answer.status != 200:
            status = answer.status if 400 <= answer.status <= 599 else 502
            message = f"{self.name} answered {answer.status} {answer.reason or ''}".rstrip()
            raise SourceError(message, code="upstream_status", status=status)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("a compressed answer, though none was asked for")
        data = bytearray()
        async for chunk in answer.content.iter_chunked(256 * 1024):
            data += chunk
            if len(data) > MAX_BYTES:
                raise self._refused(f"more than {MAX_BYTES} bytes")
        return Fetched(bytes(data), answer.headers.get("ETag", "")[:200])

    def _refused(self, what: str) -> SourceError:
        return SourceError(f"{self.name} gave {what}; refused", code="upstream_refused", status=502)


class _GuardedResolver(AbstractResolver):
    """Resolves the configured host to anything, every other one (reached by a redirect) to public addresses only."""

    def __init__(self, trusted: str) -> None:
        self._trusted = trusted
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, socket.AddressFamily(family))
        if host == self._trusted:
            return found
        public = [entry for entry in found if not _private(entry["host"])]
        if not public:
            raise OSError(errno.EHOSTUNREACH, f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def _private(host: str) -> bool:
    """Return whether `host` is written as an address that is not public (a name is judged once it is resolved)."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def source_for(setting: str) -> Source:
    """Return the source that MODELDECK_PRESETS_URL names; "" is the starter catalog. Raises ValueError."""
    if not setting:
        starter = importlib.resources.files("catalog") / "data" / "starter.yaml"
        return FileSource(Path(str(starter)), name=STARTER)
    parts = urlsplit(setting)
    if parts.scheme in ("http", "https") and parts.hostname:
        return HttpSource(setting)
    if parts.scheme == "file":
        return FileSource(Path(unquote(parts.path)))
    if "://" in setting:
        raise ValueError("write an http:// or https:// URL, or the path of a file")
    return FileSource(Path(setting).expanduser().absolute())
