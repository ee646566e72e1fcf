"""YAML or JSON as plain data under the same caps: text, lists and mappings with text keys, as in `capped_yaml`.

JSON is nearly YAML, but libyaml refuses some of it (escaped surrogate pairs, long keys), so what begins like JSON is
read as JSON first.
"""

from __future__ import annotations

import json
from typing import Any

from catalog import capped_yaml
from catalog.capped_yaml import MAX_DEPTH, MAX_NODES, Document, Node, Path, YamlRefusedError

_MAX_COMMAS = 4 * MAX_NODES
"""They bound how much is built before the values are counted; texts hold commas too."""


class InvalidDocumentError(ValueError):
    """The bytes are not what they should be: they must never replace what is. `code` is stable."""

    code = "invalid_document"


def read(data: bytes) -> Document:
    """Return the one document in `data`; raises YamlRefusedError when it is malformed or over a cap."""
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith((b"{", b"[")):
        return capped_yaml.read(data)
    capped_yaml.check_bytes(data)
    if data.count(b",") > _MAX_COMMAS:
        raise YamlRefusedError(f"more than {_MAX_COMMAS} commas")
    try:
        found = json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError as error:
        raise YamlRefusedError(f"more than {MAX_DEPTH} levels deep") from error
    except ValueError:
        return capped_yaml.read(data)  # YAML may begin like this too; if it is none, it says where
    builder = _Builder()
    return Document(builder.plain(found, ()), tuple(builder.duplicates))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands in the file, keys that come twice included."""


class _Builder:
    def __init__(self) -> None:
        self.duplicates: list[Path] = []
        self._nodes = 0

    def plain(self, value: Any, path: Path) -> Node:
        """Return the value with its scalars as text."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlRefusedError(f"more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            raise YamlRefusedError(f"more than {MAX_DEPTH} levels deep")
        match value:
            case _Pairs():
                return self._mapping(value, path)
            case list():
                return [self.plain(item, (*path, str(index))) for index, item in enumerate(value)]
            case bool():
                return "true" if value else "false"
            case str() | None:
                return value
            case _:
                raise AssertionError(f"{type(value).__name__} is nothing that JSON has")

    def _mapping(self, pairs: _Pairs, path: Path) -> dict[str, Node]:
        node: dict[str, Node] = {}
        for key, value in pairs:
            if key in node:
                self.duplicates.append((*path, key))
            node[key] = self.plain(value, (*path, key))
        return node
