"""The models that the featured list recommends, and whether they are here (R-165, R-166)."""

from __future__ import annotations

import msgspec
from modeldeck_events.repositories import FeaturedModel, FeaturedPublished
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.repositories import Repositories

GB = 10**9
SIZE_CATEGORIES: tuple[tuple[int, str], ...] = ((GB, "XS"), (4 * GB, "S"), (12 * GB, "M"), (40 * GB, "L"))
"""Below so many bytes a model is of that class; XL beyond. The same classes as the dashboard filters by."""


class _Saved(msgspec.Struct):
    models: tuple[FeaturedModel, ...] = ()
    last_updated: str | None = None
    source: str = ""
    warnings: tuple[str, ...] = ()


class Featured:
    """The board of featured models. A list that could not be read changes nothing: the last good one stays."""

    VERSION = 1
    FOLDS = (FeaturedPublished,)

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._saved = _Saved()

    def apply(self, record: Record) -> bool:
        """Fold one fact of the list. Without a time of its own it is as old as the fact."""
        event = record.event
        if not isinstance(event, FeaturedPublished):
            return False
        updated = words.time(event.last_updated or record.time)
        self._saved = _Saved(event.models, updated, event.source, event.warnings)
        return True

    def state(self) -> Json:
        """Return the stream's topic: models by id, in the list's order."""
        saved = self._saved
        return known(
            models={model.id: self._item(model) for model in saved.models},
            last_updated=saved.last_updated,
            source=saved.source or None,
            warnings=[{"code": "featured_list", "message": text} for text in saved.warnings] or None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is featured."""
        return not self._saved.models

    def reset(self) -> None:
        """Forget everything folded."""
        self._saved = _Saved()

    def dump(self) -> bytes:
        """Return the list."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)

    def _item(self, model: FeaturedModel) -> Json:
        """Return one model with the fields of both shapes; how far a download is stands in the queue, not here."""
        recommended: Json | None = None
        standing: Json = {"status": "available"}
        size_bytes = model.size_bytes
        if model.filename:
            variant = self._repositories.variant(model.repo, model.filename)
            size_bytes = variant.size_bytes if variant.size_bytes is not None else size_bytes
            if variant.size_bytes is None:
                variant = msgspec.structs.replace(variant, size_bytes=size_bytes)
            standing = self._repositories.standing(model.repo, variant)
            standing.setdefault("path", variant.path)
            standing.pop("progress", None)
            recommended = known(filename=model.filename, size=size_bytes, size_bytes=size_bytes)
        return known(
            id=model.id,
            name=model.name,
            title=model.name,
            description=model.description,
            tags=list(model.tags),
            size_category=size_category(size_bytes),
            size_bytes=size_bytes,
            repo=model.repo,
            filename=model.filename or None,
            recommended_variant=recommended,
            metadata=known(
                downloads=model.downloads,
                downloads_24h=model.downloads_24h,
                likes=model.likes,
                stars=model.stars,
                model_type=model.model_type,
                family=model.family,
                tags=list(model.tags),
            ),
            links=dict(model.links),
            published_at=words.time(model.published_at) if model.published_at else None,
            **standing,
        )


def size_category(size_bytes: int | None) -> str | None:
    """Return XS (below 1 GB), S (4 GB), M (12 GB), L (40 GB) or XL; None for what is not known."""
    if size_bytes is None:
        return None
    return next((name for limit, name in SIZE_CATEGORIES if size_bytes < limit), "XL")
