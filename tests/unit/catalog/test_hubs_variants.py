from __future__ import annotations

import pytest
from catalog.hubs.variants import MAX_VARIANTS_BYTES, HubFile, is_model_file, quantization, role, variants
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.repositories import Variant, default_path

SHA = "a" * 64


def chosen(*files: HubFile) -> tuple[Variant, ...]:
    found, left_out = variants(files, url=lambda name: f"u/{name}", path=lambda name: default_path("o/r", name))
    assert left_out == 0
    return found


@pytest.mark.parametrize(
    ("name", "bits", "method"),
    [
        ("Llama-3-8B-Q4_K_M.gguf", 4, "Q4_K_M"),
        ("llama.q5_1.gguf", 5, "Q5_1"),
        ("a-IQ2_XS.gguf", 2, "IQ2_XS"),
        ("a-IQ3_XXS.gguf", 3, "IQ3_XXS"),
        ("a-IQ4_NL.gguf", 4, "IQ4_NL"),
        ("a-TQ1_0.gguf", 1, "TQ1_0"),
        ("x-UD-Q4_K_XL.gguf", 4, "UD-Q4_K_XL"),
        ("a-Q4_0_4_8.gguf", 4, "Q4_0_4_8"),
        ("a-Q8_0-00001-of-00003.gguf", 8, "Q8_0"),
        ("Q6_K/a-00001-of-00002.gguf", 6, "Q6_K"),
        ("Q2-7B-Q3_K_L.gguf", 3, "Q3_K_L"),
        ("gpt-oss-20b-MXFP4.gguf", 4, "MXFP4"),
        ("mmproj-F16.gguf", 16, "F16"),
        ("wan_fp8_e4m3fn_scaled.safetensors", 8, "fp8_e4m3fn_scaled"),
        ("x_fp8_e5m2.safetensors", 8, "fp8_e5m2"),
        ("flux1-dev-fp8.safetensors", 8, "fp8"),
        ("flux-bf16.safetensors", 16, "bf16"),
        ("t5xxl_fp16.safetensors", 16, "fp16"),
        ("model.fp32.safetensors", 32, "fp32"),
        ("z_nvfp4.safetensors", 4, "nvfp4"),
        ("svdq-int4_r32-flux.safetensors", 4, "svdq-int4_r32"),
        ("a-GPTQ-Int4/model.safetensors", 4, "GPTQ-Int4"),
        ("a-awq.safetensors", None, "awq"),
        ("mlx-6bit/model.safetensors", 6, "6bit"),
    ],
)
def test_quantization_is_read_from_the_name(name: str, bits: float | None, method: str) -> None:
    found = quantization(name)
    assert found is not None
    assert (found.bits, found.method) == (bits, method)


@pytest.mark.parametrize(
    "name", ["model.gguf", "sd3.5_large.safetensors", "q_x.gguf", "sdxl_vae.safetensors", "bf1600.pt"]
)
def test_a_name_that_says_nothing_says_nothing(name: str) -> None:
    assert quantization(name) is None


@pytest.mark.parametrize(
    ("name", "is_model"),
    [
        ("a.safetensors", True),
        ("A.GGUF", True),
        ("pytorch_model.bin", True),
        ("x.ckpt", True),
        ("README.md", False),
        ("config.json", False),
        ("tokenizer.json", False),
        ("tokenizer.model", False),
        ("training_args.bin", False),
        ("optimizer.pt", False),
        ("rng_state_0.pth", False),
        ("imatrix.gguf", False),
        ("a.imatrix.bin", False),
        ("preview.png", False),
        (".safetensors", False),
        ("model.safetensors.index.json", False),
    ],
)
def test_only_weights_can_be_chosen(name: str, is_model: bool) -> None:
    assert is_model_file(name) is is_model
    assert is_model_file(f"some/folder/{name}") is is_model


def test_a_file_in_parts_is_one_variant() -> None:
    files = [HubFile(f"Q8_0/a-Q8_0-0000{n}-of-00003.gguf", 10 * n, SHA) for n in (3, 1, 2)]
    (found,) = chosen(*files)
    assert found.filename == "Q8_0/a-Q8_0-00001-of-00003.gguf"
    assert found.parts == tuple(f"Q8_0/a-Q8_0-0000{n}-of-00003.gguf" for n in (1, 2, 3))
    assert (found.size_bytes, found.sha256) == (60, SHA)
    assert found.url == f"u/{found.filename}"
    assert found.path == f"llm/o/r/{found.filename}"
    (shards,) = chosen(*(HubFile(f"model-0000{n}-of-00002.safetensors") for n in (1, 2)))
    assert (shards.size_bytes, len(shards.parts)) == (None, 2)


def test_parts_of_which_some_are_missing_stand_for_themselves() -> None:
    found = chosen(*(HubFile(f"a-0000{n}-of-00003.gguf", 1) for n in (1, 3)))
    assert [variant.parts for variant in found] == [(), ()]


def test_the_projector_of_a_vision_model_is_no_model() -> None:
    found = chosen(HubFile("mmproj-BF16.gguf"), HubFile("a-Q4_K_M.gguf"), HubFile("vision/mmproj-a.gguf"))
    assert {variant.filename: variant.role for variant in found} == {
        "a-Q4_K_M.gguf": "",
        "mmproj-BF16.gguf": "projector",
        "vision/mmproj-a.gguf": "projector",
    }
    assert role("mmproj.safetensors") == ""


def test_a_name_that_can_be_no_path_is_listed_without_one() -> None:
    assert [variant.path for variant in chosen(HubFile("con.gguf"), HubFile("a\\b.gguf"))] == ["", ""]


def test_what_does_not_fit_into_a_fact_is_counted() -> None:
    found, left_out = variants(
        (HubFile(f"folder/model-number-{n}.safetensors", n, SHA) for n in range(5000)),
        url=lambda name: f"https://huggingface.co/org/repo/resolve/{'c' * 40}/{name}",
        path=lambda name: default_path("org/repo", name),
    )
    assert len(found) + left_out == 5000
    assert len(found) > 500
    assert 0.9 * MAX_VARIANTS_BYTES < sum(len(repr(variant.filename)) + 350 for variant in found) < 10**6


@given(st.text(max_size=60))
def test_no_name_is_too_odd(name: str) -> None:
    quantization(name)
    role(name)
    for variant in chosen(HubFile(name)):
        assert is_model_file(name)
        assert variant.filename == name
