"""`install --wait` and `events --follow` through drops, restarts and Ctrl-C, as processes of their own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cli.deck import Deck
from tests.integration.cli.terminal import Terminal, finish, start

FLUX = {"preset_id": "flux", "download_id": "d-flux", "name": "Flux"}


@pytest.fixture(autouse=True)
def catalog(deck: Deck) -> None:
    deck.presets = {name: {"id": name, "name": name, "status": "available"} for name in ("flux", "wan")}
    deck.presets["old"] = {"id": "old", "name": "old", "status": "installed"}
    deck.queue["queue"] = {"d-flux": FLUX | {"status": "queued", "position": 1}}


@pytest.fixture
def terminal() -> Iterator[Any]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def run_flux(deck: Deck, progress: float, **more: Any) -> None:
    item = FLUX | {"status": "downloading", "progress": progress, "file": {"index": 2, "count": 5}} | more
    deck.patch_queue(active={"d-flux": item}, queue={"d-flux": None}, current="d-flux", active_downloads=1)


def end_flux(deck: Deck, status: str, **more: Any) -> None:
    item = FLUX | {"status": status} | more
    deck.patch_queue(completed={"d-flux": item}, active={"d-flux": None}, queue={"d-flux": None}, active_downloads=0)


def test_waiting_tells_in_lines_and_ends_well(deck: Deck) -> None:
    process = start("install", "flux", "old", "--wait")
    deck.wait_for_streams(1)
    run_flux(deck, 3.0, downloaded_bytes=3_000_000_000, total_bytes=100_000_000_000, speed="45.2 MB/s", eta="3m 24s")
    run_flux(deck, 4.0)
    run_flux(deck, 55.0)
    end_flux(deck, "completed")
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "flux: queued",
        "old: installed",
        "flux: downloading 3 % (3.0 GB of 100.0 GB, 45.2 MB/s, 3m 24s left, file 2 of 5)",
        "flux: downloading 55 % (3.0 GB of 100.0 GB, 45.2 MB/s, 3m 24s left, file 2 of 5)",
        "flux: completed",
    ]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_waiting_for_what_fails_ends_with_its_reason(deck: Deck, status: str) -> None:
    process = start("install", "flux", "--wait", "--json")
    deck.wait_for_streams(1)
    end_flux(deck, status, error="the host says it is gone (410)")
    code, out, err = finish(process)
    assert code == 1
    assert err == f"error: flux: {status}: the host says it is gone (410)\n"
    (outcome,) = json.loads(out)["downloads"]
    assert outcome["status"] == status
    assert outcome["error"] == "the host says it is gone (410)"


def test_what_is_installed_needs_no_waiting(deck: Deck) -> None:
    code, out, _ = finish(start("install", "old", "--wait"))
    assert (code, out, deck.streams_opened) == (0, "old: installed\n", 0)


def test_waiting_survives_drops_and_restarts_of_the_gateway(deck: Deck) -> None:
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    run_flux(deck, 10.0)
    deck.drop()
    deck.wait_for_streams(2)
    assert deck.resumed_from[1] == "one-0"
    deck.down()
    deck.queue["active"]["d-flux"]["progress"] = 80.0
    deck.epoch = "two"
    opened = deck.streams_opened
    deck.up()
    deck.wait_for_streams(opened + 1)
    end_flux(deck, "completed")
    code, out, err = finish(process)
    assert code == 0
    assert "flux: downloading 80 % (file 2 of 5)" in out.splitlines()
    assert err.startswith("waiting for the gateway: the gateway closed the stream\n")
    assert len(err.splitlines()) <= 3


def test_a_download_that_left_the_list_while_the_gateway_was_away_is_looked_up(deck: Deck) -> None:
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    deck.down()
    deck.queue |= {"active": {}, "queue": {}, "completed": {}}
    deck.downloads["d-flux"] = FLUX | {"status": "completed"}
    deck.up()
    assert finish(process)[0] == 0


def test_a_download_that_was_removed_is_not_waited_for(deck: Deck) -> None:
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    deck.patch_queue(queue={"d-flux": None})
    code, _, err = finish(process)
    assert (code, err) == (1, "error: flux: cancelled: it was removed from the queue\n")


def test_a_new_log_is_only_a_new_beginning(deck: Deck) -> None:
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    deck.epoch = "two"
    deck.drop()
    deck.wait_for_streams(2)
    deck.drop()
    deck.wait_for_streams(3)
    assert deck.resumed_from == [None, "one-0", "two-0"]
    end_flux(deck, "completed")
    assert finish(process)[0] == 0


def test_a_paused_queue_says_how_to_let_it_go_on(deck: Deck) -> None:
    deck.queue["paused"] = True
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    end_flux(deck, "cancelled")
    assert "the whole queue is paused; `modeldeck resume --all` lets it go on\n" in finish(process)[2]


def test_interrupting_leaves_the_download_running_and_says_so(deck: Deck) -> None:
    process = start("install", "flux", "--wait")
    deck.wait_for_streams(1)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert err == "Not waiting any longer; the download goes on: flux. `modeldeck queue` shows it.\n"
    assert [change[1] for change in deck.changes()] == ["/presets/flux/install"]


def test_a_terminal_shows_a_bar_that_moves(deck: Deck, terminal: Any) -> None:
    shown = terminal("install", "flux", "--wait")
    deck.wait_for_streams(1)
    run_flux(deck, 42.0, downloaded_bytes=42, total_bytes=100, speed="45.2 MB/s", eta="3m 24s")
    shown.read_until("42 % 42 B of 100 B, 45.2 MB/s, 3m 24s left, file 2 of 5")
    end_flux(deck, "completed")
    assert shown.finish() == 0
    assert "━" in shown.text
    assert "completed" in shown.text


def test_a_terminal_keeps_ids_whole_and_leaves_empty_columns_out(deck: Deck, terminal: Any) -> None:
    deck.queue["queue"] = {"d": {"download_id": "d" * 40, "name": "word " * 30, "status": "queued", "position": 1}}
    shown = terminal("queue")
    assert shown.finish() == 0
    assert "d" * 40 in shown.text
    assert "NAME" in shown.text
    assert "SPEED" not in shown.text


def test_following_the_log_shows_each_entry_once_through_drops_and_restarts(deck: Deck) -> None:
    for number in range(5):
        deck.append("a.b.v1", n=number)
    process = start("events", "--since", "2", "--follow", "--json")
    assert process.stdout is not None
    seen: list[int] = []

    def read(count: int) -> None:
        while len(seen) < count:
            seen.append(json.loads(process.stdout.readline())["seq"])  # type: ignore[union-attr]  # checked above

    read(3)
    deck.append("a.b.v1")
    read(4)
    deck.append_unseen("a.b.v1")
    deck.drop()
    read(5)
    deck.down()
    deck.append_unseen("a.b.v1")
    deck.up()
    read(6)
    deck.append("a.b.v1")
    read(7)
    process.send_signal(signal.SIGINT)
    code, out, _ = finish(process)
    assert (code, out, seen) == (130, "", [3, 4, 5, 6, 7, 8, 9])


def test_following_goes_over_to_a_new_log_and_says_so(deck: Deck) -> None:
    deck.append("a.b.v1", log="old")
    process = start("events", "--since", "0", "--follow", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["data"] == {"log": "old"}
    deck.down()
    deck.log, deck.epoch = [], "two"
    deck.append_unseen("a.b.v1", log="new")
    deck.up()
    assert json.loads(process.stdout.readline())["data"] == {"log": "new"}
    process.send_signal(signal.SIGINT)
    assert "replaced by another one" in finish(process)[2]


def test_a_reader_that_goes_away_ends_it_quietly(deck: Deck) -> None:
    deck.log = [{"seq": n, "type": "a.b.v1", "time": "", "data": "x" * 500} for n in range(1, 2000)]
    process = start("events", "--since", "0", "--follow")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(20)
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
