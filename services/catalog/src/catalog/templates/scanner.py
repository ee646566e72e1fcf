"""The scan: from the bytes of a workflow file to the model files that it names. Pure; never raises for bad input."""

from __future__ import annotations

from typing import Any

from catalog.templates import reading
from catalog.templates.editor import EditorScan
from catalog.templates.findings import Findings, Format, Scan, Use, shown
from catalog.templates.naming import Names
from catalog.templates.shapes import Prompt
from catalog.templates.table import LoaderTable

VERSION = 2
"""Raise it when the same file gets another answer than before: stored templates are then scanned again."""


def scan(data: bytes, table: LoaderTable | None = None, *, thorough: bool = False) -> Scan:
    """Return what a workflow file names; whatever is wrong with it becomes a warning.

    Both formats are read: the editor's, with subgraphs, group nodes and what nodes and the workflow state about their
    files in `models`; and the prompt (API) format. Time and memory are bounded for any input. `thorough` looks for
    repeated keys in larger files, too, which takes two to three times as long.
    """
    table = table if table is not None else LoaderTable.builtin()
    findings = Findings(table)
    form: Format = "unreadable"
    try:
        workflow = reading.read(data, findings.warn, findings.cut, thorough=thorough)
        if workflow is None:
            form = "other"
        elif isinstance(workflow, Prompt):
            form = "prompt"
            _PromptScan(table, findings).run(workflow)
        else:
            form = "editor"
            if workflow.nodes is None:
                findings.cut("no_nodes", "the workflow has no list of nodes")
            EditorScan(table, findings).run(workflow)
    except reading.UnreadableError as error:
        findings.cut(error.code, str(error))
    except RecursionError:
        findings.cut("too_deep", "subgraphs lie too deep in one another")
    return findings.scan(form)


class _PromptScan(Names):
    def run(self, prompt: Prompt) -> None:
        for node_id, node in prompt.nodes.items():
            node_type = node.get("class_type") if isinstance(node, dict) else None
            if not isinstance(node_type, str):
                self.findings.cut("wrong_type", f"node {shown(node_id)} has no class_type; it is left out")
                continue
            inputs = node.get("inputs")
            if not isinstance(inputs, dict):
                self.findings.cut("wrong_type", f"node {shown(node_id)}: `inputs` is not an object")
                continue
            self._node(node_type, inputs)

    def _node(self, node_type: str, inputs: dict[str, Any]) -> None:
        loader = self.table.loaders.get(node_type)
        for name, value in inputs.items():
            rule = loader.rule(name) if loader is not None else None
            if rule is None:
                if isinstance(value, str):
                    if "embedding:" in value:
                        self.embeddings(Use(node_type, name, active=True), value)
                    if loader is None and value.lower().endswith(self.table.model_extensions):
                        self.unknown(node_type, value)
            elif isinstance(value, str):
                self.loads(Use(node_type, name, active=True), rule, value)
            elif value is not None and not isinstance(value, list):  # a list is a link
                self.findings.warn("wrong_type", f"{shown(node_type)}: {name} is no text")
