"""Model files, workflows and hubs of one gateway, as methods. They raise ApiError and UnreachableError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from gateway.cli.client import PATIENT, Client, Json

_ODD = re.compile(r"(^|/)\.{0,2}(/|$)|[\\\x00-\x1f\x7f]")


class OddPathError(ValueError):
    """The text names nothing below the models folder, no template, no preset; the message says how to write it."""


class Library:
    """What the catalog knows, asked over HTTP."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def models(self) -> Json:
        """Return `{models, total, deleted}` with every model file."""
        return self._client.read("/models")

    def storage(self) -> Json:
        """Return how full the volumes are, by folder and family, and what is stored twice."""
        return self._client.read("/storage")

    def templates(self) -> Json:
        """Return `{templates, total, skipped}` with every template."""
        return self._client.read("/workflows/templates")

    def hub(self, text: str) -> Json:
        """Return what a hub says of a repository, a page or a link to a file."""
        return self._client.read(f"/hub/{quote(text, safe='')}")

    def lock(self, template_id: str) -> Json:
        """Return the lock file of a template."""
        return self._client.read(f"/workflows/templates/{_template(template_id)}/lock")

    def scan(self, workflow: bytes) -> Json:
        """Return which model files a workflow names, and which of them are there."""
        return self._client.write("POST", "/workflows/scan", body=workflow)

    def install_missing(self, workflow: bytes) -> Json:
        """Queue what a workflow misses: `{status, queued, linked, unresolved}`."""
        return self._client.write("POST", "/workflows/install-missing", body=workflow)

    def install_template(self, template_id: str, choices: Mapping[str, str]) -> Json:
        """Queue what a stored template misses; answers as `install_missing`. `choices`: missing path to file or URL."""
        body = {"choices": dict(choices)} if choices else None
        return self._client.write("POST", f"/workflows/templates/{_template(template_id)}/install-missing", body=body)

    def install_lock(self, lock: bytes) -> Json:
        """Queue what a lock file names and is not there; answers as `install_missing`."""
        return self._client.write("POST", "/workflows/lock/install", body=lock)

    def delete(self, path: str, *, force: bool) -> Json:
        """Delete a model file: `{path, size_bytes, freed_bytes, restorable, needed_by}`."""
        params = {"force": "true" if force else "false"}
        return self._client.write("DELETE", f"/models/{_model(path)}", params=params, timeout=PATIENT)

    def restore(self, path: str) -> Json:
        """Queue a deleted file again: `{path, status, download_id}`."""
        return self._client.write("POST", f"/models/{_model(path)}/restore")

    def uninstall(self, preset_id: str) -> Json:
        """Delete a preset's own files: `{preset_id, deleted, freed_bytes, kept}`."""
        preset_id = check(preset_id, "the id of a preset", "presets")
        return self._client.write("DELETE", f"/presets/{quote(preset_id, safe='')}", timeout=PATIENT)


def check(text: str, what: str = "the path of a model file", shown_by: str = "models") -> str:
    """Return a path or id, unless it could lead to another route: HTTP clients fold `..` away. Raises OddPathError."""
    if _ODD.search(text):
        raise OddPathError(f"{text!r} is not {what}; write it as `modeldeck {shown_by}` shows it")
    return text


def _template(template_id: str) -> str:
    return quote(check(template_id, "the id of a template", "templates"), safe="/")


def _model(path: str) -> str:
    return quote(check(path), safe="/")
