"""AMD's GPUs through `amdsmi`, which comes with ROCm: used when it is there, never a dependency.

Its functions answer "N/A" for a number that a device does not have, or raise; which of them a card or a version has
differs, so every field stands for itself.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
from modeldeck_events.readings import GpuSample

from telemetry.gpus import NO_DRIVER, top_processes

RETRY_S = 30.0
"""How often a machine without a working driver is asked again."""
_POWER = ("current_socket_power", "average_socket_power", "socket_power")
_LOST = frozenset({"NO_SLOT", "NOT_FOUND", "AMDGPU_RESTART_ERR"})


class Amd:
    """A vendor; begins anew after the driver was away. Without the module it is silently no driver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._smi: ModuleType | None = None
        self._unusable = ""
        self._ready = False
        self._retry_at = 0.0
        self._status = NO_DRIVER
        self._handles: list[Any] = []
        self._known: dict[int, tuple[str, str]] = {}
        self._processes: dict[int, dict[int, str]] = {}

    def count(self) -> int | str:
        """Return how many GPUs the driver has, or why it cannot be asked."""
        with self._lock:
            if not self._ready and not self._begin():
                return self._status
            smi = self._smi
            assert smi is not None  # noqa: S101 - `_begin` succeeded
            try:
                self._handles = list(smi.amdsmi_get_processor_handles())
            except smi.AmdSmiException as error:
                self._end(smi, _text(error))
                return self._status
            return len(self._handles)

    def device(self, index: int) -> GpuSample:
        """Return a GPU; a field that it does not have is absent, and one that has none at all is an error."""
        smi, handles = self._smi, self._handles
        name, uuid = self._known.get(index, ("AMD GPU", ""))
        if smi is None or index >= len(handles):
            return GpuSample(index=index, name=name, uuid=uuid, error=self._status)
        asked = _Asked(smi)
        asic = asked(lambda: smi.amdsmi_get_gpu_asic_info(handles[index])) or {}
        name = str(asic.get("market_name") or "").replace("N/A", "") or name
        uuid = asked(lambda: str(smi.amdsmi_get_gpu_device_uuid(handles[index]))) or uuid
        self._known[index] = (name, uuid)
        sample = GpuSample(index=index, name=name, uuid=uuid, **self._numbers(smi, index, handles[index], asked))
        if asked.errors and sample == GpuSample(index=index, name=name, uuid=uuid):
            return msgspec.structs.replace(sample, error=_text(asked.errors[0]))
        return sample

    def _numbers(self, smi: ModuleType, index: int, handle: object, asked: _Asked) -> dict[str, Any]:
        """Return what can be measured, None for what this GPU or this version of the library does not have."""
        total = asked(lambda: smi.amdsmi_get_gpu_memory_total(handle, smi.AmdSmiMemoryType.VRAM))
        held = asked(lambda: smi.amdsmi_get_gpu_memory_usage(handle, smi.AmdSmiMemoryType.VRAM))
        load = asked(lambda: smi.amdsmi_get_gpu_activity(handle)) or {}
        power = asked(lambda: smi.amdsmi_get_power_info(handle)) or {}
        used = _used(asked(lambda: smi.amdsmi_get_gpu_process_list(handle)))
        return {
            "memory_total_bytes": None if _number(total) is None else int(total),
            "memory_used_bytes": None if _number(held) is None else int(held),
            "utilization_percent": _number(load.get("gfx_activity")),
            "temperature_c": _number(_celsius(smi, handle, asked)),
            "power_w": next((watts for key in _POWER if (watts := _number(power.get(key)))), None),
            "processes": None if used is None else top_processes(used, self._processes.setdefault(index, {})),
            "process_count": None if used is None else len(used),
        }

    def _begin(self) -> bool:
        if self._unusable or time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_S
        if self._smi is None and not self._load():
            return False
        smi = self._smi
        assert smi is not None  # noqa: S101 - `_load` succeeded
        try:
            smi.amdsmi_init()
        except smi.AmdSmiException as error:
            self._status = _text(error)
            return False
        self._ready = True
        return True

    def _load(self) -> bool:
        """Import the module, once: without ROCm's library its import raises KeyError, AttributeError or OSError."""
        if importlib.util.find_spec("amdsmi") is None:
            self._unusable = self._status = NO_DRIVER
            return False
        try:
            self._smi = importlib.import_module("amdsmi")
        except (ImportError, OSError, KeyError, AttributeError):
            self._unusable = self._status = NO_DRIVER
            return False
        return True

    def _end(self, smi: ModuleType, status: str) -> None:
        """Forget the driver after it failed as a whole; a later sample tries to begin again."""
        self._ready, self._status, self._handles = False, status, []
        try:
            smi.amdsmi_shut_down()
        except smi.AmdSmiException:
            return


class _Asked:
    """Asks for one field after another; what one cannot be told for is kept in `errors`."""

    def __init__(self, smi: ModuleType) -> None:
        self._smi = smi
        self.errors: list[Exception] = []

    def __call__(self, ask: Callable[[], Any]) -> Any:
        """Return the value, None when this device, its driver or this version of the library does not have it."""
        try:
            return ask()
        except (self._smi.AmdSmiException, AttributeError, TypeError, ValueError) as error:
            self.errors.append(error)
            return None


def _celsius(smi: ModuleType, handle: object, asked: _Asked) -> object:
    """Return the temperature at the edge, or at the hottest place where there is no such sensor (Instinct cards)."""
    for sensor in ("EDGE", "HOTSPOT"):
        celsius = asked(functools.partial(_at_sensor, smi, handle, sensor))
        if celsius is not None:
            return celsius
    return None


def _at_sensor(smi: ModuleType, handle: object, sensor: str) -> object:
    kind, now = getattr(smi.AmdSmiTemperatureType, sensor), smi.AmdSmiTemperatureMetric.CURRENT
    return smi.amdsmi_get_temp_metric(handle, kind, now)


def _used(listed: object) -> dict[int, int | None] | None:
    """Return the memory of each process, None when the driver does not tell of processes."""
    if not isinstance(listed, list):
        return None
    used: dict[int, int | None] = {}
    for process in listed:
        match process:
            case {"pid": int(pid), "memory_usage": {"vram_mem": int(memory)}}:
                used[pid] = memory
            case {"pid": int(pid)}:
                used[pid] = None
    return used


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(error: Any) -> str:
    """Return an error in words that do not change with the driver."""
    if not hasattr(error, "get_error_info"):
        return str(error) or type(error).__name__
    code = str(error.get_error_info(detailed=False)).strip().removeprefix("AMDSMI_STATUS_")
    if code in {"DRIVER_NOT_LOADED", "NO_DRV", "INIT_ERROR"}:
        return "driver not loaded"
    return "GPU lost" if code in _LOST else code.replace("_", " ").lower()
