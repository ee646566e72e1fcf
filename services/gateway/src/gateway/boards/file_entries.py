"""What the activity feed says of model files: deleted, linked, uninstalled. What is restored is a download there."""

from __future__ import annotations

from urllib.parse import quote

from modeldeck_events.modelfiles import ModelFileDeleted, ModelFileLinked
from modeldeck_events.presets import PresetUninstalled
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json

TELLING: frozenset[type] = frozenset({ModelFileDeleted, ModelFileLinked, PresetUninstalled})
"""The types for which `entry` has something to say."""
SUBJECTS = ("evt.modelfile.>", "evt.preset.>")


def entry(record: Record) -> Json | None:
    """Return the feed's entry for a fact."""
    match record.event:
        case ModelFileDeleted() as event:
            undo = "can be restored" if event.provenance else "nobody knows where to have it again"
            freed = f"Deleted, {words.size(event.freed_bytes)} freed" if event.freed_bytes else "Deleted"
            return _entry(record, "file", event.path, f"{freed}; {undo}")
        case ModelFileLinked() as event:
            return _entry(record, "file", event.path, f"Linked to {event.from_path}, nothing copied")
        case PresetUninstalled() as event:
            files = "1 file" if len(event.deleted) == 1 else f"{len(event.deleted)} files"
            kept = f", {len(event.kept)} kept because something else needs them" if event.kept else ""
            return _entry(record, "preset", event.preset_id, f"Uninstalled, {files} deleted{kept}")
        case _:
            return None


def _entry(record: Record, kind: str, name: str, subtitle: str) -> Json:
    return {
        "id": f"mod_{record.seq}",
        "type": "model",
        "category": "system",
        "status": "completed",
        "title": name.rpartition("/")[2],
        "subtitle": subtitle,
        "timestamp": words.time(record.time),
        "link": f"/models?{kind}={quote(name)}",
        "source_entity_type": kind,
        "source_entity_id": name,
    }
