"""Who gets in: a walk over every route as a stranger, cookies, other sites, other hosts, wrong tokens."""

import re

import pytest
from gateway import api
from gateway.front import one_spelling
from gateway.health import HealthCheck
from gateway.live import Answer

from tests.integration.gateway.conftest import TOKEN, Product, client
from tests.integration.gateway.fakes import eventually
from tests.integration.gateway.sse_client import Follower

AT_ISSUER = {("GET", "/api/v1/session/oidc/start"), ("GET", "/api/v1/session/oidc/callback")}
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/v1/session"), *AT_ISSUER}


def every_route() -> list[tuple[str, str]]:
    paths = api.document(api.build(None))["paths"]
    found = [
        (method.upper(), re.sub(r"\{[^}]*\}", "a", path)) for path, operations in paths.items() for method in operations
    ]
    return [*found, ("GET", "/docs"), ("GET", "/openapi.json")]


async def test_a_stranger_gets_nothing_but_health_and_sign_in(product: Product) -> None:
    routes = every_route()
    assert len(routes) > 30
    for method, path in routes:
        for spelling in {path, path.replace("/api/v1", "/api"), f"{path}/"}:
            response = await product.stranger.request(method, spelling)
            if (method, path) in OPEN:
                answers = {404} if (method, path) in AT_ISSUER else {200, 422}  # there is no issuer here
                assert response.status_code in answers, (method, spelling)
                continue
            assert response.status_code == 401, (method, spelling)
            assert response.json()["code"] == "unauthorized"
            assert response.headers["www-authenticate"].startswith("Bearer")
    assert product.services.received == []


@pytest.mark.parametrize(
    "path", ["/api/v1/nope", "/api", "/api/", "/api/v1", "/api/v1/../presets", "//api/v1/presets", "/API/v1/presets"]
)
async def test_odd_paths_tell_a_stranger_nothing(product: Product, path: str) -> None:
    request = product.stranger.build_request("GET", product.url)
    request.url = request.url.copy_with(raw_path=path.encode())
    response = await product.stranger.send(request)
    page = response.headers["content-type"].startswith("text/html")
    assert response.status_code == 401 or page, response.text
    assert "presets" not in response.text


async def test_pages_and_health_carry_strict_headers_and_no_cors(product: Product) -> None:
    for path in ("/", "/models", "/healthz", "/api/v1/presets"):
        response = await product.stranger.get(path, headers={"Origin": "https://evil.example"})
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in response.headers
        assert "server" not in response.headers


async def test_pages_answer_the_index_and_assets_are_immutable(product: Product) -> None:
    index = await product.stranger.get("/")
    assert index.status_code == 200
    assert index.headers["content-type"].startswith("text/html")
    assert (await product.stranger.get("/models/anything")).content == index.content
    assert (await product.stranger.get("/assets/nope.js")).status_code == 404
    assert (await product.stranger.post("/")).status_code == 405
    for asset in re.findall(r'"(/assets/[^"]+)"', index.text):
        response = await product.stranger.get(asset)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        tag = {"If-None-Match": response.headers["etag"]}
        assert (await product.stranger.get(asset, headers=tag)).status_code == 304


async def test_the_printed_link_is_exchanged_for_a_cookie(product: Product) -> None:
    async with client(product.url, token="") as browser:
        response = await browser.get("/", params={"token": TOKEN})
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert (await browser.get("/api/v1/presets")).status_code == 200
        wrong = await product.stranger.get("/", params={"token": "wrong"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers


async def test_signing_in_and_out(product: Product) -> None:
    async with client(product.url, token="") as browser:
        refused = await browser.post("/api/v1/session", json={"token": "wrong"})
        assert (refused.status_code, refused.json()["code"]) == (401, "wrong_token")
        assert (await browser.post("/api/v1/session", json={"token": TOKEN})).status_code == 204
        cookie = dict(browser.cookies)
        follower = Follower(browser, "queue")
        await follower.until(lambda f: bool(f.last_id))
        assert (await browser.delete("/api/v1/session")).status_code == 204
        await follower.ended()
        assert not browser.cookies
        name, value = next(iter(cookie.items()))
        again = await product.stranger.get("/api/v1/presets", headers={"Cookie": f"{name}={value}"})
        assert again.status_code == 401


async def test_another_token_makes_cookies_worthless(product: Product) -> None:
    async with client(product.url, token="") as browser:
        await browser.post("/api/v1/session", json={"token": TOKEN})
        name, value = next(iter(browser.cookies.items()))
        expiry, rest = value.split(".", 1)
        for forged in (f"{int(expiry) + 1}.{rest}", value[:-1] + ("0" if value[-1] != "0" else "1"), "", "..", "a.b.c"):
            response = await product.stranger.get("/api/v1/presets", headers={"Cookie": f"{name}={forged}"})
            assert response.status_code == 401, forged


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "OWN"}, 200),
        ({"Origin": "http://127.0.0.1:1"}, 403),
    ],
)
async def test_cookies_write_from_our_own_pages_only(product: Product, headers: dict[str, str], status: int) -> None:
    headers = {name: value.replace("OWN", product.url) for name, value in headers.items()}
    async with client(product.url, token="") as browser:
        await browser.post("/api/v1/session", json={"token": TOKEN})
        response = await browser.post("/api/v1/presets/a/install", headers=headers)
        assert response.status_code == status
        assert (await browser.get("/api/v1/presets", headers=headers)).status_code == 200
    assert len(product.services.received) == (1 if status == 200 else 0)


async def test_another_site_cannot_sign_a_browser_in(product: Product) -> None:
    response = await product.stranger.post(
        "/api/v1/session", json={"token": TOKEN}, headers={"Origin": "https://evil.example"}
    )
    assert response.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil", "[::1", "a:b"])
async def test_foreign_host_names_are_refused(product: Product, host: str) -> None:
    response = await product.http.get("/api/v1/presets", headers={"Host": host})
    assert (response.status_code, response.json()["code"]) == (421, "unknown_host")


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:8420", "LOCALHOST"])
async def test_loopback_names_are_known(product: Product, host: str) -> None:
    assert (await product.http.get("/api/v1/presets", headers={"Host": host})).status_code == 200


async def test_wrong_tokens_slow_the_caller_down_but_not_the_signed_in(product: Product) -> None:
    async with client(product.url, token="") as browser, client(product.url, token="wrong") as guesser:
        await browser.post("/api/v1/session", json={"token": TOKEN})
        answers = [(await guesser.get("/api/v1/presets")).status_code for _ in range(12)]
        assert answers[:10] == [401] * 10
        assert 429 in answers
        refused = await product.http.get("/api/v1/presets")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await browser.get("/api/v1/presets")).status_code == 200

        async def let_in() -> bool:
            return (await product.http.get("/api/v1/presets")).status_code == 200

        await eventually(let_in)


async def test_tokens_never_reach_the_log(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    await product.stranger.get("/", params={"token": TOKEN})
    await product.stranger.post("/api/v1/session", json={"token": TOKEN})
    await product.stranger.post("/api/v1/session?token=" + TOKEN, json={"wrong": TOKEN})
    await product.http.post("/api/v1/presets/nope/install?token=" + TOKEN)
    captured = capsys.readouterr()
    assert "write answered" in captured.out + captured.err
    assert TOKEN not in captured.out + captured.err


@pytest.mark.parametrize(
    ("path", "spelling"),
    [
        ("/api/presets/", "/api/v1/presets"),
        ("/api/v1/presets", "/api/v1/presets"),
        ("/api/v1presets", "/api/v1/v1presets"),
        ("/healthz/", "/healthz"),
        ("/models/", "/models/"),
        ("/", "/"),
    ],
)
def test_paths_have_one_spelling(path: str, spelling: str) -> None:
    assert one_spelling(path) == spelling


async def test_answers_never_repeat_a_secret_of_the_request(product: Product) -> None:
    response = await product.stranger.post("/api/v1/session", json={"token": {"secret": "hush-hush"}})
    assert response.status_code == 422
    assert "hush" not in response.text


@pytest.mark.parametrize("kind", ["image", "iframe", "empty"])
async def test_a_foreign_page_cannot_spend_the_guesses_of_this_address(product: Product, kind: str) -> None:
    for _ in range(12):
        response = await product.stranger.get("/?token=wrong", headers={"Sec-Fetch-Dest": kind})
        assert response.status_code == 403
    assert (await product.http.get("/api/v1/presets")).status_code == 200
    followed = await product.stranger.get("/", params={"token": TOKEN}, headers={"Sec-Fetch-Dest": "document"})
    assert followed.status_code == 303


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/api/v1/presets", "/api/v1/presets?limit=1", "/metrics"])
async def test_head_is_get_without_a_body(product: Product, path: str) -> None:
    head, get = await product.http.head(path), await product.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers.get("etag") == get.headers.get("etag")
    if path.startswith(("/api", "/metrics")):
        assert (await product.stranger.head(path)).status_code == 401


@pytest.mark.parametrize("path", ["/readyz", "/api/v1/presets"])
async def test_what_nobody_foresaw_is_a_problem_and_counted(
    product: Product, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(HealthCheck, "check", fail)
    monkeypatch.setattr(Answer, "current", fail)
    response = await product.http.get(path)
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert response.headers["content-type"] == "application/problem+json"
    assert "foresaw" not in response.text
    assert re.search(r'requests_total.*method="GET".*status="500"', (await product.http.get("/metrics")).text)
