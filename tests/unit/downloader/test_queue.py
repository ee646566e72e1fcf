from downloader.pool import PoolSettings
from downloader.queue import REMEMBERED_COMMANDS, QueueFold
from modeldeck_events import downloads as d
from modeldeck_events import pools
from modeldeck_events.message import Event

from tests.unit.downloader.builders import FILES, POOL, completed, install, rank, record


class Log:
    """Numbers facts and gives them to a fold."""

    def __init__(self) -> None:
        self.fold = QueueFold(POOL)
        self.seq = 0

    def add(self, event: Event, preset: str = "wan", *, subject: str = "", causation_id: str = "") -> None:
        self.seq += 1
        where = subject or d.subject(POOL, f"preset:{preset}")
        self.fold.apply(record(self.seq, where, event, causation_id=causation_id))

    def queue(self, preset: str, priority: int = 0) -> None:
        request = install(preset)
        fact = d.DownloadQueued(
            download_id=f"{preset}-1", pool=POOL, target=request.target, files=FILES, priority=priority
        )
        self.add(fact, preset)

    def order(self) -> list[str]:
        return [state.download_id for state in self.fold.in_phase("queued")]


def test_first_come_first_served_within_a_priority_and_moves_count() -> None:
    log = Log()
    for preset in ("a", "b", "c"):
        log.queue(preset)
    log.queue("vip", priority=5)
    assert log.order() == ["vip-1", "a-1", "b-1", "c-1"]
    log.add(d.DownloadMoved(download_id="c-1", priority=0, rank=rank("0.5")), "c")
    assert log.order() == ["vip-1", "c-1", "a-1", "b-1"]


def test_an_interrupted_download_stands_at_its_old_place() -> None:
    log = Log()
    log.queue("a")
    log.queue("b")
    log.add(d.DownloadStarted(download_id="a-1", attempt=1, worker="w"), "a")
    assert log.order() == ["b-1"]
    log.add(d.DownloadInterrupted(download_id="a-1", attempt=1), "a")
    assert log.order() == ["a-1", "b-1"]


def test_verified_files_are_found_by_path_url_and_content() -> None:
    log = Log()
    log.queue("wan")
    log.add(completed(FILES[0], "wan-1", sha256="cd" * 32))
    fold = log.fold
    known = fold.at_path(FILES[0].path)
    assert known is not None
    assert (known.url, known.size_bytes) == (FILES[0].url, 100)
    assert list(fold.with_sha256("cd" * 32)) == list(fold.from_url(FILES[0].url)) == [known]
    log.add(completed(FILES[0], "wan-1", sha256="ef" * 32))
    assert list(fold.with_sha256("cd" * 32)) == []
    assert len(fold.from_url(FILES[0].url)) == 1


def test_pending_files_name_each_path_once_and_leave_out_what_is_whole() -> None:
    log = Log()
    log.queue("a")
    log.queue("b")
    log.add(completed(FILES[0], "a-1"), "a")
    assert set(log.fold.pending_files()) == {spec.path for spec in FILES}
    assert set(log.fold.pending_files(besides="preset:b")) == {FILES[1].path, FILES[2].path}


def test_the_settings_are_what_the_log_says() -> None:
    log = Log()
    assert log.fold.settings == PoolSettings()
    fact = pools.PoolConfigured(pool=POOL, max_concurrent=3, bandwidth_limit_bps=None, paused=True)
    log.add(fact, subject=pools.subject(POOL))
    assert log.fold.settings == PoolSettings(3, None, paused=True)
    log.fold.reset()
    assert log.fold.settings == PoolSettings()
    assert log.fold.seq == 0


def test_a_redelivered_record_and_other_pools_change_nothing() -> None:
    log = Log()
    log.queue("a")
    before = log.fold.get("preset:a")
    log.fold.apply(record(1, d.subject(POOL, "preset:a"), d.DownloadCancelled(download_id="a-1")))
    log.add(d.DownloadCancelled(download_id="a-1"), subject=d.subject("other", "preset:a"))
    assert log.fold.get("preset:a") == before
    assert log.fold.get("preset:never") == log.fold.get("preset:nobody")


def test_commands_are_remembered_by_their_id_and_not_for_ever() -> None:
    log = Log()
    log.queue("a")
    subject = d.subject(POOL, "preset:a")
    log.add(d.DownloadPaused(download_id="a-1"), "a", causation_id="first")
    assert log.fold.answered(subject, "first") == 2
    assert log.fold.answered(subject, "") is None
    assert log.fold.answered(d.subject(POOL, "preset:b"), "first") is None
    for number in range(REMEMBERED_COMMANDS):
        log.add(d.DownloadResumed(download_id="a-1"), "a", causation_id=str(number))
    assert log.fold.answered(subject, "first") is None
