"""What a server's refusal means, in words that say what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from downloader.errors import SourceError
from downloader.sources import Hop, Sources
from downloader.transfer.headers import parse_http_date, parse_retry_after
from downloader.transfer.response import Response

MAX_DETAIL_CHARS = 200


def refusal(response: Response, asked: Hop, sources: Sources, *, token_sent: bool) -> SourceError:
    """Return the error for an answer that is neither the file nor a redirect. `asked` is the first hop of the way."""
    status, host = response.status, response.hop.netloc
    code, message = _final(response, asked, sources, token_sent=token_sent)
    if code:
        return SourceError(code, message, host=host, status=status)
    now = parse_http_date(response.headers.get("date")) or datetime.now(UTC)  # whose clock is right does not matter
    wait_s = parse_retry_after(response.headers.get("retry-after"), now)
    if status == 429:
        message = f"{host} asks to slow down{_wait(wait_s)}."
        return SourceError("rate_limited", message, retryable=True, retry_after_s=wait_s, host=host, status=status)
    if status >= 500 or status in (408, 425):
        wait = "" if wait_s is None else f" and asks to wait {wait_s:.0f} s"
        message = f"{host} has trouble (HTTP {status}){wait}{_detail(response)}."
        return SourceError("server_error", message, retryable=True, retry_after_s=wait_s, host=host, status=status)
    return SourceError("http_error", f"{host} answered HTTP {status}{_detail(response)}.", host=host, status=status)


def _final(response: Response, asked: Hop, sources: Sources, *, token_sent: bool) -> tuple[str, str]:
    """Return code and message of the refusals that asking again cannot change; an empty code for the others."""
    host, hub_code = response.hop.netloc, response.headers.get("x-error-code", "")
    setting = sources.token_name(asked.netloc)
    token = f"the token in {setting}" if setting else "the token"
    detail = _detail(response)
    if hub_code == "GatedRepo":
        advice = "with the account of your token" if token_sent else f"and set {setting or 'a token'}"
        page = "/".join(asked.target.split("?")[0].split("/resolve/")[0].split("/"))
        return "license_not_accepted", f"Access to {host}{page} must be granted first: accept its terms there {advice}."
    match response.status:
        case 401 if token_sent:
            return "unauthorized", f"{host} does not accept {token}: it may have expired. Set a valid one{detail}."
        case 401:
            advice = f"Set {setting}" if setting else "It may be private, or may not exist"
            if hub_code == "RepoNotFound":
                advice = f"It does not exist, or is private; for a private one set {setting or 'a token'}"
            return "unauthorized", f"{host} wants a sign-in for this file. {advice}{detail}."
        case 403:
            advice = f"{token} lacks the right to read this file" if token_sent else f"set {setting or 'a token'}"
            return "forbidden", f"{host} refuses access: {advice}{detail}."
        case 404:
            return "not_found", f"{host} has no such file: the link is wrong, or it was moved or deleted{detail}."
        case 410:
            return "gone", f"{host} says that this file is gone for good{detail}."
        case 451:
            return "legal_block", f"{host} may not serve this file for legal reasons{detail}."
    return "", ""


def _detail(response: Response) -> str:
    said = response.headers.get("x-error-message", "").strip()[:MAX_DETAIL_CHARS]
    printable = "".join(char if char.isprintable() else " " for char in said)
    return f" ({printable.rstrip('.')})" if printable else ""


def _wait(wait_s: float | None) -> str:
    return f", and to wait {wait_s:.0f} s" if wait_s is not None else ""
