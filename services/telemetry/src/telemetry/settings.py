"""The telemetry's settings: environment `MODELDECK_*`, read once in `app.py`."""

from __future__ import annotations

from modeldeck_events.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    """What telemetry reads besides the settings of every service."""

    sample_interval_s: float = Field(2.0, ge=0.2, le=60, description="seconds between two samples of the host")
