"""Reading a header under a cap, and cutting what a stranger wrote into it."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from modeldeck_events.modelfiles import ModelMetadata

MAX_BYTES = 32 * 1024 * 1024
"""So much of a file is read at most: the vocabulary of a language model takes up to some 15 MB."""
FIRST_BLOCK_BYTES = 16 * 1024
MAX_BLOCK_BYTES = 1024 * 1024
MAX_TEXT_CHARS = 300
MAX_TAGS = 50
MAX_COUNT = 2**63 - 1
"""Larger numbers cannot be told to everybody as JSON."""


class Header(NamedTuple):
    """What a header tells. `metadata` is None for a format that is not read; of a broken file it may be, too."""

    whole: bool | None
    metadata: ModelMetadata | None


class TooShortError(Exception):
    """The file ends before what it promises."""


class CapError(Exception):
    """The header is larger than is read here."""


class Input:
    """A file that is read forward, in growing blocks, and skipped through without reading.

    What lies beyond the end of the file raises TooShortError, what would take more than MAX_BYTES CapError.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.block = b""
        """What was read last; `at` is the place in it."""
        self.at = 0
        self._file = file
        self._left = MAX_BYTES
        self._next_block = FIRST_BLOCK_BYTES
        self._block_ends = 0

    @property
    def position(self) -> int:
        """The place in the file."""
        return self._block_ends - len(self.block) + self.at

    def peek(self, count: int) -> bytes:
        """Return up to `count` bytes from here without moving."""
        self._fill(count)
        return self.block[self.at : self.at + count]

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > self.size_bytes - self.position:
            raise TooShortError
        self._fill(count)
        if len(self.block) - self.at < count:
            raise TooShortError  # it was cut since its size was asked for
        self.at += count
        return self.block[self.at - count : self.at]

    def skip(self, count: int) -> None:
        """Move on without reading more than is needed."""
        if count > self.size_bytes - self.position:
            raise TooShortError
        self.at += count
        if self.at > len(self.block):
            self._block_ends += self.at - len(self.block)
            self._file.seek(self._block_ends)
            self.block, self.at = b"", 0

    def _fill(self, count: int) -> None:
        """Have `count` bytes in the block from here on, fewer at the end of the file."""
        missing = count - (len(self.block) - self.at)
        if missing <= 0:
            return
        if missing > self._left:
            raise CapError
        read = self._file.read(min(max(missing, self._next_block), self._left))
        self._left -= len(read)
        self._next_block = min(self._next_block * 4, MAX_BLOCK_BYTES)
        self.block, self.at = self.block[self.at :] + read, 0
        self._block_ends += len(read)


def text(value: object) -> str | None:
    """Return a stranger's text, cut to MAX_TEXT_CHARS; None when there is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    value = value.strip()
    return value if len(value) <= MAX_TEXT_CHARS else value[: MAX_TEXT_CHARS - 1] + "…"


def tags(values: list[str]) -> tuple[str, ...]:
    """Return a stranger's tags, cut, each once."""
    return tuple(dict.fromkeys(cut for value in values[:MAX_TAGS] if (cut := text(value))))


def count(value: int) -> int | None:
    """Return a number that everybody can read, None for any other."""
    return value if 0 <= value <= MAX_COUNT else None
