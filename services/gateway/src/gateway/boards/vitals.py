"""What else has to run: the product's services, and the ComfyUIs that are watched. Nothing here comes from the log.

Whether a ComfyUI's status is old is told by when it arrived here; one that was read back from READINGS is as old as it
says until the next one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from modeldeck_events.generations import ComfyuiStatus

from gateway.boards.board import Json, known

SILENT_AFTER_S = 75.0
"""A status is repeated every 30 s: two of them are missing."""
MAX_COMFYUIS = 100


class _Heard(msgspec.Struct):
    status: ComfyuiStatus
    at_s: float | None
    """When it arrived (monotonic seconds), None while only an old one was read back."""
    silent: bool = False


class Vitals:
    """Their newest state; what nobody has told of yet is absent."""

    def __init__(self) -> None:
        self._services: dict[str, bool] = {}
        self._comfyuis: dict[str, _Heard] = {}

    def found(self, services: Mapping[str, bool]) -> bool:
        """Take which services are ready; return whether that is new."""
        changed = self._services != services
        self._services = dict(services)
        return changed

    def read(self, status: ComfyuiStatus, now_s: float | None = None) -> bool:
        """Take a ComfyUI's status that arrived at `now_s`; return whether it shows."""
        before = self._comfyuis.get(status.source)
        if before is None and len(self._comfyuis) >= MAX_COMFYUIS:
            return False
        shown = self._comfyui(before) if before else None
        heard = _Heard(status, now_s if before else None)
        self._comfyuis[status.source] = heard
        return self._comfyui(heard) != shown

    def age(self, now: datetime, now_s: float) -> bool:
        """Look which ComfyUIs were not heard for too long; return whether one changed."""
        changed = False
        for heard in self._comfyuis.values():
            age_s = now_s - heard.at_s if heard.at_s is not None else (now - heard.status.at).total_seconds()
            changed |= heard.silent != (age_s > SILENT_AFTER_S)
            heard.silent = age_s > SILENT_AFTER_S
        return changed

    def state(self) -> Json:
        """Return `services` (are they ready) and `comfyui`, each by name."""
        comfyuis = {source: self._comfyui(heard) for source, heard in sorted(self._comfyuis.items())}
        return known(services=self._services or None, comfyui=comfyuis or None)

    @staticmethod
    def _comfyui(heard: _Heard) -> Json:
        status = heard.status
        if heard.silent:
            return {"status": "silent"}
        return known(
            status=status.status,
            running=status.running,
            pending=status.pending,
            version=status.version or None,
            error=status.error or None,
        )
