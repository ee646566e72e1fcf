from __future__ import annotations

import pytest
from modeldeck_events.paths import check_model_path
from modeldeck_events.repositories import default_path


@pytest.mark.parametrize(
    ("filename", "path"),
    [
        ("a-Q4_K_M.gguf", "llm/org/repo/a-Q4_K_M.gguf"),
        ("Q8_0/a-00001-of-00002.GGUF", "llm/org/repo/Q8_0/a-00001-of-00002.GGUF"),
        ("flux1-dev.safetensors", "downloads/org/repo/flux1-dev.safetensors"),
        ("weights/flux1-dev.safetensors", "downloads/org/repo/weights/flux1-dev.safetensors"),
        ("split_files/vae/ae.safetensors", "vae/ae.safetensors"),
        ("split_files/diffusion_models/wan/a.safetensors", "diffusion_models/wan/a.safetensors"),
        ("split_files/text_encoders/umt5-Q8_0.gguf", "text_encoders/umt5-Q8_0.gguf"),
        ("loras/vae/a.safetensors", "loras/vae/a.safetensors"),
        ("vae/diffusion_pytorch_model.safetensors", "vae/org/repo/diffusion_pytorch_model.safetensors"),
        ("vae/diffusion_pytorch_model.fp16.safetensors", "vae/org/repo/diffusion_pytorch_model.fp16.safetensors"),
        ("unet/model-00001-of-00002.safetensors", "unet/org/repo/model-00001-of-00002.safetensors"),
        ("text_encoders/model_merged.safetensors", "text_encoders/model_merged.safetensors"),
        ("vae", "downloads/org/repo/vae"),
    ],
)
def test_a_hubs_file_has_one_place(filename: str, path: str) -> None:
    assert default_path("org/repo", filename) == path
    assert check_model_path(path) == path
