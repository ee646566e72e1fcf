"""The catalog's settings: environment `MODELDECK_*`, read once in `app.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from modeldeck_events.settings import Folder, HostUrls, Names, ServiceSettings
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from catalog.source import source_for

DEFAULT_TEMPLATES = "workflows"
_ROOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _folders_by_name(value: Any) -> Any:
    """Read `a=/x, b=~/y` as a mapping, which a YAML file may give. Names begin ids, so they are plain and unique."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        value = {}
        for name, equals, folder in ((name.strip(), equals, folder.strip()) for name, equals, folder in pairs):
            if not (name and equals and folder):
                raise ValueError(f"{name}{equals}{folder} is not name=folder; write for example comfyui=~/ComfyUI/user")
            if name in value:
                raise ValueError(f"the name {name} stands twice; each folder needs a name of its own")
            value[name] = folder
    for name in value if isinstance(value, dict) else ():
        if not _ROOT_NAME.fullmatch(str(name)):
            raise ValueError(f"{name!a} cannot name a folder: 1 to 64 letters, digits, dots, dashes and underscores")
    return value


FoldersByName = Annotated[dict[str, Folder], NoDecode, BeforeValidator(_folders_by_name)]


class Settings(ServiceSettings):
    """What the catalog reads besides the settings of every service."""

    presets_url: str = Field(
        "",
        description="http(s) URL or file of a presets.yaml, or of a registry.json with one file per preset beside it "
        "(or of its folder, ending with /); default: the product's starter catalog",
    )
    presets_refresh_s: float = Field(
        21600.0,
        ge=0,
        description="seconds between two refreshes of the presets and of the featured list by itself; 0: never",
    )
    featured_url: str = Field(
        "",
        description="http(s) URL or file of a list of featured models (YAML or JSON); default: the starter list",
    )
    template_dirs: FoldersByName = Field(
        default_factory=dict,
        description="folders with workflows, scanned recursively: `name=folder` pairs, comma separated; default: "
        "`workflows=<data>/workflows`",
    )

    extra_model_paths: Folder | None = Field(
        None, description="a ComfyUI extra_model_paths.yaml, whose folders are part of the inventory; watched"
    )
    mirrors: HostUrls = Field(
        default_factory=dict,
        description="`host=base-url` pairs: requests for `https://host/...` go to `base-url/...`; credentials of the "
        "original host are sent only if its mirror is listed in MODELDECK_TRUSTED_MIRRORS",
    )
    trusted_mirrors: Names = Field((), description="mirrors that may see the credentials of the host they stand for")
    hf_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("HF_ENDPOINT", "hf_endpoint"), description="another Hugging Face Hub"
    )
    hf_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HF_TOKEN", "hf_token"), description="sent to the Hugging Face Hub only"
    )
    civitai_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("CIVITAI_TOKEN", "civitai_token"), description="sent to Civitai only"
    )

    @field_validator("presets_url", "featured_url")
    @classmethod
    def _is_a_source(cls, value: str) -> str:
        source_for(value)
        return value

    @property
    def folder(self) -> Path:
        """Where the catalog keeps its copies."""
        return self.data_dir / "catalog"

    @property
    def templates(self) -> dict[str, Path]:
        """The folders with workflows by the name that begins the ids of what lies there."""
        return self.template_dirs or {DEFAULT_TEMPLATES: self.data_dir / "workflows"}

    @property
    def loaders_file(self) -> Path:
        """Where a person describes the loaders of custom nodes; it may be missing."""
        return self.data_dir / "loaders.json"
