"""NVIDIA's GPUs through NVML (`nvidia-ml-py`, imported only when a driver is there)."""

from __future__ import annotations

import ctypes
import importlib
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from modeldeck_events.readings import GpuSample

from telemetry.gpus import NO_DRIVER, top_processes

RETRY_S = 30.0
"""How often a machine without a working driver is asked again."""
T = TypeVar("T")


class Nvidia:
    """A vendor; begins anew after the driver was away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nvml: ModuleType | None = None
        self._ready = False
        self._retry_at = 0.0
        self._status = ""
        self._known: dict[int, tuple[str, str]] = {}
        self._processes: dict[int, dict[int, str]] = {}

    def count(self) -> int | str:
        """Return how many GPUs NVML has, or why it cannot be asked."""
        with self._lock:
            if not self._ready and not self._begin():
                return self._status
            nvml = self._nvml
            assert nvml is not None  # noqa: S101 - `_begin` succeeded
            try:
                count: int = nvml.nvmlDeviceGetCount()
            except (nvml.NVMLError, nvml.NVMLLibraryMismatchError) as error:
                self._end(nvml, _text(nvml, error))
                return self._status
            return count

    def device(self, index: int) -> GpuSample:
        """Return a GPU; a field that it does not have is absent, one that fails makes the GPU an error."""
        nvml = self._nvml
        name, uuid = self._known.get(index, ("GPU", ""))
        if nvml is None:
            return GpuSample(index=index, name=name, uuid=uuid, error=self._status)
        try:
            return self._ask(nvml, index)
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError, UnicodeDecodeError) as error:
            name, uuid = self._known.get(index, ("GPU", ""))
            return GpuSample(index=index, name=name, uuid=uuid, error=_text(nvml, error))

    def _ask(self, nvml: ModuleType, index: int) -> GpuSample:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = _field(nvml, lambda: nvml.nvmlDeviceGetName(handle)) or "GPU"
        uuid = _field(nvml, lambda: nvml.nvmlDeviceGetUUID(handle)) or ""
        self._known[index] = (name, uuid)
        memory = _field(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = _field(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        celsius = _field(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        milliwatts = _field(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        used = _processes(nvml, handle)
        return GpuSample(
            index=index,
            name=name,
            uuid=uuid,
            memory_total_bytes=None if memory is None else int(memory.total),
            memory_used_bytes=None if memory is None else int(memory.used),
            utilization_percent=None if rates is None else float(rates.gpu),
            temperature_c=None if celsius is None else float(celsius),
            power_w=None if milliwatts is None else milliwatts / 1000,
            processes=None if used is None else top_processes(used, self._processes.setdefault(index, {})),
            process_count=None if used is None else len(used),
        )

    def _begin(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_S
        if not _driver_there():
            self._status = NO_DRIVER
            return False
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            self._status = "nvidia-ml-py is not installed"
            return False
        try:
            nvml.nvmlInit()
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError) as error:
            self._status = _text(nvml, error)
            return False
        self._nvml, self._ready = nvml, True
        return True

    def _end(self, nvml: ModuleType, status: str) -> None:
        """Forget the driver after it failed as a whole; a later sample tries to begin again."""
        self._ready, self._status = False, status
        try:
            nvml.nvmlShutdown()
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError):
            return


def _processes(nvml: ModuleType, handle: object) -> dict[int, int | None] | None:
    """Return the memory of each process on a GPU, None when the driver does not tell of processes."""
    compute = _field(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    graphics = _field(nvml, lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle))
    if compute is None and graphics is None:
        return None
    used: dict[int, int | None] = {}
    for process in (*(compute or ()), *(graphics or ())):  # one that does both stands in both, with the same memory
        memory = process.usedGpuMemory
        before = used.get(process.pid)
        used[process.pid] = before if memory is None else max(int(memory), before or 0)
    return used


def _driver_there() -> bool:
    """Return whether the driver's library can be loaded; the binding alone would cost 13 MB on machines without one."""
    if sys.platform != "linux":
        return True  # the binding knows where to look
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _field(nvml: ModuleType, ask: Callable[[], T]) -> T | None:
    """Return the value, None when this device or driver does not have it; a failing device raises."""
    try:
        return ask()
    except nvml.NVMLLibraryMismatchError:  # an older driver than the binding: no NVMLError
        return None
    except nvml.NVMLError as error:
        if error.value in _absent(nvml):
            return None
        raise


def _absent(nvml: ModuleType) -> frozenset[int]:
    return frozenset(
        (
            nvml.NVML_ERROR_NOT_SUPPORTED,
            nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
            nvml.NVML_ERROR_NO_PERMISSION,
            nvml.NVML_ERROR_NO_DATA,
            nvml.NVML_ERROR_NOT_FOUND,
            nvml.NVML_ERROR_INSUFFICIENT_SIZE,  # processes came while they were listed
        )
    )


def _text(nvml: ModuleType, error: Any) -> str:
    """Return an error in words that do not change with the driver."""
    words = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: NO_DRIVER,
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "driver not loaded",
        nvml.NVML_ERROR_GPU_IS_LOST: "GPU lost",
        nvml.NVML_ERROR_NO_PERMISSION: "no permission",
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver and library differ; restart the machine",
    }
    return words.get(getattr(error, "value", None)) or str(error) or type(error).__name__
