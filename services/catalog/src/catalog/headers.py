"""Whether a model file is whole, by its own header, capped: a hostile or broken file costs a bounded read."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import msgspec
from modeldeck_events.message import UNREADABLE

MAX_HEADER_BYTES = 32 * 1024 * 1024
"""safetensors allows 100 MB; the largest real headers have a few MB. Beyond this nothing is said."""
_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<head")


class _Tensor(msgspec.Struct):
    """One entry of a safetensors header; only where its bytes lie matters here."""

    data_offsets: Any = None


_HEADER = msgspec.json.Decoder(dict[str, _Tensor])


def is_whole(file: BinaryIO, file_format: str, size_bytes: int) -> bool | None:
    """Return false for a file that is certainly broken, true for one whose header agrees, None when it cannot tell.

    Reads from the file's start. Broken: empty, a web page under a model's name, a safetensors header that promises
    other bytes than there are, no GGUF magic in a .gguf.
    """
    start = file.read(512)
    if not start or start.lstrip().lower().startswith(_PAGES):
        return False
    match file_format:
        case "safetensors" | "sft":
            return _safetensors(file, start, size_bytes)
        case "gguf":
            return None if start.startswith(b"GGUF") else False
        case _:
            return None


def _safetensors(file: BinaryIO, start: bytes, size_bytes: int) -> bool | None:
    """Format: 8 bytes little-endian header length, the header's JSON, then the tensors without gaps.

    (huggingface/safetensors, README "Format"; its reader refuses a file with other than exactly these bytes.)
    """
    if len(start) < 8:
        return False
    (length,) = struct.unpack("<Q", start[:8])
    if 8 + length > size_bytes:
        return False
    if length > MAX_HEADER_BYTES:
        return None
    file.seek(8)
    try:
        header = _HEADER.decode(file.read(length))
    except UNREADABLE:
        return False
    ends = [_end(tensor.data_offsets) for name, tensor in header.items() if name != "__metadata__"]
    if None in ends:
        return False
    last: int = max((end for end in ends if end is not None), default=0)
    return 8 + int(length) + last == size_bytes


def _end(offsets: object) -> int | None:
    match offsets:
        case [int(begin), int(end)] if 0 <= begin <= end:
            return end
        case _:
            return None
