"""YAML as plain data under caps: text, lists and mappings with text keys; nothing else is ever built.

Scalars stay text (the reader of a field decides what it means), so no number, date or `.nan` can hurt. The parser's
events are counted while they come, before anything is kept of them. libyaml itself is quadratic in the depth of open
brackets and in the number of directives (100,000 times `{` take 18 s), so both are counted in the raw bytes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

Node: TypeAlias = "str | list[Node] | dict[str, Node] | None"
Path: TypeAlias = tuple[str, ...]

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 200_000
"""Counted as if every alias were written out, so that aliases cannot multiply."""
MAX_OPEN_BRACKETS = 1000
MAX_DIRECTIVES = 16

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = frozenset(
    "tag:yaml.org,2002:" + name for name in ("str", "int", "float", "bool", "timestamp", "seq", "map")
)
_NULL_TAG = "tag:yaml.org,2002:null"
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BRACKET = re.compile(rb"[\[\]{}]")
_DIRECTIVE = re.compile(rb"^%", re.MULTILINE)


class YamlRefusedError(ValueError):
    """The bytes are no YAML that is accepted here; the text says why and where."""


@dataclass(frozen=True, slots=True)
class Document:
    """The data, and the places at which a mapping had a key twice (the last one counts)."""

    root: Node
    duplicates: tuple[Path, ...] = ()


def read(data: bytes) -> Document:
    """Return the one document in `data`; raises YamlRefusedError when it is malformed or over a cap."""
    check_bytes(data)
    builder = _Builder()
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise YamlRefusedError(f"{where}{error.problem or error.context or 'not YAML'}") from error
    except yaml.YAMLError as error:
        raise YamlRefusedError(" ".join(str(error).split())) from error
    if builder.documents != 1:
        raise YamlRefusedError(f"the file holds {builder.documents} documents; it must hold exactly one")
    return Document(builder.root, tuple(builder.duplicates))


def check_bytes(data: bytes) -> None:
    """Raise YamlRefusedError for what no reader should be given: too long, not UTF-8, too many brackets."""
    if len(data) > MAX_BYTES:
        raise YamlRefusedError(f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlRefusedError(f"byte {error.start}: not UTF-8") from error
    if len(_DIRECTIVE.findall(data)) > MAX_DIRECTIVES:
        raise YamlRefusedError(f"more than {MAX_DIRECTIVES} lines begin with %")
    if data.count(b"[") + data.count(b"{") > MAX_NODES:
        raise YamlRefusedError(f"more than {MAX_NODES} opening brackets")
    depth = 0
    for match in _BRACKET.finditer(data):
        depth = depth + 1 if match[0] in b"[{" else max(0, depth - 1)
        if depth > MAX_OPEN_BRACKETS:
            raise YamlRefusedError(f"more than {MAX_OPEN_BRACKETS} brackets are open at once")


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read."""

    node: list[Node] | dict[str, Node]
    anchor: str | None
    nodes_before: int
    key: str | None = None
    key_is_merge: bool = False
    merges: list[dict[str, Node]] = field(default_factory=list)


class _Builder:
    """Turns parser events into plain data; holds no more than the caps allow."""

    def __init__(self) -> None:
        self.documents = 0
        self.root: Node = None
        self.duplicates: list[Path] = []
        self._open: list[_Open] = []
        self._nodes = 0
        self._anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: yaml.Event) -> None:
        """Apply one parser event."""
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                self._anchors.clear()
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.CollectionStartEvent():
                self._start(event)
            case yaml.CollectionEndEvent():
                self._end()
            case _:
                pass

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(1, event)
        _check_tag(event)
        plain = bool(event.implicit[0])
        if self._is_key():
            self._set_key(event.value, merge=plain and event.value == "<<")
            return
        is_null = event.tag == _NULL_TAG or (plain and event.tag is None and event.value in _NULLS)
        value = None if is_null else event.value
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        anchor = event.anchor or ""
        known = self._anchors.get(anchor)
        if known is None:
            raise YamlRefusedError(f"{_line(event)}the alias *{anchor[:40]} names nothing that ended before it")
        node, nodes = known
        self._count(nodes, event)
        if self._is_key():
            if not isinstance(node, str):
                raise YamlRefusedError(f"{_line(event)}a key must be text")
            self._set_key(node, merge=False)
            return
        self._add(node, event)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._count(1, event)
        _check_tag(event)
        if self._is_key():
            raise YamlRefusedError(f"{_line(event)}a key must be text, not a list or mapping")
        if len(self._open) >= MAX_DEPTH:
            raise YamlRefusedError(f"{_line(event)}more than {MAX_DEPTH} levels deep")
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # an alias inside would make a cycle
        node: list[Node] | dict[str, Node] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(node, event.anchor, self._nodes - 1))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.node, dict):
            for merge in done.merges:
                for key, value in merge.items():
                    done.node.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.node, self._nodes - done.nodes_before)
        self._add(done.node, None)

    def _add(self, value: Node, event: yaml.Event | None) -> None:
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        if isinstance(parent.node, list):
            parent.node.append(value)
            return
        key, parent.key = parent.key, None
        if key is None:
            raise YamlRefusedError(f"{_line(event)}a value without a key")
        if parent.key_is_merge:
            parent.merges.extend(_mappings(value, event))
        else:
            if key in parent.node:
                self.duplicates.append((*self._path(), key))
            parent.node[key] = value

    def _is_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, dict) and self._open[-1].key is None

    def _set_key(self, key: str, *, merge: bool) -> None:
        self._open[-1].key, self._open[-1].key_is_merge = key, merge

    def _path(self) -> Path:
        return tuple(
            level.key or "" if isinstance(level.node, dict) else str(len(level.node)) for level in self._open[:-1]
        )

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise YamlRefusedError(f"{_line(event)}more than {MAX_NODES} values, aliases written out")


def _mappings(value: Node, event: yaml.Event | None) -> Iterator[dict[str, Node]]:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            raise YamlRefusedError(f"{_line(event)}<< must name a mapping")
        yield item


def _check_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
    tag = event.tag
    if tag is not None and tag not in ("!", _NULL_TAG) and tag not in _CORE_TAGS:
        raise YamlRefusedError(f"{_line(event)}the tag {tag[:80]!a} is not allowed")


def _line(event: yaml.Event | None) -> str:
    mark = event.start_mark if event is not None else None
    return f"line {mark.line + 1}: " if mark is not None else ""
