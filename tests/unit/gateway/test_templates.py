"""The templates board: which are compatible, and that they follow the files and their own edits by themselves."""

import time

import msgspec
from gateway.boards.fold import Boards
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone
from modeldeck_events.templates import TemplateGone, TemplateReference, TemplateWarning
from msgspec.structs import replace

from tests.unit.gateway.facts import found, hashed, records, reference, scanned, surveyed

SHA = "ab" * 32


def boards_after(*events: Event, boards: Boards | None = None, after: int = 0) -> Boards:
    boards = boards or Boards()
    for record in records(events, after=after):
        boards.apply(record)
    boards.take_changes(0)
    return boards


def template(boards: Boards, template_id: str = "w/a.json") -> dict[str, object]:
    shown: dict[str, object] = boards.templates.state()["templates"][template_id]
    return shown


def test_a_template_has_the_fields_of_the_contract() -> None:
    boards = boards_after(
        scanned("workflows/sub/a.json", reference("vae/v.pt"), reference("loras/l.pt", active=False), name="A"),
        found("vae/v.pt"),
    )
    shown = template(boards, "workflows/sub/a.json")
    assert {name: shown[name] for name in ("id", "name", "root", "path", "compatible", "missing_count")} == {
        "id": "workflows/sub/a.json",
        "name": "A",
        "root": "workflows",
        "path": "sub/a.json",
        "compatible": True,  # no node that runs needs the lora
        "missing_count": 0,
    }
    assert [(r["path"], r["status"]) for r in shown["references"]] == [  # type: ignore[attr-defined]
        ("vae/v.pt", "present"),
        ("loras/l.pt", "missing"),
    ]
    assert boards.templates.state()["total"] == boards.templates.state()["compatible"] == 1


def test_it_turns_compatible_and_back_as_files_come_and_go() -> None:
    boards = boards_after(scanned("w/a.json", reference("vae/v.pt")), scanned("w/b.json", reference("vae/w.pt")))
    assert template(boards)["compatible"] is False
    other = template(boards, "w/b.json")
    boards_after(found("vae/v.pt"), boards=boards, after=10)
    assert template(boards)["compatible"] is True
    assert template(boards, "w/b.json") is other, "a template that the file cannot concern is not rendered again"
    boards_after(ModelFileGone(pool="default", path="vae/v.pt"), boards=boards, after=20)
    assert template(boards)["compatible"] is False
    boards_after(scanned("w/a.json"), boards=boards, after=30)
    assert template(boards)["compatible"] is True


def test_only_what_changed_is_told() -> None:
    boards = boards_after(scanned("w/a.json", reference("vae/v.pt")))
    assert boards.take_changes(0).topics == frozenset()
    for event, told in (
        (found("loras/unrelated.pt"), False),
        (found("vae/v.pt"), True),
        (found("elsewhere/v.pt"), False),  # it is present where ComfyUI looks: nothing new
        (TemplateGone(pool="default", template_id="w/a.json"), True),
        (TemplateGone(pool="default", template_id="w/a.json"), False),
        (replace(scanned("w/other-pool.json"), pool="other"), False),
    ):
        for record in records([event]):
            boards.apply(record)
        assert ("templates" in boards.take_changes(0).topics) is told, event


def test_where_a_file_was_found_and_what_could_be_meant() -> None:
    stated = TemplateReference(path="vae/v.pt", directory="vae", filename="v.pt", sha256=SHA, url="https://x.org/v")
    events = [
        scanned("w/a.json", stated, reference("loras/twice.pt"), reference("loras/once.pt")),
        found("downloads/renamed.pt"),
        hashed("downloads/renamed.pt", SHA),
        found("a/twice.pt"),
        found("b/twice.pt"),
        found("c/once.pt"),
    ]
    shown = template(boards_after(*events))
    by_path = {r["path"]: r for r in shown["missing_models"]}  # type: ignore[attr-defined]
    assert by_path["vae/v.pt"]["status"] == "present_elsewhere"
    assert by_path["vae/v.pt"]["found_at"] == "downloads/renamed.pt"
    assert by_path["vae/v.pt"]["url"] == "https://x.org/v"
    assert by_path["loras/twice.pt"]["status"] == "ambiguous"
    assert by_path["loras/twice.pt"]["candidates"] == ["a/twice.pt", "b/twice.pt"]
    assert by_path["loras/once.pt"]["found_at"] == "c/once.pt"
    assert "candidates" not in by_path["loras/once.pt"]


def test_other_roots_count_once_they_are_surveyed() -> None:
    boards = boards_after(scanned("w/a.json", reference("vae/v.pt")), found("@nas/vae/v.pt"))
    assert template(boards)["compatible"] is False
    boards_after(surveyed({"": "/"}, {"vae": ("vae", "@nas/vae")}), boards=boards, after=10)
    assert template(boards)["compatible"] is True


def test_a_file_that_is_cut_off_is_missing() -> None:
    boards = boards_after(scanned("w/a.json", reference("vae/v.pt")), found("vae/v.pt", whole=False))
    assert template(boards)["compatible"] is False


def test_what_was_not_read_whole_is_never_compatible_and_no_workflow_is_skipped() -> None:
    warning = TemplateWarning(code="too_deep", message="It is nested too deeply.")
    facts = [
        replace(scanned("w/half.json"), complete=False, warnings=(warning,)),
        replace(scanned("w/bad.json"), format="unreadable", warnings=(warning,)),
        replace(scanned("w/list.json"), format="other"),
    ]
    state = boards_after(*facts).templates.state()
    assert list(state["templates"]) == ["w/bad.json", "w/half.json"]
    assert not any(shown["compatible"] for shown in state["templates"].values())
    assert state["templates"]["w/half.json"]["missing_count"] == 0
    assert state["templates"]["w/half.json"]["warnings"] == [
        {"code": "too_deep", "message": "It is nested too deeply."}
    ]
    assert state["skipped"] == {"w/list.json": {"id": "w/list.json", "message": "This JSON file is no workflow."}}
    assert (state["total"], state["compatible"]) == (2, 0)


def test_the_first_publication_has_the_whole_shape() -> None:
    boards = Boards()
    assert "templates" in boards.take_changes(0).topics
    assert boards.templates.state() == {"templates": {}, "total": 0, "compatible": 0, "skipped": {}}


def test_many_templates_and_files_are_folded_in_a_moment() -> None:
    """Not a benchmark: it fails when matching becomes quadratic (then this takes minutes)."""
    events: list[Event] = [
        scanned(f"w/{n}.json", *(reference(f"checkpoints/m{(n * 7 + k) % 25_000}.safetensors") for k in range(3)))
        for n in range(644)
    ]
    events += [found(f"checkpoints/m{n}.safetensors") for n in range(20_000)]
    boards = Boards()
    log = list(records(events))
    started = time.perf_counter()
    for record in log:
        boards.apply(record)
    boards.take_changes(0)
    state = boards.templates.state()
    body = msgspec.json.encode(state)
    assert time.perf_counter() - started < 20
    assert (state["total"], len(body) > 500_000) == (644, True)
