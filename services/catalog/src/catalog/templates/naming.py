"""What texts mean, in either format of a workflow: names of model files, embeddings in prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.templates.findings import Entry, Findings, Use, shown
from catalog.templates.table import LoaderTable, Meant, Rule

_EMBEDDING = re.compile(r"(?:^|(?<=[\s()]))embedding:((?:\\[()]|[^\s()])+)")
_EMBEDDINGS = "embeddings"


class Names:
    """Notes what texts name."""

    def __init__(self, table: LoaderTable, findings: Findings) -> None:
        self.table = table
        self.findings = findings

    def loads(self, use: Use, rule: Rule, value: str, entries: Sequence[Entry] = ()) -> list[Entry]:
        """Note what a loader's input names; return the entries that tell more about it."""
        meant = rule.meant(value)
        if meant is None:
            self.findings.warn(
                "unrecognised_value",
                f"{shown(use.node_type)}: {use.input_name} is {shown(value)}, which is no model file's name",
            )
            return []
        told: list[Entry] = []
        for one in meant:
            fitting = None
            for entry in entries:
                if entry.names(one.filename):
                    told.append(entry)
                    if fitting is None and self._fits(entry, one):
                        fitting = entry
            self.findings.add(one, use, fitting)
        return told

    def _fits(self, entry: Entry, meant: Meant) -> bool:
        folder = self.table.canonical(entry.directory)
        if folder in ("", meant.folder):
            return True
        self.findings.warn(
            "directory_mismatch",
            f"{shown(entry.name)} is stated to be in {shown(entry.directory)}, but is loaded from {meant.folder}",
        )
        return False

    def embeddings(self, use: Use, text: str) -> None:
        """Note the embeddings that a prompt's text names: `embedding:<name>`, the extension may be missing."""
        for match in _EMBEDDING.finditer(text):
            name = match[1].replace("\\(", "(").replace("\\)", ")").strip(",")
            if text[match.end() : match.end() + 1] == ")":
                name = re.sub(r":-?[0-9.]+\Z", "", name)  # the weight in (embedding:name:1.2)
            if not name:
                continue
            whole = name.lower().endswith(self.table.model_extensions)
            meant = Meant(_EMBEDDINGS, name, "file" if whole else "stem")
            self.findings.add(meant, use)

    def unknown(self, node_type: str, value: str) -> None:
        """Say that a node which is in no table names a model file."""
        self.findings.warn(
            "unknown_loader",
            f"{shown(node_type)} names {shown(value)}; which folder it reads is not known, so the file is not checked",
        )
