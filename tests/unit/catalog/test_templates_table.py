"""The loader table: where it comes from, and how a person adds custom nodes."""

from __future__ import annotations

import pytest
from catalog.templates import FolderRule, LoaderTable, LoaderTableError, scan

from tests.unit.catalog.workflows import codes, editor, node, paths, prompt

ADDED = b"""{
  "about": "my nodes",
  "loaders": {
    "UnetLoaderGGUF": {"unet_name": {"folder": "diffusion_models", "widget": 0}},
    "IPAdapterModelLoader": {"ipadapter_file": {"folder": "ipadapter", "widget": 0}},
    "LoraStack": {"lora.*.name": {"folder": "loras"}},
    "ByName": {"file": {"folder": "checkpoints"}},
    "Words": {"which": {"folder": "vae", "widget": 0, "values": {"best": ["vae/best.*"]},
                        "stems": {"tiny": "vae_approx"}}}
  },
  "folders": {"ipadapter": {"extensions": [".bin", ".safetensors"]}},
  "aliases": {"ip_adapter": "ipadapter"},
  "no_file": ["(none)"]
}"""


def test_the_table_says_what_it_was_read_from() -> None:
    source = LoaderTable.builtin().source
    assert (source["comfyui"], len(source["commit"])) == ("0.33.0", 40)
    table = LoaderTable.builtin()
    assert len(table.loaders) == 44
    assert sum(len(loader.inputs) + len(loader.rows) for loader in table.loaders.values()) == 52


def test_folders_are_searched_in_comfyuis_order() -> None:
    table = LoaderTable.builtin()
    assert table.folder("diffusion_models").search == ("unet", "diffusion_models")
    assert table.folder("text_encoders") == FolderRule(search=("text_encoders", "clip"), under_output=("clip",))
    assert table.folder("loras").search == ("loras",)
    assert table.folder("unheard_of") == FolderRule(search=("unheard_of",), extensions=())
    assert (table.canonical("unet"), table.canonical("clip"), table.canonical("x")) == (
        "diffusion_models",
        "text_encoders",
        "x",
    )


def test_custom_nodes_can_be_added() -> None:
    table = LoaderTable.builtin().extended(ADDED)
    nodes = [
        node("UnetLoaderGGUF", ["a.gguf"]),
        node("IPAdapterModelLoader", ["b.bin"]),
        node("LoraStack", {"lora.0.name": "c.safetensors", "lora.1.name": "(none)"}),
        node("ByName", {"file": "d.ckpt"}),
        node("Words", ["best"]),
        node("Words", ["tiny.pt"]),
        node("VAELoader", ["e.safetensors"]),
    ]
    scanned = scan(editor(*nodes), table)
    expected = {
        "diffusion_models/a.gguf",
        "ipadapter/b.bin",
        "loras/c.safetensors",
        "checkpoints/d.ckpt",
        "vae/best",
        "vae_approx/tiny.pt",
        "vae/e.safetensors",
    }
    assert (paths(scanned.needed), scanned.warnings) == (expected, ())
    assert paths(scan(prompt(n=("UnetLoaderGGUF", {"unet_name": "a.gguf"})), table).needed) == {
        "diffusion_models/a.gguf"
    }
    assert codes(scan(editor(nodes[0]))) == {"unknown_loader"}


def test_an_added_entry_replaces_one_of_the_same_name() -> None:
    table = LoaderTable.builtin().extended(b'{"loaders": {"VAELoader": {"other": {"folder": "loras", "widget": 1}}}}')
    assert paths(scan(editor(node("VAELoader", ["a.pt", "b.pt"])), table).needed) == {"loras/b.pt"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read"),
        (b"[]", "Expected `object`"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"loader": {}}', "unknown field `loader`"),
        (b'{"loaders": {"A": {"b": {"folder": "x", "wigdet": 0}}}}', "unknown field `wigdet`"),
        (b'{"loaders": {"A": {"b": {"widget": 0}}}}', "missing required field `folder`"),
        (b'{"loaders": {"A": {"b": {"folder": ""}}}}', "loaders, A, b: `folder` is empty"),
        (b'{"loaders": {"A": {"b": {"folder": "x", "widget": -1}}}}', "loaders, A, b: `widget` must be a position"),
        (b'{"loaders": {"A": {"*": {"folder": "x"}}}}', "a row is written as `list.*.name`"),
        (b'{"loaders": {"A": {"b": {"folder": "x", "values": {"w": ["y"]}}}}}', "must be written as `folder/stem.*`"),
        (b'{"folders": {"x": {"extensions": ["bin"]}}}', "must begin with a dot"),
        (b" " * 2_000_000, "at most"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_place_and_reason(data: bytes, reason: str) -> None:
    with pytest.raises(LoaderTableError, match=r"the loader table|the file has") as caught:
        LoaderTable.builtin().extended(data)
    assert reason in str(caught.value)
