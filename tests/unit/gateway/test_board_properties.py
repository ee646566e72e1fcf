"""What must hold for any history: deltas lead to the state, and a saved board goes on as if it had never stopped."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gateway.boards.board import merge_patch
from gateway.boards.fold import Boards
from gateway.boards.overview import stats
from gateway.boards.studio.studio import RECENT
from gateway.boards.widgets import tasks
from hypothesis import given, settings
from hypothesis import strategies as st
from modeldeck_events import downloads as d
from modeldeck_events import registry
from modeldeck_events.generations import GenerationStarted, ModelUse
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone
from modeldeck_events.pools import PoolConfigured
from modeldeck_events.presets import (
    CatalogRefreshed,
    Category,
    PresetPublished,
    PresetUninstalled,
    PresetWithdrawn,
)
from modeldeck_events.readings import DiskSample
from modeldeck_events.templates import TemplateGone
from modeldeck_events.users import ActivityCleared

from tests.support.merge_patch import merge
from tests.unit.gateway.facts import (
    START,
    deleted,
    file,
    file_completed,
    found,
    hashed,
    host_sample,
    linked,
    preset,
    progress,
    queued,
    records,
    reference,
    scanned,
    surveyed,
)

IDS = st.sampled_from(["one", "two", "three"])
NAMES = st.sampled_from(["a", "b"])
PATHS = st.sampled_from(["x/a", "x/b", "x/shared"])
FEW_SIZES = st.sampled_from([0, 100, 200])
SIZES = st.integers(0, 300)
ATTEMPTS = st.integers(1, 3)
FAILURE = d.FailureInfo(code="c", message="m")
FILES = st.lists(st.builds(file, PATHS, st.none() | SIZES), min_size=1, max_size=3).map(tuple)

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "events"
OF_OTHERS = re.compile(
    r"modeldeck\.(host|user|repository|featured|generation|training|conversation|dataset|server|model|project)\."
)
OTHERS: tuple[Event, ...] = tuple(
    event
    for path in sorted(GOLDEN.glob("*.json"))
    if OF_OTHERS.match(path.stem)
    and (event := registry.decode(path.stem.partition("+")[0], path.read_bytes())) is not None
)
"""One fact of each type that has no part in what is made up below: of hosts, users, hubs and other services."""

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(OTHERS),
    st.builds(
        lambda i, n, f, p: queued(i, *f, preset_id=n, priority=p), IDS, st.none() | NAMES, FILES, st.integers(0, 1)
    ),
    st.builds(lambda i, a: d.DownloadStarted(download_id=i, attempt=a, worker="w"), IDS, ATTEMPTS),
    st.builds(lambda i, a: d.DownloadInterrupted(download_id=i, attempt=a), IDS, ATTEMPTS),
    st.builds(file_completed, IDS, PATHS, SIZES),
    st.builds(lambda i: d.DownloadFileFailed(download_id=i, attempt=1, path="x/a", failure=FAILURE, tries=3), IDS),
    st.builds(
        lambda i: d.DownloadRetryScheduled(
            download_id=i, attempt=1, path="x/a", failure=FAILURE, tries=1, max_tries=3, retry_at=START
        ),
        IDS,
    ),
    st.builds(lambda i: d.DownloadRetryBegan(download_id=i, attempt=1, path="x/a"), IDS),
    st.builds(lambda i: d.DownloadPaused(download_id=i), IDS),
    st.builds(lambda i: d.DownloadResumed(download_id=i), IDS),
    st.builds(lambda i, r: d.DownloadMoved(download_id=i, priority=0, rank=Decimal(r) / 2), IDS, st.integers(-5, 9)),
    st.builds(lambda i, f: d.DownloadRetried(download_id=i, force=f), IDS, st.booleans()),
    st.builds(lambda i, t: d.DownloadCompleted(download_id=i, attempt=1, total_bytes=t), IDS, SIZES),
    st.builds(lambda i: d.DownloadFailed(download_id=i, attempt=1, failure=FAILURE), IDS),
    st.builds(lambda i: d.DownloadCancelled(download_id=i), IDS),
    st.builds(lambda n, f: PresetPublished(preset=preset(n, *f)), NAMES, FILES),
    st.builds(lambda n: PresetWithdrawn(preset_id=n), NAMES),
    st.builds(found, PATHS, SIZES | FEW_SIZES),
    st.builds(lambda p, s, w: found(p, s, whole=w), PATHS, FEW_SIZES, st.none() | st.booleans()),
    st.builds(lambda p: ModelFileGone(pool="default", path=p), PATHS),
    st.builds(
        lambda p, h, s, i, c: hashed(p, h * 64, s, inode=i, changed=c),
        PATHS,
        st.sampled_from("ab"),
        FEW_SIZES,
        st.integers(0, 2),
        st.booleans(),
    ),
    st.builds(lambda p, u: deleted(p, url=u), PATHS, st.none() | st.just("https://example.org/x")),
    st.builds(lambda p, f, s: linked(p, f, symlink=s), PATHS, PATHS, st.booleans()),
    st.builds(
        surveyed,
        st.sampled_from([{}, {"": "/"}, {"": "/", "x": "/big"}]),
        st.sampled_from([{}, {"y": ("x",)}]),
    ),
    st.builds(
        lambda n, refs: scanned(n, *refs),
        NAMES,
        st.lists(
            st.builds(
                lambda p, a, f: reference(p, active=a, form=f),
                st.sampled_from(["x/a", "x/b", "y/a", "y/shared", "x/x"]),
                st.booleans(),
                st.sampled_from(["file", "folder"]),
            ),
            max_size=3,
        ),
    ),
    st.builds(lambda n: TemplateGone(pool="default", template_id=n), NAMES),
    st.builds(lambda n: PresetUninstalled(pool="default", preset_id=n), NAMES),
    st.builds(
        lambda n, p: PoolConfigured(pool="default", max_concurrent=n, paused=p), st.integers(1, 3), st.booleans()
    ),
    st.builds(
        lambda v: CatalogRefreshed(
            version=v, total_presets=1, published=1, withdrawn=0, source="s", categories=(Category(name=v),)
        ),
        NAMES,
    ),
    st.builds(lambda n: ActivityCleared(user_id="local", up_to_seq=n), st.integers(0, 20)),
    st.builds(
        lambda i, folder, name: GenerationStarted(
            source="c", generation_id=i, models=(ModelUse(directory=folder, filename=name),)
        ),
        IDS,
        st.sampled_from(["", "x", "y"]),
        st.sampled_from(["a", "b", "shared", "x/a"]),
    ),
)
READINGS = st.builds(
    lambda i, done, total, attempt, at: progress(i, done, total, attempt=attempt, at_s=at),
    IDS,
    SIZES,
    st.none() | SIZES,
    ATTEMPTS,
    st.integers(0, 9),
)
DISKS = st.builds(
    lambda p, free, at: host_sample(
        DiskSample(path=p, total_bytes=300, used_bytes=300 - free, free_bytes=free), at_s=at
    ),
    st.sampled_from(["/folders/", "/folders/x", "/big/m", "/else"]),
    SIZES,
    st.integers(0, 9),
)
STEPS = st.lists(EVENTS | READINGS | DISKS, max_size=40)


def without_nulls(value: Any) -> Any:
    """A merge patch cannot say null: where the API has one, a client sees the member absent."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


def states(boards: Boards) -> dict[str, Any]:
    return {
        "queue": boards.queue.state(),
        "presets": boards.presets.state(),
        "models": boards.models.state(),
        "templates": boards.templates.state(),
        "resources": boards.resources.state(),
        "featured": boards.featured.state(),
        "project-progress": boards.studio.projects.state(),
        "active-tasks": {"tasks": {task["id"]: task for task in tasks(boards, RECENT)}},
        "stats": stats(boards),
    }


def folded(boards: Boards) -> dict[str, Any]:
    """What no topic shows as it is."""
    return {
        "repositories": boards.repositories.state(),
        "activity": boards.activity.state(),
        "downloads": boards.downloads.state(),
        "hosts": boards.hosts.state(),
        "users": boards.users.state(),
        "uses": boards.uses.state(),
    }


MADE_UP = {"downloads", "library", "queue", "presets", "templates", "models", "activity"}


def test_every_board_is_in_these_properties() -> None:
    for name, board in Boards().by_name().items():
        assert name in MADE_UP or any(isinstance(event, board.FOLDS) for event in OTHERS), f"no fact here is for {name}"


def follow(steps: list[Any]) -> None:
    """Hold after each step that a client who merged the deltas of the topics told of has the state."""
    boards = Boards()
    published = states(boards)
    client = without_nulls(published)
    events = iter(list(records(step for step in steps if isinstance(step, Event))))
    for now, step in enumerate(steps):
        if isinstance(step, Event):
            boards.apply(next(events))
        else:
            boards.read(step)
        changed = boards.take_changes(now * 0.1).topics
        for name, state in states(boards).items():
            patch = merge_patch(published[name], state)
            assert not patch or name in changed, f"{name} changed and nobody was told"
            client[name] = merge(client[name], patch)
            assert client[name] == without_nulls(state)
            published[name] = state


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: event.TYPE)
def test_the_first_fact_of_others_tells_what_it_changes(event: Event) -> None:
    follow([event])


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_deltas_applied_to_a_snapshot_give_the_new_state(steps: list[Any]) -> None:
    follow(steps)


@given(STEPS, st.data())
@settings(max_examples=150, deadline=None)
def test_a_snapshot_and_the_rest_equal_the_whole_from_zero(steps: list[Any], data: st.DataObject) -> None:
    events = list(records(step for step in steps if isinstance(step, Event)))
    cut = data.draw(st.integers(0, len(events)))
    whole, first, second = Boards(), Boards(), Boards()
    for record in events:
        whole.apply(record)
    for record in events[:cut]:
        first.apply(record)
    second.load(first.dump())
    for record in events[cut:]:
        second.apply(record)
    for boards in (whole, second):
        boards.take_changes(1e9)
    assert states(second) == states(whole)
    assert folded(second) == folded(whole)
    assert second.dump() == whole.dump()
    assert list(second.queue.state()["queue"]) == list(whole.queue.state()["queue"])


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_looking_after_every_step_shows_what_looking_once_at_the_end_shows(steps: list[Any]) -> None:
    often, once = Boards(), Boards()
    events = iter(list(records(step for step in steps if isinstance(step, Event))))
    for step in steps:
        record = next(events) if isinstance(step, Event) else None
        for boards in (often, once):
            if record is not None:
                boards.apply(record)
            else:
                boards.read(step)
        often.take_changes(1e9)
        often.models.state()
    once.take_changes(1e9)
    often.take_changes(2e9)
    for board in ("models", "templates", "presets"):
        assert getattr(often, board).state() == getattr(once, board).state()


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_progress_stays_within_its_bounds(steps: list[Any]) -> None:
    boards = Boards()
    events = iter(list(records(step for step in steps if isinstance(step, Event))))
    for now, step in enumerate(steps):
        if isinstance(step, Event):
            boards.apply(next(events))
        else:
            boards.read(step)
        boards.take_changes(float(now))
        state = boards.queue.state()
        for item in (*state["active"].values(), *state["queue"].values(), *state["completed"].values()):
            assert 0 <= item.get("progress", 0) <= 100
            assert item.get("downloaded_bytes", 0) <= item.get("total_bytes", 10**9)
        assert [item["position"] for item in state["queue"].values()] == list(range(1, len(state["queue"]) + 1))
        assert state["current"] == next(iter(state["active"]), None)


@given(
    st.recursive(st.integers() | st.text(max_size=2), lambda inner: st.dictionaries(st.sampled_from("abc"), inner)),
    st.recursive(st.integers() | st.text(max_size=2), lambda inner: st.dictionaries(st.sampled_from("abc"), inner)),
)
def test_merge_patch_leads_from_old_to_new(old: Any, new: Any) -> None:
    old, new = {"root": old}, {"root": new}
    assert merge(old, merge_patch(old, new)) == new
    assert merge_patch(new, new) == {}


def test_a_reset_forgets_everything() -> None:
    boards = Boards()
    for record in records([queued("one"), PresetPublished(preset=preset("a")), found("x/a")]):
        boards.apply(record)
    boards.reset()
    assert states(boards) == states(Boards())
    assert boards.generation == 1


def test_readings_alone_are_bounded() -> None:
    boards = Boards()
    for n in range(10_100):
        boards.read(progress(f"stranger{n}", 1))
    assert len(boards.downloads.pending) <= 10_001
