"""How set-up fails: with a message for a person."""


class SetupError(Exception):
    """Set-up cannot go on; the message says why, and what to do."""
