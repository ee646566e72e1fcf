"""Commands and facts about workflow templates: which model files they name. Subject `evt.template.<pool>.<id>`.

A template's id is the name of its folder in MODELDECK_TEMPLATE_DIRS and its path below that: `workflows/sub/a.json`.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message

AGGREGATE = "template"
MAX_WORKFLOW_BYTES = 5 * 1024 * 1024
"""The largest workflow that is taken over the bus; the largest public one has 0.5 MB."""

Form = Literal["file", "folder", "stem"]


class TemplateReference(Message, frozen=True, kw_only=True):
    """One model file that a workflow names.

    `directory` is the model folder under its present name, `filename` lies below it, `path` is both. `search` names the
    model folders in which it is looked for, in order (aliases such as unet, clip), when that is not `directory` alone.
    `form` "stem": any extension will do; "folder": it is a folder. `active` false: no node that runs needs it. `url`
    and `sha256` are what the workflow states.
    """

    path: str
    directory: str
    filename: str
    node_type: str = ""
    input_name: str = ""
    active: bool = True
    form: Form = "file"
    url: str | None = None
    sha256: str | None = None
    search: tuple[str, ...] = ()


class TemplateWarning(Message, frozen=True, kw_only=True):
    """Something about a workflow that a person should see; `code` is stable."""

    code: str
    message: str


class TemplateScanned(Event, frozen=True, kw_only=True):
    """A template is there with this content, newly or changed.

    `complete` false: more may be needed than `references` tell, so it is never called compatible. `sha256` is of the
    workflow file itself. `scanner` tells by which scanner and loader table it was scanned; with another one it is
    scanned again.
    """

    TYPE: ClassVar[str] = "modeldeck.template.scanned.v1"
    pool: str
    template_id: str
    name: str
    size_bytes: int
    modified_at: datetime
    sha256: str = ""
    format: Literal["editor", "prompt", "other", "unreadable"] = "editor"
    complete: bool = True
    references: tuple[TemplateReference, ...] = ()
    warnings: tuple[TemplateWarning, ...] = ()
    scanner: str = ""


class TemplateGone(Event, frozen=True, kw_only=True):
    """The template is no longer there."""

    TYPE: ClassVar[str] = "modeldeck.template.gone.v1"
    pool: str
    template_id: str


EVENTS: tuple[type[Event], ...] = (TemplateScanned, TemplateGone)


def subject(pool: str, template_id: str) -> str:
    """Subject of one template's facts."""
    return subjects.event(AGGREGATE, pool, template_id)


class ScanWorkflow(Command, frozen=True, kw_only=True):
    """Scan a workflow that is not stored. Reply data: `{format, complete, references, warnings}`, each reference a
    TemplateReference as JSON with `status` and, where it applies, `found_at` and `candidates`; nothing is appended.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "scan-workflow"
    KEY: ClassVar[str] = "pool"
    pool: str
    data: bytes


class PlanMissing(Command, frozen=True, kw_only=True):
    """Tell how the files that a workflow misses can be had: of the template `template_id`, or of the workflow `data`.

    Reply data: `{files: [{path, status, action, source?, size_bytes?, sha256?, alternatives?, from_path?, candidates?,
    code?, message?}]}`; `action` is `download` (then `source`, and the next best ones, are `{kind:
    workflow|preset|repository|download, name, url, sha256?, size_bytes?}`; `download`: where this pool had the file
    from before), `link` (then `from_path`), `choose` (several candidates) or `none` (`code` no_source, folder or
    conflict, and `message`, say why). 404 for an unknown template, 422 for what is no workflow.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "plan-missing"
    KEY: ClassVar[str] = "pool"
    pool: str
    template_id: str = ""
    data: bytes = b""


class LockWorkflow(Command, frozen=True, kw_only=True):
    """Write the lock file of the template `template_id`, or of the workflow `data`, which the lock then calls `name`:
    every file that it needs, with path, size, hash and source.

    Reply data: `{lock}`; 404 for an unknown template, 422 for what is no workflow, 409 `files_missing` with `paths`,
    503 `hash_pending` with `paths` while files are still being hashed (they come first from then on).
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "lock-workflow"
    KEY: ClassVar[str] = "pool"
    pool: str
    template_id: str = ""
    data: bytes = b""
    name: str = ""


class PlanLock(Command, frozen=True, kw_only=True):
    """Read a lock file, `lock` is its bytes. Reply data: `{files}` as of `PlanMissing`, of what is not there with
    exactly these bytes; 422 for what is no lock file.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "plan-lock"
    KEY: ClassVar[str] = "pool"
    pool: str
    lock: bytes


COMMANDS: tuple[type[Command], ...] = (ScanWorkflow, PlanMissing, LockWorkflow, PlanLock)
