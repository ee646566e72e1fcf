from __future__ import annotations

import pytest
from gateway.cli.text import duration, percent, plain, size
from hypothesis import given
from hypothesis import strategies as st


def test_control_and_direction_characters_are_dropped_and_line_ends_become_spaces() -> None:
    assert plain("a\x1b[31mb\x07\u202ec\u2028d\ne\x9bf\ud800g") == "a[31mbc d efg"


@given(st.text())
def test_plain_text_is_one_printable_encodable_line(text: str) -> None:
    shown = plain(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_unknown_is_never_zero() -> None:
    assert (plain(None), size(None), duration(None), percent(None)) == ("", "?", "?", "?")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (999_999, "1.0 MB"), (4_800_000_000, "4.8 GB"), (2e15, "2.0 PB")],
)
def test_sizes_are_decimal(count: float, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59.4, "59s"), (204, "3m 24s"), (3723, "1h 02m"), (90_000, "1d 01h")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_only_all_of_it_is_100_percent() -> None:
    assert (percent(99.99), percent(100), percent(0), percent(42.7)) == ("99 %", "100 %", "0 %", "42 %")
