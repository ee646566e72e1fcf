"""Header checks end, whatever the bytes: capped before they allocate."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator

import pytest
from downloader.errors import SourceError, VerificationError
from downloader.transfer.verify import check_header, refuse_html
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(name="fd")
def scratch() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def verdict(fd: int, name: str, body: bytes) -> str:
    os.ftruncate(fd, 0)
    os.pwrite(fd, body, 0)
    try:
        return "whole" if check_header(name, fd, len(body)) else "unknown"
    except VerificationError as error:
        return error.code


@pytest.fixture(scope="module", name="module_fd")
def module_scratch() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


@given(st.binary(max_size=200), st.sampled_from([b"", b"GGUF\x03\0\0\0", struct.pack("<Q", 20) + b'{"a":']))
def test_any_bytes_are_judged_quickly(module_fd: int, tail: bytes, head: bytes) -> None:
    for name in ("a.gguf", "a.safetensors"):
        assert verdict(module_fd, name, head + tail) in ("whole", "bad_header")


@pytest.mark.parametrize(
    "body",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63) + b"\0" * 19,
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 2**40),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 0, 2**62),
        b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
    ],
)
def test_gguf_claims_beyond_the_caps_are_refused(fd: int, body: bytes) -> None:
    assert verdict(fd, "a.GGUF", body) == "bad_header"


@pytest.mark.parametrize(
    "header",
    [b"[]", b'{"a":1}', b'{"a":{"data_offsets":[5,1]}}', b'{"a":{"data_offsets":["0",1]}}', b"{" * 5000,
     b'{"a":{"data_offsets":[0,1]}}'],
)  # fmt: skip
def test_safetensors_headers_of_the_wrong_shape_are_refused(fd: int, header: bytes) -> None:
    assert verdict(fd, "a.safetensors", struct.pack("<Q", len(header)) + header) == "bad_header"


def test_an_empty_safetensors_file_is_whole(fd: int) -> None:
    assert verdict(fd, "a.safetensors", struct.pack("<Q", 2) + b"{}") == "whole"
    assert verdict(fd, "a.bin", b"anything") == "unknown"


@pytest.mark.parametrize("start", [b"<!DOCTYPE html>", b"\xef\xbb\xbf  <html lang=en>", b"\n\n<HTML>"])
def test_pages_are_known_by_their_first_bytes(start: bytes) -> None:
    with pytest.raises(SourceError):
        refuse_html("a.safetensors", start, "x")
    refuse_html("page.html", start, "x")
