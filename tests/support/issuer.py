"""A stand-in for an OpenID Connect issuer: a real HTTP server with real RSA and EC keys that speaks these routes.

    GET  /.well-known/openid-configuration   metadata (OpenID Connect Discovery 1.0)
    GET  /keys                               the public keys
    GET  /authorize                          signs `account` in without asking, 303 back with a code
    POST /token                              exchanges the code once: client secret, redirect_uri and PKCE are checked

It is no real issuer: there is no page to sign in on, and whoever comes is `account`. Tests forge what they like with
`sign`, turn keys over with `rotate`, and read in `requests` what was asked of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from typing import Any, Self
from urllib.parse import unquote_plus, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
CLIENT_ID = "modeldeck"
SECRET = "the secret/of+this client"


class Issuer:
    """The server; an async context manager. Tests change its attributes while it runs."""

    def __init__(self) -> None:
        self.account: dict[str, Any] = {"sub": "ana", "preferred_username": "Ana", "groups": ["admins"]}
        self.requests: Counter[str] = Counter()
        self.down = False
        self.secret: str | None = SECRET
        self.overrides: dict[str, Any] = {}
        """Claims of the ID tokens that are other than they should be; None leaves one out."""
        self.error = ""
        """What the next sign-in is refused with."""
        self.keys: dict[str, Key] = {"rsa-first": _first_rsa_key(), "ec-first": ec.generate_private_key(ec.SECP256R1())}
        self._codes: dict[str, dict[str, str]] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """What MODELDECK_OIDC_ISSUER is set to. `localhost` is another site than 127.0.0.1 to a browser."""
        return f"http://localhost:{self._port}"

    def rotate(self) -> None:
        """Forget the keys and make others."""
        name = secrets.token_hex(4)
        self.keys = {
            f"rsa-{name}": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            f"ec-{name}": ec.generate_private_key(ec.SECP256R1()),
        }

    def kid(self, kind: str = "rsa") -> str:
        """Return the id of the present key of a kind: rsa or ec."""
        return next(kid for kid in self.keys if kid.startswith(kind))

    def public(self, kid: str) -> dict[str, Any]:
        """Return a public key as it stands in the key set."""
        key = self.keys[kid]
        if isinstance(key, rsa.RSAPrivateKey):
            return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
        return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims about the account with some changed; None leaves one out."""
        now = int(time.time())
        found = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **self.account, **changes}
        return {name: value for name, value in found.items() if value is not None}

    def sign(self, kind: str = "rsa", *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a token about the account, signed with the present key of a kind."""
        kid = self.kid(kind)
        algorithm = "RS256" if kind == "rsa" else "ES256"
        return jwt.encode(self.claims(**changes), self.keys[kid], algorithm, headers={"kid": kid, **(headers or {})})

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests[request.path] += 1
        if self.down:
            return web.Response(status=502)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.public(kid) for kid in self.keys]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["response_type"] == "code"
        assert (asked["client_id"], asked["code_challenge_method"]) == (CLIENT_ID, "S256")
        assert "openid" in asked["scope"].split()
        answer = {"state": asked["state"], "iss": self.url}
        if self.error:
            answer |= {"error": self.error}
        else:
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            answer |= {"code": code}
        raise web.HTTPSeeOther(f"{asked['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if self.secret is not None and not self._knows(request.headers.get("Authorization", "")):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.sign(**{"nonce": asked["nonce"], **self.overrides})
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def _knows(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        client, _, secret = base64.b64decode(credentials).decode().partition(":")
        return (scheme, unquote_plus(client), unquote_plus(secret)) == ("Basic", CLIENT_ID, self.secret)


@functools.cache
def _first_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def forged_with_public_key(issuer: Issuer) -> str:
    """Return a token signed by HMAC with the issuer's public key as the secret: what a careless verifier accepts."""
    kid = issuer.kid("rsa")
    head, body = ({"alg": "HS256", "typ": "JWT", "kid": kid}, issuer.claims())
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, body))
    key = json.dumps(issuer.public(kid)).encode()
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), 'sha256')).decode().rstrip('=')}"
