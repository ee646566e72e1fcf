"""The downloader's settings: environment `MODELDECK_*` and the names that the ecosystem uses, read once in `app.py`."""

from __future__ import annotations

from modeldeck_events.settings import ByteRate, ByteSize, HostUrls, Names, ServiceSettings
from pydantic import AliasChoices, Field, SecretStr, field_validator

from downloader.pool import MAX_CONCURRENT
from downloader.sources import DEFAULT_ALLOWED_HOSTS


class Settings(ServiceSettings):
    """What the downloader reads besides the settings of every service."""

    mirrors: HostUrls = Field(
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
