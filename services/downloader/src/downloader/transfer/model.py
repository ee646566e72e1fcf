"""The words of the transfer engine: what is asked for, what is known, what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Stage = Literal["downloading", "verifying"]
Verified = Literal["sha256", "header", "size"]
Action = Literal["downloaded", "present", "linked"]


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One file: `path` is relative to the models folder, POSIX. `size_bytes` is exact; a guess goes into
    `approx_size_bytes` (used for nothing but the space check when the server names no length).
    `force` replaces a file of another source that has the path, `replaces_url` one that was fetched from there.
    """

    path: str
    url: str
    size_bytes: int | None = None
    approx_size_bytes: int | None = None
    sha256: str | None = None
    force: bool = False
    replaces_url: str | None = None


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that was verified before, as the log tells it. `mtime_ns`, when known, tells an edited file from ours."""

    path: str
    url: str | None
    size_bytes: int
    sha256: str | None
    mtime_ns: int | None = None


class KnownFiles(Protocol):
    """Look-up of verified files; whether they are still on the disk is checked by the engine."""

    def at_path(self, path: str) -> KnownFile | None:
        """Return what was verified at this path."""

    def with_sha256(self, sha256: str) -> Sequence[KnownFile]:
        """Return the files with this content."""

    def from_url(self, url: str) -> Sequence[KnownFile]:
        """Return the files that came from exactly this URL."""


class NothingKnown:
    """The empty look-up."""

    def at_path(self, path: str) -> KnownFile | None:  # noqa: ARG002
        """Return None."""
        return None

    def with_sha256(self, sha256: str) -> Sequence[KnownFile]:  # noqa: ARG002
        """Return nothing."""
        return ()

    def from_url(self, url: str) -> Sequence[KnownFile]:  # noqa: ARG002
        """Return nothing."""
        return ()


class OnProgress(Protocol):
    """Called on the event loop at most 4 times a second; must be cheap and must not block."""

    def __call__(self, done_bytes: int, total_bytes: int | None, stage: Stage) -> None:
        """Tell how many bytes of the file are safe on the disk; falls only when bytes were really discarded."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """A whole file under its final name.

    `verified`: "sha256" when an expected hash agreed, "header" when only GGUF or safetensors headers could be
    checked, "size" when only the length could. `sha256` is what the bytes hash to (None only for a file that was
    present and accepted by its size). `fetched_bytes` counts what came over the network in this call,
    `resumed_from_bytes` what staging already held.
    """

    path: str
    size_bytes: int
    sha256: str | None
    etag: str | None
    final_host: str | None
    verified: Verified
    action: Action
    resumed_from_bytes: int
    fetched_bytes: int
    mtime_ns: int
