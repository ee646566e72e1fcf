"""Bytes to a workflow, under caps: an editor's graph, a prompt, or neither.

A well-formed editor file is decoded straight into the few fields of `shapes.py`. A file in which one of them has a
wrong type is decoded as plain data and its usable parts are taken. What strict JSON does not know and Python's reader
takes (NaN, halves of surrogate pairs) is read by the latter, with a warning: node packs do write such files.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from typing import Any

import msgspec

from catalog.templates.parts import parts_of_workflow
from catalog.templates.shapes import Prompt, Warn, Workflow

MAX_BYTES = 8 * 1024 * 1024
MAX_CONTAINERS = 400_000
"""Opening brackets in a file above SMALL_BYTES: lists and objects take up to 30 times their text in memory."""
SMALL_BYTES = 2 * 1024 * 1024
PIECE_BYTES = 4096
MAX_CHECKED_BYTES = 2 * 1024
"""Up to this size an editor file is checked for repeated keys, which costs more than reading it. (In larger ones the
last one of a repeated key counts, as it does in ComfyUI.)"""


class UnreadableError(ValueError):
    """The bytes are not read as JSON; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_editor = msgspec.json.Decoder(Workflow)
_plain = msgspec.json.Decoder()


def read(data: bytes, warn: Warn, cut: Warn, *, thorough: bool = False) -> Workflow | Prompt | None:
    """Return the workflow, None when the JSON is none; raises UnreadableError.

    `cut` is told what may hide references. `thorough`: larger files are checked for repeated keys, too.
    """
    data = _checked(data)
    try:
        workflow = _editor.decode(data)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _from_plain(_decode_plain(data, warn), data, warn, cut)
    if workflow.nodes is msgspec.UNSET:
        return _from_plain(_decode_plain(data, warn), data, warn, cut)
    if thorough or len(data) <= MAX_CHECKED_BYTES:
        _warn_of_repeated_keys(data, warn)
    return workflow


def _checked(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise UnreadableError("too_large", f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise UnreadableError("not_json", "the file is empty")
    if len(data) > SMALL_BYTES and data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        raise UnreadableError("too_large", f"the file holds more than {MAX_CONTAINERS} lists and objects")
    if not data.isascii():
        _check_utf8(data)
    return data


def _check_utf8(data: bytes) -> None:
    """Check also what is skipped later, in pieces: the whole text would take four times the file's memory."""
    view, done = memoryview(data), 0
    while done < len(data):
        end = done + PIECE_BYTES
        try:
            done += codecs.utf_8_decode(view[done:end], "strict", end >= len(data))[1]
        except UnicodeDecodeError as error:
            raise UnreadableError("not_utf8", f"byte {done + error.start}: not UTF-8") from error


def _decode_plain(data: bytes, warn: Warn) -> Any:
    try:
        return _plain.decode(data)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.DecodeError as error:
        reason = str(error)
    try:
        text = json.dumps(json.loads(data, parse_constant=lambda _: None), ensure_ascii=False)
        whole = text.encode(errors="replace")  # without halves of surrogate pairs, which nothing downstream could write
        root = json.loads(whole, parse_constant=lambda _: None)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise UnreadableError("not_json", f"not JSON: {reason}") from None
    warn("not_strict_json", f"the file is not strict JSON ({reason}); it is scanned all the same")
    return root


def _too_deep() -> UnreadableError:
    return UnreadableError("too_deep", "lists and objects lie too deep in one another")


def _warn_of_repeated_keys(data: bytes, warn: Warn) -> None:
    if len(data) > SMALL_BYTES:
        return
    repeated: dict[str, None] = {}

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) != len(pairs):
            repeated.update((name, None) for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    try:
        json.loads(data, object_pairs_hook=look)
    except (ValueError, RecursionError) as error:  # deeper than this reader goes, a number with too many digits
        warn("duplicate_key", f"whether keys are repeated could not be told: {_short(str(error))}")
    for name in repeated:
        warn("duplicate_key", f"{_short(name)} stands more than once in an object; the last one counts")


def _from_plain(root: Any, data: bytes, warn: Warn, cut: Warn) -> Workflow | Prompt | None:
    if not isinstance(root, dict):
        return None
    if "nodes" in root or _was_editor(root):
        _warn_of_repeated_keys(data, warn)
        return parts_of_workflow(root, warn, cut)
    inner = root.get("prompt")
    nodes = inner if isinstance(inner, dict) and _is_prompt(inner) else root  # the body of a request to /prompt
    if "class_type" in root:
        cut("wrong_type", "the file is a single node; a workflow in this format holds its nodes by id")
        nodes = {"": root}
    if not _is_prompt(nodes):
        return None
    _warn_of_repeated_keys(data, warn)
    return Prompt(nodes)


def _was_editor(root: dict[str, Any]) -> bool:
    """Tell whether this was an editor's file which lost its nodes; a JSON Schema has `definitions`, too."""
    return "last_node_id" in root or ("definitions" in root and "$schema" not in root)


def _is_prompt(nodes: dict[str, Any]) -> bool:
    return any(isinstance(node, dict) and "class_type" in node for node in nodes.values())


def _short(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
