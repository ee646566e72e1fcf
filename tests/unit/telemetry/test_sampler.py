from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.readings import DiskSample, GpuSample, HostSample
from telemetry import probes
from telemetry.gpus import Gpus
from telemetry.probes import Volume
from telemetry.sampler import Sampler, next_due

NO_GPUS = Gpus((), "no driver")


class Collected:
    """What a sampler published."""

    def __init__(self) -> None:
        self.samples: list[HostSample] = []

    async def publish(self, sample: HostSample) -> None:
        self.samples.append(sample)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.samples) < count:  # noqa: ASYNC110 - the sampler announces nothing
                await asyncio.sleep(0.005)


@asynccontextmanager
async def sampling(
    collected: Collected, *volumes: Path, gpus: Gpus = NO_GPUS, interval_s: float = 0.1
) -> AsyncIterator[Sampler]:
    async def ask() -> Gpus:
        return gpus

    sampler = Sampler(collected.publish, host="h", pool="p", interval_s=interval_s, volumes=volumes, gpus=ask)
    task = asyncio.create_task(sampler.run())
    yield sampler
    task.cancel()


async def test_a_sample_says_how_the_host_is(tmp_path: Path) -> None:
    collected = Collected()
    gpu = GpuSample(index=0, name="g")
    async with sampling(collected, tmp_path, tmp_path / "models", gpus=Gpus((gpu,), "ok")):
        await collected.wait_for(2)
    sample = collected.samples[1]
    assert (sample.host, sample.pool, sample.interval_s, sample.gpu_status, sample.gpus) == (
        "h",
        "p",
        0.1,
        "ok",
        (gpu,),
    )
    assert sample.cpu_percent is not None
    assert sample.memory is not None
    assert sample.network is not None
    assert [disk.path for disk in sample.disks] == [str(tmp_path)]  # one volume, told once
    assert msgspec.json.decode(msgspec.json.encode(sample), type=HostSample) == sample


@pytest.mark.parametrize(("now", "due"), [(10.0, 12.0), (10.3, 12.0), (12.0, 12.0), (12.1, 14.0), (99.0, 100.0)])
def test_slow_samples_do_not_shift_the_later_ones(now: float, due: float) -> None:
    assert next_due(10.0, now, 2.0) == due


@given(st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0.2, 60))
def test_the_next_sample_is_never_in_the_past_and_never_more_than_an_interval_away(
    due: float, late_s: float, interval_s: float
) -> None:
    now = due + late_s
    following = next_due(due, now, interval_s)
    assert now - 1e-6 <= following <= now + interval_s + 1e-6
    steps = (following - due) / interval_s
    assert steps == pytest.approx(round(steps), abs=1e-6)


async def test_a_stuck_disk_leaves_the_rest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = Collected()
    real: Any = psutil.disk_usage
    released = threading.Event()

    def usage(path: str) -> Any:
        if path.endswith("dead"):
            released.wait(30)
        return real(path)

    monkeypatch.setattr(psutil, "disk_usage", usage)
    (tmp_path / "dead").mkdir()
    async with sampling(collected, tmp_path / "dead", tmp_path, interval_s=0.2):
        await collected.wait_for(3)
        dead = [sample.disks[0] for sample in collected.samples]
        assert [disk.error for disk in dead] == ["no answer within 0.1 s", "still no answer", "still no answer"]
        assert all(sample.disks[1].total_bytes for sample in collected.samples)
        released.set()
        await collected.wait_for(len(collected.samples) + 2)
    assert collected.samples[-1].disks[0].error is None
    spans = [(b.at - a.at).total_seconds() for a, b in itertools.pairwise(collected.samples)]
    assert min(spans) > 0.05


async def test_volumes_of_further_models_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which device a folder is on is the system's to say, so it is played."""
    devices = {"a": 1, "b": 2, "c": 1}
    monkeypatch.setattr(
        probes, "volume", lambda path: Volume(DiskSample(path=str(path), percent=1.0), devices[path.name])
    )
    mounts = [Path("/a"), Path("/b"), Path("/c")]

    async def ask() -> Gpus:
        return NO_GPUS

    sampler = Sampler(
        Collected().publish,
        host="h",
        pool="p",
        interval_s=1,
        volumes=(Path("/models/a"),),
        gpus=ask,
        mounts=lambda: mounts,
    )
    assert [disk.path for disk in (await sampler.sample()).disks] == ["/models/a", "/b"]
    mounts.clear()
    assert [disk.path for disk in (await sampler.sample()).disks] == ["/models/a"]


async def test_a_failing_disk_is_an_error_in_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = Collected()
    real: Any = psutil.disk_usage

    def usage(path: str) -> Any:
        if path.endswith("bad"):
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(psutil, "disk_usage", usage)
    (tmp_path / "bad").mkdir()
    async with sampling(collected, tmp_path / "bad", tmp_path):
        await collected.wait_for(1)
    bad, good = collected.samples[0].disks
    assert (bad.error, bad.percent) == ("Input/output error", None)
    assert good.error is None
