from __future__ import annotations

import time
from typing import Any

import pytest
from catalog.hubs.card import first_paragraph, repository
from huggingface_hub.hf_api import ModelInfo
from modeldeck_events.repositories import Repository

COMMIT = "c" * 40
SHA = "ab" * 32
PAGE = "https://huggingface.co"


def described(**said: Any) -> Repository:
    info = ModelInfo(**{"id": "org/repo", "sha": COMMIT} | said)  # type: ignore[no-untyped-call]
    return repository(info, asked="org/repo", page=PAGE)


def test_what_the_hub_does_not_say_is_absent() -> None:
    assert described() == Repository(
        hub="huggingface", repo="org/repo", revision=COMMIT, links={"huggingface": f"{PAGE}/org/repo"}
    )


def test_files_are_pinned_to_the_commit_and_have_the_hash_that_lfs_states() -> None:
    lfs = {"size": 7, "sha256": SHA.upper(), "pointerSize": 135}
    found = described(
        siblings=[
            {"rfilename": "split_files/vae/a b.safetensors", "size": 140, "lfs": lfs},
            {"rfilename": "small.bin", "size": 5},
            {"rfilename": "config.json", "size": 5},
        ]
    )
    small, vae = found.variants
    assert (small.filename, small.size_bytes, small.sha256) == ("small.bin", 5, None)
    assert (vae.size_bytes, vae.sha256, vae.path) == (7, SHA, "vae/a b.safetensors")
    assert vae.url == f"{PAGE}/org/repo/resolve/{COMMIT}/split_files/vae/a%20b.safetensors"


@pytest.mark.parametrize(
    ("said", "license_"),
    [
        ({"cardData": {"license": "apache-2.0"}}, "apache-2.0"),
        ({"cardData": {"license": ["mit", "gpl"]}}, "mit"),
        ({"cardData": {"license": "other", "license_name": "flux-1-dev"}}, "flux-1-dev"),
        ({"cardData": {"license": "other"}}, "other"),
        ({"tags": ["x", "license:llama3"]}, "llama3"),
        ({"cardData": {"license": 5}}, None),
    ],
)
def test_the_licence(said: dict[str, Any], license_: str | None) -> None:
    assert described(**said).license == license_


def test_headers_that_the_hub_has_read() -> None:
    found = described(
        gguf={"total": 8, "architecture": "qwen2", "context_length": 32768, "chat_template": "x" * 9000},
        config={"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"},
        cardData={"base_model": ["Qwen/Qwen2-8B"]},
    ).metadata
    assert found is not None
    assert (found.architecture, found.family, found.parameters) == ("qwen2", "qwen2", 8)
    assert (found.context_length, found.base_model) == (32768, "Qwen/Qwen2-8B")
    weights = described(
        safetensors={"parameters": {"BF16": 100, "F32": 5, "U8": None}, "total": 105},
        config={"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
    ).metadata
    assert weights is not None
    assert (weights.architecture, weights.family, weights.dtype, weights.parameters) == (
        "LlamaForCausalLM",
        "llama",
        "BF16",
        105,
    )


def test_wrong_shapes_count_as_not_said() -> None:
    found = described(
        likes="many",
        downloads=-5,
        tags="gguf",
        pipeline_tag=["x"],
        gated="perhaps",
        private="yes",
        gguf=["x"],
        config="x",
        sha=7,
        cardData={"license": {"a": 1}, "base_model": {"b": 2}, "homepage": "javascript:alert(1)"},
        siblings=[{"rfilename": 5}, {"rfilename": "a.gguf", "size": -1}],
    )
    assert found == Repository(
        hub="huggingface",
        repo="org/repo",
        links={"huggingface": f"{PAGE}/org/repo"},
        variants=found.variants,
    )
    assert [variant.url for variant in found.variants] == [f"{PAGE}/org/repo/resolve/main/a.gguf"]
    assert found.variants[0].size_bytes is None
    assert described(id="../../etc").repo == "org/repo"


def test_long_and_many_are_cut() -> None:
    found = described(tags=[f"tag-{n}" for n in range(500)] + ["x" * 5000], pipeline_tag="p" * 5000)
    assert len(found.tags) == 64
    assert len(found.model_type or "") == 100


@pytest.mark.parametrize(
    ("readme", "description"),
    [
        ("# Title\n\nA model that does a lot of things.\n\nMore.", "A model that does a lot of things."),
        (
            "---\nlicense: mit\n---\n# T\nOf the heading's block.\n\nThe first real paragraph.",
            "The first real paragraph.",
        ),
        (
            '<p align="center">\n<img src="x">\n</p>\n\n[![badge](a)](b)\n\nThe first real paragraph.',
            "The first real paragraph.",
        ),
        ("Words of **bold** and\n[links](http://x) to read.", "Words of bold and links to read."),
        ("```\ncode that is\n\nnot prose at all\n```\n\nBut this is wanted here.", "But this is wanted here."),
        ("| a | b |\n|---|---|\n\n- a list of things here\n\nshort", None),
        ("A line with &lt;script&gt; and <b>HTML</b> in it.", "A line with <script> and HTML in it."),
        ("", None),
        ("---\nnever closed", None),
    ],
)
def test_the_description_is_the_first_prose_of_the_readme(readme: str, description: str | None) -> None:
    assert first_paragraph(readme) == description


@pytest.mark.parametrize("piece", ["[", "<", "---\n", "`", "![](", "a_", "](", "\n ", "*_", "&#"])
def test_a_hostile_readme_is_read_in_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        first_paragraph("A word. " + piece * (size // len(piece)))
        return time.process_time() - began

    assert seconds(64_000) < 20 * max(seconds(4_000), 0.01)
