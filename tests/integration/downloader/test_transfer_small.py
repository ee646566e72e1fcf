"""Files of one block take a shorter way to the disk; it must keep every promise of the long one."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from downloader.transfer import LinkError, NoSpaceError, VerificationError

from tests.support.transfers import Bench, bench

MIB = 1 << 20


@pytest.fixture
async def deck(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


@pytest.mark.parametrize("cut_at", [1, 4096, 100_000, 299_999])
async def test_a_small_file_that_is_cut_goes_on_where_it_was(deck: Bench, cut_at: int) -> None:
    file = deck.serve(size=300_000, truncate_after=cut_at, truncate_times=1)
    result = await deck.fetch(sha256=file.sha256)
    assert hashlib.sha256(deck.final().read_bytes()).hexdigest() == file.sha256 == result.sha256
    assert result.fetched_bytes == 300_000
    assert deck.staged() == []


async def test_no_room_for_a_small_file_is_said_with_numbers(tmp_path: Path) -> None:
    async with bench(tmp_path, disk_reserve_bytes=1 << 60) as deck:
        deck.serve(size=300_000)
        with pytest.raises(NoSpaceError) as caught:
            await deck.fetch()
        assert caught.value.needed_bytes == 300_000
        assert not deck.final().exists()
        await deck.transfer.discard("models/file.bin")
        assert deck.staged() == []


async def test_a_small_file_with_a_wrong_hash_leaves_nothing(deck: Bench) -> None:
    deck.serve(size=300_000)
    with pytest.raises(VerificationError):
        await deck.fetch(sha256="0" * 64)
    assert not deck.final().exists()
    assert deck.staged() == []


async def test_staged_bytes_of_a_larger_file_do_not_shine_through(tmp_path: Path) -> None:
    async with bench(tmp_path, stall_timeout_s=0.4, connections=1) as deck:
        deck.serve("/large.bin", size=16 * MIB, stall_after=2 * MIB)
        with pytest.raises(LinkError):
            await deck.fetch("/large.bin")
        assert sum(path.stat().st_size for path in deck.staged()) > 300_000
        small = deck.serve("/small.bin", size=300_000, seed=9)
        await deck.fetch("/small.bin")
        assert hashlib.sha256(deck.final().read_bytes()).hexdigest() == small.sha256


async def test_a_models_folder_that_is_a_link_may_change_its_place(tmp_path: Path) -> None:
    first, second, link = tmp_path / "first", tmp_path / "second", tmp_path / "models"
    first.mkdir()
    second.mkdir()
    link.symlink_to(first)
    async with bench(link) as deck:
        deck.serve("/a.bin", size=1000)
        await deck.fetch("/a.bin", "a.bin")
        link.unlink()
        link.symlink_to(second)
        await deck.fetch("/a.bin", "b.bin")
    assert (first / "a.bin").exists()
    assert (second / "b.bin").exists()
    assert not (first / "b.bin").exists()
