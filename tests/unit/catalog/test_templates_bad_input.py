"""Whatever the bytes are: an answer, in bounded time and memory, with a warning where something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from catalog.templates import Scan, reading, scan
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.catalog.workflows import codes, editor, link, loader, model, node, paths, prompt, slot, subgraph, widget

GOOD = "good.safetensors"
NEEDED = {"checkpoints/good.safetensors"}
DEEP = 100_000


def doubling(levels: int) -> list[dict[str, Any]]:
    """Each level stands twice in the next one; without care the last one is looked into 2^levels times."""
    return [subgraph("level0", [loader(GOOD)])] + [
        subgraph(f"level{level}", [node(f"level{level - 1}"), node(f"level{level - 1}", node_id=2)])
        for level in range(1, levels)
    ]


def doubling_values(levels: int) -> list[dict[str, Any]]:
    """The same, but every one of the 2^levels places has values of its own."""
    names = [f"s{n}" for n in range(levels)]
    base = [loader(GOOD, node_id=n, inputs=[widget("ckpt_name", n + 1)]) for n in range(levels)]
    slots = [slot(name, n + 1) for n, name in enumerate(names)]
    made = [subgraph("level0", base, slots, [link(n + 1, -10, n, n) for n in range(levels)])]
    for level in range(1, levels):
        holders = [
            node(
                f"level{level - 1}",
                {f"s{level}": f"{level}-{which}.safetensors"},
                node_id=which,
                inputs=[widget(name, 100 * which + n) for n, name in enumerate(names) if n != level],
            )
            for which in (1, 2)
        ]
        slots = [slot(name, 100 + n, 200 + n) for n, name in enumerate(names)]
        made.append(subgraph(f"level{level}", holders, slots))
    return made


UNREADABLE = {
    "empty": (b"", "not_json"),
    "white space": (b" \n\t ", "not_json"),
    "text": (b"hello", "not_json"),
    "cut off": (editor(loader(GOOD))[:-5], "not_json"),
    "two documents": (b"{} {}", "not_json"),
    "invalid UTF-8 in a name": (editor(loader("x")).replace(b'"x"', b'"\xff"'), "not_utf8"),
    "invalid UTF-8 in what is not read": (editor(loader(GOOD, title="x")).replace(b'"x"', b'"\xc3("'), "not_utf8"),
    "UTF-16": (editor(loader(GOOD)).decode().encode("utf-16"), "not_utf8"),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, "too_deep"),
    "deep, never closed": (b'{"nodes":' + b"[" * DEEP, "too_deep"),
    "deep in what is not read": (b'{"nodes":[],"x":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", "too_deep"),
    "deep widgets": (b'{"nodes":[{"type":"a","widgets_values":' + b"[" * DEEP + b"]" * DEEP + b"}]}", "too_deep"),
    "huge": (b'{"nodes": [' + b" " * reading.MAX_BYTES + b"]}", "too_large"),
    "very many lists": (b'{"nodes":[],"x":[' + b"[]," * 1_000_000 + b"[]]}", "too_large"),
}


@pytest.mark.parametrize(("data", "code"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_said(data: bytes, code: str) -> None:
    assert told(scan(data)) == ("unreadable", (), {code}, False)


def told(scanned: Scan) -> tuple[str, object, set[str], bool]:
    return scanned.format, scanned.references, codes(scanned), scanned.complete


@pytest.mark.parametrize("data", [b"[]", b"null", b"3", b'"text"', b"{}", b'{"a": {"b": 1}}', b'[{"nodes": []}]'])
def test_other_json_is_no_workflow(data: bytes) -> None:
    assert told(scan(data)) == ("other", (), set(), True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"nodes": 5}', "wrong_type"),
        (b'{"nodes": null}', "no_nodes"),
        (b'{"nodes": [], "definitions": 5}', "wrong_type"),
        (b'{"nodes": [], "definitions": {"subgraphs": [{"id": "a", "nodes": 5}]}}', "wrong_type"),
        (b'{"definitions": {"subgraphs": []}}', "no_nodes"),
        (b'{"last_node_id": 3}', "no_nodes"),
        (b'{"class_type": "VAELoader", "inputs": {}}', "wrong_type"),
    ],
)
def test_a_workflow_that_lost_its_nodes_is_one_all_the_same_and_never_complete(data: bytes, code: str) -> None:
    scanned = scan(data)
    assert (scanned.format in ("editor", "prompt"), codes(scanned), scanned.complete) == (True, {code}, False)


def test_nodes_without_a_usable_type_are_still_nodes() -> None:
    assert (scan(b'{"1": {"class_type": 5}}').format, codes(scan(b'{"1": {"class_type": 5}}'))) == (
        "prompt",
        {"wrong_type"},
    )


def test_repeated_keys_of_a_large_file_are_told_when_asked_for() -> None:
    large = editor(loader(GOOD), *(node("Note", ["x" * 100]) for _ in range(100)))
    data = large.replace(b'"version": 0.4', b'"version": 0.4, "version": 1')
    assert (codes(scan(data)), codes(scan(data, thorough=True))) == (set(), {"duplicate_key"})
    assert codes(scan(large, thorough=True)) == set()


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        ("../../etc/passwd.safetensors", True),
        ("/etc/x.safetensors", True),
        ("C:\\models\\x.safetensors", True),
        ("..\\x.safetensors", True),
        ("a/./x.safetensors", True),
        ("nul.safetensors", True),
        ("x\n.safetensors", True),
        ("x\0.safetensors", True),
        ("x\u2028.safetensors", True),
        ("x" * 300 + ".safetensors", True),
        ("<script>.safetensors", False),
        ("模型 v1.safetensors", False),
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused_with_a_reason(name: str, is_refused: bool) -> None:
    for data in (
        editor(loader(name), loader(GOOD)),
        prompt(a=("CheckpointLoaderSimple", {"ckpt_name": name}), b=("CheckpointLoaderSimple", {"ckpt_name": GOOD})),
    ):
        scanned = scan(data)
        assert (codes(scanned), scanned.complete) == (({"invalid_name"}, False) if is_refused else (set(), True))
        assert paths(scanned.needed) == (NEEDED if is_refused else NEEDED | {f"checkpoints/{name}"})


def test_a_refused_name_that_no_active_node_needs_leaves_the_answer_complete() -> None:
    assert scan(editor(loader("../x.safetensors", mode=2))).complete


def test_odd_folders_are_refused() -> None:
    models = [{"name": "x.bin", "directory": directory} for directory in ("..", "/etc", "C:", "a\0b")]
    scanned = scan(editor(node("Custom", ["x.bin"], models=models)))
    assert (scanned.references, codes(scanned), scanned.complete) == ((), {"invalid_name"}, False)


@pytest.mark.parametrize(
    "data",
    [
        b'{"nodes": [], "nodes": [{"type": "CheckpointLoaderSimple", "widgets_values": ["good.safetensors"]}]}',
        b'{"nodes": [{"type": "VAELoader", "type": "CheckpointLoaderSimple", "widgets_values": ["good.safetensors"]}]}',
        b'{"1": 3, "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "good.safetensors"}}}',
    ],
)
def test_the_last_of_repeated_keys_counts_and_it_is_said(data: bytes) -> None:
    scanned = scan(data)
    assert (paths(scanned.needed), codes(scanned)) == (NEEDED, {"duplicate_key"})


@pytest.mark.parametrize("odd", [b"NaN", b"Infinity", b"-Infinity", b'"\\ud800"', b"1e999"])
def test_what_strict_json_lacks_is_scanned_with_a_warning(odd: bytes) -> None:
    for data in (
        editor(loader(GOOD), node("KSampler", [1.5])).replace(b"1.5", odd),
        prompt(a=("CheckpointLoaderSimple", {"ckpt_name": GOOD, "seed": 1.5})).replace(b"1.5", odd),
    ):
        scanned = scan(data)
        assert (paths(scanned.needed), codes(scanned)) == (NEEDED, {"not_strict_json"})


def test_half_of_a_surrogate_pair_never_reaches_a_message() -> None:
    scanned = scan(editor(node("T", ["x.bin"])).replace(b'"T"', b'"\\ud800"'))
    assert codes(scanned) == {"not_strict_json", "unknown_loader"}
    json.dumps([warning.message for warning in scanned.warnings], ensure_ascii=False).encode()


def test_a_byte_order_mark_is_skipped() -> None:
    assert paths(scan(b"\xef\xbb\xbf" + editor(loader(GOOD))).needed) == NEEDED


@pytest.mark.parametrize("odd", [None, 3, "x", [], [3, "x", None, [1]], {}, {"a": 1}, True, 1.5])
@pytest.mark.parametrize(
    "field", ["id", "type", "mode", "inputs", "outputs", "widgets_values", "properties", "pos", "title"]
)
def test_a_field_of_a_wrong_type_harms_only_its_node(field: str, odd: object) -> None:
    scanned = scan(editor(loader("x.safetensors") | {field: odd}, loader(GOOD, node_id=2)))
    assert NEEDED <= paths(scanned.needed) <= NEEDED | {"checkpoints/x.safetensors"}


@pytest.mark.parametrize("odd", [3, "x", {"a": 1}, [3], [None], True])
def test_parts_of_a_wrong_type_are_said_and_left_out(odd: object) -> None:
    scanned = scan(editor(loader(GOOD), definitions=odd, links=odd, extra=odd, models=odd))
    assert (paths(scanned.needed), codes(scanned)) == (NEEDED, {"wrong_type"})
    assert scan(editor(nodes=odd)).format == "editor"
    assert "wrong_type" in codes(scan(editor(nodes=odd)))
    inner = subgraph("sub", [loader(GOOD)])
    scanned = scan(editor(node("sub"), subgraphs=[inner | {"inputs": odd, "links": odd}]))
    assert paths(scanned.needed) == NEEDED


@pytest.mark.parametrize("odd", [3, "x", [], [3], {"nodes": 3}, {"nodes": [3]}, None])
def test_group_nodes_of_a_wrong_type(odd: object) -> None:
    extra = {"groupNodes": {"g": odd}}
    assert paths(scan(editor(loader(GOOD), node("workflow>g"), extra=extra)).needed) == NEEDED
    assert paths(scan(editor(loader(GOOD), extra={"groupNodes": odd})).needed) == NEEDED


def test_values_of_a_wrong_type_are_said() -> None:
    for odd in (3, {"content": "x"}, ["x"]):
        scanned = scan(editor(loader(GOOD), node("VAELoader", [odd])))
        assert (paths(scanned.needed), codes(scanned)) == (NEEDED, {"wrong_type"})
    scanned = scan(b'{"a": {"class_type": "VAELoader", "inputs": {"vae_name": 3}}, "b": 3, "c": {"class_type": "X"}}')
    assert codes(scanned) == {"wrong_type"}


def test_subgraphs_that_hold_each_other_end() -> None:
    itself = subgraph("a", [loader(GOOD), node("a")])
    pair = [subgraph("a", [loader(GOOD), node("b")]), subgraph("b", [node("a", ["x.safetensors"])])]
    for definitions in ([itself], pair):
        scanned = scan(editor(node("a"), subgraphs=definitions))
        assert (paths(scanned.needed), codes(scanned), scanned.complete) == (NEEDED, {"cycle"}, False)


def test_links_that_go_in_a_circle_end() -> None:
    reroute = node("Reroute", node_id=9, inputs=[{"name": "", "link": 1}])
    data = editor(reroute, loader(GOOD, inputs=[widget("ckpt_name", 1)]), links=[[1, 9, 0, 1, 0, "*"]])
    assert codes(scan(data)) == {"computed_name"}


def test_a_subgraph_in_a_billion_places_is_looked_into_once() -> None:
    scanned = scan(editor(node("level30"), subgraphs=doubling(31)))
    assert (paths(scanned.needed), codes(scanned), scanned.complete) == (NEEDED, {"too_many_nodes"}, True)
    assert codes(scan(editor(node("level10"), subgraphs=doubling(11)))) == set()


def test_a_billion_places_with_values_of_their_own_are_cut_off() -> None:
    scanned = scan(editor(node("level29"), subgraphs=doubling_values(30)))
    assert ("too_many_instances" in codes(scanned), scanned.complete) == (True, False)


def test_what_the_workflow_states_beside_odd_nodes() -> None:
    models = [model("good.safetensors"), model("x.bin"), {"name": "y.bin"}, 3, {"name": 3}]
    nodes = [loader(GOOD), {"type": ["list"]}, {"type": {}}, {"type": "Custom", "widgets_values": {"a": ["x.bin"]}}, {}]
    scanned = scan(editor(*nodes, models=models))
    assert (paths(scanned.needed), codes(scanned)) == (NEEDED, {"wrong_type"})
    assert paths(scanned.references) == NEEDED | {"checkpoints/x.bin"}


MANY = 20_000
COSTLY = {
    "embeddings in one node": editor(node("X", [f"embedding:a{n}" for n in range(MANY)])),
    "promoted widgets": editor(
        node("s", ["x.pt"] * MANY, properties={"proxyWidgets": [["1", f"1: {n}"] for n in range(MANY)]}),
        subgraphs=[subgraph("s", [node("X")])],
    ),
    "digits before a name": editor(
        node("s", ["x.pt"], properties={"proxyWidgets": [["1", "1" * 1_000_000]]}),
        subgraphs=[subgraph("s", [node("X")])],
    ),
    "stated beside chosen": editor(
        node("X", [f"{n}.bin" for n in range(MANY)], models=[model(f"{n}.bin") for n in range(MANY)])
    ),
    "stated by the workflow": editor(
        *(node("X", [f"{n}.bin"]) for n in range(MANY)), models=[model("0.bin", f"f{n}") for n in range(MANY)]
    ),
    "slots": editor(
        *(node("s", ["x.pt"] * 200) for _ in range(1000)),
        subgraphs=[
            subgraph("s", [loader("i.pt", inputs=[widget("ckpt_name", 1)])], [slot(f"s{n}", n) for n in range(200)])
        ],
    ),
    "reroutes in a circle": editor(
        node("Reroute", node_id=9, inputs=[widget("", 1)]),
        *(loader("x.pt", inputs=[widget("ckpt_name", n)]) for n in range(5000)),
        links=[[n, 9, 0, 1, 0, "*"] for n in range(5000)],
    ),
    "definitions in a circle": editor(subgraphs=[subgraph(f"s{n}", [node(f"s{(n + 1) % 9000}")]) for n in range(9000)]),
    "brackets in a prompt": editor(node("X", ["embedding:" + "(" * 500_000, "embedding:" + "\\" * 500_000])),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("data", COSTLY.values(), ids=COSTLY)
def test_nothing_takes_more_than_its_share_of_time(data: bytes) -> None:
    """What is quadratic in one of these takes minutes; all of it together takes some seconds."""
    assert scan(data).format == "editor"


def test_a_thousand_nested_subgraphs_end() -> None:
    data = editor(node("level999"), subgraphs=chain(1000))
    assert paths(scan(data).needed) == NEEDED


def chain(length: int) -> list[dict[str, Any]]:
    return [subgraph("level0", [loader(GOOD)])] + [
        subgraph(f"level{level}", [node(f"level{level - 1}")]) for level in range(1, length)
    ]


def test_promotions_through_a_thousand_levels_end_with_a_warning_at_most() -> None:
    levels = [subgraph("level0", [loader(GOOD, inputs=[widget("ckpt_name", 1)])], [slot("ckpt_name", 1)])]
    for level in range(1, 1000):
        holder = node(f"level{level - 1}", ["x.safetensors"], inputs=[{"name": "ckpt_name", "link": 1}])
        levels.append(subgraph(f"level{level}", [holder], [slot("ckpt_name", 1)]))
    scanned = scan(editor(node("level999", ["x.safetensors"]), loader(GOOD), subgraphs=levels))
    assert scanned.format == "editor"
    assert (codes(scanned), scanned.complete) in [({"too_deep"}, False), (set(), True)]


def test_references_and_warnings_are_bounded() -> None:
    scanned = scan(editor(*(loader(f"{n}.safetensors", node_id=n) for n in range(7000))))
    assert (len(scanned.references), codes(scanned), scanned.complete) == (5000, {"more_references"}, False)
    scanned = scan(editor(*(loader(f"../{n}.safetensors", node_id=n) for n in range(7000))))
    assert (len(scanned.warnings), scanned.warnings[-1].code) == (51, "more_warnings")
    assert all(len(warning.message) < 500 for warning in scanned.warnings)


def test_memory_stays_bounded_for_the_worst_file_that_is_read() -> None:
    """In a process of its own, whose address space is limited."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
from catalog.templates import reading, scan
for item in (b"[],", b'{"a":0},', b'"ab",'):
    many = (reading.SMALL_BYTES - 100 if item[:1] in b"[{" else reading.MAX_BYTES - 100) // len(item)
    data = b'{"nodes":[{"type":"VAELoader","widgets_values":[' + (item * many)[:-1] + b"]}]}"
    assert scan(data).format == "editor", item
    assert scan(data[:-1] + b',"x":NaN}').format == "editor", item
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("ended\n", "")


_NAMES = """nodes type class_type inputs widgets_values properties models name link widget links definitions subgraphs
id extra groupNodes linkIds directory mode proxyWidgets url"""
_names = st.sampled_from(_NAMES.split())
_texts = st.sampled_from(
    ["VAELoader", "LoadLoraModel", "sub", "PrimitiveNode", "Reroute", "x.safetensors", "workflow>g"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-12, 12) | st.floats(allow_nan=False) | st.text(max_size=8) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names | st.text(max_size=4), inner, max_size=6),
    max_leaves=40,
)


@given(_json)
@settings(max_examples=300, deadline=None)
def test_any_json_gets_an_answer(value: Any) -> None:
    for root in (value, {"nodes": value}, {"nodes": [value]}, {"nodes": [], "definitions": {"subgraphs": [value]}}):
        assert isinstance(scan(json.dumps(root).encode()), Scan)


@given(st.integers(0, 3000), st.binary(max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_damaged_workflow_gets_an_answer(place: int, damage: bytes) -> None:
    data = editor(node("level4", ["x.safetensors"]), loader(GOOD), subgraphs=doubling_values(5))
    assert isinstance(scan(data[:place] + damage + data[place + len(damage) :]), Scan)


@pytest.mark.parametrize(
    "data",
    [
        b'{"nodes":[NaN]}',
        b'{"nodes":[5]}',
        b'{"nodes":[{"id":1}]}',
        b'{"1":{"class_type":"VAELoader","inputs":5}}',
        b'{"1":5,"2":{"class_type":"VAELoader","inputs":{}}}',
    ],
)
def test_a_workflow_that_lost_a_node_is_never_complete(data: bytes) -> None:
    found = scan(data)
    assert not found.complete
    assert "wrong_type" in {warning.code for warning in found.warnings}
