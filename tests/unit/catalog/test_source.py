from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from catalog import source as source_module
from catalog.capped_yaml import MAX_BYTES
from catalog.source import Fetched, FileSource, HttpSource, source_for
from catalog.web import SourceError
from yarl import URL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_a_setting_names_a_source(tmp_path: Path) -> None:
    assert source_for("").name == "starter"
    assert source_for("https://u:secret@h.example/p.yaml?token=secret").name == "https://h.example/p.yaml"
    assert source_for(str(tmp_path / "p.yaml")).name == str(tmp_path / "p.yaml")
    assert source_for(f"file://{tmp_path}/a%20b.yaml").name == f"{tmp_path}/a b.yaml"
    with pytest.raises(ValueError, match="http"):
        source_for("ftp://h.example/p.yaml")


async def test_a_file_is_read_and_a_bad_one_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"x")
    fetched = await FileSource(file).fetch(Fetched(b"y", "any"))
    assert fetched is not None
    assert fetched.data == b"x"
    os.truncate(file, MAX_BYTES + 1)
    os.mkfifo(tmp_path / "pipe")
    for bad in (file, tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceError) as failed:
            await FileSource(bad).fetch(None)
        assert (failed.value.code, failed.value.status) == ("source_unreadable", 503)


async def test_the_etag_saves_the_second_fetch() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.Response(body=b"data", headers={"ETag": '"v1"'})

    async with serving(answer) as url:
        source = HttpSource(f"{url}/p.yaml")
        first = await source.fetch(None)
        assert first is not None
        assert (first.data, first.etag) == (b"data", '"v1"')
        assert await source.fetch(first) is None


@pytest.mark.parametrize(
    ("status", "passed_on"), [(404, 404), (403, 403), (500, 500), (204, 502), (206, 502), (304, 502)]
)
async def test_a_status_that_is_not_200_is_passed_on(status: int, passed_on: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(answer) as url:
        with pytest.raises(SourceError) as failed:
            await HttpSource(url + "/p.yaml").fetch(None)
    assert (failed.value.code, failed.value.status) == ("upstream_status", passed_on)


async def test_no_answer_is_a_503() -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(never) as url:
        with pytest.raises(SourceError, match=r"no answer within 0\.2 s") as failed:
            await HttpSource(url + "/p.yaml", limit_s=0.2).fetch(None)
        assert (failed.value.code, failed.value.status) == ("upstream_unreachable", 503)
    with pytest.raises(SourceError) as refused:
        await HttpSource(url + "/p.yaml").fetch(None)
    assert (refused.value.code, refused.value.status) == ("upstream_unreachable", 503)


async def test_a_body_that_breaks_off_is_an_error() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return answer

    async with serving(broken) as url:
        with pytest.raises(SourceError) as failed:
            await HttpSource(url + "/p.yaml").fetch(None)
    assert failed.value.code == "upstream_unreachable"


async def test_too_much_is_refused_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_BYTES", 1000)

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 1000)

    async def squeezed(_request: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    for handler in (endless, squeezed):
        async with serving(handler) as url:
            with pytest.raises(SourceError) as failed:
                await HttpSource(url + "/p.yaml").fetch(None)
        assert (failed.value.code, failed.value.status) == ("upstream_refused", 502)


async def test_redirects_are_followed_a_few_times() -> None:
    async def answer(request: web.Request) -> web.Response:
        left = int(request.path.strip("/"))
        if left:
            return web.Response(status=302, headers={"Location": f"/{left - 1}"})
        return web.Response(body=b"there")

    async with serving(answer) as url:
        fetched = await HttpSource(f"{url}/5").fetch(None)
        assert fetched is not None
        assert fetched.data == b"there"
        with pytest.raises(SourceError, match="more than 5 redirects"):
            await HttpSource(f"{url}/6").fetch(None)


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_a_redirect_never_leads_into_the_own_network(host: str) -> None:
    hits: list[URL] = []

    async def hit(request: web.Request) -> web.Response:
        hits.append(request.url)
        return web.Response(body=b"inside")

    async with serving(hit) as inside:

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"http://{host}:{URL(inside).port}/x"})

        async with serving(answer) as url:
            with pytest.raises(SourceError):
                await HttpSource(f"{url}/p.yaml").fetch(None)
    assert hits == []


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://h.example/x", "http://169.254.169.254/", "http://u@[::1]/x"]
)
async def test_a_redirect_to_what_is_no_web_server_is_refused(target: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    async with serving(answer) as url:
        with pytest.raises(SourceError, match="redirect to") as failed:
            await HttpSource(f"{url}/p.yaml").fetch(None)
    assert (failed.value.code, failed.value.status) == ("upstream_refused", 502)
