"""What a person may write to name a repository or a file of a hub (R-194). Pure and total: a link, or a LinkError."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from modeldeck_events.paths import ModelPathError, check_model_path

MAX_CHARS = 2048
HUGGING_FACE_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
CIVITAI_HOSTS = frozenset({"civitai.com", "www.civitai.com"})
ACCEPTED = (
    "Write org/repo, org/repo@revision, a page or file link of huggingface.co, or a link to a model or a model version "
    "of civitai.com."
)
_REPO_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_REPO_PART}/{_REPO_PART}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}")
_LONG_REVISION = re.compile(r"(refs/(?:pr/\d{1,9}|convert/\w{1,100}))(?:/(.*))?", re.DOTALL)
_ID = r"([1-9]\d{0,17})"
_AIR = re.compile(rf"(?:urn:air:[\w.-]{{1,40}}:[\w.-]{{1,40}}:)?civitai:{_ID}(?:@{_ID})?", re.ASCII | re.IGNORECASE)
_CIVITAI_NAME = re.compile(rf"civitai/{_ID}(?:@{_ID})?", re.ASCII)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/?#]*@")
_OTHER_KINDS = {"datasets": "a dataset", "spaces": "a space", "collections": "a collection", "papers": "a paper"}
_WITH_REVISION = frozenset({"tree", "blob", "resolve", "raw"})
_WITHOUT = frozenset({"commit", "commits", "discussions"})


class LinkError(ValueError):
    """What was written names nothing on a hub; the text says why, and what is accepted."""


@dataclass(frozen=True, slots=True)
class HuggingFaceLink:
    """A repository of models; `revision` and `filename` are "" when they were not named."""

    repo: str
    revision: str = ""
    filename: str = ""

    def __str__(self) -> str:
        """Return the one text for it that every reader understands."""
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ""
        return f"hf://{self.repo}{revision}{'/' if self.filename else ''}{quote(self.filename)}"


@dataclass(frozen=True, slots=True)
class CivitaiLink:
    """A model, one of its versions, or both; at least one is there."""

    model_id: int | None = None
    version_id: int | None = None

    def __str__(self) -> str:
        """Return the one text for it that every reader understands."""
        if self.model_id is None:
            return f"civitai:{self.version_id}"
        return f"civitai/{self.model_id}" + (f"@{self.version_id}" if self.version_id else "")


Link = HuggingFaceLink | CivitaiLink


def parse(text: str, *, hubs: Iterable[str] = ()) -> Link:
    """Return what `text` names; raises LinkError. `hubs` are base URLs that stand for https://huggingface.co."""
    written = text.strip()
    if len(written) > MAX_CHARS:
        raise LinkError(f"That is longer than {MAX_CHARS} characters. {ACCEPTED}")
    if not written or not written.isprintable() or re.search(r"[\s\\]", written):
        raise LinkError(f"{_shown(written)} is empty, or has spaces or control characters in it. {ACCEPTED}")
    air = _AIR.fullmatch(written) or _CIVITAI_NAME.fullmatch(written)
    if air is not None:
        return _civitai_id(air[1], air[2], model=written.startswith("civitai/"))
    if written.startswith("hf://"):
        return _hugging_face_path(written.removeprefix("hf://"), written)
    written = _at_the_hub(written, hubs)
    if "://" in written:
        return _url(written)
    if written.partition("/")[0].lower() in HUGGING_FACE_HOSTS | CIVITAI_HOSTS:
        return _url(f"https://{written}")
    if written.count("/") - written.partition("@")[2].count("/") != 1:
        raise LinkError(f"{_shown(written)} is no link to a model. {ACCEPTED}")
    repo, at, revision = written.partition("@")
    return _repository(repo, check_revision(unquote(revision)) if at else "", "", written)


def _civitai_id(first: str, second: str | None, *, model: bool) -> CivitaiLink:
    """`civitai:5` is a version, as in a download link; with two numbers the first is the model, as in an AIR."""
    if second is not None:
        return CivitaiLink(int(first), int(second))
    return CivitaiLink(model_id=int(first)) if model else CivitaiLink(version_id=int(first))


def _at_the_hub(written: str, hubs: Iterable[str]) -> str:
    """Return a link to a stand-in of the hub as the hub's own."""
    bare = _SCHEME.sub("", written)
    for hub in hubs:
        base = _SCHEME.sub("", hub).rstrip("/") + "/"
        if bare.lower().startswith(base.lower()):
            return f"https://huggingface.co/{bare[len(base) :]}"
    return written


def _url(written: str) -> Link:
    try:
        parts = urlsplit(written)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise LinkError(f"{_shown(written)} cannot be read as a link. {ACCEPTED}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise LinkError(f"{_shown(written)} is no web address. {ACCEPTED}")
    if parts.username is not None or parts.password is not None:
        raise LinkError("A link with a user name or password in it is refused; set the hub's token instead.")
    path = [part for part in parts.path.split("/") if part]
    if port in (None, 443 if parts.scheme == "https" else 80):
        if host in HUGGING_FACE_HOSTS:
            return _hugging_face_page(path, written)
        if host in CIVITAI_HOSTS:
            return _civitai_page(path, parts.query, written)
    raise LinkError(f"{host[:100]} is not a model hub that Modeldeck knows. {ACCEPTED}")


def _hugging_face_page(parts: list[str], written: str) -> HuggingFaceLink:
    """`/org/repo`, `/org/repo/tree/REV/...`, `/org/repo/blob|resolve|raw/REV/path`, `/api/models/org/repo`."""
    if parts[:2] == ["api", "models"]:
        parts = parts[2:]
    if parts and parts[0] in _OTHER_KINDS:
        raise LinkError(f"{_shown(written)} is {_OTHER_KINDS[parts[0]]}, and no model. {ACCEPTED}")
    if len(parts) < 2:
        raise LinkError(f"{_shown(written)} names no repository. {ACCEPTED}")
    repo, rest = f"{parts[0]}/{parts[1].removesuffix('.git')}", parts[2:]
    if rest and rest[0] in _WITH_REVISION:
        revision, filename = _split_revision(rest[1:], written)
        return _repository(repo, revision, "" if rest[0] == "tree" else filename, written)
    if rest and rest[0] not in _WITHOUT:
        raise LinkError(f"{_shown(written)} is no page of a model that Modeldeck knows. {ACCEPTED}")
    return _repository(repo, "", "", written)


def _split_revision(parts: list[str], written: str) -> tuple[str, str]:
    """Return revision and rest. A revision is one part, slashes escaped, but for the hub's own `refs/pr/5` and such."""
    if not parts:
        raise LinkError(f"{_shown(written)} names no revision. {ACCEPTED}")
    long = _LONG_REVISION.fullmatch("/".join(parts))
    revision, rest = (long[1], long[2] or "") if long else (parts[0], "/".join(parts[1:]))
    return check_revision(unquote(revision)), unquote(rest)


def _hugging_face_path(path: str, written: str) -> HuggingFaceLink:
    """`org/repo[@revision][/path]`, as huggingface_hub's file system writes it."""
    org, _, rest = path.partition("/")
    name, at, _ = rest.partition("/")[0].partition("@")
    if not at:
        return _repository(f"{org}/{name}", "", unquote(rest.partition("/")[2]), written)
    revision, filename = _split_revision(rest.partition("@")[2].split("/"), written)
    return _repository(f"{org}/{name}", revision, filename, written)


def _repository(repo: str, revision: str, filename: str, written: str) -> HuggingFaceLink:
    if repo.partition("/")[0] in _OTHER_KINDS:
        raise LinkError(f"{_shown(written)} is {_OTHER_KINDS[repo.partition('/')[0]]}, and no model. {ACCEPTED}")
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo or repo.endswith(".git"):
        raise LinkError(f"{_shown(repo)} is not the name of a repository. {ACCEPTED}")
    try:
        return HuggingFaceLink(repo, revision, check_model_path(filename) if filename else "")
    except ModelPathError as error:
        raise LinkError(f"{_shown(written)} names no file: {error}.") from error


def check_revision(revision: str) -> str:
    """Return `revision` unchanged when a branch, tag or commit can have this name; raises LinkError."""
    if not _REVISION.fullmatch(revision) or ".." in revision or "//" in revision or revision.endswith("/"):
        raise LinkError(f"{_shown(revision)} is no branch, tag or commit of a repository. {ACCEPTED}")
    return revision


def _civitai_page(parts: list[str], query: str, written: str) -> CivitaiLink:
    """`/models/ID[/slug]?modelVersionId=V`, `/model-versions/V`, `/api/download/models/V`, `/api/v1/...`."""
    path = "/".join(parts[:4])
    version = re.match(rf"(?:api/download/models|(?:api/v1/)?model-versions)/{_ID}(?:/|$)", path, re.ASCII)
    if version:
        return CivitaiLink(version_id=int(version[1]))
    model = re.match(rf"(?:api/v1/)?models/{_ID}(?:/|$)", path, re.ASCII)
    if model is None:
        raise LinkError(f"{_shown(written)} names no model and no version of one. {ACCEPTED}")
    try:
        named = parse_qs(query, max_num_fields=50).get("modelVersionId", [])
    except ValueError:
        raise LinkError(f"{_shown(written)} cannot be read as a link. {ACCEPTED}") from None
    chosen = named[-1] if named else ""
    if chosen and not re.fullmatch(_ID, chosen, re.ASCII):
        raise LinkError(f"{_shown(chosen)} is not the id of a model version. {ACCEPTED}")
    return CivitaiLink(int(model[1]), int(chosen) if chosen else None)


def _shown(text: str) -> str:
    """Return what is said back: short, and without what may be a secret in a query."""
    bare = _USER.sub("", text).partition("?")[0]
    return ascii(bare if len(bare) <= 100 else bare[:97] + "...")
