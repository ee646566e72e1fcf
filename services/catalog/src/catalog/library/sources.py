"""Where a file can be had, best source first. Pure: a search over the presets, the described repositories and the past.

The order is that of what says most about the file: what the workflow itself states, then a preset that has the file,
then a repository which a person looked at, then where this pool once had it from. Inside a kind: the wanted hash first,
then the exact path, then who knows the hash or the exact size. A source that states another hash is no source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec
from modeldeck_events.downloads import FileSpec
from modeldeck_events.presets import PresetDefinition

from catalog.library.provenance import OriginsFold
from catalog.library.repositories import RepositoriesFold
from catalog.links import UrlError, check_url, file_link
from catalog.states import PresetsFold

Kind = Literal["workflow", "preset", "repository", "download"]

GENERIC_NAMES = frozenset(
    (
        "adapter_model.safetensors",
        "diffusion_pytorch_model.bin",
        "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.safetensors",
        "model.fp16.safetensors",
        "model.onnx",
        "model.safetensors",
        "open_clip_pytorch_model.bin",
        "pytorch_lora_weights.safetensors",
        "pytorch_model.bin",
    )
)
"""Names under which thousands of repositories keep different files: they say nothing of which one is meant."""


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a file can be had. `name` is what a person calls the source: a preset, a repository, a host."""

    kind: Kind
    name: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    repo: str | None = None
    revision: str | None = None


class Wanted(msgspec.Struct, frozen=True):
    """A file that is looked for: under this path, with this hash and size as far as they are known.

    `stem`: the path lacks its extension, any will do.
    """

    path: str
    sha256: str | None = None
    size_bytes: int | None = None
    stem: bool = False

    def is_named(self, path: str) -> bool:
        """Tell whether a file's path is the wanted one."""
        return self.path == (_without_extension(path) if self.stem else path)

    def is_called(self, path: str) -> bool:
        """Tell whether a file's name is the wanted one."""
        name = path.rpartition("/")[2]
        return self.path.rpartition("/")[2] == (_without_extension(name) if self.stem else name)

    def agrees(self, sha256: str | None, size_bytes: int | None) -> bool:
        """Tell whether a source that states this hash and size can have the wanted file."""
        if self.sha256 and sha256:
            return sha256.lower() == self.sha256
        return None in (self.size_bytes, size_bytes) or self.size_bytes == size_bytes


class Sources:
    """Finds sources in what the folds know; its indexes are made anew when the folds changed."""

    def __init__(self, presets: PresetsFold, repositories: RepositoriesFold, origins: OriginsFold) -> None:
        self._presets = presets
        self._repositories = repositories
        self._origins = origins
        self._specs: tuple[object, dict[str, list[tuple[PresetDefinition, FileSpec]]]] = (None, {})
        self._variants: tuple[object, dict[str, list[tuple[str, Source]]]] = (None, {})

    def of(self, wanted: Wanted, stated_url: str | None = None, stated_by: str = "") -> list[Source]:
        """Return every source of the file, best first, each URL once. `stated_url` is the workflow's own."""
        found: dict[str, Source] = {}
        for source in (
            *self._stated(stated_url, stated_by, wanted),
            *self.presets(wanted),
            *self.repositories(wanted),
            *self._past(wanted),
        ):
            found.setdefault(source.url, source)
        return list(found.values())

    def presets(self, wanted: Wanted) -> list[Source]:
        """Return the presets that have the file: under its path, or in the same folder under its name, or its hash."""
        ranked = []
        for preset, spec in self._near(wanted):
            same_hash = wanted.sha256 is not None and (spec.sha256 or "").lower() == wanted.sha256
            named = wanted.is_named(spec.path)
            near = wanted.is_called(spec.path) and _folder(spec.path) == _folder(wanted.path)
            if wanted.agrees(spec.sha256, spec.size_bytes) and (same_hash or named or near):
                rank = (not same_hash, not named, spec.sha256 is None, spec.size_bytes is None, preset.id)
                ranked.append((rank, _of_preset(preset, spec)))
        return [source for _, source in sorted(ranked, key=lambda one: one[0])]

    def repositories(self, wanted: Wanted) -> list[Source]:
        """Return the repositories that have the file: its hash, or its name when only one content has that name."""
        by_key = self._by_variant()
        if wanted.sha256 and (same := by_key.get(f"sha256:{wanted.sha256}")):
            return [source for _, source in same]
        name = wanted.path.rpartition("/")[2]
        called = by_key.get(f"stem:{name}" if wanted.stem else f"name:{name}", [])
        fitting = [
            source
            for filename, source in called
            if wanted.agrees(source.sha256, source.size_bytes)
            and filename.rpartition("/")[2].lower() not in GENERIC_NAMES
        ]
        contents = {source.sha256 or source.url for source in fitting}
        return fitting if len(contents) == 1 else []

    def at(self, url: str) -> Source | None:
        """Return what presets, repositories and past downloads tell of the file at a URL."""
        for preset, spec in self._by_spec().get(f"url:{url}", ()):
            return _of_preset(preset, spec)
        for _, source in self._by_variant().get(f"url:{url}", ()):
            return source
        return None

    def _stated(self, url: str | None, name: str, wanted: Wanted) -> Iterator[Source]:
        if url is None:
            return
        try:
            url = file_link(check_url(url)) or url
        except UrlError:
            return
        told = self.at(url)
        agrees = told is not None and wanted.agrees(told.sha256, told.size_bytes)
        yield Source(
            "workflow",
            name or _host(url),
            url,
            told.size_bytes if told and agrees else None,
            wanted.sha256 or (told.sha256 if told else None),
        )

    def _past(self, wanted: Wanted) -> Iterator[Source]:
        """Yield where the path's own content came from before; of another path only what has the wanted hash."""
        origin = self._origins.origin(wanted.path)
        if origin.fetched is not None and wanted.agrees(origin.fetched.sha256, origin.fetched.size_bytes):
            fetched = origin.fetched
            yield Source("download", _host(fetched.url), fetched.url, fetched.size_bytes, fetched.sha256)
        if origin.deleted is not None and wanted.agrees(origin.deleted.sha256, origin.deleted.size_bytes):
            deleted = origin.deleted
            yield Source("download", _host(deleted.url), deleted.url, deleted.size_bytes, deleted.sha256)
        same = self._origins.fetched_with(wanted.sha256) if wanted.sha256 else None
        if same is not None:
            yield Source("download", _host(same.url), same.url, same.size_bytes, same.sha256)

    def _near(self, wanted: Wanted) -> Iterable[tuple[PresetDefinition, FileSpec]]:
        by_key = self._by_spec()
        name = wanted.path.rpartition("/")[2]
        found = list(by_key.get(f"stem:{name}" if wanted.stem else f"name:{name}", ()))
        return found + by_key.get(f"sha256:{wanted.sha256}", []) if wanted.sha256 else found

    def _by_spec(self) -> dict[str, list[tuple[PresetDefinition, FileSpec]]]:
        version = (self._presets.presets.generation, self._presets.presets.version)
        if self._specs[0] != version:
            by_key: defaultdict[str, list[tuple[PresetDefinition, FileSpec]]] = defaultdict(list)
            for preset in self._presets.presets.live():
                for spec in preset.files:
                    for key in _keys(spec.path, spec.sha256, spec.url):
                        by_key[key].append((preset, spec))
            self._specs = (version, dict(by_key))
        return self._specs[1]

    def _by_variant(self) -> dict[str, list[tuple[str, Source]]]:
        if self._variants[0] != self._repositories.version:
            by_key: defaultdict[str, list[tuple[str, Source]]] = defaultdict(list)
            for repository, variant in self._repositories.files():
                sha256 = variant.sha256.lower() if variant.sha256 else None
                source = Source(
                    "repository",
                    repository.repo,
                    variant.url,
                    variant.size_bytes,
                    sha256,
                    repository.repo,
                    repository.revision or None,
                )
                for key in _keys(variant.filename, sha256, variant.url):
                    by_key[key].append((variant.filename, source))
            self._variants = (self._repositories.version, dict(by_key))
        return self._variants[1]


def extension_of(url: str) -> str:
    """Return the extension of the file that a URL names, with its dot and in small letters; "" when it has none."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def _of_preset(preset: PresetDefinition, spec: FileSpec) -> Source:
    sha256 = spec.sha256.lower() if spec.sha256 else None
    return Source("preset", preset.name or preset.id, spec.url, spec.size_bytes, sha256)


def _keys(path: str, sha256: str | None, url: str) -> Iterator[str]:
    name = path.rpartition("/")[2]
    yield f"name:{name}"
    yield f"stem:{_without_extension(name)}"
    yield f"url:{url}"
    if sha256:
        yield f"sha256:{sha256.lower()}"


def _without_extension(path: str) -> str:
    return path.rpartition(".")[0] or path


def _folder(path: str) -> str:
    return path.partition("/")[0]


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
