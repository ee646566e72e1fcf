"""What a catalog changes in the log, pure: the published presets against those of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec
from modeldeck_events import presets
from modeldeck_events.message import Event
from modeldeck_events.presets import CatalogRefreshed, PresetPublished, PresetWithdrawn

from catalog.presets import Catalog
from catalog.states import Append, PresetsFold


def preset_changes(fold: PresetsFold, catalog: Catalog) -> Iterator[Append]:
    """Yield one append per preset that is new, changed or no longer there; nothing when the log says the same."""
    ids = set()
    for preset in catalog.presets:
        ids.add(preset.id)
        known = fold.presets.stands(preset.id)
        if known.value != preset:
            yield append(preset.id, presets.subject(preset.id), PresetPublished(preset=preset), known.seq)
    for preset in list(fold.presets.live()):
        if preset.id not in ids:
            seq = fold.presets.stands(preset.id).seq
            yield append(preset.id, presets.subject(preset.id), PresetWithdrawn(preset_id=preset.id), seq)


def summary(catalog: Catalog, *, source: str, published: int, withdrawn: int) -> CatalogRefreshed:
    """Return the fact about the refresh as a whole, which stands after those of its presets."""
    return CatalogRefreshed(
        version=catalog.version,
        total_presets=len(catalog.presets),
        published=published,
        withdrawn=withdrawn,
        source=source,
        categories=catalog.categories,
        last_updated=catalog.last_updated,
        warnings=catalog.warnings,
    )


def says_more(new: CatalogRefreshed, fold: PresetsFold) -> bool:
    """Return whether the fact tells anything that the log does not: a change, or the end of a failure."""
    if fold.refreshed is None or fold.failed is not None or new.published or new.withdrawn:
        return True
    return msgspec.structs.replace(fold.refreshed, published=0, withdrawn=0) != new


def append(key: str, subject: str, event: Event, expected_seq: int) -> Append:
    """Return the append of `event`; the same fact at the same place always has the same command id."""
    digest = hashlib.sha256(msgspec.json.encode(event)).hexdigest()[:16]
    return Append(key, subject, event, expected_seq, f"catalog:{expected_seq}:{digest}")
