import asyncio
from pathlib import Path

import pytest
from modeldeck_local import console
from modeldeck_local.child import how_it_ended, lines_of
from modeldeck_local.console import Console, LogFile, worth_showing


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level": "info", "event": "started"}', None),
        ('{"level": "warning", "event": "low on space", "free_gb": 3}', "low on space free_gb=3"),
        ('{"level": "error", "event": "failed", "exception": "Traceback\\n  ..."}', "failed"),
        ('{"event": "no level is bad news"}', "no level is bad news"),
        ("{not json", "{not json"),
        ("[12] 2026/01/01 10:00:00.000000 [INF] Server is ready", None),
        ("[12] 2026/01/01 10:00:00.000000 [ERR] disk is full", "disk is full"),
        ("[12] 2026/01/01 10:00:00.000000 [WRN] Plaintext passwords detected, use nkeys or bcrypt", None),
        ("INFO:     Uvicorn running", None),
        ("Traceback (most recent call last):", None),
        ('  File "x.py", line 1, in <module>', None),
        ("ModuleNotFoundError: No module named 'x'", "ModuleNotFoundError: No module named 'x'"),
        ("", None),
    ],
)
def test_only_what_went_wrong_reaches_the_terminal(line: str, shown: str | None) -> None:
    assert worth_showing(line) == shown


def test_a_repeated_complaint_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Console()
    for attempt in range(5):
        terminal.relay("catalog", f"cannot connect, attempt {attempt}")
    terminal.relay("gateway", "cannot connect, attempt 1")
    assert capsys.readouterr().err.splitlines() == [
        "catalog: cannot connect, attempt 0",
        "gateway: cannot connect, attempt 1",
    ]


def test_a_log_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOG_FILE_BYTES", 100)
    log = LogFile(tmp_path / "logs" / "x.log")
    for number in range(50):
        log.write(f"line {number}")
    log.close()
    sizes = {file.name: file.stat().st_size for file in (tmp_path / "logs").iterdir()}
    assert set(sizes) == {"x.log", "x.log.1"}
    assert max(sizes.values()) <= 120
    assert "line 49" in (tmp_path / "logs" / "x.log").read_text() + (tmp_path / "logs" / "x.log.1").read_text()


async def test_output_is_cut_into_lines_also_without_an_end() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(b"one\ntw")
    stream.feed_data(b"o\r\n\xff" + b"x" * 10)
    stream.feed_eof()
    assert [line async for line in lines_of(stream)] == ["one", "two", "\ufffdxxxxxxxxxx"]


@pytest.mark.parametrize(("status", "words"), [(0, "exit 0"), (3, "exit 3"), (-9, "killed by SIGKILL")])
def test_an_end_is_put_into_words(status: int, words: str) -> None:
    assert how_it_ended(status) == words
