import pytest
from downloader.progress import ProgressMeter
from modeldeck_events import downloads as d

from tests.unit.downloader.builders import NOW

A = d.FileSpec(path="a", url="https://h/a", kind="vae", size_bytes=1000)
B = d.FileSpec(path="b", url="https://h/b", approx_size_bytes=500)
C = d.FileSpec(path="c", url="https://h/c")


def meter(*files: d.FileSpec) -> ProgressMeter:
    made = ProgressMeter(pool="p", target_id="preset:x", download_id="x-1", attempt=2, files=files)
    made.begin(files[0].path)
    return made


def test_resumed_bytes_count_as_progress_and_not_as_speed() -> None:
    it = meter(A)
    it.moved(600, 1000, "downloading", now=10.0)
    reading = it.reading(NOW)
    assert (reading.downloaded_bytes, reading.speed_bps, reading.eta_s) == (600, 0, None)
    it.moved(700, 1000, "downloading", now=11.0)
    reading = it.reading(NOW)
    assert reading.speed_bps == pytest.approx(100)
    assert reading.eta_s == pytest.approx(3.0)


def test_the_total_becomes_exact_as_sizes_are_learnt_and_never_falls_below_what_is_there() -> None:
    it = meter(A, B, C)
    assert it.total_bytes == 1500
    it.moved(1000, 1000, "verifying", now=1.0)
    it.ended("a", 1000)
    it.begin("b")
    it.moved(10, 800, "downloading", now=2.0)
    assert it.total_bytes == 1800
    it.begin("c")
    it.moved(5000, None, "downloading", now=3.0)
    assert it.downloaded_bytes <= (it.total_bytes or 0)
    it.ended("b", None)
    assert it.reading(NOW).stage == "downloading", "nothing is verified of a file that was given up"
    it.ended("c", 5000)
    assert it.reading(NOW).stage == "verifying"
    assert (it.downloaded_bytes, it.total_bytes) == (6000, 6000), "a file given up is no part of the total"


def test_a_size_that_the_source_states_replaces_the_catalogs_words_but_not_what_was_seen() -> None:
    it = meter(A, B, C)
    it.measured("b", 520)
    it.measured("c", 70)
    assert it.total_bytes == 1590
    it.moved(10, 1000, "downloading", now=1.0)
    it.measured("a", 999)
    assert it.total_bytes == 1590


def test_nothing_known_is_said_as_unknown() -> None:
    it = meter(C)
    reading = it.reading(NOW)
    assert (reading.total_bytes, reading.eta_s) == (None, None)


def test_the_speed_falls_while_nothing_moves() -> None:
    it = meter(A)
    it.moved(0, 1000, "downloading", now=0.0)
    it.moved(300, 1000, "downloading", now=1.0)
    it.idle(4.0)
    assert it.reading(NOW).speed_bps == pytest.approx(300 * 0.3679, rel=0.01)


def test_discarded_bytes_are_said_and_do_not_make_a_negative_speed() -> None:
    it = meter(A)
    it.moved(0, 1000, "downloading", now=0.0)
    it.moved(500, 1000, "downloading", now=1.0)
    it.moved(0, 1000, "downloading", now=2.0)
    reading = it.reading(NOW)
    assert reading.downloaded_bytes == 0
    assert reading.speed_bps >= 0


def test_readings_name_the_file_and_its_place() -> None:
    it = meter(A, B)
    it.begin("b")
    reading = it.reading(NOW)
    assert (reading.file_path, reading.file_index, reading.file_count, reading.attempt) == ("b", 2, 2, 2)
