"""Settings: environment variables `MODELDECK_*`, or a YAML file named by MODELDECK_CONFIG, read once at start.

Each service declares its own settings class; the names of all of them are known here, so that a misspelt name is
refused with the nearest right one wherever it is set.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "MODELDECK_"
KNOWN_NAMES = frozenset(
    PREFIX + name
    for name in (
        "ALLOWED_HOSTS",
        "AUTH",
        "BANDWIDTH_LIMIT",
        "COMFYUI_URL",
        "CONFIG",
        "CONNECTIONS",
        "DATA_DIR",
        "DISK_RESERVE",
        "EXTRA_MODEL_PATHS",
        "FEATURED_URL",
        "HOST",
        "LOG_LEVEL",
        "MAX_CONCURRENT",
        "METRICS_PORT",
        "MIRRORS",
        "MODELS_DIR",
        "NATS_URL",
        "OIDC_AUDIENCE",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "OIDC_ISSUER",
        "OIDC_SCOPES",
        "OIDC_SCOPES_CLAIM",
        "POOL",
        "PORT",
        "PRESETS_REFRESH_S",
        "PRESETS_URL",
        "PUBLIC_URL",
        "RETRY_ATTEMPTS",
        "RETRY_BASE_S",
        "RETRY_CAP_S",
        "SAMPLE_INTERVAL_S",
        "STALL_TIMEOUT_S",
        "TEMPLATE_DIRS",
        "TOKEN",
        "TRUSTED_MIRRORS",
        "URL",
        "WEBHOOKS",
        "PARENT_PIPE",
    )
)
"""Every name that any part of Modeldeck reads; a test compares it with the settings classes."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*(?:/S)?\s*", re.IGNORECASE)


class SettingsError(ValueError):
    """The configuration cannot be used; one line per problem, each says which setting and what to write instead."""


def parse_bytes(text: str | int) -> int:
    """Return the bytes that "50MB", "1.5GiB" or "1000" mean (K, M, G, T decimal; Ki, Mi ... binary); "/s" is allowed.

    Raises ValueError for anything else.
    """
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write for example 50MB or 1.5GiB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))


def _parse_rate(text: Any) -> Any:
    if text is None or (isinstance(text, str) and text.strip().lower() in {"", "none", "off", "0"}):
        return None
    rate = parse_bytes(text)
    if rate < 0:
        raise ValueError(f"{text!r} is not a rate; write for example 50MB/s, or 0 for no limit")
    return rate or None


def _split(value: Any) -> Any:
    """Read `a, b` as a list; a YAML file may give a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _host_urls(value: Any) -> Any:
    """Read `a=b, c=d` as a mapping; a YAML file may give a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _split(value)]
    for name, equals, target in pairs:
        if not (name.strip() and equals and target.strip()):
            raise ValueError(f"{name}{equals}{target} is not host=base-url")
    return {name.strip(): target.strip() for name, _, target in pairs}


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
HostUrls = Annotated[dict[str, str], NoDecode, BeforeValidator(_host_urls)]
ByteSize = Annotated[int, BeforeValidator(parse_bytes)]
ByteRate = Annotated[int | None, BeforeValidator(_parse_rate)]
Folder = Annotated[Path, AfterValidator(lambda p: p.expanduser().absolute())]


class ServiceSettings(BaseSettings):
    """What every service reads."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    data_dir: Folder = Field(
        default=Path("~/.local/share/modeldeck"), description="event store, token, catalog copies; created 0700"
    )
    models_dir: Folder | None = Field(default=None, description="models folder; default `<data>/models`")
    nats_url: str = Field(default="", description="use this NATS instead of the embedded one")
    pool: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="name of the storage pool this downloader and inventory serve",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="how much is logged")
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="serve Prometheus metrics there, on 127.0.0.1"
    )
    parent_pipe: int | None = Field(default=None, description="set by the supervisor: a pipe that closes when it ends")

    @property
    def models(self) -> Path:
        """The models folder."""
        return self.models_dir or self.data_dir / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls by keyword
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first; `load` passes the YAML file's values as initial ones of lower priority."""
        return (env_settings, init_settings)


S = TypeVar("S", bound=BaseSettings)


def check_names(names: Mapping[str, object] | set[str]) -> None:
    """Raise SettingsError when a name begins with MODELDECK_ and no part of Modeldeck reads it."""
    problems = []
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN_NAMES:
            near = difflib.get_close_matches(name, KNOWN_NAMES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `modeldeck up --help` lists the settings"
            problems.append(f"{name} is not a setting of Modeldeck{hint}")
    if problems:
        raise SettingsError("\n".join(problems))


def load(settings: type[S]) -> S:
    """Return the validated settings from the environment and the file named by MODELDECK_CONFIG.

    Raises SettingsError with one line per problem; values of secrets never appear in it.
    """
    check_names(set(os.environ))
    values = _read_config_file()
    check_names({PREFIX + key.upper() for key in values})
    try:
        return settings(**values)
    except ValidationError as error:
        lines = [
            f"{_name_of(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None


def _name_of(place: tuple[int | str, ...]) -> str:
    """Return the variable's name; those of the ecosystem (HF_ENDPOINT) carry no prefix and are stated as they are."""
    name = str(place[0]) if place else ""
    return name if name.isupper() else PREFIX + name.upper()


def _read_config_file() -> dict[str, Any]:
    name = os.environ.get(PREFIX + "CONFIG")
    if not name:
        return {}
    try:
        content = yaml.safe_load(Path(name).read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"MODELDECK_CONFIG: cannot read {name}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"MODELDECK_CONFIG: {name} must hold `name: value` lines")
    return {str(key).lower().removeprefix("modeldeck_"): value for key, value in content.items()}


__all__ = [
    "KNOWN_NAMES",
    "ByteRate",
    "ByteSize",
    "Folder",
    "HostUrls",
    "Names",
    "ServiceSettings",
    "SettingsError",
    "check_names",
    "load",
    "parse_bytes",
]
