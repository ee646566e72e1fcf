"""Where a missing or deleted file can be had: which source, in which order, to which place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from catalog.library.provenance import OriginsFold
from modeldeck_events import downloads as d
from modeldeck_events.message import Reply
from modeldeck_events.modelfiles import DeleteModelFile, ModelFileGone, ModelRoot, PlanRestore
from modeldeck_events.repositories import Repository, Variant
from modeldeck_events.templates import PlanMissing

from tests.unit.catalog.library_bench import POOL, Bench, ask, bench_in, preset, reference, sha, spec, url_of
from tests.unit.catalog.workflows import loader

ONE, TWO = "1" * 64, "2" * 64
COMMIT = "c" * 40
HUB = "https://huggingface.co/org/repo"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path) as running:
        yield running


def repository(repo: str, *variants: Variant, revision: str = COMMIT) -> Repository:
    return Repository(hub="huggingface", repo=repo, revision=revision, variants=variants)


def variant(filename: str, repo: str = "org/repo", **more: Any) -> Variant:
    url = f"https://huggingface.co/{repo}/resolve/{COMMIT}/{filename}"
    return Variant(filename=filename, **{"url": url} | more)


async def missing(bench: Bench, template_id: str = "w/t.json") -> list[dict[str, Any]]:
    reply = await ask(bench.plans.missing, PlanMissing(pool=POOL, template_id=template_id))
    assert reply.ok, reply
    return reply.data["files"]  # type: ignore[return-value]


async def restore(bench: Bench, path: str) -> Reply:
    return await ask(bench.plans.restore, PlanRestore(pool=POOL, path=path))


async def test_what_is_present_or_not_active_is_not_asked_for(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    await bench.template("w/t.json", "vae/a.bin", reference("vae/off.bin", active=False))
    assert await missing(bench) == []


async def test_the_workflows_own_word_comes_first(bench: Bench) -> None:
    await bench.publish(preset("p", spec("vae/a.bin", url="https://preset.example/a.bin", size_bytes=7)))
    url = f"{HUB}/blob/main/a.bin"
    await bench.template("w/t.json", reference("vae/a.bin", url=url, sha256=ONE))
    assert await missing(bench) == [
        {
            "path": "vae/a.bin", "status": "missing", "action": "download", "sha256": ONE,
            "source": {"kind": "workflow", "name": "w/t", "url": f"{HUB}/resolve/main/a.bin", "sha256": ONE},
            "alternatives": [
                {"kind": "preset", "name": "P", "url": "https://preset.example/a.bin", "size_bytes": 7}
            ],
        }
    ]  # fmt: skip


async def test_a_stated_url_that_is_none_is_passed_over(bench: Bench) -> None:
    for url in ("http://[", "ftp://h.example/a.bin", "https://u:p@h.example/a.bin"):
        await bench.template("w/t.json", reference("vae/a.bin", url=url))
        assert (await missing(bench))[0]["code"] == "no_source"


async def test_the_size_of_a_stated_url_comes_from_who_knows_it(bench: Bench) -> None:
    await bench.describe(repository("org/repo", variant("a.bin", size_bytes=9, sha256=ONE)))
    url = f"{HUB}/resolve/{COMMIT}/a.bin"
    await bench.template("w/t.json", reference("vae/a.bin", url=url))
    [entry] = await missing(bench)
    assert (entry["size_bytes"], entry["sha256"], entry["source"]["kind"]) == (9, ONE, "workflow")


async def test_presets_by_path_before_others_of_that_name_and_folder(bench: Bench) -> None:
    await bench.publish(
        preset("near", spec("vae/sub/a.bin", url="https://near.example/a.bin", size_bytes=1)),
        preset("vague", spec("vae/a.bin", url="https://vague.example/a.bin")),
        preset("exact", spec("vae/a.bin", url="https://exact.example/a.bin", size_bytes=1)),
        preset("elsewhere", spec("loras/a.bin", url="https://loras.example/a.bin", size_bytes=1)),
    )
    await bench.template("w/t.json", "vae/a.bin")
    [entry] = await missing(bench)
    assert entry["source"]["name"] == "Exact"
    assert [other["name"] for other in entry["alternatives"]] == ["Vague", "Near"]


async def test_a_stated_hash_is_found_anywhere_and_another_hash_is_no_source(bench: Bench) -> None:
    await bench.publish(
        preset("wrong", spec("vae/a.bin", url="https://wrong.example/a.bin", sha256=TWO)),
        preset("same", spec("other/b.bin", url="https://same.example/b.bin", sha256=ONE.upper(), size_bytes=3)),
    )
    await bench.template("w/t.json", reference("vae/a.bin", sha256=ONE))
    [entry] = await missing(bench)
    assert (entry["source"]["name"], entry["sha256"], entry["size_bytes"]) == ("Same", ONE, 3)
    assert "alternatives" not in entry


async def test_a_repository_that_was_looked_at_is_the_last_resort(bench: Bench) -> None:
    await bench.describe(repository("org/repo", variant("sub/a.bin", size_bytes=9, sha256=ONE)))
    await bench.template("w/t.json", "vae/a.bin")
    [entry] = await missing(bench)
    assert entry["source"] == {
        "kind": "repository", "name": "org/repo", "url": f"{HUB}/resolve/{COMMIT}/sub/a.bin",
        "size_bytes": 9, "sha256": ONE, "repo": "org/repo", "revision": COMMIT,
    }  # fmt: skip


@pytest.mark.parametrize(
    "described",
    [
        (
            repository("a/a", variant("x.bin", "a/a", sha256=ONE)),
            repository("b/b", variant("x.bin", "b/b", sha256=TWO)),
        ),
        (repository("a/a", variant("x.bin", "a/a", parts=("x-1.bin", "x-2.bin"))),),
        (),
    ],
    ids=["two contents of that name", "in several parts", "nothing known"],
)
async def test_without_a_sure_source_a_person_is_told_what_to_do(
    bench: Bench, described: tuple[Repository, ...]
) -> None:
    for one in described:
        await bench.describe(one)
    await bench.template("w/t.json", "vae/x.bin")
    [entry] = await missing(bench)
    assert (entry["action"], entry["code"]) == ("none", "no_source")
    assert "no source of vae/x.bin is known" in entry["message"]


async def test_names_that_say_nothing_are_not_taken_from_a_repository(bench: Bench) -> None:
    await bench.describe(repository("a/a", variant("model.safetensors", "a/a")))
    await bench.template("w/t.json", "vae/model.safetensors")
    assert (await missing(bench))[0]["action"] == "none"


async def test_what_is_elsewhere_is_linked_and_what_is_unclear_chosen(bench: Bench) -> None:
    await bench.put("checkpoints/xl/a.bin", b"1")
    await bench.put("x/b.bin", b"1")
    await bench.put("y/b.bin", b"2")
    await bench.template("w/t.json", "vae/a.bin", "vae/b.bin")
    one, two = await missing(bench)
    assert one == {
        "path": "vae/a.bin", "status": "present_elsewhere", "action": "link", "from_path": "checkpoints/xl/a.bin",
        "size_bytes": 1,
    }  # fmt: skip
    assert (two["status"], two["action"], two["candidates"]) == ("ambiguous", "choose", ["x/b.bin", "y/b.bin"])


async def test_what_is_elsewhere_or_unclear_may_be_fetched_instead(bench: Bench) -> None:
    await bench.put("checkpoints/xl/a.bin", b"1")
    await bench.put("x/b.bin", b"1")
    await bench.put("y/b.bin", b"2")
    await bench.publish(preset("p", spec("vae/a.bin"), spec("vae/b.bin")))
    await bench.template("w/t.json", "vae/a.bin", "vae/b.bin")
    entries = await missing(bench)
    assert [(entry["action"], entry["alternatives"][0]["url"]) for entry in entries] == [
        ("link", url_of("a.bin")), ("choose", url_of("b.bin")),
    ]  # fmt: skip


async def test_a_file_of_that_name_which_is_another_one_is_not_linked(bench: Bench) -> None:
    await bench.put("controlnet/a.bin", b"another", hashed=True)
    await bench.publish(preset("p", spec("vae/a.bin", size_bytes=5)))
    await bench.template("w/t.json", "vae/a.bin")
    [entry] = await missing(bench)
    assert (entry["status"], entry["action"]) == ("missing", "download")


async def test_a_name_that_many_models_have_is_linked_only_when_a_person_says_so(bench: Bench) -> None:
    name = "diffusion_pytorch_model.bin"
    await bench.put(f"controlnet/{name}", b"12345", hashed=True)
    await bench.template("w/t.json", f"vae/{name}")
    [entry] = await missing(bench)
    assert (entry["action"], entry["candidates"]) == ("choose", [f"controlnet/{name}"])
    await bench.template("w/t.json", reference(f"vae/{name}", sha256=sha(b"12345")))
    [entry] = await missing(bench)
    assert (entry["action"], entry["from_path"]) == ("link", f"controlnet/{name}")


async def test_one_entry_per_place_with_the_best_that_is_stated(bench: Bench) -> None:
    url = "https://h.example/o/a.bin"
    await bench.template("w/t.json", "vae/a.bin", reference("vae/a.bin", url=url, node_type="Other"))
    [entry] = await missing(bench)
    assert entry["source"]["url"] == url


async def test_the_place_is_in_the_models_folder_under_todays_name(bench: Bench, tmp_path: Path) -> None:
    shared = ModelRoot(prefix="@comfy/unet", folder=str(tmp_path))
    places = {"diffusion_models": ("@comfy/unet", "unet", "diffusion_models"), "own": ("@comfy/own", "mine")}
    await bench.survey(shared, places=places)
    search = ("unet", "diffusion_models")
    await bench.template(
        "w/t.json", reference("diffusion_models/a.bin", search=search, url=url_of("a.bin")), "own/b.bin"
    )
    assert [entry["path"] for entry in await missing(bench)] == ["diffusion_models/a.bin", "mine/b.bin"]


async def test_an_embedding_gets_the_extension_of_its_source_and_a_folder_no_source(bench: Bench) -> None:
    await bench.publish(preset("p", "embeddings/easy.safetensors"))
    await bench.template(
        "w/t.json", reference("embeddings/easy", form="stem"), reference("diffusers/flux", form="folder")
    )
    one, two = await missing(bench)
    assert (one["path"], one["action"]) == ("embeddings/easy.safetensors", "download")
    assert (two["action"], two["code"]) == ("none", "folder")


async def test_a_damaged_file_in_the_way_is_said(bench: Bench) -> None:
    await bench.put("vae/a.safetensors", b"\xff" * 20)
    await bench.template("w/t.json", reference("vae/a.safetensors", url=url_of("a.safetensors")))
    [entry] = await missing(bench)
    assert (entry["action"], "cut off" in entry["message"]) == ("download", True)


async def test_a_file_that_was_here_before_is_had_from_where_it_came(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"12345")
    await bench.changes.delete(DeleteModelFile(pool=POOL, path="vae/a.bin"))
    await bench.template("w/t.json", "vae/a.bin")
    [entry] = await missing(bench)
    assert (entry["source"]["kind"], entry["sha256"], entry["size_bytes"]) == ("download", sha(b"12345"), 5)


async def test_a_workflow_that_is_not_stored_and_one_that_is_none(bench: Bench) -> None:
    workflow = json.dumps({"nodes": [loader("a.safetensors")], "links": [], "version": 0.4}).encode()
    reply = await ask(bench.plans.missing, PlanMissing(pool=POOL, data=workflow))
    assert [entry["path"] for entry in reply.data["files"]] == ["checkpoints/a.safetensors"]  # type: ignore[attr-defined]
    for data in (b"", b"{", b"[1, 2]"):
        reply = await ask(bench.plans.missing, PlanMissing(pool=POOL, data=data))
        assert (reply.status, reply.code) == (422, "unreadable")
    assert (await ask(bench.plans.missing, PlanMissing(pool=POOL, template_id="w/none.json"))).status == 404


async def test_restore_of_what_nobody_knows(bench: Bench) -> None:
    assert ((await restore(bench, "vae/a.bin")).status, (await restore(bench, "../a")).status) == (404, 422)
    await bench.put("vae/a.bin")
    await bench.changes.delete(DeleteModelFile(pool=POOL, path="vae/a.bin"))
    reply = await restore(bench, "vae/a.bin")
    assert (reply.status, reply.code) == (409, "no_source")
    await bench.publish(preset("p", spec("vae/a.bin", size_bytes=9)))
    reply = await restore(bench, "vae/a.bin")
    assert reply.data["file"]["url"] == url_of("a.bin")  # type: ignore[index]


async def test_a_file_of_another_root_comes_back_into_the_models_folder(bench: Bench) -> None:
    await bench.put("vae/b.bin")
    fact = bench.files.get("vae/b.bin")
    assert fact is not None
    subject = f"evt.modelfile.{POOL}.=40comfy=2Fvae=2Fa=2Ebin"
    found = type(fact.found)(
        pool=POOL, path="@comfy/vae/a.bin", size_bytes=5, modified_at=fact.found.modified_at, format="bin"
    )
    await bench.say(subject, found)
    await bench.publish(preset("p", spec("vae/a.bin", sha256=ONE)))
    await bench.say(subject, ModelFileGone(pool=POOL, path="@comfy/vae/a.bin"))
    reply = await restore(bench, "@comfy/vae/a.bin")
    assert reply.data["file"] == {"path": "vae/a.bin", "url": url_of("a.bin"), "sha256": ONE}


async def test_the_newest_knowledge_wins(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"first", url="https://h.example/first")
    await bench.changes.delete(DeleteModelFile(pool=POOL, path="vae/a.bin"))
    await bench.fetch("vae/a.bin", b"second", url="https://h.example/second")
    (bench.root / "vae/a.bin").unlink()
    await bench.see()
    file: Any = (await restore(bench, "vae/a.bin")).data["file"]
    assert (file["url"], file["sha256"]) == ("https://h.example/second", sha(b"second"))


async def test_a_download_that_was_replaced_by_hand_is_not_what_is_restored(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"first")
    await bench.put("vae/a.bin", b"other", hashed=True)
    (bench.root / "vae/a.bin").unlink()
    await bench.see()
    reply = await restore(bench, "vae/a.bin")
    assert reply.code == "no_source"


def test_what_is_remembered_is_bounded() -> None:
    fold = OriginsFold("p", max_paths=3)
    for number in range(10):
        fold._completed(
            d.DownloadFileCompleted(
                download_id="d", attempt=1, path=f"{number}", url="https://h.example/f", size_bytes=1,
                verified="sha256", sha256=f"{number}" * 64,
            ),
            number + 1,
        )  # fmt: skip
    assert [fold.heard_of(f"{number}") for number in range(10)] == [False] * 7 + [True] * 3
    assert [fold.fetched_with(f"{number}" * 64) is not None for number in range(10)] == [False] * 7 + [True] * 3
    assert len(fold._by_sha256) == 3
