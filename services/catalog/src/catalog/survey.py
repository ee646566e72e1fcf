"""What an inventory covers, as the log tells it: the roots, where a model folder's files lie, and the volumes."""

from __future__ import annotations

import os
from collections.abc import Mapping

from modeldeck_events.modelfiles import InventorySurveyed, ModelRoot

from catalog.inventory import Walk, mount_of
from catalog.roots import Root, Roots


def survey(pool: str, roots: Roots, found: Walk, before: InventorySurveyed | None) -> InventorySurveyed:
    """Return the fact that follows from a walk. Asks the disk what may be written to, and where volumes begin.

    Of a root that could not be read, the volumes stay what they were `before`.
    """
    mounts: dict[str, str] = {}
    for root in roots.roots:
        mounts |= _mounts_of(root, found, before)
    return InventorySurveyed(
        pool=pool,
        roots=tuple(
            ModelRoot(
                prefix=root.prefix,
                folder=str(root.folder),
                writable=os.access(root.folder, os.W_OK),
                problem=found.problems.get(root.prefix, ""),
            )
            for root in roots.roots
        ),
        places=dict(roots.places),
        mounts=_without_repetitions(mounts),
    )


def _mounts_of(root: Root, found: Walk, before: InventorySurveyed | None) -> dict[str, str]:
    if root.prefix not in found.problems:
        source: Mapping[str, str] = found.mounts
    elif before is not None and root.prefix in {known.prefix for known in before.roots}:
        source = before.mounts
    else:
        source = {root.prefix: mount_of(root.real)}
    return {prefix: mount for prefix, mount in source.items() if _belongs(prefix, root)}


def _belongs(prefix: str, root: Root) -> bool:
    if not root.prefix:
        return not prefix.startswith("@")
    return prefix == root.prefix or prefix.startswith(f"{root.prefix}/")


def _without_repetitions(mounts: Mapping[str, str]) -> dict[str, str]:
    """Return only those that say something else than the longest prefix before them does."""
    told: dict[str, str] = {}
    for prefix in sorted(mounts):
        around = prefix
        while around and around not in told:
            around = around.rpartition("/")[0]
        if told.get(around) != mounts[prefix]:
            told[prefix] = mounts[prefix]
    return told
