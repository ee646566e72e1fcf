from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
import yaml
from catalog import capped_yaml
from catalog.capped_yaml import MAX_BYTES, YamlRefusedError, read
from hypothesis import given
from hypothesis import strategies as st

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
NASTY = {
    "not utf-8": b"a: \xff",
    "utf-16": "a: b".encode("utf-16"),
    "nul": b"a: \x00",
    "lone surrogate": b'a: "\\ud800"',
    "no document": b"",
    "only comments": b"# nothing\n" * 1000,
    "two documents": b"a: 1\n---\nb: 2\n",
    "billion laughs": LAUGHS.encode(),
    "alias to itself": b"a: &x [*x]",
    "alias to nothing": b"a: *x",
    "alias as key to a list": b"a: &x [b]\n*x : c",
    "mapping as key": b"? {a: b}\n: c",
    "list as key": b"? [a]\n: c",
    "python object": b"!!python/object/apply:os.system ['true']",
    "own tag": b"a: !secret b",
    "deep brackets": b"{" * 100_000,
    "deep lists": b"- " * 1_000_000,
    "deep questions": b"? " * 1_000_000,
    "deep mappings": b"".join(b" " * i + b"a:\n" for i in range(2000)),
    "deep, closed": b"[" * 900 + b"]" * 900,
    "many directives": b"%TAG !a! b\n" * 500_000,
    "many nodes": b"- x\n" * 300_000,
    "many brackets": b"[" + b"{}," * 300_000 + b"]",
    "many anchors": b"".join(b"- &a%d x\n" % i for i in range(300_000)),
    "too large": b"a: " + b"x" * MAX_BYTES,
    "unclosed quote": b'"' * (MAX_BYTES - 1),
    "merge of text": b"a:\n  <<: b",
    "tabs": b"a:\n\tb: c",
}


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_file_is_refused_quickly_with_a_reason(name: str) -> None:
    began = time.process_time()
    with pytest.raises(YamlRefusedError) as refused:
        read(NASTY[name])
    assert str(refused.value)
    assert len(str(refused.value)) < 500
    assert time.process_time() - began < 5  # the uncapped parser needs 18 s for the brackets alone


def test_numbers_dates_and_words_stay_text() -> None:
    digits = "9" * 1_000_000
    text = f"int: {digits}\nnan: .nan\ndate: 2025-10-25T16:00:00Z\nno: no\nsexagesimal: 1:30\n"
    text += "empty:\nnull_: null\n'q': 'null'"
    root = read(text.encode()).root
    assert root == {
        "int": digits,
        "nan": ".nan",
        "date": "2025-10-25T16:00:00Z",
        "no": "no",
        "sexagesimal": "1:30",
        "empty": None,
        "null_": None,
        "q": "null",
    }


def test_the_last_of_doubled_keys_counts_and_each_place_is_told() -> None:
    document = read(b"a: 1\na: 2\nb:\n  - c: 1\n  - d: {e: 1, e: 2}\n")
    assert document.root == {"a": "2", "b": [{"c": "1"}, {"d": {"e": "2"}}]}
    assert document.duplicates == (("a",), ("b", "1", "d", "e"))


def test_anchors_aliases_and_merges_mean_what_yaml_means() -> None:
    text = b"base: &b {x: 1, y: 2}\nlist: &l [a]\none: {<<: *b, y: 3}\ntwo: {y: 4, <<: [*b, {z: 5}]}\nagain: *l\n"
    root = read(text).root
    assert isinstance(root, dict)
    assert root["one"] == {"x": "1", "y": "3"}
    assert root["two"] == {"x": "1", "y": "4", "z": "5"}
    assert root["again"] == ["a"]


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read(b"\xef\xbb\xbfa: b").root == {"a": "b"}


def test_aliases_count_as_if_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capped_yaml, "MAX_NODES", 20)
    assert read(b"a: &a [x, x, x]\nb: [*a, *a]").root == {"a": ["x"] * 3, "b": [["x"] * 3] * 2}
    with pytest.raises(YamlRefusedError, match="more than 20 values"):
        read(b"a: &a [x, x, x]\nb: [*a, *a, *a, *a]")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(YamlRefusedError):
        read(data)


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`# \n\t<\\~01", max_size=200))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(YamlRefusedError):
        read(text.encode())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.recursive(
        st.none() | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    )
)
def test_what_a_dumper_writes_comes_back(data: Any) -> None:
    assert read(yaml.safe_dump(data, allow_unicode=False).encode()).root == data
