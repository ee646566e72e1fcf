"""Is this file what its name says? Checked by its own header, by readers that are capped before they allocate.

For files without a known hash. A safetensors header states the exact length of the file and a GGUF header nearly so,
which is how truncated ones are found. Formats: huggingface/safetensors README "Format", ggml-org/ggml docs/gguf.md.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import PurePosixPath
from typing import Any

from downloader.errors import SourceError, VerificationError

SAFETENSORS_HEADER_CAP = 25_000_000  # real ones have a few MB; the format would allow 100
GGUF_READ_CAP = 256 << 20
GGUF_COUNT_CAP = 1 << 20
GGUF_STRING_CAP = 1 << 26
SNIFF_BYTES = 512
_GGUF_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_GGUF_STRING, _GGUF_ARRAY = 8, 9
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_MAY_BE_HTML = frozenset({".html", ".htm", ".xhtml", ".svg", ".xml", ".md"})


class _BadHeaderError(Exception):
    """What is wrong with a header, in words."""


def may_be_html(path: str) -> bool:
    """Tell whether a file of this name may be a page."""
    return PurePosixPath(path).suffix.lower() in _MAY_BE_HTML


def refuse_html(path: str, first: bytes, host: str) -> None:
    """Raise SourceError("html_page") when a file that is no page begins like one."""
    if may_be_html(path):
        return
    start = first[:SNIFF_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise html_page(path, host)


def html_page(path: str, host: str) -> SourceError:
    """Return the error for a web page that was answered in place of a file."""
    return SourceError(
        "html_page",
        f"{host} answered with a web page instead of {PurePosixPath(path).name}: the link leads to a page, or to a "
        f"sign-in. Use the direct link to the file (on Hugging Face: /resolve/ instead of /blob/).",
        host=host,
    )


def has_header_check(path: str) -> bool:
    """Tell whether files of this name can be checked by their header."""
    return PurePosixPath(path).suffix.lower() in (".safetensors", ".gguf")


def check_header(path: str, fd: int, size: int) -> bool:
    """Check a model's header; False when the format has none. VerificationError("bad_header") when it does not fit."""
    try:
        match PurePosixPath(path).suffix.lower():
            case ".safetensors":
                _check_safetensors(fd, size)
            case ".gguf":
                _Gguf(fd, size).check()
            case _:
                return False
    except _BadHeaderError as error:
        message = f"{path} is not a whole model file: {error}. The staged bytes were discarded."
        raise VerificationError("bad_header", message) from None
    return True


def _check_safetensors(fd: int, size: int) -> None:
    raw = os.pread(fd, 8, 0)
    if len(raw) < 8:
        raise _BadHeaderError("it is too short for a safetensors header")
    (length,) = struct.unpack("<Q", raw)
    if not 2 <= length <= min(SAFETENSORS_HEADER_CAP, size - 8):
        raise _BadHeaderError(f"its header claims {length:,} bytes of a file of {size:,}")
    try:
        header = json.loads(os.pread(fd, length, 8))
    except (ValueError, RecursionError):
        raise _BadHeaderError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise _BadHeaderError("its header is not a JSON object")
    end = max((_safetensors_end(name, entry) for name, entry in header.items() if name != "__metadata__"), default=0)
    if 8 + length + end != size:
        raise _BadHeaderError(f"its tensors end at byte {8 + length + end:,}, but it has {size:,} bytes")


def _safetensors_end(name: str, entry: Any) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    match offsets:
        case [int(start), int(end)] if 0 <= start <= end:
            return end
    raise _BadHeaderError(f"the tensor {name[:80]!r} has no proper offsets")


class _Gguf:
    """A reader of GGUF headers that can neither allocate nor loop beyond its caps, nor read beyond the file."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd, self._size = fd, size
        self._position = 0
        self._buffer = b""
        self._buffer_at = 0

    def check(self) -> None:
        """Walk the whole header; every tensor has to begin inside the file."""
        if self._take(4) != b"GGUF":
            raise _BadHeaderError("it does not begin with GGUF")
        version = self._number("<I")
        if version not in (2, 3):
            raise _BadHeaderError(f"its GGUF version is {version}, known are 2 and 3")
        tensors, pairs = self._count("<Q", "tensors"), self._count("<Q", "metadata values")
        alignment = 32
        for _ in range(pairs):
            key, kind = self._string(), self._number("<I")
            if key == b"general.alignment" and kind == 4:
                alignment = self._number("<I")
            else:
                self._skip_value(kind)
        if not 0 < alignment <= 1 << 20:
            raise _BadHeaderError(f"its alignment is {alignment}")
        last = max((self._tensor_offset() for _ in range(tensors)), default=None)
        data_at = -(-self._position // alignment) * alignment
        if last is not None and data_at + last >= self._size:
            raise _BadHeaderError(f"a tensor begins at byte {data_at + last:,}, but it has {self._size:,} bytes")

    def _tensor_offset(self) -> int:
        self._string()
        dimensions = self._number("<I")
        if dimensions > 8:
            raise _BadHeaderError(f"a tensor has {dimensions} dimensions")
        self._skip(8 * dimensions + 4)
        return self._number("<Q")

    def _skip_value(self, kind: int) -> None:
        if kind in _GGUF_SCALARS:
            self._skip(_GGUF_SCALARS[kind])
        elif kind == _GGUF_STRING:
            self._string()
        elif kind == _GGUF_ARRAY:
            self._skip_array()
        else:
            raise _BadHeaderError(f"a metadata value has the unknown type {kind}")

    def _skip_array(self) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind in _GGUF_SCALARS:
            self._skip(_GGUF_SCALARS[kind] * count)
        elif kind == _GGUF_STRING:
            if count > GGUF_COUNT_CAP * 4:
                raise _BadHeaderError(f"an array has {count:,} strings")
            for _ in range(count):
                self._string()
        else:
            raise _BadHeaderError(f"an array has elements of the unknown type {kind}")

    def _count(self, form: str, what: str) -> int:
        count = self._number(form)
        if count > GGUF_COUNT_CAP:
            raise _BadHeaderError(f"it claims {count:,} {what}")
        return count

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(number)

    def _string(self) -> bytes:
        length = self._number("<Q")
        if length > GGUF_STRING_CAP:
            raise _BadHeaderError(f"a text in its header claims {length:,} bytes")
        if length > 256:  # only short keys matter here
            self._skip(length)
            return b""
        return self._take(length)

    def _skip(self, size: int) -> None:
        self._position += size
        if self._position > min(self._size, GGUF_READ_CAP):
            raise _BadHeaderError("its header goes beyond its end")

    def _take(self, size: int) -> bytes:
        start = self._position
        self._skip(size)
        if not self._buffer_at <= start <= self._position <= self._buffer_at + len(self._buffer):
            self._buffer, self._buffer_at = os.pread(self._fd, max(size, 1 << 16), start), start
        taken = self._buffer[start - self._buffer_at : self._position - self._buffer_at]
        if len(taken) != size:
            raise _BadHeaderError("it ends inside its header")
        return taken
