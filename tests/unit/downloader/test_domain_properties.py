"""Any sequence of commands, from anybody, in any order, some twice: what must hold always."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from downloader import domain
from downloader.domain import Accept, Claim, ContinueWithSpace, Download, Place, Report, ReportFinished, ReportNoSpace
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError
from msgspec.structs import replace

from tests.unit.downloader.builders import FAILURE, FILES, NOW, POOL, completed, install

PUBLIC: tuple[type[domain.PublicCommand], ...] = (d.PauseDownload, d.ResumeDownload, d.CancelDownload, d.RetryDownload)
MAX_TRIES = 3


class History:
    """Applies decisions to a state and checks, after each fact, that the step was legal."""

    def __init__(self) -> None:
        self.state = Download()
        self.events: list[d.DownloadEvent] = []

    def give(self, command: domain.DownloadDecision) -> tuple[d.DownloadEvent, ...]:
        try:
            events = domain.decide(command, self.state)
        except CommandNotAllowedError:
            return ()
        assert len(events) <= 1, "several facts for one command: a crash between them would be a history of its own"
        for event in events:
            before, self.state = self.state, domain.evolve(self.state, event, len(self.events) + 1)
            self.events.append(event)
            check_step(before, event, self.state)
        return events


LEGAL: dict[type[d.DownloadEvent], tuple[str, ...]] = {
    d.DownloadQueued: ("available", *domain.ENDED),
    d.DownloadStarted: ("queued", *domain.RUNNING),
    d.DownloadInterrupted: domain.RUNNING,
    d.DownloadFileCompleted: domain.RUNNING,
    d.DownloadFileFailed: domain.RUNNING,
    d.DownloadRetryScheduled: domain.RUNNING,
    d.DownloadRetryBegan: ("retrying",),
    d.DownloadPaused: ("queued", *domain.RUNNING),
    d.DownloadResumed: ("paused",),
    d.DownloadMoved: domain.WAITING,
    d.DownloadRetried: ("failed", "cancelled"),
    d.DownloadCompleted: domain.RUNNING,
    d.DownloadFailed: domain.RUNNING,
    d.DownloadCancelled: (*domain.OPEN, "failed"),
}


def check_step(before: Download, event: d.DownloadEvent, now: Download) -> None:
    assert before.phase in LEGAL[type(event)], f"{event} in {before.phase}"
    assert now.download_id == event.download_id
    if isinstance(event, d.DownloadQueued):
        assert now.download_id != before.download_id
        return
    assert now.attempt == before.attempt + isinstance(event, d.DownloadStarted)
    assert (now.phase == "retrying") == (now.retry is not None)
    assert (now.phase == "paused") == (now.pause_reason is not None)
    paths = {spec.path for spec in now.files}
    assert set(now.completed) <= paths
    assert set(now.failed) <= paths
    assert not set(now.completed) & set(now.failed)
    if isinstance(event, d.DownloadCompleted):
        assert all(spec.optional or spec.path in now.completed for spec in now.files)
    if isinstance(event, d.DownloadRetryScheduled):
        assert event.tries < event.max_tries
    if isinstance(event, d.DownloadFileFailed):
        assert event.path not in before.completed or before.completed[event.path].attempt < event.attempt
        assert set(before.completed) - {event.path} <= set(now.completed)
    elif not (isinstance(event, d.DownloadRetried) and event.force):
        assert set(before.completed) <= set(now.completed), "progress never regresses"


Maker = Callable[[Download], domain.DownloadDecision]
SPECS = st.sampled_from(FILES)


@st.composite
def commands(draw: st.DrawFn) -> Maker:
    """Return a function from the present state to a command, mostly about the present claim, sometimes about an old."""
    kind = draw(st.integers(0, 8))
    stale = draw(st.integers(0, 5)) == 0
    spec = draw(SPECS)
    tries = draw(st.integers(1, MAX_TRIES))
    flag = draw(st.booleans())
    public = draw(st.sampled_from(PUBLIC))
    when = NOW + timedelta(seconds=draw(st.integers(0, 3)))

    def make(state: Download) -> domain.DownloadDecision:
        did = "wan-0" if stale else state.download_id
        attempt = state.attempt - (1 if stale else 0)
        failed = d.DownloadFileFailed(download_id=did, attempt=attempt, path=spec.path, failure=FAILURE, tries=tries)
        retry = d.DownloadRetryScheduled(
            download_id=did,
            attempt=attempt,
            path=spec.path,
            failure=FAILURE,
            tries=tries,
            max_tries=MAX_TRIES,
            retry_at=when,
        )
        made: tuple[domain.DownloadDecision, ...] = (
            Accept(install(force=flag), when),
            public(pool=POOL, target_id="preset:wan"),
            Claim(did, f"w{tries}", tries, take_over=flag),
            Report(completed(spec, did, attempt, action="present" if flag else "downloaded")),
            Report(failed),
            Report(retry if flag else d.DownloadRetryBegan(download_id=did, attempt=attempt, path=spec.path)),
            ReportFinished(did, attempt) if flag else Report(d.DownloadInterrupted(download_id=did, attempt=attempt)),
            ReportNoSpace(did, attempt, "full") if flag else ContinueWithSpace(did),
            Place(None, tries, Decimal(tries) / 2),
        )
        return made[kind]

    return make


@given(st.lists(commands(), max_size=40))
def test_any_sequence_of_commands_is_a_legal_history(makers: list[Maker]) -> None:
    history = History()
    for make in makers:
        history.give(make(history.state))
    folded = Download()
    for seq, event in enumerate(history.events, start=1):
        folded = domain.evolve(folded, event, seq)
    assert folded == history.state


@given(st.lists(commands(), max_size=30))
def test_a_repeated_command_changes_nothing_more(makers: list[Maker]) -> None:
    """Public commands are refused the second time (nothing left to act on); internal ones answer "already so"."""
    history = History()
    for make in makers:
        command = make(history.state)
        if history.give(command) and not isinstance(command, Report):
            before = len(history.events)
            history.give(command)
            assert len(history.events) == before, f"{command} led to {history.events[-1]} when repeated"


@given(st.lists(commands(), max_size=30), commands())
def test_a_repeated_report_is_stored_once(makers: list[Maker], last: Maker) -> None:
    history = History()
    for make in makers:
        history.give(make(history.state))
    command = last(history.state)
    if isinstance(command, Report) and history.give(command):
        assert history.give(command) == ()


EVENT_TYPES = st.sampled_from(
    [
        d.DownloadStarted(download_id="x", attempt=3, worker="w"),
        d.DownloadInterrupted(download_id="x", attempt=9),
        d.DownloadRetryBegan(download_id="x", attempt=1, path="nowhere"),
        d.DownloadPaused(download_id="x"),
        d.DownloadResumed(download_id="x"),
        d.DownloadRetried(download_id="x", force=True),
        d.DownloadCompleted(download_id="x", attempt=1, total_bytes=1),
        d.DownloadFailed(download_id="y", attempt=1, failure=FAILURE),
        d.DownloadCancelled(download_id="x"),
        completed(FILES[0], "x"),
        d.DownloadMoved(download_id="x", priority=1, rank=Decimal("0.5")),
    ]
)


@given(st.lists(EVENT_TYPES, max_size=20))
def test_evolve_never_refuses_a_fact(events: list[d.DownloadEvent]) -> None:
    state = replace(Download(), download_id="x")
    for seq, event in enumerate(events):
        state = domain.evolve(state, event, seq)
