"""A simulated `amdsmi`: the functions that Modeldeck asks for, with the names, shapes and errors that the source of
amdsmi 7.0.2 has. Nothing here was recorded from a GPU.

`GPUS` holds per device what each function answers, by the end of its name: a value, or an error's code to raise.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

GPUS: list[dict[str, Any]] = []
INIT: list[str] = []
"""The error's code with which the next calls of the library as a whole fail."""
CALLS: list[str] = []


class AmdSmiException(Exception):  # noqa: N818 - the library's name
    """Base of the library's errors."""


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def get_error_info(self, detailed: bool = True) -> str:
        return f"AMDSMI_STATUS_{self.code}{' - in words' if detailed else ''}"


class Fail(str):
    """A code to raise instead of answering."""

    __slots__ = ()


class AmdSmiMemoryType(IntEnum):
    VRAM = 0


class AmdSmiTemperatureType(IntEnum):
    EDGE = 0
    HOTSPOT = 1


class AmdSmiTemperatureMetric(IntEnum):
    CURRENT = 0


def amdsmi_init() -> None:
    CALLS.append("init")
    if INIT:
        raise AmdSmiLibraryException(INIT[0])


def amdsmi_shut_down() -> None:
    CALLS.append("shut_down")


def amdsmi_get_processor_handles() -> list[int]:
    if INIT:
        raise AmdSmiLibraryException(INIT[0])
    return list(range(len(GPUS)))


def _answer(handle: int, what: str) -> Any:
    value = GPUS[handle].get(what, Fail("NOT_SUPPORTED"))
    if isinstance(value, Fail):
        raise AmdSmiLibraryException(value)
    return value


def amdsmi_get_gpu_asic_info(handle: int) -> dict[str, Any]:
    return {"market_name": _answer(handle, "name"), "vendor_name": "simulated"}


def amdsmi_get_gpu_device_uuid(handle: int) -> str:
    return str(_answer(handle, "uuid"))


def amdsmi_get_gpu_memory_total(handle: int, kind: AmdSmiMemoryType) -> Any:
    assert kind is AmdSmiMemoryType.VRAM
    return _answer(handle, "total")


def amdsmi_get_gpu_memory_usage(handle: int, kind: AmdSmiMemoryType) -> Any:
    assert kind is AmdSmiMemoryType.VRAM
    return _answer(handle, "used")


def amdsmi_get_gpu_activity(handle: int) -> dict[str, Any]:
    return {"gfx_activity": _answer(handle, "load"), "umc_activity": 0, "mm_activity": "N/A"}


def amdsmi_get_temp_metric(handle: int, sensor: AmdSmiTemperatureType, metric: AmdSmiTemperatureMetric) -> Any:
    assert metric is AmdSmiTemperatureMetric.CURRENT
    return _answer(handle, sensor.name.lower())


def amdsmi_get_power_info(handle: int) -> dict[str, Any]:
    power: dict[str, Any] = _answer(handle, "power")
    return power


def amdsmi_get_gpu_process_list(handle: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = _answer(handle, "processes")
    return listed
