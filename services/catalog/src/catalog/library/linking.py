"""Giving a file that is there a further name, where a workflow looks for it, without a byte copied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from modeldeck_events import modelfiles
from modeldeck_events.deciding import execute
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.modelfiles import ModelFileLinked
from modeldeck_events.store import EventStore, Meta

from catalog.library import disk
from catalog.library.disk import Method, NotThereError, ReadOnlyError, TakenError
from catalog.library.places import folders, place_of
from catalog.states import ModelFilesFold


class Linker:
    """Links files of one pool. `look_at` has the new name looked at by the inventory, at once."""

    def __init__(
        self, store: EventStore, files: ModelFilesFold, models_folder: str, *, look_at: Callable[[str], None]
    ) -> None:
        self._store = store
        self._files = files
        self._models_folder = models_folder
        self._look_at = look_at

    async def link(self, path: str, from_path: str, meta: Meta) -> tuple[int, Method]:
        """Give `from_path`'s content the name `path`; return the fact's sequence (0: it was so already) and how.

        Raises CommandNotAllowedError, and UnavailableError while the log is away.
        """
        survey = self._files.survey
        place, origin = (place_of(survey, self._models_folder, one) for one in (path, from_path))
        file = self._files.get(from_path)
        if file is None or origin is None:
            raise CommandNotAllowedError(f"there is no model file {from_path!a}", code="unknown_file", status=404)
        if file.found.whole is False:
            raise CommandNotAllowedError(f"{from_path} is cut off or no model file", code="damaged")
        if place is None or place.root.prefix:
            raise CommandNotAllowedError(
                f"{path!a} does not lie below the models folder", code="path_refused", status=422
            )
        subject = modelfiles.subject(self._files.pool, path)
        await self._store.last_seq(subject)
        known = folders(survey, self._models_folder)
        try:
            method, is_new = await asyncio.to_thread(disk.link, place.file, origin.file, known)
        except TakenError as error:
            raise CommandNotAllowedError(f"another file has the name {path}; delete it first", code="exists") from error
        except NotThereError as error:
            raise CommandNotAllowedError(
                f"{error} is no regular file below a model folder", code="unknown_file", status=404
            ) from error
        except ReadOnlyError as error:
            raise CommandNotAllowedError(f"the folder cannot be changed: {error}", code="read_only") from error
        if not is_new:
            return 0, method
        fact = ModelFileLinked(pool=self._files.pool, path=path, from_path=from_path, method=method)
        seq, _ = await execute(
            self._store,
            subject,
            load=lambda: (None, self._files.files.stands(path).seq),
            decide=lambda _command, _state: (fact,),
            command=None,
            meta=meta,
        )
        self._files.note(path, seq, fact)
        self._look_at(path)
        return seq, method
