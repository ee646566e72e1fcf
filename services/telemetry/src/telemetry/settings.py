"""The telemetry's settings: environment `MODELDECK_*`, read once in `app.py`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from modeldeck_events.settings import ServiceSettings
from pydantic import AfterValidator, Field


def _check_url(url: str) -> str:
    """Return an http(s) address; raises ValueError for anything else, without showing what may hold a password."""
    if not url:
        return url
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not an http(s) address; write for example http://127.0.0.1:8188")
    return url


class Settings(ServiceSettings):
    """What telemetry reads besides the settings of every service."""

    sample_interval_s: float = Field(2.0, ge=0.2, le=60, description="seconds between two samples of the host")
    comfyui_url: Annotated[str, AfterValidator(_check_url)] = Field(
        default="", description='a running ComfyUI to watch (queue, progress, history) and to link "Generate" to'
    )
