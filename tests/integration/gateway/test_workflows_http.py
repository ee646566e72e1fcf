"""Workflows over HTTP and the stream: what templates miss, and getting it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from modeldeck_events import downloads as d
from modeldeck_events.message import Event, Reply
from modeldeck_events.modelfiles import LinkModelFile, ModelFileGone
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.templates import (
    MAX_WORKFLOW_BYTES,
    LockWorkflow,
    PlanLock,
    PlanMissing,
    ScanWorkflow,
    TemplateGone,
    TemplateReference,
)
from modeldeck_events.templates import subject as template_subject
from msgspec.structs import replace

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.integration.gateway.sse_client import Follower
from tests.unit.gateway.facts import found, reference, scanned

API = "/api/v1/workflows"
SHA = "ab" * 32


async def append(product: Product, *events: Event) -> None:
    for event in events:
        key = getattr(event, "template_id", "")
        where = template_subject("default", key) if key else modelfile_subject("default", event.path)  # type: ignore[attr-defined]
        await product.services.append(where, event)
    await eventually(lambda: caught_up(product.app, product.services))


def canned(product: Product, command: type, *answers: Reply) -> None:
    """Answer a command with these, the last one for ever."""
    left = list(answers)

    async def answer(_command: object) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    product.services.answers[command] = answer


def received(product: Product, kind: type) -> list[Any]:
    return [command for command in product.services.received if type(command) is kind]


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["detail"]
    return body


def download(path: str, **source: object) -> dict[str, object]:
    stated = {"kind": "workflow", "name": "the workflow", "url": f"https://huggingface.co/o/r/resolve/main/{path}"}
    return {"path": path, "status": "missing", "action": "download", "source": stated | source}


def plan(*files: Mapping[str, object]) -> Reply:
    return Reply(ok=True, data={"files": list(files)})


async def test_templates_are_listed_with_what_they_miss(product: Product) -> None:
    stated = TemplateReference(path="loras/l.pt", directory="loras", filename="l.pt", url="https://x.org/l", sha256=SHA)
    await append(
        product,
        scanned("w/b.json", reference("vae/v.pt"), stated, reference("vae/off.pt", active=False), name="B"),
        scanned("w/a.json"),
        replace(scanned("w/index.json"), format="other"),
        found("vae/v.pt"),
    )
    answer = await product.http.get("/api/workflows/templates")
    body = answer.json()
    assert [template["id"] for template in body["templates"]] == ["w/a.json", "w/b.json"]
    assert (body["total"], body["compatible"]) == (2, 1)
    assert body["skipped"] == [{"id": "w/index.json", "message": "This JSON file is no workflow."}]
    b = body["templates"][1]
    assert (b["name"], b["path"], b["compatible"], b["missing_count"]) == ("B", "b.json", False, 1)
    assert [r["status"] for r in b["references"]] == ["present", "missing", "missing"]
    missing = b["missing_models"][0]
    assert (missing["path"], missing["node_type"], missing["input_name"]) == ("loras/l.pt", "", "")
    assert (missing["url"], missing["sha256"], missing["status"]) == ("https://x.org/l", SHA, "missing")

    assert (await product.http.get(f"{API}/templates/w/b.json")).json() == b
    same = await product.http.get(f"{API}/templates", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304
    page = (await product.http.get(f"{API}/templates?limit=1&offset=1")).json()
    assert ([t["id"] for t in page["templates"]], page["total"]) == (["w/b.json"], 2)
    problem_of(await product.http.get(f"{API}/templates?limit=0"), 422, "invalid_request")
    problem_of(await product.http.get(f"{API}/templates/w/nope.json"), 404, "template_not_found")
    skipped = problem_of(await product.http.get(f"{API}/templates/w/index.json"), 404, "template_not_found")
    assert "no workflow" in skipped["detail"]
    assert (await product.stranger.get(f"{API}/templates")).status_code == 401


@pytest.mark.parametrize(
    "template_id",
    [
        "w/deep/er/a.json",
        "w/with space.json",
        "w/ünï 模型.json",
        "w/100%.json",
        "w/50%25.json",
        "w/a?b#c.json",
        "w/what+plus&and.json",
        "w/missing-models",
        "w/install-missing",
        "w/lock",
        "w/a/plan",
        "plan",
        "w/..hidden.json",
    ],
)
async def test_any_id_names_its_template_and_what_is_below_it(product: Product, template_id: str) -> None:
    await append(product, scanned(template_id, reference("vae/v.pt")))
    at = f"{API}/templates/{quote(template_id)}"
    slashes_too = f"{API}/templates/{quote(template_id, safe='')}"
    for url in (at, slashes_too):
        assert (await product.http.get(url)).json()["id"] == template_id
        missing = (await product.http.get(f"{url}/missing-models")).json()
        assert (missing["template_id"], missing["can_generate"]) == (template_id, False)
        assert [one["path"] for one in missing["missing_models"]] == ["vae/v.pt"]
    canned(product, PlanMissing, plan(download("vae/v.pt")))
    assert (await product.http.get(f"{at}/plan")).json()["template_id"] == template_id
    assert (await product.http.post(f"{at}/install-missing")).json()["template_id"] == template_id
    canned(product, LockWorkflow, Reply(ok=True, data={"lock": {"version": 1}}))
    assert (await product.http.get(f"{at}/lock")).json() == {"version": 1}


async def test_compatibility_follows_the_facts_and_the_past_stays(product: Product) -> None:
    follower = Follower(product.http, "templates")
    await append(product, scanned("w/a.json", reference("vae/v.pt")), scanned("w/b.json", reference("vae/other.pt")))
    await follower.until(lambda f: (f.state("templates") or {}).get("total") == 2)
    before = product.app.live.position.seq
    known = len(follower.named("delta"))
    await append(product, found("vae/v.pt"))
    await follower.until(lambda f: f.state("templates")["compatible"] == 1)
    told = follower.named("delta")[known:]
    assert [list(event.data["data"]["templates"]) for event in told] == [["w/a.json"]], "only what changed is told"
    assert (await product.http.get(f"{API}/templates/w/a.json/missing-models")).json()["can_generate"] is True
    await append(product, ModelFileGone(pool="default", path="vae/v.pt"))
    assert (await product.http.get(f"{API}/templates/w/a.json")).json()["compatible"] is False
    await append(product, TemplateGone(pool="default", template_id="w/b.json"))
    await follower.until(lambda f: f.state("templates")["total"] == 1)
    past = (await product.http.get(f"{API}/templates?at={before}")).json()
    assert [(t["id"], t["compatible"]) for t in past["templates"]] == [("w/a.json", False), ("w/b.json", False)]
    assert (await product.http.get("/api/v1/state?topics=templates")).json()["templates"] == follower.state("templates")
    await follower.stop()


async def test_a_plan_tells_sources_sizes_and_volumes(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("vae/v.pt"), reference("loras/l.pt")))
    link = {"path": "loras/l.pt", "status": "present_elsewhere", "action": "link", "from_path": "x/l.pt"}
    canned(product, PlanMissing, plan(download("vae/v.pt", size_bytes=7), link))
    body = (await product.http.get(f"{API}/templates/w/a.json/plan")).json()
    assert body["files"][0]["source"]["kind"] == "workflow"
    assert (body["files"][0]["size_bytes"], body["files"][0]["status"]) == (7, "missing")
    assert body["files"][1] == link
    assert body["volumes"] == [{"path": "/", "needed_bytes": 1, "fits": True}]
    [asked] = received(product, d.PlanFiles)
    assert [spec.path for spec in asked.files] == ["vae/v.pt"]
    assert received(product, d.QueueDownload) == []
    problem_of(await product.http.get(f"{API}/templates/w/nope.json/plan"), 404, "template_not_found")


async def test_one_call_gets_everything_that_is_missing(product: Product) -> None:
    paths = ("vae/v.pt", "loras/l.pt", "loras/which.pt", "loras/unknown.pt")
    await append(product, scanned("w/a.json", *map(reference, paths)))
    canned(
        product,
        PlanMissing,
        plan(
            download("vae/v.pt", sha256=SHA, size_bytes=100),
            {"path": "loras/l.pt", "action": "link", "status": "present_elsewhere", "from_path": "x/l.pt"},
            {"path": "loras/which.pt", "action": "choose", "status": "ambiguous", "candidates": ["a/w.pt", "b/w.pt"]},
            {"path": "loras/unknown.pt", "action": "none", "message": "Nobody has it."},
        ),
    )
    first = (await product.http.post(f"{API}/templates/w/a.json/install-missing")).json()
    assert first["status"] == "queued"
    [queued] = first["queued"]
    assert (queued["path"], queued["status"], queued["source"]["sha256"]) == ("vae/v.pt", "queued", SHA)
    assert first["linked"] == [{"path": "loras/l.pt", "from_path": "x/l.pt"}]
    assert [(one["path"], one["code"]) for one in first["unresolved"]] == [
        ("loras/which.pt", "choose"),
        ("loras/unknown.pt", "no_source"),
    ]
    assert first["unresolved"][0]["candidates"] == ["a/w.pt", "b/w.pt"]
    assert first["unresolved"][1]["message"] == "Nobody has it."
    [command] = received(product, d.QueueDownload)
    assert (command.target_id, command.target.name) == ("file:vae/v.pt", "v.pt")
    spec = command.files[0]
    assert (spec.kind, spec.sha256, spec.size_bytes) == ("vae", SHA, 100)
    queue = (await product.http.get("/api/presets/queue/status")).json()
    assert [item["download_id"] for item in queue["queue"]] == [queued["download_id"]], "it is visible to the next read"

    again = (await product.http.post(f"{API}/templates/w/a.json/install-missing")).json()
    assert again["queued"][0]["download_id"] == queued["download_id"]


async def test_it_turns_compatible_by_itself_and_then_there_is_nothing_to_do(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("vae/v.pt")))
    canned(product, PlanMissing, plan(download("vae/v.pt")), plan())
    assert (await product.http.post(f"{API}/templates/w/a.json/install-missing")).json()["status"] == "queued"
    await append(product, found("vae/v.pt"))
    assert (await product.http.get(f"{API}/templates/w/a.json")).json()["compatible"] is True
    done = (await product.http.post(f"{API}/templates/w/a.json/install-missing")).json()
    assert done == {"template_id": "w/a.json", "status": "compatible", "queued": [], "linked": [], "unresolved": []}


async def test_a_person_chooses_between_candidates_or_gives_a_url(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("loras/one.pt"), reference("loras/two.pt")))
    canned(
        product,
        PlanMissing,
        plan(
            {"path": "loras/one.pt", "action": "choose", "status": "ambiguous", "candidates": ["a/1.pt", "b/1.pt"]},
            {"path": "loras/two.pt", "action": "none"},
        ),
    )
    url = "https://huggingface.co/o/r/resolve/main/two.pt"
    choices = {"choices": {"loras/one.pt": "b/1.pt", "loras/two.pt": url}}
    body = (await product.http.post(f"{API}/templates/w/a.json/install-missing", json=choices)).json()
    assert body["linked"] == [{"path": "loras/one.pt", "from_path": "b/1.pt"}]
    assert [(one["path"], one["source"]["kind"]) for one in body["queued"]] == [("loras/two.pt", "choice")]
    assert body["unresolved"] == []
    [command] = received(product, d.QueueDownload)
    assert command.files[0].url == url
    wrongs: tuple[dict[str, Any], ...] = (
        {"choices": {"loras/other.pt": "x"}},
        {"choices": {"loras/one.pt": ""}},
        {"chosen": {}},
    )
    for wrong in wrongs:
        answer = await product.http.post(f"{API}/templates/w/a.json/install-missing", json=wrong)
        problem_of(answer, 422, "invalid_request")


async def test_an_idempotency_key_makes_a_repetition_one_request(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("vae/v.pt"), reference("vae/w.pt")))
    canned(product, PlanMissing, plan(download("vae/v.pt"), download("vae/w.pt")))
    headers = {"Idempotency-Key": "once"}
    url = f"{API}/templates/w/a.json/install-missing"
    first = (await product.http.post(url, headers=headers)).json()
    assert (await product.http.post(url, headers=headers)).json() == first
    commands = received(product, d.QueueDownload)
    assert len(commands) == 2
    assert len({command.command_id for command in commands}) == 2, "each file is a command of its own"
    assert len(received(product, PlanMissing)) == 1
    other = await product.http.post(url, headers=headers, json={"choices": {"vae/v.pt": "x/y.pt"}})
    problem_of(other, 422, "idempotency_key_reused")


async def test_one_refusal_does_not_stop_the_others_but_all_refused_is_an_error(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("vae/v.pt"), reference("vae/w.pt")))
    canned(product, PlanMissing, plan(download("vae/v.pt"), download("vae/w.pt")))
    refusal = Reply(ok=False, code="host_not_allowed", message="That host is not allowed.", status=403)
    canned(product, d.QueueDownload, refusal, Reply(ok=True, data={"status": "queued", "download_id": "x-1"}))
    url = f"{API}/templates/w/a.json/install-missing"
    body = (await product.http.post(url)).json()
    assert [one["path"] for one in body["queued"]] == ["vae/w.pt"]
    assert body["unresolved"] == [
        {"path": "vae/v.pt", "code": "host_not_allowed", "message": "That host is not allowed."}
    ]
    canned(product, d.QueueDownload, refusal)
    refused = problem_of(await product.http.post(url), 403, "host_not_allowed")
    assert [one["path"] for one in refused["unresolved"]] == ["vae/v.pt", "vae/w.pt"]
    canned(product, PlanMissing, plan({"path": "vae/v.pt", "action": "none"}))
    nothing = problem_of(await product.http.post(url), 409, "no_source")
    assert nothing["unresolved"][0]["code"] == "no_source"
    canned(product, d.QueueDownload, Reply(ok=False, code="not_ready", message="Starting.", status=503))
    canned(product, PlanMissing, plan(download("vae/v.pt"), download("vae/w.pt")))
    asked = len(received(product, d.QueueDownload))
    problem_of(await product.http.post(url), 503, "not_ready")
    assert len(received(product, d.QueueDownload)) == asked + 1, "a service that is away is asked once"


async def test_what_was_not_read_whole_is_never_said_to_be_compatible(product: Product) -> None:
    await append(product, replace(scanned("w/a.json"), complete=False))
    canned(product, PlanMissing, plan())
    assert (await product.http.get(f"{API}/templates/w/a.json/missing-models")).json()["can_generate"] is False
    problem_of(await product.http.post(f"{API}/templates/w/a.json/install-missing"), 409, "incomplete")
    problem_of(await product.http.post(f"{API}/templates/w/nope.json/install-missing"), 404, "template_not_found")


def scan_reply(**more: object) -> Reply:
    one = {"path": "vae/v.pt", "directory": "vae", "filename": "v.pt", "active": True, "status": "missing"}
    data: dict[str, object] = {
        "format": "prompt",
        "complete": True,
        "references": [one | {"node_type": "VAELoader", "input_name": "vae_name"}],
        "warnings": [],
    }
    return Reply(ok=True, data=data | more)


async def test_a_workflow_that_is_not_stored_is_scanned(product: Product) -> None:
    canned(product, ScanWorkflow, scan_reply())
    workflow = {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "v.pt"}}}
    body = (await product.http.post(f"{API}/scan", json=workflow)).json()
    assert (body["format"], body["complete"], body["compatible"], body["missing_count"]) == ("prompt", True, False, 1)
    assert body["missing_models"] == body["references"]
    [command] = received(product, ScanWorkflow)
    assert json.loads(command.data) == workflow
    canned(product, ScanWorkflow, scan_reply(references=[], complete=False))
    assert (await product.http.post(f"{API}/scan", json=workflow)).json()["compatible"] is False
    assert (await product.http.get(f"{API}/templates")).json()["total"] == 0, "nothing is stored"


async def test_what_is_no_workflow_is_refused_with_the_reason(product: Product) -> None:
    warning = {"code": "invalid_json", "message": "Line 1: expected a value."}
    canned(product, ScanWorkflow, scan_reply(format="unreadable", complete=False, references=[], warnings=[warning]))
    for route in ("scan", "install-missing"):
        body = problem_of(await product.http.post(f"{API}/{route}", content=b"{nope"), 422, "unreadable")
        assert "Line 1" in body["detail"]
        assert body["warnings"] == [warning]
    canned(product, ScanWorkflow, scan_reply(format="other", references=[]))
    problem_of(await product.http.post(f"{API}/scan", content=b"[1]"), 422, "not_a_workflow")
    asked = len(received(product, ScanWorkflow))
    problem_of(await product.http.post(f"{API}/scan", content=b" "), 422, "invalid_request")
    problem_of(await product.http.post(f"{API}/scan", content=b"x" * (MAX_WORKFLOW_BYTES + 1)), 413, "too_large")

    async def chunks() -> Any:
        for _ in range(6):
            yield b"x" * 1024 * 1024

    problem_of(await product.http.post(f"{API}/scan", content=chunks()), 413, "too_large")
    problem_of(await product.http.post("/api/v1/downloads", content=b"x" * 1_100_000), 413, "too_large")
    assert len(received(product, ScanWorkflow)) == asked
    too_large = problem_of(await product.http.post(f"{API}/scan", content=b"x" * 2_000_000), 503, "service_unavailable")
    assert "max_payload" in too_large["detail"], "this test's server has the default of 1 MB, the product's own 8 MB"


async def test_what_an_unstored_workflow_misses_is_got_too(product: Product) -> None:
    canned(product, ScanWorkflow, scan_reply())
    canned(product, PlanMissing, plan(download("vae/v.pt")))
    body = (await product.http.post(f"{API}/install-missing", content=b'{"1": {}}')).json()
    assert [one["path"] for one in body["queued"]] == ["vae/v.pt"]
    [asked] = received(product, PlanMissing)
    assert (asked.data, asked.template_id) == (b'{"1": {}}', "")
    canned(product, ScanWorkflow, scan_reply(references=[]))
    body = (await product.http.post(f"{API}/install-missing", content=b'{"1": {}}')).json()
    assert (body["status"], body["queued"]) == ("compatible", [])
    assert len(received(product, PlanMissing)) == 1, "nothing is missing, so nothing is planned"


async def test_a_person_chooses_for_an_unstored_workflow_too(product: Product) -> None:
    choose = {"path": "vae/v.pt", "action": "choose", "status": "ambiguous", "candidates": ["vae/x/v.pt", "vae/y/v.pt"]}
    canned(product, ScanWorkflow, scan_reply())
    canned(product, PlanMissing, plan(choose))
    canned(product, LinkModelFile, Reply(ok=True, data={"method": "hardlink"}))
    workflow = b'{"1": {"class_type": "VAELoader"} }'

    def envelope(choices: str) -> bytes:
        return b'{"choices": ' + choices.encode() + b', "workflow": ' + workflow + b"}"

    body = (await product.http.post(f"{API}/install-missing", content=envelope('{"vae/v.pt": "vae/y/v.pt"}'))).json()
    assert body["linked"] == [{"path": "vae/v.pt", "from_path": "vae/y/v.pt"}]
    assert received(product, PlanMissing)[0].data == workflow, "the very bytes"
    refusals = {'{"vae/other.pt": "x"}': "names no file", '{"vae/v.pt": 1}': "choices", '{"vae/v.pt": ""}': "choices"}
    for choices, reason in refusals.items():
        refused = await product.http.post(f"{API}/install-missing", content=envelope(choices))
        assert reason in problem_of(refused, 422, "invalid_request")["detail"]


async def test_a_catalog_that_answers_nonsense_is_an_error_and_no_crash(product: Product) -> None:
    canned(product, ScanWorkflow, Reply(ok=True, data={}))
    for route in ("scan", "plan", "install-missing"):
        said = problem_of(await product.http.post(f"{API}/{route}", content=b"{}"), 503, "service_unavailable")
        assert "catalog" in said["detail"]


async def test_a_caller_who_can_wait_is_told_that_files_are_being_hashed(product: Product) -> None:
    await append(product, scanned("w/a.json", reference("vae/v.pt")))
    text = "1 files are still being hashed: vae/v.pt"
    pending = Reply(ok=False, code="hash_pending", message=text, status=503, data={"paths": ["vae/v.pt"]})
    for command in (LockWorkflow, PlanLock):
        canned(product, command, pending)
    waits = {"Prefer": "return=minimal, Respond-Async; wait=10"}
    for method, route in (
        ("GET", "templates/w/a.json/lock"), ("POST", "lock"), ("POST", "lock/plan"), ("POST", "lock/install"),
    ):  # fmt: skip
        refused = await product.http.request(method, f"{API}/{route}", content=b"{}")
        assert problem_of(refused, 503, "hash_pending")["paths"] == ["vae/v.pt"]
        answer = await product.http.request(method, f"{API}/{route}", content=b"{}", headers=waits)
        assert (answer.status_code, answer.headers["retry-after"]) == (202, "1")
        assert answer.json() == {"status": "hashing", "paths": ["vae/v.pt"], "detail": text}
    canned(product, LockWorkflow, Reply(ok=False, code="files_missing", message="No.", status=409))
    problem_of(await product.http.post(f"{API}/lock", content=b"{}", headers=waits), 409, "files_missing")


async def test_an_unstored_workflow_is_locked(product: Product) -> None:
    canned(product, LockWorkflow, Reply(ok=True, data={"lock": {"modeldeck_lock": 1, "files": []}}))
    answer = await product.http.post(f"{API}/lock?name=mine.json", content=b'{"nodes": []}')
    assert answer.json() == {"modeldeck_lock": 1, "files": []}
    assert 'filename="mine.lock.json"' in answer.headers["content-disposition"]
    [asked] = received(product, LockWorkflow)
    assert (asked.data, asked.name, asked.template_id) == (b'{"nodes": []}', "mine.json", "")


async def test_what_an_unstored_workflow_misses_is_planned_first(product: Product) -> None:
    nowhere = {"path": "vae/v.pt", "action": "none", "status": "missing", "code": "no_source", "message": "Nowhere."}
    canned(product, ScanWorkflow, scan_reply())
    canned(product, PlanMissing, plan(nowhere))
    body = (await product.http.post(f"{API}/plan", content=b'{"1": {}}')).json()
    assert body == {"files": [nowhere], "volumes": []}
    canned(product, ScanWorkflow, scan_reply(references=[]))
    assert (await product.http.post(f"{API}/plan", content=b'{"1": {}}')).json() == {"files": [], "volumes": []}
    problem_of(await product.http.post(f"{API}/plan", content=b" "), 422, "invalid_request")
    canned(product, PlanLock, Reply(ok=False, code="bad_lock", message="That is no lock file.", status=422))
    problem_of(await product.http.post(f"{API}/lock/plan", content=b"{}"), 422, "bad_lock")
    canned(product, PlanLock, plan())
    assert (await product.http.post(f"{API}/lock/plan", content=b'{"modeldeck_lock": 1}')).json()["files"] == []


async def test_a_lock_file_is_exported_and_installed(product: Product) -> None:
    await append(product, scanned("w/über.json", reference("vae/v.pt")))
    lock = {"modeldeck_lock": 1, "files": [{"path": "vae/v.pt", "sha256": SHA}]}
    canned(product, LockWorkflow, Reply(ok=True, data={"lock": lock}))
    answer = await product.http.get(f"{API}/templates/w/{quote('über')}.json/lock")
    assert answer.json() == lock
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"_ber.lock.json\"; filename*=UTF-8''%C3%BCber.lock.json"
    )
    canned(product, PlanLock, plan(download("vae/v.pt", sha256=SHA)))
    body = (await product.http.post(f"{API}/lock/install", content=answer.content)).json()
    assert [one["path"] for one in body["queued"]] == ["vae/v.pt"]
    [asked] = received(product, PlanLock)
    assert json.loads(asked.lock) == lock
    missing = Reply(ok=False, code="files_missing", message="1 file is missing.", status=409, data={"paths": ["x"]})
    canned(product, LockWorkflow, missing)
    refused = problem_of(await product.http.get(f"{API}/templates/w/{quote('über')}.json/lock"), 409, "files_missing")
    assert refused["paths"] == ["x"]
    canned(product, PlanLock, Reply(ok=False, code="bad_lock", message="That is no lock file.", status=422))
    problem_of(await product.http.post(f"{API}/lock/install", content=b"{}"), 422, "bad_lock")
    assert received(product, LinkModelFile) == []
