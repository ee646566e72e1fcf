"""Signing in at an OpenID Connect issuer: authorization code with PKCE for the page, signed tokens for clients."""

from __future__ import annotations

from typing import NamedTuple

from gateway.cookies import Cookies
from gateway.oidc.issuer import Issuer
from gateway.oidc.login import Login
from gateway.oidc.meaning import DEFAULT_GRANTS, Meaning
from gateway.oidc.tokens import Tokens
from gateway.settings import GatewaySettings, secret_of


class Oidc(NamedTuple):
    """What the gateway uses of it."""

    tokens: Tokens
    login: Login


def build(settings: GatewaySettings, cookies: Cookies) -> Oidc:
    """Return both parts; nothing is asked of the issuer before somebody signs in."""
    issuer = Issuer(settings.oidc_issuer)
    meaning = Meaning(settings.oidc_scopes_claim, settings.oidc_scopes or DEFAULT_GRANTS)
    client_id = settings.oidc_client_id
    tokens = Tokens(issuer, meaning, audience=settings.oidc_audience or client_id)
    secret = secret_of(settings.oidc_client_secret)
    return Oidc(tokens, Login(issuer, tokens, cookies, client_id=client_id, client_secret=secret))
