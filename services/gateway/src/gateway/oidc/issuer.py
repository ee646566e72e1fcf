"""The issuer over HTTP: its metadata and keys, fetched when they are needed, kept, and asked for again within bounds.

A key that is unknown makes the gateway look again at once, because issuers change keys without notice; made-up key ids
cannot make it ask more than five times at once and once in twelve seconds. Keys that cannot be renewed serve for a day.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote_plus

import httpx
import msgspec
import structlog

from gateway.pace import Pace
from gateway.problems import ProblemError
from gateway.settings import is_safe

RENEW_S = 3600.0
KEEP_S = 86_400.0
TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_log = structlog.get_logger(__name__)

Json = dict[str, Any]


@dataclass(frozen=True)
class Metadata:
    """What the issuer says of itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_body: bool
    """The token endpoint takes the client's secret in the form only."""


class Issuer:
    """One issuer. `url` is exactly as its tokens name it."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._tls = ssl.create_default_context()
        self._pace = Pace(rate=1 / 12, burst=5, clock=clock)
        self._lock = asyncio.Lock()
        self._metadata: Metadata | None = None
        self._keys: list[Json] = []
        self._fetched_at = float("-inf")
        self._looks = 0

    async def metadata(self) -> Metadata:
        """Return the issuer's metadata; raises ProblemError 503 while it cannot be had."""
        await self._renew(force=False)
        assert self._metadata is not None  # noqa: S101 - set, or _renew raised
        return self._metadata

    async def keys(self, kid: str | None) -> list[Json]:
        """Return the keys with this id (all for None), after a look for new ones when there are none."""
        await self._renew(force=False)
        found = self._named(kid)
        if not found:
            await self._renew(force=True)
            found = self._named(kid)
        return found

    async def exchange(self, form: Mapping[str, str], *, client_id: str, secret: str | None) -> Json:
        """Return what the token endpoint answers to an authorization code.

        Raises ProblemError 403 when it refuses, 503 when it does not answer.
        """
        metadata = await self.metadata()
        fields, basic = {**form, "client_id": client_id}, None
        if secret is not None and metadata.secret_in_body:
            fields["client_secret"] = secret
        elif secret is not None:
            basic = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret))  # RFC 6749 2.3.1
        status, body = await self._ask("POST", metadata.token_endpoint, data=fields, auth=basic)
        answer = _object(body)
        if status != 200 or answer is None:
            reason = _word(answer.get("error") if answer else "") or f"status {status}"
            raise ProblemError(403, "sign_in_refused", f"The issuer refused this sign-in: {reason}. Sign in again.")
        return answer

    def _named(self, kid: str | None) -> list[Json]:
        return [key for key in self._keys if kid is None or key.get("kid") == kid]

    async def _renew(self, *, force: bool) -> None:
        """Fetch metadata and keys when they are old, or when somebody needs a key that is not there."""
        looks = self._looks
        async with self._lock:
            age = self._clock() - self._fetched_at
            just_looked = self._looks != looks  # somebody else did, while this one waited
            if age < RENEW_S and (just_looked or not force):
                return
            if just_looked or self._pace.take({"fetch": 1}):
                if age > KEEP_S:
                    raise _away("it did not answer a moment ago")
                return
            self._looks += 1
            try:
                self._metadata, self._keys = await self._fetch()
            except ProblemError as problem:
                if age > KEEP_S:
                    raise
                _log.warning("the issuer's keys could not be renewed; the known ones serve on", reason=problem.detail)
            else:
                self._fetched_at = self._clock()

    async def _fetch(self) -> tuple[Metadata, list[Json]]:
        said = await self._get(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.url:
            raise _away(f"its metadata is of the issuer {said.get('issuer')!a}")
        for name in _ENDPOINTS:
            if not isinstance(said.get(name), str) or not is_safe(said[name]):
                raise _away(f"its metadata has no https address as {name}")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        metadata = Metadata(
            said["authorization_endpoint"],
            said["token_endpoint"],
            said["jwks_uri"],
            secret_in_body="client_secret_basic" not in methods,
        )
        keys = (await self._get(metadata.jwks_uri)).get("keys")
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise _away(f"its key set has no `keys`, or more than {MAX_KEYS}")
        return metadata, [key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig"]

    async def _get(self, url: str) -> Json:
        status, body = await self._ask("GET", url)
        answer = _object(body)
        if status != 200 or answer is None:
            raise _away(f"{url} answered {status}" if status != 200 else f"{url} is no JSON object")
        return answer

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, bytes]:
        """Return status and body: no redirects, no proxies, no credentials but the given ones, in 5 s altogether."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        client = httpx.AsyncClient(verify=self._tls, timeout=TIMEOUT_S, trust_env=False, headers=headers)
        try:
            async with asyncio.timeout(TIMEOUT_S), client, client.stream(method, url, **options) as got:
                body = bytearray()
                async for part in got.aiter_raw():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise _away(f"{url} answered more than {MAX_BYTES} bytes")
                return got.status_code, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise _away(f"{url}: {str(error) or type(error).__name__}") from error


def _object(body: bytes) -> Json | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("Json", found) if isinstance(found, dict) else None


def _word(value: Any) -> str:
    """Return an error code of OAuth as it may be repeated."""
    return value[:60] if isinstance(value, str) and value.isascii() and value.replace("_", "").isalnum() else ""


def _away(reason: str) -> ProblemError:
    return ProblemError(
        503, "issuer_unavailable", f"The issuer cannot be used at present: {reason}.", headers={"Retry-After": "5"}
    )
