"""The model files by example: each test is one sentence of the API's contract."""

from typing import Any

import msgspec
import pytest
from gateway.boards.fold import Boards
from gateway.boards.library import DELETED_KEPT
from gateway.boards.models import folder_of
from gateway.routes.models import model_list
from modeldeck_events import downloads as d
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone, ModelMetadata, Quantization
from modeldeck_events.presets import PresetPublished, PresetUninstalled, PresetWithdrawn
from modeldeck_events.templates import TemplateGone

from tests.unit.gateway.facts import (
    deleted,
    file,
    file_completed,
    found,
    hashed,
    linked,
    preset,
    queued,
    records,
    reference,
    scanned,
    surveyed,
)

SHA = "ab" * 32


def folded(*events: Event, pool: str = "default") -> Boards:
    boards = Boards(pool=pool)
    for record in records(events):
        boards.apply(record)
    boards.take_changes(0)
    return boards


def items(*events: Event) -> dict[str, Any]:
    shown: dict[str, Any] = folded(*events).models.state()["models"]
    return shown


def needed_by(boards: Boards, path: str) -> list[tuple[str, str]]:
    boards.take_changes(0)
    return [(one["kind"], one["id"]) for one in boards.models.state()["models"][path]["needed_by"]]


class TestFiles:
    def test_an_empty_pool_has_none(self) -> None:
        state = folded().models.state()
        assert (state["models"], state["total"], state["deleted"]) == ({}, 0, {})

    def test_a_file_is_shown_with_what_is_known_and_nothing_else(self) -> None:
        assert items(found("loras/a b.safetensors", 7))["loras/a b.safetensors"] == {
            "path": "loras/a b.safetensors",
            "folder": "loras",
            "filename": "a b.safetensors",
            "root": "",
            "size_bytes": 7,
            "modified_at": "2026-01-02T03:04:05.000Z",
            "format": "",
            "whole": True,
            "needed_by": [],
            "restorable": False,
        }

    def test_its_header_tells_the_family_or_else_the_architecture(self) -> None:
        quantized = Quantization(bits=4, method="Q4_K_M")
        shown = items(
            found("llm/a.gguf", metadata=ModelMetadata(architecture="llama", family="Llama", quantization=quantized)),
            found("llm/b.gguf", metadata=ModelMetadata(architecture="phi3")),
            found("llm/c.gguf", metadata=ModelMetadata()),
        )
        assert [shown[f"llm/{name}.gguf"].get("family") for name in "abc"] == ["Llama", "phi3", None]
        assert shown["llm/a.gguf"]["metadata"]["quantization"] == {"bits": 4, "method": "Q4_K_M"}
        assert "metadata" not in shown["llm/c.gguf"]

    @pytest.mark.parametrize(
        ("path", "folder"),
        [
            ("loras/a.safetensors", "loras"),
            ("checkpoints/sub/deeper/a.ckpt", "checkpoints"),
            ("@comfy/loras/a.safetensors", "loras"),
            ("@comfy/loras/sub/a.safetensors", "loras"),
            ("@comfy/a.safetensors", ""),
            ("a.safetensors", ""),
        ],
    )
    def test_the_folder_is_the_model_folder(self, path: str, folder: str) -> None:
        assert folder_of(path) == folder

    def test_the_longest_prefix_tells_volume_and_root(self) -> None:
        shown = items(
            surveyed({"": "/", "loras": "/big", "@comfy/loras": "/nas"}),
            found("loras/a.bin"),
            found("loras2/a.bin"),
            found("@comfy/loras/x/a.bin"),
        )
        assert {path: view["volume"] for path, view in shown.items()} == {
            "loras/a.bin": "/big",
            "loras2/a.bin": "/",
            "@comfy/loras/x/a.bin": "/nas",
        }
        assert shown["@comfy/loras/x/a.bin"]["root"] == "@comfy/loras"

    def test_a_new_survey_moves_the_files(self) -> None:
        boards = folded(surveyed({"": "/"}), found("loras/a.bin"))
        for record in records([surveyed({"": "/", "loras": "/big"})], after=2):
            boards.apply(record)
        assert "models" in boards.take_changes(0).topics
        assert boards.models.state()["models"]["loras/a.bin"]["volume"] == "/big"

    def test_files_of_another_pool_are_not_shown(self) -> None:
        assert items(found("a.bin", pool="other"), ModelFileGone(pool="other", path="b.bin")) == {}

    def test_a_file_that_went_is_not_shown(self) -> None:
        assert items(found("x/a"), found("x/b"), ModelFileGone(pool="default", path="x/a")).keys() == {"x/b"}

    def test_the_list_is_by_path_with_a_page_of_it(self) -> None:
        state = folded(found("b"), found("a"), found("c")).models.state()
        assert [one["path"] for one in model_list(state)["models"]] == ["a", "b", "c"]
        page = model_list(state, limit=1, offset=1)
        assert ([one["path"] for one in page["models"]], page["total"]) == (["b"], 3)


class TestHashes:
    def test_a_hash_counts_for_the_file_as_it_was_hashed(self) -> None:
        assert items(found("x/a"), hashed("x/a", SHA))["x/a"]["sha256"] == SHA
        for wrong in (hashed("x/a", SHA, 99), hashed("x/a", SHA, changed=True)):
            assert "sha256" not in items(found("x/a"), wrong)["x/a"]

    def test_a_changed_file_has_no_hash_until_it_is_stated_anew(self) -> None:
        events = (found("x/a"), hashed("x/a", SHA), found("x/a", 101))
        assert "sha256" not in items(*events)["x/a"]
        assert items(*events, hashed("x/a", "c" * 64, 101))["x/a"]["sha256"] == "c" * 64

    def test_a_hash_of_what_is_not_there_is_nobodys(self) -> None:
        assert items(hashed("x/a", SHA)) == {}


class TestSources:
    def test_a_fetched_file_tells_where_it_came_from(self) -> None:
        url = "https://hub.example/org/repo/resolve/main/m.gguf"
        shown = items(queued("one"), file_completed("one", "llm/m.gguf", 100, url=url), found("llm/m.gguf"))
        assert shown["llm/m.gguf"]["source"] == {"url": url, "repo": "org/repo"}
        assert shown["llm/m.gguf"]["restorable"] is True

    def test_a_source_that_is_no_hub_has_no_repository(self) -> None:
        shown = items(queued("one"), file_completed("one", "x/a", 100), found("x/a"))
        assert shown["x/a"]["source"] == {"url": "https://example.org/x/a"}

    @pytest.mark.parametrize("other", [found("x/a", 99), ModelFileGone(pool="default", path="x/a")])
    def test_what_somebody_put_in_its_place_does_not_come_from_there(self, other: Event) -> None:
        shown = items(queued("one"), file_completed("one", "x/a", 100), found("x/a"), other, found("x/a", 99))
        assert "source" not in shown["x/a"]
        assert shown["x/a"]["restorable"] is False
        assert "verified" not in shown["x/a"]

    @pytest.mark.parametrize("verified", ["sha256", "header", "size"])
    def test_it_tells_what_agreed_when_it_was_fetched(self, verified: d.Verified) -> None:
        first = msgspec.structs.replace(file_completed("one", "x/a", 100), verified=verified)
        seen_again = msgspec.structs.replace(file_completed("two", "x/a", 100, action="present"), verified="size")
        shown = items(queued("one"), first, found("x/a"), queued("two"), seen_again)
        assert shown["x/a"]["verified"] == verified

    def test_a_preset_that_has_the_file_can_restore_it(self) -> None:
        publish = PresetPublished(preset=preset("a", file("x/a", 100)))
        assert items(publish, found("x/a"))["x/a"]["restorable"] is True
        assert items(publish, found("x/a", 99))["x/a"]["restorable"] is False
        assert items(found("x/a"), publish, PresetWithdrawn(preset_id="a"))["x/a"]["restorable"] is False


class TestNeededBy:
    def test_an_installed_preset_needs_every_file_that_it_names(self) -> None:
        publish = PresetPublished(preset=preset("a", file("x/a"), file("x/b"), file("x/c", optional=True)))
        boards = folded(publish, found("x/a"))
        assert needed_by(boards, "x/a") == []
        for record in records([found("x/b"), found("x/c")], after=2):
            boards.apply(record)
        assert [needed_by(boards, path) for path in ("x/a", "x/b", "x/c")] == [[("preset", "a")]] * 3
        assert boards.models.state()["models"]["x/a"]["needed_by"][0]["name"] == "A"

    @pytest.mark.parametrize(
        "event",
        [
            PresetWithdrawn(preset_id="a"),
            PresetUninstalled(pool="default", preset_id="a"),
            ModelFileGone(pool="default", path="x/b"),
            found("x/b", 1),
        ],
        ids=lambda event: type(event).__name__,
    )
    def test_a_preset_that_is_not_installed_any_more_needs_nothing(self, event: Event) -> None:
        boards = folded(PresetPublished(preset=preset("a", file("x/a"), file("x/b"))), found("x/a"), found("x/b"))
        assert needed_by(boards, "x/a") == [("preset", "a")]
        for record in records([event], after=3):
            boards.apply(record)
        assert needed_by(boards, "x/a") == []

    def test_a_preset_that_is_queued_again_needs_its_files_again(self) -> None:
        events = [PresetPublished(preset=preset("a", file("x/a"))), found("x/a")]
        uninstalled = PresetUninstalled(pool="default", preset_id="a", kept=("x/a",))
        assert needed_by(folded(*events, uninstalled), "x/a") == []
        again = [queued("one", file("x/a")), d.DownloadCompleted(download_id="one", attempt=1, total_bytes=100)]
        assert needed_by(folded(*events, uninstalled, *again), "x/a") == [("preset", "a")]

    def test_a_template_needs_the_files_at_which_its_active_references_are_found(self) -> None:
        boards = folded(
            found("vae/a.bin"),
            found("vae/b.bin"),
            found("loras/only.bin"),
            scanned(
                "w/t.json",
                reference("vae/a.bin"),
                reference("vae/b.bin", active=False),
                reference("vae/only.bin"),
                name="T",
            ),
        )
        assert needed_by(boards, "vae/a.bin") == [("template", "w/t.json")]
        assert needed_by(boards, "vae/b.bin") == []
        assert needed_by(boards, "loras/only.bin") == [("template", "w/t.json")]  # elsewhere: it can be linked

    def test_a_template_that_names_a_folder_needs_what_is_in_it(self) -> None:
        boards = folded(found("diffusers/m/a.bin"), scanned("w/t.json", reference("diffusers/m", form="folder")))
        for record in records([found("diffusers/m/sub/b.bin"), found("diffusers/n.bin")], after=2):
            boards.apply(record)
        assert needed_by(boards, "diffusers/m/sub/b.bin") == [("template", "w/t.json")]
        assert needed_by(boards, "diffusers/n.bin") == []

    def test_an_edited_template_needs_what_it_names_now(self) -> None:
        boards = folded(found("vae/a.bin"), found("vae/b.bin"), scanned("w/t", reference("vae/a.bin")))
        for record in records([scanned("w/t", reference("vae/b.bin"))], after=3):
            boards.apply(record)
        assert (needed_by(boards, "vae/a.bin"), needed_by(boards, "vae/b.bin")) == ([], [("template", "w/t")])
        for record in records([TemplateGone(pool="default", template_id="w/t")], after=4):
            boards.apply(record)
        assert needed_by(boards, "vae/b.bin") == []

    def test_a_download_needs_its_files_while_it_is_under_way(self) -> None:
        boards = folded(
            found("x/a"),
            queued("one", file("x/a"), file("x/b"), preset_id=None),
            d.DownloadStarted(download_id="one", attempt=1, worker="w"),
        )
        assert needed_by(boards, "x/a") == [("download", "one")]
        for record in records([d.DownloadCancelled(download_id="one")], after=3):
            boards.apply(record)
        assert needed_by(boards, "x/a") == []

    def test_a_file_that_a_download_gave_up_is_not_needed_by_it(self) -> None:
        boards = folded(
            found("x/a"),
            queued("one", file("x/a"), file("x/b"), preset_id=None),
            d.DownloadStarted(download_id="one", attempt=1, worker="w"),
            d.DownloadFileFailed(
                download_id="one", attempt=1, path="x/a", failure=d.FailureInfo(code="c", message="m"), tries=3
            ),
        )
        assert needed_by(boards, "x/a") == []

    def test_presets_come_before_templates_before_downloads(self) -> None:
        boards = folded(
            found("vae/a.bin"),
            queued("one", file("vae/a.bin"), preset_id=None),
            d.DownloadStarted(download_id="one", attempt=1, worker="w"),
            scanned("w/t", reference("vae/a.bin")),
            scanned("a/t", reference("vae/a.bin")),
            PresetPublished(preset=preset("p", file("vae/a.bin"))),
        )
        assert needed_by(boards, "vae/a.bin") == [
            ("preset", "p"),
            ("template", "a/t"),
            ("template", "w/t"),
            ("download", "one"),
        ]


class TestDeleted:
    def test_the_newest_comes_first_with_whether_it_can_be_restored(self) -> None:
        state = folded(
            found("x/a"), found("x/b"), deleted("x/a", 100, url="https://example.org/x/a"), deleted("x/b", 100)
        ).models.state()
        assert model_list(state)["deleted"] == [
            {"path": "x/b", "size_bytes": 100, "deleted_at": "2026-01-02T03:04:09.000Z", "restorable": False},
            {"path": "x/a", "size_bytes": 100, "deleted_at": "2026-01-02T03:04:08.000Z", "restorable": True},
        ]

    def test_a_file_that_came_back_is_not_deleted(self) -> None:
        assert folded(deleted("x/a"), found("x/a")).models.state()["deleted"] == {}

    def test_a_file_that_somebody_else_removed_is_not_listed(self) -> None:
        assert folded(found("x/a"), ModelFileGone(pool="default", path="x/a")).models.state()["deleted"] == {}

    def test_only_the_last_are_kept(self) -> None:
        state = folded(*(deleted(f"x/{n}") for n in range(DELETED_KEPT + 5))).models.state()
        paths = [one["path"] for one in model_list(state)["deleted"]]
        assert (len(paths), paths[0], paths[-1]) == (DELETED_KEPT, "x/204", "x/5")

    def test_deleting_again_makes_it_the_newest(self) -> None:
        state = folded(deleted("x/a"), deleted("x/b"), found("x/a"), deleted("x/a")).models.state()
        assert [one["path"] for one in model_list(state)["deleted"]] == ["x/a", "x/b"]


class TestUninstalledPreset:
    def test_is_available_without_a_warning(self) -> None:
        boards = folded(
            PresetPublished(preset=preset("a", file("x/a"), file("x/shared"))),
            queued("one", file("x/a"), file("x/shared")),
            file_completed("one", "x/a", 100),
            file_completed("one", "x/shared", 100),
            d.DownloadCompleted(download_id="one", attempt=1, total_bytes=200),
            found("x/a"),
            found("x/shared"),
            deleted("x/a"),
            PresetUninstalled(pool="default", preset_id="a", deleted=("x/a",), kept=("x/shared",)),
        )
        shown = boards.presets.state()["presets"]["a"]
        assert (shown["status"], shown["installed"], shown["progress"]) == ("available", False, 0.0)
        assert shown["warnings"] == []

    def test_is_available_when_every_file_stayed_because_others_need_it(self) -> None:
        boards = folded(
            PresetPublished(preset=preset("a", file("x/shared"))),
            PresetPublished(preset=preset("b", file("x/shared"))),
            found("x/shared"),
            PresetUninstalled(pool="default", preset_id="a", kept=("x/shared",)),
        )
        assert {k: v["status"] for k, v in boards.presets.state()["presets"].items()} == {
            "a": "available",
            "b": "installed",
        }
        assert needed_by(boards, "x/shared") == [("preset", "b")]


class TestLinks:
    def test_a_link_is_a_file_like_any_other(self) -> None:
        shown = items(found("x/a"), linked("x/b", "x/a"), found("x/b"))
        assert shown.keys() == {"x/a", "x/b"}

    def test_what_is_known_of_it_outlives_a_snapshot(self) -> None:
        before = folded(
            surveyed({"": "/"}, {"vae": ("vae", "@c/vae")}),
            found("x/a"),
            linked("x/b", "x/a", symlink=True),
            found("x/b"),
            hashed("x/a", SHA, inode=4),
            deleted("x/c"),
            queued("one", file("x/never.bin"), preset_id=None),
            scanned("w/t", reference("vae/q.bin")),
        )
        after = Boards()
        after.load(before.dump())
        after.take_changes(0)
        assert after.models.state() == before.models.state()
        assert after.library.index.match(reference("vae/a")) == before.library.index.match(reference("vae/a"))


class TestChanges:
    """What was shown once changes with what others say later."""

    @staticmethod
    def shown_after(boards: Boards, *events: Event) -> dict[str, Any]:
        for record in records(events, after=100):
            boards.apply(record)
        assert "models" in boards.take_changes(1).topics
        shown: dict[str, Any] = boards.models.state()["models"]
        return shown

    def test_a_preset_that_is_published_later_can_restore_a_file(self) -> None:
        boards = folded(found("x/a"), found("x/b"))
        publish = PresetPublished(preset=preset("a", file("x/a"), file("x/lacking")))
        assert self.shown_after(boards, publish)["x/a"]["restorable"] is True
        assert self.shown_after(boards, PresetWithdrawn(preset_id="a"))["x/a"]["restorable"] is False

    def test_a_file_hears_of_its_duplicate(self) -> None:
        boards = folded(found("x/a"), hashed("x/a", SHA), found("x/b"))
        assert self.shown_after(boards, hashed("x/b", SHA))["x/a"]["duplicates"] == ["x/b"]
        assert "duplicates" not in self.shown_after(boards, found("x/b", 1))["x/a"]

    def test_a_template_under_a_new_name_is_called_so(self) -> None:
        boards = folded(found("vae/a"), scanned("w/t", reference("vae/a"), name="Old"))
        shown = self.shown_after(boards, scanned("w/t", reference("vae/a"), name="New"))
        assert shown["vae/a"]["needed_by"] == [{"kind": "template", "id": "w/t", "name": "New"}]

    def test_a_folder_that_counts_as_another_from_now_on_makes_its_files_found(self) -> None:
        boards = folded(
            surveyed({"": "/"}), found("own/a.bin"), found("other/a.bin"), scanned("w/t", reference("vae/a.bin"))
        )
        shown = self.shown_after(boards, surveyed({"": "/"}, {"vae": ("vae", "own")}))
        assert [one["id"] for one in shown["own/a.bin"]["needed_by"]] == ["w/t"]

    def test_a_download_that_is_told_of_later_is_its_source(self) -> None:
        boards = folded(queued("one"), found("x/a"))
        shown = self.shown_after(boards, file_completed("one", "x/a", 100))
        assert shown["x/a"]["source"] == {"url": "https://example.org/x/a"}


class TestActivity:
    def test_what_was_done_with_files_is_told(self) -> None:
        boards = folded(
            deleted("x/a b", 1_500_000, url="https://example.org/a"),
            deleted("x/c", 0),
            linked("x/d", "x/e"),
            PresetUninstalled(pool="default", preset_id="p", deleted=("x/a",), kept=("x/b",)),
        )
        entries = [entry.data for entry in boards.activity.newest("local", limit=10)]
        assert [(one["title"], one["subtitle"], one["link"]) for one in reversed(entries)] == [
            ("a b", "Deleted, 1.5 MB freed; can be restored", "/models?file=x/a%20b"),
            ("c", "Deleted; nobody knows where to have it again", "/models?file=x/c"),
            ("d", "Linked to x/e, nothing copied", "/models?file=x/d"),
            ("p", "Uninstalled, 1 file deleted, 1 kept because something else needs them", "/models?preset=p"),
        ]
        assert {(one["type"], one["category"], one["status"]) for one in entries} == {("model", "system", "completed")}

    def test_what_the_inventory_finds_is_not_told(self) -> None:
        boards = folded(found("x/a"), hashed("x/a", SHA), ModelFileGone(pool="default", path="x/a"))
        assert boards.activity.newest("local", limit=10) == []


class TestChangedKeys:
    def test_at_first_anything_may_have_changed(self) -> None:
        library = Boards().library
        assert library.take_changed_keys() is None
        assert library.take_changed_keys() == set()

    def test_a_file_that_was_hashed_changes_its_old_and_new_keys(self) -> None:
        boards = folded(found("vae/a.bin"))
        for record in records([hashed("vae/a.bin", SHA)], after=1):
            boards.library.apply(record)
        assert boards.library.take_changed_keys() == {"name:a.bin", "stem:a", "folder:vae", f"sha256:{SHA}"}

    def test_broken_files_are_not_in_the_index(self) -> None:
        boards = folded(found("vae/a.bin", whole=False), found("vae/b.bin", whole=None))
        assert ("vae/a.bin" in boards.library.index, "vae/b.bin" in boards.library.index) == (False, True)

    def test_very_many_changes_are_told_as_any(self) -> None:
        boards = folded()
        for record in records([found(f"vae/{n}.bin") for n in range(3000)]):
            boards.library.apply(record)
        assert boards.library.take_changed_keys() is None
