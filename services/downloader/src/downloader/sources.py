"""Which hosts a download may touch, through which mirror, with whose credentials.

Every hop of a redirect goes through `Sources`, and every address that a name resolves to goes through
`check_address` before a byte is sent there. Allow-list entries:

    huggingface.co        https on 443, public addresses only
    *.hf.co               the same for every name below it (not for hf.co itself)
    127.0.0.1:8080        http or https on that port; listed literally, so private and loopback addresses too
    http://box.lan:8080   the same, for that scheme only
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, unquote, urljoin, urlsplit

from downloader.errors import RefusedError

DEFAULT_PORTS = {"http": 80, "https": 443}
DEFAULT_ALLOWED_HOSTS = (
    "huggingface.co",
    "*.huggingface.co",
    "hf.co",
    "*.hf.co",
    "civitai.com",
    "*.civitai.com",
    "*.r2.cloudflarestorage.com",
    "github.com",
    "*.githubusercontent.com",
    "modelscope.cn",
    "*.modelscope.cn",
    "download.pytorch.org",
    "dl.fbaipublicfiles.com",
    "openaipublic.azureedge.net",
)
HUGGING_FACE = "huggingface.co"
CIVITAI = "civitai.com"
TOKEN_SETTINGS = {HUGGING_FACE: "HF_TOKEN", CIVITAI: "CIVITAI_TOKEN"}
_CREDENTIALS = frozenset({"token", "access_token", "api_key", "apikey", "password"})
_SECRETS = re.compile(r"(?<=//)[^/?#]*@|[?#].*", re.DOTALL)
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One request's way: what is connected to, what is asked there, what is shown to it.

    `listed_literally` is True when the operator named this host and port: only then may it be a private address.
    """

    scheme: str
    host: str
    port: int
    target: str
    authorization: str | None = None
    listed_literally: bool = False

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what credentials and kept connections belong to."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """Host and, when it is not the scheme's own, port: the Host header, and the name shown to people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL on the wire. Signed links are secrets: for requests, never for logs."""
        return f"{self.scheme}://{self.netloc}{self.target}"


@dataclass(frozen=True, slots=True)
class _Entry:
    scheme: str | None
    host: str
    port: int | None

    def matches(self, hop: Hop) -> bool:
        named = hop.host.endswith(self.host[1:]) if self.host.startswith("*.") else hop.host == self.host
        if not named:
            return False
        if self.port is None:
            return hop.scheme == (self.scheme or "https") and hop.port == DEFAULT_PORTS[hop.scheme]
        return hop.port == self.port and self.scheme in (None, hop.scheme)

    @property
    def literal(self) -> bool:
        return self.port is not None and not self.host.startswith("*.")


@dataclass(frozen=True, slots=True)
class _Mirror:
    base: Hop
    trusted: bool


def parse_url(url: str, *, code: str = "bad_url") -> Hop:
    """Take an absolute http(s) URL apart; RefusedError(code) for anything odd."""
    shown = _shown(url)
    if _UNFIT.search(url):
        raise RefusedError(code, f"The URL {shown} has spaces, control characters or backslashes in it.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        host = host.encode("idna").decode() if host else host  # refuses labels that no resolver takes, too
    except ValueError:
        raise RefusedError(code, f"{shown} is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise RefusedError(code, f"{shown} is not an http(s) URL with a host.")
    if any(unquote(part) in (".", "..") for part in parts.path.split("/")):
        raise RefusedError(code, f"The URL {shown} has the part . or .. in its path.")
    if parts.username is not None or parts.password is not None:
        raise RefusedError(code, "A URL must not carry a user or password; set the host's token instead.")
    target = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_PATH_SAFE + "?")
    return Hop(parts.scheme, host.lower(), port or DEFAULT_PORTS[parts.scheme], target)


def check_public(url: str) -> None:
    """Raise RefusedError("bad_url") for what is no http(s) URL or carries a credential: the log keeps URLs for ever."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedError("bad_url", "That is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise RefusedError("bad_url", f"{_shown(url)} is not an http(s) URL.")
    if "@" in parts.netloc or _CREDENTIALS & {name.lower() for name, _ in parse_qsl(parts.query)}:
        message = f"The URL {_shown(url)} carries a credential. Leave it out and set the host's token instead."
        raise RefusedError("bad_url", message)


def _shown(url: str) -> str:
    """Return what of a URL may be shown and kept: user, password and query may be secrets."""
    return repr(_SECRETS.sub("", url)[:200])


def _bearer(setting: str, token: str) -> str:
    token = token.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError(f"{setting}: a token has no spaces, line breaks or characters beyond ASCII in it")
    return f"Bearer {token}"


def _parse_entry(text: str) -> _Entry:
    scheme, _, rest = text.strip().lower().rpartition("://")
    if scheme and scheme not in DEFAULT_PORTS:
        raise ValueError(f"allowed host {text!r}: the scheme must be http or https")
    wildcard = rest.startswith("*.")
    parts = urlsplit("//" + (rest[2:] if wildcard else rest).rstrip("/"))
    if not parts.hostname or parts.path or parts.username or "*" in parts.hostname:
        raise ValueError(f"allowed host {text!r}: write host, host:port, *.domain or scheme://host:port")
    return _Entry(scheme or None, ("*." if wildcard else "") + parts.hostname, parts.port)


class Sources:
    """Routes URLs: mirrors applied, allow-list checked, the right credentials attached. Holds secrets: no repr."""

    def __init__(  # noqa: PLR0913  (all are keywords; they are the settings)
        self,
        *,
        allowed_hosts: Iterable[str] = DEFAULT_ALLOWED_HOSTS,
        mirrors: Mapping[str, str] | None = None,
        trusted_mirrors: Iterable[str] = (),
        hf_endpoint: str | None = None,
        hf_token: str | None = None,
        civitai_token: str | None = None,
    ) -> None:
        self._entries = [_parse_entry(entry) for entry in allowed_hosts]
        tokens = {HUGGING_FACE: hf_token, CIVITAI: civitai_token}
        self._tokens = {host: _bearer(TOKEN_SETTINGS[host], token) for host, token in tokens.items() if token}
        self._mirrors: dict[str, _Mirror] = {}
        trusted = {name.strip().rstrip("/").lower() for name in trusted_mirrors}
        try:
            if hf_endpoint and parse_url(hf_endpoint).origin != ("https", HUGGING_FACE, 443):
                self._add_mirror(HUGGING_FACE, hf_endpoint, {HUGGING_FACE})
            for host, base in (mirrors or {}).items():
                self._add_mirror(host, base, trusted)
        except RefusedError as error:
            raise ValueError(f"HF_ENDPOINT or MODELDECK_MIRRORS: {error.message}") from None

    def _add_mirror(self, host: str, base_url: str, trusted: set[str]) -> None:
        host, base = host.strip().lower(), parse_url(base_url)
        names = {host, base.netloc, f"{base.host}:{base.port}", base_url.strip().rstrip("/").lower()}
        names.add(f"{base.scheme}://{base.netloc}")
        self._mirrors[host] = _Mirror(replace(base, target=base.target.rstrip("/")), bool(names & trusted))
        self._entries.append(_Entry(base.scheme, base.host, base.port))

    def first(self, url: str) -> Hop:
        """Return the way to a catalog's or user's URL, or raise RefusedError."""
        return self._route(parse_url(url))

    def redirected(self, hop: Hop, location: str) -> Hop:
        """Return the way that a redirect from `hop` leads to, or raise RefusedError.

        Credentials follow only inside the same origin; https never leads to http, unless the operator listed that
        host, port and scheme.
        """
        absolute = urljoin(hop.url, location.strip().replace(" ", "%20"))
        following = self._route(parse_url(absolute, code="bad_redirect"))
        if hop.scheme == "https" and following.scheme == "http" and not following.listed_literally:
            raise RefusedError(
                "bad_redirect",
                f"{hop.netloc} redirects from https to plain http ({following.netloc}).",
                host=hop.netloc,
            )
        if following.origin == hop.origin and following.authorization is None:
            return replace(following, authorization=hop.authorization)
        return following

    def _route(self, asked: Hop) -> Hop:
        mirror = self._mirrors.get(asked.host) if asked.origin == ("https", asked.host, 443) else None
        if mirror is not None:
            authorization = self._tokens.get(asked.host) if mirror.trusted else None
            hop = replace(mirror.base, target=mirror.base.target + asked.target, authorization=authorization)
        else:
            hop = replace(asked, authorization=self._token_of(asked))
        matching = [entry for entry in self._entries if entry.matches(hop)]
        if not matching:
            raise RefusedError("host_not_allowed", self._why_not(hop), host=hop.netloc)
        return replace(hop, listed_literally=any(entry.literal for entry in matching))

    def _why_not(self, hop: Hop) -> str:
        secure = replace(hop, scheme="https", port=DEFAULT_PORTS["https"])
        if hop.origin == ("http", hop.host, DEFAULT_PORTS["http"]) and any(e.matches(secure) for e in self._entries):
            return f"{hop.host} is allowed by https only; write https:// at the beginning of the URL."
        return (
            f"{hop.scheme}://{hop.netloc} is not an allowed download host. "
            f"If you trust it, add {hop.netloc} to MODELDECK_ALLOWED_HOSTS."
        )

    def _token_of(self, hop: Hop) -> str | None:
        if hop.origin == ("https", hop.host, 443) and hop.host in self._tokens:
            return self._tokens[hop.host]
        hub = self._mirrors.get(HUGGING_FACE)  # HF_ENDPOINT named directly in a URL is the hub itself
        below = hub is not None and hop.target.startswith(f"{hub.base.target}/")
        if hub is not None and hub.trusted and hop.origin == hub.base.origin and below:
            return self._tokens.get(HUGGING_FACE)
        return None

    def token_name(self, host: str) -> str | None:
        """Return the setting that holds the token for a host, for messages."""
        bare = next((name for name, mirror in self._mirrors.items() if mirror.base.netloc == host), host)
        return TOKEN_SETTINGS.get(bare)


def check_address(hop: Hop, address: str) -> None:
    """Raise RefusedError("address_not_allowed") unless a connection for `hop` may go to this IP address."""
    if hop.listed_literally:
        return
    if not all(part.is_global and not part.is_multicast for part in _unwrapped(ipaddress.ip_address(address))):
        raise RefusedError(
            "address_not_allowed",
            f"{hop.netloc} leads to {address}, which is a private or special address. "
            f"If that is meant, add {hop.host}:{hop.port} to MODELDECK_ALLOWED_HOSTS.",
            host=hop.netloc,
        )


def _unwrapped(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return the address and the IPv4 addresses that it wraps (mapped, 6to4, Teredo, NAT64, compatible)."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NAT64):
        return (low,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address.teredo is not None:
        return (address, *address.teredo)
    return (address, low) if int(address) >> 32 == 0 else (address,)
