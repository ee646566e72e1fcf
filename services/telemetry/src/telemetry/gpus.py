"""GPUs through NVML (`nvidia-ml-py`, imported only when first asked). One bad GPU never hides the others."""

from __future__ import annotations

import ctypes
import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from modeldeck_events.readings import GpuSample

RETRY_S = 30.0
"""How often a machine without a working driver is asked again."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gpus:
    """All GPUs; `status` is "ok", or why there are none to show."""

    samples: tuple[GpuSample, ...]
    status: str


class _DeviceError(Exception):
    """This device cannot be asked; the text says why."""


class NvmlProbe:
    """Asks NVML; begins anew after the driver was away. Not thread-safe: one thread at a time."""

    def __init__(self) -> None:
        self._nvml: ModuleType | None = None
        self._ready = False
        self._retry_at = 0.0
        self._status = ""
        self._names: dict[int, tuple[str, str]] = {}

    def sample(self) -> Gpus:
        """Return every GPU; never raises for anything that NVML or its absence does."""
        if not self._ready and not self._begin():
            return Gpus((), self._status)
        nvml = self._nvml
        assert nvml is not None  # noqa: S101 - `_begin` succeeded
        try:
            count = nvml.nvmlDeviceGetCount()
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError) as error:
            self._end(_text(nvml, error))
            return Gpus((), self._status)
        samples = tuple(self._device(nvml, index) for index in range(count))
        return Gpus(samples, "ok" if samples else "no GPU")

    def _begin(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_S
        if not _driver_there():
            self._status = "no driver"
            return False
        try:
            self._nvml = nvml = importlib.import_module("pynvml")
        except ImportError:
            self._status = "nvidia-ml-py is not installed"
            return False
        try:
            nvml.nvmlInit()
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError) as error:
            self._status = _text(nvml, error)
            return False
        self._ready = True
        return True

    def _end(self, status: str) -> None:
        """Forget the driver after it failed as a whole; a later sample tries to begin again."""
        self._ready, self._status = False, status
        nvml = self._nvml
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except (nvml.NVMLError, nvml.NVMLLibraryMismatchError):
                return

    def _device(self, nvml: ModuleType, index: int) -> GpuSample:
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name = _field(nvml, lambda: nvml.nvmlDeviceGetName(handle)) or "GPU"
            uuid = _field(nvml, lambda: nvml.nvmlDeviceGetUUID(handle)) or ""
            self._names[index] = (name, uuid)
            memory = _field(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
            rates = _field(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
            celsius = _field(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
            milliwatts = _field(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError, UnicodeDecodeError) as error:
            name, uuid = self._names.get(index, ("GPU", ""))
            return GpuSample(index=index, name=name, uuid=uuid, error=_text(nvml, error))
        return GpuSample(
            index=index,
            name=name,
            uuid=uuid,
            memory_total_bytes=None if memory is None else int(memory.total),
            memory_used_bytes=None if memory is None else int(memory.used),
            utilization_percent=None if rates is None else float(rates.gpu),
            temperature_c=None if celsius is None else float(celsius),
            power_w=None if milliwatts is None else milliwatts / 1000,
        )


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
        )
    )


def _text(nvml: ModuleType, error: Any) -> str:
    """Return an error in words that do not change with the driver."""
    words = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no driver",
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "driver not loaded",
        nvml.NVML_ERROR_GPU_IS_LOST: "GPU lost",
        nvml.NVML_ERROR_NO_PERMISSION: "no permission",
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver and library differ; restart the machine",
    }
    return words.get(getattr(error, "value", None)) or str(error) or type(error).__name__
