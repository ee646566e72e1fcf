"""Where a hub is asked, and with whose token: HF_ENDPOINT and MODELDECK_MIRRORS, as the downloader reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

HUGGING_FACE = "huggingface.co"
CIVITAI = "civitai.com"
_TOKEN_SETTINGS = {HUGGING_FACE: "HF_TOKEN", CIVITAI: "CIVITAI_TOKEN"}


@dataclass(frozen=True, slots=True, repr=False)
class HubHost:
    """`page` is the address that people see and that stands in facts, `base` the one that requests go to.

    `token` is sent to `base` alone. Holds a secret: no repr.
    """

    page: str
    base: str
    token: str | None = None

    @property
    def name(self) -> str:
        """What messages call the hub."""
        return urlsplit(self.page).netloc


def hub_host(
    host: str,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    mirrors: Mapping[str, str] | None = None,
    trusted_mirrors: Iterable[str] = (),
) -> HubHost:
    """Return where the hub at https://`host` is asked.

    `endpoint` is another address of the hub itself and gets its token; a mirror wins over it and gets the token only
    when it is trusted (by its own name or the name of what it stands for). Raises ValueError for what is no address or
    no token.
    """
    token = _checked_token(_TOKEN_SETTINGS[host], token) if token else None
    mirror = next((url for name, url in (mirrors or {}).items() if name.strip().lower() == host), None)
    if mirror is not None:
        base = _checked("MODELDECK_MIRRORS", mirror)
        parts = urlsplit(base)
        names = {host, parts.netloc, f"{parts.hostname}:{parts.port}", base.lower(), f"{parts.scheme}://{parts.netloc}"}
        trusted = names & {name.strip().rstrip("/").lower() for name in trusted_mirrors}
        return HubHost(f"https://{host}", base, token if trusted else None)
    base = _checked("HF_ENDPOINT", endpoint) if endpoint else f"https://{host}"
    return HubHost(base, base, token)


def _checked_token(setting: str, token: str) -> str:
    bare = token.strip()
    if not (bare.isascii() and bare.isprintable()) or " " in bare:
        raise ValueError(f"{setting}: a token has no spaces, line breaks or characters beyond ASCII in it")
    return bare


def _checked(setting: str, url: str) -> str:
    bare = url.strip().rstrip("/")
    try:
        parts = urlsplit(bare)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{setting}: write http(s)://HOST[:PORT][/PATH], without credentials")
    return bare
