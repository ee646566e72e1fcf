"""Lock files: what is written, what is refused, and what of one is not there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from catalog.library import locks
from modeldeck_events.message import Reply
from modeldeck_events.modelfiles import LinkModelFile
from modeldeck_events.repositories import Repository, Variant
from modeldeck_events.templates import LockWorkflow, PlanLock

from tests.unit.catalog.library_bench import POOL, Bench, ask, bench_in, preset, reference, sha, spec, url_of
from tests.unit.catalog.workflows import loader

COMMIT = "c" * 40
A, B = "1" * 64, "2" * 64


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path) as running:
        yield running


async def lock(bench: Bench, template_id: str = "w/t.json") -> Reply:
    return await ask(bench.plans.lock, LockWorkflow(pool=POOL, template_id=template_id))


async def plan(bench: Bench, data: object) -> Reply:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await ask(bench.plans.against_lock, PlanLock(pool=POOL, lock=raw))


def locked(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "modeldeck_lock": 1,
        "workflow": {"id": "w/t.json", "name": "t"},
        "created_at": "2026-05-01T10:00:00Z",
        "files": list(files),
    } | more


def entry(path: str = "vae/a.bin", **more: Any) -> dict[str, Any]:
    return {"path": path, "size_bytes": 5, "sha256": A} | more


async def test_a_lock_names_every_file_with_its_bytes_and_its_source(bench: Bench) -> None:
    await bench.fetch("vae/b.bin", b"bbbbb")
    await bench.put("loras/own.bin", b"own", hashed=True)
    await bench.hash("vae/b.bin")
    await bench.template("w/t.json", "vae/b.bin", "loras/own.bin", reference("vae/off.bin", active=False))
    reply = await lock(bench)
    assert reply.data["lock"] == {
        "modeldeck_lock": 1,
        "workflow": {"id": "w/t.json", "name": "w/t", "sha256": sha(b"w/t.json")},
        "created_at": "2026-05-01T10:00:00Z",
        "files": [
            {"path": "loras/own.bin", "size_bytes": 3, "sha256": sha(b"own")},
            {"path": "vae/b.bin", "size_bytes": 5, "sha256": sha(b"bbbbb"), "url": url_of("b.bin"), "etag": '"e"'},
        ],
    }  # fmt: skip
    assert (await plan(bench, reply.data["lock"])).data["files"] == []


async def test_a_lock_is_pinned_to_the_commit_that_has_the_hash(bench: Bench) -> None:
    main = "https://huggingface.co/org/repo/resolve/main/a.bin"
    pinned = f"https://huggingface.co/org/repo/resolve/{COMMIT}/a.bin"
    await bench.fetch("vae/a.bin", b"12345", url=main)
    await bench.hash("vae/a.bin")
    await bench.template("w/t.json", "vae/a.bin")
    assert (await lock(bench)).data["lock"]["files"][0]["url"] == main  # type: ignore[index]
    for repo in ("org/other", "org/repo"):
        url = f"https://huggingface.co/{repo}/resolve/{COMMIT}/a.bin"
        variants = (Variant(filename="a.bin", url=url, sha256=sha(b"12345")),)
        await bench.describe(Repository(hub="huggingface", repo=repo, revision=COMMIT, variants=variants))
    [file] = (await lock(bench)).data["lock"]["files"]  # type: ignore[index]
    assert (file["url"], file["repo"], file["revision"]) == (pinned, "org/repo", COMMIT)


async def test_a_url_that_is_pinned_already_says_so(bench: Bench) -> None:
    url = f"https://huggingface.co/org/repo/resolve/{COMMIT}/sub/a.bin"
    await bench.fetch("vae/a.bin", b"12345", url=url)
    await bench.hash("vae/a.bin")
    await bench.template("w/t.json", "vae/a.bin")
    [file] = (await lock(bench)).data["lock"]["files"]  # type: ignore[index]
    assert (file["url"], file["repo"], file["revision"]) == (url, "org/repo", COMMIT)


async def test_nothing_is_locked_while_files_miss_or_are_not_hashed(bench: Bench) -> None:
    assert (await lock(bench, "w/none.json")).status == 404
    await bench.put("vae/a.bin")
    await bench.put("x/b.bin")
    await bench.template("w/t.json", "vae/a.bin", "vae/b.bin")
    reply = await lock(bench)
    assert (reply.status, reply.code, reply.data["paths"]) == (409, "files_missing", ["vae/b.bin"])
    await ask(bench.changes.link, LinkModelFile(pool=POOL, path="vae/b.bin", from_path="x/b.bin"))
    await bench.see()
    reply = await lock(bench)
    assert (reply.status, reply.code, reply.data["paths"]) == (503, "hash_pending", ["vae/a.bin", "vae/b.bin"])
    assert bench.wanted == ["vae/a.bin", "vae/b.bin"]
    for path in bench.wanted:
        await bench.hash(path)
    assert (await lock(bench)).ok


async def test_a_workflow_that_is_not_stored_is_locked_too(bench: Bench) -> None:
    workflow = json.dumps({"nodes": [loader("a.bin")], "links": [], "version": 0.4}).encode()
    command = LockWorkflow(pool=POOL, data=workflow, name="mine.json")
    assert (await ask(bench.plans.lock, command)).code == "files_missing"
    await bench.put("checkpoints/a.bin", hashed=True)
    written: Any = (await ask(bench.plans.lock, command)).data["lock"]
    assert written["workflow"] == {"id": "mine.json", "name": "mine", "sha256": sha(workflow)}
    assert [file["path"] for file in written["files"]] == ["checkpoints/a.bin"]
    assert (await plan(bench, written)).data["files"] == []
    reply = await ask(bench.plans.lock, LockWorkflow(pool=POOL, data=b"[1, 2]"))
    assert (reply.status, reply.code) == (422, "unreadable")


async def test_folders_and_names_without_extension_are_locked_as_files(bench: Bench) -> None:
    for path in ("diffusers/flux/unet/w.bin", "diffusers/flux/vae/w.bin", "embeddings/easy.pt"):
        await bench.put(path, hashed=True)
    await bench.template(
        "w/t.json",
        reference("diffusers/flux", form="folder"),
        reference("embeddings/easy", form="stem"),
        complete=False,
    )
    written: Any = (await lock(bench)).data["lock"]
    assert [file["path"] for file in written["files"]] == [
        "diffusers/flux/unet/w.bin", "diffusers/flux/vae/w.bin", "embeddings/easy.pt",
    ]  # fmt: skip
    assert written["workflow"]["complete"] is False


async def test_a_locked_file_is_fetched_linked_or_neither(bench: Bench) -> None:
    await bench.put("x/same.bin", b"same!", hashed=True)
    await bench.put("vae/other.bin", b"other", hashed=True)
    await bench.put("vae/longer.bin", b"longer")
    await bench.publish(preset("p", spec("y/known.bin", sha256=B)))
    reply = await plan(
        bench,
        locked(
            entry("vae/get.bin", url=url_of("get.bin"), repo="o/r", revision=COMMIT),
            entry("vae/same.bin", sha256=sha(b"same!")),
            entry("vae/other.bin", url=url_of("other.bin")),
            entry("vae/longer.bin", url=url_of("longer.bin")),
            entry("vae/known.bin", sha256=B),
            entry("vae/nobody.bin"),
        ),
    )
    files: Any = reply.data["files"]
    assert [(file["action"], file.get("code")) for file in files] == [
        ("download", None), ("link", None), ("none", "conflict"), ("none", "conflict"), ("download", None),
        ("none", "no_source"),
    ]  # fmt: skip
    assert files[0]["source"] == {
        "kind": "workflow", "name": "t", "url": url_of("get.bin"), "size_bytes": 5, "sha256": A, "repo": "o/r",
        "revision": COMMIT,
    }  # fmt: skip
    assert files[1]["from_path"] == "x/same.bin"
    assert "another file lies at vae/other.bin" in files[2]["message"]
    assert (files[4]["source"]["kind"], files[4]["source"]["sha256"]) == ("preset", B)


async def test_a_file_that_may_have_the_bytes_is_hashed_first(bench: Bench) -> None:
    await bench.put("vae/a.bin", b"12345")
    data = locked(entry(sha256=sha(b"12345")))
    reply = await plan(bench, data)
    assert (reply.status, reply.code, bench.wanted) == (503, "hash_pending", ["vae/a.bin"])
    await bench.hash("vae/a.bin")
    assert (await plan(bench, data)).data["files"] == []


async def test_a_place_that_is_searched_earlier_counts_as_it_does_for_comfyui(bench: Bench) -> None:
    data = locked(entry(sha256=sha(b"12345"), url=url_of("a.bin")))

    async def planned() -> Any:
        await bench.survey(places={"vae": ("shared", "vae", "late")})
        return (await plan(bench, data)).data["files"]

    await bench.put("late/a.bin", b"wrong", hashed=True)
    assert (await planned())[0]["action"] == "download"
    await bench.put("shared/a.bin", b"12345", hashed=True)
    assert await planned() == []
    await bench.put("shared/a.bin", b"wrong", hashed=True)
    assert (await planned())[0]["code"] == "conflict"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no lock file"),
        (b"{", "no lock file"),
        (b"\xff\xfe{}", "no lock file"),
        (b"[" * 100_000, "no lock file"),
        (b" " * (locks.MAX_LOCK_BYTES + 1), "at most 2097152"),
        (locked(modeldeck_lock=2), "version 2"),
        (locked(modeldeck_lock="1"), "modeldeck_lock"),
        (locked(extra=1), "extra"),
        (locked(created_at="yesterday"), "created_at"),
        (locked(created_at="2026-05-01T10:00:00"), "offset"),
        (locked(workflow={"name": "x"}), "id"),
        (locked(workflow={"id": "x" * 2000}), "longer than 1000"),
        (locked(entry("../a.bin")), "files[0]"),
        (locked(entry("/a.bin")), "files[0]"),
        (locked(entry("vae/.modeldeck-a.part")), "hidden"),
        (locked(entry("@comfy/vae/a.bin")), "begins with @"),
        (locked(entry(), entry("vae/b.bin"), entry()), "files[2]"),
        (locked(entry("vae"), entry("vae/b.bin")), "'vae' is a file, and a folder"),
        (locked(entry(sha256="A" * 64)), "files[0].sha256"),
        (locked(entry(sha256="1" * 63)), "files[0].sha256"),
        (locked(entry(size_bytes=-1)), "files[0].size_bytes"),
        (locked(entry(size_bytes=1.5)), "files[0].size_bytes"),
        (locked(entry(url="file:///etc/passwd")), "files[0]"),
        (locked(entry(url="https://user:pass@h.example/a")), "files[0]"),
        (locked(entry(ulr="https://h.example/a")), "ulr"),
        (locked(*[entry(f"vae/{n}.bin") for n in range(locks.MAX_FILES + 1)]), "at most 5000"),
    ],
)
async def test_what_is_no_lock_file_is_refused_with_the_place(bench: Bench, data: object, said: str) -> None:
    reply = await plan(bench, data)
    assert (reply.status, reply.code) == (422, "bad_lock")
    assert said in reply.message


def test_the_documented_lock_file_is_one() -> None:
    text = (locks.__doc__ or "").partition("    {")[2].rpartition("    }")[0]
    example = json.loads("{" + text.replace("<commit>", COMMIT) + "}")
    example["files"][0]["sha256"] = A
    lock = locks.read(json.dumps(example).encode())
    assert lock.files[0].repo == "org/repo"
    page = (Path(__file__).resolve().parents[3] / "docs/lock-file.md").read_text()
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert shown.keys() == example.keys()
    assert locks.read(json.dumps(shown).encode()).files
