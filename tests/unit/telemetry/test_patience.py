from __future__ import annotations

import asyncio
import threading

import pytest
from telemetry.patience import NoAnswerError, Patient


async def test_an_answer_comes_through_and_so_does_an_error() -> None:
    assert await Patient(lambda: 7, limit_s=5).answer() == 7

    def broken() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Patient(broken, limit_s=5).answer()


async def test_what_is_stuck_is_asked_once_and_heard_again_when_it_comes_back() -> None:
    release, calls = threading.Event(), []

    def ask() -> int:
        calls.append(1)
        release.wait(30)
        return len(calls)

    patient = Patient(ask, limit_s=0.05)
    with pytest.raises(NoAnswerError, match="within"):
        await patient.answer()
    for _ in range(3):
        with pytest.raises(NoAnswerError, match="still"):
            await patient.answer()
    assert len(calls) == 1
    release.set()
    async with asyncio.timeout(5):
        while patient._pending is None or not patient._pending.done():  # noqa: ASYNC110 - a thread announces nothing
            await asyncio.sleep(0.005)
    assert await patient.answer() == 2


async def test_a_late_error_harms_nobody() -> None:
    release = threading.Event()

    def ask() -> int:
        release.wait(30)
        raise OSError("late")

    patient = Patient(ask, limit_s=0.02)
    with pytest.raises(NoAnswerError):
        await patient.answer()
    release.set()
    async with asyncio.timeout(5):
        while patient._pending is None or not patient._pending.done():  # noqa: ASYNC110 - a thread announces nothing
            await asyncio.sleep(0.005)


def test_a_stuck_thread_does_not_hold_up_the_end_of_the_loop() -> None:
    release = threading.Event()

    async def ask() -> None:
        with pytest.raises(NoAnswerError):
            await Patient(lambda: release.wait(30), limit_s=0.02).answer()

    asyncio.run(ask())  # the loop is closed while the thread still waits
    release.set()
