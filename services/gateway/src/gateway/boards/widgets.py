"""The widgets of the home board over all boards (R-230 to R-245a), pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.downloads import Download
from gateway.boards.fold import Boards

DISK_WARNING = 0.80
DISK_CRITICAL = 0.90
"""R-235; a value on a threshold belongs to the upper class (C-04)."""
_ENTRY_FIELDS = frozenset(
    {"id", "event_type", "category", "source_entity_type", "source_entity_id", "actor_user_id", "actor_name"}
)
_JOB_STATUS = {"downloading": "running", "verifying": "running", "retrying": "running"}


def tasks(boards: Boards, recent: int, now: datetime | None = None) -> list[Json]:
    """Return what runs, then what waits, then the `recent` last ended jobs: trainings, generations and downloads.

    `elapsed_seconds` of a running one is up to `now`, and left to the reader without it.
    """
    downloads = (*boards.downloads.open(), *boards.downloads.ended(recent))
    places = {item["download_id"]: item["position"] for item in boards.queue.state()["queue"].values()}
    shown = [*boards.studio.tasks(recent), *(_download_task(boards, item, places) for item in downloads)]
    active = [task for task in shown if "finished_at" not in task]
    ended = sorted((task for task in shown if "finished_at" in task), key=lambda task: task["finished_at"])
    running = sorted((t for t in active if t["status"] == "running"), key=lambda task: task.get("started_at", ""))
    waiting = sorted((t for t in active if t["status"] != "running"), key=lambda task: task.get("submitted_at", ""))
    return [_elapsed(task, now) for task in (*running, *waiting, *ended[::-1][:recent])]


def _download_task(boards: Boards, download: Download, places: Mapping[str, int]) -> Json:
    status = boards.downloads.status(download)
    ended, begun = download.finished_at, download.started_at
    return known(
        id=f"download:{download.download_id}",
        job_id=download.download_id,
        job_type="download",
        name=download.target.name,
        status=_JOB_STATUS.get(status, status),
        progress_pct=100.0 if status == "completed" else boards.downloads.shown(download).progress,
        progress_message=download.error,
        started_at=words.time(begun) if begun else None,
        finished_at=words.time(ended) if ended else None,
        elapsed_seconds=max(0.0, (ended - begun).total_seconds()) if begun and ended else None,
        worker_id=download.worker or None,
        submitted_by=download.actor or None,
        submitted_at=words.time(download.queued_at),
        queue_position=places.get(download.download_id),
    )


def _elapsed(task: Json, now: datetime | None) -> Json:
    if now is None or task["status"] != "running" or "started_at" not in task:
        return task
    begun = datetime.fromisoformat(task["started_at"])
    return task | {"elapsed_seconds": round(max(0.0, (now - begun).total_seconds()), 1)}


def disk_health(boards: Boards) -> Json:
    """Return the volume of the models folder, and all volumes of the pool's host in `disks`.

    A volume that could not be measured has `error` and no numbers; without any sample there is `status` `absent`.
    """
    state = boards.resources.state()
    thresholds = {"warning_threshold": DISK_WARNING, "critical_threshold": DISK_CRITICAL}
    disks = [_disk(disk) for disk in state.get("disks", ())]
    if not disks:
        return {"status": "absent", "disks": [], **thresholds}
    return disks[0] | thresholds | {"disks": disks} | known(stale=state.get("stale"))


def _disk(disk: Json) -> Json:
    if "total" not in disk or not disk["total"]:
        return {"path": disk["path"], "status": "error", "error": disk.get("error", "not measured")}
    used, total = disk["used"], disk["total"]
    # as df counts: what is reserved for the system is neither used nor free, so it must not make a full disk look empty
    fraction = round((disk["percent"] / 100 if "percent" in disk else used / total), 4)
    return {
        "path": disk["path"],
        "status": level(fraction),
        "total_bytes": total,
        "used_bytes": used,
        "free_bytes": disk["free"],
        "usage_pct": fraction,
        "capacity": total,
        "used": used,
        "free": disk["free"],
        "percentage": round(100 * fraction, 1),
        "text": f"{words.size(used)} of {words.size(total)} used, {words.size(disk['free'])} free",
    }


def level(fraction: float) -> Literal["ok", "warning", "critical"]:
    """Return the class of a used fraction of a volume."""
    if fraction >= DISK_CRITICAL:
        return "critical"
    return "warning" if fraction >= DISK_WARNING else "ok"


def feed_item(entry: Json) -> Json:
    """Return an entry of the activity feed with the names of R-245a; what else it says is its payload."""
    item = {name: value for name, value in entry.items() if name in _ENTRY_FIELDS}
    payload = {name: value for name, value in entry.items() if name not in _ENTRY_FIELDS and name != "timestamp"}
    return item | {"payload": payload, "created_at": entry["timestamp"]}
