"""Civitai, by its public REST interface: a model version's files, hashes and where they belong.

Routes: `GET /api/v1/model-versions/{id}`, and `GET /api/v1/models/{id}` to find the newest version of a model.
(developer.civitai.com, "Public REST API".)
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from modeldeck_events.message import UNREADABLE
from modeldeck_events.modelfiles import ModelMetadata
from modeldeck_events.repositories import Repository

from catalog.hubs.hosts import HubHost
from catalog.hubs.links import CivitaiLink
from catalog.hubs.problems import HubError, bad_answer, not_found, rate_limited, unreachable
from catalog.hubs.remembering import Told
from catalog.hubs.values import number, plain, sha256, text, texts
from catalog.hubs.variants import HubFile, variants

LIMIT_S = 10.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_DESCRIPTION_CHARS = 600
FOLDERS = {
    "checkpoint": "checkpoints",
    "controlnet": "controlnet",
    "dora": "loras",
    "hypernetwork": "hypernetworks",
    "locon": "loras",
    "lora": "loras",
    "textualinversion": "embeddings",
    "upscaler": "upscale_models",
    "vae": "vae",
}
"""Where files of a type belong below the models folder; all others go to `downloads/civitai/<model>`."""
_DOWNLOAD = re.compile(r"https://(?:www\.)?civitai\.com/api/download/models/\d+(?:\?(?!.*token)[\w.%+=&-]*)?", re.ASCII)
_NO_WEIGHTS = frozenset({"archive", "config", "training data"})


class Civitai:
    """Civitai at one address."""

    def __init__(self, host: HubHost, *, limit_s: float = LIMIT_S) -> None:
        self.host = host
        self._limit_s = limit_s

    async def ask(self, link: CivitaiLink, known: Told | None) -> Told:
        """Return what the hub says; `known` itself when it says that this still holds. Raises HubError."""
        timeout = aiohttp.ClientTimeout(total=self._limit_s)
        try:
            async with aiohttp.ClientSession(
                timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                return await self._ask(session, link, known)
        except TimeoutError as error:
            raise unreachable(self.host.name, f"no answer within {self._limit_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(self.host.name, str(error) or type(error).__name__) from error

    async def _ask(self, session: aiohttp.ClientSession, link: CivitaiLink, known: Told | None) -> Told:
        version_id = link.version_id
        if version_id is None:
            model, _ = await self._get(session, f"models/{link.model_id}", "")
            version_id = _newest_version(model)
            if version_id is None:
                raise not_found("revision_not_found", f"the model {link.model_id} has no version that can be had")
        said, etag = await self._get(session, f"model-versions/{version_id}", known.etag if known else "")
        if said is None:
            assert known is not None  # noqa: S101 - without an ETag nothing is said to be unmodified
            return known
        found = repository(said, page=self.host.page)
        if found is None or found.revision != str(version_id):
            raise bad_answer(self.host.name, "something that does not describe a model version")
        if link.model_id is not None and found.repo != repo_of(link.model_id):
            raise not_found("revision_not_found", f"the version {version_id} belongs to another model ({found.repo})")
        return Told(found, etag)

    async def _get(self, session: aiohttp.ClientSession, path: str, etag: str) -> tuple[Any, str]:
        """Return an answer's JSON and ETag, None when it is still that of `etag`."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "modeldeck"}
        if etag:
            headers["If-None-Match"] = etag
        if self.host.token:
            headers["Authorization"] = f"Bearer {self.host.token}"
        url = f"{self.host.base}/api/v1/{path}"
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            if etag and answer.status == 304:
                return None, etag
            if answer.status != 200:
                raise self._refusal(answer, path)
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise bad_answer(self.host.name, "compressed bytes, though none were asked for")
            data = bytearray()
            async for chunk in answer.content.iter_chunked(256 * 1024):
                data += chunk
                if len(data) > MAX_ANSWER_BYTES:
                    raise bad_answer(self.host.name, f"more than {MAX_ANSWER_BYTES} bytes")
        try:
            return msgspec.json.decode(bytes(data)), answer.headers.get("ETag", "")[:200]
        except UNREADABLE as error:
            raise bad_answer(self.host.name, "something that is not JSON") from error

    def _refusal(self, answer: aiohttp.ClientResponse, path: str) -> HubError:
        """Return what the hub's refusal means; a redirect is one, as its interface has none."""
        hub, status = self.host.name, answer.status
        if status == 404:
            return not_found("repository_not_found", f"{hub} has no {path.replace('/', ' ').replace('-', ' ')}")
        if status == 401:
            said = "does not accept CIVITAI_TOKEN" if self.host.token else "wants a sign-in; set CIVITAI_TOKEN"
            return HubError(f"{hub} {said}", code="unauthorized", status=401)
        if status == 403:
            return HubError(f"{hub} refuses access to {path}", code="forbidden", status=403)
        if status == 429:
            said = answer.headers.get("Retry-After", "").strip()
            return rate_limited(hub, min(int(said[:12]), 86_400) if said.isascii() and said.isdigit() else None)
        if status >= 500 or status == 408:
            return unreachable(hub, f"it answers HTTP {status}")
        return bad_answer(hub, f"HTTP {status}")


def repo_of(model_id: int) -> str:
    """Return the name of a model's repository."""
    return f"civitai/{model_id}"


def repository(said: Any, *, page: str) -> Repository | None:
    """Return a model version as a repository at the revision of its id; None when it is not described."""
    version_id, model_id = (number(said.get(name)) for name in ("id", "modelId")) if isinstance(said, dict) else (0, 0)
    if not version_id or not model_id:
        return None
    model = _mapping(said.get("model"))
    stats = _mapping(said.get("stats"))
    kind = text(model.get("type"), 100)
    base_model = text(said.get("baseModel"), 100)
    words = ", ".join(texts(said.get("trainedWords")))
    files = {name: file for file in _chosen(said) if (name := text(file.get("name"), 1000))}
    chosen, left_out = variants(
        [HubFile(name, _size_bytes(file), _sha256(file)) for name, file in files.items()],
        url=lambda name: _url(files[name], version_id, page),
        path=lambda name: _path(name, files[name], kind, model_id),
    )
    names = [text(model.get("name"), 200), text(said.get("name"), 200)]
    return Repository(
        hub="civitai",
        repo=repo_of(model_id),
        revision=str(version_id),
        likes=number(stats.get("thumbsUpCount")),
        downloads=number(stats.get("downloadCount")),
        description=plain(said.get("description"), MAX_DESCRIPTION_CHARS),
        model_type=kind,
        last_modified=_moment(said.get("updatedAt")) or _moment(said.get("createdAt")),
        metadata=ModelMetadata(
            name=" ".join(name for name in names if name) or None,
            family=base_model,
            base_model=base_model,
            extra={"trained_words": words} if words else {},
        ),
        links={"civitai": f"{page}/models/{model_id}?modelVersionId={version_id}"},
        variants=chosen,
        left_out=left_out,
    )


def _newest_version(model: Any) -> int | None:
    """Return the first version that the model lists: the newest one that is published."""
    listed = model.get("modelVersions") if isinstance(model, dict) else None
    found = (number(_mapping(version).get("id")) for version in (listed if isinstance(listed, list) else ()))
    return next((version_id for version_id in found if version_id), None)


def _chosen(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files that hold weights, the primary one last so that it wins a name that two of them have."""
    listed = said.get("files")
    files = [_mapping(file) for file in (listed if isinstance(listed, list) else ())]
    weights = [file for file in files if str(file.get("type", "")).lower() not in _NO_WEIGHTS]
    return sorted(weights, key=lambda file: file.get("primary") is True)


def _size_bytes(file: dict[str, Any]) -> int | None:
    """Return the size when `sizeKB` (KiB, with a fraction) states it to the byte; a rounded one verifies nothing."""
    stated = file.get("sizeKB")
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 <= stated <= 2**50:
        return None
    exact = stated * 1024
    return int(exact) if float(exact).is_integer() else None


def _sha256(file: dict[str, Any]) -> str | None:
    return sha256(_mapping(file.get("hashes")).get("SHA256"))


def _url(file: dict[str, Any], version_id: int, page: str) -> str:
    """Return the file's own link when it leads to Civitai's downloads, else that of the version's main file."""
    stated = text(file.get("downloadUrl"), 2000) or ""
    return stated if _DOWNLOAD.fullmatch(stated) else f"{page}/api/download/models/{version_id}"


def _path(name: str, file: dict[str, Any], kind: str | None, model_id: int) -> str:
    """Return where the file belongs; beside a checkpoint a VAE goes to the VAEs. "" for a name with folders in it."""
    if "/" in name:
        return ""
    own = "vae" if str(file.get("type", "")).lower() == "vae" else (kind or "").lower()
    folder = FOLDERS.get(own)
    return f"{folder}/{name}" if folder else f"downloads/{repo_of(model_id)}/{name}"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
