"""What presets have in common: paths claimed by different URLs (conflicts) and files that several presets share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from modeldeck_events.presets import PresetDefinition, PresetWarning

_NAMED = 5
"""So many presets or paths are named in a warning, the rest is counted."""

Claims = Mapping[str, Mapping[str, Sequence[str]]]
"""Path to URL to the ids of the presets that claim it."""


def warn(presets: Sequence[PresetDefinition]) -> list[PresetDefinition]:
    """Return the presets with `path_conflict` and `shared_path` warnings added."""
    claims: dict[str, dict[str, list[str]]] = {}
    for preset in presets:
        for spec in preset.files:
            claims.setdefault(spec.path, {}).setdefault(spec.url, []).append(preset.id)
    return [_with(preset, [*_conflicts(preset, claims), *_shared(preset, claims)]) for preset in presets]


def _with(preset: PresetDefinition, warnings: list[PresetWarning]) -> PresetDefinition:
    if not warnings:
        return preset
    return msgspec.structs.replace(preset, warnings=(*preset.warnings, *warnings))


def _conflicts(preset: PresetDefinition, claims: Claims) -> Iterable[PresetWarning]:
    for spec in preset.files:
        urls = claims[spec.path]
        if len(urls) > 1:
            others = (other for url, ids in urls.items() if url != spec.url for other in ids)
            count = sum(map(len, urls.values())) - len(urls[spec.url])
            names = _some(list(itertools.islice(others, _NAMED)), count)
            yield PresetWarning(
                code="path_conflict",
                message=f"{spec.path}: {len(urls)} different URLs claim this path, here {spec.url}; another one in "
                f"{names}. Only one of these files can be on the disk",
            )


def _shared(preset: PresetDefinition, claims: Claims) -> Iterable[PresetWarning]:
    shared = [
        f"{spec.path} ({count} presets)" for spec in preset.files if (count := len(claims[spec.path][spec.url])) > 1
    ]
    if shared:
        yield PresetWarning(
            code="shared_path",
            message=f"{len(shared)} of {len(preset.files)} files belong to several presets and are fetched only once: "
            + _some(shared[:_NAMED], len(shared)),
        )


def _some(names: Sequence[str], count: int) -> str:
    return ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")
