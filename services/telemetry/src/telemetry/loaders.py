"""Which model files a prompt loads: the inputs of ComfyUI's loader nodes, by name, as far as the prompt tells.

A prompt (API format) holds only what runs: `{node id: {"class_type": ..., "inputs": {name: value or [node, slot]}}}`.
The folders are those of ComfyUI's core nodes; a file that a custom node loads is known by its extension, but
not its folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modeldeck_events.generations import ModelUse

MAX_MODELS = 64
MAX_NAME_CHARS = 512
_EXTENSIONS = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx", ".pkl")

_BY_INPUT = {
    "ckpt_name": "checkpoints",
    "unet_name": "diffusion_models",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "clip_name4": "text_encoders",
    "text_encoder": "text_encoders",
    "vae_name": "vae",
    "lora": "loras",
    "lora_name": "loras",
    "existing_lora": "loras",
    "control_net_name": "controlnet",
    "t2i_adapter_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker",
    "audio_encoder_name": "audio_encoders",
    "bg_removal_name": "background_removal",
    "conditioning_name": "embeddings",
}
_BY_CLASS = {
    "CLIPVisionLoader": "clip_vision",
    "FrameInterpolationModelLoader": "frame_interpolation",
    "LatentUpscaleModelLoader": "latent_upscale_models",
    "LoadDA3Model": "geometry_estimation",
    "LoadMediaPipeFaceLandmarker": "detection",
    "LoadMoGeModel": "geometry_estimation",
    "ModelPatchLoader": "model_patches",
    "OpticalFlowLoader": "optical_flow",
    "SAM3DBody_Loader": "detection",
    "UpscaleModelLoader": "upscale_models",
}
"""Loaders whose input has a name that means something else, or nothing, elsewhere."""
_APPROXIMATE_VAES = frozenset({"taehv", "lighttaew2_2", "lighttaew2_1", "lighttaehy1_5", "taeltx_2", "taeh3"})


def models_of(prompt: object) -> tuple[ModelUse, ...]:
    """Return the model files of a prompt, each once, in the order of its nodes: at most 64, none for anything else."""
    found: dict[ModelUse, None] = {}
    if isinstance(prompt, dict):
        for node in prompt.values():
            for model in _of_node(node):
                found[model] = None
                if len(found) == MAX_MODELS:
                    return tuple(found)
    return tuple(found)


def _of_node(node: object) -> Iterator[ModelUse]:
    if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
        return
    kind = node.get("class_type")
    folder = _BY_CLASS.get(kind) if isinstance(kind, str) else None
    for name, value in _flat(node["inputs"]):
        if not isinstance(value, str) or not value.lower().endswith(_EXTENSIONS):
            continue
        if len(value) > MAX_NAME_CHARS or not value.isprintable():
            continue  # no file has such a name; it could not even be stored
        filename = value.replace("\\", "/")
        directory = folder or _BY_INPUT.get(name.rpartition(".")[2], "")
        if directory == "vae" and filename.rpartition("/")[2].rpartition(".")[0] in _APPROXIMATE_VAES:
            directory = "vae_approx"
        yield ModelUse(directory=directory, filename=filename)


def _flat(inputs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the inputs, and those inside of rows such as `{"on": true, "lora": name}` that are not switched off."""
    for name, value in inputs.items():
        if isinstance(value, dict):
            if value.get("on") is not False:
                yield from value.items()
        else:
            yield name, value
