"""The storage by example: sums, volumes with their readings, what is stored twice, and how little a change costs."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from gateway.boards.board import Collection, Json, merge_patch
from gateway.boards.duplicates import MAX_GROUPS, MAX_PATHS, NEIGHBOURS, Content, Duplicates
from gateway.boards.fold import Boards
from gateway.live import Answer, Topic
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import InventorySurveyed, ModelMetadata, ModelRoot
from modeldeck_events.readings import DiskSample, HostSample

from tests.unit.gateway.facts import START, found, hashed, host_sample, linked, records, reference, scanned, surveyed

SHA = "ab" * 32


def folded(*events: Event, readings: Iterable[HostSample] = ()) -> Boards:
    boards = Boards()
    for record in records(events):
        boards.apply(record)
    for reading in readings:
        boards.read(reading)
    boards.take_changes(0)
    return boards


def storage(*events: Event, readings: Iterable[HostSample] = ()) -> dict[str, Any]:
    return folded(*events, readings=readings).models.storage()


def disk(path: str, free_bytes: int = 40, **more: Any) -> DiskSample:
    return DiskSample(path=path, total_bytes=100, used_bytes=100 - free_bytes, free_bytes=free_bytes, **more)


def duplicates(*events: Event) -> dict[str, Any]:
    shown: dict[str, Any] = storage(*events)["duplicates"]
    return shown


class TestSums:
    def test_nothing_is_known_of_an_empty_pool_but_that_it_is_empty(self) -> None:
        assert storage() == {
            "model_count": 0,
            "models_bytes": 0,
            "volumes": [],
            "folders": [],
            "families": [],
            "unused": {"count": 0, "bytes": 0},
            "duplicates": {"reclaimable_bytes": 0, "count": 0, "groups": []},
        }

    def test_folders_and_families_come_with_the_largest_first(self) -> None:
        flux, sdxl = ModelMetadata(family="Flux"), ModelMetadata(family="SDXL")
        shown = storage(
            found("loras/a", 1, metadata=flux),
            found("@c/loras/b", 2, metadata=sdxl),
            found("vae/c", 9),
            found("vae/d", 1, metadata=flux),
        )
        assert shown["folders"] == [
            {"folder": "vae", "bytes": 10, "count": 2},
            {"folder": "loras", "bytes": 3, "count": 2},
        ]
        assert shown["families"] == [
            {"family": "Flux", "bytes": 2, "count": 2},
            {"family": "SDXL", "bytes": 2, "count": 1},
        ]

    def test_what_nobody_needs_is_summed(self) -> None:
        shown = storage(found("vae/a", 1), found("vae/b", 2), scanned("w/t", reference("vae/a")))
        assert shown["unused"] == {"count": 1, "bytes": 2}

    def test_bytes_with_several_names_count_once_on_the_volume_and_with_each_name_in_its_folder(self) -> None:
        shown = storage(
            surveyed({"": "/"}),
            found("vae/a"),
            found("vae/b"),
            hashed("vae/a", SHA, inode=7),
            hashed("vae/b", SHA, inode=7),
        )
        assert (shown["models_bytes"], shown["volumes"][0]["models_bytes"], shown["volumes"][0]["model_count"]) == (
            100,
            100,
            2,
        )
        assert shown["folders"] == [{"folder": "vae", "bytes": 200, "count": 2}]


class TestVolumes:
    def test_a_root_tells_which_volume_a_reading_is_of(self) -> None:
        roots = (ModelRoot(prefix="", folder="/srv/models"), ModelRoot(prefix="@c/loras", folder="/nas/loras"))
        survey = InventorySurveyed(pool="default", roots=roots, mounts={"": "/", "@c/loras": "/nas"})
        readings = [host_sample(disk("/srv/models"), disk("/nas/loras", 90))]
        shown = storage(survey, found("vae/a", 5), found("@c/loras/b", 7), readings=readings)
        assert shown["volumes"] == [
            {
                "mount": "/",
                "total_bytes": 100,
                "used_bytes": 60,
                "free_bytes": 40,
                "models_bytes": 5,
                "model_count": 1,
            },
            {
                "mount": "/nas",
                "total_bytes": 100,
                "used_bytes": 10,
                "free_bytes": 90,
                "models_bytes": 7,
                "model_count": 1,
            },
        ]
        assert (shown["total_bytes"], shown["used_bytes"], shown["available_bytes"]) == (200, 70, 130)

    def test_another_folder_on_the_volume_tells_of_it_too(self) -> None:
        survey = InventorySurveyed(
            pool="default", roots=(ModelRoot(prefix="", folder="/data/models"),), mounts={"": "/data"}
        )
        assert storage(survey, readings=[host_sample(disk("/data"))])["available_bytes"] == 40
        assert "available_bytes" not in storage(survey, readings=[host_sample(disk("/database"))])

    def test_the_reading_of_the_root_itself_counts_more(self) -> None:
        survey = InventorySurveyed(
            pool="default", roots=(ModelRoot(prefix="", folder="/data/models"),), mounts={"": "/data"}
        )
        readings = [host_sample(disk("/data/else", 1), disk("/data/models", 2))]
        assert storage(survey, readings=readings)["available_bytes"] == 2

    def test_a_volume_that_nobody_read_carries_only_its_models(self) -> None:
        shown = storage(surveyed({"": "/"}), found("vae/a", 5))
        assert shown["volumes"] == [{"mount": "/", "models_bytes": 5, "model_count": 1}]
        assert "total_bytes" not in shown

    def test_a_volume_that_cannot_be_read_says_why_and_is_no_zero(self) -> None:
        survey = surveyed({"": "/", "x": "/x"})
        broken = DiskSample(path="/folders/", error="Input/output error")
        shown = storage(survey, readings=[host_sample(broken, disk("/x"))])
        assert shown["volumes"][0] == {
            "mount": "/",
            "models_bytes": 0,
            "model_count": 0,
            "error": "Input/output error",
        }
        assert shown["total_bytes"] == 100

    def test_hosts_of_another_pool_tell_nothing(self) -> None:
        assert "total_bytes" not in storage(surveyed({"": "/"}), readings=[host_sample(disk("/folders/"), pool="far")])

    def test_the_newest_reading_of_the_pools_hosts_counts(self) -> None:
        readings = [
            host_sample(disk("/folders/", 2), host="b", at_s=5),
            host_sample(disk("/folders/", 1), host="a", at_s=1),
        ]
        assert storage(surveyed({"": "/"}), readings=readings)["available_bytes"] == 2

    def test_before_the_first_survey_the_first_disk_is_the_models_folders(self) -> None:
        shown = storage(found("vae/a", 5), readings=[host_sample(disk("/m"), disk("/other"))])
        assert [(v["mount"], v["models_bytes"], v["model_count"]) for v in shown["volumes"]] == [("/m", 5, 1)]
        assert shown["available_bytes"] == 40

    def test_what_a_silent_host_read_is_marked(self) -> None:
        boards = folded(surveyed({"": "/"}), readings=[host_sample(disk("/folders/"))])
        assert boards.resources.age(START + timedelta(hours=1))
        boards.models.disks_changed()
        assert boards.models.storage()["volumes"][0]["stale"] is True

    def test_the_past_has_no_readings(self) -> None:
        boards = Boards()
        for record in records([surveyed({"": "/"}), found("vae/a")]):
            boards.apply(record)
        assert boards.models.state()["storage"]["volumes"] == [{"mount": "/", "models_bytes": 100, "model_count": 1}]


class TestDuplicates:
    def test_the_same_content_twice_frees_one_of_it(self) -> None:
        events = (found("x/a"), found("x/b"), hashed("x/a", SHA, inode=1), hashed("x/b", SHA, inode=2))
        assert duplicates(*events) == {
            "reclaimable_bytes": 100,
            "count": 1,
            "groups": [
                {"sha256": SHA, "size_bytes": 100, "count": 2, "paths": ["x/a", "x/b"], "reclaimable_bytes": 100}
            ],
        }
        models = folded(*events).models.state()["models"]
        assert (models["x/a"]["duplicates"], models["x/b"]["duplicates"]) == (["x/b"], ["x/a"])

    def test_a_hard_link_frees_nothing(self) -> None:
        shown = duplicates(
            surveyed({"": "/"}),
            found("x/a"),
            hashed("x/a", SHA, inode=1),
            linked("x/b", "x/a"),
            found("x/b"),
            hashed("x/b", SHA, inode=1),
        )
        assert (shown["reclaimable_bytes"], shown["groups"][0]["reclaimable_bytes"]) == (0, 0)

    def test_equal_inodes_on_two_volumes_are_two_copies(self) -> None:
        shown = duplicates(
            surveyed({"": "/", "x": "/x"}),
            found("x/a"),
            found("y/a"),
            hashed("x/a", SHA, inode=1),
            hashed("y/a", SHA, inode=1),
        )
        assert shown["reclaimable_bytes"] == 100

    def test_a_symbolic_link_over_volumes_frees_nothing(self) -> None:
        shown = duplicates(
            surveyed({"": "/", "x": "/x"}),
            found("y/a"),
            hashed("y/a", SHA, inode=1),
            linked("x/a", "y/a", symlink=True),
            found("x/a"),
            hashed("x/a", SHA, inode=1),
        )
        assert shown["reclaimable_bytes"] == 0

    def test_a_link_that_was_overwritten_is_a_copy(self) -> None:
        events = (
            surveyed({"": "/", "x": "/x"}),
            found("y/a"),
            hashed("y/a", SHA, inode=1),
            linked("x/a", "y/a", symlink=True),
            found("x/a"),
            found("x/a", 101),
            found("x/a", 100),
            hashed("x/a", SHA, inode=1),
        )
        assert duplicates(*events)["reclaimable_bytes"] == 100

    def test_empty_files_are_nobodys_duplicates(self) -> None:
        events = (found("x/a", 0), found("x/b", 0), hashed("x/a", SHA, 0, inode=1), hashed("x/b", SHA, 0, inode=2))
        assert duplicates(*events)["count"] == 0

    def test_those_which_free_most_are_listed_and_all_are_summed(self) -> None:
        found_twice: list[Event] = []
        for n in range(MAX_GROUPS + 5):
            for copy in "ab":
                found_twice += [found(f"{copy}/{n}", n + 1), hashed(f"{copy}/{n}", f"{n:064x}", n + 1)]
        shown = duplicates(*found_twice)
        assert (shown["count"], len(shown["groups"])) == (MAX_GROUPS + 5, MAX_GROUPS)
        assert [group["size_bytes"] for group in shown["groups"][:2]] == [MAX_GROUPS + 5, MAX_GROUPS + 4]
        assert shown["reclaimable_bytes"] == sum(range(1, MAX_GROUPS + 6))

    def test_a_content_with_very_many_names_is_told_in_part(self) -> None:
        both: list[Event] = []
        for n in range(100):
            both += [found(f"x/{n:03}"), hashed(f"x/{n:03}", SHA, inode=n + 1)]
        boards = folded(*both)
        group = boards.models.storage()["duplicates"]["groups"][0]
        assert (group["count"], len(group["paths"]), group["reclaimable_bytes"]) == (100, MAX_PATHS, 9900)
        told = boards.models.state()["models"]["x/098"]["duplicates"]
        assert told == ["x/099", *(f"x/{n:03}" for n in range(NEIGHBOURS - 1))]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 30).map(lambda n: f"{n:02}"),
        st.none() | st.builds(Content, st.sampled_from(["a", "b"]), st.integers(0, 2)),
        st.integers(0, 3),
    ),
    max_size=80,
)


@given(STEPS)
def test_duplicates_are_what_counting_everything_finds(steps: list[tuple[str, Content | None, int]]) -> None:
    board, there, told = Duplicates(), dict[str, tuple[Content, int]](), dict[str, list[str]]()
    for path, content, copy in steps:
        board.put(path, content, copy)
        there.pop(path, None)
        if content is not None and content.size_bytes:
            there[path] = (content, copy)
        told |= {touched: board.beside(touched) for touched in board.take_touched()}
        by_content: dict[Content, list[str]] = {}
        for other in sorted(there):
            by_content.setdefault(there[other][0], []).append(other)
        several = {content: paths for content, paths in by_content.items() if len(paths) > 1}
        freed = {c: (len({there[path][1] for path in paths}) - 1) * c.size_bytes for c, paths in several.items()}
        state = board.state()
        assert (state["count"], state["reclaimable_bytes"]) == (len(several), sum(freed.values()))
        assert {Content(g["sha256"], g["size_bytes"]): g["reclaimable_bytes"] for g in state["groups"]} == freed
        for content_, paths in several.items():
            for path_ in paths:
                others = paths[paths.index(path_) + 1 :] + paths[: paths.index(path_)]
                assert told[path_] == board.beside(path_) == others[:NEIGHBOURS], content_


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 2)),
)
def test_a_collection_differs_from_its_base_as_any_two_do(base: dict[str, int], changes: dict[str, int | None]) -> None:
    first = Collection(None, {key: {"n": value} for key, value in base.items()})
    second = Collection(first, {key: None if value is None else {"n": value} for key, value in changes.items()})
    assert merge_patch(first, second) == merge_patch(dict(first), dict(second))
    third = Collection(second, {"a": {"n": 9}})
    assert merge_patch(first, third) == merge_patch(dict(first), dict(third))


def test_a_change_of_one_file_is_one_file_in_the_delta() -> None:
    boards = folded(*(found(f"x/{n}") for n in range(50)))
    topic = Topic("models", boards.models.state)
    topic.publish()
    for record in records([hashed("x/7", SHA)], after=50):
        boards.apply(record)
    boards.take_changes(0)
    assert topic.publish() == {"models": {"x/7": {"sha256": SHA}}}


def test_a_reading_of_a_disk_leaves_the_bytes_of_the_list_as_they_are() -> None:
    boards = folded(surveyed({"": "/"}), found("x/a"))
    topic = Topic("models", boards.models.state)
    topic.publish()
    rendered: list[list[str]] = []

    def render(state: Json) -> list[str]:
        rendered.append(sorted(state["models"]))
        return rendered[-1]

    answer = Answer(topic, render, parts=("models", "deleted"))
    first = answer.current()
    boards.read(host_sample(disk("/folders/")))
    assert "models" in boards.take_changes(0).topics
    assert topic.publish()["storage"]["available_bytes"] == 40
    assert (answer.current(), len(rendered)) == (first, 1)
    for record in records([found("x/b")], after=2):
        boards.apply(record)
    boards.take_changes(0)
    topic.publish()
    assert (answer.current()[0], len(rendered)) == (b'["x/a","x/b"]', 2)
