"""AMD's GPUs, against a simulated `amdsmi` (amdsmi_stub.py): there is no AMD GPU where this was written."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from modeldeck_events.readings import GpuSample
from telemetry import amd
from telemetry.amd import Amd
from telemetry.gpus import GpuProbe, Gpus, joined

GIB = 2**30
CARD = {
    "name": "Simulated MI300X",
    "uuid": "amd-1",
    "total": 192 * GIB,
    "used": 3 * GIB,
    "load": 41,
    "edge": 52,
    "power": {"current_socket_power": "N/A", "average_socket_power": 250, "power_limit": 750},
    "processes": [{"name": "N/A", "pid": os.getpid(), "mem": 1, "memory_usage": {"gtt_mem": 0, "vram_mem": GIB}}],
}


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("amdsmi", Path(__file__).with_name("amdsmi_stub.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "amdsmi", module)
    monkeypatch.setattr(amd, "RETRY_S", 0.0)
    return module


def test_every_field_arrives_in_its_unit(smi: Any) -> None:
    smi.GPUS.append(CARD)
    vendor = Amd()
    assert vendor.count() == 1
    sample = vendor.device(0)
    assert sample.processes is not None
    (process,) = sample.processes
    assert (process.pid, process.name, process.memory_used_bytes) == (os.getpid(), psutil.Process().name(), GIB)
    assert sample == GpuSample(
        index=0,
        name="Simulated MI300X",
        uuid="amd-1",
        memory_total_bytes=192 * GIB,
        memory_used_bytes=3 * GIB,
        utilization_percent=41.0,
        temperature_c=52.0,
        power_w=250.0,
        processes=(process,),
        process_count=1,
    )


@pytest.mark.parametrize("odd", ["N/A", None, True])
def test_a_number_that_a_device_does_not_have_is_absent_and_the_others_stay(smi: Any, odd: object) -> None:
    smi.GPUS.append(CARD | {"load": odd, "edge": odd, "power": {"socket_power": odd}, "processes": odd, "used": odd})
    vendor = Amd()
    vendor.count()
    sample = vendor.device(0)
    absent = (sample.utilization_percent, sample.temperature_c, sample.power_w, sample.processes, sample.process_count)
    assert absent == (None,) * 5
    assert (sample.memory_total_bytes, sample.memory_used_bytes, sample.error) == (192 * GIB, None, None)


def test_a_card_without_a_sensor_at_its_edge_tells_of_the_hottest_place(smi: Any) -> None:
    smi.GPUS.append(CARD | {"edge": smi.Fail("NOT_SUPPORTED"), "hotspot": 71})
    vendor = Amd()
    vendor.count()
    assert vendor.device(0).temperature_c == 71.0


def test_functions_that_another_version_lacks_are_absent_fields(smi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(smi, "amdsmi_get_power_info")
    monkeypatch.setattr(smi, "AmdSmiTemperatureType", object())
    monkeypatch.setattr(smi, "amdsmi_get_gpu_activity", dict)
    smi.GPUS.append(CARD)
    vendor = Amd()
    vendor.count()
    sample = vendor.device(0)
    assert (sample.power_w, sample.temperature_c, sample.utilization_percent) == (None, None, None)
    assert (sample.memory_used_bytes, sample.error) == (3 * GIB, None)


async def test_a_card_that_is_lost_never_hides_the_others(smi: Any) -> None:
    smi.GPUS.extend([dict(CARD), CARD | {"name": "Simulated W7900", "uuid": "amd-2"}])
    probe = GpuProbe(Amd(), limit_s=20)
    whole = await probe.sample()
    lost = dict.fromkeys(CARD, smi.Fail("NO_SLOT"))
    smi.GPUS[0] = lost
    found = await probe.sample()
    assert found.status == "ok"
    assert found.samples[0] == GpuSample(index=0, name="Simulated MI300X", uuid="amd-1", error="GPU lost")
    assert found.samples[1] == whole.samples[1]
    smi.GPUS[0] = dict(CARD)
    assert await probe.sample() == whole


def test_a_driver_that_goes_and_comes_back(smi: Any) -> None:
    smi.INIT.append("DRIVER_NOT_LOADED")
    vendor = Amd()
    assert vendor.count() == "driver not loaded"
    smi.INIT.clear()
    smi.GPUS.append(CARD)
    assert vendor.count() == 1
    smi.INIT.append("API_FAILED")
    assert vendor.count() == "api failed"
    assert vendor.device(0).error == "api failed"
    smi.INIT.clear()
    assert vendor.count() == 1
    assert smi.CALLS == ["init", "init", "shut_down", "init"]


@pytest.mark.parametrize("error", [KeyError("libamd_smi.so"), OSError("cannot open"), ImportError("no ROCm")])
def test_a_module_without_its_library_is_no_driver_and_is_tried_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def load(name: str) -> ModuleType:
        tried.append(name)
        raise error

    monkeypatch.setattr(amd, "RETRY_S", 0.0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(importlib, "import_module", load)
    vendor = Amd()
    assert [vendor.count() for _ in range(3)] == ["no driver"] * 3
    assert tried == ["amdsmi"]


def test_without_the_module_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert Amd().count() == "no driver"
    assert "amdsmi" not in sys.modules


def gpu(index: int, name: str) -> GpuSample:
    return GpuSample(index=index, name=name)


@pytest.mark.parametrize(
    ("found", "status", "names"),
    [
        ([Gpus((gpu(0, "a"), gpu(1, "b")), "ok"), Gpus((gpu(0, "c"),), "ok")], "ok", ["a", "b", "c"]),
        ([Gpus((), "no driver"), Gpus((gpu(0, "c"),), "ok")], "ok", ["c"]),
        ([Gpus((gpu(0, "a"),), "ok"), Gpus((), "no driver")], "ok", ["a"]),
        ([Gpus((), "driver not loaded"), Gpus((gpu(0, "c"),), "ok")], "driver not loaded", ["c"]),
        ([Gpus((), "driver not loaded"), Gpus((), "no driver")], "driver not loaded", []),
        ([Gpus((), "no driver"), Gpus((), "no driver")], "no driver", []),
        ([Gpus((), "no GPU"), Gpus((), "no driver")], "no GPU", []),
        ([], "no GPU", []),
    ],
)
def test_all_vendors_gpus_are_numbered_through(found: list[Gpus], status: str, names: list[str]) -> None:
    result = joined(found)
    assert result.status == status
    assert [(sample.index, sample.name) for sample in result.samples] == list(enumerate(names))
