"""The session's cookie: `<expiry>.<id>.<signature>` of the local user, `<expiry>.<id>.<who>.<signature>` of another.

It is signed with a key derived from the local token: another token makes every cookie worthless, and gateways that
share the token take each other's cookies. The cookie of somebody whom an issuer vouched for is also bound to how the
issuer is configured, so that another issuer or another mapping of its groups ends those sessions.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from gateway.rights import Principal, Right, granted, in_order

SESSION_S = 30 * 24 * 3600
OIDC_SESSION_S = 12 * 3600
"""A working day: what the issuer takes from somebody is gone here by then."""
LOGIN_S = 600
MAX_CACHED = 4096
LOCAL_NAME = "local"


class _Who(msgspec.Struct, array_like=True):
    name: str
    display_name: str
    scopes: tuple[Right, ...]


class Cookies:
    """Writes and reads cookies. `issuer` is text that differs for each configuration of an issuer, empty without one;
    `secure` when browsers come over TLS.

    The cookies' names hold a mark of the token: browsers send the cookies of a host to all its ports, and several
    gateways there keep apart, while those that share the token, behind one address, take each other's.
    """

    def __init__(
        self, token: str, *, issuer: str = "", secure: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self._key = hmac.digest(token.encode(), b"modeldeck session v1", "sha256")
        self._user_key = hmac.digest(self._key, issuer.encode(), "sha256") if issuer else b""
        self._login_key = hmac.digest(self._key, b"login" + issuer.encode(), "sha256")
        mark = hmac.digest(self._key, b"name", "sha256").hex()[:8]
        self.session_name = f"modeldeck_session_{mark}"
        self.login_name = f"modeldeck_login_{mark}"
        self._secure = "; Secure" if secure else ""
        self._now = now
        self._good: OrderedDict[bytes, Principal] = OrderedDict()

    def start(self) -> bytes:
        """Return the Set-Cookie value of a new session of the local user."""
        return self._session(f"{int(self._now()) + SESSION_S}.{secrets.token_hex(16)}", self._key, SESSION_S)

    def start_for(self, principal: Principal) -> bytes:
        """Return the Set-Cookie value of a new session of somebody whom the issuer vouched for."""
        if not self._user_key:
            raise ValueError("no issuer is configured")
        who = _Who(principal.name, principal.display_name, tuple(in_order(principal.rights)))
        text = base64.urlsafe_b64encode(msgspec.json.encode(who)).decode().rstrip("=")
        body = f"{int(self._now()) + OIDC_SESSION_S}.{secrets.token_hex(16)}.{text}"
        return self._session(body, self._user_key, OIDC_SESSION_S)

    def removal(self) -> bytes:
        """Return the Set-Cookie value that removes the session's cookie."""
        return self._set(self.session_name, "", max_age=0)

    def read(self, raw: bytes) -> Principal | None:
        """Return whose session a Cookie header holds, None when it holds none that is right and has not ended."""
        found = self._good.get(raw)
        if found is None:
            found = self._read(raw)
            if found is None:
                return None
            self._good[raw] = found
            while len(self._good) > MAX_CACHED:
                self._good.popitem(last=False)
        return found if (found.expires_at or 0.0) > self._now() else None

    def start_login(self, login: str) -> bytes:
        """Return the Set-Cookie value that binds a sign-in at the issuer to this browser.

        It is sent along when the issuer leads the browser back, which a cookie with SameSite=Strict would not be.
        """
        body = f"{int(self._now()) + LOGIN_S}.{login}"
        return self._set(self.login_name, f"{body}.{_sign(self._login_key, body)}", max_age=LOGIN_S, same_site="Lax")

    def end_login(self) -> bytes:
        """Return the Set-Cookie value that removes it."""
        return self._set(self.login_name, "", max_age=0, same_site="Lax")

    def login(self, raw: bytes) -> str | None:
        """Return what `start_login` was given, None when this browser began no sign-in within ten minutes."""
        body, _, signature = cookie_value(raw, self.login_name).rpartition(".")
        expires, _, login = body.partition(".")
        if not _is_signed(self._login_key, body, signature) or int(expires) <= self._now():
            return None
        return login

    def derive(self, purpose: str, login: str) -> str:
        """Return a secret of 43 characters that only this gateway can tell, for one purpose in one sign-in."""
        digest = hmac.digest(self._login_key, f"{purpose} {login}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _session(self, body: str, key: bytes, lasts_s: int) -> bytes:
        return self._set(self.session_name, f"{body}.{_sign(key, body)}", max_age=lasts_s)

    def _set(self, name: str, value: str, *, max_age: int, same_site: str = "Strict") -> bytes:
        return f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite={same_site}{self._secure}".encode()

    def _read(self, raw: bytes) -> Principal | None:
        body, _, signature = cookie_value(raw, self.session_name).rpartition(".")
        expires, _, rest = body.partition(".")
        session, _, text = rest.partition(".")
        key = self._user_key if text else self._key
        if not key or not _is_signed(key, body, signature):
            return None
        until = float(expires)
        if not text:
            return Principal(LOCAL_NAME, session, by_cookie=True, expires_at=until)
        try:
            who = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Who)
        except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        rights = granted(frozenset(who.scopes))
        return Principal(
            who.name, session, by_cookie=True, rights=rights, display_name=who.display_name, expires_at=until
        )


def cookie_value(raw: bytes, name: str) -> str:
    """Return the cookie's value. Others on this host may be of any form: http.cookies gives up at the first odd one."""
    for pair in raw.decode("latin-1").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""


def _sign(key: bytes, body: str) -> str:
    return hmac.new(key, body.encode(), "sha256").hexdigest()


def _is_signed(key: bytes, body: str, signature: str) -> bool:
    """Tell whether we wrote it; what begins with no time is refused before anything else."""
    expires = body.partition(".")[0]
    if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
        return False
    return hmac.compare_digest(signature.encode(), _sign(key, body).encode())
