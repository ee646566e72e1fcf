"""The dashboard's numbers over all boards (R-020, R-022 to R-026, R-034), pure.

A number whose source never reported is 0, and `absent` names the source, so that nobody takes it for data (C-17):
`generations`, `conversations`, `training`, `models`, `inference`, `datasets`, `gpu`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.fold import Boards
from gateway.boards.studio.chats import day, days, week
from gateway.boards.studio.jobs import Jobs
from gateway.boards.studio.studio import Studio

RECENT = 10
TREND_DAYS = 7
"""So many days a trend has, the oldest first; today, which goes on, is the last one."""
_RECENT_TYPES = {"training": "training", "conversation": "conversation", "model": "model", "dataset": "dataset"}
_SHOWN_AS = _RECENT_TYPES | {"download": "model", "file": "model"}
"""The feed's types in the words of R-024."""


def stats(boards: Boards, now: datetime | None = None) -> Json:
    """Return the home page's numbers (R-020): installed models are installed presets (C-16), storage is model files.

    With `now` also how many generations were completed on each of the last days, where that is still known.
    """
    jobs = boards.studio.jobs
    used = sum(file.size_bytes or 0 for file in boards.library.files.values())
    return {
        "totalGenerations": jobs.count("generation", "completed"),
        "modelsInstalled": sum(preset["installed"] for preset in boards.presets.state()["presets"].values()),
        "storageUsed": words.size(used) if used else "0 GB",
        "activeWorkflows": jobs.count("generation", "running"),
        "model_files": len(boards.library.files),
        "storage_used_bytes": used,
        "absent": [] if jobs.reported("generation") else ["generations"],
    } | known(trends=_generation_trend(jobs, now) if now else None)


def overview(boards: Boards, entries: Iterable[Json], now: datetime, *, connected: bool) -> Json:
    """Return the workspace at a glance (R-022). "Today" and "this week" are those of `now` in its time zone; `entries`
    are the feed's, newest first.
    """
    studio = boards.studio
    return {
        "statistics": _statistics(studio, now),
        "recentActivity": list(islice(_recent(entries), RECENT)),
        "systemStatus": _system_status(boards, connected=connected),
        "quickStats": _quick_stats(studio),
        "absent": absent(boards),
    } | known(trends=_chat_trends(studio, now))


def absent(boards: Boards) -> list[str]:
    """Return the sources that never reported."""
    studio = boards.studio
    reported = set(studio.stock.reported)
    reported |= {"conversations"} if studio.chats.reported else set()
    reported |= {"generations"} if studio.jobs.reported("generation") else set()
    reported |= {"training"} if studio.jobs.reported("training") else set()
    reported |= {"gpu"} if _gpu_memory(boards) else set()
    expected = ("generations", "conversations", "training", "models", "inference", "datasets", "gpu")
    return [name for name in expected if name not in reported]


def _generation_trend(jobs: Jobs, now: datetime) -> Json | None:
    counts = [jobs.completed_between("generation", *bounds) for bounds in days(now, TREND_DAYS)]
    return None if None in counts or not any(counts) else {"generations": counts}


def _chat_trends(studio: Studio, now: datetime) -> Json | None:
    if not studio.chats.reported:
        return None
    bounds = days(now, TREND_DAYS)
    return {
        "messages": [studio.chats.messages_between(*day) for day in bounds],
        "tokens": [studio.chats.tokens_between(*day) for day in bounds],
    }


def _statistics(studio: Studio, now: datetime) -> Json:
    return {
        "totalConversations": studio.chats.conversations,
        "totalMessages": studio.chats.messages,
        "totalTrainingJobs": studio.jobs.count("training"),
        "activeTrainingJobs": studio.jobs.count("training", "running"),
        "totalModels": studio.stock.models,
        "runningServers": studio.stock.running("inference"),
        "totalDatasets": studio.stock.datasets,
        "readyDatasets": studio.stock.ready_datasets,
        "tokensThisWeek": studio.chats.tokens_between(*week(now)),
        "messagesToday": studio.chats.messages_between(*day(now)),
    }


def _recent(entries: Iterable[Json]) -> Iterable[Json]:
    for entry in entries:
        shown = _SHOWN_AS.get(entry["type"])
        if shown is not None:
            yield known(
                id=entry["id"],
                type=shown,
                title=entry["title"],
                subtitle=entry["subtitle"] or None,
                timestamp=entry["timestamp"],
                link=entry["link"],
            )


def _system_status(boards: Boards, *, connected: bool) -> Json:
    stock = boards.studio.stock
    return known(
        trainingServer="online" if stock.running("training") else "offline",
        database="connected" if connected else "disconnected",
        gpuMemory=_gpu_memory(boards),
        inferenceServers=stock.running("inference"),
    )


def _gpu_memory(boards: Boards) -> Json | None:
    """Return the memory of all GPUs that report, in bytes; None when there is none."""
    memory = [
        (gpu["memory_used_bytes"], gpu["memory_total_bytes"])
        for host in boards.resources.state()["hosts"].values()
        if not host.get("stale")
        for gpu in host["gpu"].get("devices", ())
        if gpu.get("memory_total_bytes") and "memory_used_bytes" in gpu
    ]
    if not memory:
        return None
    used, total = sum(part[0] for part in memory), sum(part[1] for part in memory)
    return {"used": used, "total": total, "percentage": round(100 * used / total, 1)}


def _quick_stats(studio: Studio) -> Json:
    """Return what can be said; a rate over nothing is absent."""
    jobs, chats = studio.jobs, studio.chats
    done, failed = jobs.count("training", "completed"), jobs.count("training", "failed")
    models = chats.models()
    # of equally used models the first by name, so that the answer does not depend on the order of the facts
    most_used = min(models, key=lambda name: (-models[name], name), default=None)
    return known(
        trainingSuccessRate=round(100 * done / (done + failed), 1) if done + failed else None,
        averageConversationLength=round(chats.messages / chats.conversations, 1) if chats.conversations else None,
        mostUsedModel=most_used,
    )
