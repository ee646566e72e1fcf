"""Headers are believed only when they are whole and consistent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from downloader.transfer.headers import (
    ContentRange,
    linked_sha256,
    parse_content_range,
    parse_length,
    parse_retry_after,
    strong_validator,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
numbers = st.integers(0, 10**15)


@given(numbers, numbers, numbers)
def test_content_ranges_round_trip_or_are_refused(first: int, last: int, total: int) -> None:
    parsed = parse_content_range(f"bytes {first}-{last}/{total}")
    assert parsed == (ContentRange(first, last, total) if first <= last < total else None)


@given(st.text(max_size=40))
def test_noise_is_no_content_range_and_no_wait_and_raises_nothing(text: str) -> None:
    parsed = parse_content_range(text)
    assert parsed is None or parsed.total is not None or parsed.last is not None
    wait_s = parse_retry_after(text, NOW)
    assert wait_s is None or 0 <= wait_s <= 24 * 3600
    assert linked_sha256(text) is None or len(text.strip()) >= 64
    strong_validator(text, text, text)
    parse_length(text)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("bytes 0-0/1", ContentRange(0, 0, 1)),
        ("bytes 0-9/*", ContentRange(0, 9, None)),
        ("bytes */10", ContentRange(None, None, 10)),
        ("bytes */*", None),
        ("items 0-9/10", None),
        ("bytes 5-4/10", None),
        ("bytes 0-10/10", None),
        ("bytes -1-4/10", None),
        ("bytes ٣-4/10", None),
        ("", None),
        (None, None),
    ],
)
def test_content_range_forms(value: str | None, parsed: ContentRange | None) -> None:
    assert parse_content_range(value) == parsed


@given(st.integers(0, 3600 * 24))
def test_both_forms_of_retry_after_say_the_same(wait_s: int) -> None:
    assert parse_retry_after(str(wait_s), NOW) == wait_s
    assert parse_retry_after(format_datetime(NOW + timedelta(seconds=wait_s), usegmt=True), NOW) == wait_s


def test_waits_are_never_negative_nor_endless() -> None:
    assert parse_retry_after(format_datetime(NOW - timedelta(hours=1), usegmt=True), NOW) == 0
    assert parse_retry_after("9" * 40, NOW) == 24 * 3600
    assert parse_retry_after("soon", NOW) is None
    assert parse_retry_after("-5", NOW) is None


OLD = "Sun, 01 Mar 2026 10:00:00 GMT"
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("etag", "modified", "date", "validator"),
    [
        ('"abc"', None, None, '"abc"'),
        ('W/"abc"', None, None, None),
        ('W/"abc"', OLD, DATE, None),
        ("abc", OLD, DATE, None),
        (None, OLD, DATE, OLD),
        (None, DATE, DATE, None),
        (None, OLD, None, None),
        (None, "yesterday", DATE, None),
    ],
)
def test_only_strong_validators_count(
    etag: str | None, modified: str | None, date: str | None, validator: str | None
) -> None:
    assert strong_validator(etag, modified, date) == validator


def test_a_linked_etag_is_a_hash_only_when_it_looks_like_one() -> None:
    assert linked_sha256(f'"{"AB" * 32}"') == "ab" * 32
    assert linked_sha256('"d41d8cd98f00b204e9800998ecf8427e"') is None
