"""What can go wrong between a URL and a verified file, as one tree.

TransferError
 ├─ RefusedError       our own rules say no: host, address, redirect, path (final)
 ├─ SourceError        the server said no, or said something that is not the file
 ├─ LinkError          the way to the server failed (retryable)
 ├─ VerificationError  the bytes are not what was promised; the staging file is gone (final)
 ├─ PathConflictError  another file already has this path (final; `force` replaces it)
 ├─ DiskError          writing failed (retryable)
 ├─ NoSpaceError       the volume is full or would eat the reserve (staging is kept)
 └─ LockedError        another worker holds the staging lock (retryable)

`code` is stable and meant for programs; `message` is meant for people: what, where, what to do.
"""

from __future__ import annotations


class TransferError(Exception):
    """A transfer ended without its file.

    `retryable` says whether trying again without a change can help; `retry_after_s` is what the server asked for.
    `fetched_bytes` counts new bytes that this call made safe in staging before it failed: progress renews a retry
    budget.
    """

    def __init__(  # noqa: PLR0913  (all but two are keywords)
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        host: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.host = host
        self.status = status
        self.fetched_bytes = 0

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class RefusedError(TransferError):
    """Our own rules forbid it: `host_not_allowed`, `address_not_allowed`, `bad_url`, `bad_redirect`,
    `too_many_redirects`, `path_refused`.
    """


class SourceError(TransferError):
    """The server refused or answered something else than the file: `unauthorized`, `license_not_accepted`,
    `forbidden`, `not_found`, `gone`, `legal_block`, `rate_limited`, `server_error`, `http_error`, `html_page`,
    `bad_response`, `encoded_body`, `length_unknown`, `source_changed`, `link_expired`.
    """


class LinkError(TransferError):
    """The way to the server failed: `connection_failed`, `closed_early`, `stalled`, `tls_failed`."""


class VerificationError(TransferError):
    """The bytes are not what was promised: `hash_mismatch`, `size_mismatch`, `bad_header`. Staging was discarded."""


class PathConflictError(TransferError):
    """`path_conflict`: another file has this path already, and it is not what this request's source states."""


class DiskError(TransferError):
    """`disk_error`: the volume refused a write for another reason than space."""


class NoSpaceError(TransferError):
    """`no_space`: `needed_bytes` more are wanted than `free_bytes` minus the reserve holds. Staging is kept."""

    def __init__(self, message: str, *, needed_bytes: int, free_bytes: int) -> None:
        super().__init__("no_space", message, retryable=True)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class LockedError(TransferError):
    """`locked`: another worker holds this path's staging lock."""
