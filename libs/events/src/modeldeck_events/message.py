"""What all messages have in common: frozen structs with a type name that never changes its meaning.

A type is `modeldeck.<aggregate>.<past participle>.v<N>` for facts. Inside a version only additive change is allowed:
new fields have defaults. A new version is a new class and ships with its upcaster (`upcasters.py`).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a stranger's JSON can raise; the last one when it is nested too deeply, even in an unknown field."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of everything that travels as JSON on the bus; unknown fields are ignored, so readers may be older.

    What was JSON holds no cycles: with `gc` off the collector passes over the hundred thousands that folds keep.
    """


class Event(Message, frozen=True, kw_only=True):
    """A fact, kept for ever in EVENTS. `TYPE` is its CloudEvents type."""

    TYPE: ClassVar[str] = ""


class Command(Message, frozen=True, kw_only=True):
    """A request to one service, subject `cmd.<service>.<verb>`.

    `KEY` names the field whose value ends the subject as a further token, unless it is empty: with the pool there, the
    services of several pools share one bus.

    `command_id` makes a repeated command one command: the ids of the events that follow from it derive from it.
    `actor` is who asked (a user, a token's name, `policy:<name>`).
    """

    SERVICE: ClassVar[str] = ""
    VERB: ClassVar[str] = ""
    KEY: ClassVar[str] = ""

    command_id: str = ""
    actor: str = ""

    @property
    def key(self) -> str:
        """The value of the field `KEY`."""
        return str(getattr(self, self.KEY)) if self.KEY else ""


class Reading(Message, frozen=True, kw_only=True):
    """A measurement whose newest value counts; it never enters EVENTS."""

    KIND: ClassVar[str] = ""


class Reply(Message, frozen=True, kw_only=True):
    """Answer to a command.

    `ok` false means refused: then `code` (stable), `message` (plain words) and `status` (HTTP) say why. `seq` is the
    last sequence appended for this command, 0 when nothing had to be (then `data` tells the present state).
    """

    ok: bool
    seq: int = 0
    code: str = ""
    message: str = ""
    status: int = 200
    data: dict[str, object] = {}
