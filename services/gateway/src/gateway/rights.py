"""Who asks, and what he may do: the four scopes, and one table that says what every route needs.

`admin` may do everything; `operate` changes what the deck does, and reads; `read` asks; `publish` only brings facts of
other services and reads nothing, so that the token in a training script shows nothing when it is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from modeldeck_events.users import Scope

from gateway.problems import ProblemError

API = "/api/v1"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
EVERYTHING: frozenset[Right] = frozenset({"read", "operate", "publish", "admin"})

Right: TypeAlias = Scope
"""One of the four."""
Need = Right | Literal["open", "any", "own", "person"]
"""Beside the scopes: `open` asks for no credentials, `any` for any at all. What is one's own (board, settings, what of
the feed is hidden) anybody may change who signed in on the page, a token needs `operate` for it. Tokens are made by a
`person` on the page, or with `admin`: one in a script must not make further ones.
"""

_EXACT: Mapping[tuple[str, str], Need] = {
    ("GET", "/healthz"): "open",
    ("GET", "/readyz"): "open",
    ("POST", f"{API}/session"): "open",
    ("GET", f"{API}/session/oidc/start"): "open",
    ("GET", f"{API}/session/oidc/callback"): "open",
    ("POST", f"{API}/downloads/plan"): "read",  # a question with a body, as the next ones
    ("POST", f"{API}/workflows/scan"): "read",
    ("POST", f"{API}/workflows/plan"): "read",
    ("POST", f"{API}/workflows/lock"): "read",
    ("POST", f"{API}/workflows/lock/plan"): "read",
}
_ON_THE_PAGE: Mapping[Need, Right] = {"own": "operate", "person": "admin"}
"""What somebody needs for these who did not sign in on the page."""
_GROUPS: Mapping[str, tuple[Need, Need]] = {
    "/metrics": ("read", "admin"),
    "/docs": ("read", "admin"),
    "/openapi.json": ("read", "admin"),
    f"{API}/presets": ("read", "operate"),
    f"{API}/downloads": ("read", "operate"),
    f"{API}/models": ("read", "operate"),
    f"{API}/modelfiles": ("read", "operate"),
    f"{API}/featured-models": ("read", "operate"),
    f"{API}/hub": ("read", "operate"),
    f"{API}/storage": ("read", "operate"),
    f"{API}/workflows": ("read", "operate"),
    f"{API}/activity": ("read", "own"),
    f"{API}/dashboard": ("read", "operate"),
    f"{API}/system": ("read", "operate"),
    f"{API}/system/boards": ("admin", "admin"),  # all users' settings are in there
    f"{API}/state": ("read", "admin"),
    f"{API}/stream": ("read", "admin"),
    f"{API}/events": ("read", "publish"),
    f"{API}/asyncapi.json": ("read", "admin"),
    f"{API}/schemas": ("read", "admin"),
    f"{API}/session": ("any", "any"),
    f"{API}/user": ("read", "own"),
    f"{API}/user/tokens": ("person", "person"),
    f"{API}/webhooks": ("admin", "admin"),  # they send what happens here to somewhere else
}
"""What reading and what writing needs, for everything below a path; of several that fit, the longest counts."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is the user, whose board and settings he sees; `session` names the cookie or the token."""

    name: str
    session: str
    by_cookie: bool = False
    rights: frozenset[Right] = EVERYTHING
    token_name: str = ""
    display_name: str = ""
    expires_at: float | None = None
    """When these credentials end by themselves, in seconds since 1970."""

    @property
    def actor(self) -> str:
        """What stands in the log beside what he did: the user, and the token if it was one."""
        return f"{self.name}/token:{self.token_name}" if self.token_name else self.name

    def may(self, right: Right) -> bool:
        """Tell whether he has a right."""
        return right in self.rights


@lru_cache(maxsize=64)
def granted(scopes: frozenset[Right]) -> frozenset[Right]:
    """Return all rights that come with some scopes."""
    if "admin" in scopes:
        return EVERYTHING
    return scopes | {"read"} if "operate" in scopes else scopes


def in_order(rights: Iterable[Right]) -> list[Right]:
    """Return rights from the least to the greatest."""
    order: list[Right] = ["read", "operate", "publish", "admin"]
    there = set(rights)
    return [right for right in order if right in there]


def find(method: str, path: str) -> Need | None:
    """Return what the table says of a route, None when it says nothing. `path` is as `front.one_spelling` writes it."""
    exact = _EXACT.get((method, path))
    if exact is not None:
        return exact
    parts = path.split("/", 5)
    for length in (5, 4, 2):  # `/api/v1/user/tokens`, `/api/v1/presets`, `/metrics`
        group = _GROUPS.get("/".join(parts[:length]))
        if group is not None:
            return group[method not in SAFE_METHODS]
    return None


def needed(method: str, path: str) -> Need:
    """Return what a request needs. Of a path that the table does not name: reading finds nothing there, writing is
    for `admin`.
    """
    return find(method, path) or ("read" if method in SAFE_METHODS else "admin")


def check(principal: Principal, need: Need) -> None:
    """Raise ProblemError 403 that names the scope which is missing."""
    if need in principal.rights or need == "any":
        return
    if need in _ON_THE_PAGE:
        need = _ON_THE_PAGE[need]
        if principal.by_cookie or need in principal.rights:
            return
    raise ProblemError(
        403,
        "no_right",
        f"This needs the scope {need}, which these credentials do not have.",
        headers={"WWW-Authenticate": f'Bearer realm="modeldeck", error="insufficient_scope", scope="{need}"'},
        missing_scope=need,
    )
