"""Where a document comes from: an http(s) URL, a file, or one that ships inside this package.

A document may consist of several files: `members` looks at the first one and names those that lie beside it. All of
them are fetched or none counts; they come back as one bundle.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import msgspec
from yarl import URL

from catalog.bundle import Bundle, Member, pack, unpack
from catalog.capped_yaml import MAX_BYTES
from catalog.web import SourceError, WebReader

LIMIT_S = 30.0
MAX_MEMBER_BYTES = 1024 * 1024
AT_ONCE = 8
"""So many files of one document are fetched at the same time."""
INDEX = "registry.json"
"""What is read of a folder."""
STARTER = "starter"
_NOT_THERE = frozenset((404, 410))

Members = Callable[[bytes], Sequence[str] | None]
"""Which further files a document names (checked relative paths); None when it stands alone."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The document's bytes; `etag` names this version of it, "" when the source has none.

    Of a bundle it holds, as JSON, the ETag of each file by its name, the document's own under "".
    """

    data: bytes
    etag: str = ""


class Source(Protocol):
    """One source; `name` may be shown (no credentials, no query)."""

    name: str
    remote: bool

    async def fetch(self, kept: Fetched | None) -> Fetched | None:
        """Return the document, None when it is still `kept` (what it gave before); raises SourceError."""
        ...


class FileSource:
    """A file of this machine, or a folder with a `registry.json`, read anew each time."""

    remote = False

    def __init__(self, path: Path, name: str = "", members: Members | None = None) -> None:
        self.name = name or str(path)
        self._path = path
        self._members = members

    async def fetch(self, kept: Fetched | None) -> Fetched | None:
        """Return the file's bytes; nothing kept is needed for that."""
        del kept
        try:
            return Fetched(await asyncio.to_thread(self._read))
        except OSError as error:
            message = f"the file {self.name} cannot be read: {error.strerror or error}"
            raise SourceError(message, code="source_unreadable", status=503) from error

    def _read(self) -> bytes:
        path = self._path / INDEX if self._members is not None and self._path.is_dir() else self._path
        data = _read_file(path, MAX_BYTES)
        names = self._members(data) if self._members is not None else None
        if names is None:
            return data
        room = MAX_BYTES - len(data)
        files = {}
        for name in names:
            files[name], size = _read_member(path.parent, name)
            room -= size
            if room < 0:
                raise OSError(f"its files have more than {MAX_BYTES} bytes in all")
        return pack(Bundle(data.decode(), files))


def _read_member(folder: Path, name: str) -> tuple[Member, int]:
    """Return one file beside the document, and its size; what is wrong with it is its own problem."""
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            return Member(problem="it is a link out of the folder"), 0
        data = _read_file(path, MAX_MEMBER_BYTES)
    except OSError as error:
        return Member(problem=error.strerror or str(error)), 0
    return _member(data), len(data)


def _read_file(path: Path, max_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(f"it has more than {max_bytes} bytes")
    return data


def _member(data: bytes) -> Member:
    try:
        return Member(data.decode())
    except UnicodeDecodeError as error:
        return Member(problem=f"byte {error.start}: not UTF-8")


class HttpSource:
    """A file on a web server, or a folder (the URL ends with /) with a `registry.json`; see WebReader for redirects.

    The files of a registry are looked for where it was really found, and nowhere else.
    """

    remote = True

    def __init__(self, url: str, members: Members | None = None, *, limit_s: float = LIMIT_S) -> None:
        parts = urlsplit(url)
        self._url = URL(url)
        if members is not None and self._url.path.endswith("/"):
            self._url = self._url.join(URL(INDEX)).with_query(self._url.query)
        self._members = members
        self._limit_s = limit_s
        self.name = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    async def fetch(self, kept: Fetched | None) -> Fetched | None:
        """Fetch, within the limit in all; a status that is not 200 is passed on, no answer is a 503."""
        try:
            async with asyncio.timeout(self._limit_s), WebReader(self._url) as web:
                return await self._fetch(web, kept)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = f"no answer within {self._limit_s:g} s" if isinstance(error, TimeoutError) else str(error)
            message = f"{self.name} cannot be reached: {reason or type(error).__name__}"
            raise SourceError(message, code="upstream_unreachable", status=503) from error

    async def _fetch(self, web: WebReader, kept: Fetched | None) -> Fetched | None:
        before = unpack(kept.data) if kept is not None else None
        etags = {"": kept.etag} if kept is not None and before is None else _etags(kept.etag if kept else "")
        answer = await web.get(self._url, etags.get("", ""), name=self.name, max_bytes=MAX_BYTES)
        if answer.data is None and before is None:
            return None
        data = before.root.encode() if answer.data is None and before is not None else answer.data or b""
        names = await asyncio.to_thread(self._members, data) if self._members is not None else None
        if names is None:
            return Fetched(data, answer.etag)
        folder = answer.url.with_query(None).parent
        found = await self._fetch_members(web, folder, names, before.files if before is not None else {}, etags)
        if sum(len(member.text.encode()) for member, _ in found.values()) > MAX_BYTES - len(data):
            message = f"{self.name} names files of more than {MAX_BYTES} bytes in all; refused"
            raise SourceError(message, code="upstream_refused", status=502)
        new = {"": answer.etag} | {name: etag for name, (_, etag) in found.items() if etag}
        bundle = Bundle(data.decode(), {name: member for name, (member, _) in found.items()})
        return Fetched(pack(bundle), msgspec.json.encode(new).decode())

    async def _fetch_members(
        self, web: WebReader, folder: URL, names: Sequence[str], before: Mapping[str, Member], etags: Mapping[str, str]
    ) -> dict[str, tuple[Member, str]]:
        """Return each file with its ETag; one that cannot be had for now makes all of them fail."""
        found: dict[str, tuple[Member, str]] = {}
        left = iter(names)
        room = MAX_BYTES

        async def work() -> None:
            nonlocal room
            for name in left:
                member = before.get(name, Member())
                found[name] = await self._fetch_member(web, folder, name, member, etags.get(name, ""))
                room -= len(found[name][0].text)
                if room < 0:
                    return  # the caller refuses it all

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return {name: found[name] for name in names if name in found}

    async def _fetch_member(
        self, web: WebReader, folder: URL, name: str, before: Member, etag: str
    ) -> tuple[Member, str]:
        url = folder.joinpath(*name.split("/"))
        shown = f"{name!a} beside {self.name}"
        try:
            answer = await web.get(
                url, etag if before.text else "", name=shown, max_bytes=MAX_MEMBER_BYTES, within=folder
            )
        except SourceError as error:
            if error.code == "upstream_refused" or error.status in _NOT_THERE:
                return Member(problem=str(error)), ""
            raise
        return (before if answer.data is None else _member(answer.data)), answer.etag


def _etags(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def source_for(setting: str, *, starter: str = "starter.yaml", members: Members | None = None) -> Source:
    """Return the source that a setting names; "" is the file `starter` of this package. Raises ValueError."""
    if not setting:
        return FileSource(Path(str(importlib.resources.files("catalog") / "data" / starter)), name=STARTER)
    parts = urlsplit(setting)
    if parts.scheme in ("http", "https") and parts.hostname:
        return HttpSource(setting, members)
    if parts.scheme == "file":
        return FileSource(Path(unquote(parts.path)), members=members)
    if "://" in setting:
        raise ValueError("write an http:// or https:// URL, or the path of a file")
    return FileSource(Path(setting).expanduser().absolute(), members=members)
