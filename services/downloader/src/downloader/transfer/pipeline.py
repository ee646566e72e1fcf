"""From filled blocks to bytes on the disk and a hash: writes in threads, hashes in order, never loses a claim.

A block goes two ways at once: it is written at its offset, and hashed when the hash has come to its offset. Bytes that
come in order are hashed from memory and never read again. Bytes ahead of the hash (other connections, or a resumed
file) wait in memory while the budget allows, and are else read back from the disk.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from time import monotonic

from downloader.errors import DiskError
from downloader.transfer.blocks import Block, BlockPool
from downloader.transfer.staging import ALIGNMENT, OUT_OF_SPACE, Staging

# What a kill can cost beside the blocks being filled: filled blocks that no write has taken yet.
MAX_UNWRITTEN_BYTES = 3 << 20
READ_BACK_BYTES = 8 << 20
SEAL_BYTES = 256 << 20
SEAL_S = 30.0


class Pipeline:
    """Takes the blocks of one file, on the event loop. `stop` must be awaited before the staging file is closed."""

    def __init__(self, staging: Staging, pool: BlockPool, io: Executor) -> None:
        self.staging = staging
        self.error: BaseException | None = None
        # Makes the staging file, in the thread of the first write, when nobody made it before: for small files.
        self.place: Callable[[], None] | None = None
        self._placing = Lock()
        self.held_up = False  # somebody had to wait for the disk or the hash since this was last set to False
        self.hashed_bytes = 0  # handed to the hasher: where the hash is, or will be in a moment
        self._pool = pool
        self._io = io
        self._loop = asyncio.get_running_loop()
        self._hasher: ThreadPoolExecutor | None = None
        self._hash = hashlib.sha256()
        self._ahead: dict[int, Block] = {}
        self._reading_back = False
        self._unwritten = 0
        self._busy = 0
        self._changed = asyncio.Event()
        self._sealing = False
        self._unsealed_bytes = 0
        self._sealed_at = monotonic()
        self._waiting: list[Callable[[], None]] = []
        pool.reclaim.append(self._give_one_up)

    def take_block(self, capacity: int, wake: Callable[[], None]) -> Block | None:
        """Lend memory for the next bytes, or None: then `wake` is called once when it is worth asking again."""
        if self._unwritten >= MAX_UNWRITTEN_BYTES:
            self._waiting.append(wake)
        elif (block := self._pool.take(capacity)) is not None:
            return block
        else:
            self._pool.call_when_free(wake)
        self.held_up = True
        return None

    def submit(self, block: Block) -> None:
        """Take a filled block: its `offset` and `size` say which bytes of the file it holds."""
        if self.error is not None or not block.size:
            self._pool.give(block)
            return
        self._unwritten += block.size
        if self._is_whole_file(block):  # one way through one thread
            block.uses, self.hashed_bytes = 1, block.size
            self._start(self._io, partial(self._write_and_hash, block), partial(self._written, block))
            return
        block.uses = 2  # the write, the hash
        self._start(self._io, partial(self._write, block), partial(self._written, block))
        self._ahead[block.offset] = block
        self.advance()

    def advance(self) -> None:
        """Hash on, as far as bytes are there: in memory, or on the disk."""
        while not self._reading_back and self.error is None:
            start = self.hashed_bytes
            block = self._ahead.pop(start, None)
            if block is not None:
                self.hashed_bytes += block.size
                hashing = partial(self._hash.update, block.bytes)
                self._start(self._hashing_thread(), hashing, partial(self._done_with, block))
                continue
            run_end = self.staging.claimed.end_of_run(start)
            if run_end == start:
                return
            in_memory = (offset for offset in self._ahead if offset > start)
            end = min(run_end, start + READ_BACK_BYTES, *in_memory)
            self._reading_back = True
            self.hashed_bytes = end
            self._start(self._hashing_thread(), partial(self._hash_from_disk, start, end), self._read_back)

    async def written(self) -> None:
        """Wait until every submitted block is on the disk and claimed; raise what went wrong."""
        while self._unwritten and self.error is None:
            self._changed.clear()
            await self._changed.wait()
        if self.error is not None:
            raise self.error

    async def digest(self) -> str:
        """Return the SHA-256 of everything claimed, once the hash has come to its end and all is written."""
        self.advance()
        await self._until_calm()
        if self.error is not None:
            raise self.error
        return self._hash.hexdigest()

    async def stop(self) -> None:
        """Wait for the threads that touch the file, give the memory back. Cancelling does not hurry it."""
        if self.error is None:
            self.error = asyncio.CancelledError()
        if self._give_one_up in self._pool.reclaim:
            self._pool.reclaim.remove(self._give_one_up)
        cancelled = False
        while self._busy:
            try:
                await self._until_calm()
            except asyncio.CancelledError:
                cancelled = True
        for block in self._ahead.values():
            self._pool.give(block)
        self._ahead.clear()
        if self._hasher is not None:
            self._hasher.shutdown(wait=False)
        self._wake_all()
        if cancelled:
            raise asyncio.CancelledError

    # Threads and their ends

    def _start(self, executor: Executor, work: Callable[[], None], then: Callable[[], None]) -> None:
        self._busy += 1
        executor.submit(work).add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._ended, future, then)
        )

    def _ended(self, future: Future[None], then: Callable[[], None]) -> None:
        self._busy -= 1
        error = future.exception()
        if error is not None:  # before `then`: what was not written must not be claimed
            self.fail(error)
        try:
            then()
        except OSError as journal_error:
            self.fail(journal_error)
        self._changed.set()

    async def _until_calm(self) -> None:
        while self._busy:
            self._changed.clear()
            await self._changed.wait()

    def fail(self, error: BaseException) -> None:
        """End the file's transfer with this error; the first one counts."""
        if self.error is None or isinstance(self.error, asyncio.CancelledError):
            self.error = error
            if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
                self.error = self.staging.no_space(self._unwritten)
            elif isinstance(error, OSError):
                message = f"Writing {self.staging.target.path} failed: {error.strerror or error}. Check the disk."
                self.error = DiskError("disk_error", message, retryable=True)
            if self.error is not error:
                self.error.__cause__ = error
        self._wake_all()

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    # Writing

    def _is_whole_file(self, block: Block) -> bool:
        identity = self.staging.identity
        return identity is not None and identity.size == block.size and not (block.offset or self.hashed_bytes)

    def _write_and_hash(self, block: Block) -> None:
        """In a thread: do all that a file of one block needs."""
        self._write(block)
        self._hash.update(block.bytes)

    def _write(self, block: Block) -> None:
        """In a thread: write all of a block, past the page cache where that is possible."""
        with self._placing:
            if self.place is not None:
                self.place()
                self.place = None
        staging, offset, data = self.staging, block.offset, block.bytes
        direct_fd = staging.direct_fd
        if direct_fd is not None and offset % ALIGNMENT == 0 and len(data) % ALIGNMENT == 0:
            try:
                written = os.pwrite(direct_fd, data, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                written = 0  # this file system wants another alignment: the page cache takes any
            if written == len(data):
                return
            offset, data = offset + written, data[written:]
        while data:
            written = os.pwrite(staging.fd, data, offset)
            offset, data = offset + written, data[written:]

    def _written(self, block: Block) -> None:
        start, end = block.offset, block.offset + block.size
        self._unwritten -= block.size
        self._unsealed_bytes += block.size
        self._done_with(block)  # before the journal's disk can be full: a block that is not given back is lost for all
        if self.error is None or isinstance(self.error, asyncio.CancelledError):
            self.staging.claim(start, end)
        self._seal_at_times()
        if self._unwritten < MAX_UNWRITTEN_BYTES:
            self._wake_all()

    def _seal_at_times(self) -> None:
        due = self._unsealed_bytes >= SEAL_BYTES or monotonic() - self._sealed_at >= SEAL_S
        if not due or self._sealing or self.error is not None or not self.staging.journaled:
            return
        self._sealing, self._unsealed_bytes, self._sealed_at = True, 0, monotonic()
        self._start(self._io, partial(self.staging.seal, list(self.staging.claimed)), self._sealed)

    def _sealed(self) -> None:
        self._sealing = False

    # Hashing

    def _hashing_thread(self) -> Executor:
        """Return the one thread that keeps the order."""
        if self._hasher is None:
            self._hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")
        return self._hasher

    def _hash_from_disk(self, start: int, end: int) -> None:
        """In the hash thread: take bytes that are on the disk already."""
        scratch = memoryview(bytearray(min(end - start, 1 << 20)))
        while start < end:
            size = os.preadv(self.staging.fd, [scratch[: end - start]], start)
            if size == 0:
                raise OSError(errno.EIO, "the staging file is shorter than its journal claims")
            self._hash.update(scratch[:size])
            start += size

    def _read_back(self) -> None:
        self._reading_back = False
        self.advance()

    def _done_with(self, block: Block) -> None:
        block.uses -= 1
        if block.uses == 0:
            self._pool.give(block)

    def _give_one_up(self) -> bool:
        """Forget the block that the hash reaches last, if it is on the disk already: it is read back then."""
        written = [offset for offset, block in self._ahead.items() if block.uses == 1]
        if not written:
            return False
        self._pool.give(self._ahead.pop(max(written)))
        return True
