"""From the bytes of a workflow file to the fact about it. Pure."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec
from modeldeck_events.templates import MAX_WORKFLOW_BYTES, TemplateReference, TemplateScanned, TemplateWarning

from catalog.stamps import Stamp, moment
from catalog.templates import LoaderTable, Reference, Scan, ScanWarning, scan
from catalog.workflows.folders import Refused

MAX_REFERENCES_BYTES = 850_000
"""A fact has to fit into a message of the log (1 MiB), warnings and all."""
MAX_READ_BYTES = MAX_WORKFLOW_BYTES


class Place(NamedTuple):
    """Whose fact it is: pool, template id, and the scanner that it is scanned with."""

    pool: str
    template_id: str
    scanner: str

    @property
    def name(self) -> str:
        """The file's name without folders and ending."""
        name = self.template_id.rpartition("/")[2]
        return name.rpartition(".")[0] or name


def scanned(place: Place, data: bytes, stamp: Stamp, table: LoaderTable) -> TemplateScanned:
    """Return the fact about a file with these bytes, of which at most MAX_READ_BYTES and one are given."""
    if len(data) > MAX_READ_BYTES:
        text = f"the file has {stamp.size_bytes} bytes; at most {MAX_READ_BYTES} are read"
        return refused(place, Refused("too_large", text, stamp))
    found = scan(data, table, thorough=True)
    references, is_cut = fitting(references_of(found, table))
    return TemplateScanned(
        pool=place.pool,
        template_id=place.template_id,
        name=place.name,
        size_bytes=stamp.size_bytes,
        modified_at=moment(stamp.mtime_ns),
        sha256=hashlib.sha256(data).hexdigest(),
        format=found.format,
        complete=found.complete and not is_cut,
        references=references,
        warnings=warnings_of(found, is_cut=is_cut),
        scanner=place.scanner,
    )


def refused(place: Place, why: Refused) -> TemplateScanned:
    """Return the fact about a file that is not read."""
    return TemplateScanned(
        pool=place.pool,
        template_id=place.template_id,
        name=place.name,
        size_bytes=why.stamp.size_bytes,
        modified_at=moment(why.stamp.mtime_ns),
        format="unreadable",
        complete=False,
        warnings=(TemplateWarning(code=why.code, message=why.message),),
        scanner=place.scanner,
    )


def says_more(new: TemplateScanned, known: TemplateScanned | None) -> bool:
    """Tell whether a fact says anything that the log does not; by whom it was scanned alone is no news."""
    return known is None or msgspec.structs.replace(known, scanner=new.scanner) != new


def is_of(known: TemplateScanned, stamp: Stamp, scanner: str) -> bool:
    """Tell whether the fact is about a file as it is now, so that it need not be read again."""
    is_same = known.size_bytes == stamp.size_bytes and known.modified_at == moment(stamp.mtime_ns)
    return is_same and known.scanner == scanner and bool(known.sha256)


def references_of(found: Scan, table: LoaderTable) -> tuple[TemplateReference, ...]:
    """Return the references as they go over the bus, with the folders in which each is looked for."""
    return tuple(_reference(reference, table) for reference in found.references)


def warnings_of(found: Scan, *, is_cut: bool) -> tuple[TemplateWarning, ...]:
    """Return the warnings as they go over the bus; `is_cut`: references were left out to fit into a message."""
    more = [ScanWarning(code="more_references", message="too many references; some are left out")] if is_cut else []
    return tuple(TemplateWarning(code=one.code, message=one.message) for one in (*found.warnings, *more))


def fitting(references: tuple[TemplateReference, ...]) -> tuple[tuple[TemplateReference, ...], bool]:
    """Return as many references as fit into a message, needed ones first when some do not, and whether any is left."""
    sized = [(reference, len(msgspec.json.encode(reference)) + 1) for reference in references]
    if sum(size for _, size in sized) <= MAX_REFERENCES_BYTES:
        return references, False
    kept, room = [], MAX_REFERENCES_BYTES
    for reference, size in sorted(sized, key=lambda one: not one[0].active):
        room -= size
        if room < 0:
            break
        kept.append(reference)
    return tuple(kept), True


def _reference(found: Reference, table: LoaderTable) -> TemplateReference:
    search = table.folder(found.directory).search
    return TemplateReference(
        path=found.path,
        directory=found.directory,
        filename=found.filename,
        node_type=found.node_type,
        input_name=found.input_name,
        active=found.active,
        form=found.form,
        url=found.url,
        sha256=found.sha256,
        search=() if search == (found.directory,) else search,
    )
