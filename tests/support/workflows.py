"""Workflows for tests: those that ComfyUI ships (a public package), and small ones written here."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

_FOLDER = "comfyui_workflow_templates_json"


@functools.cache
def packaged() -> dict[str, bytes]:
    """Return every workflow of the package by file name; the lists and schemas beside them are left out."""
    folder = resources.files(_FOLDER).joinpath("templates")
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".json")}
    return {name: data for name, data in sorted(files.items()) if _is_workflow(json.loads(data))}


def stated_files(workflow: bytes) -> dict[str, str]:
    """Return the files that a workflow's nodes state with their source: path below the models folder to URL."""
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for model in value.get("models") or []:
                if isinstance(model, dict) and "url" in model:
                    found[f"{model['directory']}/{model['name']}"] = model["url"]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(workflow))
    return found


def loading(*files: str, urls: dict[str, str] | None = None) -> bytes:
    """Return a workflow in the editor's format whose nodes load these files, such as `vae/x.safetensors`."""
    nodes = [_node(number, path, (urls or {}).get(path)) for number, path in enumerate(files, 1)]
    return json.dumps({"nodes": nodes, "links": [], "version": 0.4}).encode()


_LOADERS = {
    "checkpoints": "CheckpointLoaderSimple",
    "loras": "LoraLoaderModelOnly",
    "upscale_models": "UpscaleModelLoader",
    "vae": "VAELoader",
}


def _node(number: int, path: str, url: str | None) -> dict[str, Any]:
    directory, _, name = path.partition("/")
    models = [{"name": name, "url": url, "directory": directory}] if url else []
    kind = _LOADERS[directory]
    return {
        "id": number,
        "type": kind,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {"models": models} if models else {},
        "widgets_values": [name, 1.0] if directory == "loras" else [name],
    }


def _is_workflow(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("nodes"), list)
