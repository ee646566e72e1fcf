"""What the gateway reads from its environment."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from modeldeck_events.settings import ServiceSettings
from pydantic import AliasChoices, Field, SecretStr, model_validator

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain"})


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    host: str = Field("127.0.0.1", min_length=1, description="gateway address; a non-loopback host needs auth on")
    port: int = Field(8420, ge=0, le=65535, description="gateway port; 0 takes a free one")
    auth: Literal["token", "oidc", "none"] = Field("token", description="`token`, `oidc`, or `none` (loopback only)")
    token: SecretStr | None = Field(None, description="the local token; generated once and kept 0600 when not set")
    hf_endpoint: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("HF_ENDPOINT", "hf_endpoint"),
        pattern=r"^https?://[^\s?#@]+$",
        description="where `repo` and `filename` of a download are looked up, as the ecosystem uses it",
    )

    @model_validator(mode="after")
    def _check_auth(self) -> Self:
        if self.auth == "oidc":
            raise ValueError("MODELDECK_AUTH=oidc is not supported by this version; use token")
        if self.auth == "none" and not is_loopback(self.host):
            raise ValueError(f"MODELDECK_AUTH=none is for loopback addresses only, MODELDECK_HOST is {self.host}")
        if self.token is not None and not self.token.get_secret_value().isascii():
            raise ValueError("MODELDECK_TOKEN must be plain ASCII, so that it fits into a header")
        return self
