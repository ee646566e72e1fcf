"""Where the gateway is and who asks: from options, the environment, or the file named by MODELDECK_CONFIG."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from modeldeck_events.settings import ServiceSettings, SettingsError, load
from pydantic import Field, SecretStr

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_TOKEN = re.compile(r"[!-~]+")


class ClientSettings(ServiceSettings):
    """What the client commands read."""

    url: str = Field(
        "", description="address of the gateway for the client commands; default from MODELDECK_HOST and MODELDECK_PORT"
    )
    token: SecretStr | None = Field(None, description="the local token; generated once, kept 0600")
    host: str = Field("127.0.0.1", description="gateway address; a non-loopback host needs auth on")
    port: int = Field(8420, ge=0, le=65535, description="gateway port")


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Base URL without a slash at its end, and the token for it ("" when none is known). Never shows the token."""

    url: str
    token: str = dataclasses.field(default="", repr=False)
    loopback: bool = False


def find_gateway(url: str | None, token: str | None) -> Address:
    """Return whom to ask: options first, then the settings, then the token file of a gateway on this machine.

    The link that `modeldeck up` prints may be given as `url`; its token is then used and leaves the address. The
    token file is only used for the gateway of this machine, so that a foreign address never receives it.
    Raises SettingsError when an address or token cannot be used.
    """
    settings = load(ClientSettings)
    given = url or settings.url
    parts = urlsplit(given or _own_url(settings))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_port(parts):
        raise SettingsError(f"{given!r} is not an address of a gateway; write for example --url http://127.0.0.1:8420")
    if parts.username or parts.password:
        raise SettingsError("the gateway's address must not hold a user or password; give the token with --token")
    loopback = _is_loopback(parts.hostname)
    secret = token or (settings.token.get_secret_value() if settings.token else "")
    secret = secret or parse_qs(parts.query).get("token", [""])[0]
    if not secret and (loopback or not given):
        secret = _local_token(settings.data_dir, parts.port or 80)
    secret = secret.strip()
    if secret and not _TOKEN.fullmatch(secret):
        raise SettingsError("the token holds spaces or odd characters; copy it again")
    base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    return Address(url=base, token=secret, loopback=loopback)


def _own_url(settings: ClientSettings) -> str:
    if settings.port == 0:
        raise SettingsError("MODELDECK_PORT is 0, which means any; give the address that was printed with --url")
    host = _UNSPECIFIED.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _local_token(data_dir: Path, port: int) -> str:
    """Return the token of the data folder whose `up` said last that it listens at the port; the demo has its own."""
    folders = (data_dir, data_dir.with_name(f"{data_dir.name}-demo"))
    said = {folder: when for folder in folders if (when := _when_said(folder / "up.lock", port)) is not None}
    return _read_token(max(said, key=said.__getitem__, default=data_dir) / "token")


def _when_said(lock: Path, port: int) -> float | None:
    """Return when `modeldeck up` wrote into its lock that it listens at the port; None when it did not."""
    try:
        text = lock.read_text(encoding="utf-8", errors="replace")
        return lock.stat().st_mtime if re.search(rf":{port}\s*$", text) else None
    except OSError:
        return None


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""  # no token is a fact, too: the gateway's 401 leads to the message that says where tokens come from
