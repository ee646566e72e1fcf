from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from catalog.copies import Copies
from catalog.featured.fold import FeaturedFold
from catalog.featured.reading import MAX_MODELS, InvalidFeaturedError, parse_featured
from catalog.featured.refresh import FeaturedRefresher
from catalog.feed import RefreshError
from catalog.handlers import FeaturedHandlers
from catalog.source import Fetched, source_for
from catalog.web import SourceError
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.projector import Projector
from modeldeck_events.repositories import FeaturedModel, FeaturedPublished, FeaturedRefreshFailed, RefreshFeatured

LATER = """
last_updated: 2026-05-01T10:00:00Z
models:
- id: q8
  name: Q 8B
  description: Chats
  tags: [chat]
  size_category: M
  repo: org/q-8b
  filename: q-8b-Q4_K_M.gguf
  metadata: {downloads: 12, likes: 3, model_type: llm, family: q}
  links: {huggingface: 'https://h.example/org/q-8b', paper: null}
"""
EARLIER = {
    "models": [
        {
            "id": "q8",
            "title": "Q 8B",
            "description": "Chats",
            "repo": "org/q-8b",
            "recommended_variant": {"filename": "q.gguf", "size": "4.8GB"},
            "metadata": {"downloads_24h": 5, "stars": 4, "likes": 3, "tags": ["chat"]},
            "links": {"announcement": "https://h.example/blog"},
            "published_at": "2026-04-01T00:00:00Z",
        }
    ],
    "updated_at": "2026-05-02",
}


def test_both_shapes_are_read() -> None:
    later = parse_featured(LATER.encode())
    assert later.warnings == ()
    assert later.last_updated == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert later.models == (
        FeaturedModel(
            id="q8",
            name="Q 8B",
            repo="org/q-8b",
            filename="q-8b-Q4_K_M.gguf",
            description="Chats",
            tags=("chat",),
            downloads=12,
            likes=3,
            size_category="M",
            model_type="llm",
            family="q",
            links={"huggingface": "https://h.example/org/q-8b"},
        ),
    )
    earlier = parse_featured(json.dumps(EARLIER).encode())
    assert earlier.warnings == ()
    assert earlier.last_updated == datetime(2026, 5, 2, tzinfo=UTC)
    (model,) = earlier.models
    assert (model.name, model.filename, model.size_bytes) == ("Q 8B", "q.gguf", 4_800_000_000)
    assert (model.downloads_24h, model.stars, model.tags) == (5, 4, ("chat",))
    assert model.published_at == datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [b"- {repo: a/b}", b"featured: {x: {repo: a/b}}", b"featured_models: [{repo: a/b}]", b'[{"repo": "a/b"}]'],
)
def test_the_list_may_have_several_forms(data: bytes) -> None:
    (model,) = parse_featured(data).models
    assert (model.repo, model.name) == ("a/b", "b")
    assert model.id in {"a/b", "x"}
    assert model.likes is None, "what is not known is absent"


def test_what_is_odd_is_said_and_the_rest_stays() -> None:
    models = [
        {"repo": "a/b", "metadata": {"likes": "many"}, "filename": "../../x", "links": {"x": "javascript:alert(1)"}},
        {"repo": "https://h.example/a/b"},
        {"repo": "a/b"},
        7,
        {
            "repo": "a/c",
            "recommended_variant": {"filename": "f", "size": "huge"},
            "links": "no",
            "published_at": "soon",
        },
        {"repo": "a/d", "recommended_variant": [1]},
    ]
    found = parse_featured(json.dumps({"models": models, "last_updated": "then"}).encode())
    assert [model.id for model in found.models] == ["a/b", "a/c", "a/d"]
    assert found.models[0].filename == ""
    assert found.models[0].links == {}
    assert found.last_updated is None
    for what in (
        "model 2",
        "model 3",
        "model 4",
        "likes",
        "its file",
        "'x'",
        "size",
        "`links`",
        "published_at",
        "then",
    ):
        assert any(what in warning for warning in found.warnings), what
    assert any("recommended_variant" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    "data",
    [b"", b"models: []", b"models: {}", b"models: text", b"presets: {a: 1}", b"<html>", b"[]", b"models: [7]", b"\xff"],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFeaturedError) as refused:
        parse_featured(data)
    assert refused.value.code == "invalid_featured"


def test_a_list_stays_within_one_message() -> None:
    many = [{"repo": f"a/m{number}"} for number in range(MAX_MODELS + 1)]
    found = parse_featured(json.dumps(many).encode())
    assert len(found.models) == MAX_MODELS
    assert any("only the first" in warning for warning in found.warnings)
    long = [{"repo": f"a/m{number}", "description": "x" * 2000, "tags": ["y" * 60] * 30} for number in range(400)]
    found = parse_featured(json.dumps(long).encode())
    assert 0 < len(found.models) < 400
    assert any("left out" in warning for warning in found.warnings)


async def test_the_starter_list_is_in_order() -> None:
    fetched = await source_for("", starter="featured.yaml").fetch(None)
    assert fetched is not None
    found = parse_featured(fetched.data)
    assert found.warnings == ()
    assert 6 <= len(found.models) <= 10
    for model in found.models:
        assert model.filename
        assert model.family
        assert (model.downloads, model.likes, model.size_bytes) == (None, None, None), "no invented numbers"


class Origin:
    """The edge of the world: a source whose content and mood the test sets."""

    name = "https://h.example/featured.yaml"
    remote = True

    def __init__(self) -> None:
        self.data = LATER.encode()
        self.error: SourceError | None = None
        self.asked: list[str] = []

    async def fetch(self, kept: Fetched | None) -> Fetched | None:
        self.asked.append(kept.etag if kept else "")
        if self.error:
            raise self.error
        etag = f'"{hash(self.data)}"'
        return None if kept is not None and kept.etag == etag else Fetched(self.data, etag)


class Bench:
    def __init__(self, store: MemoryStore, folder: Path, origin: Origin) -> None:
        self.store = store
        self.fold = FeaturedFold()
        self.projector = Projector(store, (self.fold,))
        self.refresher = FeaturedRefresher(
            store, self.fold, origin, Copies(folder, "featured"), wait_for=self.projector.wait_for
        )

    async def types(self) -> list[type]:
        return [type(record.event) for record in await self.store.read(after=0, limit=100)]


@pytest.fixture
def origin() -> Origin:
    return Origin()


@pytest.fixture
async def bench(tmp_path: Path, origin: Origin) -> AsyncIterator[Bench]:
    bench = Bench(MemoryStore(), tmp_path, origin)
    task = asyncio.create_task(bench.projector.run())
    await bench.projector.caught_up.wait()
    yield bench
    task.cancel()


async def test_only_a_change_is_published_also_when_a_person_asks(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    handlers = FeaturedHandlers(bench.refresher, bench.fold)
    first = await handlers.refresh_featured(RefreshFeatured(command_id="1", actor="anna"))
    assert (first.ok, first.seq, first.data["total"]) == (True, 1, 1)
    again = await handlers.refresh_featured(RefreshFeatured(command_id="2", actor="anna"))
    assert (again.seq, "as before" in str(again.data["message"])) == (0, True)
    assert origin.asked[0] == ""
    assert origin.asked[1] != "", "asked whether it is still the kept copy"
    origin.data = json.dumps(EARLIER).encode()
    await bench.refresher.refresh()
    assert await bench.types() == [FeaturedPublished] * 2
    assert (tmp_path / "featured.yaml").read_bytes() == origin.data
    assert (tmp_path / "featured.yaml.bak").read_bytes() == LATER.encode()


async def test_a_failure_is_said_once_its_end_once_and_the_list_stays(bench: Bench, origin: Origin) -> None:
    await bench.refresher.refresh()
    origin.error = SourceError("gone", code="upstream_status", status=404)
    handlers = FeaturedHandlers(bench.refresher, bench.fold)
    for number in range(2):
        with pytest.raises(CommandNotAllowedError) as refused:
            await handlers.refresh_featured(RefreshFeatured(command_id=str(number)))
        assert (refused.value.code, refused.value.status) == ("upstream_status", 404)
    origin.error, good = None, origin.data
    origin.data = b"models: []"
    with pytest.raises(RefreshError) as failed:
        await bench.refresher.refresh()
    assert (failed.value.code, failed.value.status) == ("invalid_featured", 400)
    assert bench.fold.published is not None
    assert bench.fold.published.models
    origin.data = good
    for _ in range(2):
        await bench.refresher.refresh()
    failures = [FeaturedRefreshFailed] * 2
    assert await bench.types() == [FeaturedPublished, *failures, FeaturedPublished]


async def test_the_copy_is_there_before_the_network(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    await bench.refresher.refresh()
    origin.asked.clear()
    other = Bench(MemoryStore(), tmp_path, origin)
    await other.refresher.load_copy()
    assert await other.types() == [FeaturedPublished]
    assert origin.asked == []
