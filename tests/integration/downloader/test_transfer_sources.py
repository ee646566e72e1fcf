"""Redirects, credentials, mirrors, addresses, TLS: nothing goes where it must not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from downloader.sources import Sources
from downloader.transfer import TransferError

from tests.support.origin import Origin
from tests.support.transfers import Bench, bench

HF_URL = "https://huggingface.co/org/repo/resolve/main/a.bin"
SERVED = "/org/repo/resolve/main/a.bin"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as started:
        yield started


@pytest.fixture
async def foreign() -> AsyncIterator[Origin]:
    async with Origin() as started:
        yield started


async def fetch_url(tmp_path: Path, url: str, *, path: str = "a.bin", ssl_context: Any = None, **sources: Any) -> Any:
    from downloader.transfer import FileRequest, Transfer  # noqa: PLC0415

    async with Transfer(
        models_dir=tmp_path, sources=Sources(**sources), disk_reserve_bytes=0, ssl_context=ssl_context
    ) as transfer:
        return await transfer.fetch(FileRequest(path, url))


async def refused(tmp_path: Path, url: str, **sources: Any) -> TransferError:
    with pytest.raises(TransferError) as caught:
        await fetch_url(tmp_path, url, **sources)
    assert not (tmp_path / "a.bin").exists()
    return caught.value


async def test_a_mirror_serves_a_host_without_its_credentials(tmp_path: Path, origin: Origin) -> None:
    origin.add(SERVED, size=1000)
    await fetch_url(tmp_path, HF_URL, mirrors={"huggingface.co": origin.url}, hf_token="hf_secret")
    assert [request.authorization for request in origin.requests] == [None]


async def test_a_trusted_mirror_gets_them(tmp_path: Path, origin: Origin) -> None:
    origin.add(SERVED, size=1000, token="hf_secret")
    options: dict[str, Any] = {"mirrors": {"huggingface.co": origin.url}, "hf_token": "hf_secret"}
    await fetch_url(tmp_path, HF_URL, trusted_mirrors=[origin.url], **options)
    assert origin.requests[-1].authorization == "Bearer hf_secret"


async def test_hf_endpoint_is_the_hub(tmp_path: Path, origin: Origin) -> None:
    origin.add("/hub" + SERVED, size=1000, token="hf_secret")
    await fetch_url(tmp_path, HF_URL, hf_endpoint=origin.url + "/hub", hf_token="hf_secret")


async def test_credentials_never_follow_a_redirect_to_another_host(
    tmp_path: Path, origin: Origin, foreign: Origin
) -> None:
    foreign.add("/stolen.bin", size=1000)
    origin.add(SERVED, redirect=foreign.url + "/stolen.bin")
    allowed = [origin.host, foreign.host]
    await fetch_url(tmp_path, HF_URL, hf_endpoint=origin.url, hf_token="hf_secret", allowed_hosts=allowed)
    assert origin.requests[0].authorization == "Bearer hf_secret"
    assert [request.authorization for request in foreign.requests] == [None]


async def test_they_follow_one_inside_the_same_host(tmp_path: Path, origin: Origin) -> None:
    origin.add("/renamed.bin", size=1000, token="hf_secret")
    origin.add(SERVED, redirect="/renamed.bin", redirect_status=307)
    await fetch_url(tmp_path, HF_URL, hf_endpoint=origin.url, hf_token="hf_secret")


async def test_an_expired_token_does_not_keep_public_files_away(tmp_path: Path, origin: Origin) -> None:
    origin.add(SERVED, size=1000)
    real = origin._refuse

    def strict(request: Any, file: Any) -> Any:
        from aiohttp import web  # noqa: PLC0415

        return web.Response(status=401) if "Authorization" in request.headers else real(request, file)

    origin._refuse = strict  # type: ignore[method-assign]
    await fetch_url(tmp_path, HF_URL, hf_endpoint=origin.url, hf_token="hf_expired")
    origin.add(SERVED, size=1000, status=401)
    (tmp_path / "a.bin").unlink()
    error = await refused(tmp_path, HF_URL, hf_endpoint=origin.url, hf_token="hf_expired")
    assert (error.code, "HF_TOKEN" in error.message) == ("unauthorized", True)
    assert "hf_expired" not in str(error)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "host_not_allowed"),
        ("http://127.0.0.1:1/", "host_not_allowed"),
        ("http://[::ffff:127.0.0.1]:22/", "host_not_allowed"),
        ("ftp://example.org/a.bin", "bad_redirect"),
        ("file:///etc/passwd", "bad_redirect"),
        ("https://user:secret@huggingface.co/a.bin", "bad_redirect"),
        ("//evil.example/a.bin", "host_not_allowed"),
        ("http://huggingface.co/a.bin", "host_not_allowed"),
        ("https://huggingface.co.evil.example/a.bin", "host_not_allowed"),
        ("https://huggingface.co:8443/a.bin", "host_not_allowed"),
    ],
)
async def test_each_hop_is_checked(tmp_path: Path, origin: Origin, location: str, code: str) -> None:
    origin.add("/a.bin", redirect=location)
    error = await refused(tmp_path, origin.url + "/a.bin", allowed_hosts=[origin.host, "huggingface.co"])
    assert error.code == code
    assert not error.retryable


async def test_redirects_without_end_end(tmp_path: Path, origin: Origin) -> None:
    origin.add("/a.bin", redirect="/a.bin")
    error = await refused(tmp_path, origin.url + "/a.bin", allowed_hosts=[origin.host])
    assert error.code == "too_many_redirects"
    assert len(origin.requests) <= 12


PRIVATE = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_an_allowed_name_that_leads_to_a_private_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    v4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 443, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [v6 if ":" in address else v4])
    error = await refused(tmp_path, "https://huggingface.co/a.bin")
    assert error.code == "address_not_allowed"


async def test_the_address_really_connected_to_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that says one thing and a network that does another."""
    listener = socket.create_server(("127.0.0.1", 0))

    async def dial(*_: Any, **__: Any) -> socket.socket:
        sock = socket.socket()
        sock.connect(listener.getsockname())
        return sock

    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: public)
    monkeypatch.setattr("downloader.transfer.dialing.start_connection", dial)
    with listener:
        error = await refused(tmp_path, "https://huggingface.co/a.bin")
    assert error.code == "address_not_allowed"


async def test_tls_is_verified_and_serves_ranges(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with Origin(ssl_context=server) as origin:
        file = origin.add("/a.bin", size=20_000_000, framing="length")
        allowed: dict[str, Any] = {"allowed_hosts": [origin.host]}
        error = await refused(tmp_path, origin.url + "/a.bin", **allowed)
        assert (error.code, error.retryable) == ("tls_failed", False)
        result = await fetch_url(tmp_path, origin.url + "/a.bin", ssl_context=client, **allowed)
        assert result.sha256 == file.sha256
        chunked = origin.add("/b.bin", size=3_000_000, framing="chunked", ranges="no", seed=5)
        result = await fetch_url(tmp_path, origin.url + "/b.bin", path="b.bin", ssl_context=client, **allowed)
        assert result.sha256 == chunked.sha256


ODD_PATHS = ["../a.bin", "/a.bin", "a/../../b", "a\\b", "CON", "x/.", "a\0b", "c:/x", "n" * 256, "a ", "é" * 600]


@pytest.mark.parametrize("path", ODD_PATHS)
async def test_odd_paths_are_refused_with_a_reason(tmp_path: Path, origin: Origin, path: str) -> None:
    async with bench(tmp_path, origin) as deck:
        with pytest.raises(TransferError) as caught:
            await deck.fetch(path=path)
        assert caught.value.code == "path_refused"
        assert origin.requests == []


async def test_links_out_of_the_models_folder_are_not_followed(tmp_path: Path, origin: Origin) -> None:
    outside, models = tmp_path / "outside", tmp_path / "models"
    outside.mkdir()
    models.mkdir()
    (models / "out").symlink_to(outside)
    (models / "leak.bin").symlink_to(outside / "secret")
    (models / "inside").mkdir()
    (models / "alias").symlink_to(models / "inside")
    origin.add("/file.bin", size=100)
    async with bench(models, origin) as deck:
        for path in ("out/a.bin", "out/deeper/a.bin", "leak.bin"):
            with pytest.raises(TransferError) as caught:
                await deck.fetch(path=path)
            assert caught.value.code == "path_refused"
        await deck.fetch(path="alias/a.bin")
    assert list(outside.iterdir()) == []
    assert (models / "inside" / "a.bin").exists()


async def test_a_staging_file_that_is_a_link_is_not_written_through(tmp_path: Path, origin: Origin) -> None:
    from downloader.transfer.paths import locate  # noqa: PLC0415

    victim = tmp_path / "victim"
    victim.write_text("precious")
    models = tmp_path / "models"
    locate(models, "models/file.bin").staged.symlink_to(victim)
    origin.add("/file.bin", size=100)
    async with bench(models, origin) as deck:
        with pytest.raises(TransferError) as caught:
            await deck.fetch()
        assert (caught.value.code, caught.value.retryable) == ("disk_error", False)
    assert victim.read_text() == "precious"


@pytest.fixture
async def deck(tmp_path: Path, origin: Origin) -> AsyncIterator[Bench]:
    async with bench(tmp_path, origin) as made:
        yield made


class TestPresence:
    async def test_what_was_verified_from_the_same_url_is_not_fetched_again(self, deck: Bench) -> None:
        deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        asked = len(deck.origin.requests)
        assert (await deck.fetch()).action == "present"
        assert len(deck.origin.requests) == asked

    async def test_a_file_of_another_source_satisfies_by_hash_without_asking(self, deck: Bench) -> None:
        file = deck.serve(size=5000)
        await deck.fetch()
        asked = len(deck.origin.requests)
        result = await deck.fetch("/elsewhere.bin", sha256=file.sha256)
        assert (result.action, result.verified) == ("present", "sha256")
        assert len(deck.origin.requests) == asked

    async def test_or_by_the_exact_size_that_its_own_source_states(self, deck: Bench) -> None:
        deck.serve(size=9_000_000)
        await deck.fetch()
        deck.serve("/other.bin", size=9_000_000, seed=2)
        result = await deck.fetch("/other.bin")
        assert (result.action, result.verified, result.fetched_bytes) == ("present", "size", 0)

    async def test_else_the_conflict_is_named_and_force_replaces(self, deck: Bench) -> None:
        first = deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        other = deck.serve("/other.bin", size=6000, seed=2)
        with pytest.raises(TransferError) as caught:
            await deck.fetch("/other.bin")
        assert caught.value.code == "path_conflict"
        assert deck.origin.sent("/other.bin") == 0, "the source was asked, nothing was fetched"
        assert "/file.bin" in caught.value.message
        assert deck.final().stat().st_size == first.size
        result = await deck.fetch("/other.bin", force=True)
        assert (result.action, result.sha256) == ("downloaded", other.sha256)
        assert deck.staged() == []

    async def test_servers_that_refuse_to_be_asked_are_asked_by_the_first_bytes(self, deck: Bench) -> None:
        deck.serve(size=5000)
        await deck.fetch()
        deck.serve("/other.bin", size=6000, seed=2, status=405, status_times=1)
        with pytest.raises(TransferError) as caught:
            await deck.fetch("/other.bin")
        assert caught.value.code == "path_conflict"
        assert [r.method for r in deck.origin.asked("/other.bin")] == ["HEAD", "GET"]

    async def test_what_a_source_states_is_told_without_a_byte(self, deck: Bench) -> None:
        file = deck.serve(SERVED, size=5000, linked=True)
        stated = await deck.transfer.ask(deck.origin.url + SERVED)
        assert (stated.size, stated.sha256) == (5000, file.sha256)
        deck.serve("/page.bin", body=b"<!doctype html>", content_type="text/html")
        assert (await deck.transfer.ask(deck.origin.url + "/page.bin")).size is None
        assert deck.origin.sent() == 0

    async def test_a_hash_that_differs_is_a_conflict_even_at_the_same_size(self, deck: Bench) -> None:
        deck.serve(size=5000)
        await deck.fetch()
        deck.serve(SERVED, size=5000, seed=2, linked=True)
        with pytest.raises(TransferError) as caught:
            await deck.fetch(SERVED)
        assert caught.value.code == "path_conflict"

    async def test_a_file_that_someone_cut_is_a_conflict_not_a_success(self, deck: Bench) -> None:
        deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        with deck.final().open("r+b") as file:
            file.truncate(4000)
        with pytest.raises(TransferError) as caught:
            await deck.fetch()
        assert caught.value.code == "path_conflict"

    async def test_the_same_content_under_another_name_is_linked(self, deck: Bench) -> None:
        file = deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        asked = len(deck.origin.requests)
        by_url = await deck.fetch(path="b/again.bin")
        by_hash = await deck.fetch("/elsewhere.bin", path="c/more.bin", sha256=file.sha256)
        assert {by_url.action, by_hash.action} == {"linked"}
        assert len(deck.origin.requests) == asked
        assert deck.final("b/again.bin").stat().st_nlink == 3
        assert deck.staged() == []

    async def test_also_when_only_the_hub_states_the_hash(self, deck: Bench) -> None:
        file = deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        deck.serve(SERVED, size=5000, seed=file.seed, linked=True)
        result = await deck.fetch(SERVED, path="hub.bin")
        assert (result.action, result.verified) == ("linked", "sha256")

    async def test_content_that_was_edited_is_not_linked(self, deck: Bench) -> None:
        file = deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        deck.final().write_bytes(b"x" * 5000)
        result = await deck.fetch(path="b.bin")
        assert (result.action, result.sha256) == ("downloaded", file.sha256)

    async def test_volumes_that_cannot_link_get_a_copy(self, deck: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def cross_device(*_: Any, **__: Any) -> None:
            raise OSError(18, "Invalid cross-device link")

        file = deck.serve(size=5000)
        deck.known.add(deck.request().url, await deck.fetch())
        monkeypatch.setattr("os.link", cross_device)
        result = await deck.fetch(path="b.bin")
        assert (result.action, result.sha256) == ("linked", file.sha256)
        assert deck.final("b.bin").read_bytes() == deck.final().read_bytes()
        assert deck.final("b.bin").stat().st_nlink == 1
