"""The scanner on all workflows that ComfyUI ships, against what these state about their own files.

Each view hides something: nothing ("shipped"), everything that nodes state about their files ("bare"), and the editor's
format itself ("prompt", which keeps only nodes that run). The truth is in every view what the shipped file states.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, NamedTuple

import msgspec
import pytest
from catalog.templates import VERSION, Scan, scan

GOAL = 0.995
WORKFLOWS, WITHOUT_FILES, PAIRS, ACTIVE_PAIRS = 644, 383, 999, 966
"""Facts about the pinned release, counted apart from this code; they show that the test looks at everything."""
_OFF = (2, 4)

Pair = tuple[str, str]


class Template(NamedTuple):
    name: str
    data: bytes
    root: dict[str, Any]


@functools.cache
def templates() -> tuple[Template, ...]:
    """Every workflow of the package; beside them lie lists, a schema and logos."""
    folder = resources.files("comfyui_workflow_templates_json").joinpath("templates")
    read = ((file.name, file.read_bytes()) for file in sorted(folder.iterdir(), key=lambda file: file.name))
    files = ((name, data, json.loads(data)) for name, data in read if name.endswith(".json"))
    return tuple(Template(*file) for file in files if isinstance(file[2], dict) and "nodes" in file[2])


def nodes_of(root: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each node with whether it runs, subgraphs written out."""
    definitions = {one["id"]: one for one in (root.get("definitions") or {}).get("subgraphs", [])}

    def walk(nodes: list[dict[str, Any]], *, runs: bool) -> Iterator[tuple[dict[str, Any], bool]]:
        for node in nodes:
            does = runs and node["mode"] not in _OFF
            if node["type"] in definitions:
                yield from walk(definitions[node["type"]]["nodes"], runs=does)
            else:
                yield node, does

    return walk(root["nodes"], runs=True)


def stated(root: dict[str, Any]) -> dict[Pair, set[str]]:
    """What nodes state: (folder, file) with the URLs."""
    found: dict[Pair, set[str]] = {}
    for node, _ in nodes_of(root):
        for model in node["properties"].get("models", []):
            found.setdefault((model["directory"], model["name"]), set()).add(model["url"])
    return found


def stated_by_running(root: dict[str, Any]) -> set[Pair]:
    return {
        (model["directory"], model["name"])
        for node, runs in nodes_of(root)
        for model in node["properties"].get("models", [])
        if runs
    }


def bare(root: dict[str, Any]) -> bytes:
    """The workflow without anything that it states about its files."""
    copy = json.loads(json.dumps(root))
    copy.pop("models", None)
    for graph in (copy, *(copy.get("definitions") or {}).get("subgraphs", [])):
        for node in graph["nodes"]:
            node["properties"].pop("models", None)
    return json.dumps(copy).encode()


@functools.cache
def widget_names() -> dict[str, dict[int, str]]:
    table = json.loads(resources.files("catalog").joinpath("data", "loaders.json").read_bytes())
    return {
        node_type: {rule["widget"]: name for name, rule in inputs.items() if "widget" in rule}
        for node_type, inputs in table["loaders"].items()
    }


def as_prompt(root: dict[str, Any]) -> bytes:
    """The workflow as the editor would send it: nodes that run, widgets by name (others than loaders' by number)."""
    prompt = {}
    for number, (node, runs) in enumerate(nodes_of(root)):
        if not runs or node["type"] in ("Note", "MarkdownNote", "PrimitiveNode", "Reroute"):
            continue
        names = widget_names().get(node["type"], {})
        values = node.get("widgets_values") or []
        inputs = {names.get(position, f"widget_{position}"): value for position, value in enumerate(values)}
        links = {slot["name"]: ["1", 0] for slot in node["inputs"] if slot["link"] is not None and "widget" not in slot}
        prompt[str(number)] = {"class_type": node["type"], "inputs": links | inputs, "_meta": {"title": node["type"]}}
    return json.dumps(prompt).encode()


VIEWS: dict[str, Callable[[Template], bytes]] = {
    "shipped": lambda one: one.data,
    "bare": lambda one: bare(one.root),
    "prompt": lambda one: as_prompt(one.root),
}


@functools.cache
def scans(view: str) -> tuple[tuple[Template, Scan], ...]:
    return tuple((one, scan(VIEWS[view](one))) for one in templates())


def pairs(found: tuple[Any, ...]) -> set[Pair]:
    return {(reference.directory, reference.filename) for reference in found}


def score(judged: list[tuple[set[Pair], set[Pair]]]) -> tuple[float, float]:
    """Precision and recall over (found, true)."""
    right = sum(len(found & true) for found, true in judged)
    return right / sum(len(found) for found, _ in judged), right / sum(len(true) for _, true in judged)


def test_the_corpus_is_the_one_that_is_meant() -> None:
    assert len(templates()) == WORKFLOWS
    assert sum(not stated(one.root) for one in templates()) == WITHOUT_FILES
    assert sum(len(stated(one.root)) for one in templates()) == PAIRS
    assert sum(len(stated_by_running(one.root)) for one in templates()) == ACTIVE_PAIRS


@pytest.mark.parametrize("view", ["shipped", "bare"])
def test_all_references_are_found(view: str) -> None:
    precision, recall = score([(pairs(found.references), set(stated(one.root))) for one, found in scans(view)])
    assert min(precision, recall) >= GOAL, f"precision {precision:.4f}, recall {recall:.4f}"


@pytest.mark.parametrize("view", ["shipped", "bare", "prompt"])
def test_what_nodes_that_run_need_is_found(view: str) -> None:
    precision, recall = score([(pairs(found.needed), stated_by_running(one.root)) for one, found in scans(view)])
    assert min(precision, recall) >= GOAL, f"precision {precision:.4f}, recall {recall:.4f}"


@pytest.mark.parametrize("view", ["shipped", "bare", "prompt"])
def test_no_workflow_without_local_files_raises_an_alarm(view: str) -> None:
    alarms = {
        one.name: (found.references, found.warnings)
        for one, found in scans(view)
        if not stated(one.root) and (found.references or found.warnings)
    }
    assert alarms == {}


def test_every_workflow_is_read_whole_and_without_complaint() -> None:
    odd = {
        (view, one.name): found.warnings or found.format
        for view in VIEWS
        for one, found in scans(view)
        if found.warnings or not found.complete or found.format not in ("editor", "prompt")
    }
    assert {key: value for key, value in odd.items() if not is_empty_prompt(*key)} == {}


def is_empty_prompt(view: str, name: str) -> bool:
    """A workflow in which nothing runs is no prompt at all."""
    return view == "prompt" and next(as_prompt(one.root) for one in templates() if one.name == name) == b"{}"


def test_urls_and_hashes_are_the_stated_ones() -> None:
    hashes = 0
    for one, found in scans("shipped"):
        urls = stated(one.root)
        for reference in found.references:
            assert reference.url in urls[reference.directory, reference.filename]
            hashes += reference.sha256 is not None
    assert hashes > 0


def test_the_other_files_of_the_package_are_no_workflows() -> None:
    folder = resources.files("comfyui_workflow_templates_json").joinpath("templates")
    names = {one.name for one in templates()}
    others = [file for file in folder.iterdir() if file.name.endswith(".json") and file.name not in names]
    assert len(others) == 16
    assert {scan(file.read_bytes()).format for file in others} == {"other"}


def test_other_answers_come_with_another_version() -> None:
    """Stored templates are scanned again only when the version says so; an old answer would stand for ever."""
    answers = [(view, one.name, found) for view in VIEWS for one, found in scans(view)]
    digest = hashlib.sha256(msgspec.json.encode(answers)).hexdigest()[:12]
    hint = "the scanner answers otherwise: raise VERSION in catalog.templates.scanner, and state both here"
    assert (VERSION, digest) == (2, "97aa435fb317"), hint
