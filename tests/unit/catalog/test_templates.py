"""Nodes of an editor file: what their widgets name, what they state about it, and what must never count."""

from __future__ import annotations

from typing import Any

import pytest
from catalog.templates import LoaderTable, scan

from tests.unit.catalog.workflows import codes, editor, loader, model, node, paths, prompt


@pytest.mark.parametrize(
    ("node_type", "values", "expected"),
    [
        ("CheckpointLoaderSimple", ["a.safetensors"], {"checkpoints/a.safetensors"}),
        ("UNETLoader", ["a.safetensors", "default"], {"diffusion_models/a.safetensors"}),
        ("CLIPLoader", ["a.safetensors", "flux", "default"], {"text_encoders/a.safetensors"}),
        ("DualCLIPLoader", ["a.sft", "b.pt", "flux"], {"text_encoders/a.sft", "text_encoders/b.pt"}),
        ("CheckpointLoader", ["v1.yaml", "a.ckpt"], {"configs/v1.yaml", "checkpoints/a.ckpt"}),
        ("LTXAVTextEncoderLoader", ["a.pth", "b.bin"], {"text_encoders/a.pth", "checkpoints/b.bin"}),
        ("LoraLoader", ["style/a.safetensors", 1, 1], {"loras/style/a.safetensors"}),
        ("CLIPVisionLoader", ["a.safetensors"], {"clip_vision/a.safetensors"}),
        ("UpscaleModelLoader", ["a.PTH"], {"upscale_models/a.PTH"}),
        ("TrainLoraNode", [*range(16), "a.safetensors", 1], {"loras/a.safetensors"}),
        ("DiffusersLoader", ["stable-diffusion"], {"diffusers/stable-diffusion"}),
        (
            "LoadLoraModel",
            [2, "a.safetensors", 1.0, "b.safetensors", 0.5],
            {"loras/a.safetensors", "loras/b.safetensors"},
        ),
    ],
)
def test_a_loader_names_its_files_by_position(node_type: str, values: list[Any], expected: set[str]) -> None:
    scanned = scan(editor(node(node_type, values)))
    assert (paths(scanned.references), scanned.format, scanned.warnings) == (expected, "editor", ())
    assert {reference.node_type for reference in scanned.needed} == {node_type}


def test_every_loader_of_the_table_is_read_in_both_formats() -> None:
    for node_type, known in LoaderTable.builtin().loaders.items():
        for name, rule in known.inputs.items():
            value = (
                "folder" if rule.folder == "diffusers" else "x.yaml" if rule.folder == "configs" else "x.safetensors"
            )
            assert rule.widget is not None
            values = [0] * rule.widget + [value]
            expected = [(f"{rule.folder}/{value}", node_type, name, True)]
            for data in (
                editor(node(node_type, values)),
                editor(node(node_type, {name: value})),
                prompt(n=(node_type, {name: value})),
            ):
                found = scan(data).references
                assert [(one.path, one.node_type, one.input_name, one.active) for one in found] == expected


def test_a_reference_tells_folder_file_node_and_input() -> None:
    (reference,) = scan(editor(node("VAELoader", ["sub/x.safetensors"]))).references
    assert (reference.directory, reference.filename, reference.input_name, reference.form, reference.url) == (
        "vae",
        "sub/x.safetensors",
        "vae_name",
        "file",
        None,
    )


def test_windows_separators_mean_subfolders() -> None:
    assert paths(scan(editor(node("LoraLoader", ["style\\a.safetensors"]))).needed) == {"loras/style/a.safetensors"}


@pytest.mark.parametrize("mode", [2, 4])
def test_a_muted_or_bypassed_node_needs_nothing(mode: int) -> None:
    scanned = scan(editor(loader("a.safetensors", mode=mode), loader("b.safetensors")))
    assert paths(scanned.references) == {"checkpoints/a.safetensors", "checkpoints/b.safetensors"}
    assert paths(scanned.needed) == {"checkpoints/b.safetensors"}


def test_one_active_node_is_enough() -> None:
    (reference,) = scan(editor(loader("a.safetensors", mode=4), loader("a.safetensors"))).references
    assert reference.active


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pixel_space", set()),
        ("taesd", {("vae_approx/taesd_encoder", "stem"), ("vae_approx/taesd_decoder", "stem")}),
        ("taef2", {("vae_approx/taef2_encoder", "stem"), ("vae_approx/taef2_decoder", "stem")}),
        ("taehv.safetensors", {("vae_approx/taehv.safetensors", "file")}),
        ("taehv_2.safetensors", {("vae/taehv_2.safetensors", "file")}),
    ],
)
def test_special_values_of_the_vae_loader(value: str, expected: set[tuple[str, str]]) -> None:
    for data in (editor(node("VAELoader", [value])), prompt(n=("VAELoader", {"vae_name": value}))):
        scanned = scan(data)
        assert {(one.path, one.form) for one in scanned.references} == expected
        assert scanned.warnings == ()


@pytest.mark.parametrize("value", ["None", "", "  ", None])
def test_a_loader_without_a_file_needs_none(value: object) -> None:
    scanned = scan(editor(node("LoraLoader", [value])))
    assert (scanned.references, scanned.warnings) == ((), ())


def test_a_value_that_no_folder_lists_is_said() -> None:
    scanned = scan(editor(node("UNETLoader", ["put models here"])))
    assert (scanned.references, codes(scanned)) == ((), {"unrecognised_value"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embedding:easynegative, bad hands", {("embeddings/easynegative", "stem")}),
        ("in the style of embedding:SDA768.pt girl", {("embeddings/SDA768.pt", "file")}),
        ("a (embedding:sub/x:1.2), b", {("embeddings/sub/x", "stem")}),
        ("one\nembedding:a embedding:b", {("embeddings/a", "stem"), ("embeddings/b", "stem")}),
        ("embedding:odd\\(1\\)", {("embeddings/odd(1)", "stem")}),
        ("my embedding: none, notembedding:x", set()),
    ],
)
def test_prompts_name_embeddings(text: str, expected: set[tuple[str, str]]) -> None:
    for data in (editor(node("CLIPTextEncode", [text])), prompt(n=("CLIPTextEncode", {"text": text}))):
        assert {(one.path, one.form) for one in scan(data).needed} == expected


def test_what_a_node_states_about_its_file_is_kept() -> None:
    stated = model("a.safetensors", hash="AB" * 32, hash_type="SHA256")
    other_name = model("b.safetensors") | {"url": "https://huggingface.co/o/r/resolve/main/other.safetensors"}
    scanned = scan(
        editor(loader("a.safetensors", models=[stated, stated]), loader("b.safetensors", models=[other_name]))
    )
    assert [(one.path, one.url, one.sha256) for one in scanned.references] == [
        ("checkpoints/a.safetensors", stated["url"], "ab" * 32),
        ("checkpoints/b.safetensors", other_name["url"], None),
    ]


def test_what_is_stated_badly_is_said_and_not_used() -> None:
    models = [model("a.safetensors") | {"url": "file:///etc/passwd", "hash": "abc"}]
    scanned = scan(editor(loader("a.safetensors", models=models)))
    assert [(one.url, one.sha256) for one in scanned.references] == [(None, None)]
    assert codes(scanned) == {"invalid_url", "invalid_hash"}


def test_todays_names_of_folders_are_used() -> None:
    models = [model("a.safetensors", "unet")]
    (reference,) = scan(editor(node("UNETLoader", ["a.safetensors"], models=models))).references
    assert (reference.path, reference.url) == ("diffusion_models/a.safetensors", models[0]["url"])
    (reference,) = scan(editor(node("MyLoader", ["b.gguf"], models=[model("b.gguf", "clip")]))).references
    assert reference.path == "text_encoders/b.gguf"


def test_a_directory_that_the_loader_does_not_read_is_said() -> None:
    scanned = scan(editor(loader("a.safetensors", models=[model("a.safetensors", "loras")])))
    assert (paths(scanned.references), codes(scanned)) == ({"checkpoints/a.safetensors"}, {"directory_mismatch"})


def test_a_file_that_was_stated_before_another_one_was_chosen_is_not_needed() -> None:
    scanned = scan(editor(loader("new.safetensors", models=[model("old.safetensors")])))
    assert [(one.path, one.active, one.url) for one in scanned.references] == [
        ("checkpoints/new.safetensors", True, None),
        ("checkpoints/old.safetensors", False, model("old.safetensors")["url"]),
    ]
    assert codes(scanned) == {"stale_metadata"}


def test_a_custom_loader_is_known_by_what_it_states() -> None:
    models = [model("a.gguf", "unet_gguf"), model("b.gguf", "unet_gguf")]
    scanned = scan(editor(node("MyGGUF", ["flux/a.gguf", 1], models=models)))
    assert [(one.path, one.active, one.node_type, one.input_name) for one in scanned.references] == [
        ("unet_gguf/flux/a.gguf", True, "MyGGUF", ""),
        ("unet_gguf/b.gguf", False, "MyGGUF", ""),
    ]


def test_a_custom_loader_that_states_nothing_is_said() -> None:
    for data in (editor(node("MyGGUF", ["a.gguf"])), prompt(n=("MyGGUF", {"name": "a.gguf"}))):
        scanned = scan(data)
        assert (scanned.references, codes(scanned), scanned.complete) == ((), {"unknown_loader"}, True)


def test_what_the_workflow_states_counts_where_a_node_names_it() -> None:
    models = [
        model("a.safetensors", hash="cd" * 32),
        model("custom.bin", "other"),
        model("muted.bin", "other"),
        model("unused.safetensors"),
    ]
    nodes = (loader("a.safetensors"), node("Custom", ["custom.bin"]), node("Custom", ["muted.bin"], mode=2))
    found = {one.path: one for one in scan(editor(*nodes, models=models)).references}
    assert {path: one.active for path, one in found.items()} == {
        "checkpoints/a.safetensors": True,
        "other/custom.bin": True,
        "other/muted.bin": False,
        "checkpoints/unused.safetensors": False,
    }
    assert [found["checkpoints/a.safetensors"].url, found["checkpoints/a.safetensors"].sha256] == [
        models[0]["url"],
        "cd" * 32,
    ]


def test_a_forgotten_prompt_old_copies_notes_and_cameras_name_nothing() -> None:
    old = {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "forgotten.safetensors"}}}
    cameras = {"Scene Config": {"models": [{"name": "front", "position": [0, 0, 1]}]}, "Camera Config": {"models": []}}
    data = editor(
        loader("a.safetensors", widgets_values_named={"ckpt_name": "stale.safetensors"}),
        node("Preview3D", ["model.glb", {"models": [{"name": "cam.safetensors"}]}], properties=cameras),
        node("MarkdownNote", ["[b.safetensors](https://huggingface.co/o/r/resolve/main/b.safetensors) embedding:x"]),
        node("Note", ["c.safetensors"]),
        extra={"prompt": old},
    )
    scanned = scan(data)
    assert (paths(scanned.references), scanned.warnings) == ({"checkpoints/a.safetensors"}, ())


def test_a_prompt_names_files_by_input_and_links_are_no_names() -> None:
    data = prompt(
        a=("DualCLIPLoader", {"clip_name1": "a.safetensors", "clip_name2": ["b", 0], "type": "flux"}),
        b=("LoadLoraModel", {"loras": 2, "loras.0.lora_name": "l.safetensors", "loras.1.lora_name": "m.safetensors"}),
        c=("KSampler", {"seed": 3, "model": ["a", 0]}),
    )
    scanned = scan(data)
    assert [(one.path, one.input_name, one.active) for one in scanned.references] == [
        ("text_encoders/a.safetensors", "clip_name1", True),
        ("loras/l.safetensors", "loras.0.lora_name", True),
        ("loras/m.safetensors", "loras.1.lora_name", True),
    ]
    assert (scanned.format, scanned.warnings) == ("prompt", ())


def test_the_body_of_a_prompt_request_is_a_prompt() -> None:
    body = b'{"client_id": "x", "prompt": %b}' % prompt(n=("VAELoader", {"vae_name": "a.safetensors"}))
    assert paths(scan(body).needed) == {"vae/a.safetensors"}
