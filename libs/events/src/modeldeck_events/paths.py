"""Which relative paths may name a model file (quality.md, Security): refused with a reason, never cleaned."""

from __future__ import annotations

import re

MAX_PATH_BYTES = 1000
MAX_NAME_BYTES = 240
"""Room for the staging file's own prefix and suffix within the 255 bytes that file systems give a name."""

_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


class ModelPathError(ValueError):
    """A path that may not name a model file; the text says why."""


def check_model_path(path: str) -> str:
    """Return `path` unchanged when it may name a file below a models folder; raises ModelPathError otherwise.

    Allowed: POSIX style, relative, no empty, `.` or `..` part, no control characters, backslashes, drive letters,
    names reserved on Windows, trailing dots or spaces; a part up to 240 bytes, the whole up to 1000 bytes.
    """
    shown = ascii(path if len(path) <= 80 else path[:77] + "...")
    if not path:
        raise ModelPathError("the path is empty")
    if _CONTROL.search(path):
        raise ModelPathError(f"the path {shown} contains control characters")
    if "\\" in path:
        raise ModelPathError(f"the path {shown} contains a backslash; use / between folders")
    if path.startswith("/"):
        raise ModelPathError(f"the path {shown} is absolute; it must be relative to the models folder")
    try:
        encoded = path.encode()
    except UnicodeEncodeError as error:
        raise ModelPathError(f"the path {shown} is not valid Unicode") from error
    if len(encoded) > MAX_PATH_BYTES:
        raise ModelPathError(f"the path {shown} is longer than {MAX_PATH_BYTES} bytes")
    for part in path.split("/"):
        _check_part(part, shown)
    return path


def _check_part(part: str, shown: str) -> None:
    if part in ("", ".", ".."):
        raise ModelPathError(f"the path {shown} has the part {part!r}; name each folder plainly")
    if len(part.encode()) > MAX_NAME_BYTES:
        raise ModelPathError(f"the path {shown} has a name longer than {MAX_NAME_BYTES} bytes")
    if part.endswith((".", " ")) or part.startswith(" "):
        raise ModelPathError(f"the path {shown} has a name that begins with a space or ends with a dot or space")
    if ":" in part:
        raise ModelPathError(f"the path {shown} contains a colon (a drive letter or stream name)")
    if _RESERVED.fullmatch(part):
        raise ModelPathError(f"the path {shown} uses the reserved name {part!r}")
