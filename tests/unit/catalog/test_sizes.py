from __future__ import annotations

import pytest
from catalog import sizes
from catalog.sizes import SizeText, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.8GB", SizeText(4_800_000_000)),
        ("335MB", SizeText(335_000_000)),
        ("335 MB", SizeText(335_000_000)),
        ("1.5GiB", SizeText(1_610_612_736)),
        ("12 kb", SizeText(12_000)),
        ("7B", SizeText(7)),
        ("4800000000", SizeText(4_800_000_000, exact=True)),
        ("~15GB", SizeText(15_000_000_000, odd=True)),
        ("about 2 GB", SizeText(2_000_000_000, odd=True)),
        ("9.31GB (9536MB)", SizeText(9_310_000_000, odd=True)),
        ("10GB+", SizeText(10_000_000_000, odd=True)),
    ],
)
def test_what_catalogs_write_is_understood(text: str, expected: SizeText) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "big", "-4GB", "-1", "0", "0GB", "NaN", "inf GB", "1e5GB", "4,9 GB", "99999999TB", "9" * 100_000, "1.GB", "GB",
     "4 8GB",
     "٤GB", "1\n2"],
)  # fmt: skip
def test_what_means_nothing_is_unknown_and_never_zero(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_size_within_bounds_or_none(text: str) -> None:
    size = parse(text)
    assert size is None or 0 < size.size_bytes <= sizes.MAX_SIZE_BYTES


@given(st.integers(1, 9_999), st.integers(0, 99), st.sampled_from(["KB", "MB", "GB", "kb", "Mb"]))
def test_units_are_decimal(whole: int, hundredths: int, unit: str) -> None:
    size = parse(f"{whole}.{hundredths:02d}{unit}")
    assert size is not None
    assert size.size_bytes == (whole * 100 + hundredths) * 1000 ** " KMG".index(unit[0].upper()) // 100


@given(st.integers(1, 10**15))
def test_shown_sizes_are_read_back_to_within_rounding(size_bytes: int) -> None:
    size = parse(sizes.show(size_bytes))
    assert size is not None
    assert abs(size.size_bytes - size_bytes) <= size_bytes * 0.051
