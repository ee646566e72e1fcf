from __future__ import annotations

import io
import json
import struct

import pytest
from catalog.headers import is_whole
from hypothesis import given
from hypothesis import strategies as st


def safetensors(data_bytes: int = 16, *, header: object = None) -> bytes:
    if header is None:
        header = {
            "__metadata__": {"format": "pt", "data_offsets": "text"},
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
        }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\x01" * data_bytes


def whole(data: bytes, file_format: str) -> bool | None:
    return is_whole(io.BytesIO(data), file_format, len(data))


def test_a_safetensors_file_is_whole_when_its_header_agrees() -> None:
    assert whole(safetensors(), "safetensors") is True
    assert whole(safetensors(0, header={}), "sft") is True


@pytest.mark.parametrize(
    "data",
    [
        safetensors(15),
        safetensors(17),
        safetensors()[:7],
        safetensors()[:40],
        b"",
        b"\xff" * 43,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10) + b"[" * 10,
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        safetensors(header={"a": {"data_offsets": [8, 0]}}),
        safetensors(header={"a": {"data_offsets": [0]}}),
        safetensors(header={"a": {"data_offsets": "0,16"}}),
        safetensors(header={"a": {"data_offsets": [0, 1e300]}}),
        safetensors(header={"a": {}}),
        safetensors(header=[1]),
        b"<!DOCTYPE html><title>Sign in</title>",
        b"\n <html>",
    ],
)
def test_a_safetensors_file_that_disagrees_is_not(data: bytes) -> None:
    assert whole(data, "safetensors") is False


def test_a_header_beyond_the_cap_is_not_read_and_says_nothing() -> None:
    data = struct.pack("<Q", 40_000_000) + b"{"
    assert is_whole(io.BytesIO(data), "safetensors", 50_000_000) is None


def test_gguf_is_known_by_its_magic_and_nothing_more() -> None:
    assert whole(b"GGUF\x03\x00\x00\x00", "gguf") is None
    assert whole(b"GGML", "gguf") is False


def test_other_formats_say_nothing_unless_they_are_web_pages_or_empty() -> None:
    assert whole(b"PK\x03\x04", "pt") is None
    assert whole(b"<html>", "ckpt") is False
    assert whole(b"", "bin") is False


@given(st.binary(max_size=80), st.sampled_from(["safetensors", "gguf", "bin"]))
def test_any_bytes_get_an_answer(data: bytes, file_format: str) -> None:
    assert whole(data, file_format) in (True, False, None)
