from __future__ import annotations

import io
import struct
import time

import msgspec
import pytest
from catalog.metadata import Header, capped, gguf, read
from hypothesis import given, settings
from hypothesis import strategies as st
from modeldeck_events.modelfiles import ModelMetadata, Quantization

from tests.unit.catalog.model_headers import ARRAY, F16, F32, Q4_K, STRING, Gguf, language_model


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def header(data: bytes, size_bytes: int | None = None) -> Header:
    file = Counted(data)
    found = read(file, "gguf", len(data) if size_bytes is None else size_bytes)
    assert file.taken <= capped.MAX_BYTES
    return found


def metadata_of(data: bytes) -> ModelMetadata:
    found = header(data)
    assert found.metadata is not None
    return found.metadata


@pytest.mark.parametrize(
    ("options", "tags"),
    [({"version": 3}, ()), ({"version": 2}, ()), ({"version": 3, "order": ">"}, ("big-endian",))],
)
def test_what_a_language_model_says_of_itself(options: dict[str, str], tags: tuple[str, ...]) -> None:
    assert header(language_model(**options).file()) == Header(
        True,
        ModelMetadata(
            name="Qwen2 <b>Tiny</b>",
            architecture="qwen2",
            family="qwen",
            parameters=64 + 1024,
            quantization=Quantization(bits=4, method="Q4_K_M"),
            context_length=32768,
            dtype="Q4_K",
            tensors=2,
            license="apache-2.0",
            base_model="Qwen2 0.5B",
            tags=(*tags, "chat", "text-generation"),
        ),
    )


def test_without_a_file_type_most_weights_say_the_quantization() -> None:
    file = Gguf().pair("general.architecture", STRING, "flux").tensor("a", (256, 8), Q4_K).tensor("b", (512,), F16)
    metadata = metadata_of(file.file())
    assert (metadata.quantization, metadata.family) == (Quantization(bits=4, method="Q4_K"), "flux")


def test_what_is_not_said_is_absent() -> None:
    assert header(Gguf().file()) == Header(True, ModelMetadata(tensors=0))
    metadata = metadata_of(Gguf().pair("general.architecture", STRING, "brandnew").pair("general.name", 4, 7).file())
    assert metadata == ModelMetadata(architecture="brandnew", tensors=0)


def test_one_part_of_a_split_model_does_not_tell_its_parameters() -> None:
    part = Gguf().pair("split.count", 2, 3).tensor("a", (4,))
    assert metadata_of(part.file()).parameters is None
    assert metadata_of(part.pair("general.parameter_count", 10, 7_000_000_000).file()).parameters == 7_000_000_000


def test_a_file_is_whole_when_every_tensor_lies_in_it() -> None:
    data = language_model().file()
    assert header(data).whole is True
    assert header(data + b"\0" * 100).whole is True
    for size in (len(data) - 100, len(data) // 2, 100, 8, 4):
        assert header(data[:size]).whole is False


def test_the_alignment_counts() -> None:
    odd = Gguf().pair("general.alignment", 4, 4096).tensor("a", (8,), F32)
    body = odd.header()
    assert header(body.ljust(4096, b"\0") + b"\1" * 32).whole is True
    assert header(body.ljust(4096, b"\0") + b"\1" * 31).whole is False
    assert header(Gguf().pair("general.alignment", 4, 0).tensor("a", (8,)).file()).whole is None


def test_a_type_of_tensor_that_is_not_known_says_nothing_of_the_length() -> None:
    name = struct.pack("<Q", 1) + b"a"
    data = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + name + struct.pack("<IQIQ", 1, 8, 999, 0)
    assert header(data).whole is None


def test_no_magic_no_model() -> None:
    assert header(b"GGML\3\0\0\0") == Header(False, None)
    assert header(b"GGU") == Header(False, None)


def test_another_version_says_nothing() -> None:
    for version in (0, 1, 4, 0x01000000, 2**31):
        assert header(b"GGUF" + struct.pack("<I", version) + bytes(40)) == Header(None, ModelMetadata())


HOSTILE = [
    Gguf().header(pairs=2**63),
    Gguf().header(tensors=2**63),
    b"GGUF\3\0\0\0" + b"\xff" * 35,
    b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63) + b"key",
    Gguf().pair("k", STRING, "v").header(pairs=2**40),
    Gguf().raw_array("k", 0, 2**63, b"").header(),
    Gguf().raw_array("k", STRING, 2**63, b"").header(),
    Gguf().raw_array("k", STRING, 2**60, bytes(19)).header(),
    Gguf().raw_array("k", ARRAY, 2**60, bytes(19)).header(),
    Gguf().raw_array("k", 6, 2**62, b"").header(),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_a_small_file_that_promises_much_is_refused_at_once(data: bytes) -> None:
    began = time.process_time()
    assert header(data[:80]).whole is False
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("data", HOSTILE)
def test_a_large_empty_file_that_promises_much_costs_little(data: bytes) -> None:
    """The sizes are those of a sparse file; the reader never gets to know that nothing is there."""
    began = time.process_time()
    assert header(data + bytes(4_000_000), 2**62).whole in (False, None)
    assert time.process_time() - began < 3


def test_too_many_texts_are_not_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "MAX_ITEMS", 4999)
    found = header(language_model().file())
    assert found.whole is None
    assert found.metadata is not None
    assert found.metadata.architecture == "qwen2"  # what came before is told


def test_a_header_beyond_the_cap_tells_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capped, "MAX_BYTES", 20_000)
    file = language_model().array("more", STRING, ["x" * 5000] * 10)
    found = header(file.file())
    assert found.whole is None
    assert found.metadata is not None
    assert found.metadata.name == "Qwen2 <b>Tiny</b>"


def test_arrays_in_arrays_are_stepped_over_to_a_depth() -> None:
    inner = struct.pack("<IQ", 4, 2) + bytes(8)
    nested = Gguf().raw_array("k", ARRAY, 2, inner * 2).pair("general.name", STRING, "after")
    assert metadata_of(nested.file()).name == "after"
    deep = struct.pack("<IQ", ARRAY, 1) * 20
    assert header(Gguf().raw_array("k", ARRAY, 1, deep + inner).file()).whole is None


def test_long_and_broken_texts_are_cut_and_mended() -> None:
    metadata = metadata_of(
        Gguf().pair("general.name", STRING, "n" * 100_000).pair("general.license", STRING, b"\xff\xfe").file()
    )
    assert metadata.name == "n" * 299 + "…"
    assert metadata.license == "\ufffd\ufffd"


@settings(max_examples=300)
@given(st.data())
def test_any_damage_gets_an_answer_that_can_be_told(data: st.DataObject) -> None:
    whole = bytearray(language_model().file())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 600))
        part = data.draw(st.binary(min_size=1, max_size=8))
        whole[at : at + len(part)] = part
    found = header(bytes(whole))
    assert found.whole in (True, False, None)
    assert msgspec.json.decode(msgspec.json.encode(found.metadata), type=ModelMetadata | None) == found.metadata


@given(st.binary(max_size=300), st.sampled_from([2, 3]))
def test_any_bytes_after_the_magic_get_an_answer(rest: bytes, version: int) -> None:
    assert header(b"GGUF" + struct.pack("<I", version) + rest).whole in (True, False, None)
