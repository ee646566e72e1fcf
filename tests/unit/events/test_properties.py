from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events import downloads as d
from modeldeck_events import envelope, subjects
from modeldeck_events.errors import PoisonError
from modeldeck_events.paths import MAX_NAME_BYTES, MAX_PATH_BYTES, ModelPathError, check_model_path
from modeldeck_events.settings import SettingsError, check_names, parse_bytes
from modeldeck_events.store import Meta

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KEY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
SAFE = set(string.ascii_letters + string.digits + "_-=")


@given(KEY)
def test_a_token_comes_back(key: str) -> None:
    token = subjects.token(key)
    assert set(token) <= SAFE
    assert subjects.untoken(token) == key


@given(KEY, KEY)
def test_tokens_of_different_keys_differ(one: str, two: str) -> None:
    assert (subjects.token(one) == subjects.token(two)) == (one == two)


@given(st.text(max_size=30))
def test_untoken_accepts_only_what_token_returns(value: str) -> None:
    try:
        key = subjects.untoken(value)
    except PoisonError:
        return
    assert subjects.token(key) == value


@pytest.mark.parametrize("key", ["", "x" * 1025, "ü" * 200])
def test_keys_that_fit_no_subject_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 1024 characters"):
        subjects.token(key)


@pytest.mark.parametrize("key", ["a.b", "*", ">", "a b", "ü", "=", "preset:x/y"])
def test_no_key_can_break_out_of_its_token(key: str) -> None:
    assert subjects.event("download", key).count(".") == 2
    assert not subjects.matcher(["evt.download.other"])(subjects.event("download", key))


@pytest.mark.parametrize(
    ("pattern", "subject", "wanted"),
    [
        ("evt.>", "evt.a", True),
        ("evt.>", "rdg.a", False),
        ("evt.a.*", "evt.a.b", True),
        ("evt.a.*", "evt.a.b.c", False),
        ("evt.a.>", "evt.a", False),
        ("evt.a.>", "evt.a.b.c", True),
        ("evt.a", "evt.ab", False),
        ("evt.a=2Eb.>", "evt.a=2Eb.c", True),
    ],
)
def test_patterns_match_as_on_the_server(pattern: str, subject: str, wanted: bool) -> None:
    assert bool(subjects.matcher([pattern])(subject)) is wanted


@given(
    source=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    actor=TEXT,
    command_id=TEXT,
    message=TEXT,
    time=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])),
)
def test_the_envelope_round_trips(source: str, actor: str, command_id: str, message: str, time: datetime) -> None:
    meta = Meta(source=source, actor=actor, command_id=command_id)
    event = d.DownloadPaused(download_id="x", message=message)
    headers, data = envelope.pack("evt.download.p.t", event, event_id="an id", time=time, meta=meta)
    assert all(all("!" <= char <= "~" for char in value) for value in headers.values())
    strict = envelope.unpack(7, "evt.download.p.t", headers, data)
    wire = envelope.unpack_wire(7, "evt.download.p.t", envelope.wire_headers(headers), data)
    assert strict == wire
    assert (wire.seq, wire.id, wire.source, wire.actor, wire.event) == (7, "an id", source, actor, event)
    assert wire.time == time
    assert wire.correlation_id == command_id


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_any_bytes_on_the_wire_become_a_record(headers: bytes, data: bytes) -> None:
    record = envelope.unpack_wire(3, "evt.x", headers, data)
    assert (record.seq, record.event, record.data) == (3, None, data)


@pytest.mark.parametrize("missing", ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"])
def test_an_incomplete_envelope_is_poison(missing: str) -> None:
    headers, data = packed()
    del headers[missing]
    with pytest.raises(PoisonError, match=missing):
        envelope.unpack(1, "evt.x", headers, data)


@pytest.mark.parametrize(
    ("name", "value"), [("ce-specversion", "0.3"), ("ce-time", "yesterday"), ("ce-time", "2026-01-01T00:00:00")]
)
def test_an_envelope_with_wrong_values_is_poison(name: str, value: str) -> None:
    headers, data = packed()
    with pytest.raises(PoisonError):
        envelope.unpack(1, "evt.x", headers | {name: value}, data)


def test_a_broken_body_of_a_known_type_keeps_its_envelope_in_a_fold() -> None:
    headers, _ = packed()
    with pytest.raises(PoisonError):
        envelope.unpack(1, "evt.x", headers, b"{")
    record = envelope.unpack_wire(1, "evt.x", envelope.wire_headers(headers), b"{")
    assert (record.event, record.type) == (None, d.DownloadPaused.TYPE)


def test_headers_in_another_order_are_read_too() -> None:
    headers, data = packed()
    shuffled = envelope.wire_headers(dict(reversed(headers.items())))
    assert envelope.unpack_wire(1, "evt.x", shuffled, data) == envelope.unpack(1, "evt.x", headers, data)


def packed() -> tuple[dict[str, str], bytes]:
    meta = Meta(source="downloader", actor="a", command_id="c", causation_id="d")
    event = d.DownloadPaused(download_id="x")
    return envelope.pack("evt.x", event, event_id="i", time=datetime(2026, 1, 2, tzinfo=UTC), meta=meta)


@given(st.text(max_size=60))
def test_an_accepted_path_stays_below_its_root(path: str) -> None:
    try:
        assert check_model_path(path) == path
    except ModelPathError:
        return
    parts = path.split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    assert not any(char in path for char in "\\:\0\n\r")
    assert all(part == part.rstrip(". ") for part in parts)


@pytest.mark.parametrize(
    "path",
    [
        "model.safetensors",
        "diffusion_models/LTX 2/模型.safetensors",
        "a/b/c/d.gguf",
        ".hidden/x.bin",
        "a" * MAX_NAME_BYTES,
        "console.bin",
    ],
)
def test_good_paths(path: str) -> None:
    assert check_model_path(path) == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a/../b", r"'\.\.'"),
        ("./a", r"'\.'"),
        ("a//b", "the part ''"),
        ("a/", "the part ''"),
        ("C:/x", "colon"),
        ("a\\b", "backslash"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\u2028b", "control"),
        ("nul", "reserved"),
        ("x/COM1.safetensors", "reserved"),
        ("a.", "dot or space"),
        ("a /b", "dot or space"),
        ("\ud800", "Unicode"),
        ("a" * (MAX_NAME_BYTES + 1), "longer than"),
        ("é" * 121, "longer than"),
        ("/".join(["a" * 99] * 11), str(MAX_PATH_BYTES)),
    ],
)
def test_bad_paths_are_refused_with_a_reason(path: str, why: str) -> None:
    with pytest.raises(ModelPathError, match=why) as refused:
        check_model_path(path)
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 600


@given(st.integers(min_value=0, max_value=10**15))
def test_plain_bytes_are_themselves(size_bytes: int) -> None:
    assert parse_bytes(str(size_bytes)) == size_bytes
    assert parse_bytes(size_bytes) == size_bytes


@given(st.integers(min_value=0, max_value=9999), st.sampled_from("KMGT"), st.booleans())
def test_units_are_powers(number: int, unit: str, binary: bool) -> None:
    base = 1024 if binary else 1000
    wanted = number * base ** ("KMGT".index(unit) + 1)
    infix = "i" if binary else ""
    for text in (f"{number}{unit}{infix}B", f" {number} {unit.lower()}{infix}b/s ", f"{number}{unit}{infix}"):
        assert parse_bytes(text) == wanted


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e3", "1 XB", "1.2.3MB", "nan", "12 monkeys"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write for example"):
        parse_bytes(text)


def test_a_misspelt_setting_is_refused_with_the_nearest_name() -> None:
    check_names({"MODELDECK_PORT", "PATH", "HOME"})
    with pytest.raises(SettingsError, match="did you mean MODELDECK_MAX_CONCURRENT"):
        check_names({"MODELDECK_MAX_CONCURENT"})
    with pytest.raises(SettingsError, match="not a setting"):
        check_names({"MODELDECK_ZZZ"})
