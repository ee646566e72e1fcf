"""Each command against a real socket: what it sends, what it prints, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway.cli import app
from typer.testing import CliRunner, Result

from tests.integration.cli.deck import Deck, problem


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def catalog(deck: Deck) -> None:
    deck.presets = {
        "flux": {
            "id": "flux",
            "name": "Flux [bold]dev[/bold] \x1b[31mred",
            "category": "Image Generation",
            "download_size": "23.8GB",
            "status": "available",
            "tags": ["Realism"],
            "warnings": [{"code": "size_format", "message": "the size is a guess"}],
        },
        "wan": {"id": "wan", "name": "Wan", "category": "Video", "size_bytes": 5_000_000_000, "status": "installed"},
        "a b/c?d": {"id": "a b/c?d", "name": "Odd", "status": "downloading", "progress": 42.9},
    }
    deck.downloads = {"d-1": {"download_id": "d-1", "status": "paused"}}


def test_presets_are_listed_as_plain_text() -> None:
    shown = run("presets")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["ID", "NAME", "CATEGORY", "SIZE", "STATUS", "WARNINGS"]
    assert "Flux [bold]dev[/bold] [31mred" in lines[1]
    assert lines[1].endswith("23.8GB  available         size_format")
    assert "5.0 GB" in lines[2]
    assert "downloading 42 %" in lines[3]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--search", "REAL"], ["flux"]),
        (["--category", "video"], ["wan"]),
        (["--status", "downloading"], ["a b/c?d"]),
        (["--search", "wan", "--status", "available"], []),
    ],
)
def test_presets_are_filtered(filters: list[str], found: list[str]) -> None:
    shown = json.loads(run("presets", "--json", *filters).stdout)
    assert [preset["id"] for preset in shown["presets"]] == found


def test_warnings_are_told_in_words() -> None:
    assert "flux: size_format: the size is a guess" in run("presets", "--warnings").stdout


def test_a_long_catalog_comes_whole(deck: Deck) -> None:
    deck.presets = {f"p{n}": {"id": f"p{n}", "name": "x", "status": "available"} for n in range(450)}
    shown = json.loads(run("presets", "--json").stdout)
    assert [preset["id"] for preset in shown["presets"]] == list(deck.presets)


def test_an_unknown_state_is_a_usage_error() -> None:
    assert run("presets", "--status", "asleep").exit_code == 2


def test_status_shows_queue_and_machine(deck: Deck) -> None:
    deck.resources = {
        "cpu_percent": 12.4,
        "memory": {"total": 16_000_000_000, "used": 6_000_000_000, "available": 10_000_000_000, "percent": 37.5},
        "disk": {"path": "/models", "error": "not mounted"},
        "gpu": {"devices": [{"name": "RTX", "memory_used": 100, "memory_total": 24000, "utilization": 7}]},
    }
    shown = run("status")
    assert shown.exit_code == 0
    assert "is ready" in shown.stdout
    assert "0 running (at most 1), 0 waiting, 0 paused, no bandwidth limit" in shown.stdout
    assert "Memory  6.0 GB used (38 %), 10.0 GB free" in shown.stdout
    assert "Disk    cannot be read: not mounted" in shown.stdout
    assert "GPU     RTX, 7 %, 100 of 24000 MB" in shown.stdout
    assert json.loads(run("status", "--json").stdout)["resources"] == deck.resources


def test_status_without_measurements_shows_no_zeros(deck: Deck) -> None:
    shown = run("status", "--json")
    assert shown.exit_code == 0
    assert "resources" not in json.loads(shown.stdout)


def test_status_of_a_gateway_that_is_not_ready_fails(deck: Deck) -> None:
    deck.ready = False
    shown = run("status", "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["ready"]) == (1, False)
    assert shown.stderr == "error: not ready: no answer from downloader\n"


def test_queue_shows_running_waiting_and_ended(deck: Deck) -> None:
    deck.queue |= {
        "current": "d-1",
        "active_downloads": 1,
        "paused": True,
        "bandwidth_limit_bps": 50_000_000,
        "active": {
            "d-1": {
                "preset_id": "flux",
                "download_id": "d-1",
                "name": "Flux",
                "status": "downloading",
                "progress": 99.9,
                "total_bytes": 24_000_000_000,
                "speed": "45.2 MB/s",
                "eta": "3m 24s",
            }
        },
        "queue": {"d-2": {"download_id": "d-2", "name": "vae.gguf", "status": "paused", "position": 1}},
        "completed": {"d-3": {"preset_id": "wan", "download_id": "d-3", "status": "failed", "error": "gone (410)"}},
    }
    lines = run("queue").stdout.splitlines()
    assert lines[0].endswith("1 running (at most 1), 0 waiting, 1 paused, bandwidth limit 50.0 MB/s")
    assert lines[0].startswith("Queue is paused:")
    assert [line.split() for line in lines[3:]] == [
        [">", "flux", "Flux", "downloading", "99", "%", "24.0", "GB", "45.2", "MB/s", "3m", "24s"],
        ["1", "d-2", "vae.gguf", "paused", "?"],
        ["wan", "failed", "?", "gone", "(410)"],
    ]


def test_a_plan_that_does_not_fit_fails(deck: Deck) -> None:
    shown = run("plan", "flux", "wan")
    assert shown.exit_code == 1
    assert "NO" in shown.stdout
    assert "it does not fit" in shown.stderr
    assert deck.changes() == [("POST", "/downloads/plan", {}, {"presets": ["flux", "wan"]})]


@pytest.mark.parametrize(
    ("arguments", "path", "query", "said"),
    [
        (["pause", "flux"], "/presets/flux/pause", {}, "paused"),
        (["pause", "d-1"], "/downloads/d-1/pause", {}, "paused"),
        (["resume", "flux"], "/presets/flux/resume", {}, "resumed"),
        (["cancel", "flux"], "/presets/flux/cancel", {"keep_partial": "true"}, "cancelled"),
        (["cancel", "flux", "--discard"], "/presets/flux/cancel", {"keep_partial": "false"}, "cancelled"),
        (["retry", "flux"], "/presets/flux/retry", {}, "retrying"),
    ],
)
def test_ids_of_presets_and_downloads_lead_to_their_own_routes(
    deck: Deck, arguments: list[str], path: str, query: dict[str, str], said: str
) -> None:
    shown = run(*arguments)
    assert (shown.exit_code, shown.stdout) == (0, f"{arguments[1]}: {said}\n")
    assert deck.changes() == [("POST", path, query, None)]


@pytest.mark.parametrize("unknown", ["nothing", "categories", "queue/status", "..", ""])
def test_an_id_that_names_nothing_is_refused_and_nothing_is_changed(deck: Deck, unknown: str) -> None:
    shown = run("pause", unknown)
    assert shown.exit_code == 1
    assert shown.stderr == f"error: there is no preset and no download {unknown!r} (not_found)\n"
    assert deck.changes() == []


@pytest.mark.parametrize(
    ("position", "sent"), [("top", {"to": "top"}), ("3", {"position": 3}), ("bottom", {"to": "bottom"})]
)
def test_move(deck: Deck, position: str, sent: dict[str, Any]) -> None:
    assert run("move", "d-1", position).exit_code == 0
    deck.presets["wan"]["download_id"] = "d-1"
    assert run("move", "wan", position).exit_code == 0
    assert deck.changes() == [("POST", "/downloads/d-1/move", {}, sent)] * 2


def test_a_preset_that_never_was_in_the_queue_cannot_be_moved(deck: Deck) -> None:
    shown = run("move", "flux", "top")
    assert (shown.exit_code, shown.stderr) == (1, "error: flux is not in the queue (nothing_to_move)\n")
    assert deck.changes() == []


def test_a_preset_that_left_the_catalog_is_found_in_the_queue(deck: Deck) -> None:
    deck.queue["queue"] = {"d-9": {"download_id": "d-9", "preset_id": "withdrawn", "status": "queued"}}
    assert run("cancel", "withdrawn").exit_code == 0
    assert deck.changes() == [("POST", "/downloads/d-9/cancel", {"keep_partial": "true"}, None)]


@pytest.mark.parametrize("position", ["0", "-1", "first", "²"])
def test_a_place_that_is_none_is_a_usage_error(deck: Deck, position: str) -> None:
    assert run("move", "--", "d-1", position).exit_code == 2
    assert deck.requests == []


def test_the_whole_queue_is_held_and_let_go(deck: Deck) -> None:
    assert run("pause", "--all").stdout == "The queue is paused.\n"
    assert run("resume", "--all", "--json").stdout == '{"paused": false}\n'
    assert [change[3] for change in deck.changes()] == [{"paused": True}, {"paused": False}]


@pytest.mark.parametrize("arguments", [["pause"], ["resume"], ["pause", "flux", "--all"]])
def test_pause_wants_either_an_id_or_all(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_settings_are_changed_and_shown(deck: Deck) -> None:
    shown = run("settings", "--max-concurrent", "3", "--bandwidth-limit", "50MB/s", "--json")
    assert json.loads(shown.stdout) == {"max_concurrent": 3, "bandwidth_limit_bps": None, "paused": False}
    assert run("settings", "--bandwidth-limit", "none").exit_code == 0
    assert run("settings").exit_code == 0
    assert [change[3] for change in deck.changes()] == [
        {"max_concurrent": 3, "bandwidth_limit": "50MB/s"},
        {"bandwidth_limit": None},
    ]


def test_refresh(deck: Deck) -> None:
    assert run("refresh").stdout == "2 presets\n"
    assert json.loads(run("refresh", "--json").stdout)["total_presets"] == 2


def test_install_queues_without_waiting(deck: Deck) -> None:
    shown = run("install", "flux", "wan", "--force")
    assert (shown.exit_code, shown.stdout) == (0, "flux: queued\nwan: installed\n")
    assert deck.changes()[0] == ("POST", "/presets/flux/install", {"force": "true"}, None)


def test_install_of_a_url(deck: Deck) -> None:
    arguments = ["install", "https://host/x.safetensors", "--path", "vae/x.safetensors", "--sha256", "ab" * 32]
    shown = run(*arguments, "--json")
    assert json.loads(shown.stdout) == {"downloads": [{"download_id": "d-file", "status": "queued"}]}
    body = {"url": "https://host/x.safetensors", "path": "vae/x.safetensors", "sha256": "ab" * 32}
    assert deck.changes() == [("POST", "/downloads", {}, body)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://host/x"],
        ["flux", "--path", "x"],
        ["https://h/x", "https://h/y", "--path", "x"],
        ["flux", "https://h/x"],
    ],
)
def test_a_url_and_its_path_belong_together(deck: Deck, arguments: list[str]) -> None:
    assert run("install", *arguments).exit_code == 2
    assert deck.requests == []


def test_one_refused_preset_does_not_keep_the_others_out(deck: Deck) -> None:
    shown = run("install", "missing", "flux", "--json")
    assert shown.exit_code == 1
    refused, queued = json.loads(shown.stdout)["downloads"]
    assert (refused["status"], queued["status"]) == ("refused", "queued")
    assert shown.stderr == "error: missing: refused: there is no such preset (unknown_preset)\n"


def test_a_refusal_is_one_calm_line_and_one_document(deck: Deck) -> None:
    deck.refusals["POST /presets/flux/pause"] = problem(409, "not_running", "it is\x1b[2J not running.")
    shown = run("pause", "flux", "--json")
    assert shown.exit_code == 1
    assert shown.stderr == "error: it is[2J not running (not_running)\n"
    error = json.loads(shown.stdout)["error"]
    assert (error["code"], error["status"]) == ("not_running", 409)


def test_an_error_page_of_something_else_is_one_line_too(deck: Deck) -> None:
    deck.refusals["GET /presets/queue/status"] = problem(502, "", "")
    shown = run("queue")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert len(shown.stderr.splitlines()) == 1


def test_wrong_credentials_say_how_to_give_the_right_ones(deck: Deck) -> None:
    shown = run("queue", "--token", "wrong-and-secret")
    assert shown.exit_code == 1
    assert "--token or MODELDECK_TOKEN" in shown.stderr
    assert "secret" not in shown.stderr


def test_nobody_at_the_address_says_how_to_start_the_product(deck: Deck) -> None:
    deck.down()
    shown = run("queue", "--json")
    assert shown.exit_code == 3
    assert "`modeldeck up`" in shown.stderr
    assert json.loads(shown.stdout)["error"]["code"] == "unreachable"


def test_an_address_of_something_else_is_unreachable(deck: Deck) -> None:
    shown = run("queue", "--url", f"{deck.url}/elsewhere")
    assert shown.exit_code == 1
    assert "(http_404)" in shown.stderr


def test_an_address_that_cannot_be_used_is_a_usage_error() -> None:
    assert run("queue", "--url", "host").exit_code == 2


def test_the_token_file_of_this_machine_is_used(deck: Deck, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv("MODELDECK_TOKEN")
    assert run("queue").exit_code == 1
    (tmp_path / "token").write_text("let-me-in-0123456789\n")
    assert run("queue").exit_code == 0


def test_events_from_a_sequence_and_the_last_twenty(deck: Deck) -> None:
    for number in range(450):
        deck.append("modeldeck.download.queued.v1", n=number, name="a\x1b[0m\nb")
    shown = json.loads(run("events", "--since", "3", "--json").stdout)
    assert [entry["seq"] for entry in shown["events"]] == list(range(4, 451))
    assert shown["seq"] == 450
    lines = run("events").stdout.splitlines()
    assert len(lines) == 20
    assert lines[-1].split() == ["450", "2026-01-01T00:00:00.000Z", "download.queued.v1", "n=449", "name=a[0m", "b"]
    assert json.loads(run("events", "--since", "450", "--json").stdout) == {"events": [], "seq": 450}


def test_a_write_whose_answer_was_lost_is_asked_again_as_the_same_one(deck: Deck) -> None:
    deck.breaks = 1
    shown = run("install", "flux")
    assert (shown.exit_code, shown.stdout) == (0, "flux: queued\n")
    first, second = deck.keys
    assert first
    assert first == second


def test_a_connection_that_breaks_again_is_unreachable(deck: Deck) -> None:
    deck.breaks = 9
    shown = run("queue")
    assert shown.exit_code == 3
    assert "broke" in shown.stderr
    assert len(deck.requests) == 2
