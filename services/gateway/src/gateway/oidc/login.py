"""Signing in on the page: the authorization code flow with PKCE (RFC 6749 4.1, RFC 7636, OpenID Connect Core 3.1).

What has to be remembered between leaving and coming back is one random text in a signed cookie; state, nonce and the
code verifier are derived from it with the gateway's key. So any gateway that shares the key can finish what another
one began, and nothing of it can be told from what stands in the addresses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from gateway.auth import is_page
from gateway.cookies import Cookies
from gateway.oidc.issuer import Issuer
from gateway.oidc.tokens import Tokens
from gateway.problems import ProblemError
from gateway.rights import Principal

CALLBACK = "/api/v1/session/oidc/callback"
MAX_USED = 10_000


class Departure(NamedTuple):
    """Where the browser is sent, and the Set-Cookie value that goes with it."""

    location: str
    cookie: bytes


class Arrival(NamedTuple):
    """Who signed in, and the page that he wanted to see."""

    principal: Principal
    return_to: str


class Login:
    """Sends browsers to the issuer and takes them back. `scope` is what the issuer is asked for."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        issuer: Issuer,
        tokens: Tokens,
        cookies: Cookies,
        *,
        client_id: str,
        client_secret: str | None = None,
        scope: str = "openid profile email",
    ) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._cookies = cookies
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = scope
        self._used: OrderedDict[str, None] = OrderedDict()

    async def start(self, base_url: str, return_to: str) -> Departure:
        """Return the issuer's address for a new sign-in; raises ProblemError 503 while it cannot be had."""
        endpoint = (await self._issuer.metadata()).authorization_endpoint
        login = f"{secrets.token_urlsafe(24)}.{base64.urlsafe_b64encode(return_to.encode()).decode().rstrip('=')}"
        challenge = hashlib.sha256(self._cookies.derive("verifier", login).encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": base_url + CALLBACK,
            "scope": self._scope,
            "state": self._cookies.derive("state", login),
            "nonce": self._cookies.derive("nonce", login),
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in endpoint else "?"
        return Departure(f"{endpoint}{joint}{urlencode(query)}", self._cookies.start_login(login))

    async def finish(self, query: Mapping[str, str], base_url: str, cookie: bytes) -> Arrival:
        """Return who came back from the issuer.

        Raises ProblemError 400 when this browser began no such sign-in, 401 or 403 when the issuer or its ID token
        refuses, or when he has no rights here, 503 when the issuer does not answer.
        """
        login = self._cookies.login(cookie)
        if login is None:
            raise ProblemError(400, "sign_in_lost", "No sign-in was begun in this browser lately; try again.")
        if not hmac.compare_digest(query.get("state", "").encode(), self._cookies.derive("state", login).encode()):
            raise ProblemError(400, "wrong_state", "This answer belongs to another sign-in; try again.")
        if login in self._used:
            raise ProblemError(400, "sign_in_used", "This answer was used already; sign in again.")
        self._used[login] = None
        while len(self._used) > MAX_USED:
            self._used.popitem(last=False)
        if query.get("iss", self._issuer.url) != self._issuer.url:  # RFC 9207: an answer of another issuer
            raise ProblemError(400, "wrong_issuer", "This answer comes from another issuer.")
        code = query.get("code")
        if not code:
            said = query.get("error", "")[:60]
            raise ProblemError(403, "sign_in_refused", f"The issuer refused this sign-in: {said!a}.")
        return Arrival(await self._redeem(code, login, base_url), _return_to(login))

    async def _redeem(self, code: str, login: str, base_url: str) -> Principal:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": base_url + CALLBACK,
            "code_verifier": self._cookies.derive("verifier", login),
        }
        answer = await self._issuer.exchange(form, client_id=self._client_id, secret=self._client_secret)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProblemError(403, "sign_in_refused", "The issuer answered no ID token; is `openid` allowed there?")
        nonce = self._cookies.derive("nonce", login)
        found = await self._tokens.person(token, client_id=self._client_id, nonce=nonce)
        if not found.rights:
            raise ProblemError(
                403,
                "no_right",
                "You are signed in at the issuer, but none of your groups may do anything here; "
                "ask whoever runs this deck (MODELDECK_OIDC_SCOPES).",
            )
        return found


def _return_to(login: str) -> str:
    text = login.partition(".")[2]
    try:
        path = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "/"
    return path if is_page(path) else "/"
