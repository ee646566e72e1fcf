"""Which files of a repository can be chosen, and what their names say. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
from modeldeck_events.modelfiles import Quantization
from modeldeck_events.paths import ModelPathError, check_model_path
from modeldeck_events.repositories import Role, Variant

from catalog.inventory import EXTENSIONS

MAX_VARIANTS_BYTES = 400_000
"""Of all variants of a repository together: a fact has to fit into a message of the bus (1 MB)."""
_NO_MODELS = re.compile(
    r"(?:training_args|trainer_state|optimizer|scheduler|scaler|rng_state\w*|tokenizer|events)(?:[._-].*)?|.*imatrix.*",
    re.IGNORECASE,
)
"""What training leaves beside the weights, and the statistics that quantizing needs."""
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<end>\.[^./]+)")
_BEFORE, _AFTER = r"(?:^|[-._/ ])", r"(?=$|[-._/ ])"
_GGUF_METHOD = re.compile(
    rf"{_BEFORE}((?:UD[-_])?(?:I?Q|TQ)(\d)(?:_(?:\d(?:_\d(?:_\d)?)?|K(?:_(?:XXS|XS|S|M|L|XL))?|XXS|XS|S|M|L|XL|NL))?){_AFTER}",
    re.IGNORECASE,
)
_NAMED: tuple[tuple[re.Pattern[str], float | None], ...] = tuple(
    (re.compile(rf"{_BEFORE}({pattern}){_AFTER}", re.IGNORECASE), bits)
    for pattern, bits in (
        (r"(?:mx|nv)fp4(?:_moe|_mixed)?|svdq[-_]?(?:int|fp)4(?:_r\d+)?|nf4|fp4", 4),
        (r"mxfp8|(?:fp8|float8)(?:_?e[45]m[23](?:fn|fnuz)?)?(?:_scaled|_mixed)?(?:_fast)?", 8),
        (r"(?:awq|gptq)[-_]?int4|w4a(?:16|8)|int4(?:_convrot)?|4[-_]?bit", 4),
        (r"(?:gptq[-_]?)?int8(?:_convrot)?|w8a(?:16|8)|8[-_]?bit", 8),
        (r"int([2356])|([2356])[-_]?bit", None),
        (r"awq|gptq|exl[23]|hqq", None),
        (r"bf16|bfloat16|f16|fp16|float16", 16),
        (r"f32|fp32|float32", 32),
    )
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file as a hub lists it; what is not known is None."""

    filename: str
    size_bytes: int | None = None
    sha256: str | None = None


def is_model_file(filename: str) -> bool:
    """Tell whether a file holds weights, by its name, so that the inventory will find it once it is downloaded."""
    name = filename.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return bool(stem) and extension.lower() in EXTENSIONS and not _NO_MODELS.fullmatch(name)


def quantization(filename: str) -> Quantization | None:
    """Return how the weights were shortened, as the file's name or else its folders say it; None when they do not."""
    for text in (filename.rpartition("/")[2].rpartition(".")[0], filename.rpartition("/")[0]):
        found = _quantization_in(text)
        if found is not None:
            return found
    return None


def _quantization_in(text: str) -> Quantization | None:
    exact = next(reversed(list(_GGUF_METHOD.finditer(text))), None)  # a name may hold another model's before its own
    if exact is not None:
        return Quantization(bits=float(exact[2]), method=exact[1].upper().replace("UD_", "UD-"))
    for pattern, bits in _NAMED:
        match = pattern.search(text)
        if match is not None:
            digits = next((group for group in match.groups()[1:] if group), None)
            return Quantization(bits=float(digits) if digits else bits, method=match[1])
    return None


def role(filename: str) -> Role:
    """Return `projector` for the part of a vision model that llama.cpp keeps in a file of its own."""
    name = filename.rpartition("/")[2].lower()
    return "projector" if "mmproj" in name and name.endswith(".gguf") else ""


def variants(
    files: Iterable[HubFile], *, url: Callable[[str], str], path: Callable[[str], str]
) -> tuple[tuple[Variant, ...], int]:
    """Return what can be chosen of a repository, by name, and how many more were left out for their number.

    A file in parts (`name-00001-of-00003.gguf`) is one variant when all of them are there; parts of an incomplete one
    stand for themselves. `url` and `path` tell where a file lies and where it belongs.
    """
    found = [_variant(group, url, path) for group in _groups(files)]
    found.sort(key=lambda variant: variant.filename)
    kept, room_bytes = [], MAX_VARIANTS_BYTES
    for variant in found:
        size_bytes = len(msgspec.json.encode(variant))
        if size_bytes <= room_bytes:
            kept.append(variant)
            room_bytes -= size_bytes
    return tuple(kept), len(found) - len(kept)


def _groups(files: Iterable[HubFile]) -> list[Sequence[HubFile]]:
    split: defaultdict[tuple[str, str, str], dict[int, HubFile]] = defaultdict(dict)
    groups: list[Sequence[HubFile]] = []
    for file in files:
        if not is_model_file(file.filename):
            continue
        part = _PART.fullmatch(file.filename)
        if part is None:
            groups.append([file])
        else:
            split[part["stem"], part["total"], part["end"]][int(part["number"])] = file
    for (_, total, _), parts in split.items():
        ordered = [parts[number] for number in sorted(parts)]
        complete = sorted(parts) == list(range(1, int(total) + 1))
        groups.extend([ordered] if complete else [[file] for file in ordered])
    return groups


def _variant(group: Sequence[HubFile], url: Callable[[str], str], path: Callable[[str], str]) -> Variant:
    first = group[0]
    sizes = [file.size_bytes for file in group]
    known = [size for size in sizes if size is not None]
    return Variant(
        filename=first.filename,
        url=url(first.filename),
        size_bytes=sum(known) if len(known) == len(sizes) else None,
        sha256=first.sha256,
        quantization=quantization(first.filename),
        parts=tuple(file.filename for file in group) if len(group) > 1 else (),
        path=_checked(path(first.filename)),
        role=role(first.filename),
    )


def _checked(path: str) -> str:
    try:
        return check_model_path(path)
    except ModelPathError:
        return ""
