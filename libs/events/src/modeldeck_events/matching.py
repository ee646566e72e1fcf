"""Which file on the disk is meant by a workflow's reference: by path, else by unique name, else by hash. Pure.

Only a file at the place where ComfyUI looks makes a reference `present`: ComfyUI itself searches by path alone. The
same file under another name or in another folder is `present_elsewhere`, and can be linked to where it is looked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from modeldeck_events.templates import TemplateReference

Status = Literal["present", "present_elsewhere", "ambiguous", "missing"]


class Match(NamedTuple):
    """Where a reference was found. `found_at` is the file (or the folder) for `present` and `present_elsewhere`;
    `candidates` are the files of that name when it is `ambiguous`.
    """

    status: Status
    found_at: str | None = None
    candidates: tuple[str, ...] = ()


MISSING = Match("missing")


class ModelIndex:
    """The model files of one pool, kept for matching. Files that are cut off or broken do not belong into it."""

    def __init__(self) -> None:
        self._sha256: dict[str, str | None] = {}
        self._by_key: defaultdict[str, set[str]] = defaultdict(set)
        self._places: Mapping[str, tuple[str, ...]] = {}

    def __contains__(self, path: object) -> bool:
        """Tell whether the file is there."""
        return path in self._sha256

    def survey(self, places: Mapping[str, tuple[str, ...]]) -> None:
        """Take over under which prefixes a model folder's files lie (InventorySurveyed); matches all the rest anew."""
        self._places = dict(places)

    def put(self, path: str, sha256: str | None = None) -> None:
        """Note that the file is there, with its hash where that is known."""
        self.remove(path)
        self._sha256[path] = sha256
        for key in keys_of_file(path, sha256):
            self._by_key[key].add(path)

    def remove(self, path: str) -> None:
        """Note that the file is not there."""
        if path in self._sha256:
            for key in keys_of_file(path, self._sha256.pop(path)):
                self._by_key[key].discard(path)
                if not self._by_key[key]:
                    del self._by_key[key]

    def clear(self) -> None:
        """Forget everything."""
        self._sha256.clear()
        self._by_key.clear()
        self._places = {}

    def with_sha256(self, sha256: str) -> Collection[str]:
        """Return the files with this content, as far as hashes are known."""
        return self._by_key.get(f"sha256:{sha256}", ())

    def named(self, name: str) -> Collection[str]:
        """Return the files of this name, in whatever folder."""
        return self._by_key.get(f"name:{name}", ())

    def below(self, folder: str) -> list[str]:
        """Return the files in a folder and its subfolders."""
        inside = self._by_key.get(f"folder:{folder.rpartition('/')[2]}", ())
        return [path for path in inside if path.startswith(f"{folder}/")]

    def match(self, reference: TemplateReference) -> Match:
        """Return where the reference's file is."""
        for place in self._places_of(reference):
            found = self._at(place, reference.form)
            if found is not None:
                return Match("present", found)
        if reference.form == "folder":
            return MISSING
        return self._elsewhere(reference)

    def _places_of(self, reference: TemplateReference) -> list[str]:
        """Return where ComfyUI looks, in its order."""
        folders = reference.search or (reference.directory,)
        return [
            f"{prefix}/{reference.filename}" if prefix else reference.filename
            for folder in folders
            for prefix in self._places.get(folder, (folder,))
        ]

    def _at(self, place: str, form: str) -> str | None:
        if form == "file":
            return place if place in self._sha256 else None
        if form == "folder":
            inside = self._by_key.get(f"folder:{place.rpartition('/')[2]}", ())
            return place if any(path.startswith(f"{place}/") for path in inside) else None
        stems = self._by_key.get(f"stem:{place.rpartition('/')[2]}", ())
        return min((path for path in stems if path.rpartition(".")[0] == place), default=None)

    def _elsewhere(self, reference: TemplateReference) -> Match:
        name = reference.filename.rpartition("/")[2]
        named = set(self._by_key.get(f"{'stem' if reference.form == 'stem' else 'name'}:{name}", ()))
        if reference.sha256:
            same = set(self.with_sha256(reference.sha256))
            if same:
                return Match("present_elsewhere", min(same & named or same))
            named = {path for path in named if self._sha256[path] is None}
        if not named:
            return MISSING
        known = {self._sha256[path] for path in named}
        if len(named) == 1 or (len(known) == 1 and None not in known):
            return Match("present_elsewhere", min(named))
        return Match("ambiguous", candidates=tuple(sorted(named)))


def keys_of_file(path: str, sha256: str | None = None) -> set[str]:
    """Return under which keys a file can be found; a reference is touched by a file that shares a key with it."""
    *folders, name = path.split("/")
    keys = {f"name:{name}", f"stem:{name.rpartition('.')[0] or name}", *(f"folder:{folder}" for folder in folders)}
    return keys | {f"sha256:{sha256}"} if sha256 else keys


def keys_of_reference(reference: TemplateReference) -> set[str]:
    """Return the keys of all files that can change the match of this reference."""
    name = reference.filename.rpartition("/")[2]
    kind = {"file": "name", "stem": "stem", "folder": "folder"}[reference.form]
    return {f"{kind}:{name}"} | ({f"sha256:{reference.sha256}"} if reference.sha256 else set())
