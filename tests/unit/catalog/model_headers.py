"""Writes model files for tests, from the formats' documents alone: ggml's docs/gguf.md, safetensors' README."""

from __future__ import annotations

import json
import struct

STRING, ARRAY = 8, 9
LETTERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
F32, F16, Q4_K = 0, 1, 12
BYTES_PER_256 = {F32: 1024, F16: 512, Q4_K: 144}


class Gguf:
    """A GGUF file, put together field by field."""

    def __init__(self, *, version: int = 3, order: str = "<") -> None:
        self._order = order
        self._version = version
        self._pairs: list[bytes] = []
        self._tensors: list[bytes] = []
        self._data_bytes = 0

    def text(self, value: str | bytes) -> bytes:
        raw = value.encode() if isinstance(value, str) else value
        return struct.pack(self._order + "Q", len(raw)) + raw

    def pair(self, key: str, kind: int, value: object) -> Gguf:
        self._pairs.append(self.text(key) + struct.pack(self._order + "I", kind) + self._value(kind, value))
        return self

    def array(self, key: str, kind: int, items: list[object]) -> Gguf:
        body = b"".join(self._value(kind, item) for item in items)
        return self.raw_array(key, kind, len(items), body)

    def raw_array(self, key: str, kind: int, count: int, body: bytes) -> Gguf:
        head = struct.pack(self._order + "IIQ", ARRAY, kind, count)
        self._pairs.append(self.text(key) + head + body)
        return self

    def tensor(self, name: str, shape: tuple[int, ...], kind: int = F32) -> Gguf:
        weights = 1
        for size in shape:
            weights *= size
        place = struct.pack(self._order + f"I{len(shape)}QIQ", len(shape), *shape, kind, self._data_bytes)
        self._tensors.append(self.text(name) + place)
        self._data_bytes += -(-(weights * BYTES_PER_256[kind] // 256) // 32) * 32
        return self

    def header(self, *, pairs: int | None = None, tensors: int | None = None) -> bytes:
        counts = (
            len(self._tensors) if tensors is None else tensors,
            len(self._pairs) if pairs is None else pairs,
        )
        start = b"GGUF" + struct.pack(self._order + "IQQ", self._version, *counts)
        return start + b"".join(self._pairs) + b"".join(self._tensors)

    def file(self) -> bytes:
        header = self.header()
        return header.ljust(-(-len(header) // 32) * 32, b"\0") + b"\1" * self._data_bytes

    def _value(self, kind: int, value: object) -> bytes:
        if kind == STRING:
            assert isinstance(value, str | bytes)
            return self.text(value)
        return struct.pack(self._order + LETTERS[kind], value)


def language_model(**options: str) -> Gguf:
    """Return a small language model with what usual files say."""
    return (
        Gguf(**options)  # type: ignore[arg-type]
        .pair("general.architecture", STRING, "qwen2")
        .pair("general.name", STRING, "Qwen2 <b>Tiny</b>")
        .pair("general.license", STRING, "apache-2.0")
        .pair("general.file_type", 4, 15)
        .pair("general.base_model.0.name", STRING, "Qwen2 0.5B")
        .array("general.tags", STRING, ["chat", "text-generation"])
        .pair("qwen2.context_length", 4, 32768)
        .pair("qwen2.rope.freq_base", 6, 1e6)
        .array("tokenizer.ggml.tokens", STRING, [f"token {number}" for number in range(5000)])
        .array("tokenizer.ggml.scores", 6, [0.5] * 5000)
        .pair("tokenizer.ggml.add_bos_token", 7, value=True)
        .tensor("output_norm.weight", (64,))
        .tensor("blk.0.attn_q.weight", (256, 4), Q4_K)
    )


def safetensors(tensors: dict[str, object], data_bytes: int, metadata: object = None) -> bytes:
    """Return a file of this header and so many bytes."""
    stated = {} if metadata is None else {"__metadata__": metadata}
    text = json.dumps({**stated, **tensors}).encode()
    return struct.pack("<Q", len(text)) + text + b"\1" * data_bytes
