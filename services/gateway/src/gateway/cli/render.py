"""Read models as rows and lines for a person. Pure: JSON in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.cli.client import Json
from gateway.cli.text import duration, percent, plain, size

PRESET_HEADERS = ("ID", "NAME", "CATEGORY", "SIZE", "STATUS", "WARNINGS")
QUEUE_HEADERS = ("#", "ID", "NAME", "STATUS", "DONE", "SIZE", "SPEED", "LEFT", "REASON")
PLAN_HEADERS = ("VOLUME", "NEEDED", "PRESENT", "SHARED", "RESERVED", "FREE", "FITS")
_DATA_WIDTH = 160


def preset_row(preset: Json) -> tuple[str, ...]:
    """Return the cells under PRESET_HEADERS."""
    codes = sorted({plain(warning.get("code")) for warning in preset.get("warnings") or []})
    shown = preset.get("download_size") or (size(preset["size_bytes"]) if preset.get("size_bytes") else "?")
    return (
        plain(preset.get("id")),
        plain(preset.get("name")),
        plain(preset.get("category")),
        plain(shown),
        preset_status(preset),
        ", ".join(codes),
    )


def preset_status(preset: Json) -> str:
    """Return the state, with progress while there is some."""
    status = plain(preset.get("status"))
    progress = preset.get("progress")
    moving = status in {"downloading", "verifying", "retrying", "paused"}
    return f"{status} {percent(progress)}" if moving and progress is not None else status


def queue_rows(queue: Json) -> list[tuple[str, ...]]:
    """Return the cells under QUEUE_HEADERS: running ones, then waiting ones in their order, then ended ones."""
    rows = [_active_row(item) for item in queue.get("active") or []]
    rows += [_waiting_row(item) for item in queue.get("queue") or []]
    rows += [_ended_row(item) for item in queue.get("completed") or []]
    return rows


def _active_row(item: Json) -> tuple[str, ...]:
    return (
        ">",
        *_who(item),
        percent(item.get("progress")),
        size(item.get("total_bytes")),
        *progress_words(item),
        _why(item),
    )


def _waiting_row(item: Json) -> tuple[str, ...]:
    done = percent(item["progress"]) if item.get("progress") else ""
    return (plain(item.get("position")), *_who(item), done, size(item.get("total_bytes")), "", "", _why(item))


def _ended_row(item: Json) -> tuple[str, ...]:
    return ("", *_who(item), "", size(item.get("total_bytes")), "", "", _why(item))


def _who(item: Json) -> tuple[str, str, str]:
    """Return the shortest id that every command takes, the name and the state."""
    return plain(item.get("preset_id") or item.get("download_id")), plain(item.get("name")), plain(item.get("status"))


def _why(item: Json) -> str:
    return plain(item.get("error"))


def progress_words(item: Json) -> tuple[str, str]:
    """Return speed and time left of a running download, "" where unknown."""
    speed_bps, eta_s = item.get("speed_bps"), item.get("eta_s")
    speed = plain(item.get("speed")) or (f"{size(speed_bps)}/s" if speed_bps is not None else "")
    left = plain(item.get("eta")) or (duration(eta_s) if eta_s is not None else "")
    return speed, left


def file_words(item: Json) -> str:
    """Return for example "file 2 of 5", "" when it is the only one."""
    file = item.get("file") or {}
    index, count = file.get("index"), file.get("count")
    return f"file {index} of {count}" if index and count and count > 1 else ""


def queue_summary(queue: Json) -> str:
    """Return one line about the queue as a whole."""
    waiting = queue.get("queue") or []
    paused = sum(1 for item in waiting if item.get("status") == "paused")
    limit = queue.get("bandwidth_limit_bps")
    parts = [
        f"{queue.get('active_downloads', 0)} running (at most {plain(queue.get('max_concurrent'))})",
        f"{len(waiting) - paused} waiting",
        f"{paused} paused",
        f"bandwidth limit {size(limit)}/s" if limit else "no bandwidth limit",
    ]
    state = "queue is paused: " if queue.get("paused") else ""
    return state + ", ".join(parts)


def plan_rows(plan: Json) -> list[tuple[str, ...]]:
    """Return the cells under PLAN_HEADERS."""
    return [
        (
            plain(volume.get("path")),
            size(_amount(volume, "needed")),
            size(_amount(volume, "present")),
            size(_amount(volume, "shared")),
            size(_amount(volume, "reserved")),
            size(_amount(volume, "free")),
            {True: "yes", False: "NO"}.get(volume.get("fits"), "?"),
        )
        for volume in plan.get("volumes") or []
    ]


def _amount(volume: Json, name: str) -> Any:
    return volume.get(f"{name}_bytes", volume.get(name))


def not_ready_words(health: Json) -> str:
    """Return why `/readyz` says no."""
    services = health.get("services")
    away = [plain(name) for name, of in services.items() if not of.get("ok")] if isinstance(services, dict) else []
    if away:
        return f"no answer from {', '.join(away)}"
    return plain(health.get("detail") or health.get("status")) or "it is starting"


def resource_lines(resources: Json) -> list[str]:
    """Return a line for each thing that was measured; what was not is left out, what failed says so."""
    lines = []
    if resources.get("cpu_percent") is not None:
        lines.append(f"CPU     {resources['cpu_percent']:.0f} %")
    for name, title in (("memory", "Memory"), ("disk", "Disk")):
        use = resources.get(name)
        if not isinstance(use, dict):
            continue
        if use.get("error"):
            lines.append(f"{title:<7} cannot be read: {plain(use['error'])}")
        elif use.get("used") is not None:
            free = use.get("free", use.get("available"))
            share = f" ({use['percent']:.0f} %)" if use.get("percent") is not None else ""
            where = f", {plain(use['path'])}" if use.get("path") else ""
            lines.append(f"{title:<7} {size(use['used'])} used{share}, {size(free)} free{where}")
    gpu = resources.get("gpu")
    devices = (gpu.get("devices") or []) if isinstance(gpu, dict) else []
    return lines + [f"GPU     {_gpu_words(device)}" for device in devices]


def _gpu_words(device: Json) -> str:
    parts = [plain(device.get("name"))]
    if device.get("error"):
        parts.append(plain(device["error"]))
    if device.get("utilization") is not None:
        parts.append(f"{device['utilization']:.0f} %")
    if device.get("memory_used") is not None and device.get("memory_total") is not None:
        parts.append(f"{device['memory_used']:.0f} of {device['memory_total']:.0f} MB")
    return ", ".join(parts)


def event_line(entry: Json) -> str:
    """Return one entry of the log in one line: sequence, time, type, and what its data says in short."""
    kind = plain(entry.get("type")).removeprefix("modeldeck.")
    data = entry.get("data")
    said = " ".join(_pairs(data)) if isinstance(data, dict) else plain(data)
    shown = said if len(said) <= _DATA_WIDTH else said[: _DATA_WIDTH - 1] + "…"
    return f"{plain(entry.get('seq')):>8}  {plain(entry.get('time')):<24}  {kind:<28}  {shown}".rstrip()


def _pairs(data: Json) -> Iterator[str]:
    """Yield `name=value`; of an object inside only what names or explains it, of a list only how long it is."""
    for name, value in data.items():
        if isinstance(value, dict):
            told = [plain(value[part]) for part in ("id", "code", "message") if value.get(part)]
            yield f"{plain(name)}={': '.join(told)}" if told else f"{plain(name)}={{{len(value)}}}"
        elif isinstance(value, list):
            yield f"{plain(name)}=[{len(value)}]"
        else:
            yield f"{plain(name)}={plain(value)}"
