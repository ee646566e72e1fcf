from __future__ import annotations

import io
import json
import struct

import msgspec
import pytest
from catalog.metadata import Header, read
from catalog.metadata import safetensors as module
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.modelfiles import ModelMetadata

from tests.unit.catalog.model_headers import safetensors

TENSORS: dict[str, object] = {
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    "b": {"dtype": "F16", "shape": [2, 2], "data_offsets": [8, 16]},
}
STATED = {"format": "pt", "data_offsets": "text"}


def header(data: bytes, file_format: str = "safetensors") -> Header:
    return read(io.BytesIO(data), file_format, len(data))


def with_header(value: object) -> bytes:
    text = json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text + b"\1" * 16


def told(metadata: object) -> ModelMetadata:
    found = header(safetensors(TENSORS, 16, metadata))
    assert found.whole is True
    assert found.metadata is not None
    return found.metadata


def test_a_file_is_whole_when_its_header_agrees() -> None:
    assert header(safetensors(TENSORS, 16, STATED)).whole is True
    assert header(safetensors({}, 0), "sft") == Header(True, ModelMetadata(tensors=0))


@pytest.mark.parametrize(
    "data",
    [
        safetensors(TENSORS, 15),
        safetensors(TENSORS, 17),
        safetensors(TENSORS, 16)[:7],
        safetensors(TENSORS, 16)[:40],
        b"",
        b"\xff" * 43,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10) + b"[" * 10,
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        with_header({"a": {"data_offsets": [8, 0]}}),
        with_header({"a": {"data_offsets": [0]}}),
        with_header({"a": {"data_offsets": "0,16"}}),
        with_header({"a": {"data_offsets": [0, 1e300]}}),
        with_header({"a": {}}),
        with_header([1]),
        b"<!DOCTYPE html><title>Sign in</title>",
        b"\n <html>",
    ],
)
def test_a_file_that_disagrees_is_not(data: bytes) -> None:
    assert header(data) == Header(False, None)


def test_a_header_beyond_the_cap_is_not_read_and_says_nothing() -> None:
    data = struct.pack("<Q", 40_000_000) + b"{"
    assert read(io.BytesIO(data), "safetensors", 50_000_000) == Header(None, ModelMetadata())


def test_too_many_values_are_counted_before_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COLONS", 7)
    assert header(safetensors(TENSORS, 16)) == Header(None, ModelMetadata())


def test_tensors_tell_their_number_their_weights_and_the_type_of_most() -> None:
    assert told(None) == ModelMetadata(parameters=6, dtype="F16", tensors=2)


def test_the_standard_s_entries_are_taken_over() -> None:
    metadata = told(
        {
            "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
            "modelspec.title": " My <script>LoRA</script>\u2028 ",
            "modelspec.license": "openrail++",
            "modelspec.tags": "style, anime , style",
            "ss_sd_model_name": "sd_xl_base_1.0.safetensors",
            "ss_base_model_version": "sdxl_base_v1-0",
            "ss_network_dim": "16",
        }
    )
    assert (metadata.architecture, metadata.family) == ("stable-diffusion-xl-v1-base/lora", "sdxl")
    assert metadata.name == "My <script>LoRA</script>"
    assert (metadata.license, metadata.tags) == ("openrail++", ("style", "anime"))
    assert metadata.base_model == "sd_xl_base_1.0.safetensors"
    assert metadata.extra == {"ss_network_dim": "16"}


def test_the_trainer_s_base_model_says_the_architecture_when_nothing_else_does() -> None:
    metadata = told({"ss_base_model_version": "flux1"})
    assert (metadata.architecture, metadata.family, metadata.base_model) == ("flux1", "flux", "flux1")


def test_a_family_that_is_not_known_is_not_invented() -> None:
    metadata = told({"modelspec.architecture": "brand-new-thing"})
    assert (metadata.architecture, metadata.family) == ("brand-new-thing", None)


def test_further_entries_are_capped_in_number_length_and_sum() -> None:
    metadata = told({f"k{number}": "é" * 2000 for number in range(500)} | {"modelspec.hash": "first", "short": "x"})
    assert list(metadata.extra)[:2] == ["modelspec.hash", "short"]
    assert max(len(value) for value in metadata.extra.values()) == 300
    assert sum(len(k.encode()) + len(v.encode()) for k, v in metadata.extra.items()) <= module.MAX_EXTRA_BYTES
    many = told({f"k{number}": "1" for number in range(500)})
    assert len(many.extra) == module.MAX_EXTRA


@pytest.mark.parametrize("stated", ["text", 1, [1], {"a": 1, "b": {"c": "d"}}, {"modelspec.title": None}])
def test_entries_of_other_types_say_nothing(stated: object) -> None:
    assert told(stated) == ModelMetadata(parameters=6, dtype="F16", tensors=2)


def test_pictures_in_the_entries_are_left_out() -> None:
    assert told({"modelspec.thumbnail": "data:image/jpeg;base64,AAAA", "a": "b"}).extra == {"a": "b"}


def test_shapes_that_no_tensor_has_count_as_none() -> None:
    odd = {"dtype": "F16", "shape": [2**62] * 40, "data_offsets": [0, 16]}
    found = header(safetensors({"a": odd}, 16)).metadata
    assert found == ModelMetadata(parameters=0, dtype="F16", tensors=1)


def test_other_formats_say_nothing_unless_they_are_web_pages_or_empty() -> None:
    assert header(b"PK\x03\x04", "pt") == Header(None, None)
    assert header(b"<html>", "ckpt") == Header(False, None)
    assert header(b"", "bin") == Header(False, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["__metadata__", "a", "b"]), json_values | st.just(TENSORS["a"])), st.binary())
def test_any_header_gets_an_answer_that_can_be_told(value: dict[str, object], rest: bytes) -> None:
    text = json.dumps(value).encode()
    found = header(struct.pack("<Q", len(text)) + text + rest)
    assert found.whole in (True, False, None)
    assert msgspec.json.decode(msgspec.json.encode(found.metadata), type=ModelMetadata | None) == found.metadata


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=400), max_size=60))
def test_any_texts_can_be_told(stated: dict[str, str]) -> None:
    metadata = told(stated)
    assert msgspec.json.decode(msgspec.json.encode(metadata), type=ModelMetadata) == metadata


@given(st.binary(max_size=200), st.sampled_from(["safetensors", "sft", "gguf", "bin"]))
def test_any_bytes_get_an_answer(data: bytes, file_format: str) -> None:
    assert header(data, file_format).whole in (True, False, None)
