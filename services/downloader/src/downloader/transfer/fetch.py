"""One file from its URL into its staging file, every byte claimed: first request, resume, segments, starting over.

The steps of an attempt:
1. Ask for what is missing first, with If-Range when something is staged already.
2. 206 that fits what is staged: go on. 206 on an empty staging: learn length and validator, begin.
   200: the server gives all or nothing; begin from zero with this very answer. 416: whole already, or start over.
3. Fetch the rest over several connections (`crew`), each checking that its 206 belongs to the same bytes.
4. Anything that does not fit starts over from zero; nothing is ever mixed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from downloader.errors import LinkError, SourceError, VerificationError
from downloader.limits import BandwidthLimiter
from downloader.transfer.belonging import (
    StartOverError,
    check_same,
    part_told,
    refuse_unsafe_parts,
    refuse_wrong_kind,
    validator_of,
)
from downloader.transfer.blocks import LARGE_BLOCK_BYTES, SMALL_BLOCK_BYTES, BlockPool
from downloader.transfer.client import HttpClient
from downloader.transfer.crew import FIRST_SEGMENT_BYTES, Crew
from downloader.transfer.headers import parse_content_range
from downloader.transfer.journal import Identity
from downloader.transfer.locator import Locator, Stated
from downloader.transfer.model import FileRequest
from downloader.transfer.pipeline import Pipeline
from downloader.transfer.response import Response
from downloader.transfer.segments import Segment, SegmentPlan
from downloader.transfer.sink import SegmentSink
from downloader.transfer.staging import Staging
from downloader.transfer.threads import in_thread
from downloader.transfer.verify import has_header_check, refuse_html

MAX_START_OVERS = 3
PROGRESS_BYTES = 1 << 20
UNJOURNALED_BYTES = 4 << 20  # a kill may cost all of so small a file, and a journal would cost more than it saves
UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class Means:
    """What the files of an engine share."""

    client: HttpClient
    pool: BlockPool
    io: Executor
    limiter: BandwidthLimiter
    connections: int
    disk_reserve_bytes: int


class FileFetch:
    """Brings one file into its staging. `stop` must be awaited at the end, however it ends."""

    def __init__(
        self,
        request: FileRequest,
        staging: Staging,
        locator: Locator,
        means: Means,
        before_begin: Callable[[Stated], Awaitable[None]],
    ) -> None:
        self.fetched_bytes = 0
        self.resumed_from_bytes = 0
        self.pipeline: Pipeline | None = None
        self.size: int | None = None
        self._request = request
        self._staging = staging
        self._locator = locator
        self._means = means
        self._before_begin = before_begin
        self._crew: Crew | None = None
        self._ranges = True
        self._asked_before_begin = False

    @property
    def expected_sha256(self) -> str | None:
        """The hash that the catalog, else the hub, promises."""
        staged = self._staging.identity.sha256 if self._staging.identity is not None else None
        return self._request.sha256 or self._locator.hub_sha256 or staged

    @property
    def done_bytes(self) -> int:
        """Bytes that are safe in staging."""
        return self._staging.claimed.total

    async def run(self) -> None:
        """Fetch until the staging file is whole. Raises TransferError."""
        self._adopt_staged()
        start_overs = 0
        while not self._whole():
            before = self.done_bytes
            try:
                try:
                    await self._attempt()
                finally:
                    await self._written()
            except StartOverError as error:
                start_overs += 1
                self._ranges = self._ranges and error.ranges
                await self._forget()
            except LinkError as error:
                progress = self.done_bytes - before >= PROGRESS_BYTES
                if error.code != "closed_early" or not self._can_resume() or not progress:
                    raise
            if start_overs > MAX_START_OVERS:
                raise SourceError(
                    "source_changed", "The file keeps changing while it is fetched. Try again later.", retryable=True
                )

    async def stop(self) -> None:
        """Let the threads finish what they have of this file."""
        pipeline, self.pipeline = self.pipeline, None
        if pipeline is not None:
            await pipeline.stop()

    # What is staged

    def _adopt_staged(self) -> None:
        """Keep what an earlier run staged, if it is of this URL, or of any with the same promised hash."""
        staged, request = self._staging.identity, self._request
        if staged is None:
            return
        promised = request.sha256
        same_content = promised is not None and promised == staged.sha256
        fits = staged.resumable and (staged.url == request.url or same_content)
        fits = fits and (promised is None or staged.sha256 in (None, promised))
        fits = fits and (request.size_bytes is None or staged.size in (None, request.size_bytes))
        if not fits:
            self._staging.identity = None
            return
        if staged.url != request.url:  # another server's validators mean nothing here; the hash will tell
            self._staging.identity = replace(staged, validator=None)
        self.size = staged.size
        self.resumed_from_bytes = self.done_bytes
        self._asked_before_begin = True
        self._new_pipeline()

    def _whole(self) -> bool:
        return self._staging.identity is not None and self.size is not None and self.done_bytes >= self.size

    def _can_resume(self) -> bool:
        identity = self._staging.identity
        return self._ranges and identity is not None and identity.resumable

    async def _forget(self) -> None:
        await self.stop()
        self._staging.identity = None
        self.size = None
        self.resumed_from_bytes = 0

    def _new_pipeline(self) -> Pipeline:
        self.pipeline = Pipeline(self._staging, self._means.pool, self._means.io)
        self.pipeline.advance()
        return self.pipeline

    async def _begin(self, response: Response, total: int | None, *, ranges: bool) -> None:
        """Learn what the file is, ask whether it is wanted, make place for it, drop what was staged."""
        request, locator, host = self._request, self._locator, response.hop.netloc
        etag = response.headers.get("etag")
        for stated, who in ((request.size_bytes, "the catalog"), (locator.hub_size, "the hub")):
            if stated is not None and total is not None and stated != total:
                message = f"{request.path} has {total:,} bytes on {host}, but {who} says {stated:,}."
                raise VerificationError("size_mismatch", message, host=host)
        if request.sha256 and locator.hub_sha256 and request.sha256 != locator.hub_sha256:
            message = f"{request.path}: the catalog wants SHA-256 {request.sha256}, {host} has {locator.hub_sha256}."
            raise VerificationError("hash_mismatch", message, host=host)
        expected = request.sha256 or locator.hub_sha256
        if not self._asked_before_begin:
            await self._before_begin(Stated(total, expected, host, etag))
            self._asked_before_begin = True
        validator = validator_of(response)
        await self.stop()
        identity = Identity(request.url, total, validator if ranges else None, expected, host, etag)
        journaled = ranges and identity.resumable and (total is None or total > UNJOURNALED_BYTES)
        make_place = partial(self._make_place, identity, journaled)
        one_block = total is not None and 0 < total <= LARGE_BLOCK_BYTES
        with_the_write = one_block and not journaled and self._staging.untouched
        if with_the_write:  # so small a file is not worth a way to a thread of its own
            self._staging.identity = identity
        else:
            await in_thread(self._means.io, make_place)
        self.size, self.resumed_from_bytes = total, 0
        self._new_pipeline().place = make_place if with_the_write else None

    def _make_place(self, identity: Identity, journaled: bool) -> None:
        """In a thread: drop what is staged, take the space."""
        self._staging.begin(identity, journaled)
        reserve_bytes, guess = self._means.disk_reserve_bytes, self._request.approx_size_bytes
        if identity.size is not None and 0 < identity.size <= LARGE_BLOCK_BYTES:
            self._staging.check_room(identity.size, reserve_bytes)  # it is written in one go: nothing to hold for it
        elif identity.size is not None:
            self._staging.reserve(identity.size, reserve_bytes)
        elif guess is not None:
            self._staging.check_room(guess, reserve_bytes)

    # Asking

    async def _attempt(self) -> None:
        identity, first = self._staging.identity, None
        if identity is not None and self._can_resume():
            gaps = self._staging.claimed.gaps(self.size if self.size is not None else UNBOUNDED)
            first, end = gaps[0]
            if_range = identity.validator if self.done_bytes else None
        elif self._ranges:
            first, end, if_range = 0, UNBOUNDED, None
        if first is None:
            response = await self._locator.open(None)
        else:
            response = await self._locator.open(first, min(end, first + FIRST_SEGMENT_BYTES) - 1, if_range)
        with self._owned(response):
            refuse_wrong_kind(response, self._request.path)
            if response.status == 200:
                await self._take_all(response)
            elif first is None:
                raise SourceError("bad_response", "The server sent a part that nobody asked for.", retryable=True)
            elif response.status == 416:
                await self._take_unsatisfied(response)
            else:
                await self._take_part(response, first)

    def _owned(self, response: Response) -> AbstractContextManager[None]:
        return self._means.client.owned(response)

    async def _take_all(self, response: Response) -> None:
        """Take a whole body: the server does not do ranges, or the file is another one now."""
        accepts = response.headers.get("accept-ranges", "").lower() == "bytes"
        await self._begin(response, response.length, ranges=accepts and response.length is not None)
        limit = self._request.size_bytes if self._request.size_bytes is not None else self._locator.hub_size
        end = response.length if response.length is not None else (UNBOUNDED if limit is None else limit + 1)
        segment = Segment(0, end, 0)
        if end:
            await self._receive(response, segment, LARGE_BLOCK_BYTES)
        if response.length is None:
            await self._settle_size(response, segment.position, limit)

    async def _settle_size(self, response: Response, received: int, limit: int | None) -> None:
        host, path = response.hop.netloc, self._request.path
        if limit is not None and received > limit:
            message = f"{path}: {host} sends more than the {limit:,} bytes that were stated."
            raise VerificationError("size_mismatch", message, host=host)
        if limit is not None and received < limit:
            message = f"{host} ended {path} after {received:,} of {limit:,} bytes."
            raise LinkError("closed_early", message, retryable=True, host=host)
        if response.ends_by_close and limit is None and not (self.expected_sha256 or has_header_check(path)):
            message = f"{host} does not say how long {path} is, so nobody can tell whether it is whole. State its size."
            raise SourceError("length_unknown", message, host=host)
        await self._written()
        self.size = received

    async def _written(self) -> None:
        if self.pipeline is not None:
            await self.pipeline.written()

    async def _take_unsatisfied(self, response: Response) -> None:
        """Take a 416: staging has everything already, or what is staged is of another file."""
        told = parse_content_range(response.headers.get("content-range"))
        total = told.total if told is not None else None
        identity = self._staging.identity
        if total == 0 and not self.done_bytes:
            await self._begin(response, 0, ranges=False)
        elif identity is not None and self.size is None and total == self.done_bytes:
            self.size = total
        else:
            raise StartOverError(ranges=self.done_bytes > 0)

    async def _take_part(self, response: Response, first: int) -> None:
        told = part_told(response, first)
        identity = self._staging.identity
        if identity is None or not self.done_bytes:
            if first:
                raise StartOverError
            refuse_unsafe_parts(response, told, self.expected_sha256)
            await self._begin(response, told.total, ranges=True)
        else:
            check_same(response, told, identity, self.size, self._locator.hub_sha256)
        if self.size is None:
            self.size = told.total
        plan = SegmentPlan(self.size or 0, self._staging.claimed)
        last = told.last if told.last is not None else first
        segment = plan.take(last + 1 - first)
        if segment is None or segment.start != first:
            raise StartOverError
        self._crew = Crew(plan, self._means.connections, self._fetch_segment, self._slowed_by_us)
        await self._crew.run(segment, response)

    # Receiving

    async def _fetch_segment(self, segment: Segment, response: Response | None) -> None:
        if response is not None:
            with self._owned(response):
                await self._receive(response, segment, LARGE_BLOCK_BYTES)
            return
        identity = self._staging.identity
        if identity is None:
            raise StartOverError
        last = segment.end - 1  # a steal may move the end down while the answer is on its way
        response = await self._locator.open(segment.start, last, identity.validator)
        with self._owned(response):
            if response.status != 206:
                etag = response.headers.get("etag")
                raise StartOverError(ranges=response.status == 200 and etag != identity.etag)
            told = part_told(response, segment.start)
            if told.last is not None and told.last > last:
                raise StartOverError(ranges=False)
            check_same(response, told, identity, self.size, self._locator.hub_sha256)
            alone = self._crew is None or self._crew.working == 1
            block = LARGE_BLOCK_BYTES if alone else SMALL_BLOCK_BYTES
            await self._receive(response, segment, block)

    async def _receive(self, response: Response, segment: Segment, block_bytes: int) -> None:
        pipeline = self.pipeline
        if pipeline is None:
            raise AssertionError("bytes came before their place was made")
        host = response.hop.netloc
        sink = SegmentSink(pipeline, segment, block_bytes, lambda head: refuse_html(self._request.path, head, host))
        try:
            await response.receive(sink)
        finally:
            sink.flush()
            self.fetched_bytes += segment.position - segment.start
        if sink.error is not None:
            raise sink.error
        if pipeline.error is not None:
            raise pipeline.error

    def _slowed_by_us(self) -> bool:
        pipeline, limiter = self.pipeline, self._means.limiter
        held_up = pipeline is not None and pipeline.held_up
        if pipeline is not None:
            pipeline.held_up = False
        return held_up or limiter.throttled
