"""Errors as RFC 9457 problem documents with a stable `code`; one way to say no, for every part of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from gateway.frames import encode

MEDIA_TYPE = b"application/problem+json"


class ProblemError(Exception):
    """An answer that is an error: `code` is stable snake_case, the text says what, where and what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def body(self) -> bytes:
        """Return the problem document."""
        return encode(
            {
                "type": f"urn:modeldeck:problem:{self.code}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "code": self.code,
                "detail": self.detail,
            }
            | self.more
        )


def away(detail: str, *, retry_after_s: int = 2) -> ProblemError:
    """Return the 503 of a part of the product that does not answer at present."""
    return ProblemError(503, "service_unavailable", detail, headers={"Retry-After": str(retry_after_s)})


def not_ready() -> ProblemError:
    """Return the 503 of a gateway whose read models have not caught up with the log."""
    return ProblemError(
        503, "not_ready", "The read models have not caught up with the event log yet.", headers={"Retry-After": "1"}
    )


def internal() -> ProblemError:
    """Return the 500 of what should not have happened."""
    return ProblemError(500, "internal", "The gateway could not do this; its log says why.")


def not_found(what: str, code: str = "not_found") -> ProblemError:
    """Return a 404."""
    return ProblemError(404, code, what)
