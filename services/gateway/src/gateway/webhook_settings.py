"""Which webhooks there are: a list in the configuration file, or a file of its own, YAML or JSON.

- name: studio
url: https://example.org/hooks/modeldeck
secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
types: [modeldeck.download.*, modeldeck.modelfile.deleted.v1]
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

MAX_FILE_BYTES = 64 * 1024
MAX_WEBHOOKS = 50
PREFIX = "whsec_"
_SECRET = f"{PREFIX} and 24 to 64 random bytes as base64, for example {PREFIX}$(openssl rand -base64 32)"


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        odd = parts.port == 0 or parts.username is not None or bool(parts.fragment)
    except ValueError as error:
        raise ValueError(f"is no address: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or odd or not url.isascii() or " " in url:
        raise ValueError("must be http://host/path or https://host/path, without credentials and fragment")
    return url


def _check_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"must be {_SECRET}") from error
    if not text.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"must be {_SECRET}")
    return secret


Pattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[a-z0-9.*-]+$")]


class Webhook(BaseModel):
    """One receiver. `types` are CloudEvents types, `*` stands for anything; facts about users are never sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    url: Annotated[str, Field(max_length=2000), AfterValidator(_check_url)]
    secret: Annotated[SecretStr, AfterValidator(_check_secret)]
    types: tuple[Pattern, ...] = Field(("*",), min_length=1, max_length=100)

    @property
    def key(self) -> bytes:
        """What requests are signed with."""
        return base64.b64decode(self.secret.get_secret_value().removeprefix(PREFIX))

    @property
    def origin(self) -> str:
        """Where it leads, without the path: some services keep a secret there."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def wants(self, event_type: str) -> bool:
        """Tell whether it is to get facts of a type."""
        return any(_matches(pattern, event_type) for pattern in self.types)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def _read(value: Any) -> Any:
    """Read the file that a text names; a list is taken as it is."""
    if not isinstance(value, str):
        return value or ()
    try:
        with Path(value).expanduser().open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"{value} has more than {MAX_FILE_BYTES} bytes")
        found = yaml.safe_load(content)
    except OSError as error:
        raise ValueError(f"cannot read {value}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{value} is no YAML") from error  # its text may repeat a secret
    if not isinstance(found, list):
        raise ValueError(f"{value} must hold a list of webhooks")  # noqa: TRY004 - pydantic turns only these into words
    return found


def _check_names(webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
    names = [webhook.name for webhook in webhooks]
    if len(set(names)) < len(names):
        raise ValueError("two webhooks have the same name")
    return webhooks


Webhooks = Annotated[
    tuple[Webhook, ...],
    NoDecode,
    Field(max_length=MAX_WEBHOOKS),
    BeforeValidator(_read),
    AfterValidator(_check_names),
]
