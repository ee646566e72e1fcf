"""What the Hugging Face Hub says of a repository, in our vocabulary. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modeldeck_events.modelfiles import ModelMetadata
from modeldeck_events.repositories import Repository, default_path

from catalog.hubs.values import number, plain, sha256, text, texts
from catalog.hubs.variants import HubFile, variants

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

MAX_DESCRIPTION_CHARS = 600
_REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ARXIV = re.compile(r"arxiv:(\d{4}\.\d{4,5}(?:v\d+)?)", re.IGNORECASE | re.ASCII)
_FRONT_MATTER = re.compile(r"---\s*\n.*?\n---\s*(?:\n|$)", re.DOTALL)
_NO_PROSE = re.compile(r"(?:[#>|*+-]|!\[|\[!\[|```|~~~|\[\[|\d+\.\s|<)")
_MARKS = re.compile(r"!\[[^\]]*\]\([^)]*\)|\[([^\]]*)\]\([^)]*\)|[*`]+|(?<!\w)_+|_+(?!\w)")


def repository(info: ModelInfo, *, asked: str, page: str, description: str | None = None) -> Repository:
    """Return the repository; `asked` is its name where the answer states none that can be one.

    Links and files are addressed at `page`, files pinned to the commit. What the hub does not say is absent.
    """
    repo = info.id if _REPO.fullmatch(str(info.id)) else asked
    commit = info.sha if isinstance(info.sha, str) and _COMMIT.fullmatch(info.sha) else ""
    chosen, left_out = variants(
        _files(info),
        url=lambda name: f"{page}/{repo}/resolve/{commit or 'main'}/{quote(name)}",
        path=lambda name: default_path(repo, name),
    )
    tags = texts(info.tags)
    return Repository(
        hub="huggingface",
        repo=repo,
        revision=commit,
        likes=number(info.likes),
        downloads=number(info.downloads),
        license=_license(info, tags),
        tags=tags,
        description=description or plain(_card(info, "description"), MAX_DESCRIPTION_CHARS),
        model_type=text(info.pipeline_tag, 100),
        gated=info.gated if info.gated in ("auto", "manual") else "",
        private=info.private is True,
        last_modified=info.last_modified,
        metadata=_metadata(info),
        links=_links(repo, page, tags, info),
        variants=chosen,
        left_out=left_out,
    )


def first_paragraph(readme: str) -> str | None:
    """Return the first prose of a README, without its front matter, headings, pictures, tables and HTML."""
    body = _FRONT_MATTER.sub("", readme.lstrip("\ufeff"), count=1) if readme.startswith("---") else readme
    fenced = False
    for block in re.split(r"\n\s*\n", body.replace("\r\n", "\n")):
        odd = (block.count("```") + block.count("~~~")) % 2 == 1
        inside, fenced = fenced, fenced ^ odd
        lines = [line.strip() for line in block.strip().splitlines()]
        if inside or odd or not lines or any(_NO_PROSE.match(line) for line in lines):
            continue
        prose = " ".join(lines)[: 4 * MAX_DESCRIPTION_CHARS]  # short before any pattern that looks ahead is tried on it
        found = plain(_MARKS.sub(r"\1", prose), MAX_DESCRIPTION_CHARS)
        if found and len(found) >= 20:
            return found
    return None


def _files(info: ModelInfo) -> list[HubFile]:
    return [
        HubFile(
            str(file.rfilename),
            number(file.lfs.size if file.lfs else file.size),
            sha256(file.lfs.sha256) if file.lfs else None,
        )
        for file in info.siblings or ()
    ]


def _card(info: ModelInfo, name: str) -> Any:
    return getattr(info.card_data, name, None) if info.card_data is not None else None


def _license(info: ModelInfo, tags: tuple[str, ...]) -> str | None:
    """Return the licence; `other` says less than the name that the card gives it."""
    stated = _card(info, "license")
    found = text(stated[0] if isinstance(stated, list) and stated else stated, 100)
    if found in (None, "other"):
        found = text(_card(info, "license_name"), 100) or found
    return found or next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)


def _metadata(info: ModelInfo) -> ModelMetadata | None:
    """Return what the hub read from the files' headers (gguf, safetensors) and from config.json."""
    gguf = info.gguf if isinstance(info.gguf, dict) else {}
    config = info.config if isinstance(info.config, dict) else {}
    weights = getattr(info.safetensors, "parameters", None)
    counts = {key: value for key, value in weights.items() if number(value)} if isinstance(weights, dict) else {}
    architecture = text(gguf.get("architecture"), 100)
    classes = texts(config.get("architectures"))
    base = _card(info, "base_model")
    found = ModelMetadata(
        architecture=architecture or (classes[0] if classes else None),
        family=architecture or text(config.get("model_type"), 100),
        parameters=number(gguf.get("total")) or number(getattr(info.safetensors, "total", None)),
        context_length=number(gguf.get("context_length")),
        dtype=text(max(counts, key=lambda key: counts[key]), 20) if counts else None,
        base_model=text(base[0] if isinstance(base, list) and base else base, 200),
    )
    return found if found != ModelMetadata() else None


def _links(repo: str, page: str, tags: tuple[str, ...], info: ModelInfo) -> dict[str, str]:
    links = {"huggingface": f"{page}/{repo}"}
    homepage = text(_card(info, "homepage"), 500)
    if homepage and homepage.startswith(("https://", "http://")):
        links["homepage"] = homepage
    paper = next((match[1] for match in map(_ARXIV.fullmatch, tags) if match), None)
    if paper:
        links["paper"] = f"https://arxiv.org/abs/{paper}"
    return links
