"""Every way in which a server may misbehave ends with the right bytes or with a reason."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from downloader.transfer import LinkError, SourceError, TransferError, VerificationError

from tests.support.origin import Origin
from tests.support.transfers import Bench, bench

MIB = 1 << 20
BIG = 24 * MIB + 12345


@pytest.fixture
async def deck(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def assert_refused(deck: Bench, code: str, **options: object) -> TransferError:
    with pytest.raises(TransferError) as caught:
        await deck.fetch(**options)  # type: ignore[arg-type]
    assert caught.value.code == code, caught.value
    assert not deck.final().exists()
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, MIB, 4 * MIB, 4 * MIB + 1, BIG])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_whole_files_of_any_size_get_their_name_and_hash(deck: Bench, size: int, framing: str) -> None:
    file = deck.serve(size=size, framing=framing)
    result = await deck.fetch()
    assert sha256(deck.final()) == file.sha256 == result.sha256
    assert (result.size_bytes, result.verified, result.action, result.fetched_bytes) == (
        size, "size", "downloaded", size,
    )  # fmt: skip
    assert deck.staged() == []


async def test_it_asks_for_identity_and_refuses_an_encoded_body(deck: Bench) -> None:
    deck.serve(size=1000, encode="gzip")
    await assert_refused(deck, "encoded_body")


@pytest.mark.parametrize("ranges", ["no", "wrong_start", "wrong_length", "no_header"])
async def test_a_server_without_proper_ranges_is_read_in_one_piece(deck: Bench, ranges: str) -> None:
    file = deck.serve(size=BIG, ranges=ranges)
    result = await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert result.size_bytes == BIG
    whole = [request for request in deck.origin.requests if request.status == 200]
    assert len(whole) == 1


async def test_a_total_that_changes_between_parts_starts_over(deck: Bench) -> None:
    deck.serve(size=BIG, ranges="wrong_total", etag="strong")
    error = await assert_refused(deck, "source_changed")
    assert error.retryable


async def test_ranges_ignored_later_start_over_in_one_piece(deck: Bench) -> None:
    file = deck.serve(size=BIG, ranges="ignored_after")
    await deck.fetch()
    assert sha256(deck.final()) == file.sha256


@pytest.mark.parametrize("etag", ["weak", "none"])
async def test_without_a_strong_validator_and_a_hash_parts_are_never_combined(deck: Bench, etag: str) -> None:
    file = deck.serve(size=BIG, etag=etag)
    await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert all(request.if_range is None for request in deck.origin.requests)
    assert deck.origin.requests[-1].range is None  # one piece


async def test_a_weak_tag_never_goes_into_if_range_even_when_the_hash_allows_parts(deck: Bench) -> None:
    file = deck.serve(size=BIG, etag="weak")
    await deck.fetch(sha256=file.sha256)
    assert sha256(deck.final()) == file.sha256
    assert all(request.if_range is None for request in deck.origin.requests)
    assert len(deck.origin.requests) > 1


async def test_strong_tags_go_into_if_range(deck: Bench) -> None:
    deck.serve(size=BIG)
    await deck.fetch()
    first, *rest = deck.origin.requests
    assert first.if_range is None
    assert rest
    assert all(request.if_range and request.if_range.startswith('"') for request in rest)


async def test_an_old_date_is_a_strong_validator(deck: Bench) -> None:
    old = format_datetime(datetime.now(UTC) - timedelta(days=3), usegmt=True)
    file = deck.serve(size=BIG, etag="none", last_modified=old)
    await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert deck.origin.requests[-1].if_range == old


async def test_a_connection_that_ends_early_every_time_is_gone_on_with(deck: Bench) -> None:
    file = deck.serve(size=BIG, truncate_after=3 * MIB)
    result = await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert deck.origin.sent() <= BIG + MIB
    assert result.fetched_bytes == BIG


async def test_one_that_ends_early_without_ranges_is_an_error_worth_a_retry(deck: Bench) -> None:
    deck.serve(size=BIG, ranges="no", truncate_after=3 * MIB)
    error = await assert_refused(deck, "closed_early")
    assert isinstance(error, LinkError)
    assert error.retryable


async def test_one_that_never_gets_anywhere_gives_up(deck: Bench) -> None:
    deck.serve(size=BIG, truncate_after=10)
    assert (await assert_refused(deck, "closed_early")).retryable
    assert len(deck.origin.requests) < 50


async def test_a_stated_length_that_is_too_long_is_an_early_end(deck: Bench) -> None:
    deck.serve(size=100_000, ranges="no", lie_about_length=1000)
    await assert_refused(deck, "closed_early")


async def test_nothing_is_taken_beyond_the_declared_size(deck: Bench) -> None:
    deck.serve(size=BIG, framing="chunked", ranges="no")
    await assert_refused(deck, "size_mismatch", size_bytes=5 * MIB)
    assert deck.staged() == []
    assert deck.origin.sent() < BIG


async def test_a_length_that_contradicts_the_catalog_is_refused_before_a_byte_is_kept(deck: Bench) -> None:
    deck.serve(size=BIG)
    error = await assert_refused(deck, "size_mismatch", size_bytes=BIG + 1)
    assert isinstance(error, VerificationError)
    assert deck.staged() == []


async def test_chunked_bodies_that_end_in_the_middle_are_no_files(deck: Bench) -> None:
    deck.serve(size=BIG, framing="chunked", ranges="no", truncate_after=MIB)
    await assert_refused(deck, "closed_early")


async def test_a_body_that_only_the_close_ends_needs_a_stated_size(deck: Bench) -> None:
    deck.serve(size=500_000, framing="close", ranges="no")
    await assert_refused(deck, "length_unknown")
    file = deck.serve(size=500_000, framing="close", ranges="no")
    await deck.fetch(size_bytes=500_000)
    assert sha256(deck.final()) == file.sha256


async def test_content_that_changes_in_the_middle_is_fetched_anew_and_never_mixed(deck: Bench) -> None:
    deck.serve(size=BIG, change_after=6 * MIB, rate=40 * MIB)
    result = await deck.fetch()
    from tests.support.origin import sha256_of  # noqa: PLC0415

    assert sha256(deck.final()) == sha256_of(1001, BIG) == result.sha256


async def test_a_wrong_hash_discards_the_whole_staging_file(deck: Bench) -> None:
    deck.serve(size=BIG)
    error = await assert_refused(deck, "hash_mismatch", sha256="0" * 64)
    assert not error.retryable
    assert deck.staged() == []


async def test_the_hub_states_the_hash_on_its_redirect(deck: Bench) -> None:
    file = deck.serve("/org/repo/resolve/main/m.safetensors", size=BIG, linked=True)
    result = await deck.fetch("/org/repo/resolve/main/m.safetensors")
    assert (result.verified, result.sha256) == ("sha256", file.sha256)


async def test_a_hash_that_the_hub_contradicts_is_refused_at_once(deck: Bench) -> None:
    deck.serve("/org/repo/resolve/main/m.bin", size=BIG, linked=True)
    await assert_refused(deck, "hash_mismatch", served="/org/repo/resolve/main/m.bin", sha256="0" * 64)
    assert deck.origin.sent() < BIG


async def test_bytes_that_are_not_what_the_hub_states_are_discarded(deck: Bench) -> None:
    deck.serve("/org/repo/resolve/main/m.bin", size=100_000, linked_sha256="ab" * 32)
    await assert_refused(deck, "hash_mismatch", served="/org/repo/resolve/main/m.bin")
    assert deck.staged() == []


@pytest.mark.parametrize(
    "manners",
    [
        {"content_type": "text/html; charset=utf-8", "body": b"<p>hello"},
        {"content_type": "application/octet-stream", "body": b"\n <!DOCTYPE html><html><body>sign in</body></html>"},
    ],
)
async def test_a_page_in_place_of_a_model_is_an_error_that_says_so(deck: Bench, manners: dict[str, Any]) -> None:
    deck.serve(**manners)
    error = await assert_refused(deck, "html_page", path="models/file.bin")
    assert "web page" in error.message
    assert deck.staged() == []


def safetensors(data_bytes: int, claimed_bytes: int | None = None) -> bytes:
    claimed = data_bytes if claimed_bytes is None else claimed_bytes
    header = json.dumps({"w": {"dtype": "U8", "shape": [claimed], "data_offsets": [0, claimed]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\x01" * data_bytes


def gguf(tail: bytes = b"\0" * 64) -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    pairs = text(b"general.name") + struct.pack("<I", 8) + text(b"toy")
    tensor = text(b"w") + struct.pack("<IQIQ", 1, 16, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + pairs + tensor
    return head + b"\0" * (-len(head) % 32) + tail


@pytest.mark.parametrize(("name", "body"), [("a.safetensors", safetensors(1000)), ("a.gguf", gguf())])
async def test_models_without_a_hash_are_checked_by_their_header(deck: Bench, name: str, body: bytes) -> None:
    deck.serve("/" + name, body=body)
    assert (await deck.fetch("/" + name, name)).verified == "header"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.safetensors", safetensors(1000, 2000)),
        ("a.safetensors", b"\xff" * 43),
        ("a.safetensors", b"short"),
        ("a.safetensors", struct.pack("<Q", 4) + b"nope"),
        ("a.gguf", b"GGUF" + b"\xff" * 39),
        ("a.gguf", b"not a model"),
        ("a.gguf", gguf(b"")),
    ],
)
async def test_a_header_that_does_not_fit_is_refused(deck: Bench, name: str, body: bytes) -> None:
    deck.serve("/" + name, body=body)
    with pytest.raises(VerificationError) as caught:
        await deck.fetch("/" + name, name)
    assert caught.value.code == "bad_header"
    assert not deck.final(name).exists()
    assert deck.staged() == []


@pytest.mark.parametrize(
    ("status", "headers", "code", "words"),
    [
        (401, (), "unauthorized", "sign-in"),
        (401, (("X-Error-Code", "RepoNotFound"),), "unauthorized", "does not exist, or is private"),
        (403, (("X-Error-Code", "GatedRepo"),), "license_not_accepted", "accept its terms"),
        (403, (("X-Error-Message", "Wrong scope"),), "forbidden", "Wrong scope"),
        (404, (), "not_found", "no such file"),
        (410, (), "gone", "gone"),
        (451, (), "legal_block", "legal"),
        (418, (), "http_error", "418"),
    ],
)
async def test_final_refusals_spell_out_the_reason(
    deck: Bench, status: int, headers: tuple[tuple[str, str], ...], code: str, words: str
) -> None:
    deck.serve(status=status, headers=headers)
    error = await assert_refused(deck, code)
    assert isinstance(error, SourceError)
    assert (error.retryable, error.status) == (False, status)
    assert words in error.message
    assert len(deck.origin.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "server_error"), (500, "server_error")])
async def test_busy_servers_are_worth_a_retry_when_they_say(deck: Bench, status: int, code: str) -> None:
    deck.serve(status=status, retry_after="7")
    error = await assert_refused(deck, code)
    assert (error.retryable, error.retry_after_s) == (True, 7.0)
    deck.serve(status=status, retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    error = await assert_refused(deck, code)
    assert error.retry_after_s is not None
    assert 80 < error.retry_after_s <= 90


async def test_a_server_that_goes_silent_is_an_error_and_a_slow_one_is_not(tmp_path: Path) -> None:
    async with bench(tmp_path, stall_timeout_s=0.4) as deck:
        deck.serve(size=BIG, stall_after=MIB, ranges="no")
        error = await assert_refused(deck, "stalled")
        assert error.retryable
        assert error.fetched_bytes >= MIB
        file = deck.serve("/slow.bin", size=400_000, rate=300_000)  # takes longer than the stall timeout
        await deck.fetch("/slow.bin", "slow.bin")
        assert sha256(deck.final("slow.bin")) == file.sha256


async def test_a_connection_that_goes_silent_is_replaced_while_others_bring_bytes(tmp_path: Path) -> None:
    async with bench(tmp_path, stall_timeout_s=0.4) as deck:
        file = deck.serve(size=BIG, rate=3 * MIB, stall_after=MIB, stall_times=2)
        result = await deck.fetch()
        assert result.sha256 == file.sha256
        assert result.fetched_bytes == BIG


async def test_an_origin_that_is_not_there_is_an_error_worth_a_retry(deck: Bench, tmp_path: Path) -> None:
    async with Origin() as gone:
        pass
    async with bench(tmp_path / "other", gone) as other:
        error = await assert_refused(other, "connection_failed")
        assert error.retryable


async def test_a_refused_second_connection_leaves_the_first_one_working(deck: Bench) -> None:
    file = deck.serve(size=BIG, rate=30 * MIB)
    answer = deck.origin._refuse

    def one_at_a_time(request, served):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        from aiohttp import web  # noqa: PLC0415

        busy = [r for r in deck.origin.requests[:-1] if r.status == 206 and r.sent < _length(r.range)]
        return web.Response(status=429, headers={"Retry-After": "1"}) if busy else answer(request, served)

    deck.origin._refuse = one_at_a_time  # type: ignore[method-assign]
    await deck.fetch()
    assert sha256(deck.final()) == file.sha256


def _length(header: str | None) -> int:
    first, _, last = (header or "bytes=0-0").removeprefix("bytes=").partition("-")
    return int(last) + 1 - int(first)


async def test_slow_answers_and_stolen_segments_cost_no_byte_twice(deck: Bench) -> None:
    """Idle connections take over what others have asked for and not got yet."""
    file = deck.serve(size=BIG, latency_s=0.15)
    result = await deck.fetch()
    assert result.sha256 == file.sha256
    assert result.fetched_bytes == BIG


async def test_links_that_expire_are_found_anew(deck: Bench) -> None:
    file = deck.serve(size=BIG, links_expire_after=2, truncate_after=3 * MIB)
    await deck.fetch(sha256=file.sha256)
    assert sha256(deck.final()) == file.sha256
    assert len(deck.origin.asked("/file.bin")) >= 2
