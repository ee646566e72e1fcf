"""What the Hugging Face Hub says: the shapes of its JSON, its headers, its refusals.

They are written from what huggingface_hub reads and from the hub's documentation; that the library accepts them is
tested. Who stands in for the hub (the demo's origin, the tests' server) tells what it has by these functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

LFS = (".safetensors", ".gguf", ".bin", ".ckpt", ".pt", ".pth", ".onnx")
"""Endings of the files that the hub keeps apart from git; only of these it states the SHA-256."""
REQUEST_ID = "Root=1-stand-in"


class Blob(NamedTuple):
    """A file's content as the hub knows it."""

    size_bytes: int
    git_oid: str
    sha256: str = ""
    """Of an LFS file; "" for a small one."""


def lfs_blob(size_bytes: int, sha256: str) -> Blob:
    """Return an LFS file; git has a pointer to it."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size_bytes}\n"
    return Blob(size_bytes, _git_oid(pointer.encode()), sha256)


def blob(name: str, data: bytes) -> Blob:
    """Return a file by its name and bytes."""
    if name.endswith(LFS):
        return lfs_blob(len(data), hashlib.sha256(data).hexdigest())
    return Blob(len(data), _git_oid(data))


def commit_id(listing: object) -> str:
    """Return what a commit with this content is called."""
    return hashlib.sha1(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def model(
    name: str, commit: str, files: Iterable[tuple[str, Blob]], *, blobs: bool, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a repository as `/api/models/{name}` describes it; `blobs` as in the query, `facts` above the rest."""
    return {
        "_id": "000000000000000000000000",
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "sha": commit,
        "lastModified": "2026-05-01T12:00:00.000Z",
        "createdAt": "2026-01-01T12:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 1000,
        "likes": 10,
        "tags": [],
        **facts,
        "siblings": [_sibling(path, content) if blobs else {"rfilename": path} for path, content in files],
    }


def tree(files: Iterable[tuple[str, Blob]]) -> list[dict[str, Any]]:
    """Return files as `/api/models/{name}/tree/{revision}` lists them."""
    return [
        {"type": "file", "path": path, "oid": content.git_oid, "size": content.size_bytes} | _lfs(content, "oid")
        for path, content in files
    ]


def file_headers(commit: str, content: Blob) -> dict[str, str]:
    """Return what the hub says of a file before its bytes, at `/{name}/resolve/{revision}/{file}`."""
    headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
    if not content.sha256:
        return headers | {"ETag": f'"{content.git_oid}"'}
    return headers | {"X-Linked-ETag": f'"{content.sha256}"', "X-Linked-Size": str(content.size_bytes)}


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer that is no success; `code` is the hub's, such as RepoNotFound or GatedRepo."""
    said = {"X-Error-Code": code, "X-Error-Message": message, "X-Request-Id": REQUEST_ID, **(headers or {})}
    told = {key: value for key, value in said.items() if value}
    return web.Response(status=status, headers=told, body=json.dumps({"error": message}).encode())


def repository_missing(*, signed_in: bool) -> web.Response:
    """Return how the hub hides what is not there, or not to be seen."""
    message = "Repository not found" if signed_in else "Invalid username or password."
    return refusal(404 if signed_in else 401, "RepoNotFound", message)


def repository_gated(name: str, *, signed_in: bool) -> web.Response:
    """Return how the hub refuses the files of a repository whose terms were not accepted."""
    message = f"Access to model {name} is restricted. You must have access to it and be authenticated."
    return refusal(403 if signed_in else 401, "GatedRepo", message)


def json_answer(request: web.Request, told: object) -> web.Response:
    """Return the JSON with an ETag, or 304 to who has it already."""
    body = json.dumps(told).encode()
    etag = f'W/"{len(body):x}-{hashlib.sha256(body).hexdigest()[:27]}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.Response(body=body, headers={"ETag": etag, "Content-Type": "application/json; charset=utf-8"})


def _sibling(path: str, content: Blob) -> dict[str, Any]:
    return {"rfilename": path, "blobId": content.git_oid, "size": content.size_bytes} | _lfs(content, "sha256")


def _lfs(content: Blob, hash_name: str) -> dict[str, Any]:
    if not content.sha256:
        return {}
    return {"lfs": {hash_name: content.sha256, "size": content.size_bytes, "pointerSize": 135}}


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
