"""Repositories: described by a hub, named by a file's source, or a local folder; and the featured models."""

from datetime import UTC, datetime

from gateway.boards.board import Json
from gateway.boards.featured import size_category
from gateway.boards.fold import Boards
from gateway.boards.hub_links import HubFile, file_of_url, page_of
from gateway.boards.repositories import MAX_DESCRIBED
from modeldeck_events import downloads as d
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone, ModelMetadata, Quantization
from modeldeck_events.repositories import (
    FeaturedModel,
    FeaturedPublished,
    FeaturedRefreshFailed,
    Repository,
    RepositoryDescribed,
    Variant,
)

from tests.unit.gateway.facts import file_completed, found, hashed, progress, queued, records

REPO = "org/llama"
SHA = {"q4": "4a" * 32, "q8": "8a" * 32}
HUB = "https://huggingface.co/org/llama/resolve/abc123"


def variant(name: str, size_bytes: int = 100, **more: object) -> Variant:
    filename = f"llama-{name.upper()}.gguf"
    fields: dict[str, object] = {
        "filename": filename,
        "url": f"{HUB}/{filename}",
        "size_bytes": size_bytes,
        "sha256": SHA.get(name),
        "quantization": Quantization(bits=float(name[1:]), method=f"{name.upper()}_0"),
        "path": f"llm/{REPO}/{filename}",
    }
    return Variant(**(fields | more))  # type: ignore[arg-type]


def described(*variants: Variant, repo: str = REPO, **more: object) -> RepositoryDescribed:
    fields: dict[str, object] = {
        "hub": "huggingface",
        "repo": repo,
        "revision": "abc123",
        "likes": 12,
        "license": "apache-2.0",
        "tags": ("text-generation",),
        "description": "A model.",
        "metadata": ModelMetadata(architecture="llama", family="llama", parameters=7_000_000_000),
        "links": {"huggingface": f"https://huggingface.co/{repo}"},
        "variants": variants or (variant("q4"), variant("q8", 200)),
    }
    return RepositoryDescribed(repository=Repository(**(fields | more)))  # type: ignore[arg-type]


def after(*events: Event) -> Boards:
    boards = Boards()
    more_of(boards, *events)
    return boards


def more_of(boards: Boards, *events: Event, after: int = 0) -> None:
    for record in records(events, after=after):
        boards.apply(record)
    boards.take_changes(1e9)


def listed(boards: Boards) -> dict[str, Json]:
    return {view["repo"]: view for view in boards.repositories.state()["repositories"]}


def statuses(boards: Boards, repo: str = REPO) -> dict[str, str]:
    return {v["filename"]: v["status"] for v in listed(boards)[repo]["variants"]}


def fetched(path: str, url: str, size_bytes: int = 100, *, sha256: str | None = None) -> list[Event]:
    """A file that a download brought, and the inventory's look at it."""
    spec = d.FileSpec(path=path, url=url, size_bytes=size_bytes)
    done = d.DownloadFileCompleted(
        download_id=path, attempt=1, path=path, url=url, size_bytes=size_bytes, sha256=sha256, verified="sha256"
    )
    ended = d.DownloadCompleted(download_id=path, attempt=1, total_bytes=size_bytes)
    return [queued(path, spec, preset_id=None), done, ended, found(path, size_bytes)]


def test_a_described_repository_has_both_shapes_of_metadata() -> None:
    shown = listed(after(described()))[REPO]
    assert shown["metadata"] == {
        "model_family": "llama",
        "architecture": "llama",
        "parameters": 7_000_000_000,
        "license": "apache-2.0",
        "tags": ["text-generation"],
        "likes": 12,
        "description": "A model.",
        "links": {"huggingface": "https://huggingface.co/org/llama"},
    }
    first = shown["variants"][0]
    assert first["quantization"] == {"bits": 4.0, "method": "Q4_0"}
    assert first["metadata"]["architecture"] == "llama"
    assert (first["size"], first["size_bytes"], first["path"]) == (100, 100, "llm/org/llama/llama-Q4.gguf")
    assert "performance_metrics" not in first["metadata"]
    assert after(described()).repositories.metadata(REPO) == {"repo": REPO} | shown["metadata"]
    assert after(described()).repositories.metadata("org/nobody") is None


def test_a_variant_is_here_by_its_place_its_content_or_its_source() -> None:
    at_its_place = found("llm/org/llama/llama-Q4.gguf")
    assert statuses(after(described(), at_its_place))["llama-Q4.gguf"] == "downloaded"
    by_content = after(described(), found("models/renamed.gguf"), hashed("models/renamed.gguf", SHA["q4"]))
    assert statuses(by_content) == {"llama-Q4.gguf": "downloaded", "llama-Q8.gguf": "available"}
    assert listed(by_content)[REPO]["variants"][0]["path"] == "models/renamed.gguf"
    old_revision = fetched("a/b.gguf", "https://huggingface.co/org/llama/resolve/main/llama-Q4.gguf?download=true")
    by_source = after(described(), *old_revision)
    assert statuses(by_source)["llama-Q4.gguf"] == "downloaded"
    assert listed(by_source).keys() == {REPO}, "its file is not listed a second time"


def test_another_file_at_its_place_is_not_the_variant() -> None:
    place = "llm/org/llama/llama-Q4.gguf"
    for events in (
        [found(place, 99)],
        [found(place), hashed(place, "ff" * 32)],
        [found(place, whole=False)],
    ):
        boards = after(described(), *events)
        assert statuses(boards)["llama-Q4.gguf"] == "available", events


def test_what_the_hub_replaced_since_is_outdated() -> None:
    boards = after(described(), *fetched("x.gguf", f"{HUB}/llama-Q4.gguf", sha256="0b" * 32))
    first = listed(boards)[REPO]["variants"][0]
    assert (first["status"], first["outdated"]) == ("downloaded", True)


def test_a_variant_in_parts_is_here_when_all_of_them_are() -> None:
    names = [f"Q6/llama-Q6-0000{n}-of-00002.gguf" for n in (1, 2)]
    whole = variant("q6", 200, filename=names[0], parts=tuple(names), path=f"llm/{REPO}/{names[0]}", sha256=None)
    boards = after(described(whole), found(f"llm/{REPO}/{names[0]}"))
    assert statuses(boards)[names[0]] == "available"
    more_of(boards, found(f"llm/{REPO}/{names[1]}"), after=10)
    assert statuses(boards) == {names[0]: "downloaded"}


def test_a_download_shows_its_progress_and_its_end() -> None:
    spec = d.FileSpec(path="elsewhere/q8.gguf", url=f"{HUB}/llama-Q8.gguf", size_bytes=200)
    boards = after(described(), queued("one", spec, preset_id=None))
    assert statuses(boards) == {"llama-Q4.gguf": "available", "llama-Q8.gguf": "downloading"}
    more_of(boards, d.DownloadStarted(download_id="one", attempt=1, worker="w"), after=10)
    boards.read(progress("one", 50, 200))
    boards.take_changes(1e9)
    coming = listed(boards)[REPO]["variants"][1]
    assert (coming["progress"], coming["download_id"]) == (25.0, "one")
    more_of(boards, d.DownloadCancelled(download_id="one"), after=20)
    assert statuses(boards)["llama-Q8.gguf"] == "available"


def test_a_repository_that_nobody_described_is_known_by_its_files() -> None:
    url = "https://huggingface.co/org/flux/resolve/main/split_files/vae/ae%20x.safetensors"
    boards = after(
        *fetched("vae/ae.safetensors", url),
        queued("two", d.FileSpec(path="llm/b.gguf", url="https://hf.co/org/new/resolve/main/b.gguf"), preset_id=None),
    )
    shown = listed(boards)
    assert shown["org/flux"]["variants"][0]["filename"] == "split_files/vae/ae x.safetensors"
    assert shown["org/flux"]["metadata"]["links"] == {"huggingface": "https://huggingface.co/org/flux"}
    assert "hub" not in shown["org/flux"]
    [coming] = shown["org/new"]["variants"]
    assert (coming["filename"], coming["status"], coming["path"]) == ("b.gguf", "downloading", "llm/b.gguf")
    assert shown["org/new"]["metadata"]["links"] == {"huggingface": "https://huggingface.co/org/new"}


def test_files_of_no_repository_are_grouped_by_folder() -> None:
    header = ModelMetadata(family="sdxl", architecture="unet")
    boards = after(
        found("checkpoints/sub/a.safetensors", metadata=header),
        found("@nas/checkpoints/a.safetensors", metadata=header),
        found("loose.pt", whole=False),
        described(),
    )
    shown = boards.repositories.state()["repositories"]
    assert [view["repo"] for view in shown] == [REPO, "local/checkpoints", "local/models"]
    local = shown[1]
    assert local["local"] is True
    assert [(v["filename"], v["path"]) for v in local["variants"]] == [
        ("a.safetensors", "@nas/checkpoints/a.safetensors"),
        ("sub/a.safetensors", "checkpoints/sub/a.safetensors"),
    ]
    assert local["metadata"] == {"model_family": "sdxl", "architecture": "unet", "tags": [], "links": {}}
    broken = shown[2]["variants"][0]
    assert (broken["status"], broken["whole"]) == ("available", False)
    more_of(boards, ModelFileGone(pool="default", path="loose.pt"), after=20)
    assert "local/models" not in listed(boards)


def test_a_civitai_link_belongs_to_the_repository_that_names_it() -> None:
    url = "https://civitai.com/api/download/models/128713"
    file = fetched("checkpoints/dream.safetensors", url)
    boards = after(*file)
    assert listed(boards).keys() == {"local/checkpoints"}
    dream = Variant(filename="dream.safetensors", url=url, path="checkpoints/other.safetensors")
    more_of(boards, described(dream, repo="civitai/4384", hub="civitai"), after=10)
    assert listed(boards).keys() == {"civitai/4384"}
    assert statuses(boards, "civitai/4384") == {"dream.safetensors": "downloaded"}


def test_descriptions_are_bounded_the_oldest_goes() -> None:
    boards = after(*(described(repo=f"org/r{n}") for n in range(MAX_DESCRIBED + 2)), described(repo="org/r2"))
    shown = listed(boards)
    assert len(shown) == MAX_DESCRIBED
    assert "org/r1" not in shown
    assert "org/r2" in shown


def test_links_name_repository_and_file_or_nothing() -> None:
    assert file_of_url("https://huggingface.co/a/b/resolve/main/x/y.gguf?download=true") == HubFile("a/b", "x/y.gguf")
    assert file_of_url("http://mirror:8000/a/b/blob/refs%2Fpr%2F1/y.gguf") == HubFile("a/b", "y.gguf")
    for other in (
        "https://huggingface.co/datasets/a/b/resolve/main/x",
        "https://civitai.com/api/download/models/1",
        "https://example.org/x.safetensors",
        "not a url",
    ):
        assert file_of_url(other) is None
    assert page_of("https://evil.example/a/b/resolve/main/x") is None


FEATURED = FeaturedModel(
    id="llama",
    name="Llama",
    repo=REPO,
    filename="llama-Q4.gguf",
    size_bytes=5_000_000_000,
    description="Good.",
    tags=("chat",),
    likes=3,
    links={"huggingface": "https://huggingface.co/org/llama"},
    published_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_featured_models_have_the_fields_of_both_shapes_and_their_standing() -> None:
    when = datetime(2026, 2, 1, tzinfo=UTC)
    bare = FeaturedModel(id="bare", name="Bare", repo="org/bare")
    boards = after(FeaturedPublished(models=(FEATURED, bare), last_updated=when, source="https://x.org/f.yaml"))
    state = boards.featured.state()
    assert state["last_updated"] == "2026-02-01T00:00:00.000Z"
    shown = state["models"]["llama"]
    expected = {
        "id": "llama", "name": "Llama", "title": "Llama", "size_category": "M", "repo": REPO, "status": "available",
        "path": "llm/org/llama/llama-Q4.gguf", "published_at": "2026-01-01T00:00:00.000Z",
        "recommended_variant": {"filename": "llama-Q4.gguf", "size": 5_000_000_000, "size_bytes": 5_000_000_000},
        "metadata": {"likes": 3, "tags": ["chat"]},
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected
    assert state["models"]["bare"]["status"] == "available"
    assert "size_category" not in state["models"]["bare"]

    for record in records([found("llm/org/llama/llama-Q4.gguf", 5_000_000_000)], after=10):
        boards.apply(record)
    assert "featured" in boards.take_changes(1e9).topics
    assert boards.featured.state()["models"]["llama"]["status"] == "downloaded"
    more_of(boards, FeaturedRefreshFailed(source="s", code="unreachable", message="away"), after=20)
    assert len(boards.featured.state()["models"]) == 2, "the last good list stays"


def test_a_featured_download_is_told_without_its_progress() -> None:
    spec = d.FileSpec(path="llm/org/llama/llama-Q4.gguf", url=f"{HUB}/llama-Q4.gguf", size_bytes=100)
    boards = after(FeaturedPublished(models=(FEATURED,)), queued("one", spec, preset_id=None))
    shown = boards.featured.state()["models"]["llama"]
    assert (shown["status"], shown["download_id"]) == ("downloading", "one")
    assert "progress" not in shown
    more_of(boards, file_completed("one", spec.path, 100, url=spec.url), found(spec.path), after=10)
    assert boards.featured.state()["last_updated"], "without a time of its own the list is as old as its fact"


def test_size_categories_begin_where_they_say() -> None:
    steps = {0: "XS", 10**9 - 1: "XS", 10**9: "S", 4 * 10**9: "M", 12 * 10**9: "L", 40 * 10**9: "XL"}
    assert {size: size_category(size) for size in steps} == steps
    assert size_category(None) is None


def test_a_new_description_replaces_the_old_one() -> None:
    boards = after(described(variant("q4")))
    assert list(statuses(boards)) == ["llama-Q4.gguf"]
    more_of(boards, described(variant("q8")), after=10)
    assert list(statuses(boards)) == ["llama-Q8.gguf"]
