"""What a request carries: the fact as a structured CloudEvent, signed as Standard Webhooks say."""

from __future__ import annotations

import base64
import hashlib
import hmac

from modeldeck_events.store import Record

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
VERSION = "v1"


def message_id(record: Record) -> str:
    """Return the id of the message, the same whenever it is sent again: receivers go by it."""
    text = f"{record.source}\n{record.id}"
    return f"msg_{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def headers(key: bytes, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a request; the signature covers the id, the time (seconds since 1970) and the body."""
    signed = hmac.digest(key, b"%b.%d.%b" % (identity.encode(), timestamp, body), "sha256")
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{VERSION},{base64.b64encode(signed).decode()}",
    }
