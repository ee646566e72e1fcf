"""What is asked through huggingface_hub, and what its errors mean. Runs in threads.

Imported by the thread that asks first, never at the start: the library costs 18 MB of memory and 0.3 s.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx2
import structlog
from huggingface_hub import HfApi, constants, get_session, set_client_factory
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils._http import parse_ratelimit_headers

from catalog.hubs.hosts import HubHost
from catalog.hubs.hub_transport import Rules, client, holding
from catalog.hubs.problems import HubError, bad_answer, not_found, rate_limited, unreachable

MAX_README_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 86_400
_UNUSABLE = (TypeError, ValueError, KeyError, AttributeError, RecursionError)
"""What the library raises for JSON that is none, or not what the hub answers."""
_log = structlog.get_logger(__name__)


@cache
def prepare() -> None:
    """Set the library up for this process, once: another time would close its connections under running calls."""
    constants.HF_HUB_DISABLE_TELEMETRY = True
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # failures are told by us, with what to do
    set_client_factory(client)


def model_info(host: HubHost, repo: str, revision: str, *, known_etag: str, deadline: float) -> tuple[ModelInfo, str]:
    """Ask for a repository with its files; return it with the answer's ETag ("" when it has none).

    A token that the hub refuses is tried without: an expired one must not hide public repositories. Raises
    NotModifiedError, HubError.
    """
    if constants.is_offline_mode():
        raise unreachable(host.name, "HF_HUB_OFFLINE is set")
    try:
        return _model_info(host, repo, revision, known_etag, deadline)
    except HubError as refused:
        if refused.code != "unauthorized" or not host.token:
            raise
        try:
            found = _model_info(replace(host, token=None), repo, revision, known_etag, deadline)
        except HubError as error:
            raise (error if error.away else refused) from error
        _say_refused(host.name)
        return found


@cache
def _say_refused(hub: str) -> None:
    """Log once that the token is worth nothing: what is public is shown without it, what is private is not found."""
    _log.warning("the hub does not accept HF_TOKEN; it is asked without", hub=hub)


def _model_info(host: HubHost, repo: str, revision: str, known_etag: str, deadline: float) -> tuple[ModelInfo, str]:
    api = HfApi(endpoint=host.base, token=host.token or False, library_name="modeldeck")
    try:
        with holding(Rules(host, deadline, known_etag=known_etag)) as rules:
            info = api.model_info(repo, revision=revision or None, files_metadata=True)
    except HFValidationError as error:
        raise not_found("repository_not_found", f"{host.name} has no repository {repo}: {error}") from error
    except HfHubHTTPError as error:
        raise _refusal(error, host, repo, revision) from error
    except (httpx2.TooManyRedirects, httpx2.InvalidURL, httpx2.DecodingError) as error:
        raise bad_answer(host.name, str(error)) from error
    except (httpx2.HTTPError, OSError) as error:
        reason = "it took too long" if isinstance(error, httpx2.TimeoutException) else str(error)
        raise unreachable(host.name, reason or type(error).__name__) from error
    except _UNUSABLE as error:
        raise bad_answer(
            host.name, f"something that does not describe a repository ({type(error).__name__})"
        ) from error
    return info, rules.etag


def _refusal(error: HfHubHTTPError, host: HubHost, repo: str, revision: str) -> HubError:
    """Return what the hub's refusal means, and what to do about it."""
    match error:
        case RevisionNotFoundError():
            return not_found("revision_not_found", f"{repo} has no branch, tag or commit {revision or 'main'}")
        case GatedRepoError():
            account = "the account of HF_TOKEN" if host.token else "your account, and set HF_TOKEN"
            message = f"{repo} is gated: accept its terms on {host.page}/{repo} with {account}, then try again"
            return HubError(message, code="gated", status=403)
        case DisabledRepoError():
            return HubError(f"{host.name} has disabled {repo}", code="forbidden", status=403)
        case RepositoryNotFoundError():
            hint = "" if host.token else "; for a private one set HF_TOKEN"
            return not_found("repository_not_found", f"{host.name} has no repository {repo} that may be seen{hint}")
    return _by_status(error.response, host, repo)


def _by_status(response: httpx2.Response, host: HubHost, repo: str) -> HubError:
    status = response.status_code
    if status == 401:
        message = f"{host.name} does not accept HF_TOKEN: it may have expired; set a valid one"
        if not host.token:
            message = f"{host.name} wants a sign-in for {repo}; set HF_TOKEN"
        return HubError(message, code="unauthorized", status=401)
    if status == 403:
        message = f"{host.name} refuses access to {repo}: HF_TOKEN lacks the right to read it"
        return HubError(message, code="forbidden", status=403)
    if status == 404:
        return not_found("repository_not_found", f"{host.name} has no repository {repo}")
    if status == 429:
        return rate_limited(host.name, _retry_after_s(response.headers))
    if status >= 500 or status == 408:
        return unreachable(host.name, f"it answers HTTP {status}")
    return bad_answer(host.name, f"HTTP {status}")


def _retry_after_s(headers: httpx2.Headers) -> int | None:
    """Return how long to wait: both forms of Retry-After, else the hub's own RateLimit header."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said[:12]), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        limits = parse_ratelimit_headers(headers)
        return min(limits.reset_in_seconds, MAX_RETRY_AFTER_S) if limits is not None else None
    left_s = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(math.ceil(left_s), 0), MAX_RETRY_AFTER_S)


def readme(host: HubHost, repo: str, commit: str, *, deadline: float) -> str:
    """Return the beginning of a repository's README.md, "" when there is none that may be read now."""
    headers = {"Range": f"bytes=0-{MAX_README_BYTES - 1}"}
    if host.token:
        headers["Authorization"] = f"Bearer {host.token}"
    try:
        with holding(Rules(host, deadline, max_bytes=MAX_README_BYTES, cut=True)):
            answer = get_session().get(f"{host.base}/{repo}/resolve/{commit}/README.md", headers=headers)
    except (HubError, httpx2.HTTPError, httpx2.InvalidURL, OSError):
        return ""
    return answer.content.decode(errors="replace") if answer.status_code in (200, 206) else ""
