"""What the gateway reads from its environment."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from modeldeck_events.settings import ServiceSettings
from modeldeck_events.users import Scope
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from gateway.webhook_settings import Webhooks

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain"})


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent there: https, or http to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        odd = parts.username is not None or parts.port == 0
    except ValueError:
        return False
    return bool(host) and not odd and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _grants(value: Any) -> Any:
    """Read `admins=admin, *=read+publish` as a mapping to lists; a YAML file may give one."""
    if not isinstance(value, str):
        pairs = list(value.items()) if isinstance(value, Mapping) else []
        return {name: scopes.split("+") if isinstance(scopes, str) else scopes for name, scopes in pairs} or value
    parts = [part.rpartition("=") for part in value.split(",") if part.strip()]
    for name, equals, scopes in parts:
        if not (name.strip() and equals and scopes.strip()):
            raise ValueError(f"{name}{equals}{scopes} is not group=scope; write for example admins=admin,*=read")
    return {name.strip(): [scope.strip() for scope in scopes.split("+")] for name, _, scopes in parts}


Grants = Annotated[dict[str, tuple[Scope, ...]], NoDecode, BeforeValidator(_grants)]


def secret_of(value: SecretStr | None) -> str | None:
    """Return what a secret setting holds, None when it is empty."""
    return (value.get_secret_value() or None) if value is not None else None


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    host: str = Field("127.0.0.1", min_length=1, description="gateway address; a non-loopback host needs auth on")
    port: int = Field(8420, ge=0, le=65535, description="gateway port; 0 takes a free one")
    auth: Literal["token", "oidc", "none"] = Field("token", description="`token`, `oidc`, or `none` (loopback only)")
    token: SecretStr | None = Field(None, description="the local token; generated once and kept 0600 when not set")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#@/]+)?/?$",
        description="where browsers find the gateway when that is not MODELDECK_HOST: https://deck.example.org",
    )
    oidc_issuer: str = Field(
        "", description="for MODELDECK_AUTH=oidc: the issuer's https address, exactly as its tokens name it"
    )
    oidc_client_id: str = Field("", description="the client that the issuer knows this gateway as")
    oidc_client_secret: SecretStr | None = Field(None, description="its secret; none for a public client")
    oidc_audience: str = Field(
        "", description="the audience of the bearer tokens that clients send; default: MODELDECK_OIDC_CLIENT_ID"
    )
    oidc_scopes_claim: str = Field(
        "groups", min_length=1, description="the claim that says what somebody may do; `a.b` looks into objects"
    )
    oidc_scopes: Grants = Field(
        default_factory=dict,
        description="what each value of that claim may do: `admins=admin,makers=operate+publish,*=read` (`*` is "
        "everybody whom the issuer knows); default: `modeldeck:read=read` and so on; who has none is refused",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("HF_ENDPOINT", "hf_endpoint"),
        pattern=r"^https?://[^\s?#@]+$",
        description="where `repo` and `filename` of a download are looked up, as the ecosystem uses it",
    )

    comfyui_url: str = Field(
        "", description='a running ComfyUI to watch (queue, progress, history) and to link "Generate" to'
    )
    webhooks: Webhooks = Field(
        (),
        description="a YAML or JSON file that lists webhooks (`name`, `url`, `secret`, `types`); in the configuration "
        "file also the list itself",
    )

    @model_validator(mode="after")
    def _check_auth(self) -> Self:
        if self.auth == "oidc":
            self._check_oidc()
        if self.auth == "none" and not is_loopback(self.host):
            raise ValueError(f"MODELDECK_AUTH=none is for loopback addresses only, MODELDECK_HOST is {self.host}")
        if self.token is not None and not self.token.get_secret_value().isascii():
            raise ValueError("MODELDECK_TOKEN must be plain ASCII, so that it fits into a header")
        return self

    @property
    def comfyui_link(self) -> str:
        """Where a person opens ComfyUI: the address without the name and password that may stand in it, "" for none."""
        try:
            parts = urlsplit(self.comfyui_url)
        except ValueError:
            return ""
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return ""
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def issuer_key(self) -> str:
        """Text that differs for each configuration of an issuer, empty without one."""
        if self.auth != "oidc":
            return ""
        return json.dumps(
            [self.oidc_issuer, self.oidc_client_id, self.oidc_scopes_claim, self.oidc_scopes], sort_keys=True
        )

    def _check_oidc(self) -> None:
        if not is_safe(self.oidc_issuer) or "?" in self.oidc_issuer or "#" in self.oidc_issuer:
            raise ValueError("MODELDECK_AUTH=oidc needs MODELDECK_OIDC_ISSUER=https://...")
        if not self.oidc_client_id:
            raise ValueError("MODELDECK_AUTH=oidc needs MODELDECK_OIDC_CLIENT_ID")
        if not self.public_url and not is_loopback(self.host):
            raise ValueError(
                "MODELDECK_AUTH=oidc needs MODELDECK_PUBLIC_URL, the address to which the issuer leads browsers back"
            )
        if self.public_url and not is_safe(self.public_url):
            raise ValueError("MODELDECK_PUBLIC_URL must be https for MODELDECK_AUTH=oidc, or of this machine")
