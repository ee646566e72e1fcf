"""What `modeldeck up` itself reads; each service reads and validates its own settings the same way."""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
from pathlib import Path
from typing import Literal

from modeldeck_events.settings import ServiceSettings, SettingsError, load
from pydantic import Field, SecretStr, ValidationInfo, field_validator

_TOKEN = re.compile(r"[!-~]+")

SERVICES = ("downloader", "catalog", "telemetry", "gateway")


class UpSettings(ServiceSettings):
    """Where the gateway listens and who may come in."""

    host: str = Field("127.0.0.1", description="gateway address; a non-loopback host needs auth on")
    port: int = Field(8420, ge=0, le=65535, description="gateway port")
    auth: Literal["token", "oidc", "none"] = Field("token", description="`token`, `oidc`, or `none` (loopback only)")
    token: SecretStr | None = Field(None, description="the local token; generated once, kept 0600")

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a token is printable ASCII without spaces; leave it unset to get a random one")
        return token

    @field_validator("auth")
    @classmethod
    def _auth_is_on_where_others_can_reach_it(cls, auth: str, info: ValidationInfo) -> str:
        host = info.data.get("host", "")
        if auth == "none" and not is_loopback(host):
            raise ValueError(f"`none` needs a loopback MODELDECK_HOST, not {host}")
        return auth


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read(overrides: dict[str, str]) -> UpSettings:
    """Put the command line's choices above the environment, then read and validate every part's settings.

    Raises SettingsError with one line per problem, before anything was started.
    """
    os.environ.update({f"MODELDECK_{name}": value for name, value in overrides.items()})
    settings = load(UpSettings)
    problems = dict.fromkeys(line for service in SERVICES for line in _problems_of(service))
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _problems_of(service: str) -> list[str]:
    declared = vars(importlib.import_module(f"{service}.settings")).values()
    classes = [kind for kind in declared if isinstance(kind, type) and issubclass(kind, ServiceSettings)]
    try:
        for kind in classes:
            load(kind)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def demo_data_dir() -> Path:
    """Return the demo's own data folder, so that it never mixes with the real one."""
    return Path("~/.local/share/modeldeck-demo").expanduser()
