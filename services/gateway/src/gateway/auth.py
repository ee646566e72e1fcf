"""Who may ask: the local token, a personal token or an issuer's, as bearer or exchanged for a cookie; and from where.

Whoever presents a wrong one too often waits. The cookies themselves are in `cookies`, what each may do is in `rights`.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.accounts import PREFIX, Accounts, principal_of
from gateway.asgi import Scope, header
from gateway.boards.users import Token
from gateway.cookies import LOCAL_NAME, Cookies
from gateway.problems import ProblemError
from gateway.rights import SAFE_METHODS, Principal

FREE_FAILURES = 10
MAX_WAIT_S = 30.0
FORGET_S = 60.0
MAX_ADDRESSES = 1024
MAX_CACHED = 4096
SIGN_IN = "/api/v1/session/oidc/start"
_JWT_START = b"eyJ"
"""How `{"` begins in base64: every JWT, and no token of ours."""

LOCAL = Principal(LOCAL_NAME, "token")
ANYONE = Principal(LOCAL_NAME, "none")


class Issuer(Protocol):
    """Checks what an OIDC issuer signed."""

    def principal(self, token: str) -> Awaitable[Principal]:
        """Return whom a bearer token names; raises ProblemError 401, or 503 while the issuer's keys cannot be had."""
        ...


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
    """Checks credentials. `mode` is `token`, `oidc` or `none`; without `accounts` there are no personal tokens."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        *,
        mode: str,
        token: str,
        cookies: Cookies,
        accounts: Accounts | None = None,
        issuer: Issuer | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._mode = mode
        self._token = hashlib.sha256(token.encode()).digest()
        self._cookies = cookies
        self._accounts = accounts
        self.used: dict[str, float] = {}
        """When each personal token opened something here last, in seconds since 1970; nobody keeps it."""
        self._issuer = issuer
        self._now = now
        self._more = {"sign_in": SIGN_IN} if issuer else {}
        self.backoff = Backoff(time.monotonic)

    async def principal(self, scope: Scope) -> Principal:
        """Return who asks; raises ProblemError 401, 429 after too many wrong tokens, 503 when nobody can tell."""
        if self._mode == "none":
            return ANYONE
        authorization = header(scope, b"authorization")
        if authorization:
            return await self._bearer(authorization, address_of(scope))
        cookie = header(scope, b"cookie")
        found = self._cookies.read(cookie) if cookie else None
        if found is None or (self._accounts is not None and self._accounts.has_ended(found.session)):
            raise self._unauthorized(
                "Sign in first: send `Authorization: Bearer TOKEN`, or open the link that was printed."
            )
        return found

    def sign_in(self, token: str, scope: Scope) -> bytes:
        """Return the Set-Cookie value for the right local token; raises ProblemError 401 or 429."""
        if self._mode != "none":
            self._check_local(token, address_of(scope))
        return self._cookies.start()

    async def _bearer(self, authorization: bytes, address: str) -> Principal:
        scheme, _, raw = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise self._unauthorized("Only the scheme Bearer is known here.")
        token = raw.strip().decode("utf-8", "replace")
        if self._accounts is not None and token.startswith(PREFIX):
            found = await self._personal(self._accounts, token, address)
            if found is not None:
                return found
        elif self._issuer is not None and raw.strip().startswith(_JWT_START):
            return await self._issued(self._issuer, token, address)
        self._check_local(token, address)
        return LOCAL

    async def _personal(self, accounts: Accounts, secret: str, address: str) -> Principal | None:
        """Return whose token it is. One that is right never waits: no number of guesses finds it."""
        token: Token | None = accounts.token(secret)
        if token is None:
            self.backoff.check(address)
            token = await accounts.newest_token(secret)
        if token is None:
            return None
        found = principal_of(token)
        if found.expires_at is not None and found.expires_at <= self._now():
            raise self._unauthorized(f"The token {token.name} has expired; make another one.", code="token_expired")
        self.used[token.token_id] = self._now()
        return found

    async def _issued(self, issuer: Issuer, token: str, address: str) -> Principal:
        try:
            return await issuer.principal(token)
        except ProblemError as problem:
            if problem.status == 401:
                self.backoff.check(address)
                if problem.code == "wrong_token":
                    self.backoff.failed(address)
                problem.more |= self._more
            raise

    def _check_local(self, token: str, address: str) -> None:
        self.backoff.check(address)
        if not hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "replace")).digest(), self._token):
            self.backoff.failed(address)
            raise self._unauthorized("The token is wrong.", code="wrong_token")
        self.backoff.passed(address)

    def _unauthorized(self, detail: str, code: str = "unauthorized") -> ProblemError:
        return unauthorized(detail, code, **self._more)


class HostCheck:
    """Refuses foreign Host headers on a loopback gateway: a page of a rebound name must not reach it.

    `public_name` is that of a proxy on the same machine.
    """

    def __init__(self, host: str, *, loopback: bool, public_name: str = "") -> None:
        names = {"localhost", "127.0.0.1", "::1", host.lower().strip("[]"), public_name.lower()} - {""}
        self._names = names if loopback else None
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


def is_page(path: str) -> bool:
    """Tell whether somebody may be sent to a path after signing in: a page of this deck, and of nobody else."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/api/"))
        and path.isascii()
        and path.isprintable()
        and not set(path) & {"\\", " "}
    )


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


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from, empty when nobody knows."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def unauthorized(detail: str, code: str = "unauthorized", **more: str) -> ProblemError:
    """Return the 401 of a request without the right credentials."""
    return ProblemError(401, code, detail, headers={"WWW-Authenticate": 'Bearer realm="modeldeck"'}, **more)
