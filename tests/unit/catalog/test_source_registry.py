from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from catalog import source as source_module
from catalog.bundle import Bundle, Member, unpack
from catalog.registry_layout import members
from catalog.source import AT_ONCE, Fetched, FileSource, HttpSource, source_for
from catalog.web import SourceError

from tests.unit.catalog.test_source import serving


class Site:
    """A web server with files in a folder; what was asked, and with what outcome, is kept."""

    def __init__(self, **files: str) -> None:
        self.files: dict[str, str | web.Response] = {}
        self.put("registry.json", json.dumps({"presets": {name: {"path": f"sub/{name}.yaml"} for name in files}}))
        for name, text in files.items():
            self.put(f"sub/{name}.yaml", text)
        self.asked: list[tuple[str, int]] = []
        self.now = self.most = 0
        self.delay_s = 0.0
        self.url = ""

    def put(self, path: str, content: str | web.Response) -> None:
        self.files[f"/p/{path}"] = content

    async def handle(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.delay_s)
        self.now -= 1
        answer = self._answer(request)
        self.asked.append((request.path, answer.status))
        return answer

    def _answer(self, request: web.Request) -> web.Response:
        content = self.files.get(request.path)
        if content is None:
            return web.Response(status=404)
        if isinstance(content, web.Response):
            return web.Response(status=content.status, body=content.body, headers=content.headers)
        etag = f'"{hash(content)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(text=content, headers={"ETag": etag})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(one="text one", two="text two")
    async with serving(made.handle) as url:
        made.url = url
        yield made


def source(site: Site, path: str = "/p/registry.json", **options: float) -> HttpSource:
    return HttpSource(f"{site.url}{path}", members, **options)


async def fetch(site: Site, kept: Fetched | None = None) -> tuple[Fetched, Bundle]:
    fetched = await source(site).fetch(kept)
    assert fetched is not None
    bundle = unpack(fetched.data)
    assert bundle is not None
    return fetched, bundle


async def test_a_registry_comes_with_its_files_also_from_its_folder(site: Site) -> None:
    _, bundle = await fetch(site)
    assert bundle.files == {"sub/one.yaml": Member("text one"), "sub/two.yaml": Member("text two")}
    again = await source(site, "/p/").fetch(None)
    assert again is not None
    assert unpack(again.data) == bundle
    assert source(site, "/p/").name == f"{site.url}/p/"


async def test_only_what_changed_comes_again(site: Site) -> None:
    first, before = await fetch(site)
    site.asked.clear()
    same, _ = await fetch(site, first)
    assert same == first
    assert Counter(status for _, status in site.asked) == {304: 3}
    site.put("sub/two.yaml", "new text")
    site.asked.clear()
    _, after = await fetch(site, same)
    assert Counter(status for _, status in site.asked) == {304: 2, 200: 1}
    assert after.files == before.files | {"sub/two.yaml": Member("new text")}


async def test_a_catalog_in_one_file_stays_what_it_was(site: Site) -> None:
    site.put("presets.yaml", "presets: {a: {files: []}}")
    one = source(site, "/p/presets.yaml")
    fetched = await one.fetch(None)
    assert fetched is not None
    assert fetched.data == b"presets: {a: {files: []}}"
    assert await one.fetch(fetched) is None
    first, _ = await fetch(site)
    assert await one.fetch(first) == fetched, "the kept bundle's ETags are not the file's"


@pytest.mark.parametrize("status", [500, 503, 403, 429])
async def test_half_a_registry_is_none(site: Site, status: int) -> None:
    site.put("sub/two.yaml", web.Response(status=status))
    with pytest.raises(SourceError, match=r"'sub/two.yaml' beside") as failed:
        await fetch(site)
    assert (failed.value.code, failed.value.status) == ("upstream_status", status)


async def test_a_file_that_is_not_there_is_its_own_problem_and_asked_for_again(site: Site) -> None:
    del site.files["/p/sub/two.yaml"]
    first, bundle = await fetch(site)
    assert bundle.files["sub/one.yaml"] == Member("text one")
    assert "404" in bundle.files["sub/two.yaml"].problem
    site.put("sub/two.yaml", "there")
    _, bundle = await fetch(site, first)
    assert bundle.files["sub/two.yaml"] == Member("there")


@pytest.mark.parametrize(
    "target", ["/elsewhere.yaml", "/p/../secret.yaml", "https://h.example/p/sub/two.yaml", "/px/a"]
)
async def test_a_file_is_not_fetched_from_outside_the_folder(site: Site, target: str) -> None:
    site.files |= {"/elsewhere.yaml": "x", "/secret.yaml": "x", "/px/a": "x"}
    site.put("sub/two.yaml", web.Response(status=302, headers={"Location": target}))
    _, bundle = await fetch(site)
    assert "redirect out of its folder" in bundle.files["sub/two.yaml"].problem
    assert {path for path, _ in site.asked} <= {"/p/registry.json", "/p/sub/one.yaml", "/p/sub/two.yaml"}


async def test_the_files_lie_where_the_registry_was_found(site: Site) -> None:
    site.files["/old/registry.json"] = web.Response(status=301, headers={"Location": "/p/registry.json"})
    fetched = await source(site, "/old/registry.json").fetch(None)
    assert fetched is not None
    bundle = unpack(fetched.data)
    assert bundle is not None
    assert bundle.files["sub/one.yaml"] == Member("text one")


async def test_caps_hold_while_it_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_MEMBER_BYTES", 1000)
    site.put("sub/two.yaml", "x" * 1001)
    site.put("sub/one.yaml", web.Response(body=b"\xff", content_type="text/plain"))
    _, bundle = await fetch(site)
    assert "more than 1000 bytes" in bundle.files["sub/two.yaml"].problem
    assert "not UTF-8" in bundle.files["sub/one.yaml"].problem
    monkeypatch.setattr(source_module, "MAX_BYTES", 1500)
    for name in ("one", "two"):
        site.put(f"sub/{name}.yaml", name[0] * 800)
    with pytest.raises(SourceError, match="in all") as failed:
        await fetch(site)
    assert failed.value.code == "upstream_refused"


async def test_only_some_are_fetched_at_once_and_all_within_the_limit() -> None:
    site = Site(**{f"n{number}": "x" for number in range(3 * AT_ONCE)})
    site.delay_s = 0.02
    async with serving(site.handle) as url:
        site.url = url
        _, bundle = await fetch(site)
        assert len(bundle.files) == 3 * AT_ONCE
        assert 1 < site.most <= AT_ONCE
        site.delay_s = 0.1
        with pytest.raises(SourceError, match=r"no answer within 0\.25 s") as failed:
            await source(site, limit_s=0.25).fetch(None)
        assert failed.value.status == 503


async def test_a_folder_of_this_machine_is_a_registry_too(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("secret")
    folder = tmp_path / "catalog"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/one.yaml").write_text("text one")
    (folder / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "far").symlink_to(tmp_path)
    names = ["sub/one.yaml", "out.yaml", "far/secret.yaml", "missing.yaml", "sub/folder.yaml"]
    (folder / "sub/folder.yaml").mkdir()
    (folder / "registry.json").write_text(json.dumps([{"path": name} for name in names]))
    for setting in (folder, folder / "registry.json"):
        fetched = await source_for(str(setting), members=members).fetch(None)
        assert fetched is not None
        bundle = unpack(fetched.data)
        assert bundle is not None
        assert bundle.files["sub/one.yaml"] == Member("text one")
        assert all(bundle.files[name].problem for name in names[1:])


async def test_the_files_of_a_folder_are_capped_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_BYTES", 1000)
    (tmp_path / "registry.json").write_text('["a.yaml", "b.yaml"]')
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text("x" * 600)
    with pytest.raises(SourceError, match="in all"):
        await FileSource(tmp_path, members=members).fetch(None)
