from __future__ import annotations

from typing import Any

from gateway.cli.waiting import Watched, apply_queue


def _queue(**collections: Any) -> dict[str, Any]:
    return {"active": {}, "queue": {}, "completed": {}, **collections}


def test_a_download_is_followed_through_the_collections_to_its_end() -> None:
    one = Watched("flux", download_id="d1")
    assert apply_queue([one], _queue(queue={"d1": {"status": "queued"}})) == []
    assert apply_queue([one], _queue(active={"d1": {"status": "retrying", "error": "HTTP 503"}})) == []
    assert (one.status, one.error, one.ended) == ("retrying", "HTTP 503", False)
    apply_queue([one], _queue(active={"d1": {"status": "downloading", "error": "HTTP 503"}}))
    assert one.error == ""
    apply_queue([one], _queue(completed={"d1": {"status": "failed", "error": "gone"}}))
    assert one.outcome() == {"download_id": "d1", "status": "failed", "error": "gone"}
    assert one.ended
    assert not one.good


def test_what_the_queue_no_longer_mentions_is_reported_until_it_ended() -> None:
    one, two = Watched("a", download_id="d1"), Watched("b", download_id="d2", status="completed")
    assert apply_queue([one, two], _queue()) == [one]


def test_what_was_installed_already_has_ended_well() -> None:
    one = Watched("a", preset_id="a", status="installed")
    assert one.ended
    assert one.good
    assert apply_queue([one], _queue()) == []
