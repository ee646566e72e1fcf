"""From the architecture that a header names to the family by which a person would group models.

The names are those that gguf-py (`MODEL_ARCH_NAMES`) and ComfyUI-GGUF write as `general.architecture`, the
`modelspec.architecture` of Stability's model metadata standard, and kohya's `ss_base_model_version`.
"""

from __future__ import annotations

import functools

_PREFIXES: tuple[tuple[str, str], ...] = (
    ("stable-diffusion-xl", "sdxl"),
    ("stable-diffusion-v1", "sd1"),
    ("stable-diffusion-v2", "sd2"),
    ("stable-diffusion-v3", "sd3"),
    ("stable-diffusion-3", "sd3"),
    ("stable-cascade", "stable-cascade"),
    ("stable-video", "stable-video-diffusion"),
    ("sdxl", "sdxl"),
    ("sd3", "sd3"),
    ("sd-1", "sd1"),
    ("sd-2", "sd2"),
    ("sd-v1", "sd1"),
    ("sd-v2", "sd2"),
    ("sd1", "sd1"),
    ("sd2", "sd2"),
    ("flux-2", "flux2"),
    ("flux2", "flux2"),
    ("flux", "flux"),
    ("chroma", "chroma"),
    ("wan", "wan"),
    ("hunyuan-video", "hunyuan-video"),
    ("hyvid", "hunyuan-video"),
    ("hunyuan", "hunyuan"),
    ("ltx", "ltx"),
    ("qwen-image", "qwen-image"),
    ("lumina", "lumina"),
    ("hidream", "hidream"),
    ("cosmos", "cosmos"),
    ("aura", "auraflow"),
    ("pixart", "pixart"),
    ("llama", "llama"),
    ("llada", "llada"),
    ("qwen", "qwen"),
    ("gemma", "gemma"),
    ("mistral", "mistral"),
    ("phi", "phi"),
    ("deepseek", "deepseek"),
    ("command-r", "command-r"),
    ("cohere", "command-r"),
    ("falcon", "falcon"),
    ("gpt-oss", "gpt-oss"),
    ("gpt2", "gpt2"),
    ("gptneox", "gpt-neox"),
    ("granite", "granite"),
    ("glm", "glm"),
    ("chatglm", "glm"),
    ("ernie", "ernie"),
    ("exaone", "exaone"),
    ("internlm", "internlm"),
    ("jamba", "jamba"),
    ("kimi", "kimi"),
    ("lfm2", "lfm2"),
    ("mamba", "mamba"),
    ("minicpm", "minicpm"),
    ("minimax", "minimax"),
    ("nemotron", "nemotron"),
    ("olmo", "olmo"),
    ("rwkv", "rwkv"),
    ("smollm", "smollm"),
    ("stablelm", "stablelm"),
    ("starcoder", "starcoder"),
    ("t5", "t5"),
    ("nomic-bert", "bert"),
    ("modern-bert", "bert"),
    ("jina-bert", "bert"),
    ("bert", "bert"),
    ("clip", "clip"),
)
"""The first that fits counts, as a whole word's beginning: `flux-1-dev/lora` is flux."""


@functools.lru_cache(maxsize=1024)
def family_of(architecture: str | None) -> str | None:
    """Return the family; None for an architecture that the table does not know."""
    if architecture is None:
        return None
    name = architecture.strip().lower().replace("_", "-").replace(".", "-")
    return next((family for prefix, family in _PREFIXES if name.startswith(prefix)), None)
