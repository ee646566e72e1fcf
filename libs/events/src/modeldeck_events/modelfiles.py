"""Commands and facts about the files below a pool's model folders. Subjects `evt.modelfile.<pool>.<path>`, and
`evt.inventory.<pool>` for the folders as a whole.

A file's `path` is its name everywhere: relative to the models folder, or `@<section>/<folder>/...` for one that lies in
a folder which a section of `extra_model_paths.yaml` names.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message

AGGREGATE = "modelfile"
INVENTORY = "inventory"


class Quantization(Message, frozen=True, kw_only=True):
    """How weights were shortened: bits per weight as the method's name states them (Q4_K_M: 4), and the method."""

    bits: float | None = None
    method: str = ""


class ModelMetadata(Message, frozen=True, kw_only=True):
    """What a model file's own header, or its hub, says of the model; what is not said is absent, never guessed.

    `parameters` is their number, `context_length` in tokens, `dtype` the type of most weights, `family` a name that a
    person would group by (llama, flux ...), `extra` the further text entries of a safetensors `__metadata__`, capped.
    """

    name: str | None = None
    architecture: str | None = None
    family: str | None = None
    parameters: int | None = None
    quantization: Quantization | None = None
    context_length: int | None = None
    dtype: str | None = None
    tensors: int | None = None
    license: str | None = None
    base_model: str | None = None
    tags: tuple[str, ...] = ()
    extra: dict[str, str] = msgspec.field(default_factory=dict)


class Provenance(Message, frozen=True, kw_only=True):
    """Where the bytes of a file can be had again: with a hash, exactly these bytes."""

    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None


class NeededBy(Message, frozen=True, kw_only=True):
    """Who would miss a file: an installed preset, a template with an active node, a download under way."""

    kind: Literal["preset", "template", "download"]
    id: str
    name: str = ""


class ModelFileFound(Event, frozen=True, kw_only=True):
    """A model file is on the disk, newly or changed.

    `whole` false: its own header promises more bytes than there are; None: its format does not say.
    """

    TYPE: ClassVar[str] = "modeldeck.modelfile.found.v1"
    pool: str
    path: str
    size_bytes: int
    modified_at: datetime
    format: str = ""
    whole: bool | None = None
    metadata: ModelMetadata | None = None


class ModelFileGone(Event, frozen=True, kw_only=True):
    """The file is no longer there."""

    TYPE: ClassVar[str] = "modeldeck.modelfile.gone.v1"
    pool: str
    path: str


class ModelFileHashed(Event, frozen=True, kw_only=True):
    """The SHA-256 (lower case) of the file with this size, modification time and inode: of these only.

    It was computed from the disk, or while the file was downloaded.
    """

    TYPE: ClassVar[str] = "modeldeck.modelfile.hashed.v1"
    pool: str
    path: str
    size_bytes: int
    mtime_ns: int
    inode: int
    sha256: str
    source: Literal["computed", "download"] = "computed"


class ModelFileDeleted(Event, frozen=True, kw_only=True):
    """The file was deleted on request and is gone. `provenance` tells how to have the same bytes again, None: nobody
    knows. `freed_bytes` is 0 when the content has another name (a hard link). `needed_by` was overridden by force.
    """

    TYPE: ClassVar[str] = "modeldeck.modelfile.deleted.v1"
    pool: str
    path: str
    size_bytes: int
    freed_bytes: int
    provenance: Provenance | None = None
    needed_by: tuple[NeededBy, ...] = ()
    reason: str = ""


class ModelFileLinked(Event, frozen=True, kw_only=True):
    """The content of `from_path` got the further name `path`, without a byte copied."""

    TYPE: ClassVar[str] = "modeldeck.modelfile.linked.v1"
    pool: str
    path: str
    from_path: str
    method: Literal["hardlink", "symlink"]


class ModelRoot(Message, frozen=True, kw_only=True):
    """A folder in which model files lie. `prefix` begins the paths of its files ("" for the models folder itself).

    `problem` says why nothing is known of it at present.
    """

    prefix: str
    folder: str
    writable: bool = True
    problem: str = ""


class InventorySurveyed(Event, frozen=True, kw_only=True):
    """Which folders the pool's inventory covers from now on.

    `places`: for a model folder by name (checkpoints ...) the prefixes of paths under which its files lie, in the order
    in which they are searched; a folder that is not named here has its own name as its only prefix. `mounts`: the mount
    point of the volume under a prefix of paths ("" is everything else); the longest prefix counts.
    """

    TYPE: ClassVar[str] = "modeldeck.inventory.surveyed.v1"
    pool: str
    roots: tuple[ModelRoot, ...]
    places: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    mounts: dict[str, str] = msgspec.field(default_factory=dict)


EVENTS: tuple[type[Event], ...] = (
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
    ModelFileDeleted,
    ModelFileLinked,
    InventorySurveyed,
)


def subject(pool: str, path: str) -> str:
    """Subject of one model file's facts."""
    return subjects.event(AGGREGATE, pool, path)


def inventory_subject(pool: str) -> str:
    """Subject of the facts about a pool's model folders as a whole."""
    return subjects.event(INVENTORY, pool)


class DeleteModelFile(Command, frozen=True, kw_only=True):
    """Delete a file; refused with 409 `needed` and `needed_by` while something needs it, unless `force`.

    Reply data: `{path, size_bytes, freed_bytes, restorable, needed_by}`. 404 when there is no such file.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "delete-modelfile"
    KEY: ClassVar[str] = "pool"
    pool: str
    path: str
    force: bool = False


class LinkModelFile(Command, frozen=True, kw_only=True):
    """Give the content of `from_path` the further name `path` below the models folder. Reply data: `{path, from_path,
    method}`; as it is asked already: the same, with nothing appended. 409 when another file has the name.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "link-modelfile"
    KEY: ClassVar[str] = "pool"
    pool: str
    path: str
    from_path: str


class PlanRestore(Command, frozen=True, kw_only=True):
    """Tell how to have a deleted file again. Reply data: `{file}`, a FileSpec as JSON; 404 for a path never heard of,
    409 when it is there (`present`) or nobody knows a source (`no_source`).
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "plan-restore"
    KEY: ClassVar[str] = "pool"
    pool: str
    path: str


COMMANDS: tuple[type[Command], ...] = (DeleteModelFile, LinkModelFile, PlanRestore)
