"""The downloader's settings: environment `MODELDECK_*` and the names that the ecosystem uses, read once in `app.py`."""

from __future__ import annotations

from typing import Annotated, Any

from modeldeck_events.settings import ByteRate, ByteSize, ServiceSettings
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from downloader.pool import MAX_CONCURRENT
from downloader.sources import DEFAULT_ALLOWED_HOSTS


def _split(value: Any) -> Any:
    """Read `a, b` as a list; a YAML file may give a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    """Read `a=b, c=d` as a mapping; a YAML file may give a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _split(value)]
    for name, equals, target in pairs:
        if not (name.strip() and equals and target.strip()):
            raise ValueError(f"{name}{equals}{target} is not host=base-url")
    return {name.strip(): target.strip() for name, _, target in pairs}


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]


class Settings(ServiceSettings):
    """What the downloader reads besides the settings of every service."""

    mirrors: Pairs = Field(
        default_factory=dict,
        description="`host=base-url` pairs: requests for `https://host/...` go to `base-url/...`; credentials of the "
        "original host are sent only if its mirror is listed in MODELDECK_TRUSTED_MIRRORS",
    )
    trusted_mirrors: Names = Field((), description="mirrors that may see the credentials of the host they stand for")
    allowed_hosts: Names = Field(
        DEFAULT_ALLOWED_HOSTS,
        description="hosts a download may touch, redirects included; `*.x` patterns; a private or loopback address is "
        "reachable only when listed literally, as `host:port`",
    )
    hf_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("HF_ENDPOINT", "hf_endpoint"), description="another Hugging Face Hub"
    )
    hf_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HF_TOKEN", "hf_token"), description="sent to the Hugging Face Hub only"
    )
    civitai_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("CIVITAI_TOKEN", "civitai_token"), description="sent to Civitai only"
    )
    max_concurrent: int = Field(1, ge=1, le=MAX_CONCURRENT, description="downloads at a time in the pool")
    connections: int = Field(8, ge=1, le=64, description="connections per large file")
    bandwidth_limit: ByteRate = Field(None, description="e.g. `50MB/s`, shared by all transfers of the pool")
    retry_base_s: float = Field(5.0, gt=0, le=3600, description="first wait before a failed file is tried again")
    retry_cap_s: float = Field(60.0, gt=0, le=3600, description="longest wait; a server's Retry-After may be longer")
    retry_attempts: int = Field(3, ge=1, le=100, description="tries per file without progress")
    stall_timeout_s: float = Field(60.0, gt=0, description="no byte for this long = the attempt failed")
    disk_reserve: ByteSize = Field(1_000_000_000, ge=0, description="free space never eaten")

    @field_validator("hf_endpoint")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None
