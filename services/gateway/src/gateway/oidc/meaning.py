"""What an issuer's claims mean here: who somebody is, and what he may do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.rights import EVERYTHING, Principal, Right, granted, in_order

USER_PREFIX = "oidc:"
"""Before the issuer's `sub`: no account there can be the local user."""
EVERYBODY = "*"
DEFAULT_GRANTS: Mapping[str, Sequence[Right]] = {f"modeldeck:{right}": (right,) for right in in_order(EVERYTHING)}
"""What groups mean while nobody configured it: only names that nobody has by accident."""
MAX_SUBJECT_CHARS = 255
MAX_NAME_CHARS = 100
_NAMES = ("preferred_username", "name", "email")


@dataclass(frozen=True)
class Meaning:
    """`claim` holds a person's groups or scopes (`a.b` looks into objects); `scopes` says what each of them may do."""

    claim: str
    scopes: Mapping[str, Sequence[Right]]

    def principal(self, claims: Mapping[str, Any], session: str) -> Principal:
        """Return whom verified claims name; without any of the groups he has no rights."""
        rights = {right for value in {EVERYBODY, *_values(claims, self.claim)} for right in self.scopes.get(value, ())}
        return Principal(
            USER_PREFIX + str(claims["sub"]),
            session,
            rights=granted(frozenset(rights)),
            display_name=_name(claims),
            expires_at=float(claims["exp"]),
        )


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """Return the texts of a claim: a list of them, or one with spaces between (as OAuth writes `scope`)."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found.split()
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else []


def _name(claims: Mapping[str, Any]) -> str:
    names = (claims.get(claim) for claim in _NAMES)
    return next((name[:MAX_NAME_CHARS] for name in names if isinstance(name, str) and name.isprintable()), "")
