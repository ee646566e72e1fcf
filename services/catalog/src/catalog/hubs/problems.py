"""How asking a hub can fail; `code` and `status` are what the caller sees."""

from __future__ import annotations


class HubError(Exception):
    """A hub gave no answer that could be used. `away` means that it may answer another time: what it said last counts.

    bad_link 422, repository_not_found, revision_not_found and entry_not_found 404, gated and forbidden 403,
    unauthorized 401, rate_limited 429, hub_unreachable 503, bad_answer 502.
    """

    def __init__(
        self, message: str, *, code: str, status: int, away: bool = False, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.away = away
        self.retry_after_s = retry_after_s


def unreachable(hub: str, reason: str) -> HubError:
    """Return the error for a hub that does not answer, or is in trouble."""
    return HubError(f"{hub} cannot be reached: {reason}", code="hub_unreachable", status=503, away=True)


def rate_limited(hub: str, retry_after_s: int | None) -> HubError:
    """Return the error for a hub that asks to slow down."""
    wait = f"; try again in {retry_after_s} s" if retry_after_s is not None else "; try again later"
    message = f"{hub} answers no more requests for now{wait}"
    return HubError(message, code="rate_limited", status=429, away=True, retry_after_s=retry_after_s)


def bad_answer(hub: str, what: str) -> HubError:
    """Return the error for an answer that makes no sense."""
    return HubError(f"{hub} answered with {what}", code="bad_answer", status=502)


def not_found(code: str, message: str) -> HubError:
    """Return the error for what the hub does not have."""
    return HubError(message, code=code, status=404)
