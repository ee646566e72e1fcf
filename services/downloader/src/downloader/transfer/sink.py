"""Where a response's body goes: into blocks, at the place in the file that its segment says."""

from __future__ import annotations

from collections.abc import Callable

from downloader.errors import TransferError
from downloader.transfer.blocks import Block
from downloader.transfer.pipeline import Pipeline
from downloader.transfer.segments import Segment
from downloader.transfer.staging import ALIGNMENT


class SegmentSink:
    """A body sink (see `connection.BodySink`) for one segment. `flush` must be called at the end, however it ends.

    `look_at_first` sees the first bytes of the file before they are written and may raise a TransferError, which is
    kept in `error` and ends the body.
    """

    def __init__(
        self, pipeline: Pipeline, segment: Segment, block_bytes: int, look_at_first: Callable[[bytes], None]
    ) -> None:
        self.error: TransferError | None = None
        self._pipeline = pipeline
        self._segment = segment
        self._block_bytes = block_bytes
        self._look_at_first = look_at_first
        self._block: Block | None = None
        self._capacity = 0

    @property
    def satisfied(self) -> bool:
        """True when the segment is whole, or its bytes are useless."""
        useless = self.error is not None or self._pipeline.error is not None
        return useless or self._segment.position >= self._segment.end

    def get_buffer(self, wake: Callable[[], None]) -> memoryview | None:
        """Return where the next bytes of the segment go."""
        block, position = self._block, self._segment.position
        if block is None:
            block = self._pipeline.take_block(self._block_bytes, wake)
            if block is None:
                return None
            block.offset, block.size = position, 0
            # A block that begins askew ends straight, so that the ones after it can go past the page cache.
            self._capacity = self._block_bytes - position % ALIGNMENT
            self._block = block
        return block.memory[block.size : min(self._capacity, block.size + self._segment.left)]

    def filled(self, size_bytes: int) -> None:
        """Take what was put into the buffer."""
        if self._block is None:
            raise AssertionError("bytes came for a buffer that was not given")
        self._block.size += size_bytes
        self._segment.position += size_bytes
        if self._block.size == self._capacity or self._segment.position >= self._segment.end:
            self.flush()

    def flush(self) -> None:
        """Hand over what is filled."""
        block, self._block = self._block, None
        if block is None:
            return
        if block.offset == 0 and block.size:
            try:
                self._look_at_first(bytes(block.bytes[:512]))
            except TransferError as error:
                self.error = error
                block.size = 0
        self._pipeline.submit(block)
