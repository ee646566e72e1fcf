"""The catalog's settings: environment `MODELDECK_*`, read once in `app.py`."""

from __future__ import annotations

from pathlib import Path

from modeldeck_events.settings import ServiceSettings
from pydantic import Field, field_validator

from catalog.source import source_for


class Settings(ServiceSettings):
    """What the catalog reads besides the settings of every service."""

    presets_url: str = Field(
        "", description="http(s) URL or file of a presets.yaml; default: the product's starter catalog"
    )
    presets_refresh_s: float = Field(
        21600.0, ge=0, description="seconds between two refreshes of the presets by itself; 0 turns them off"
    )

    @field_validator("presets_url")
    @classmethod
    def _is_a_source(cls, value: str) -> str:
        source_for(value)
        return value

    @property
    def folder(self) -> Path:
        """Where the catalog keeps its copies."""
        return self.data_dir / "catalog"
