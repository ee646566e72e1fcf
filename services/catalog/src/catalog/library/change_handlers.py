"""The commands that change the disk: delete, uninstall, link."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from modeldeck_events import presets
from modeldeck_events.deciding import execute
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Command, Reply
from modeldeck_events.modelfiles import DeleteModelFile, LinkModelFile, NeededBy
from modeldeck_events.presets import PresetDefinition, PresetUninstalled, UninstallPreset
from modeldeck_events.store import EventStore, Meta

from catalog.library.answers import checked, meta_of, needed, needs_json, refuse
from catalog.library.deleting import Deleter
from catalog.library.disk import NotThereError, ReadOnlyError
from catalog.library.linking import Linker
from catalog.library.needs import Needs
from catalog.library.provenance import OriginsFold
from catalog.states import ModelFilesFold, PresetsFold

REMEMBERED = 256
"""Answers to so many changes are kept, so that a command which is repeated after a lost answer gets the first one."""


class ChangeHandlers:
    """Answers the commands that change the disk, one after the other."""

    def __init__(  # noqa: PLR0913 - the parts that work together here, by keyword
        self,
        store: EventStore,
        *,
        files: ModelFilesFold,
        published: PresetsFold,
        origins: OriginsFold,
        needs: Needs,
        deleter: Deleter,
        linker: Linker,
    ) -> None:
        self._store = store
        self._files = files
        self._published = published
        self._origins = origins
        self._needs = needs
        self._deleter = deleter
        self._linker = linker
        self._turn = asyncio.Lock()
        self._answers: OrderedDict[tuple[str, str], Reply] = OrderedDict()

    async def delete(self, command: DeleteModelFile) -> Reply:
        """Delete a file that nothing needs, or by force."""
        return await self._once(command, lambda: self._delete(command))

    async def uninstall(self, command: UninstallPreset) -> Reply:
        """Delete what only this preset needs."""
        return await self._once(command, lambda: self._uninstall(command))

    async def link(self, command: LinkModelFile) -> Reply:
        """Give a file a further name."""
        return await self._once(command, lambda: self._link(command))

    async def _once(self, command: Command, change: Callable[[], Awaitable[Reply]]) -> Reply:
        async with self._turn:
            key = (command.VERB, command.command_id)
            known = self._answers.get(key)
            if known is not None:
                return known
            reply = await change()
            if command.command_id and reply.ok:
                self._answers[key] = reply
                if len(self._answers) > REMEMBERED:
                    self._answers.popitem(last=False)
            return reply

    async def _delete(self, command: DeleteModelFile) -> Reply:
        path = checked(command.path)
        if self._files.get(path) is None:
            raise CommandNotAllowedError(f"there is no model file {path!a}", code="unknown_file", status=404)
        try:
            needed_by = await self._needed_by(path)
            if needed_by and not command.force:
                return needed(path, needed_by)
            reason = "deleted by force" if needed_by else "deleted"
            seq, fact = await self._deleter.delete(
                path, reason=reason, needed_by=needed_by, meta=meta_of(command), began=time.monotonic()
            )
        except NotThereError as error:
            raise CommandNotAllowedError(f"there is no model file {path!a}", code="unknown_file", status=404) from error
        except ReadOnlyError as error:
            raise CommandNotAllowedError(str(error), code="read_only") from error
        except OSError as error:
            refuse(path, error)
        data = {
            "path": path,
            "size_bytes": fact.size_bytes,
            "freed_bytes": fact.freed_bytes,
            "restorable": fact.provenance is not None,
            "needed_by": needs_json(needed_by),
        }
        return Reply(ok=True, seq=seq, data=data)

    async def _uninstall(self, command: UninstallPreset) -> Reply:
        preset = self._published.presets.stands(command.preset_id).value
        if preset is None:
            raise CommandNotAllowedError(f"there is no preset {command.preset_id!a}", code="unknown_preset", status=404)
        if self._origins.open_download(f"preset:{preset.id}") is not None:
            text = f"{preset.name} is being downloaded; cancel that first"
            raise CommandNotAllowedError(text, code="download_open")
        there = list(dict.fromkeys(spec.path for spec in preset.files if self._files.get(spec.path) is not None))
        if not there:
            raise CommandNotAllowedError(f"nothing of {preset.name} is installed", code="not_installed", status=404)
        kept = {path: needed_by for path in there if (needed_by := await self._kept_for(preset, path))}
        seq, freed_bytes, began = 0, 0, time.monotonic()
        deleted: list[str] = []
        failed: dict[str, str] = {}
        for path in (path for path in there if path not in kept):
            try:
                seq, fact = await self._deleter.delete(
                    path,
                    reason=f"uninstalled preset {preset.id}",
                    needed_by=(),
                    meta=meta_of(command),
                    began=began,
                )
            except NotThereError:
                failed[path] = "it is not there any more"
            except (ReadOnlyError, OSError) as error:
                failed[path] = str(error)
            else:
                deleted.append(path)
                freed_bytes += fact.freed_bytes
        data = {
            "preset_id": preset.id,
            "deleted": deleted,
            "freed_bytes": freed_bytes,
            "kept": [{"path": path, "needed_by": needs_json(needed_by)} for path, needed_by in kept.items()],
        }
        if failed:
            data["failed"] = [{"path": path, "message": message} for path, message in failed.items()]
            text = "; ".join(f"{path}: {message}" for path, message in failed.items())
            message = f"{len(deleted)} files of {preset.name} were deleted, {len(failed)} could not be: {text}"
            return Reply(ok=False, seq=seq, code="partly_uninstalled", message=message, status=409, data=data)
        uninstalled = PresetUninstalled(
            pool=command.pool,
            preset_id=preset.id,
            deleted=tuple(deleted),
            kept=tuple(kept),
            freed_bytes=freed_bytes,
        )
        return Reply(ok=True, seq=await self._say(uninstalled, meta_of(command)), data=data)

    async def _needed_by(self, path: str) -> tuple[NeededBy, ...]:
        """Return who needs the file under any of the names that go with it."""
        return tuple(dict.fromkeys(need for name in await self._deleter.names(path) for need in self._needs.of(name)))

    async def _kept_for(self, preset: PresetDefinition, path: str) -> tuple[NeededBy, ...]:
        """Return for whom the file stays: who else needs it, else whose file it is when it is not this preset's."""
        others = tuple(need for need in await self._needed_by(path) if (need.kind, need.id) != ("preset", preset.id))
        if others or any(self._needs.has(spec) for spec in preset.files if spec.path == path):
            return others
        return tuple(
            NeededBy(kind="preset", id=other.id, name=other.name)
            for other in self._needs.naming(path)
            if other.id != preset.id and any(self._needs.has(spec) for spec in other.files if spec.path == path)
        )

    async def _say(self, fact: PresetUninstalled, meta: Meta) -> int:
        seq, _ = await execute(
            self._store,
            presets.subject(fact.preset_id),
            load=lambda: (None, self._published.presets.stands(fact.preset_id).seq),
            decide=lambda _command, _state: (fact,),
            command=None,
            meta=meta,
        )
        self._published.note(fact.preset_id, seq, fact)
        self._origins.given_up.apply(fact)
        return seq

    async def _link(self, command: LinkModelFile) -> Reply:
        path, from_path = checked(command.path), checked(command.from_path)
        try:
            seq, method = await self._linker.link(path, from_path, meta_of(command))
        except OSError as error:
            refuse(path, error)
        return Reply(ok=True, seq=seq, data={"path": path, "from_path": from_path, "method": method})
