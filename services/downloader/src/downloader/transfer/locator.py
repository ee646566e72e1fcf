"""From a URL to the server that has the bytes: redirects hop by hop, what the hub states, expired links renewed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from downloader.errors import RefusedError, SourceError
from downloader.sources import Hop, Sources
from downloader.transfer.answers import refusal
from downloader.transfer.client import HttpClient
from downloader.transfer.connection import Method
from downloader.transfer.headers import linked_sha256, parse_length
from downloader.transfer.response import Response
from downloader.transfer.verify import HTML_TYPES

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
EXPIRED = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class Stated:
    """What the source says about the file before a byte of it is kept."""

    size: int | None
    sha256: str | None
    host: str
    etag: str | None


class Locator:
    """Asks for the bytes of one URL. Links that a redirect led to are kept and, when they expire, found anew."""

    def __init__(self, client: HttpClient, sources: Sources, url: str) -> None:
        self._client = client
        self._sources = sources
        self._first = sources.first(url)
        self._link: Hop | None = None
        self.hub_sha256: str | None = None
        self.hub_size: int | None = None

    async def open(self, first: int | None, last: int | None = None, if_range: str | None = None) -> Response:
        """Ask for bytes `first` to `last`, inclusive, or for all; return a 200, 206 or 416, or raise."""
        headers = {}
        if first is not None:
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
            if if_range is not None:
                headers["If-Range"] = if_range
        link = self._link
        if link is not None:
            response = await self._follow(link, headers)
            if response.status not in EXPIRED:
                return await self._accept(response)
            await self._dismiss(response)
            self._link = None
        return await self._accept(await self._follow(self._first, headers))

    async def ask(self) -> Stated:
        """Return what the source states without sending the file. Raises TransferError.

        A hub may sign its links for GET alone, so a refusal here says nothing about the file itself.
        """
        response = await self._accept(await self._follow(self._first, {}, "HEAD"))
        self._client.release(response)
        page = response.headers.get("content-type", "").split(";")[0].strip().lower() in HTML_TYPES
        # 0 is what servers answer that have not looked: an empty file is found out by asking for it.
        size = None if page else parse_length(response.headers.get("content-length")) or None
        return Stated(size, self.hub_sha256, response.hop.netloc, response.headers.get("etag"))

    async def _accept(self, response: Response) -> Response:
        if response.status in (200, 206, 416):
            self._note(response)
            if response.hop is not self._first:
                self._link = response.hop
            return response
        error = refusal(response, self._first, self._sources, token_sent=response.hop.authorization is not None)
        await self._dismiss(response)
        raise error

    async def _follow(self, hop: Hop, headers: dict[str, str], method: Method = "GET") -> Response:
        redirects, refused = 0, None
        while True:
            response = await self._client.ask(hop, headers, method)
            if response.status in REDIRECTS:
                self._note(response)
                redirects += 1
                hop = await self._next(response, redirects)
            elif response.status == 401 and hop.authorization is not None and refused is None:
                # An expired token makes some hubs refuse even public files.
                refused = refusal(response, self._first, self._sources, token_sent=True)
                await self._dismiss(response)
                hop = replace(hop, authorization=None)
            elif refused is not None and response.status in (401, 403):
                await self._dismiss(response)
                raise refused
            else:
                return response

    async def _next(self, response: Response, redirects: int) -> Hop:
        location, host = response.headers.get("location"), response.hop.netloc
        await self._dismiss(response)
        if redirects > MAX_REDIRECTS:
            raise RefusedError("too_many_redirects", f"{host} redirects without end.", host=host)
        if not location:
            raise SourceError("bad_response", f"{host} redirects to nowhere.", host=host, status=response.status)
        return self._sources.redirected(response.hop, location)

    def _note(self, response: Response) -> None:
        """Remember what Hugging Face states about an LFS file: its linked ETag is the SHA-256."""
        stated = linked_sha256(response.headers.get("x-linked-etag"))
        if stated is not None:
            self.hub_sha256 = stated
            self.hub_size = parse_length(response.headers.get("x-linked-size")) or self.hub_size

    async def _dismiss(self, response: Response) -> None:
        await response.drain()
        self._client.release(response)
