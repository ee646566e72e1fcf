from datetime import timedelta

import pytest
from downloader import domain
from downloader.domain import (
    Accept,
    Claim,
    ContinueWithSpace,
    Download,
    Place,
    PublicCommand,
    Report,
    ReportFinished,
    ReportNoSpace,
)
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError

from tests.unit.downloader.builders import FAILURE, FILES, NOW, POOL, after, completed, install, queued, rank, running

PHASES = ("available", "queued", "downloading", "retrying", "paused", "completed", "failed", "cancelled")


def in_phase(phase: str) -> Download:
    if phase == "available":
        return Download()
    if phase == "queued":
        return queued()
    state = running()
    did = state.download_id
    retry = d.DownloadRetryScheduled(
        download_id=did, attempt=1, path=FILES[0].path, failure=FAILURE, tries=1, max_tries=3, retry_at=NOW
    )
    ending: dict[str, d.DownloadEvent] = {
        "retrying": retry,
        "paused": d.DownloadPaused(download_id=did),
        "completed": d.DownloadCompleted(download_id=did, attempt=1, total_bytes=300),
        "failed": d.DownloadFailed(download_id=did, attempt=1, failure=FAILURE),
        "cancelled": d.DownloadCancelled(download_id=did),
    }
    return after(ending[phase], start=state, seq=3) if phase in ending else state


def command(kind: type[d.DownloadCommand], **more: object) -> PublicCommand:
    made = kind(pool=POOL, target_id="preset:wan", **more)  # type: ignore[arg-type]
    assert isinstance(made, PublicCommand)
    return made


# Every public command in every phase: the phase it leads to, or the code and status of the refusal.
ANSWERS: dict[type[d.DownloadCommand], dict[str, str | tuple[str, int]]] = {
    d.PauseDownload: {
        "queued": "paused",
        "downloading": "paused",
        "retrying": "paused",
        "available": ("unknown_download", 404),
    },
    d.ResumeDownload: {"paused": "queued", "available": ("unknown_download", 404)},
    d.CancelDownload: {
        "queued": "cancelled",
        "downloading": "cancelled",
        "retrying": "cancelled",
        "paused": "cancelled",
        "failed": "cancelled",
        "available": ("unknown_download", 404),
    },
    d.RetryDownload: {"failed": "queued", "cancelled": "queued", "available": ("unknown_download", 404)},
}
REFUSED: dict[type[d.DownloadCommand], tuple[str, int]] = {
    d.PauseDownload: ("nothing_to_pause", 404),
    d.ResumeDownload: ("nothing_to_resume", 404),
    d.CancelDownload: ("nothing_to_cancel", 404),
    d.RetryDownload: ("not_retryable", 409),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ANSWERS)
def test_each_command_in_each_phase(kind: type[d.DownloadCommand], phase: str) -> None:
    state = in_phase(phase)
    assert state.phase == phase
    expected = ANSWERS[kind].get(phase, REFUSED[kind])
    if isinstance(expected, str):
        (event,) = domain.decide(command(kind), state)
        assert event.download_id == state.download_id
        assert after(event, start=state, seq=9).phase == expected
    else:
        with pytest.raises(CommandNotAllowedError) as refusal:
            domain.decide(command(kind), state)
        assert (refusal.value.code, refusal.value.status) == expected
        if phase != "available":  # asked about this very download: its state forbids it
            with pytest.raises(CommandNotAllowedError) as refusal:
                domain.decide(command(kind, download_id=state.download_id), state)
            assert (refusal.value.code, refusal.value.status) == (expected[0], 409)


@pytest.mark.parametrize("phase", PHASES)
def test_only_what_waits_can_be_moved(phase: str) -> None:
    state = in_phase(phase)
    place = Place(None, 3, rank("1.5"))
    if phase in ("queued", "paused"):
        (event,) = domain.decide(place, state)
        moved = after(event, start=state, seq=9)
        assert (moved.priority, moved.rank, moved.phase) == (3, rank("1.5"), phase)
        assert domain.decide(place, moved) == ()
    else:
        with pytest.raises(CommandNotAllowedError) as refusal:
            domain.decide(place, state)
        assert refusal.value.status == (404 if phase == "available" else 409)


@pytest.mark.parametrize("phase", PHASES)
def test_an_install_queues_only_what_is_not_under_way(phase: str) -> None:
    state = in_phase(phase)
    events = domain.decide(Accept(install(), NOW + timedelta(hours=1)), state)
    if phase in ("queued", "downloading", "retrying", "paused"):
        assert events == ()
    else:
        assert after(*events, start=state, seq=9).phase == "queued"
        assert events[0].download_id != state.download_id


def test_a_stale_page_cannot_hit_a_newer_run() -> None:
    with pytest.raises(CommandNotAllowedError) as refusal:
        domain.decide(command(d.PauseDownload, download_id="wan-1"), running())
    assert refusal.value.status == 404


def test_download_ids_are_preset_and_epoch_seconds_and_never_repeat() -> None:
    ids = [queued().download_id]
    state = after(d.DownloadCancelled(download_id=ids[0]), start=queued())
    for _ in range(3):
        (event,) = domain.decide(Accept(install(), NOW), state)
        ids.append(event.download_id)
        state = after(event, d.DownloadCancelled(download_id=event.download_id), start=state)
    base = f"wan-{int(NOW.timestamp())}"
    assert ids == [base, f"{base}-2", f"{base}-3", f"{base}-4"]
    file = d.Target(id="file:loras/x.safetensors", kind="file", name="x")
    assert domain.next_download_id(file, NOW, previous="") == f"file=3Aloras=2Fx=2Esafetensors-{int(NOW.timestamp())}"


def test_a_claim_fences_the_former_one() -> None:
    state = running()
    old = completed(FILES[0], state.download_id, attempt=1)
    (claim,) = domain.decide(Claim(state.download_id, "w2", 8, take_over=True), state)
    state = after(claim, start=state, seq=3)
    assert (state.attempt, state.worker, state.permit_seq) == (2, "w2", 8)
    with pytest.raises(CommandNotAllowedError) as refusal:
        domain.decide(Report(old), state)
    assert refusal.value.code == "claim_lost"
    assert domain.decide(Claim(state.download_id, "w2", 8), state) == ()  # the answer to the claim was lost


def test_a_running_download_is_taken_over_only_on_purpose() -> None:
    with pytest.raises(CommandNotAllowedError):
        domain.decide(Claim(running().download_id, "w2", 8), running())


def test_it_ends_completed_when_all_required_files_are_there() -> None:
    state = running()
    did = state.download_id
    state = after(
        completed(FILES[0], did),
        completed(FILES[1], did),
        d.DownloadFileFailed(download_id=did, attempt=1, path=FILES[2].path, failure=FAILURE, tries=1),
        start=state,
        seq=3,
    )
    (event,) = domain.decide(ReportFinished(did, 1), state)
    assert event == d.DownloadCompleted(download_id=did, attempt=1, total_bytes=300)
    assert domain.decide(ReportFinished(did, 1), after(event, start=state)) == ()


def test_it_ends_failed_with_the_first_reason_when_a_required_file_is_missing() -> None:
    state = running()
    did = state.download_id
    with pytest.raises(CommandNotAllowedError) as refusal:
        domain.decide(ReportFinished(did, 1), state)
    assert refusal.value.code == "files_open"
    failed = d.DownloadFileFailed(download_id=did, attempt=1, path=FILES[1].path, failure=FAILURE, tries=3)
    state = after(completed(FILES[0], did), failed, start=state, seq=3)
    (event,) = domain.decide(ReportFinished(did, 1), state)
    assert event == d.DownloadFailed(download_id=did, attempt=1, failure=FAILURE, failed_paths=(FILES[1].path,))


def test_a_retry_keeps_what_is_whole_and_a_forced_one_does_not() -> None:
    state = running()
    did = state.download_id
    failed = d.DownloadFailed(download_id=did, attempt=1, failure=FAILURE)
    state = after(completed(FILES[0], did), failed, start=state, seq=3)
    kept = after(*domain.decide(command(d.RetryDownload), state), start=state)
    forced = after(*domain.decide(command(d.RetryDownload, force=True), state), start=state)
    assert (set(kept.completed), kept.force, kept.download_id) == ({FILES[0].path}, False, did)
    assert (set(forced.completed), forced.force, forced.download_id) == (set(), True, did)
    assert kept.attempt == 1, "attempts go on counting, so that an old report never fits"


def test_want_of_space_pauses_and_room_resumes_unless_a_person_was_faster() -> None:
    state = running()
    did = state.download_id
    (paused,) = domain.decide(ReportNoSpace(did, 1, "full"), state)
    waiting = after(paused, start=state, seq=3)
    assert (waiting.phase, waiting.pause_reason) == ("paused", "no_space")
    (resumed,) = domain.decide(ContinueWithSpace(did), waiting)
    assert after(resumed, start=waiting).phase == "queued"
    assert domain.decide(ContinueWithSpace(did), after(d.DownloadCancelled(download_id=did), start=waiting)) == ()
    by_hand = after(d.DownloadPaused(download_id=did), start=state)
    assert domain.decide(ContinueWithSpace(did), by_hand) == ()


def test_retries_never_go_beyond_their_limit() -> None:
    state = running()
    last = d.DownloadRetryScheduled(
        download_id=state.download_id,
        attempt=1,
        path=FILES[0].path,
        failure=FAILURE,
        tries=3,
        max_tries=3,
        retry_at=NOW,
    )
    with pytest.raises(CommandNotAllowedError) as refusal:
        domain.decide(Report(last), state)
    assert refusal.value.code == "retries_exhausted"


def test_a_file_found_present_by_a_later_claim_is_no_new_fact_but_one_fetched_again_is() -> None:
    state = running()
    did = state.download_id
    state = after(completed(FILES[0], did), d.DownloadInterrupted(download_id=did, attempt=1), start=state, seq=3)
    (claim,) = domain.decide(Claim(did, "w2", 9), state)
    state = after(claim, start=state, seq=5)
    assert domain.decide(Report(completed(FILES[0], did, attempt=2, action="present")), state) == ()
    again = completed(FILES[0], did, attempt=2, action="downloaded")
    assert domain.decide(Report(again), state) == (again,)
