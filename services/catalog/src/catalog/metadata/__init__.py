"""What a model file says of itself in its header: whether it is whole, and which model it is. Pure but for the reading.

    header = read(file, "gguf", size_bytes)

Everything in a header is a stranger's text: read under caps, cut, and shown as text only. What is not said is absent.
"""

from __future__ import annotations

from typing import BinaryIO

from catalog.metadata import gguf, safetensors
from catalog.metadata.capped import Header, Input

FORMATS = frozenset(("gguf", "safetensors", "sft"))
"""The formats whose headers are read; a file of these that is not broken always has metadata, maybe empty."""
START_BYTES = 512
_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<head")


def read(file: BinaryIO, file_format: str, size_bytes: int) -> Header:
    """Return what the header of a file tells; never raises but OSError.

    `whole` is false for a file that is certainly broken: empty, a web page under a model's name, a header that promises
    other bytes than there are, no GGUF magic in a .gguf; true for one whose header agrees; None when it cannot tell.
    `file` stands at its start; at most `capped.MAX_BYTES` and one block are read.
    """
    source = Input(file, size_bytes)
    start = source.peek(START_BYTES)
    if not start or start.lstrip().lower().startswith(_PAGES):
        return Header(False, None)
    match file_format:
        case "safetensors" | "sft":
            return safetensors.read(source)
        case "gguf":
            return gguf.read(source)
        case _:
            return Header(None, None)


__all__ = ["FORMATS", "Header", "read"]
