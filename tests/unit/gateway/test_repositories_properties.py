"""For any history: templates, repositories and featured models do not depend on how often somebody looked, nor on where
a snapshot cut it; and what is shown agrees with a plain look at the disk.
"""

from typing import Any

from gateway.boards.board import merge_patch
from gateway.boards.fold import Boards
from hypothesis import given, settings
from hypothesis import strategies as st
from modeldeck_events import downloads as d
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone
from modeldeck_events.repositories import FeaturedModel, FeaturedPublished, Repository, RepositoryDescribed, Variant
from modeldeck_events.templates import TemplateGone, TemplateReference

from tests.support.merge_patch import merge
from tests.unit.gateway.facts import deleted, file_completed, found, hashed, queued, records, scanned, surveyed

PATHS = st.sampled_from(["x/a", "x/b", "y/a", "y/deep/b", "@s/x/a"])
REPOS = st.sampled_from(["org/one", "org/two"])
NAMES = st.sampled_from(["a", "deep/b", "c"])
SIZES = st.sampled_from([100, 200])
HASHES = st.none() | st.sampled_from(["a" * 64, "b" * 64])
IDS = st.sampled_from(["one", "two"])
URLS = st.builds(lambda repo, name: f"https://huggingface.co/{repo}/resolve/main/{name}", REPOS, NAMES) | st.just(
    "https://civitai.com/api/download/models/1"
)
FILES = st.lists(st.builds(lambda p, u: d.FileSpec(path=p, url=u), PATHS, URLS), min_size=1, max_size=2).map(tuple)
VARIANTS = st.lists(
    st.builds(
        lambda n, u, s, h, p, more: Variant(filename=n, url=u, size_bytes=s, sha256=h, path=p, parts=more),
        NAMES,
        URLS,
        st.none() | SIZES,
        HASHES,
        PATHS | st.just(""),
        st.sampled_from([(), ("a", "deep/b")]),
    ),
    max_size=3,
).map(tuple)
REFERENCES = st.lists(
    st.builds(
        lambda p, a, f, h: TemplateReference(
            path=p, directory=p.partition("/")[0], filename=p.partition("/")[2], active=a, form=f, sha256=h
        ),
        st.sampled_from(["x/a", "x/b", "y/a", "y/deep/b", "x/deep"]),
        st.booleans(),
        st.sampled_from(["file", "stem", "folder"]),
        HASHES,
    ),
    max_size=3,
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        lambda n, refs, c: scanned(n, *refs) if c else scanned(n), st.sampled_from("pq"), REFERENCES, st.booleans()
    ),
    st.builds(lambda n: TemplateGone(pool="default", template_id=n), st.sampled_from("pq")),
    st.builds(lambda p, s, w: found(p, s, whole=w), PATHS, SIZES, st.none() | st.booleans()),
    st.builds(lambda p: ModelFileGone(pool="default", path=p), PATHS),
    st.builds(deleted, PATHS),
    st.builds(hashed, PATHS, st.sampled_from(["a" * 64, "b" * 64]), SIZES),
    st.builds(lambda p: surveyed({"": "/"}, {"x": p}), st.sampled_from([("x",), ("x", "@s/x"), ("y",)])),
    st.builds(lambda i, f: queued(i, *f, preset_id=None), IDS, FILES),
    st.builds(lambda i, p, s, u: file_completed(i, p, s, url=u), IDS, PATHS, SIZES, URLS),
    st.builds(lambda i: d.DownloadCancelled(download_id=i), IDS),
    st.builds(
        lambda r, v, hub: RepositoryDescribed(repository=Repository(hub=hub, repo=r, variants=v)),
        REPOS,
        VARIANTS,
        st.sampled_from(["huggingface", "civitai"]),
    ),
    st.builds(
        lambda r, n, s: FeaturedPublished(models=(FeaturedModel(id="f", name="F", repo=r, filename=n, size_bytes=s),)),
        REPOS,
        NAMES,
        st.none() | SIZES,
    ),
)
HISTORIES = st.lists(EVENTS, max_size=30)


def shown(boards: Boards) -> dict[str, Any]:
    return {
        "templates": boards.templates.state(),
        "featured": boards.featured.state(),
        "repositories": boards.repositories.state(),
    }


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_looking_often_shows_what_looking_once_shows_and_every_change_is_told(history: list[Event]) -> None:
    often, once = Boards(), Boards()
    often.take_changes(1e9)
    client = {name: state for name, state in shown(often).items() if name != "repositories"}
    for record in records(history):
        once.apply(record)
        often.apply(record)
        changed = often.take_changes(1e9).topics
        states = shown(often)
        for name, before in client.items():
            patch = merge_patch(before, states[name])
            assert not patch or name in changed, f"{name} changed and nobody was told"
            client[name] = merge(before, patch)
            assert client[name] == states[name]
    once.take_changes(1e9)
    assert shown(once) == shown(often)


@given(HISTORIES, st.data())
@settings(max_examples=200, deadline=None)
def test_a_snapshot_and_the_rest_equal_the_whole_from_zero(history: list[Event], data: st.DataObject) -> None:
    log = list(records(history))
    cut = data.draw(st.integers(0, len(log)))
    whole, first, second = Boards(), Boards(), Boards()
    for record in log[:cut]:
        first.apply(record)
    second.load(first.dump())
    for boards, rest in ((whole, log), (second, log[cut:])):
        for record in rest:
            boards.apply(record)
        boards.take_changes(1e9)
    assert shown(second) == shown(whole)
    for name in ("templates", "featured", "repositories"):
        assert getattr(second, name).dump() == getattr(whole, name).dump()


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_what_is_shown_agrees_with_a_plain_look(history: list[Event]) -> None:
    boards = Boards()
    for record in records(history):
        boards.apply(record)
    boards.take_changes(1e9)
    usable = {path for path, file in boards.library.files.items() if file.whole is not False}
    state = boards.templates.state()
    for template in state["templates"].values():
        for one in template["references"]:
            if one["status"] == "present":
                assert one["found_at"] in usable or any(path.startswith(f"{one['found_at']}/") for path in usable)
        missing = [one for one in template["references"] if one["active"] and one["status"] != "present"]
        assert template["missing_models"] == missing
        assert template["compatible"] == (not missing)
        assert template["missing_count"] == len(missing)
    assert state["compatible"] == sum(t["compatible"] for t in state["templates"].values())
    repositories = boards.repositories.state()["repositories"]
    names = [view["repo"] for view in repositories]
    assert len(names) == len(set(names))
    downloaded = [v["path"] for view in repositories for v in view["variants"] if v["status"] == "downloaded"]
    assert set(downloaded) <= usable
    listed = {v["path"] for view in repositories for v in view["variants"] if "path" in v}
    hub_names = {(view["repo"], v["filename"]) for view in repositories for v in view["variants"]}
    described = [event.repository for event in history if isinstance(event, RepositoryDescribed)]
    urls = {variant.url for repository in described for variant in repository.variants}
    for path, file in boards.library.files.items():
        of_a_variant = file.source and (file.source in urls or any(file.source.endswith(name) for _, name in hub_names))
        assert path in listed or of_a_variant, path
