from __future__ import annotations

import json
from typing import Any

import pytest
from gateway.cli.live import Message, SseDecoder, StreamError, merge_patch
from hypothesis import given
from hypothesis import strategies as st


def test_fields_ids_retry_comments_and_messages_without_data() -> None:
    decoder = SseDecoder()
    stream = (
        b'\xef\xbb\xbf: hi\nretry: 250\n\nid: a-1\nevent: delta\ndata: {"x":\ndata:1}\n\nevent: empty\n\ndata: 2\n\n'
    )
    assert list(decoder.feed(stream)) == [Message("delta", {"x": 1}, "a-1"), Message("message", 2, "a-1")]
    assert decoder.retry_s == 0.25


def test_an_id_with_nul_is_ignored() -> None:
    decoder = SseDecoder("old")
    assert list(decoder.feed(b"id: a\0b\ndata: 1\n\n")) == [Message("message", 1, "old")]


@given(st.lists(st.text(), max_size=4), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_cuts_and_line_ends_never_change_what_arrives(texts: list[str], end: str, data: st.DataObject) -> None:
    """Also with U+2028, U+0085 and other characters at which str.splitlines cuts."""
    lines = [
        f"id: {n}{end}event: e{end}data: {json.dumps(t, ensure_ascii=False)}{end}{end}" for n, t in enumerate(texts)
    ]
    stream = "".join(lines).encode(errors="surrogatepass") + b":\n"  # a lone \r at the end may be half of \r\n
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = SseDecoder()
    found: list[Message] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:stop])
    assert [message.data for message in found] == texts
    assert [message.id for message in found] == [str(n) for n in range(len(texts))]


def test_what_is_not_json_ends_the_stream_with_a_reason() -> None:
    with pytest.raises(StreamError, match="'delta' message that is not JSON"):
        list(SseDecoder().feed(b"event: delta\ndata: <html>\n\n"))


def test_a_message_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.live._MAX_MESSAGE_BYTES", 1000)
    decoder = SseDecoder()
    for _ in range(10):
        list(decoder.feed(b"data: " + b"x" * 94 + b"\n"))
    with pytest.raises(StreamError, match="too large"):
        list(decoder.feed(b"data: " + b"x" * 94))


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # from RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps(target)
    assert merge_patch(target, patch) == result
    assert json.dumps(target) == before
