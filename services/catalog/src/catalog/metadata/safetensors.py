"""The header of a safetensors file (huggingface/safetensors, README "Format"), read under caps.

8 bytes little-endian: the header's length; the header's JSON, an object of tensors and `__metadata__`, which maps
texts to texts; then the tensors' bytes without gaps. Its own reader refuses a file with other than exactly these.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import msgspec
from modeldeck_events.message import UNREADABLE
from modeldeck_events.modelfiles import ModelMetadata

from catalog.metadata.capped import CapError, Header, Input, TooShortError, count, tags, text
from catalog.metadata.families import family_of

MAX_COLONS = 500_000
"""A bound on the values of the JSON before it is parsed: each tensor has four of them."""
MAX_DIMENSIONS = 16
MAX_EXTRA = 50
MAX_EXTRA_BYTES = 8 * 1024
"""All of `extra`: it stands in the log, once for each version of each file."""

_ARCHITECTURE = ("modelspec.architecture", "ss_base_model_version", "architecture")
_NAME = ("modelspec.title", "ss_output_name", "name")
_LICENSE = ("modelspec.license", "license")
_BASE_MODEL = ("ss_sd_model_name", "base_model", "ss_base_model_version")
_TAGS = ("modelspec.tags", "tags")
_TOLD = frozenset((*_ARCHITECTURE, *_NAME, *_LICENSE, *_BASE_MODEL, *_TAGS))


class _Tensor(msgspec.Struct):
    """One entry of the header."""

    data_offsets: tuple[int, int]
    dtype: str = ""
    shape: tuple[int, ...] = ()


_HEADER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TENSOR = msgspec.json.Decoder(_Tensor)
_TEXTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def read(source: Input) -> Header:
    """Return what a safetensors header tells: broken when it promises other bytes than there are."""
    try:
        data = _header(source)
        header = _HEADER.decode(data)
        stated = header.pop("__metadata__", None)
        tensors = [_TENSOR.decode(raw) for raw in header.values()]
    except CapError:
        return Header(None, ModelMetadata())
    except (TooShortError, *UNREADABLE):
        return Header(False, None)
    if any(not 0 <= begin <= end for begin, end in (tensor.data_offsets for tensor in tensors)):
        return Header(False, None)
    ends = max((tensor.data_offsets[1] for tensor in tensors), default=0)
    if 8 + len(data) + ends != source.size_bytes:
        return Header(False, None)
    return Header(True, _metadata(tensors, _texts(stated)))


def _header(source: Input) -> bytes:
    (length,) = struct.unpack("<Q", source.take(8))
    data = source.take(length)
    if data.count(b":") > MAX_COLONS:
        raise CapError
    return data


def _texts(raw: msgspec.Raw | None) -> dict[str, str]:
    """Return the text entries of `__metadata__`; what is anything else is left out."""
    if raw is None:
        return {}
    try:
        entries = _TEXTS.decode(raw)
    except UNREADABLE:
        return {}
    found = {}
    for key, value in entries.items():
        try:
            found[key] = _TEXT.decode(value)
        except UNREADABLE:
            continue
    return found


def _metadata(tensors: list[_Tensor], stated: Mapping[str, str]) -> ModelMetadata:
    weights: dict[str, int] = {}
    for tensor in tensors:
        weights[tensor.dtype] = weights.get(tensor.dtype, 0) + _elements(tensor.shape)
    architecture = _first(stated, _ARCHITECTURE)
    return ModelMetadata(
        name=_first(stated, _NAME),
        architecture=architecture,
        family=family_of(architecture),
        parameters=count(sum(weights.values())) if tensors else None,
        dtype=text(max(weights, key=lambda name: weights[name], default="")),
        tensors=len(tensors),
        license=_first(stated, _LICENSE),
        base_model=_first(stated, _BASE_MODEL),
        tags=tags((_first(stated, _TAGS) or "").split(",")),
        extra=_extra(stated),
    )


def _elements(shape: tuple[int, ...]) -> int:
    """Return how many weights a tensor has; shapes that no tensor has count as none."""
    if len(shape) > MAX_DIMENSIONS or (shape and not 0 <= min(shape) <= max(shape) < 2**48):
        return 0
    return math.prod(shape)


def _first(stated: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((value for key in keys if (value := text(stated.get(key)))), None)


def _extra(stated: Mapping[str, str]) -> dict[str, str]:
    """Return the further entries: those of the standard first, then the shorter ones, as far as there is room."""
    rest = ((key, value) for key, value in stated.items() if key not in _TOLD and not value.startswith("data:"))
    chosen: dict[str, str] = {}
    room = MAX_EXTRA_BYTES
    for key, value in sorted(rest, key=lambda entry: (not entry[0].startswith("modelspec."), len(entry[1]), entry[0])):
        name, told = text(key), text(value)
        if name is None or told is None:
            continue
        room -= len(name.encode()) + len(told.encode())
        if room < 0 or len(chosen) >= MAX_EXTRA:
            break
        chosen[name] = told
    return chosen
