from __future__ import annotations

from gateway.cli.render import event_line, file_words, not_ready_words, preset_row, preset_status


def test_an_entry_of_the_log_says_who_and_why_in_one_line() -> None:
    data = {"preset": {"id": "FLUX", "files": [1]}, "failure": {"code": "gone", "message": "it\nis"}, "n": [1, 2]}
    entry = {"seq": 7, "time": "2026-01-01T00:00:00.000Z", "type": "modeldeck.a.b.v1", "data": data | {"x": {"y": 1}}}
    line = event_line(entry)
    assert line.split("  ")[-1].strip() == "preset=FLUX failure=gone: it is n=[2] x={1}"
    assert line.startswith("       7  2026-01-01T00:00:00.000Z  a.b.v1 ")


def test_a_long_entry_is_cut_and_one_without_data_ends_cleanly() -> None:
    assert event_line({"seq": 1, "type": "t", "data": {"x": "y" * 9999}}).endswith("…")
    assert event_line({"seq": 1, "type": "t"}).endswith("  t")


def test_what_is_unknown_about_a_preset_is_not_invented() -> None:
    assert preset_row({"id": "a", "status": "available"}) == ("a", "", "", "?", "available", "")
    assert preset_status({"status": "paused", "progress": 12.5}) == "paused 12 %"
    assert preset_status({"status": "queued", "progress": 0}) == "queued"


def test_one_file_needs_no_count() -> None:
    assert file_words({"file": {"index": 1, "count": 1}}) == ""
    assert file_words({"file": {"index": 2, "count": 5}}) == "file 2 of 5"
    assert file_words({}) == ""


def test_why_it_is_not_ready() -> None:
    assert not_ready_words({"services": {"a": {"ok": False}, "b": {"ok": True}}}) == "no answer from a"
    assert not_ready_words({"status": "starting"}) == "starting"
    assert not_ready_words({}) == "it is starting"
