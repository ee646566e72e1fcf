"""What else runs: services that go down are noticed, a ComfyUI that nobody hears of any more is not shown as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gateway.boards.fold import Boards
from gateway.boards.overview import overview
from gateway.boards.vitals import SILENT_AFTER_S, Vitals
from gateway.derived import Derived
from gateway.live import Live
from gateway.service_watch import ServiceWatch
from modeldeck_events.generations import ComfyuiStatus

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def status(state: Literal["ok", "away"] = "ok", *, seconds_ago: float = 0.0, **more: Any) -> ComfyuiStatus:
    return ComfyuiStatus(source="studio", status=state, at=NOW - timedelta(seconds=seconds_ago), **more)


def test_nothing_heard_is_not_shown() -> None:
    assert Vitals().state() == {}


def test_a_comfyui_is_shown_as_it_says_and_repetitions_change_nothing() -> None:
    vitals = Vitals()
    assert vitals.read(status(running=1, pending=3, version="0.3.60"), 10.0)
    assert vitals.state() == {
        "comfyui": {"studio": {"status": "ok", "running": 1, "pending": 3, "version": "0.3.60"}},
    }
    assert not vitals.read(status(running=1, pending=3, version="0.3.60"), 40.0)
    assert vitals.read(status("away", error="connection refused"), 50.0)
    assert vitals.state()["comfyui"]["studio"] == {"status": "away", "error": "connection refused"}


def test_who_is_not_heard_is_silent_by_our_clock_until_he_speaks_again() -> None:
    vitals = Vitals()
    vitals.read(status(), 10.0)
    vitals.read(status(seconds_ago=3600), 40.0)  # his clock is wrong, but he speaks
    assert not vitals.age(NOW, 40.0 + SILENT_AFTER_S)
    assert vitals.age(NOW, 41.0 + SILENT_AFTER_S)
    assert vitals.state() == {"comfyui": {"studio": {"status": "silent"}}}
    assert not vitals.age(NOW, 42.0 + SILENT_AFTER_S)
    assert vitals.read(status(), 200.0)
    assert vitals.state() == {"comfyui": {"studio": {"status": "ok"}}}


def test_a_status_that_was_read_back_is_as_old_as_it_says() -> None:
    vitals = Vitals()
    vitals.read(status(seconds_ago=SILENT_AFTER_S + 1), 10.0)
    assert vitals.age(NOW, 10.0)
    assert vitals.state()["comfyui"]["studio"] == {"status": "silent"}


def test_the_topic_overview_has_both() -> None:
    boards = Boards()
    boards.take_changes(0.0)
    boards.read(status(running=2), 1.0)
    boards.vitals.found({"downloader": True, "catalog": False})
    assert boards.take_changes(1.0).topics == {"overview"}
    assert "services" not in overview(boards, (), NOW, connected=True)["systemStatus"], (
        "what is answered of the past too"
    )
    shown = Derived(boards, lambda: True, lambda: NOW).renders()["overview"]()["systemStatus"]
    assert shown["comfyui"] == {"studio": {"status": "ok", "running": 2}}
    assert shown["services"] == {"downloader": True, "catalog": False}
    assert boards.age(NOW, 1.0, deaf=False) is False
    assert boards.age(NOW + timedelta(days=1), 1.0, deaf=False) is True


class _Health:
    """A health check that says what it is told."""

    def __init__(self) -> None:
        self.down: set[str] = set()

    async def services(self) -> dict[str, bool]:
        return {name: name not in self.down for name in ("downloader", "catalog", "telemetry")}


async def test_a_service_that_goes_down_is_published() -> None:
    health, live = _Health(), Live(Boards())
    live.caught_up.set()
    watch = ServiceWatch(health, live)  # type: ignore[arg-type]
    assert await watch.look()
    health.down = {"catalog"}
    assert not await watch.look()
    assert live.boards.vitals.state()["services"] == {"downloader": True, "catalog": False, "telemetry": True}
    version = live.topics["overview"].version
    assert not await watch.look()
    assert live.topics["overview"].version == version, "the same again is nothing new"
