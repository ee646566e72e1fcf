"""The whole API against its own OpenAPI document, and what the contract promises of every route, by walks over all.

The gateway runs in this process on a real nats-server, with something of everything to show; the other services are
simulated at the bus.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from gateway import api
from gateway.front import LARGE_BODIES, MAX_BODY_BYTES

from tests.integration.gateway.conftest import TOKEN, Product
from tests.integration.gateway.furnished import GGUF, REPO, TEMPLATE, furnish

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
)
"""Not `positive_data_acceptance`: rules between fields ("either repo or url") cannot be said in a schema."""
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "4"))
"""Of each operation, beside some dozens that follow from its schema alone; `make faults` draws many more."""
APART = ("/api/v1/stream", "/api/v1/session")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "api"
DOCUMENT = api.document(api.build(None))
NAMES = {
    "preset_id": "a",
    "download_id": "dl-a",
    "repo": REPO,
    "text": REPO,
    "template_id": TEMPLATE,
    "path": GGUF,
    "token_id": "t",
    "name": "queue",
    "type": "modeldeck.download.queued.v1",
}


@pytest.fixture
async def furnished(product: Product) -> Product:
    await furnish(product)
    return product


async def schemathesis(product: Product, *options: str) -> tuple[int, str]:
    """Run it as a person would; return its status and what it says, with how to repeat each request."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{product.url}/openapi.json",
        f"--header=Authorization: Bearer {TOKEN}",
        f"--checks={','.join(CHECKS)}",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--no-shrink",
        "--continue-on-failure",
        "--request-timeout=5",
        "--phases=examples,coverage,fuzzing",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=product.app.service.settings.data_dir.parent,  # what it writes goes away with the test
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_no_answer_is_a_failure_or_undocumented(furnished: Product) -> None:
    """Streams never end, and wrong tokens make the whole address wait: these two have their own tests."""
    status, said = await schemathesis(furnished, *(f"--exclude-path={path}" for path in APART))
    assert status == 0, said
    tested = re.search(r"Tested: (\d+)", said)
    assert tested, said
    assert int(tested[1]) == sum(len(known) for path, known in DOCUMENT["paths"].items() if path not in APART)


async def test_no_answer_about_what_is_there_is_undocumented(furnished: Product) -> None:
    """The same with names that exist, so that more than 404 is seen."""
    folder = furnished.app.service.settings.data_dir.parent
    values = "".join(f'"path.{name}" = "{value}"\n' for name, value in NAMES.items())
    (folder / "schemathesis.toml").write_text(f"[parameters]\n{values}")
    named = [path for path in DOCUMENT["paths"] if "{" in path]
    status, said = await schemathesis(furnished, *(f"--include-path={path}" for path in named))
    assert status == 0, said


async def test_signing_in_answers_as_documented(furnished: Product) -> None:
    status, said = await schemathesis(furnished, "--include-path=/api/v1/session")
    assert status == 0, said


# -- walks over every route

FILL = re.compile(r"\{(\w+)\}")


def filled(path: str) -> str:
    """The path with names of things that are there."""
    return FILL.sub(lambda match: NAMES[match[1]], path)


def operations(method: str, wanted: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The path and operation of every route with the method, or of those that take the parameter `wanted`."""
    return [
        (path, known[method])
        for path, known in DOCUMENT["paths"].items()
        if method in known and (not wanted or wanted in {p["name"] for p in known[method].get("parameters", ())})
    ]


async def test_every_read_model_has_an_etag_and_answers_304(furnished: Product) -> None:
    """R-160, R-060 and all others: reads carry `ETag`; who has the body already gets 304 without one."""
    walked = 0
    for path, _ in operations("get", "at"):
        first = await furnished.http.get(filled(path))
        if first.status_code == 200 and "content-disposition" not in first.headers and not path.endswith("/plan"):
            first, again = await asked_twice(furnished, filled(path))
            tag = first.headers["etag"]
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
            stale = await furnished.http.get(filled(path), headers={"If-None-Match": '"other"'})
            assert (stale.status_code, steady(stale.text)) == (200, steady(first.text)), path
            walked += 1
        else:
            assert first.status_code != 404, path
    assert walked > 20


async def asked_twice(product: Product, url: str) -> tuple[httpx.Response, httpx.Response]:
    """Return an answer and the one to whoever has it; what counts tenths of a second may have to be asked again."""
    for _ in range(5):
        first = await product.http.get(url)
        again = await product.http.get(url, headers={"If-None-Match": first.headers["etag"]})
        if again.status_code == 304:
            break
    return first, again


async def test_both_prefixes_answer_the_same(furnished: Product) -> None:
    walked = 0
    for path, _ in operations("get"):
        if not path.startswith("/api/v1/") or path.endswith("/stream"):
            continue
        url = filled(path)
        answers = [await furnished.http.get(spelling) for spelling in (url, url.replace("/api/v1", "/api"), f"{url}/")]
        for other in answers[1:]:
            assert (other.status_code, steady(other.text)) == (answers[0].status_code, steady(answers[0].text)), path
        walked += 1
    assert walked > 30


def steady(body: str) -> str:
    """The body without what goes on between two requests."""
    return re.sub(r'"(?:seq|uptime_s|elapsed_s|elapsed_seconds|age_s|at|id)":[^,}]*', "", body)


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", "1e3", ""])
async def test_limits_out_of_range_are_refused(product: Product, limit: str) -> None:
    walked = 0
    for path, _ in operations("get", "limit"):
        refused = await product.http.get(filled(path), params={"limit": limit})
        assert refused.status_code == 422, (path, refused.text)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "invalid_request"
        assert any(error["where"] == "limit" for error in refused.json()["errors"])
        walked += 1
    assert walked >= 7


async def test_negative_offsets_and_positions_are_refused(product: Product) -> None:
    for name in ("offset", "after", "minutes", "recent_completed"):
        found = operations("get", name)
        assert found, name
        for path, _ in found:
            assert (await product.http.get(filled(path), params={name: -1})).status_code == 422, path


async def test_methods_that_a_route_does_not_know_are_405_with_those_that_it_knows(product: Product) -> None:
    """Not below `/models/` and `/workflows/templates/`, where the rest of the path is a name."""
    for path, known in DOCUMENT["paths"].items():
        if re.search(r"\{(path|text|template_id|repo)\}", path) or not path.startswith("/api/"):
            continue
        for method in {"get", "post", "put", "patch", "delete"} - set(known):
            refused = await product.http.request(method.upper(), filled(path))
            if refused.status_code != 405:  # a name in the path makes it another route
                assert any(_same(path, other) and method in ops for other, ops in DOCUMENT["paths"].items()), path
                continue
            assert refused.json()["code"] == "method_not_allowed"
            allowed = set(refused.headers["allow"].lower().split(", "))
            assert set(known) <= allowed, path


def _same(path: str, other: str) -> bool:
    pattern = FILL.sub(r"[^/]+", other)
    return path != other and re.fullmatch(pattern, filled(path)) is not None


async def test_what_is_no_json_or_too_large_is_refused(furnished: Product) -> None:
    for method in ("post", "put", "patch"):
        for path, operation in operations(method):
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            kind = {"Content-Type": "application/json"}
            broken = await furnished.http.request(method, filled(path), content=b'{"a":', headers=kind)
            assert broken.status_code in {400, 422}, (path, broken.text)
            assert broken.headers["content-type"] == "application/problem+json"
            too_many = LARGE_BODIES.get(path, MAX_BODY_BYTES)
            large = await furnished.http.request(method, filled(path), content=b" " * (too_many + 1), headers=kind)
            assert (large.status_code, large.json()["code"]) == (413, "too_large"), path
    assert (await furnished.http.get("/api/v1/nope")).json()["code"] == "not_found"


# -- the contract of the bus


async def test_the_contract_of_the_bus_is_served(product: Product) -> None:
    document = (await product.http.get("/api/v1/asyncapi.json")).json()
    assert document == json.loads((DOCS / "schemas" / "asyncapi.json").read_text())
    names = (await product.http.get("/api/v1/schemas")).json()["types"]
    assert len(names) > 80
    for name in names:
        served = await product.http.get(f"/api/v1/schemas/{name}")
        assert served.json() == json.loads((DOCS / "schemas" / f"{name}.json").read_text()), name
    again = await product.http.get("/api/v1/asyncapi.json", headers={"If-None-Match": served.headers["etag"]})
    assert again.status_code == 200
    unknown = await product.http.get("/api/v1/schemas/modeldeck.nope.v1")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_type")


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    asyncapi = json.loads((DOCS / "schemas" / "asyncapi.json").read_text())
    for document, parts in ((DOCUMENT, DOCUMENT["components"]["schemas"]), (asyncapi, payloads(asyncapi))):
        for name, schema in parts.items():
            assert jsonschema_rs.meta.is_valid(schema), name
        for reference in references(document):
            place: Any = document
            for step in reference.removeprefix("#/").split("/"):
                place = place[step.replace("~1", "/").replace("~0", "~")]


def payloads(asyncapi: dict[str, Any]) -> dict[str, Any]:
    return {name: message["payload"] for name, message in asyncapi["components"]["messages"].items()}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)
