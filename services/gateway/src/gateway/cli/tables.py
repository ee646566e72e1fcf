"""Model files, templates, references and variants as rows and words for a person. Pure: JSON in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cli.client import Json
from gateway.cli.text import plain, size

MODEL_HEADERS = ("FILE", "SIZE", "FAMILY", "SHA256", "NEEDED BY")
DELETED_HEADERS = ("FILE", "SIZE", "DELETED", "RESTORABLE")
TEMPLATE_HEADERS = ("ID", "STATUS", "MISSES")
REFERENCE_HEADERS = ("STATUS", "FILE", "NODE", "WHERE")
VARIANT_HEADERS = ("", "FILE", "SIZE", "QUANTIZATION", "STATUS")
VOLUME_HEADERS = ("VOLUME", "TOTAL", "USED", "FREE", "MODELS", "FILES")
_HASH_DIGITS = 12
_NAMED = 3


def model_row(model: Json) -> tuple[str, ...]:
    """Return the cells under MODEL_HEADERS."""
    return (
        plain(model.get("path")),
        size(model.get("size_bytes")) + (" (cut off)" if model.get("whole") is False else ""),
        plain(model.get("family")),
        plain(model.get("sha256"))[:_HASH_DIGITS],
        needed_by_words(model.get("needed_by") or []),
    )


def needed_by_words(needed_by: Sequence[Json]) -> str:
    """Return for example "preset SDXL_BASE, template workflows/a.json and 3 more", "" for nobody."""
    named = [f"{plain(one.get('kind'))} {plain(one.get('id'))}" for one in needed_by[:_NAMED]]
    more = len(needed_by) - _NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def deleted_row(deleted: Json) -> tuple[str, ...]:
    """Return the cells under DELETED_HEADERS."""
    return (
        plain(deleted.get("path")),
        size(deleted.get("size_bytes")),
        plain(deleted.get("deleted_at")),
        "yes" if deleted.get("restorable") else "no",
    )


def volume_row(volume: Json) -> tuple[str, ...]:
    """Return the cells under VOLUME_HEADERS; a volume that cannot be read says why instead of numbers."""
    if volume.get("error"):
        return (f"{plain(volume.get('mount'))}: {plain(volume['error'])}", "?", "?", "?", "?", "?")
    return (
        plain(volume.get("mount")),
        *(size(volume.get(f"{name}_bytes")) for name in ("total", "used", "free", "models")),
        plain(volume.get("model_count")),
    )


def template_row(template: Json) -> tuple[str, ...]:
    """Return the cells under TEMPLATE_HEADERS."""
    missing = [plain(one.get("path")) for one in template.get("missing_models") or []]
    more = len(missing) - _NAMED
    return (
        plain(template.get("id")),
        template_status(template),
        ", ".join(missing[:_NAMED]) + (f" and {more} more" if more > 0 else ""),
    )


def template_status(template: Json) -> str:
    """Return whether the template can run, in a word or two."""
    if template.get("compatible"):
        return "ready"
    if template.get("format") == "unreadable":
        return "unreadable"
    missing = template.get("missing_count") or 0
    return f"{missing} missing" if missing else "unclear"


def reference_row(reference: Json) -> tuple[str, ...]:
    """Return the cells under REFERENCE_HEADERS."""
    node = [plain(reference.get("node_type")), plain(reference.get("input_name"))]
    status = plain(reference.get("status")).replace("_", " ")
    return (
        status if reference.get("active", True) else f"({status})",
        plain(reference.get("path")),
        ".".join(part for part in node if part),
        _where(reference),
    )


def _where(reference: Json) -> str:
    """Return where the file is, or where the workflow says that it can be had."""
    match reference.get("status"):
        case "present":
            found = plain(reference.get("found_at"))
            return "" if found == reference.get("path") else found
        case "present_elsewhere":
            return f"{plain(reference.get('found_at'))}, to be linked"
        case "ambiguous":
            return " or ".join(plain(path) for path in reference.get("candidates") or [])
        case _:
            return plain(reference.get("url")) or "the workflow names no source"


def variant_row(variant: Json, recommended: str) -> tuple[str, ...]:
    """Return the cells under VARIANT_HEADERS; the recommended file has a star."""
    quantization = variant.get("quantization") or (variant.get("metadata") or {}).get("quantization") or {}
    bits = quantization.get("bits")
    words = plain(quantization.get("method")) or (f"{bits:g} bit" if bits is not None else "")
    return (
        "*" if recommended and variant.get("filename") == recommended else "",
        plain(variant.get("filename")),
        size(variant.get("size_bytes")),
        words,
        plain(variant.get("status")),
    )


def repository_lines(found: Json) -> list[str]:
    """Return what a hub says of a repository; what it does not say is left out."""
    license_id = plain(found.get("license") or (found.get("metadata") or {}).get("license"))
    facts = [
        f"license {license_id}" if license_id else "",
        f"{found['likes']} likes" if found.get("likes") is not None else "",
        f"{found['downloads']} downloads" if found.get("downloads") is not None else "",
        "gated: accept its terms on the hub's page and set a token" if found.get("gated") else "",
        f"revision {plain(found['revision'])[:_HASH_DIGITS]}" if found.get("revision") else "",
    ]
    told = ", ".join(fact for fact in facts if fact)
    stale = plain(found.get("stale"))
    checked = plain(found.get("checked_at"))
    lines = [f"{plain(found.get('repo'))}{f' ({told})' if told else ''}", plain(found.get("description"))]
    if stale:
        lines.append(f"The hub is away ({stale}); this is what it said {f'at {checked}' if checked else 'last'}.")
    return [line for line in lines if line]
