"""Page-aligned memory for bytes on their way from a socket to a disk, within one budget for all transfers."""

from __future__ import annotations

import mmap
from collections.abc import Callable

LARGE_BLOCK_BYTES = 1 << 20
SMALL_BLOCK_BYTES = 256 << 10
BUDGET_BYTES = 48 << 20


class Block:
    """Aligned memory; `uses` counts who still needs its bytes."""

    __slots__ = ("memory", "offset", "size", "uses")

    def __init__(self, capacity: int) -> None:
        self.memory = memoryview(mmap.mmap(-1, capacity))  # unmapped when the last view of it is gone
        self.offset = 0
        self.size = 0
        self.uses = 0

    @property
    def bytes(self) -> memoryview:
        """The part that is filled."""
        return self.memory[: self.size]


class BlockPool:
    """Lends blocks up to the budget. Who gets none is called when some come back. Used on one event loop.

    `reclaim` holds callbacks that can give up a block which is safe on the disk already and only waits to be hashed;
    so those who fill blocks never starve behind those who hoard them.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._left = budget_bytes
        self._free: dict[int, list[Block]] = {LARGE_BLOCK_BYTES: [], SMALL_BLOCK_BYTES: []}
        self._waiting: list[Callable[[], None]] = []
        self.reclaim: list[Callable[[], bool]] = []

    def take(self, capacity: int) -> Block | None:
        """Lend a block of one of the two sizes, or None when the budget is used up."""
        while True:
            if self._free[capacity]:
                return self._free[capacity].pop()  # the warmest one
            if self._left < capacity:
                self._trim_other(capacity)
            if self._left >= capacity:
                self._left -= capacity
                return Block(capacity)
            if not any(give_up() for give_up in self.reclaim):
                return None

    def _trim_other(self, capacity: int) -> None:
        for size, blocks in self._free.items():
            while size != capacity and blocks and self._left < capacity:
                blocks.pop()
                self._left += size

    def call_when_free(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, when a block came back; it may be gone again by then."""
        self._waiting.append(wake)

    def give(self, block: Block) -> None:
        """Take a block back."""
        block.uses = 0
        self._free[len(block.memory)].append(block)
        waiting, self._waiting = self._waiting, []
        for wake in waiting:  # all of them: one alone might belong to a connection that is gone
            wake()

    def trim(self) -> None:
        """Give unused memory back to the system; for idle times."""
        for size, blocks in self._free.items():
            self._left += size * len(blocks)
            blocks.clear()
