"""Which variant of a model suits this machine, and why, in one sentence with numbers. Pure.

The rule: a model needs the bytes of its weights times 1.2 and 1 GB more (context, activations, what the runtime itself
takes). Of what fits into the memory of the largest GPU the one with the most bits per weight is best (beyond 16 bits
nothing is gained, then the smaller file); else of what fits into RAM: a GGUF runs there beside any GPU, anything else
only on a machine without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from modeldeck_events.repositories import Variant

from gateway.boards import words
from gateway.boards.board import Json

OVERHEAD_FACTOR = 1.2
OVERHEAD_BYTES = 1_000_000_000
NEUTRAL_BITS = 4
FULL_BITS = 16
_MAIN_FOLDERS = frozenset({"checkpoints", "diffusion_models", "unet", "llm"})
_COMPANIONS = ("mmproj", "imatrix")
"""Files beside a model's weights that have the form of a model: its eyes, and the statistics of its quantization."""

FitsIn = Literal["gpu", "memory", "nothing"]


class Candidate(NamedTuple):
    """A variant as far as it counts here. `method` is the name of the quantization, "" for none."""

    filename: str
    size_bytes: int | None = None
    bits: float | None = None
    method: str = ""


class Machine(NamedTuple):
    """What is there: the largest GPU's memory and name, and the RAM; None for what nobody has told."""

    gpu_bytes: int | None = None
    gpu_name: str = ""
    ram_bytes: int | None = None


class Recommendation(NamedTuple):
    """The variant to take and why; `fits_in` is None when nothing is known of the machine or of the sizes."""

    filename: str
    reason: str
    fits_in: FitsIn | None


def candidates(variants: Iterable[Variant]) -> list[Candidate]:
    """Return the variants among which a repository lets choose: its GGUF files if it has any, else those that belong
    where whole models go (not the text encoders and VAEs beside them), else all.
    """
    models = [variant for variant in variants if variant.role != "projector"]
    ggufs = [variant for variant in models if variant.filename.lower().endswith(".gguf")]
    whole = [variant for variant in models if variant.path.partition("/")[0] in _MAIN_FOLDERS]
    return [
        Candidate(
            v.filename,
            v.size_bytes,
            v.quantization.bits if v.quantization else None,
            v.quantization.method if v.quantization else "",
        )
        for v in ggufs or whole or models
    ]


def machine_of(resources: Json) -> Machine:
    """Return the memory of a host from its resources as the API tells them (R-120)."""
    devices = [d for d in resources.get("gpu", {}).get("devices", ()) if d.get("memory_total_bytes")]
    largest: Json = max(devices, key=lambda device: device["memory_total_bytes"], default={})
    return Machine(
        gpu_bytes=largest.get("memory_total_bytes"),
        gpu_name=largest.get("name", ""),
        ram_bytes=resources.get("memory", {}).get("total"),
    )


def needed_bytes(size_bytes: int) -> int:
    """Return the memory that a model with weights of this size is taken to need."""
    return int(size_bytes * OVERHEAD_FACTOR) + OVERHEAD_BYTES


def recommend(variants: Sequence[Candidate], machine: Machine) -> Recommendation | None:
    """Return the best variant for this machine; None when there is none at all."""
    models = [v for v in variants if not _is_companion(v)] or list(variants)
    sized = [v for v in models if v.size_bytes]
    if not sized:
        return _unsized(models)
    if machine.gpu_bytes is None and machine.ram_bytes is None:
        return _neutral(sized)
    on_gpu = _best(sized, machine.gpu_bytes)
    if on_gpu is not None:
        where = f"the {words.size(machine.gpu_bytes or 0)} of the {machine.gpu_name or 'GPU'}"
        return Recommendation(on_gpu.filename, f"{_named(on_gpu)} fits into {where} with room for the context.", "gpu")
    in_ram = _best([v for v in sized if machine.gpu_bytes is None or _is_gguf(v)], machine.ram_bytes)
    if in_ram is not None:
        ram = words.size(machine.ram_bytes or 0)
        why = "" if machine.gpu_bytes is None else f"; nothing fits into {words.size(machine.gpu_bytes)} of GPU memory"
        text = f"{_named(in_ram)} fits into {ram} of RAM, which is slower than a GPU{why}."
        return Recommendation(in_ram.filename, text, "memory")
    return _smallest(sized, machine)


def _best(variants: Sequence[Candidate], memory_bytes: int | None) -> Candidate | None:
    fitting = [v for v in variants if needed_bytes(v.size_bytes or 0) <= (memory_bytes or 0)]
    return max(fitting, key=_quality, default=None)


def _quality(variant: Candidate) -> tuple[bool, float, int, str]:
    """Sort key: more bits, then more bytes of as many bits; beyond 16 bits fewer bytes. Unknown bits: by bytes alone,
    after all known ones.
    """
    size = variant.size_bytes or 0
    bits = variant.bits or 0.0
    return (variant.bits is not None, min(bits, FULL_BITS), -size if bits >= FULL_BITS else size, variant.filename)


def _neutral(sized: Sequence[Candidate]) -> Recommendation:
    good = [v for v in sized if v.bits is None or v.bits >= NEUTRAL_BITS] or sized
    known_bits = [v for v in good if v.bits is not None] or good
    choice = min(known_bits, key=_by_size)
    what = "with at least 4 bits per weight" if (choice.bits or 0) >= NEUTRAL_BITS else "of all"
    text = f"Nothing is known of this machine's memory; {_named(choice)} is the smallest {what}."
    return Recommendation(choice.filename, text, None)


def _smallest(sized: Sequence[Candidate], machine: Machine) -> Recommendation:
    choice = min(sized, key=_by_size)
    memories: list[tuple[int | None, str]] = [
        (machine.gpu_bytes, f"of the {machine.gpu_name or 'GPU'}"),
        (machine.ram_bytes, "of RAM"),
    ]
    there = " and ".join(f"{words.size(memory)} {of}" for memory, of in memories if memory is not None)
    needs = words.size(needed_bytes(choice.size_bytes or 0))
    text = f"Nothing fits into {there}: {_named(choice)} is the smallest and needs about {needs}."
    return Recommendation(choice.filename, text, "nothing")


def _unsized(models: Sequence[Candidate]) -> Recommendation | None:
    if not models:
        return None
    good = [v for v in models if (v.bits or 0) >= NEUTRAL_BITS] or models
    choice = min(good, key=lambda v: (v.bits or 0, v.filename))
    name = choice.method or choice.filename.rpartition("/")[2]
    return Recommendation(choice.filename, f"Nobody states the sizes; by its bits per weight {name} is a start.", None)


def _named(variant: Candidate) -> str:
    return f"{variant.method or variant.filename.rpartition('/')[2]} ({words.size(variant.size_bytes or 0)})"


def _by_size(variant: Candidate) -> tuple[int, str]:
    return (variant.size_bytes or 0, variant.filename)


def _is_gguf(variant: Candidate) -> bool:
    return variant.filename.lower().endswith(".gguf")


def _is_companion(variant: Candidate) -> bool:
    return any(word in variant.filename.rpartition("/")[2].lower() for word in _COMPANIONS)
