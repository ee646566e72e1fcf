"""Subgraphs and group nodes: who stands for what, and whose value wins."""

from __future__ import annotations

from typing import Any

import pytest
from catalog.templates import scan

from tests.unit.catalog.workflows import (
    SUBGRAPH_INPUT,
    Json,
    codes,
    editor,
    link,
    loader,
    model,
    node,
    paths,
    slot,
    subgraph,
    widget,
)


def promoting(name: str = "sub", **more: Any) -> Json:
    """A subgraph with an image, a checkpoint, a number and a LoRA as inputs; the last three are widgets."""
    nodes = [
        loader("inner.safetensors", node_id=1, inputs=[widget("ckpt_name", 11)], **more),
        node(
            "KSampler", [20], node_id=2, inputs=[widget("steps", 12), {"name": "latent", "type": "LATENT", "link": 10}]
        ),
        node("LoraLoaderModelOnly", ["inner_lora.safetensors", 1], node_id=3, inputs=[widget("lora_name", 13)]),
    ]
    inputs = [slot("latent", 10), slot("ckpt_name", 11), slot("steps", 12), slot("lora_name", 13)]
    links = [link(10, SUBGRAPH_INPUT, 0, 2, 1), *(link(10 + n, SUBGRAPH_INPUT, n, n) for n in (1, 2, 3))]
    return subgraph(name, nodes, inputs, links)


INNER = {"checkpoints/inner.safetensors", "loras/inner_lora.safetensors"}
OUTER = {"checkpoints/outer.safetensors", "loras/outer_lora.safetensors"}
PROMOTED = ["outer.safetensors", 8, "outer_lora.safetensors"]


@pytest.mark.parametrize("values", [None, [], {}])
def test_the_inner_values_count_when_the_instance_has_none(values: object) -> None:
    assert paths(scan(editor(node("sub", values), subgraphs=[promoting()])).needed) == INNER


def test_promoted_values_come_in_the_order_of_the_slots_and_win() -> None:
    scanned = scan(editor(node("sub", PROMOTED), subgraphs=[promoting()]))
    assert (paths(scanned.references), scanned.warnings) == (OUTER, ())
    assert {one.node_type for one in scanned.needed} == {"CheckpointLoaderSimple", "LoraLoaderModelOnly"}


def test_promoted_values_may_be_kept_by_name() -> None:
    values = {"lora_name": "outer_lora.safetensors", "ckpt_name": "outer.safetensors"}
    assert paths(scan(editor(node("sub", values), subgraphs=[promoting()])).needed) == OUTER


def test_slots_that_do_not_list_their_links_are_found_by_the_links() -> None:
    definition = promoting()
    for one in definition["inputs"]:
        del one["linkIds"]
    assert paths(scan(editor(node("sub", PROMOTED), subgraphs=[definition])).needed) == OUTER


def test_what_the_inner_node_states_goes_with_its_own_value() -> None:
    definition = promoting(models=[model("inner.safetensors")])
    scanned = scan(editor(node("sub", ["outer.safetensors"]), subgraphs=[definition]))
    assert paths(scanned.needed) == {"checkpoints/outer.safetensors", "loras/inner_lora.safetensors"}
    assert [one.active for one in scanned.references if one.filename == "inner.safetensors"] == [False]
    both = scan(editor(node("sub", ["outer.safetensors"]), node("sub", node_id=2), subgraphs=[definition]))
    found = [(one.filename, one.active, one.url) for one in both.references if one.directory == "checkpoints"]
    assert sorted(found, key=str) == [
        ("inner.safetensors", True, model("inner.safetensors")["url"]),
        ("outer.safetensors", True, None),
    ]


def test_each_instance_has_its_own_values() -> None:
    instances = [node("sub", [f"{n}.safetensors", 1, "None"], node_id=n, mode=4 if n == 2 else 0) for n in range(3)]
    scanned = scan(editor(*instances, subgraphs=[promoting()]))
    assert paths(scanned.references) == {f"checkpoints/{n}.safetensors" for n in range(3)}
    assert paths(scanned.needed) == {"checkpoints/0.safetensors", "checkpoints/1.safetensors"}


@pytest.mark.parametrize("mode", [2, 4])
def test_everything_in_a_container_that_is_off_is_off(mode: int) -> None:
    middle = subgraph("middle", [node("sub", node_id=5)])
    scanned = scan(editor(node("middle", mode=mode), subgraphs=[promoting(), middle]))
    assert (paths(scanned.references), scanned.needed) == (INNER, ())
    off_inside = subgraph("middle", [node("sub", node_id=5, mode=mode)])
    assert scan(editor(node("middle"), subgraphs=[off_inside, promoting()])).needed == ()


def test_a_definition_that_nothing_stands_for_is_not_looked_into() -> None:
    assert scan(editor(subgraphs=[promoting()])).references == ()


def nested(depth: int) -> list[Json]:
    """`level0` holds a loader; each further level holds the one below and promotes its file."""
    inner = subgraph("level0", [loader("inner.safetensors", inputs=[widget("ckpt_name", 1)])], [slot("ckpt_name", 1)])
    levels = [inner]
    for level in range(1, depth):
        holder = node(f"level{level - 1}", ["middle.safetensors"], inputs=[widget("ckpt_name", 1)])
        levels.append(subgraph(f"level{level}", [holder], [slot("ckpt_name", 1)], [link(1, SUBGRAPH_INPUT, 0, 1)]))
    return levels


@pytest.mark.parametrize("depth", [2, 3, 40])
def test_the_outermost_value_wins_at_any_depth(depth: int) -> None:
    data = editor(node(f"level{depth - 1}", ["outer.safetensors"]), subgraphs=nested(depth))
    assert paths(scan(data).needed) == {"checkpoints/outer.safetensors"}
    data = editor(node(f"level{depth - 1}", []), subgraphs=nested(depth))
    assert paths(scan(data).needed) == {"checkpoints/middle.safetensors"}


def test_an_inner_instance_need_not_say_that_its_input_is_a_widget() -> None:
    levels = nested(2)
    del levels[1]["nodes"][0]["inputs"][0]["widget"]
    assert paths(scan(editor(node("level1", ["outer.safetensors"]), subgraphs=levels)).needed) == {
        "checkpoints/outer.safetensors"
    }


def test_definitions_inside_definitions_are_found() -> None:
    inner, outer = nested(2)
    outer["definitions"] = {"subgraphs": [inner]}
    assert paths(scan(editor(node("level1"), subgraphs=[outer])).needed) == {"checkpoints/middle.safetensors"}


def test_a_linked_widget_takes_its_value_from_a_primitive_also_through_reroutes() -> None:
    links = [[1, 8, 0, 9, 0, "COMBO"], [2, 9, 0, 1, 0, "COMBO"]]
    data = editor(
        node("PrimitiveNode", ["primitive.safetensors", "fixed"], node_id=8),
        node("Reroute", node_id=9, inputs=[{"name": "", "type": "*", "link": 1}]),
        loader("own.safetensors", inputs=[widget("ckpt_name", 2)]),
        links=links,
    )
    scanned = scan(data)
    assert paths(scanned.references) == {"checkpoints/primitive.safetensors"}


def test_a_link_into_an_instance_wins_over_what_it_keeps() -> None:
    instance = node("sub", PROMOTED, inputs=[widget("ckpt_name", 7)])
    primitive = node("PrimitiveNode", ["linked.safetensors"], node_id=8)
    data = editor(instance, primitive, subgraphs=[promoting()], links=[[7, 8, 0, 1, 1, "COMBO"]])
    assert paths(scan(data).needed) == {"checkpoints/linked.safetensors", "loras/outer_lora.safetensors"}


def test_a_name_that_another_node_computes_is_said() -> None:
    picker = node("PickRandomModel", node_id=8)
    data = editor(picker, loader("own.safetensors", inputs=[widget("ckpt_name", 2)]), links=[[2, 8, 0, 1, 0, "COMBO"]])
    scanned = scan(data)
    assert (scanned.references, codes(scanned)) == ((), {"computed_name"})


def test_earlier_editors_list_what_is_promoted() -> None:
    proxies = [["3", "lora_name"], ["-1", "ckpt_name"], ["2", "steps"]]
    values = ["outer_lora.safetensors", "outer.safetensors", 8]
    data = editor(node("sub", values, properties={"proxyWidgets": proxies}), subgraphs=[promoting()])
    assert paths(scan(data).needed) == OUTER
    data = editor(node("sub", [], properties={"proxyWidgets": proxies}), subgraphs=[promoting()])
    assert paths(scan(data).needed) == INNER


def test_promoted_through_two_levels_by_an_earlier_editor() -> None:
    holder = node("sub", [], node_id=4, properties={"proxyWidgets": [["1", "ckpt_name"]]})
    outer = node("outer", ["outer.safetensors"], properties={"proxyWidgets": [["4", "1: ckpt_name"]]})
    data = editor(outer, subgraphs=[promoting(), subgraph("outer", [holder])])
    assert paths(scan(data).needed) == {"checkpoints/outer.safetensors", "loras/inner_lora.safetensors"}


def test_values_that_could_not_be_moved_to_the_newer_form_still_count() -> None:
    kept = [{"originalEntry": ["-1", "ckpt_name"], "reason": "missingSourceNode", "hostValue": "kept.safetensors"}]
    instance = node("sub", ["other.safetensors"], properties={"proxyWidgetErrorQuarantine": kept})
    needed = paths(scan(editor(instance, subgraphs=[promoting()])).needed)
    assert needed == {"checkpoints/kept.safetensors", "loras/inner_lora.safetensors"}


def test_embeddings_in_promoted_prompts() -> None:
    encoder = node("CLIPTextEncode", ["embedding:inner"], inputs=[widget("text", 1)])
    definition = subgraph("sub", [encoder], [slot("text", 1)], [link(1, SUBGRAPH_INPUT, 0, 1)])
    scanned = scan(editor(node("sub", ["embedding:outer"]), subgraphs=[definition]))
    assert paths(scanned.references) == {"embeddings/outer"}


def group(*nodes: Json, links: list[Any] | None = None) -> Json:
    numbered = [one | {"index": number} for number, one in enumerate(nodes)]
    return {"groupNodes": {"My group": {"nodes": numbered, "links": links or [], "external": [], "config": {}}}}


SAMPLER = node("KSampler", [5, "randomize", 20, "euler"])


@pytest.mark.parametrize("prefix", ["workflow>", "workflow/"])
def test_a_group_node_needs_what_its_nodes_need(prefix: str) -> None:
    extra = group(SAMPLER, loader("inner.safetensors", models=[model("inner.safetensors")]))
    (reference,) = scan(editor(node(f"{prefix}My group"), extra=extra)).references
    assert (reference.path, reference.active) == ("checkpoints/inner.safetensors", True)
    assert reference.url == model("inner.safetensors")["url"]
    assert scan(editor(node(f"{prefix}My group", mode=4), extra=extra)).needed == ()
    inside = subgraph("sub", [node(f"{prefix}My group")])
    assert paths(scan(editor(node("sub"), subgraphs=[inside], extra=extra)).needed) == {"checkpoints/inner.safetensors"}


def test_a_group_nodes_own_values_win_when_their_order_is_known() -> None:
    extra = group(SAMPLER, loader("inner.safetensors"), node("VAELoader", ["inner_vae.safetensors"]))
    values = [7, "fixed", 9, "dpm", "outer.safetensors", "outer_vae.safetensors"]
    needed = paths(scan(editor(node("workflow>My group", values), extra=extra)).needed)
    assert needed == {"checkpoints/outer.safetensors", "vae/outer_vae.safetensors"}
    needed = paths(scan(editor(node("workflow>My group", values[1:]), extra=extra)).needed)
    assert needed == {"checkpoints/inner.safetensors", "vae/inner_vae.safetensors"}


def test_widgets_that_were_turned_into_inputs_come_last_in_a_group_node() -> None:
    turned = loader("inner.safetensors", inputs=[widget("ckpt_name")])
    extra = group(turned, node("VAELoader", ["inner_vae.safetensors"]))
    values = ["outer_vae.safetensors", "outer.safetensors"]
    needed = paths(scan(editor(node("workflow>My group", values), extra=extra)).needed)
    assert needed == {"checkpoints/outer.safetensors", "vae/outer_vae.safetensors"}


def test_a_primitive_in_a_group_node_gives_its_value() -> None:
    turned = loader("inner.safetensors", inputs=[widget("ckpt_name", 99)])
    extra = group(node("PrimitiveNode", ["primitive.safetensors"]), turned, links=[[0, 0, 1, 0, 4, "COMBO"]])
    assert paths(scan(editor(node("workflow>My group"), extra=extra)).needed) == {"checkpoints/primitive.safetensors"}
