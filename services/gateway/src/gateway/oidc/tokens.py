"""Checks what the issuer signed. Algorithms are pinned by the issuer's own public key: a token only names which key.

So neither `none` nor a public key taken for a shared secret gets through. RFC 8725 says what to check and why.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt

from gateway.auth import unauthorized
from gateway.oidc.issuer import Issuer, Json
from gateway.oidc.meaning import MAX_SUBJECT_CHARS, Meaning
from gateway.rights import Principal

LEEWAY_S = 60
MAX_TOKEN_CHARS = 16 * 1024
MAX_CACHED = 4096
CACHED_S = 300.0
"""So long a key that the issuer withdrew may still open."""
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


class Tokens:
    """Verifies tokens of one issuer for one audience."""

    def __init__(
        self, issuer: Issuer, meaning: Meaning, *, audience: str, now: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._meaning = meaning
        self._audience = audience
        self._now = now
        self._good: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Return whom a bearer token names.

        Raises ProblemError 401 (`token_expired`, else `wrong_token`), or 503 while the issuer's keys cannot be had.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        cached = self._good.get(digest)
        if cached is not None and cached[0] > self._now():
            return cached[1]
        claims = await self.verify(token, self._audience)
        found = self._meaning.principal(claims, f"jwt:{digest.hex()[:32]}")
        self._good[digest] = (min(float(claims["exp"]), self._now() + CACHED_S), found)
        while len(self._good) > MAX_CACHED:
            self._good.popitem(last=False)
        return found

    async def person(self, token: str, *, client_id: str, nonce: str) -> Principal:
        """Return whom an ID token names that answers the sign-in with this nonce; raises as `principal`."""
        claims = await self.verify(token, client_id)
        said = claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise unauthorized("The ID token answers another sign-in; sign in again.", "wrong_token")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client_id) != client_id:
            raise unauthorized("The ID token was made for another client.", "wrong_token")
        return self._meaning.principal(claims, "")

    async def verify(self, token: str, audience: str) -> Json:
        """Return the claims of a token that is signed by the issuer, for this audience, and valid now."""
        if len(token) > MAX_TOKEN_CHARS:
            raise unauthorized(f"The token has more than {MAX_TOKEN_CHARS} characters.", "wrong_token")
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: Json = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self._issuer.url,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise unauthorized("The token has expired.", "token_expired") from error
        except jwt.PyJWTError as error:
            raise unauthorized(f"The token is not valid here: {error}.", "wrong_token") from error
        subject = claims["sub"]
        if not subject or len(subject) > MAX_SUBJECT_CHARS or not subject.isprintable():
            raise unauthorized("The token's subject is empty, too long or not printable.", "wrong_token")
        return claims

    async def _key(self, header: Json) -> jwt.PyJWK:
        """Return the issuer's key that the token names, bound to the algorithm it names if the key is for that one."""
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise jwt.InvalidTokenError("it is of another kind")
        if not isinstance(algorithm, str) or algorithm not in {*_RSA, *_CURVES.values()}:
            raise jwt.InvalidAlgorithmError("its algorithm is none that is taken")
        if kid is not None and not isinstance(kid, str):
            raise jwt.InvalidKeyError("its key id is no text")
        fitting = [key for key in await self._issuer.keys(kid) if _fits(key, algorithm)]
        if len(fitting) != 1:
            raise jwt.InvalidKeyError("the issuer has no such key" if not fitting else "it does not say by which key")
        return jwt.PyJWK(fitting[0], algorithm)


def _fits(key: Json, algorithm: str) -> bool:
    """Tell whether a public key may be used with an algorithm."""
    if key.get("alg", algorithm) != algorithm:
        return False
    kind: Any = key.get("kty")
    if kind == "RSA":
        return algorithm in _RSA
    return kind in {"EC", "OKP"} and _CURVES.get(str(key.get("crv"))) == algorithm
