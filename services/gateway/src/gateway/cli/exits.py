"""What the process says to its caller when it ends."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Exit codes of every client command."""

    OK = 0
    FAILED = 1
    """The product refused, or what was waited for failed."""
    USAGE = 2
    UNREACHABLE = 3
    """Nothing answers at the address."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT, as shells count."""
