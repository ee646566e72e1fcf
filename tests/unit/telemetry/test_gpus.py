"""The GPU probe against a simulated NVML (a C library built here), in a process of its own as ctypes loads it once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from telemetry import nvidia
from telemetry.gpus import GpuProbe
from telemetry.nvidia import Nvidia

STUB = Path(__file__).with_name("nvml_stub.c")
CHILD = """
import asyncio, json, pathlib, sys
import msgspec
from telemetry import nvidia
from telemetry.gpus import GpuProbe
nvidia.RETRY_S = 0.0
script = pathlib.Path(sys.argv[1])
async def main():
    probe = GpuProbe(nvidia.Nvidia(), limit_s=float(sys.argv[3]))
    for step in json.loads(sys.argv[2]):
        script.write_text(step)
        found = await probe.sample()
        print(json.dumps({"status": found.status, "gpus": msgspec.to_builtins(found.samples)}))
asyncio.run(main())
"""
ONE = "init 0\ncount 0 1\ngpu 0 name 0 Simulated 4090\ngpu 0 uuid 0 GPU-1\ngpu 0 memory 0 1024\n"
ONE += "gpu 0 util 0 37\ngpu 0 temperature 0 55\ngpu 0 power 0 123456\n"
TWO = ONE.replace("count 0 1", "count 0 2") + ONE.split("\n", 2)[2].replace("gpu 0", "gpu 1")
NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, FUNCTION_NOT_FOUND, GPU_IS_LOST, UNKNOWN = 3, 4, 9, 13, 15, 999

Sample = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.fail("No C compiler: the simulated NVML cannot be built. Install gcc.")

    def build(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("nvml")
        target = folder / "libnvidia-ml.so.1"
        subprocess.run([compiler, "-shared", "-fPIC", "-Wall", *flags, "-o", str(target), str(STUB)], check=True)
        return folder

    return build


@pytest.fixture(scope="session")
def stub(library: Callable[..., Path]) -> Path:
    return library()


def sample_with(
    folder: Path | None, script: Path, steps: tuple[str, ...], *, limit_s: float = 20.0
) -> list[dict[str, Any]]:
    environment = os.environ | {"NVML_SCRIPT": str(script), "LD_LIBRARY_PATH": str(folder or "")}
    command = [sys.executable, "-W", "error", "-c", CHILD, str(script), json.dumps(steps), str(limit_s)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def sample(stub: Path, tmp_path: Path) -> Sample:
    return lambda *steps: sample_with(stub, tmp_path / "script", steps)


def test_every_field_arrives_in_its_unit(sample: Sample) -> None:
    (found,) = sample(ONE)
    assert found == {
        "status": "ok",
        "gpus": [
            {
                "index": 0,
                "name": "Simulated 4090",
                "uuid": "GPU-1",
                "memory_total_bytes": 24 * 2**30,
                "memory_used_bytes": 2**30,
                "utilization_percent": 37.0,
                "temperature_c": 55.0,
                "power_w": 123.456,
            }
        ],
    }


def test_values_change_from_sample_to_sample(sample: Sample) -> None:
    found = sample(ONE, ONE.replace("util 0 37", "util 0 99"))
    assert [step["gpus"][0]["utilization_percent"] for step in found] == [37.0, 99.0]


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND])
def test_a_field_that_a_device_does_not_have_is_absent_and_the_others_stay(sample: Sample, code: int) -> None:
    (found,) = sample(ONE.replace("util 0 37", f"util {code}").replace("power 0 123456", f"power {code}"))
    (gpu,) = found["gpus"]
    assert "utilization_percent" not in gpu
    assert "power_w" not in gpu
    assert "error" not in gpu
    assert gpu["temperature_c"] == 55.0


@pytest.mark.parametrize(("code", "says"), [(GPU_IS_LOST, "GPU lost"), (UNKNOWN, "Unknown Error")])
@pytest.mark.parametrize("field", ["handle", "memory", "temperature"])
def test_a_gpu_that_fails_never_hides_the_others(sample: Sample, field: str, code: int, says: str) -> None:
    first, second, third = sample(TWO, TWO + f"gpu 0 {field} {code}\n", TWO)
    assert [gpu.get("error") for gpu in first["gpus"]] == [None, None]
    assert second["status"] == "ok"
    assert [gpu.get("error") for gpu in second["gpus"]] == [says, None]
    assert second["gpus"][0]["name"] == "Simulated 4090"
    assert "memory_used_bytes" not in second["gpus"][0]
    assert second["gpus"][1]["memory_used_bytes"] == 2**30
    assert third == first


def test_a_driver_that_goes_and_comes_back(sample: Sample) -> None:
    gone = ONE.replace("init 0", f"init {DRIVER_NOT_LOADED}").replace("count 0 1", f"count {DRIVER_NOT_LOADED} 0")
    found = sample(gone, ONE, gone, gone, ONE)
    assert [step["status"] for step in found] == ["driver not loaded", "ok", *["driver not loaded"] * 2, "ok"]
    assert [len(step["gpus"]) for step in found] == [0, 1, 0, 0, 1]


def test_a_machine_with_a_driver_and_no_gpu(sample: Sample) -> None:
    (found,) = sample("init 0\ncount 0 0\n")
    assert found == {"status": "no GPU", "gpus": []}


def test_an_older_driver_lacks_functions(library: Callable[..., Path], tmp_path: Path) -> None:
    (found,) = sample_with(library("-DOLD_DRIVER"), tmp_path / "script", (ONE,))
    (gpu,) = found["gpus"]
    assert "power_w" not in gpu
    assert gpu["utilization_percent"] == 37.0


def test_no_driver_at_all(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    (found,) = sample_with(tmp_path, tmp_path / "script", ("",))
    assert found == {"status": "no driver", "gpus": []}


def test_a_mismatched_library_is_a_value_too(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NVMLLibraryMismatchError` is no `NVMLError`; the binding raises it, so it is played here."""
    pynvml = pytest.importorskip("pynvml")

    def mismatch() -> None:
        raise pynvml.NVMLLibraryMismatchError("versions differ")

    monkeypatch.setattr(pynvml, "nvmlInit", mismatch)
    monkeypatch.setattr(nvidia, "_driver_there", lambda: True)
    assert Nvidia().count() == "versions differ"


def test_the_processes_that_hold_the_most_memory_are_named(sample: Sample) -> None:
    own = os.getpid()
    lines = f"gpu 0 compute 0 {own} 512\ngpu 0 compute 0 4194000 4294967295\ngpu 0 graphics 0 {own} 512\n"
    lines += "".join(f"gpu 0 graphics 0 {pid} {pid % 100}\n" for pid in range(4193901, 4193940))
    (found,) = sample(ONE + lines)
    (gpu,) = found["gpus"]
    assert gpu["process_count"] == 41
    assert len(gpu["processes"]) == 16
    first, second, *_ = gpu["processes"]
    assert first == {"pid": own, "name": psutil.Process(own).name(), "memory_used_bytes": 512 << 20}
    assert second == {"pid": 4193939, "memory_used_bytes": 39 << 20}, "a process that cannot be seen has no name"


def test_no_process_is_told_apart_from_not_told(sample: Sample) -> None:
    idle, silent = sample(ONE + "gpu 0 compute 0 none\ngpu 0 graphics 0 none\n", ONE)
    assert (idle["gpus"][0]["processes"], idle["gpus"][0]["process_count"]) == ([], 0)
    assert "processes" not in silent["gpus"][0]
    assert "process_count" not in silent["gpus"][0]


def test_a_process_whose_memory_is_not_told(sample: Sample) -> None:
    (found,) = sample(ONE + "gpu 0 compute 0 4194000 4294967295\n")
    assert found["gpus"][0]["processes"] == [{"pid": 4194000}]


def test_a_gpu_that_hangs_never_hides_the_others(stub: Path, tmp_path: Path) -> None:
    hung = TWO + "gpu 0 hang 0 60\n"
    before, first, second = sample_with(stub, tmp_path / "script", (TWO, hung, hung), limit_s=0.5)
    assert "error" not in before["gpus"][0]
    for found, says in ((first, "no answer within 0.5 s"), (second, "still no answer")):
        assert found["status"] == "ok"
        assert found["gpus"][0] == {"index": 0, "name": "Simulated 4090", "uuid": "GPU-1", "error": says}
        assert found["gpus"][1] == before["gpus"][1]


@pytest.mark.nvml
async def test_a_real_gpu_tells_its_memory_and_load() -> None:
    found = await GpuProbe(Nvidia(), limit_s=20).sample()
    if not found.samples:
        pytest.skip(f"no NVIDIA GPU here: {found.status}")
    assert found.status == "ok"
    for gpu in found.samples:
        assert gpu.error is None
        assert gpu.name
        assert gpu.uuid.startswith("GPU-")
        assert gpu.memory_total_bytes is not None
        assert gpu.memory_used_bytes is not None
        assert 0 <= gpu.memory_used_bytes <= gpu.memory_total_bytes
        assert gpu.utilization_percent is None or 0 <= gpu.utilization_percent <= 100
        assert gpu.process_count is None or gpu.process_count >= len(gpu.processes or ())
