"""Errors of the event flow; the class decides what delivery does with a message.

* EventsError
  + CommandNotAllowedError: the state forbids the command; tell the caller.
  + ConflictError: someone else appended first; reload and decide again.
  + TransientError: worth another try; the message is nacked with a delay.
  + PoisonError: no try will help; the message goes to DEAD_LETTERS.
  + UnavailableError: the bus did not answer in time; the caller may repeat the same request.
"""

from __future__ import annotations


class EventsError(Exception):
    """Base of every error that this library raises on purpose."""


class CommandNotAllowedError(EventsError):
    """The command is refused: `code` is stable snake_case, `status` the HTTP status that fits, the text says why."""

    def __init__(self, message: str, *, code: str = "not_allowed", status: int = 409) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ConflictError(EventsError):
    """The guard refused a stale append: the subject's last sequence is no longer the expected one."""


class TransientError(EventsError):
    """Something that will probably work later; `delay_s` says when to try again."""

    def __init__(self, message: str, *, delay_s: float = 1.0) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class PoisonError(EventsError):
    """The message can never be handled: undecodable, of an unknown type, or against its schema."""


class UnavailableError(EventsError):
    """NATS or JetStream did not answer in time."""
