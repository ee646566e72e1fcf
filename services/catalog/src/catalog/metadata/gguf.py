"""The header of a GGUF file (ggml-org/ggml, docs/gguf.md), versions 2 and 3, read under caps.

    "GGUF", version u32, tensors u64, pairs u64, then the pairs (key, type u32, value), then per tensor its name,
    dimensions, type and offset, padding, and the tensors' data.

A string is its length as u64 and its bytes. Arrays (vocabularies) are stepped over and never kept. A file of a machine
with the other byte order has its version's bytes reversed, and all that follows.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field

from modeldeck_events.modelfiles import ModelMetadata, Quantization

from catalog.metadata.capped import MAX_TAGS, CapError, Header, Input, TooShortError, count, tags, text
from catalog.metadata.families import family_of

MAGIC = b"GGUF"
MAX_PAIRS = 4096
MAX_TENSORS = 50_000
MAX_ITEMS = 2_000_000
"""Texts in all arrays together: each costs a step. Numbers in arrays are jumped over."""
MAX_DIMENSIONS = 8
MAX_KEPT_BYTES = 4096
"""A longer text value is cut: none that is kept here is longer."""
MAX_DEPTH = 4

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_SIZES = {kind: struct.calcsize("=" + letter) for kind, letter in _NUMBERS.items()}

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
"""`general.file_type`: llama.cpp, include/llama.h, enum llama_ftype (the "mostly" ones)."""
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Name, elements of a block, bytes of a block: ggml's types as gguf-py's GGML_QUANT_SIZES states them."""
_BITS = re.compile(r"(?:I?Q|TQ|MXFP|NVFP|BF|F)(\d+)")


@dataclass(slots=True)
class _Seen:
    """What was read until the header ended, broke or went over a cap."""

    values: dict[str, str | int | float | bool] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    tensors: int | None = None
    elements: dict[str, int] | None = None
    """Per type of tensor, how many weights; None while not every tensor was seen."""


class _UnreadableError(Exception):
    """The bytes are no GGUF that is understood here: nothing can be said of the rest."""


def read(source: Input) -> Header:
    """Return what a GGUF header tells; `whole` true needs every tensor's place to lie within the file."""
    if source.peek(4) != MAGIC:
        return Header(False, None)
    seen = _Seen()
    whole: bool | None
    try:
        whole = _Reader(source, seen).read()
    except TooShortError:
        return Header(False, None)
    except (CapError, _UnreadableError):
        whole = None
    return Header(whole, _metadata(seen))


class _Reader:
    def __init__(self, source: Input, seen: _Seen) -> None:
        self._source = source
        self._seen = seen
        self._order = "<"
        self._items = MAX_ITEMS

    def read(self) -> bool | None:
        """Fill what is seen; return whether the tensors fit into the file, None when that cannot be told."""
        self._source.skip(4)
        version = self._number("I")
        if version not in (2, 3):
            if version >> 16 == 0 or int(version).to_bytes(4, "big")[0] not in (2, 3):
                raise _UnreadableError
            self._order = ">"
            self._seen.tags.append("big-endian")
        tensors, pairs = self._number("Q"), self._number("Q")
        self._seen.tensors = tensors
        if pairs > MAX_PAIRS:
            self._source.skip(pairs * 13)  # the shortest pairs there can be: a promise of more is a broken one
            raise CapError
        for _ in range(pairs):
            self._pair()
        return self._tensors(tensors)

    def _number(self, letter: str) -> int:
        layout = self._order + letter
        value: int = struct.unpack(layout, self._source.take(struct.calcsize(layout)))[0]
        return value

    def _string(self) -> str:
        length = self._number("Q")
        kept = self._source.take(min(length, MAX_KEPT_BYTES))
        self._source.skip(length - len(kept))
        return kept.decode("utf-8", "replace")

    def _pair(self) -> None:
        key = self._string()
        kind = self._number("I")
        if kind == _STRING:
            self._seen.values[key] = self._string()
        elif kind == _ARRAY:
            self._array(key, MAX_DEPTH)
        elif kind in _NUMBERS:
            self._seen.values[key] = self._number(_NUMBERS[kind])
        else:
            raise _UnreadableError

    def _array(self, key: str, depth: int) -> None:
        kind, length = self._number("I"), self._number("Q")
        if kind in _SIZES:
            self._source.skip(length * _SIZES[kind])
        elif kind == _STRING and key == "general.tags" and length <= MAX_TAGS:
            self._seen.tags.extend(self._string() for _ in range(length))
        elif kind == _STRING:
            self._skip_strings(length)
        elif kind == _ARRAY and depth:
            self._spend(length, 12)
            for _ in range(length):
                self._array("", depth - 1)
        else:
            raise _UnreadableError

    def _spend(self, items: int, least_bytes: int) -> None:
        """Raise TooShortError when the file cannot hold so many items, CapError when they are too many to step over."""
        source = self._source
        if items * least_bytes > source.size_bytes - source.position:
            raise TooShortError
        self._items -= items
        if self._items < 0:
            raise CapError

    def _skip_strings(self, left: int) -> None:
        """Step over so many strings: the one loop here that runs a hundred thousand times for a usual file."""
        self._spend(left, 8)
        source, length_at = self._source, struct.Struct(self._order + "Q").unpack_from
        while left:
            block, at = source.block, source.at
            last = len(block) - 8
            while left and at <= last:
                at += 8 + length_at(block, at)[0]
                left -= 1
            source.skip(at - source.at)
            if left and len(source.peek(8)) < 8:
                raise TooShortError

    def _tensors(self, tensors: int) -> bool | None:
        if tensors > MAX_TENSORS:
            self._source.skip(tensors * 24)
            raise CapError
        elements: dict[str, int] = {}
        known, ends = True, 0
        for _ in range(tensors):
            self._source.skip(self._number("Q"))
            dimensions = self._number("I")
            if dimensions > MAX_DIMENSIONS:
                raise _UnreadableError
            weights = math.prod(self._number("Q") for _ in range(dimensions))
            kind, offset = self._number("I"), self._number("Q")
            name, per_block, block_bytes = TENSOR_TYPES.get(kind, ("", 1, 0))
            known = known and bool(name)
            elements[name] = elements.get(name, 0) + weights
            ends = max(ends, offset + -(-weights // per_block) * block_bytes)
        self._seen.elements = elements
        alignment = self._seen.values.get("general.alignment", 32)
        if not known or not isinstance(alignment, int) or not 0 < alignment <= 2**20:
            return None
        begins = -(-self._source.position // alignment) * alignment if tensors else self._source.position
        return begins + ends <= self._source.size_bytes


def _metadata(seen: _Seen) -> ModelMetadata:
    values, elements = seen.values, seen.elements or {}
    most = max(elements, key=lambda name: elements[name], default="") or None
    architecture = text(values.get("general.architecture"))
    file_type = values.get("general.file_type")
    method = FILE_TYPES.get(file_type) if isinstance(file_type, int) else None
    return ModelMetadata(
        name=text(values.get("general.name")) or text(values.get("general.basename")),
        architecture=architecture,
        family=family_of(architecture),
        parameters=_parameters(seen),
        quantization=_quantization(method or most),
        context_length=_whole_number(values.get(f"{architecture}.context_length")),
        dtype=most,
        tensors=count(seen.tensors) if seen.tensors is not None else None,
        license=text(values.get("general.license")),
        base_model=text(values.get("general.base_model.0.name")) or text(values.get("general.base_model.0.repo_url")),
        tags=tags(seen.tags),
    )


def _parameters(seen: _Seen) -> int | None:
    stated = _whole_number(seen.values.get("general.parameter_count"))
    parts = seen.values.get("split.count", 1)
    if stated is not None or not seen.elements or parts not in (0, 1):
        return stated
    return count(sum(seen.elements.values()))


def _quantization(method: str | None) -> Quantization | None:
    match = _BITS.match(method or "")
    return Quantization(bits=float(match[1]), method=method or "") if match else None


def _whole_number(value: object) -> int | None:
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else None
