"""The gateway's HTTP API as methods.

ApiError            the gateway refused or failed; `code` is stable, `detail` is in plain words
UnreachableError    nothing answered, or what answered is not Modeldeck
"""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from gateway.cli.settings import Address
from gateway.cli.text import plain

Json = dict[str, Any]

API = "/api/v1"
_TIMEOUT = httpx.Timeout(30, connect=5)
PATIENT = httpx.Timeout(45, connect=5)
"""For what the gateway itself may wait 30 s for: fetching a catalog, deleting large files."""
_PAGE = 200


class ApiError(Exception):
    """The gateway answered with an error."""

    def __init__(self, status: int, code: str, detail: str, body: Json | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.body = status, code, detail, body or {}

    @property
    def passing(self) -> bool:
        """True when asking again later may help."""
        return self.status in {429, 502, 503, 504}


class UnreachableError(Exception):
    """The gateway could not be asked."""


class _BrokenError(UnreachableError):
    """The connection ended before the answer: nobody knows whether the request took effect."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What an id given by a person names."""

    kind: Literal["presets", "downloads"]
    id: str
    download_id: str | None = None
    """The download that is meant, when there is one."""

    @property
    def path(self) -> str:
        """Path below the API's base, escaped."""
        return f"/{self.kind}/{quote(self.id, safe='')}"


class Client:
    """One gateway. Use it as a context manager; methods raise ApiError and UnreachableError."""

    def __init__(self, address: Address) -> None:
        self.address = address
        headers = {"Accept": "application/json", "User-Agent": "modeldeck-cli"}
        if address.token:
            headers["Authorization"] = f"Bearer {address.token}"
        # A proxy from the environment is for the world outside; a loopback address would be the proxy's own.
        self._http = httpx.Client(
            base_url=address.url, headers=headers, timeout=_TIMEOUT, trust_env=not address.loopback
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- reading ---------------------------------------------------------------------------------------------------

    def readiness(self) -> tuple[bool, Json]:
        """Whether the gateway's read models have caught up, and what it says about it; works without a token."""
        response = self._send("GET", "/readyz")
        try:
            body = response.json()
        except ValueError:
            body = {}
        return response.status_code == 200, body if isinstance(body, dict) else {}

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Return what a GET of `path` below the API's base answers."""
        return self._call("GET", f"{API}{path}", params=params)

    def queue(self) -> Json:
        """Return the queue object."""
        return self._call("GET", f"{API}/presets/queue/status")

    def last_seq(self) -> int:
        """Return the sequence of the newest entry of the log that can be read."""
        return int(self._call("GET", f"{API}/system/health").get("seq") or 0)

    def resources(self) -> Json:
        """Return the newest host samples."""
        return self._call("GET", f"{API}/system/resources")

    def presets(self) -> list[Json]:
        """Return every preset of the catalog."""
        found: list[Json] = []
        params: dict[str, str | int] = {"limit": _PAGE}
        while True:
            page = self._call("GET", f"{API}/presets/", params=params)
            items = list_of(page, "presets")
            found += items
            cursor = page.get("next_cursor")
            if cursor:
                params["cursor"] = str(cursor)
            elif items and len(found) < int(page.get("total") or 0):
                params["offset"] = len(found)
            else:
                return found

    def download(self, download_id: str) -> Json:
        """Return one download."""
        return self._call("GET", f"{API}{Target('downloads', download_id).path}")

    def events(self, after: int) -> Iterator[Json]:
        """Yield the log's entries after a sequence, to its present end."""
        while True:
            page = self._call("GET", f"{API}/events", params={"after": after, "limit": _PAGE})
            for entry in list_of(page, "events"):
                after = int(entry["seq"])
                yield entry
            after = max(after, int(page.get("seq") or 0))
            if not page.get("more"):
                return

    def plan(self, presets: list[str], templates: list[str]) -> Json:
        """Return what installing these presets and what these templates miss would need, per volume."""
        asked = {"presets": presets, "templates": templates}
        return self._call("POST", f"{API}/downloads/plan", json={name: ids for name, ids in asked.items() if ids})

    def find(self, given_id: str) -> Target:
        """Return whether an id names a preset or a download, by asking; 404 (ApiError) when it names neither."""
        preset = self._look_up("presets", given_id)
        # Routes such as /presets/categories answer too, but not with an object of that id.
        if preset is not None and preset.get("id") == given_id:
            return Target("presets", given_id, preset.get("download_id"))
        download = self._look_up("downloads", given_id)
        if download is not None and download.get("download_id") == given_id:
            return Target("downloads", given_id, given_id)
        queue = self.queue()
        for item in (item for name in ("active", "queue", "completed") for item in queue.get(name) or []):
            if item.get("preset_id") == given_id:  # no longer in the catalog, and still in the queue
                return Target("downloads", item["download_id"], item["download_id"])
        raise ApiError(404, "not_found", f"there is no preset and no download {plain(given_id)!r}")

    def _look_up(self, kind: Literal["presets", "downloads"], given_id: str) -> Json | None:
        if given_id in {"", ".", ".."}:
            return None
        try:
            return self._call("GET", f"{API}{Target(kind, given_id).path}")
        except ApiError as error:
            if error.status in {404, 422}:
                return None
            raise

    # -- writing ---------------------------------------------------------------------------------------------------

    def install(self, preset_id: str, *, force: bool) -> Json:
        """Queue a preset; returns `{preset_id, status, download_id}`."""
        return self.write("POST", f"{Target('presets', preset_id).path}/install", params={"force": _flag(force)})

    def install_file(self, body: Json) -> Json:
        """Queue a single file: `{url, path, sha256?, size_bytes?}` or `{repo, filename, revision?, path?}`."""
        return self.write("POST", "/downloads", body=body)

    def act(self, target: Target, verb: str, params: Mapping[str, str] | None = None, body: Json | None = None) -> Json:
        """Ask for a change of one preset's or download's state."""
        return self.write("POST", f"{target.path}/{verb}", params=params, body=body)

    def configure(self, changes: Json) -> Json:
        """Change the pool's settings: `{max_concurrent?, bandwidth_limit?, paused?}`."""
        return self.write("PATCH", "/downloads/settings", body=changes)

    def refresh(self) -> Json:
        """Fetch the catalog again."""
        return self.write("POST", "/presets/refresh", timeout=PATIENT)

    # -- streaming -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def stream(self, topics: str, last_event_id: str, silence_s: float) -> Iterator[Iterator[bytes]]:
        """Open the live stream; yields its raw chunks. More than `silence_s` without a byte is UnreachableError."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        timeout = httpx.Timeout(silence_s, connect=5)
        with (
            self._transport_errors(),
            self._http.stream(
                "GET", f"{API}/stream", params={"topics": topics}, headers=headers, timeout=timeout
            ) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise _api_error(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise self._not_modeldeck()
            yield response.iter_bytes()

    def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | bytes | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> Json:
        """Ask for a change at `path` below the API's base; sent again, it is known as the same. Bytes go as JSON."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        sent: Json = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self._call(method, f"{API}{path}", params=params, headers=headers, timeout=timeout, **sent)

    # -- inner parts -----------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, **options: Any) -> Json:
        try:
            response = self._send(method, path, **options)
        except _BrokenError:
            response = self._send(method, path, **options)  # a write carries its idempotency key again
        if response.is_error:
            raise _api_error(response)
        if response.status_code == 204:
            return {}
        try:
            body = response.json()
        except ValueError:
            raise self._not_modeldeck() from None
        if not response.is_success or not isinstance(body, dict):
            raise self._not_modeldeck()
        return body

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._transport_errors():
            return self._http.request(method, path, **options)

    def _not_modeldeck(self) -> UnreachableError:
        return UnreachableError(f"what answers at {self.address.url} is not Modeldeck; check --url")

    @contextlib.contextmanager
    def _transport_errors(self) -> Iterator[None]:
        url = self.address.url
        try:
            yield
        except httpx.ConnectError:
            raise UnreachableError(f"nothing answers at {url}; start the product with `modeldeck up`") from None
        except httpx.TimeoutException as error:
            late = "connection" if isinstance(error, httpx.ConnectTimeout) else "answer"
            raise UnreachableError(f"no {late} from {url} in time; `modeldeck queue` tells what became of it") from None
        except httpx.TransportError as error:
            raise _BrokenError(f"the connection to {url} broke: {plain(error) or type(error).__name__}") from None
        except httpx.DecodingError:
            raise self._not_modeldeck() from None
        except httpx.InvalidURL as error:
            raise UnreachableError(f"{url} cannot be used: {plain(error)}") from None


def _api_error(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    code = plain(body.get("code") or f"http_{response.status_code}")
    detail = body.get("detail") or body.get("title") or response.reason_phrase
    return ApiError(response.status_code, code, plain(detail if isinstance(detail, str) else str(detail)), body)


def list_of(page: Json, name: str) -> list[Json]:
    """Return the answer's list of that name; raises UnreachableError when it has none."""
    items = page.get(name)
    if not isinstance(items, list):
        raise UnreachableError(f"the gateway's answer has no list {name!r}; is it of the same version?")
    return items


def _flag(value: bool) -> str:
    return "true" if value else "false"
