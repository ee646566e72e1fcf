"""Processes kept alive for real: restarted, ended politely or not, and never left behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from modeldeck_local.child import Child
from modeldeck_local.console import Console, LogFile
from modeldeck_local.leftovers import ProcessRecord

LAUNCHER = Path(sys.modules[Child.__module__].__file__ or "").with_name("launch.py")
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"

MakeChild = Callable[[str], Child]


async def until(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # other processes make it true
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[MakeChild]:
    made: list[Child] = []

    def child(code: str) -> Child:
        log = LogFile(tmp_path / "child.log")
        record = ProcessRecord(tmp_path / "processes.json")
        made.append(Child("child", [sys.executable, "-c", code], dict(os.environ), Console(), log, record))
        return made[-1]

    yield child
    for one in made:
        await one.stop(5)


def ups(folder: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return (folder / "child.log").read_text().count("up\n")
    return 0


async def test_a_killed_process_is_started_again_and_it_is_said_so(
    make: MakeChild, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    child = make(SLEEP)
    child.start()
    await until(lambda: ups(tmp_path) == 1)
    assert child._process is not None
    os.kill(child._process.pid, signal.SIGKILL)
    await until(lambda: ups(tmp_path) == 2)
    assert "child ended (killed by SIGKILL); starting it again in 0.2 s" in capfd.readouterr().err


async def test_a_polite_process_ends_at_once(make: MakeChild, tmp_path: Path) -> None:
    child = make(SLEEP)
    child.start()
    await until(lambda: ups(tmp_path) == 1)
    started = time.monotonic()
    await child.stop(5)
    assert time.monotonic() - started < 3
    assert child.ended_with == -signal.SIGTERM


async def test_a_stubborn_one_is_killed_when_its_time_is_up(make: MakeChild, tmp_path: Path) -> None:
    child = make(STUBBORN)
    child.start()
    await until(lambda: ups(tmp_path) == 1)
    await child.stop(0.3)
    assert child.ended_with == -signal.SIGKILL


async def test_what_a_process_started_itself_ends_too(make: MakeChild, tmp_path: Path) -> None:
    child = make(WITH_CHILD)
    child.start()
    await until(lambda: ups(tmp_path) == 2)
    assert child._process is not None
    grandchildren = psutil.Process(child._process.pid).children()
    assert len(grandchildren) == 1
    await child.stop(5)
    await until(lambda: not alive(grandchildren[0].pid))


async def test_stopping_between_two_starts_starts_nothing_more(make: MakeChild, tmp_path: Path) -> None:
    child = make("print('up', flush=True)")
    child.start()
    await until(lambda: child.restarts >= 1)
    await child.stop(5)
    seen = ups(tmp_path)
    await asyncio.sleep(0.5)
    assert ups(tmp_path) == seen


async def test_a_program_that_does_not_exist_is_tried_again(
    make: MakeChild, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    child = make("")
    child.command = [str(tmp_path / "missing")]
    child.start()
    await until(lambda: child.restarts >= 2)
    assert "missing" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to watch the parent, which only Linux can")
async def test_a_process_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import os, subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, {str(LAUNCHER)!r}, '9', str(os.getpid()),"
        f" sys.executable, '-c', {SLEEP!r}], start_new_session=True, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\nprint(p.pid, flush=True)\nimport time\ntime.sleep(600)",
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid))


async def test_where_the_kernel_cannot_watch_a_closed_pipe_ends_the_process() -> None:
    code = f"import sys; sys.path.insert(0, {str(LAUNCHER.parent)!r}); import launch\n"
    code += f"sys.exit(launch.run_watched([sys.executable, '-c', {SLEEP!r}], 15) == -15)"
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    assert await watcher.stdout.readline() == b"up\n"
    watcher.stdin.close()
    assert await asyncio.wait_for(watcher.wait(), 10) == 1


async def test_leftovers_of_an_earlier_run_are_ended_and_others_are_not(tmp_path: Path) -> None:
    ours, other = [await asyncio.create_subprocess_exec(*sleeper(), start_new_session=True) for _ in range(2)]
    stale = tmp_path / "processes.json"
    record = ProcessRecord(stale)
    record.add("downloader", ours.pid, sleeper())
    record.add("catalog", other.pid, [sys.executable, "-m", "catalog"])  # its id was used again since
    try:
        assert await asyncio.to_thread(ProcessRecord(stale).end_leftovers) == ["downloader"]
        await asyncio.wait_for(ours.wait(), 5)
        assert alive(other.pid)
        assert not stale.exists()
    finally:
        other.kill()
        await other.wait()


def sleeper() -> list[str]:
    return [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "not json"])
def test_a_damaged_record_does_not_stop_a_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "processes.json").write_text(content)
    assert ProcessRecord(tmp_path / "processes.json").end_leftovers() == []


async def test_a_full_disk_keeps_nobody_from_watching_over_a_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "processes.new"  # what the record writes first
    full.symlink_to("/dev/full")
    (tmp_path / "child.log").symlink_to("/dev/full")
    log, record = LogFile(tmp_path / "child.log"), ProcessRecord(tmp_path / "processes.json")
    lines: list[str] = []
    child = Child(
        "child", [sys.executable, "-c", SLEEP], dict(os.environ), Console(), log, record, on_line=lines.append
    )
    child.start()
    await until(lambda: len(lines) == 1)
    child.restart()
    await until(lambda: len(lines) == 2)
    await child.stop(5)
    said = capfd.readouterr().err
    assert "its log cannot be written: No space left on device" in said
    assert "its process id cannot be written down: No space left on device" in said
    assert not child.running
