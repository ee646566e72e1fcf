"""Generated model files: valid headers, then bytes that only their name and place decide. Nothing is stored."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from functools import cached_property

BLOCK_BYTES = 1 << 20
SAFETENSORS_HEADER_BYTES = 256
GGUF_ALIGNMENT = 32
GGUF_STRING, GGUF_F32 = 8, 0


class GeneratedFile:
    """A file of exactly `size_bytes`, the same at every start; its kind follows from its name's ending."""

    def __init__(self, name: str, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._header = header_for(name, size_bytes)
        self._block = random.Random(name).randbytes(BLOCK_BYTES)  # noqa: S311  # filler, not a secret

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to, not including, `stop`."""
        parts = [self._header[start:stop]]
        position = max(start, len(self._header))
        while position < stop:
            number, within = divmod(position - len(self._header), BLOCK_BYTES)
            stamp = struct.pack("<Q", number)  # so that two blocks in the wrong order do not pass for right ones
            block = stamp + self._block[len(stamp) :]
            parts.append(block[within : within + stop - position])
            position += len(parts[-1])
        return b"".join(parts)

    @cached_property
    def sha256(self) -> str:
        """Hash of the whole file, in hex; takes some 20 ms for 10 MB at the first use."""
        digest = hashlib.sha256()
        for start in range(0, self.size_bytes, BLOCK_BYTES):
            digest.update(self.read(start, min(start + BLOCK_BYTES, self.size_bytes)))
        return digest.hexdigest()


def header_for(name: str, size_bytes: int) -> bytes:
    """Return how a file of this name and size begins."""
    if name.endswith(".safetensors"):
        return _safetensors_header(size_bytes)
    if name.endswith(".gguf"):
        return _gguf_header(name, size_bytes)
    return b"MODELDECK-DEMO\n"[:size_bytes]


def _safetensors_header(size_bytes: int) -> bytes:
    """One tensor of bytes (https://github.com/huggingface/safetensors#format)."""
    data_bytes = size_bytes - 8 - SAFETENSORS_HEADER_BYTES
    header = {
        "__metadata__": {"format": "pt", "made_by": "modeldeck demo"},
        "generated": {"dtype": "U8", "shape": [data_bytes], "data_offsets": [0, data_bytes]},
    }
    return struct.pack("<Q", SAFETENSORS_HEADER_BYTES) + json.dumps(header).encode().ljust(SAFETENSORS_HEADER_BYTES)


def _gguf_header(name: str, size_bytes: int) -> bytes:
    """One F32 tensor (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = {"general.architecture": "llama", "general.name": f"modeldeck demo {name}"}
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs))
    start += b"".join(text(key) + struct.pack("<I", GGUF_STRING) + text(value) for key, value in pairs.items())
    tensor = text("generated") + struct.pack("<I", 1)
    header_bytes = len(start) + len(tensor) + struct.calcsize("<QIQ")
    padded_bytes = -(-header_bytes // GGUF_ALIGNMENT) * GGUF_ALIGNMENT
    numbers = (size_bytes - padded_bytes) // 4
    return (start + tensor + struct.pack("<QIQ", numbers, GGUF_F32, 0)).ljust(padded_bytes, b"\0")
