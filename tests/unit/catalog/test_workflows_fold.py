"""What the log says of the templates, and which references a file touches."""

from __future__ import annotations

from datetime import UTC, datetime

from catalog.workflows.fold import TemplatesFold
from modeldeck_events import templates
from modeldeck_events.matching import keys_of_file
from modeldeck_events.memory import MemoryStore
from modeldeck_events.store import Meta
from modeldeck_events.templates import TemplateGone, TemplateReference, TemplateScanned

HASH = "a" * 64


def reference(path: str, **more: object) -> TemplateReference:
    directory, _, filename = path.partition("/")
    return TemplateReference(path=path, directory=directory, filename=filename, **more)  # type: ignore[arg-type]


def scanned(template_id: str, *references: TemplateReference, pool: str = "p") -> TemplateScanned:
    return TemplateScanned(
        pool=pool,
        template_id=template_id,
        name=template_id,
        size_bytes=1,
        modified_at=datetime(2026, 1, 1, tzinfo=UTC),
        references=references,
    )


def touched(fold: TemplatesFold, path: str, sha256: str | None = None) -> set[tuple[str, str]]:
    return {(template.template_id, one.path) for template, one in fold.touched(keys_of_file(path, sha256))}


def test_a_file_touches_the_references_that_can_mean_it() -> None:
    fold = TemplatesFold("p")
    fold.note("w/a", 1, scanned("w/a", reference("vae/x.pt"), reference("loras/y.pt", sha256=HASH)))
    fold.note("w/b", 2, scanned("w/b", reference("vae/deep/x.pt"), reference("vae_approx/z", form="stem")))
    assert touched(fold, "anywhere/x.pt") == {("w/a", "vae/x.pt"), ("w/b", "vae/deep/x.pt")}
    assert touched(fold, "vae_approx/z.pth") == {("w/b", "vae_approx/z")}
    assert touched(fold, "renamed.pt", HASH) == {("w/a", "loras/y.pt")}
    assert touched(fold, "vae/y.safetensors") == set()


def test_a_reference_that_shares_several_keys_comes_once() -> None:
    fold = TemplatesFold("p")
    fold.note("w/a", 1, scanned("w/a", reference("loras/y.pt", sha256=HASH)))
    assert len(list(fold.touched(keys_of_file("loras/y.pt", HASH)))) == 1


def test_what_is_rescanned_or_gone_touches_nothing_as_before() -> None:
    fold = TemplatesFold("p")
    fold.note("w/a", 1, scanned("w/a", reference("vae/x.pt"), reference("vae/x.pt", node_type="Other")))
    fold.note("w/b", 2, scanned("w/b", reference("vae/x.pt")))
    fold.note("w/a", 3, scanned("w/a", reference("vae/other.pt")))
    assert touched(fold, "vae/x.pt") == {("w/b", "vae/x.pt")}
    fold.note("w/a", 1, scanned("w/a", reference("vae/x.pt")))  # older news
    assert touched(fold, "vae/x.pt") == {("w/b", "vae/x.pt")}
    fold.note("w/a", 4, TemplateGone(pool="p", template_id="w/a"))
    fold.note("w/b", 5, None)  # of a version to come: what is known stays, the guard moves
    assert fold.references("w/a") == ()
    assert [one.path for one in fold.references("w/b")] == ["vae/x.pt"]
    assert fold.templates.stands("w/b").seq == 5
    fold.note("w/b", 6, TemplateGone(pool="p", template_id="w/b"))
    assert touched(fold, "vae/x.pt") == touched(fold, "vae/other.pt") == set()
    assert not fold._by_key


async def test_it_folds_its_own_pool_from_the_log() -> None:
    store, fold = MemoryStore(), TemplatesFold("p")
    for pool in ("p", "p2"):
        fact = scanned("w/ä b.json", reference("vae/x.pt"), pool=pool)
        await store.append(
            templates.subject(pool, fact.template_id), (fact,), expected_seq=0, meta=Meta(source="catalog")
        )
    for record in await store.read(after=0, limit=10):
        fold.apply(record)
    assert [one.template_id for one in fold.templates.live()] == ["w/ä b.json"]
    assert fold.templates.stands("w/ä b.json").seq == 1
    fold.reset()
    assert touched(fold, "vae/x.pt") == set()
