"""Who may ask: the local token as bearer, or exchanged for a signed cookie; and who may not, from which site.

The cookie is `<expiry>.<id>.<signature>`, signed with a key derived from the token: another token makes every cookie
worthless. A signed-out id is refused until it expires, also after a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.asgi import Scope, header
from gateway.problems import ProblemError

SESSION_S = 30 * 24 * 3600
FREE_FAILURES = 10
MAX_WAIT_S = 30.0
FORGET_S = 60.0
MAX_ADDRESSES = 1024
MAX_CACHED = 4096
MAX_REVOKED = 10_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; `session` is the cookie's id, or the name of the credential. The local token may do everything."""

    name: str
    session: str
    by_cookie: bool = False


LOCAL = Principal("local", "token")
ANYONE = Principal("local", "none")


class Backoff:
    """Slows callers down who present wrong tokens: after ten in a row an address waits 1, 2, 4 ... 30 seconds.

    While it waits no token of that address is looked at, so guessing gains nothing. Bounded: the oldest are forgotten.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise ProblemError 429 while the address has to wait."""
        count, _, until = self._failures.get(address, (0, 0.0, 0.0))
        left = until - self._clock()
        if count and left > 0:
            seconds = max(1, round(left))
            raise ProblemError(
                429,
                "too_many_attempts",
                f"Too many wrong tokens from this address; try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        now = self._clock()
        count, last, _ = self._failures.pop(address, (0, now, 0.0))
        count = 1 if now - last > FORGET_S else count + 1
        wait = min(MAX_WAIT_S, 2.0 ** (count - FREE_FAILURES)) if count >= FREE_FAILURES else 0.0
        self._failures[address] = (count, now, now + wait)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def passed(self, address: str) -> None:
        """Forget an address that knows the token."""
        self._failures.pop(address, None)


class Authenticator:
    """Checks credentials. `mode` is `token` or `none`; `port` keeps the cookies of several gateways on a host apart."""

    def __init__(
        self,
        *,
        mode: str,
        token: str,
        port: int,
        folder: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._mode = mode
        self._token = hashlib.sha256(token.encode()).digest()
        self._key = hmac.digest(token.encode(), b"modeldeck session v1", "sha256")
        self.cookie_name = f"modeldeck_session_{port}"
        self._now = now
        self._backoff = Backoff(time.monotonic)
        self._good: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._revoked_file = folder / "revoked.json" if folder else None
        self._revoked: dict[str, float] = self._load_revoked()

    def principal(self, scope: Scope) -> Principal:
        """Return who asks; raises ProblemError 401, or 429 after too many wrong tokens."""
        if self._mode == "none":
            return ANYONE
        authorization = header(scope, b"authorization")
        if authorization:
            return self._bearer(authorization, _address(scope))
        cookie = header(scope, b"cookie")
        found = self._cookie(cookie) if cookie else None
        if found is None:
            raise _unauthorized("Sign in first: send `Authorization: Bearer TOKEN`, or open the link that was printed.")
        return found

    def sign_in(self, token: str, scope: Scope) -> bytes:
        """Return the Set-Cookie value for a right token; raises ProblemError 401 or 429."""
        if self._mode != "none":
            self._check_token(token, _address(scope))
        expires = int(self._now()) + SESSION_S
        value = f"{expires}.{secrets.token_hex(16)}"
        signed = f"{value}.{self._sign(value)}"
        return f"{self.cookie_name}={signed}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict".encode()

    def sign_out(self, principal: Principal) -> bytes:
        """Make the session's cookie worthless; return the Set-Cookie value that removes it."""
        if principal.by_cookie:
            self._revoked[principal.session] = self._now() + SESSION_S
            self._good.clear()
            self._save_revoked()
        return f"{self.cookie_name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict".encode()

    def _bearer(self, authorization: bytes, address: str) -> Principal:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise _unauthorized("Only the scheme Bearer is known here.")
        self._check_token(token.strip().decode("utf-8", "replace"), address)
        return LOCAL

    def _check_token(self, token: str, address: str) -> None:
        self._backoff.check(address)
        if not hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "replace")).digest(), self._token):
            self._backoff.failed(address)
            raise _unauthorized("The token is wrong.", code="wrong_token")
        self._backoff.passed(address)

    def _cookie(self, raw: bytes) -> Principal | None:
        cached = self._good.get(raw)
        if cached is not None and cached[0] > self._now():
            return cached[1]
        value = _cookie_value(raw, self.cookie_name)
        body, _, signature = value.rpartition(".")
        expires, _, session = body.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16) or session in self._revoked:
            return None
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()) or int(expires) <= self._now():
            return None
        found = Principal("local", session, by_cookie=True)
        self._good[raw] = (float(expires), found)
        while len(self._good) > MAX_CACHED:
            self._good.popitem(last=False)
        return found

    def _sign(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), "sha256").hexdigest()

    def _load_revoked(self) -> dict[str, float]:
        if self._revoked_file is None or not self._revoked_file.exists():
            return {}
        try:
            saved = json.loads(self._revoked_file.read_bytes())
            return {str(key): float(until) for key, until in saved.items() if until > self._now()}
        except (OSError, ValueError, AttributeError, TypeError):
            # Nobody can tell any more which sessions were ended, so all are: another key signs the next ones.
            self._key = hmac.digest(self._key, secrets.token_bytes(16), "sha256")
            return {}

    def _save_revoked(self) -> None:
        newest = sorted(self._revoked.items(), key=lambda item: -item[1])[:MAX_REVOKED]
        self._revoked = {key: until for key, until in newest if until > self._now()}
        if self._revoked_file is None:
            return
        self._revoked_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._revoked_file.with_suffix(".part")
        part.write_text(json.dumps(self._revoked), encoding="ascii")
        os.chmod(part, 0o600)  # noqa: PTH101 - beside replace
        part.replace(self._revoked_file)


class HostCheck:
    """Refuses foreign Host headers on a loopback gateway: a page of a rebound name must not reach it."""

    def __init__(self, host: str, *, loopback: bool) -> None:
        self._names = {"localhost", "127.0.0.1", "::1", host.lower().strip("[]")} if loopback else None
        self._good: set[bytes] = set()

    def check(self, raw: bytes) -> None:
        """Raise ProblemError 421 for a host that this gateway is not known by."""
        if raw in self._good:
            return
        name = _host_name(raw)
        if name is None or (self._names is not None and name not in self._names):
            raise ProblemError(421, "unknown_host", f"This gateway is not known as {raw.decode('latin-1')[:100]!a}.")
        if len(self._good) < MAX_CACHED:
            self._good.add(raw)


def check_site(scope: Scope, principal: Principal) -> None:
    """Raise ProblemError 403 for a write that another site made the browser send with our cookie."""
    if scope["method"] in SAFE_METHODS or not (principal.by_cookie or principal is ANYONE):
        return
    refuse_foreign_site(scope)


def refuse_foreign_site(scope: Scope) -> None:
    """Raise ProblemError 403 when the browser says that the request comes from another site."""
    site = header(scope, b"sec-fetch-site")
    origin = header(scope, b"origin")
    own = b"://" + header(scope, b"host")
    if (site and site not in {b"same-origin", b"none"}) or (origin and not origin.endswith(own)):
        raise ProblemError(403, "cross_site", "A page of another site must not do this with your cookie.")


def refuse_embedded(scope: Scope) -> None:
    """Raise ProblemError 403 for a request that a page makes by itself: only a person follows the printed link.

    Else any site could spend this address's guesses, and lock the person out.
    """
    if header(scope, b"sec-fetch-dest") not in {b"", b"document"}:
        raise ProblemError(403, "cross_site", "Open the printed link itself.")


def _host_name(raw: bytes) -> str | None:
    text = raw.decode("latin-1").lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":")
        if not bracket:
            return None
    else:
        name, _, port = text.partition(":")
    allowed = name and all(char.isalnum() or char in "-._:" for char in name) and name.isascii()
    return name.rstrip(".") if allowed and (not port or port.isdigit()) else None


def _cookie_value(raw: bytes, name: str) -> str:
    """Return the cookie's value. Others on this host may be of any form: http.cookies gives up at the first odd one."""
    for pair in raw.decode("latin-1").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _unauthorized(detail: str, code: str = "unauthorized") -> ProblemError:
    return ProblemError(401, code, detail, headers={"WWW-Authenticate": 'Bearer realm="modeldeck"'})
