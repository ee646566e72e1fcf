"""Which workflow templates of this pool are there, and which of them name a file. Pure; rebuilt from the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from modeldeck_events import subjects, templates
from modeldeck_events.matching import keys_of_reference
from modeldeck_events.message import Event
from modeldeck_events.store import Record
from modeldeck_events.templates import TemplateGone, TemplateReference, TemplateScanned

from catalog.states import Table


class TemplatesFold:
    """What the log says of this pool's templates.

    `templates` holds the last fact per template id. `touched` answers "which references can mean this file" without
    looking at every template; whether a file really is the one that is meant tells `ModelIndex.match`.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.templates: Table[TemplateScanned] = Table()
        self._prefix = f"{subjects.event(templates.AGGREGATE, pool)}."
        self._by_key: defaultdict[str, dict[str, tuple[TemplateReference, ...]]] = defaultdict(dict)

    @property
    def subjects(self) -> str:
        """What this fold has to see."""
        return f"{self._prefix}>"

    def reset(self) -> None:
        """Start from zero."""
        self.templates.clear()
        self._by_key.clear()

    def apply(self, record: Record, /) -> None:
        """Apply one record; other pools' are passed over."""
        if record.subject.startswith(self._prefix):
            self.note(subjects.untoken(record.subject.removeprefix(self._prefix)), record.seq, record.event)

    def note(self, template_id: str, seq: int, event: Event | None) -> None:
        """Take over one fact about a template; of an unknown type it moves only the guard."""
        stands = self.templates.stands(template_id)
        if seq <= stands.seq:
            return
        match event:
            case TemplateScanned():
                new: TemplateScanned | None = event
            case TemplateGone():
                new = None
            case _:
                new = stands.value
        if new is not stands.value:
            self._forget(template_id, stands.value)
            self._index(template_id, new)
        self.templates.note(template_id, seq, new)

    def references(self, template_id: str) -> tuple[TemplateReference, ...]:
        """Return all references of a template, () when there is no such template."""
        known = self.templates.stands(template_id).value
        return known.references if known is not None else ()

    def touched(self, keys: Iterable[str]) -> Iterator[tuple[TemplateScanned, TemplateReference]]:
        """Yield each reference, with its template, that a file with these keys (`keys_of_file`) can be meant by.

        One that shares several keys comes once; the order is that of the log.
        """
        found: dict[str, dict[TemplateReference, None]] = {}
        for key in keys:
            for template_id, references in self._by_key.get(key, {}).items():
                found.setdefault(template_id, {}).update(dict.fromkeys(references))
        for template_id, touched in found.items():
            template = self.templates.stands(template_id).value
            if template is not None:
                for reference in touched:
                    yield template, reference

    def _index(self, template_id: str, template: TemplateScanned | None) -> None:
        by_key: defaultdict[str, list[TemplateReference]] = defaultdict(list)
        for reference in template.references if template is not None else ():
            for key in keys_of_reference(reference):
                by_key[key].append(reference)
        for key, references in by_key.items():
            self._by_key[key][template_id] = tuple(references)

    def _forget(self, template_id: str, template: TemplateScanned | None) -> None:
        for reference in template.references if template is not None else ():
            for key in keys_of_reference(reference):
                templates_of_key = self._by_key.get(key)
                if templates_of_key is not None:
                    templates_of_key.pop(template_id, None)
                    if not templates_of_key:
                        del self._by_key[key]
