"""Several files that are one document, such as a registry and the presets beside it, as the bytes of one file.

So whatever handles documents (the kept copies, their backup, the parser) handles both kinds alike, and one rename puts
all of it in place.
"""

from __future__ import annotations

import msgspec

_MARK = b'{"format":"modeldeck-bundle/1"'


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """One further file; `problem` says why its text could not be had."""

    text: str = ""
    problem: str = ""


class Bundle(msgspec.Struct, frozen=True, tag="modeldeck-bundle/1", tag_field="format"):
    """The document's own file as text, and the further files by their names in it."""

    root: str
    files: dict[str, Member] = {}


def pack(bundle: Bundle) -> bytes:
    """Return the bundle as bytes, the same ones for equal bundles."""
    return msgspec.json.encode(bundle, order="deterministic")


def unpack(data: bytes) -> Bundle | None:
    """Return the bundle in `data`, None when that is something else."""
    if not data.startswith(_MARK):
        return None
    try:
        return msgspec.json.decode(data, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
