"""The repositories of model hubs, and which of their files are here (R-161 to R-164).

Three kinds stand side by side: those that a hub described, those that a downloaded file's source names, and for the
files that belong to neither a `local/<folder>` each. Nothing is grouped before somebody asks.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import NamedTuple

import msgspec
from modeldeck_events.downloads import DownloadFileCompleted
from modeldeck_events.modelfiles import ModelFileDeleted, ModelFileFound, ModelFileGone, ModelFileHashed
from modeldeck_events.repositories import Repository, RepositoryDescribed, Variant, default_path
from modeldeck_events.store import Record

from gateway.boards import repository_metadata as metadata_of
from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.disk import FileOnDisk
from gateway.boards.downloads import Downloads
from gateway.boards.hub_links import HubFile, file_of_url, page_of
from gateway.boards.library import Library
from gateway.boards.variants import Coming, UnderWay, Variants, parts

MAX_DESCRIBED = 500
"""Repositories whose description is kept; the one that was described longest ago goes first."""
MAX_TOUCHED = 50_000
UNSORTED = "models"
"""The folder's name for files that lie in none."""
_OF_FILES = (ModelFileFound, ModelFileGone, ModelFileDeleted, ModelFileHashed)


class Group(NamedTuple):
    """What a file is listed under: a hub's repository, or a folder of files that belong to none."""

    name: str
    is_local: bool


class _Saved(msgspec.Struct):
    described: list[Repository] = []


class Repositories:
    """The board of repositories, for one pool's files."""

    VERSION = 1
    FOLDS = (RepositoryDescribed, DownloadFileCompleted, *_OF_FILES)

    def __init__(self, downloads: Downloads, library: Library, *, pool: str) -> None:
        self._library = library
        self._lookup = Variants(downloads, library, pool=pool)
        self._pool = pool
        self._described: OrderedDict[str, Repository] = OrderedDict()
        self._files_of_urls: dict[str, HubFile] = {}
        self._touched: set[str] | None = None
        self._homes: dict[str, Group] = {}
        self._groups: defaultdict[Group, dict[str, str]] = defaultdict(dict)
        self._items: dict[str, Json] = {}
        self._views: dict[Group, Json] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact of a repository or a file; the library has seen it already."""
        event = record.event
        if isinstance(event, RepositoryDescribed):
            self._describe(event.repository)
        elif isinstance(event, DownloadFileCompleted) or (isinstance(event, _OF_FILES) and event.pool == self._pool):
            self._touch(event.path)
        else:
            return False
        return True

    def state(self) -> Json:
        """Return the repositories as the API lists them; those of hubs by name, then the local folders by name."""
        self._settle()
        under_way = self._lookup.under_way(self._files_of_urls)
        hubs = self._described.keys() | {file.repo for file in under_way.by_file}
        groups = {Group(name, is_local=False) for name in hubs} | self._groups.keys()
        ordered = sorted(groups, key=lambda group: (group.is_local, group.name))
        return {"repositories": [self._view(group, under_way) for group in ordered]}

    def metadata(self, repo: str) -> Json | None:
        """Return what is known of the model (R-164); None for a repository that is not listed."""
        listed = (view for view in self.state()["repositories"] if view["repo"] == repo)
        view = next(listed, None)
        return {"repo": repo} | view["metadata"] if view else None

    def preview(self, repository: Repository) -> Json:
        """Return a repository as a hub describes it now, with what is here of it."""
        self._settle()
        under_way = self._lookup.under_way(self._files_of_urls)
        return self._render(Group(repository.repo, is_local=False), repository, under_way)

    def variant(self, repo: str, filename: str) -> Variant:
        """Return a file of a repository as its hub described it last, else with where it would go."""
        described = self._described.get(repo)
        of_name = (v for v in described.variants if v.filename == filename) if described else iter(())
        return next(of_name, Variant(filename=filename, url="", path=default_path(repo, filename)))

    def standing(self, repo: str, variant: Variant) -> Json:
        """Return `status`, and where known `path`, `progress` and `download_id`, of one file of a repository."""
        self._settle()
        here = self._here(Group(repo, is_local=False))
        return self._lookup.standing(repo, variant, self._lookup.under_way(self._files_of_urls), here)

    def reset(self) -> None:
        """Forget everything folded."""
        self._described.clear()
        self._files_of_urls.clear()
        self._touched = None

    def dump(self) -> bytes:
        """Return the descriptions, in the order in which they came."""
        return msgspec.json.encode(_Saved(list(self._described.values())))

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self.reset()
        for repository in saved.described:
            self._describe(repository)

    # -- which file belongs where --------------------------------------------------------------------------------

    def _describe(self, repository: Repository) -> None:
        self._undescribe(repository.repo)
        self._described[repository.repo] = repository
        while len(self._described) > MAX_DESCRIBED:
            self._undescribe(next(iter(self._described)))
        if repository.hub == "civitai":  # its links do not name the repository: files may belong to it from now on
            self._files_of_urls |= {v.url: HubFile(repository.repo, v.filename) for v in repository.variants}
            self._touched = None

    def _undescribe(self, repo: str) -> None:
        self._views.pop(Group(repo, is_local=False), None)
        old = self._described.pop(repo, None)
        if old is not None and old.hub == "civitai":
            for variant in old.variants:
                self._files_of_urls.pop(variant.url, None)
            self._touched = None

    def _touch(self, path: str) -> None:
        if self._touched is not None:
            self._touched.add(path)
            if len(self._touched) > MAX_TOUCHED:
                self._touched = None

    def _settle(self) -> None:
        """File every path that was touched under its group."""
        touched, self._touched = self._touched, set()
        if touched is None:
            for derived in (self._homes, self._groups, self._items, self._views):
                derived.clear()
            touched = set(self._library.files)
        elif touched:  # a described variant can be any file of its content, so all of them are looked at again
            self._views = {group: view for group, view in self._views.items() if group.is_local}
        for path in touched:
            self._items.pop(path, None)
            home = self._homes.pop(path, None)
            if home is not None:
                self._leave(path, home)
            file = self._library.files.get(path)
            if file is not None:
                group, name = self._home(path, file)
                self._homes[path], self._groups[group][path] = group, name
                self._views.pop(group, None)

    def _leave(self, path: str, group: Group) -> None:
        del self._groups[group][path]
        if not self._groups[group]:
            del self._groups[group]
        self._views.pop(group, None)

    def _home(self, path: str, file: FileOnDisk) -> tuple[Group, str]:
        url = file.source if file.sources else None
        if url is not None:
            found = self._files_of_urls.get(url) or file_of_url(url)
            if found is not None:
                return Group(found.repo, is_local=False), found.filename
        folders, _, name = path.rpartition("/")
        if folders.startswith("@"):  # @section/folder/...: the folder counts, whichever root it lies in
            folders = folders.partition("/")[2]
        folder, _, inside = folders.partition("/")
        return Group(f"local/{folder or UNSORTED}", is_local=True), f"{inside}/{name}" if inside else name

    def _here(self, group: Group) -> dict[str, str]:
        """Return the paths of a repository's files by their names there; of several the first path."""
        files = self._groups.get(group, {}) if not group.is_local else {}
        return {name: path for path, name in sorted(files.items(), reverse=True)}

    # -- how it is shown -----------------------------------------------------------------------------------------

    def _view(self, group: Group, under_way: UnderWay) -> Json:
        described = None if group.is_local else self._described.get(group.name)
        if under_way.by_path and not group.is_local:
            return self._render(group, described, under_way)
        view = self._views.get(group)
        if view is None:
            view = self._views[group] = self._render(group, described, under_way)
        return view

    def _render(self, group: Group, described: Repository | None, under_way: UnderWay) -> Json:
        variants = self._variants(group, described, under_way)
        if described is None:
            metadata = metadata_of.of_group([v["metadata"] for v in variants], self._page(group, under_way))
            return known(repo=group.name, local=True if group.is_local else None, metadata=metadata, variants=variants)
        return known(
            repo=group.name,
            hub=described.hub,
            revision=described.revision or None,
            gated=described.gated or None,
            private=described.private or None,
            last_modified=words.time(described.last_modified) if described.last_modified else None,
            left_out=described.left_out or None,
            metadata=metadata_of.of_described(described),
            variants=variants,
        )

    def _variants(self, group: Group, described: Repository | None, under_way: UnderWay) -> list[Json]:
        """Return the variants that the hub describes, then further files that are here, then those that are coming."""
        here, told = self._here(group), set[str]()
        shown: list[Json] = []
        for variant in described.variants if described else ():
            told.update(parts(variant))
            shown.append(self._described_variant(variant, described, under_way, here))
        paths = {variant["path"] for variant in shown if variant["status"] == "downloaded"}
        for path, name in sorted(self._groups.get(group, {}).items(), key=lambda pair: (pair[1], pair[0])):
            if name not in told and path not in paths:
                shown.append(self._item(path, name))
        for file, coming in sorted(under_way.by_file.items(), key=lambda pair: pair[0]):
            if not group.is_local and file.repo == group.name and file.filename not in told | here.keys():
                shown.append(self._coming_variant(file.filename, coming))
        return shown

    def _coming_variant(self, filename: str, coming: Coming) -> Json:
        size_bytes = coming.spec.size_bytes
        return known(
            filename=filename,
            size=size_bytes,
            size_bytes=size_bytes,
            path=coming.spec.path,
            sha256=coming.spec.sha256,
            url=coming.spec.url,
            metadata={},
            **self._lookup.progress(coming.download),
        )

    def _described_variant(
        self, variant: Variant, described: Repository | None, under_way: UnderWay, here: dict[str, str]
    ) -> Json:
        standing = self._lookup.standing(described.repo if described else "", variant, under_way, here)
        file = self._library.files.get(standing["path"]) if standing["status"] == "downloaded" else None
        said = metadata_of.builtins(described.metadata if described else None) | ((file and file.metadata) or {})
        said |= known(quantization=metadata_of.builtins(variant.quantization) or None)
        return (
            known(
                filename=variant.filename,
                size=variant.size_bytes,
                size_bytes=variant.size_bytes,
                path=variant.path or None,
                sha256=variant.sha256,
                url=variant.url,
                parts=list(variant.parts) or None,
                role=variant.role or None,
                quantization=said.get("quantization"),
                metadata=metadata_of.of_variant(said),
            )
            | standing
        )

    def _item(self, path: str, name: str) -> Json:
        """Return a file that no hub described; one that is cut off does not count as downloaded."""
        item = self._items.get(path)
        if item is None:
            file = self._library.files[path]
            said = file.metadata or {}
            item = self._items[path] = known(
                filename=name,
                size=file.size_bytes,
                size_bytes=file.size_bytes,
                status="available" if file.whole is False else "downloaded",
                whole=file.whole,
                path=path,
                sha256=file.sha256,
                quantization=said.get("quantization"),
                metadata=metadata_of.of_variant(said),
            )
        return item

    def _page(self, group: Group, under_way: UnderWay) -> str | None:
        """Return the page of a repository of which nothing is known but its files' sources."""
        if group.is_local:
            return None
        sources = [self._library.files[path].source for path in self._groups.get(group, ())]
        sources += [coming.spec.url for file, coming in under_way.by_file.items() if file.repo == group.name]
        links = (page_of(source) for source in sources if source)
        return next((link for link in links if link), None)
