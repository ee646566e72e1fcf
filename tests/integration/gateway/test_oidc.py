"""Signing in at an issuer, and bearer tokens that it signed: real HTTP, real keys, a stand-in for the issuer."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from gateway.app import App
from gateway.server import bind
from pydantic import SecretStr

from tests.integration.gateway.conftest import TOKEN, client, settings
from tests.integration.gateway.sse_client import Follower
from tests.support.issuer import CLIENT_ID, SECRET, Issuer, forged_with_public_key
from tests.support.nats import NatsServer

GRANTS = {"admins": ("admin",), "makers": ("operate",), "*": ("read",)}
START = "/api/v1/session/oidc/start"
ME = "/api/v1/session"


class Team(NamedTuple):
    app: App
    issuer: Issuer
    url: str


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as running:
        yield running


@pytest.fixture
async def team(nats_server: NatsServer, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Team]:
    """A gateway alone, without the other services: nothing here asks them."""
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    chosen = settings(
        tmp_path,
        nats_server.url,
        auth="oidc",
        oidc_issuer=issuer.url,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(SECRET),
        oidc_scopes=GRANTS,
    )
    app = App(chosen, listener)
    await app.service.start()
    await app.service.ready()
    yield Team(app, issuer, url)
    await app.service.stop()


def browser(team: Team) -> httpx.AsyncClient:
    return client(team.url, token="")


async def leave(visitor: httpx.AsyncClient, return_to: str = "/") -> str:
    """Begin a sign-in; return the issuer's address."""
    away = await visitor.get(START, params={"return_to": return_to})
    assert away.status_code == 303, away.text
    return away.headers["location"]


async def at_issuer(address: str) -> str:
    """Sign in there; return where the issuer sends the browser."""
    async with httpx.AsyncClient(trust_env=False) as elsewhere:
        back = await elsewhere.get(address)
    assert back.status_code == 303
    return back.headers["location"]


async def sign_in(visitor: httpx.AsyncClient) -> httpx.Response:
    return await visitor.get(await at_issuer(await leave(visitor)))


async def ask(team: Team, token: str) -> httpx.Response:
    async with client(team.url, token=token) as http:
        return await http.get(ME)


async def test_a_person_signs_in_and_out(team: Team) -> None:
    async with browser(team) as visitor:
        stranger = await visitor.get("/api/v1/presets")
        assert (stranger.status_code, stranger.json()["sign_in"]) == (401, START)
        back = await visitor.get(await at_issuer(await leave(visitor, "/models?tab=all")))
        assert (back.status_code, back.headers["location"]) == (303, "/models?tab=all")
        cookie = next(value for value in back.headers.get_list("set-cookie") if "session" in value)
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        me = (await visitor.get(ME)).json()
        assert (me["user_id"], me["display_name"], me["kind"]) == ("oidc:ana", "Ana", "cookie")
        assert me["scopes"] == ["read", "operate", "publish", "admin"]
        follower = Follower(visitor, "queue")
        await follower.until(lambda f: bool(f.last_id))
        kept = dict(visitor.cookies)
        assert (await visitor.delete(ME)).status_code == 204
        await follower.ended()
        again = "; ".join(f"{name}={value}" for name, value in kept.items())
        assert (await visitor.get(ME, headers={"Cookie": again})).status_code == 401


async def test_what_stands_in_the_addresses_gives_nothing_away(team: Team) -> None:
    async with browser(team) as visitor:
        address = await leave(visitor)
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (query["code_challenge_method"], query["redirect_uri"]) == ("S256", f"{team.url}{START[:-5]}callback")
        assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        login = str(dict(visitor.cookies))
        assert not [name for name in ("state", "nonce", "code_challenge") if query[name] in login]
        assert SECRET not in address


async def test_a_cookie_of_an_issuer_ends_when_its_groups_mean_something_else(
    team: Team, tmp_path: Path, nats_server: NatsServer
) -> None:
    async with browser(team) as visitor:
        await sign_in(visitor)
        listener = bind("127.0.0.1", 0)
        other = settings(
            tmp_path,
            nats_server.url,
            auth="oidc",
            oidc_issuer=team.issuer.url,
            oidc_client_id=CLIENT_ID,
            oidc_scopes={"admins": ("read",)},
        )
        app = App(other, listener)
        name, value = next(item for item in visitor.cookies.items() if "session" in item[0])
        port = urlsplit(team.url).port
        good = {"type": "http", "headers": [(b"cookie", f"{name}={value}".encode())], "client": ("127.0.0.1", 1)}
        assert (await team.app.gateway.auth.principal(good)).name == "oidc:ana"
        theirs = {**good, "headers": [(b"cookie", f"{name}={value}".replace(f"_{port}", _port(listener)).encode())]}
        with pytest.raises(Exception, match="Sign in first"):
            await app.gateway.auth.principal(theirs)
        listener.close()


def _port(listener: Any) -> str:
    return f"_{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_clients_send_what_the_issuer_signed(team: Team, kind: str) -> None:
    for _ in range(2):  # the second time from memory
        answer = await ask(team, team.issuer.sign(kind, groups=["makers"]))
        assert answer.status_code == 200, answer.text
        assert (answer.json()["user_id"], answer.json()["scopes"]) == ("oidc:ana", ["read", "operate"])
    assert team.issuer.requests["/keys"] == 1


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _none(issuer: Issuer) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': issuer.kid()})}.{_part(issuer.claims())}."


def _foreign_key(issuer: Issuer) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(issuer.claims(), key, "RS256", headers={"kid": issuer.kid()})


def _changed(issuer: Issuer) -> str:
    head, _, signature = issuer.sign().split(".")
    return f"{head}.{_part(issuer.claims(sub='root'))}.{signature}"


def _now(after_s: int) -> int:
    return int(time.time()) + after_s


FORGED: dict[str, Callable[[Issuer], str]] = {
    "another audience": lambda i: i.sign(aud="another"),
    "no audience": lambda i: i.sign(aud=None),
    "another issuer": lambda i: i.sign(iss="https://issuer.example"),
    "a longer issuer": lambda i: i.sign(iss=i.url + "/"),
    "expired": lambda i: i.sign(exp=_now(-61)),
    "no expiry": lambda i: i.sign(exp=None),
    "not yet": lambda i: i.sign(nbf=_now(120)),
    "of the future": lambda i: i.sign(iat=_now(120)),
    "nobody": lambda i: i.sign(sub=None),
    "an empty subject": lambda i: i.sign(sub=""),
    "a subject with a line break": lambda i: i.sign(sub="ana\nroot"),
    "no algorithm": _none,
    "the public key as a secret": forged_with_public_key,
    "another key": _foreign_key,
    "an unknown key": lambda i: i.sign(headers={"kid": "unknown"}),
    "the other key's id": lambda i: i.sign("rsa", headers={"kid": i.kid("ec")}),
    "its own key": lambda i: i.sign(headers={"kid": "x", "jwk": i.public(i.kid())}),
    "what must be understood": lambda i: i.sign(headers={"crit": ["exp"]}),
    "a logout token": lambda i: i.sign(headers={"typ": "logout+jwt"}),
    "a changed body": _changed,
    "no JSON": lambda _i: "eyJub25zZW5zZQ.e30.AA",
    "two parts": lambda _i: "eyJhbGciOiJSUzI1NiJ9.e30",
    "too long": lambda i: i.sign(padding="x" * 20_000),
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_bearer_token_that_is_not_right_is_refused(team: Team, kind: str) -> None:
    answer = await ask(team, FORGED[kind](team.issuer))
    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] == ("token_expired" if kind == "expired" else "wrong_token")
    assert (await ask(team, team.issuer.sign())).status_code == 200


async def test_clocks_may_differ_by_a_minute(team: Team) -> None:
    borderline: list[dict[str, Any]] = [{"exp": _now(-40)}, {"nbf": _now(40)}, {"iat": _now(40)}]
    for claims in borderline:
        assert (await ask(team, team.issuer.sign(**claims))).status_code == 200, claims


async def test_new_keys_of_the_issuer_count_at_once_and_old_ones_no_more(team: Team) -> None:
    assert (await ask(team, team.issuer.sign())).status_code == 200
    before = team.issuer.sign(sub="ben")
    team.issuer.rotate()
    assert (await ask(team, team.issuer.sign())).status_code == 200
    assert (await ask(team, before)).status_code == 401
    assert team.issuer.requests["/keys"] == 3


async def test_made_up_key_ids_do_not_make_the_gateway_ask_the_issuer_for_ever(team: Team) -> None:
    async with client(team.url) as http:
        for number in range(15):
            token = team.issuer.sign(headers={"kid": f"made up {number}"})
            assert (await http.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code in {401, 429}
    assert team.issuer.requests["/keys"] <= 5
    assert (await ask(team, team.issuer.sign())).status_code == 200, "whoever has the right token never waits"


async def test_without_the_issuer_nobody_new_gets_in_and_known_keys_serve_on(team: Team) -> None:
    team.issuer.down = True
    answer = await ask(team, team.issuer.sign())
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    async with browser(team) as visitor:
        assert (await visitor.get(START)).status_code == 503
    team.issuer.down = False
    assert (await ask(team, team.issuer.sign())).status_code == 200
    team.issuer.down = True
    assert (await ask(team, team.issuer.sign(sub="ben"))).status_code == 200


async def test_an_answer_is_used_once_and_by_the_browser_that_asked(team: Team) -> None:
    async with browser(team) as visitor, browser(team) as other:
        back = await at_issuer(await leave(visitor))
        login = dict(visitor.cookies)
        stolen = await other.get(back)
        assert (stolen.status_code, stolen.json()["code"]) == (400, "sign_in_lost")
        await leave(other)
        swapped = await other.get(back)
        assert (swapped.status_code, swapped.json()["code"]) == (400, "wrong_state")
        assert (await visitor.get(back)).status_code == 303
        replayed = await other.get(back, headers={"Cookie": "; ".join(f"{n}={v}" for n, v in login.items())})
        assert (replayed.status_code, replayed.json()["code"]) == (400, "sign_in_used")
        assert not [name for name in other.cookies if "session" in name]


WRONG_ANSWERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "another nonce": ({"nonce": "another"}, 401, "wrong_token"),
    "no nonce": ({"nonce": None}, 401, "wrong_token"),
    "another audience": ({"aud": "another"}, 401, "wrong_token"),
    "several audiences": ({"aud": [CLIENT_ID, "another"]}, 401, "wrong_token"),
    "for another client": ({"aud": [CLIENT_ID, "x"], "azp": "x"}, 401, "wrong_token"),
    "another issuer": ({"iss": "https://issuer.example"}, 401, "wrong_token"),
    "expired": ({"exp": _now(-3600)}, 401, "token_expired"),
}


@pytest.mark.parametrize("kind", WRONG_ANSWERS)
async def test_an_id_token_that_is_not_right_signs_nobody_in(team: Team, kind: str) -> None:
    team.issuer.overrides, status, code = WRONG_ANSWERS[kind]
    async with browser(team) as visitor:
        answer = await sign_in(visitor)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not [name for name in visitor.cookies if "session" in name]
        assert (await visitor.get(ME)).status_code == 401


async def test_a_refusal_is_told_to_a_person_as_a_page(team: Team) -> None:
    team.issuer.error = "access_denied"
    async with browser(team) as visitor:
        back = await at_issuer(await leave(visitor))
        page = await visitor.get(back, headers={"Accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (403, "text/html")
        assert "access_denied" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_an_issuer_that_refuses_the_code_signs_nobody_in(team: Team) -> None:
    team.issuer.secret = "changed meanwhile"
    async with browser(team) as visitor:
        answer = await sign_in(visitor)
        assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_refused")
        assert "invalid_client" in answer.json()["detail"]
        assert SECRET not in answer.text


async def test_whoever_has_no_group_here_may_do_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(team.app.gateway.settings.oidc_scopes, "*", ())
    team.issuer.account["groups"] = ["strangers"]
    async with browser(team) as visitor:
        answer = await sign_in(visitor)
        assert (answer.status_code, answer.json()["code"]) == (403, "no_right")
    async with client(team.url, token=team.issuer.sign()) as http:
        refused = await http.get("/api/v1/presets")
        assert (refused.status_code, refused.json()["missing_scope"]) == (403, "read")


async def test_rights_are_those_of_the_groups(team: Team) -> None:
    team.issuer.account |= {"sub": "ben", "groups": ["makers"]}
    async with browser(team) as visitor:
        await sign_in(visitor)
        assert (await visitor.get(ME)).json()["scopes"] == ["read", "operate"]
        body = {"name": "mine", "scopes": ["read"]}
        assert (await visitor.post("/api/v1/user/tokens", json=body)).status_code == 201
        more = await visitor.post("/api/v1/user/tokens", json={"name": "more", "scopes": ["admin"]})
        assert (more.status_code, more.json()["missing_scope"]) == (403, "admin")
        assert (await visitor.get("/api/v1/user/tokens?all=true")).status_code == 403
    async with client(team.url, token=team.issuer.sign(groups=["makers"])) as http:
        assert (await http.post("/api/v1/user/tokens", json=body)).status_code == 403, "a program makes no tokens"


async def test_users_have_their_own_board_settings_and_tokens(team: Team) -> None:
    async with browser(team) as ana, browser(team) as ben, client(team.url) as local:
        await sign_in(ana)
        team.issuer.account |= {"sub": "ben"}
        await sign_in(ben)
        await ana.put("/api/v1/user/settings", json={"show_featured_models": False})
        place = {"widget": "queue", "x": 0, "y": 0, "w": 2, "h": 1}
        await ana.put("/api/v1/user/dashboard", json={"layout": [place]})
        await ana.post("/api/v1/user/tokens", json={"name": "mine"})
        for other in (ben, local):
            assert (await other.get("/api/v1/user/settings")).json()["show_featured_models"] is True
            assert (await other.get("/api/v1/user/dashboard")).json()["is_default"] is True
            assert (await other.get("/api/v1/user/tokens")).json()["total"] == 0
        assert (await ana.get("/api/v1/user/dashboard")).json()["layout"] == [place]
        everything = (await local.get("/api/v1/user/tokens?all=true")).json()["tokens"]
        assert [token["user_id"] for token in everything] == ["oidc:ana"]


async def test_the_local_token_stays_for_who_runs_the_deck(team: Team) -> None:
    async with client(team.url) as local:
        assert (await local.get(ME)).json()["user_id"] == "local"
    async with browser(team) as visitor:
        assert (await visitor.post(ME, json={"token": TOKEN})).status_code == 204
        assert (await visitor.get(ME)).json()["user_id"] == "local"


async def test_no_secret_reaches_the_log(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    token = team.issuer.sign()
    await ask(team, token)
    async with browser(team) as visitor:
        back = await at_issuer(await leave(visitor))
        await visitor.get(back)
        cookies = list(visitor.cookies.values())
        await visitor.put("/api/v1/user/settings", json={})
    captured = capsys.readouterr()
    code = parse_qs(urlsplit(back).query)["code"][0]
    for secret in (token, code, SECRET, *cookies):
        assert secret not in captured.out + captured.err


@pytest.mark.parametrize("return_to", ["//evil.example", "https://evil.example", "/\\evil.example", "/api/v1/session"])
async def test_nobody_is_led_elsewhere_after_signing_in(team: Team, return_to: str) -> None:
    async with browser(team) as visitor:
        answer = await visitor.get(START, params={"return_to": return_to})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_page_cannot_begin_a_sign_in_by_itself(team: Team) -> None:
    async with browser(team) as visitor:
        answer = await visitor.get(START, headers={"Sec-Fetch-Dest": "image"})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
