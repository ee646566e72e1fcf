"""The local token: from the settings, or made once with 128 random bits and kept in a file of mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

FILE_NAME = "token"
TOKEN_BYTES = 16


def load_token(data_dir: Path, given: str | None) -> str:
    """Return the token to use; the first call without a given one makes it. Raises OSError when it cannot be kept."""
    if given:
        return given
    file = data_dir / FILE_NAME
    try:
        return _read(file)
    except FileNotFoundError:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = data_dir / f".{FILE_NAME}.{secrets.token_hex(4)}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(secrets.token_hex(TOKEN_BYTES) + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(part, file)  # unlike a rename this never replaces a token that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return _read(file)


def _read(file: Path) -> str:
    token = file.read_text(encoding="ascii", errors="replace").strip()
    if not token or not token.isprintable() or not token.isascii():
        raise OSError(f"{file} holds no token: remove it, and a new one is made at the next start")
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        file.chmod(0o600)
    return token
