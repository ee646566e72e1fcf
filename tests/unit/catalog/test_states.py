from __future__ import annotations

from datetime import UTC, datetime, timedelta

from catalog.states import ModelFilesFold
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import (
    InventorySurveyed,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
    ModelFileLinked,
    ModelMetadata,
    inventory_subject,
    subject,
)
from modeldeck_events.store import Meta
from modeldeck_events.templates import TemplateReference

AT = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
AT_NS = int(AT.timestamp()) * 10**9 + 123_456_789
SHA = "ab" * 32
PATH = "vae/a.safetensors"


def found(path: str = PATH, *, size: int = 5, at: datetime = AT, whole: bool | None = None) -> ModelFileFound:
    metadata = ModelMetadata(family="flux")
    return ModelFileFound(pool="p", path=path, size_bytes=size, modified_at=at, whole=whole, metadata=metadata)


def hashed(path: str = PATH, *, size: int = 5, mtime_ns: int = AT_NS) -> ModelFileHashed:
    return ModelFileHashed(pool="p", path=path, size_bytes=size, mtime_ns=mtime_ns, inode=7, sha256=SHA)


def fold_of(*events: Event | None, path: str = PATH) -> ModelFilesFold:
    fold = ModelFilesFold("p")
    for seq, event in enumerate(events, start=1):
        fold.note(path, seq, event)
    return fold


def test_a_hash_belongs_to_the_file_that_stands() -> None:
    fold = fold_of(found(), hashed())
    (live,) = fold.live()
    assert (live.path, live.sha256, live.found.metadata) == (PATH, SHA, ModelMetadata(family="flux"))
    assert fold.sha256(PATH) == SHA
    assert fold.get(PATH) == live
    assert list(fold.index.with_sha256(SHA)) == [PATH]


def test_a_changed_file_has_no_hash_until_it_is_said_again() -> None:
    fold = fold_of(found(), hashed(), found())
    assert fold.sha256(PATH) is None
    assert not fold.index.with_sha256(SHA)
    assert PATH in fold.index
    assert fold.hashed[PATH].sha256 == SHA  # by its stamp it may be the same content
    fold.note(PATH, 4, hashed())
    assert fold.sha256(PATH) == SHA


def test_a_hash_of_other_bytes_does_not_count() -> None:
    assert fold_of(found(), hashed(size=6)).sha256(PATH) is None
    assert fold_of(found(), hashed(mtime_ns=AT_NS + 10**9)).sha256(PATH) is None
    assert fold_of(hashed()).sha256(PATH) is None
    assert fold_of(found(at=AT + timedelta(seconds=1)), hashed()).sha256(PATH) is None


def test_gone_and_deleted_files_are_not_there() -> None:
    deleted = ModelFileDeleted(pool="p", path=PATH, size_bytes=5, freed_bytes=5)
    for end in (ModelFileGone(pool="p", path=PATH), deleted):
        fold = fold_of(found(), hashed(), end)
        assert (list(fold.live()), fold.get(PATH), fold.sha256(PATH)) == ([], None, None)
        assert PATH not in fold.index
    assert fold.deleted == {PATH: deleted}


def test_a_broken_file_is_live_but_matches_nothing() -> None:
    fold = fold_of(found(whole=False))
    assert [live.path for live in fold.live()] == [PATH]
    assert PATH not in fold.index


def test_what_says_nothing_of_the_disk_moves_only_the_guard() -> None:
    linked = ModelFileLinked(pool="p", path=PATH, from_path="b.bin", method="hardlink")
    fold = fold_of(found(), hashed(), linked, None)  # None: a type of a later version
    assert fold.files.stands(PATH).seq == 4
    assert fold.sha256(PATH) == SHA


def test_older_news_changes_nothing() -> None:
    fold = fold_of(found(), hashed())
    fold.note(PATH, 1, found())
    assert fold.sha256(PATH) == SHA


async def test_the_survey_says_where_files_may_lie_and_other_pools_say_nothing() -> None:
    store, fold, meta = MemoryStore(), ModelFilesFold("p"), Meta("test")
    survey = InventorySurveyed(pool="p", roots=(), places={"vae": ("vae", "@big/vae")})
    path = "@big/vae/a.safetensors"
    await store.append(inventory_subject("p"), (survey,), expected_seq=0, meta=meta)
    await store.append(subject("p", path), (found(path),), expected_seq=0, meta=meta)
    await store.append(subject("p2", path), (found("x"),), expected_seq=0, meta=meta)
    await store.append(inventory_subject("p2"), (InventorySurveyed(pool="p2", roots=()),), expected_seq=0, meta=meta)
    for record in await store.read(after=0, limit=10, subjects=fold.subjects):
        fold.apply(record)
    reference = TemplateReference(path=PATH, directory="vae", filename="a.safetensors")
    assert fold.index.match(reference).found_at == path
    assert (fold.survey, fold.survey_seq) == (survey, 1)
    fold.reset()
    assert (fold.survey, list(fold.live()), path in fold.index) == (None, [], False)
