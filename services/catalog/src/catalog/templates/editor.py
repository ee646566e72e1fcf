"""The walk through an editor file: root, subgraphs and group nodes, each place where one stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from catalog.templates.containers import Container, containers_of
from catalog.templates.findings import Entry, Findings, Use, last_part, shown
from catalog.templates.graph import COMPUTED, NOTHING_GIVEN, Given, Graph
from catalog.templates.naming import Names
from catalog.templates.nesting import Nesting
from catalog.templates.shapes import Node, Slot, Workflow
from catalog.templates.table import Loader, LoaderTable, Meant, Rule

MAX_WORK = 500_000
"""Nodes, inputs and values looked at again because a container stands in several places; the first time is free."""
MAX_CONTEXTS = 20_000
MAX_EXPANDED = 1_000_000
MAX_HOLDERS = 100
"""Nodes of unknown types taken as users of one file that only the workflow states."""
_OFF = (2, 4)
"""Modes of a node: muted, bypassed."""
_NOTES = ("Note", "MarkdownNote")


class _Context(NamedTuple):
    """A graph at a place where it stands."""

    graph: Graph
    given: Given
    active: bool


class EditorScan(Names):
    """One walk; use once."""

    def __init__(self, table: LoaderTable, findings: Findings) -> None:
        super().__init__(table, findings)
        self._loaders: Mapping[str, Loader] = table.loaders
        self._endings = table.model_extensions
        self._containers: dict[str, Container] = {}
        self._pending: deque[_Context] = deque()
        self._seen: dict[tuple[int, Hashable], bool] = {}
        self._visited: set[int] = set()
        self._left = MAX_WORK
        self._is_nested = False

    def run(self, workflow: Workflow) -> None:
        """Note everything that the workflow names, and what it states about it."""
        group_nodes = workflow.extra.group_nodes if workflow.extra is not None else None
        if workflow.definitions is not None or group_nodes:
            self._containers = containers_of(workflow.definitions, group_nodes, self.findings.warn)
        nodes = workflow.nodes if isinstance(workflow.nodes, list) else []
        self._pending.append(_Context(Graph(nodes, workflow.links), NOTHING_GIVEN, active=True))
        while self._pending:
            self._walk(self._pending.popleft())
        if self._is_nested:
            self._check_nesting(nodes)
        if workflow.models:
            self._workflow_models(workflow)

    def _check_nesting(self, nodes: list[Node]) -> None:
        nesting = Nesting(self._containers)
        for container in nesting.holding_themselves():
            self.findings.cut("cycle", f"the subgraph {shown(container.name)} holds itself, or one that does")
        if nesting.size(nodes) > MAX_EXPANDED:
            text = f"written out, the subgraphs hold more than {MAX_EXPANDED} nodes, which no ComfyUI can run"
            self.findings.warn("too_many_nodes", text)

    def _walk(self, context: _Context) -> None:
        loaders, containers, endings = self._loaders, self._containers, self._endings
        for node in context.graph.nodes:
            node_type = node.type
            if not isinstance(node_type, str):
                self.findings.cut("wrong_type", "a node has no type; it is left out")
                continue
            active = context.active and node.mode not in _OFF
            if node_type in loaders:
                self._loader(node_type, loaders[node_type], node, context, active=active)
                continue
            if node_type in containers:
                self._enter(containers[node_type], node, context, active=active)
            stored = node.widgets_values
            if stored.__class__ is list:  # this loop sees most of the file, so it only tells what is worth a look
                for value in stored:
                    if value.__class__ is str and (value.endswith(endings) or "embedding:" in value):
                        break
                else:
                    stored = None
            if stored or (node.properties is not None and node.properties.models):
                self._other(node_type, node, context, active=active)

    def _enter(self, container: Container, node: Node, context: _Context, *, active: bool) -> None:
        self._is_nested = self._is_nested or isinstance(context.graph, Container)
        identity = id(container)
        given = container.given(node, context.graph, context.given, self._containers)
        key = (identity, given.key() if given is not NOTHING_GIVEN else None)
        if self._seen.get(key, False) or (key in self._seen and not active):
            return
        if identity in self._visited:
            self._left -= container.weight + 1
            if self._left < 0 or len(self._seen) >= MAX_CONTEXTS:
                self.findings.cut("too_many_instances", "subgraphs stand in too many places; not all are looked into")
                return
        self._visited.add(identity)
        self._seen[key] = active
        self._pending.append(_Context(container, given, active))

    def _loader(self, node_type: str, loader: Loader, node: Node, context: _Context, *, active: bool) -> None:
        models = node.properties.models if node.properties is not None else None
        entries = self.findings.entries(models, node_type) if models else ()
        told: set[Entry] = set()
        has_value = False
        for name, rule, value in self._values(loader, node, context):
            has_value = True
            if isinstance(value, str):
                told.update(self.loads(Use(node_type, name, active), rule, value, entries))
            elif value is COMPUTED:
                self.findings.warn("computed_name", f"{shown(node_type)}: {name} is computed when the workflow runs")
            elif value is not None:
                self.findings.warn("wrong_type", f"{shown(node_type)}: {name} is no text")
        for entry in entries:
            if entry not in told:
                self._unconfirmed(node_type, entry, is_stale=has_value)

    def _values(self, loader: Loader, node: Node, context: _Context) -> Iterator[tuple[str, Rule, object]]:
        """Yield what stands in each input that names a file; nothing for those of which the file tells nothing."""
        stored = node.widgets_values
        by_name = stored if isinstance(stored, dict) else None
        by_place: list[Any] = stored if isinstance(stored, list) else []
        linked = {
            slot.name: slot
            for slot in context.graph.slots(node)
            if slot.link is not None and isinstance(slot.name, str)
        }
        inner = context.given.inner.get(str(node.id)) if context.given.inner else None
        for name, rule in loader.inputs.items():
            value = None
            if by_name is not None:
                value = by_name.get(name)
            elif rule.widget is not None and rule.widget < len(by_place):
                value = by_place[rule.widget]
            if inner is not None:
                value = inner.get(name, inner.get(f"#{rule.widget}", value))
            if name in linked:
                over = context.graph.linked(linked[name], context.given)
                value = value if over is None else over
            if value is not None:
                yield name, rule, value
        if loader.rows:
            yield from self._rows(loader, node, context, linked.values())

    def _rows(
        self, loader: Loader, node: Node, context: _Context, linked: Iterable[Slot]
    ) -> Iterator[tuple[str, Rule, object]]:
        stored = node.widgets_values
        if isinstance(stored, dict):
            named = ((name, loader.rule(name), value) for name, value in stored.items())
            yield from ((name, rule, value) for name, rule, value in named if rule is not None)
        elif isinstance(stored, list):
            rule = loader.rows[0][1]
            files = (value for value in stored if isinstance(value, str) and value.lower().endswith(self._endings))
            yield from (("", rule, value) for value in files)
        for slot in linked:
            rule_of = loader.rule(slot.name)
            over = context.graph.linked(slot, context.given) if rule_of is not None else None
            if rule_of is not None and over is not None:
                yield slot.name, rule_of, over

    def _other(self, node_type: str, node: Node, context: _Context, *, active: bool) -> None:
        """Look at a node which is in no table: what it states about files, and its texts."""
        if node_type in _NOTES:
            return
        models = node.properties.models if node.properties is not None else None
        files: list[str] = []
        prompts: list[str] = []
        for value in _texts_of(node):
            if "embedding:" in value:
                prompts.append(value)
            if value.endswith(self._endings):
                files.append(value)
        for text in self._over(prompts, node, context) if prompts else ():
            self.embeddings(Use(node_type, "", active), text)
        if models:
            self._stated(node_type, self.findings.entries(models, node_type), files, active=active)
        elif node_type not in self._containers:
            for value in files:
                self.unknown(node_type, value)

    def _over(self, prompts: list[str], node: Node, context: _Context) -> list[str]:
        """Return the texts themselves, or what a link puts in the place of a node's only text."""
        if context.given is NOTHING_GIVEN or sum(1 for _ in _texts_of(node)) > 1:
            return prompts
        linked = [slot for slot in context.graph.slots(node) if slot.link is not None and slot.widget is not None]
        over = (context.graph.linked(slot, context.given) for slot in linked)
        return [text for text in over if isinstance(text, str)] or prompts

    def _stated(self, node_type: str, entries: Sequence[Entry], files: list[str], *, active: bool) -> None:
        """Take what a node of an unknown type states; its widgets tell which of that is chosen."""
        values = _by_name(files)
        told: set[str] = set()
        for entry in entries:
            chosen = [value for value in values.get(last_part(entry.name), ()) if entry.names(value)]
            told.update(chosen)
            for value in chosen if entry.directory else ():
                meant = Meant(self.table.canonical(entry.directory), value)
                self.findings.add(meant, Use(node_type, "", active), entry)
            if not chosen or not entry.directory:
                self._unconfirmed(node_type, entry, is_stale=bool(files) and not chosen)
        for value in files:
            if value not in told:
                self.unknown(node_type, value)

    def _unconfirmed(self, node_type: str, entry: Entry, *, is_stale: bool) -> None:
        """List an entry that no widget holds; it is not needed, as another file may have been chosen since."""
        if is_stale:
            self.findings.warn(
                "stale_metadata", f"{shown(node_type)} states {shown(entry.name)}, but another file is chosen in it"
            )
        if entry.directory:
            meant = Meant(self.table.canonical(entry.directory), entry.name)
            self.findings.add(meant, Use(node_type, "", active=False), entry)
        else:
            self.findings.warn("no_directory", f"{shown(node_type)} states {shown(entry.name)} without its directory")

    def _workflow_models(self, workflow: Workflow) -> None:
        """Take what the whole workflow states: more about files that nodes name, and files that none of them names."""
        entries = [
            entry
            for entry in self.findings.state(self.findings.entries(workflow.models, "workflow"))
            if entry.directory
        ]
        wanted = {last_part(entry.name) for entry in entries}
        users: dict[str, list[tuple[str, str, bool]]] = {}
        for node, active in self._nodes(workflow) if wanted else ():
            for value in _texts_of(node):
                if last_part(value) in wanted:
                    users.setdefault(last_part(value), []).append((value, str(node.type), active))
        for entry in entries:
            folder = self.table.canonical(entry.directory)
            holders = [user for user in users.get(last_part(entry.name), ()) if entry.names(user[0])]
            for value, node_type, active in holders[:MAX_HOLDERS]:
                self.findings.add(Meant(folder, value), Use(node_type, "", active), entry)
            if not holders:
                self.findings.add(Meant(folder, entry.name), Use("", "", active=False), entry)

    def _nodes(self, workflow: Workflow) -> Iterator[tuple[Node, bool]]:
        """Yield every node whose type tells nothing, with whether it runs in some place."""
        graphs: dict[int, tuple[Graph, bool]] = {
            0: (Graph(workflow.nodes if isinstance(workflow.nodes, list) else [], workflow.links), True)
        }
        on: dict[int, bool] = {}
        for (identity, _), active in self._seen.items():
            on[identity] = on.get(identity, False) or active
        for container in self._containers.values():
            if id(container) in on:
                graphs[id(container)] = container, on[id(container)]
        for graph, is_on in graphs.values():
            for node in graph.nodes:
                if isinstance(node.type, str) and node.type not in _NOTES and node.type not in self._loaders:
                    yield node, is_on and node.mode not in _OFF


def _by_name(values: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in values:
        found.setdefault(last_part(value), []).append(value)
    return found


def _texts_of(node: Node) -> Iterator[str]:
    stored = node.widgets_values
    values = stored if isinstance(stored, list) else stored.values() if isinstance(stored, dict) else ()
    return (value for value in values if isinstance(value, str))
