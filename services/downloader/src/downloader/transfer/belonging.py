"""Whether an answer with bytes belongs to the file that is asked for, and to the bytes that are staged already."""

from __future__ import annotations

from downloader.errors import SourceError
from downloader.transfer.headers import ContentRange, parse_content_range, strong_validator
from downloader.transfer.journal import Identity
from downloader.transfer.response import Response
from downloader.transfer.verify import HTML_TYPES, html_page, may_be_html


class StartOverError(Exception):
    """What came does not belong to what is staged. `ranges` is False when the server cannot do ranges properly."""

    def __init__(self, *, ranges: bool = True) -> None:
        self.ranges = ranges


def validator_of(response: Response) -> str | None:
    """Return what tells these bytes from later ones under the same URL, fit for If-Range."""
    headers = response.headers
    return strong_validator(headers.get("etag"), headers.get("last-modified"), headers.get("date"))


def refuse_wrong_kind(response: Response, path: str) -> None:
    """Raise SourceError for a page in place of a model, and for a body in an encoding that nobody asked for."""
    host = response.hop.netloc
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if response.status != 416 and kind in HTML_TYPES and not may_be_html(path):
        raise html_page(path, host)
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        message = f"{host} compresses ({coding}) although it was asked not to: the file's bytes cannot be checked."
        raise SourceError("encoded_body", message, host=host)


def part_told(response: Response, first: int) -> ContentRange:
    """Return the Content-Range of a 206 that counts: it begins where asked, its parts agree; else StartOverError."""
    told = parse_content_range(response.headers.get("content-range"))
    fits = told is not None and told.first == first and told.last is not None and told.total is not None
    if told is None or not fits:
        raise StartOverError(ranges=False)
    if response.length is not None and told.last is not None and response.length != told.last - first + 1:
        raise StartOverError(ranges=False)
    return told


def refuse_unsafe_parts(response: Response, told: ContentRange, expected_sha256: str | None) -> None:
    """Start over in one piece when later parts could not be told to belong to the first."""
    only_part = told.last is not None and told.last + 1 == told.total
    if validator_of(response) is None and expected_sha256 is None and not only_part:
        raise StartOverError(ranges=False)


def check_same(
    response: Response, told: ContentRange, identity: Identity, size: int | None, hub_sha256: str | None
) -> None:
    """Start over unless a 206 is of the very bytes that are staged."""
    if size is not None and told.total != size:
        raise StartOverError
    if identity.validator is not None:
        validator = validator_of(response)
        # A 206 to an If-Range with an entity tag has to repeat the tag (RFC 9110 15.3.7); a date need not come.
        if validator != identity.validator and (identity.etag is not None or validator is not None):
            raise StartOverError
    if hub_sha256 is not None and identity.sha256 is not None and hub_sha256 != identity.sha256:
        raise StartOverError
