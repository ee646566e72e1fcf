"""The commands about model files, workflows and hubs: what they send, what they print, how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway.cli import app
from starlette.responses import JSONResponse
from typer.testing import CliRunner, Result

from tests.integration.cli.deck import Deck, problem
from tests.integration.cli.terminal import Terminal

NEEDED = [{"kind": "preset", "id": "FLUX", "name": "Flux"}]
WORKFLOW = b'{"nodes": [], "odd": "\xc3\xa9"}'


def model(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "size_bytes": 1_000_000, "needed_by": [], "restorable": True} | more


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@pytest.fixture(autouse=True)
def shelf(deck: Deck) -> None:
    deck.answers["GET /models"] = [
        {
            "models": [
                model("loras/a.safetensors", sha256="ab" * 32, duplicates=["vae/b.safetensors"]),
                model("loras2/c.safetensors\x1b[2J", restorable=False),
                model("vae/b.safetensors", sha256="ab" * 32, duplicates=["loras/a.safetensors"], needed_by=NEEDED),
            ],
            "total": 3,
            "deleted": [{"path": "vae/old", "size_bytes": 5, "deleted_at": "2026-01-01T00:00:00Z", "restorable": True}],
        }
    ]


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "w.json"
    path.write_bytes(WORKFLOW)
    return path


def scanned(*statuses: str, complete: bool = True) -> dict[str, Any]:
    references = [{"path": f"vae/{n}", "status": status, "active": True} for n, status in enumerate(statuses)]
    missing = [one for one in references if one["status"] != "present"]
    found = {"format": "editor", "complete": complete, "compatible": not missing and complete}
    return found | {
        "missing_count": len(missing),
        "missing_models": missing,
        "references": references,
        "warnings": [] if complete else [{"code": "too_deep", "message": "it is nested too deep"}],
    }


def installing(**more: Any) -> dict[str, Any]:
    queued = [{"path": "vae/1", "download_id": "d-1", "status": "queued", "source": {"kind": "workflow"}}]
    return {"status": "queued", "queued": queued, "linked": [], "unresolved": []} | more


def refuse(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    return JSONResponse({"status": status, "code": code, "detail": detail} | more, status)


# -- models ------------------------------------------------------------------------------------------------------------


def test_models_are_listed_with_who_needs_them() -> None:
    lines = run("models").stdout.splitlines()
    assert lines[0].split("  ")[0] == "FILE"
    assert lines[3].split() == ["vae/b.safetensors", "1.0", "MB", "abababababab", "preset", "FLUX"]
    assert lines[-1] == "3 files, 3.0 MB"
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--folder", "loras"], ["loras/a.safetensors"]),
        (["--unused"], ["loras/a.safetensors", "loras2/c.safetensors\x1b[2J"]),
        (["--duplicates"], ["loras/a.safetensors", "vae/b.safetensors"]),
        (["--duplicates", "--unused"], ["loras/a.safetensors"]),
        (["--folder", "clip"], []),
    ],
)
def test_models_are_filtered(options: list[str], found: list[str]) -> None:
    shown = json.loads(run("models", "--json", *options).stdout)
    assert ([one["path"] for one in shown["models"]], shown["total"]) == (found, len(found))


def test_deleted_models_are_listed_on_their_own() -> None:
    assert "vae/old" in run("models", "--deleted").stdout
    assert [one["path"] for one in json.loads(run("models", "--deleted", "--json").stdout)["deleted"]] == ["vae/old"]


@pytest.mark.parametrize(
    "options", [["--storage", "--unused"], ["--deleted", "--folder", "x"], ["--deleted", "--storage"]]
)
def test_what_cannot_be_shown_together_is_a_usage_error(options: list[str]) -> None:
    assert run("models", *options).exit_code == 2


def test_storage_tells_volumes_folders_families_and_what_could_go(deck: Deck) -> None:
    storage = {
        "volumes": [
            {
                "mount": "/",
                "total_bytes": 10**12,
                "used_bytes": 1,
                "free_bytes": 2,
                "models_bytes": 3,
                "model_count": 4,
            },
            {"mount": "/nas", "error": "not mounted"},
        ],
        "folders": [{"folder": "loras", "bytes": 3_000_000, "count": 2}],
        "families": [{"family": "flux", "bytes": 1, "count": 1}],
        "duplicates": {"reclaimable_bytes": 1_000_000, "groups": [{}]},
        "unused": {"count": 2, "bytes": 2_000_000},
    }
    deck.answers["GET /storage"] = [storage]
    lines = run("models", "--storage").stdout.splitlines()
    assert lines[1].split()[:3] == ["/", "1.0", "TB"]
    assert lines[2].split() == ["/nas:", "not", "mounted", *"?????"]
    assert "loras   3.0 MB  2" in lines
    assert lines[-2:] == [
        "Stored twice: 1 contents; linking them would free 1.0 MB",
        "Needed by nothing: 2 files, 2.0 MB",
    ]
    assert json.loads(run("models", "--storage", "--json").stdout) == storage


# -- rm, restore -------------------------------------------------------------------------------------------------------


def test_rm_without_a_terminal_wants_yes(deck: Deck) -> None:
    shown = run("rm", "loras/a.safetensors", given="y\n")
    assert shown.exit_code == 2
    assert "--yes" in shown.stderr
    assert deck.requests == []


def test_rm_deletes_and_tells_what_is_freed(deck: Deck) -> None:
    deck.answers["DELETE /models/loras/a b%?.safetensors"] = [{"freed_bytes": 5_000_000, "restorable": False}]
    shown = run("rm", "loras/a b%?.safetensors", "--yes")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == "loras/a b%?.safetensors: deleted, 5.0 MB freed; nobody knows where to have it again\n"
    assert deck.changes() == [("DELETE", "/models/loras/a b%?.safetensors", {"force": "false"}, None)]


def test_what_is_needed_is_not_deleted_and_the_rest_is(deck: Deck) -> None:
    deck.refusals["DELETE /models/vae/b"] = refuse(409, "needed", "it is needed", needed_by=NEEDED)
    deck.answers["DELETE /models/vae/c"] = [{"path": "vae/c", "freed_bytes": 1, "restorable": True}]
    shown = run("rm", "vae/b", "vae/c", "vae/b", "--yes", "--json")
    assert shown.exit_code == 1
    assert shown.stderr == "error: vae/b: needed by preset FLUX; --force deletes it all the same\n"
    document = json.loads(shown.stdout)
    assert [one["path"] for one in document["deleted"]] == ["vae/c"]
    assert [(one["path"], one["error"]["code"]) for one in document["failed"]] == [("vae/b", "needed")]


def test_rm_with_force_says_so(deck: Deck) -> None:
    deck.answers["DELETE /models/vae/b"] = [{"freed_bytes": 0, "restorable": True}]
    assert run("rm", "vae/b", "--yes", "--force").exit_code == 0
    assert deck.changes()[0][2] == {"force": "true"}


@pytest.mark.parametrize("path", ["../presets/FLUX", "vae/../x", "/models/x", "..", ""])
def test_a_path_never_leads_to_another_route(deck: Deck, path: str) -> None:
    for arguments in (["rm", path, "--yes"], ["restore", path], ["rm", "--preset", "..", "--yes"]):
        shown = run(*arguments)
        assert shown.exit_code == 2
        assert "modeldeck" in shown.stderr
    assert deck.changes() == []


@pytest.mark.parametrize("arguments", [[], ["x", "--preset", "y"], ["--preset", "y", "--force"]])
def test_rm_takes_either_paths_or_a_preset(arguments: list[str]) -> None:
    assert run("rm", "--yes", *arguments).exit_code == 2


def test_a_preset_is_uninstalled(deck: Deck) -> None:
    kept = [{"path": "vae/b", "needed_by": NEEDED}]
    deck.answers["DELETE /presets/SDXL"] = [{"deleted": ["vae/a"], "freed_bytes": 5_000_000, "kept": kept}]
    shown = run("rm", "--preset", "SDXL", "--yes")
    assert shown.stdout.splitlines() == [
        "vae/a: deleted",
        "vae/b: kept, needed by preset FLUX",
        "SDXL: 5.0 MB freed",
    ]


def test_on_a_terminal_rm_shows_what_goes_and_asks(deck: Deck) -> None:
    deck.answers["DELETE /models/loras/a.safetensors"] = [{"freed_bytes": 1_000_000, "restorable": True}]
    for answer, said, changes in (("n", "Nothing was deleted.", 0), ("y", "deleted, 1.0 MB freed", 1)):
        terminal = Terminal("rm", "loras/a.safetensors")
        terminal.read_until("Delete 1 file, 1.0 MB? [y/N]:")
        terminal.type(f"{answer}\n")
        terminal.read_until(said)
        terminal.close()
        assert len(deck.changes()) == changes


def test_on_a_terminal_rm_does_not_even_ask_for_what_is_needed(deck: Deck) -> None:
    terminal = Terminal("rm", "vae/b.safetensors", "vae/unknown")
    terminal.read_until("needed by preset FLUX; --force")
    terminal.read_until("there is no such model file")
    terminal.read_until("Nothing was deleted.")
    terminal.close()
    assert deck.changes() == []


def test_restore_queues_the_same_bytes(deck: Deck) -> None:
    deck.answers["POST /models/vae/old/restore"] = [{"path": "vae/old", "status": "queued", "download_id": "d-1"}]
    assert run("restore", "vae/old").stdout == "vae/old: queued\n"


# -- workflows ---------------------------------------------------------------------------------------------------------


def test_a_scan_sends_the_bytes_as_they_are_and_fails_when_something_is_missing(deck: Deck, workflow: Path) -> None:
    deck.answers["POST /workflows/scan"] = [scanned("present", "missing", "present_elsewhere")]
    shown = run("scan", str(workflow))
    assert shown.exit_code == 1
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:4]] == ["present", "missing", "present"]
    assert shown.stderr == "error: 2 model files are missing; --install queues what can be had\n"
    assert deck.changes() == [("POST", "/workflows/scan", {}, json.loads(WORKFLOW))]


def test_a_scan_without_anything_missing_is_fine(deck: Deck, workflow: Path) -> None:
    deck.answers["POST /workflows/scan"] = [scanned("present")]
    assert run("scan", str(workflow)).exit_code == 0
    assert json.loads(run("scan", str(workflow), "--json").stdout) == scanned("present")
    assert json.loads(run("scan", "-", "--json", "--install", given="{}").stdout)["downloads"] == []


def test_a_workflow_that_was_not_understood_is_no_success(deck: Deck, workflow: Path) -> None:
    deck.answers["POST /workflows/scan"] = [scanned("present", complete=False)]
    shown = run("scan", str(workflow))
    assert shown.exit_code == 1
    assert "warning: it is nested too deep (too_deep)" in shown.stdout


def test_a_scan_installs_what_is_missing(deck: Deck, workflow: Path) -> None:
    deck.answers["POST /workflows/scan"] = [scanned("missing", "missing")]
    linked = [{"path": "vae/0", "from_path": "x/0"}]
    deck.answers["POST /workflows/install-missing"] = [installing(linked=linked)]
    shown = run("scan", str(workflow), "--install")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[-2:] == ["vae/0: linked to x/0", "vae/1: queued"]
    document = json.loads(run("scan", str(workflow), "--install", "--json").stdout)
    assert [one["download_id"] for one in document["downloads"]] == ["d-1"]
    assert document["scan"]["missing_count"] == 2


def test_what_cannot_be_had_is_named_and_fails(deck: Deck, workflow: Path) -> None:
    unresolved = [{"path": "vae/2", "code": "no_source", "message": "No source is known.", "candidates": ["a", "b"]}]
    deck.answers["POST /workflows/scan"] = [scanned("missing")]
    deck.answers["POST /workflows/install-missing"] = [installing(unresolved=unresolved)]
    shown = run("scan", str(workflow), "--install")
    assert shown.exit_code == 1
    assert shown.stderr == "error: vae/2: No source is known: a, b (no_source)\n"


def test_what_cannot_be_read_is_a_usage_error(deck: Deck, tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(5 * 1024 * 1024 + 1)
    for path in (tmp_path / "none.json", tmp_path, large):
        assert run("scan", str(path)).exit_code == 2
        assert run("install", "--lock", str(path)).exit_code == 2
    assert run("scan", str(large), "--wait").exit_code == 2
    assert deck.requests == []


def test_templates_are_listed_with_what_they_miss(deck: Deck) -> None:
    ready = {"id": "w/a.json", "compatible": True, "missing_models": []}
    needy = {"id": "w/b.json", "compatible": False, "missing_count": 1, "missing_models": [{"path": "vae/x"}]}
    skipped = [{"id": "w/index.json", "message": "it is no workflow"}]
    deck.answers["GET /workflows/templates"] = [{"templates": [ready, needy], "total": 2, "skipped": skipped}]
    lines = run("templates").stdout.splitlines()
    assert lines[1].split() == ["w/a.json", "ready"]
    assert lines[2].split() == ["w/b.json", "1", "missing", "vae/x"]
    assert lines[-1] == "No workflows: 1 JSON file, such as w/index.json"
    assert [one["id"] for one in json.loads(run("templates", "--missing", "--json").stdout)["templates"]] == [
        "w/b.json"
    ]


def test_a_template_is_installed_by_its_id(deck: Deck) -> None:
    deck.answers["POST /workflows/templates/w/ü b.json/install-missing"] = [installing()]
    assert run("install", "--template", "w/ü b.json").stdout == "vae/1: queued\n"
    assert run("install", "--template", "w/ü b.json", "--choose", "vae/1=https://h/x?a=b").exit_code == 0
    assert [change[3] for change in deck.changes()] == [None, {"choices": {"vae/1": "https://h/x?a=b"}}]


def test_when_nothing_can_be_had_each_file_says_why(deck: Deck) -> None:
    unresolved = [{"path": "vae/1", "code": "choose", "message": "Several have this name.", "candidates": ["a", "b"]}]
    deck.refusals["POST /workflows/templates/w/c.json/install-missing"] = refuse(
        409, "no_source", "no file can be had", unresolved=unresolved
    )
    shown = run("install", "--template", "w/c.json", "--json")
    assert shown.exit_code == 1
    assert shown.stderr.splitlines() == [
        "error: vae/1: Several have this name: a, b (choose)",
        "error: no file can be had (no_source)",
    ]
    assert json.loads(shown.stdout)["error"]["unresolved"] == unresolved


def test_a_lock_file_goes_out_and_comes_in(deck: Deck, tmp_path: Path) -> None:
    lock = {"version": 1, "files": [{"path": "vae/é", "sha256": "ab" * 32}]}
    deck.answers["GET /workflows/templates/w/a.json/lock"] = [lock]
    deck.answers["POST /workflows/lock/install"] = [installing()]
    path = tmp_path / "a.lock.json"
    assert json.loads(run("lock", "w/a.json").stdout) == lock
    assert run("lock", "w/a.json", "-o", str(path)).stdout.startswith("w/a.json: 1 file locked in ")
    assert json.loads(path.read_bytes()) == lock
    assert run("install", "--lock", str(path)).exit_code == 0
    assert deck.changes() == [("POST", "/workflows/lock/install", {}, lock)]
    assert run("lock", "w/a.json", "-o", str(tmp_path)).exit_code == 2


def test_a_lock_waits_for_hashes_only_when_asked_to(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.settle._HASHING_WAIT_S", 0.0)
    pending = problem(503, "hash_pending", "1 file is still being hashed")
    deck.answers["GET /workflows/templates/w/a.json/lock"] = [pending, pending, {"files": []}]
    shown = run("lock", "w/a.json")
    said = "error: 1 file is still being hashed (hash_pending); --wait waits for it\n"
    assert (shown.exit_code, shown.stderr) == (1, said)
    shown = run("lock", "w/a.json", "--wait")
    assert json.loads(shown.stdout) == {"files": []}
    assert shown.stderr == "waiting: 1 file is still being hashed\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["x", "--template", "y"], ["--template", "y", "--lock", "-"], ["--template", "y", "--force"]),
        *(["x", "--choose", "a=b"], ["--template", "y", "--choose", "a"], ["--lock", "-", "--choose", "a=b"]),
    ],
)
def test_install_takes_one_kind_of_thing(deck: Deck, arguments: list[str]) -> None:
    assert run("install", *arguments).exit_code == 2
    assert deck.requests == []


def test_a_plan_takes_templates_too(deck: Deck) -> None:
    assert run("plan", "--template", "w/a.json", "--json").exit_code == 1
    assert run("plan", "flux", "--template", "w/a.json").exit_code == 1
    assert [change[3] for change in deck.changes()] == [
        {"templates": ["w/a.json"]},
        {"presets": ["flux"], "templates": ["w/a.json"]},
    ]
    assert run("plan").exit_code == 2


def test_a_plan_fails_for_what_cannot_be_had(deck: Deck) -> None:
    unresolved = [{"path": "vae/x", "code": "no_source", "message": "No source of it is known."}]
    deck.answers["POST /downloads/plan"] = [{"volumes": [], "files": [], "unresolved": unresolved}]
    shown = run("plan", "--template", "w/a.json")
    assert (shown.exit_code, shown.stderr) == (1, "error: vae/x: No source of it is known (no_source)\n")


# -- hubs --------------------------------------------------------------------------------------------------------------


def test_a_hub_shows_variants_and_says_why_one_is_recommended(deck: Deck) -> None:
    page = "https://huggingface.co/org/name/blob/main/b.gguf?download=true"
    variants = [{"filename": f"{name}.gguf", "size_bytes": 1000, "status": "available", "path": name} for name in "ab"]
    found: dict[str, Any] = {"repo": "org/name", "revision": "c0ffee", "variants": variants, "selected": "b.gguf"}
    found["recommended"] = {"filename": "a.gguf", "reason": "it fits into 24 GB"}
    deck.answers[f"GET /hub/{page}"] = deck.answers["GET /hub/org/name"] = [found]
    lines = run("hub", page).stdout.splitlines()
    assert lines[0] == "org/name (revision c0ffee)"
    assert lines[2].split() == ["*", "a.gguf", "1.0", "KB", "available"]
    assert lines[-2:] == ["* a.gguf: it fits into 24 GB", "The link names b.gguf"]
    assert run("hub", "org/name", "--install", "recommended").stdout.splitlines()[-1] == "a.gguf: queued"
    body = {"repo": "org/name", "filename": "a.gguf", "path": "a", "revision": "c0ffee"}
    assert deck.changes() == [("POST", "/downloads", {}, body)]
    assert run("hub", "org/name", "--install", "c.gguf").exit_code == 1
    assert run("hub", "org/name", "--wait").exit_code == 2


@pytest.mark.parametrize(
    ("more", "variant", "bodies"),
    [
        (
            {"hub": "huggingface", "revision": "c0ffee"},
            {"path": "llm/a/b/x-1.gguf", "parts": ["q4/x-1.gguf", "q4/x-2.gguf"], "sha256": "ab" * 32},
            [
                {"repo": "a/b", "revision": "c0ffee", "filename": "q4/x-1.gguf", "path": "llm/a/b/x-1.gguf"},
                {"repo": "a/b", "revision": "c0ffee", "filename": "q4/x-2.gguf", "path": "llm/a/b/x-2.gguf"},
            ],
        ),
        (
            {"hub": "civitai", "revision": "7"},
            {"path": "loras/x", "url": "https://civitai.com/api/download/models/7", "sha256": "ab" * 32},
            [{"url": "https://civitai.com/api/download/models/7", "path": "loras/x", "sha256": "ab" * 32}],
        ),
    ],
)
def test_each_hub_is_asked_in_its_own_way(
    deck: Deck, more: dict[str, Any], variant: dict[str, Any], bodies: list[dict[str, Any]]
) -> None:
    deck.answers["GET /hub/a/b"] = [{"repo": "a/b", "variants": [{"filename": "x"} | variant]} | more]
    assert run("hub", "a/b", "--install", "x").exit_code == 0
    assert [change[3] for change in deck.changes()] == bodies


def test_a_gated_repository_is_a_refusal_with_the_reason(deck: Deck) -> None:
    deck.refusals["GET /hub/org/gated"] = problem(403, "gated", "its terms were not accepted")
    shown = run("hub", "org/gated")
    assert shown.exit_code == 1
    assert "its terms were not accepted (gated)" in shown.stderr
