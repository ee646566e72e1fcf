"""Who may do what: the table of routes, what groups mean, what a cookie says. Pure."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway.accounts import make_token
from gateway.boards.users import MAX_ENDED, Users
from gateway.cookies import LOGIN_S, Cookies
from gateway.oidc.meaning import DEFAULT_GRANTS, Meaning
from gateway.problems import ProblemError
from gateway.rights import EVERYTHING, Need, Principal, check, granted, needed
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.store import Record
from modeldeck_events.users import SessionEnded

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GRANTS: dict[str, Any] = {"admins": ("admin",), "makers": ("operate", "publish"), "*": ("read",)}


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/healthz", "open"),
        ("POST", "/api/v1/session", "open"),
        ("DELETE", "/api/v1/session", "any"),
        ("GET", "/api/v1/presets", "read"),
        ("POST", "/api/v1/presets/a/install", "operate"),
        ("POST", "/api/v1/presets/refresh", "operate"),
        ("POST", "/api/v1/downloads/plan", "read"),
        ("POST", "/api/v1/downloads/plan/pause", "operate"),  # a download may have any id
        ("DELETE", "/api/v1/models/loras/../../user/tokens", "operate"),
        ("POST", "/api/v1/workflows/scan", "read"),
        ("POST", "/api/v1/workflows/scan/install-missing", "operate"),
        ("GET", "/api/v1/events", "read"),
        ("POST", "/api/v1/events", "publish"),
        ("PUT", "/api/v1/user/settings", "own"),
        ("DELETE", "/api/v1/activity/clear", "own"),
        ("GET", "/api/v1/user/tokens", "person"),
        ("DELETE", "/api/v1/user/tokens/a", "person"),
        ("GET", "/metrics", "read"),
        ("GET", "/api/v1/nothing", "read"),
        ("POST", "/api/v1/nothing", "admin"),
        ("POST", "/api/v1", "admin"),
        ("BREW", "/api/v1/presets", "operate"),
    ],
)
def test_what_a_route_needs(method: str, path: str, need: Need) -> None:
    assert needed(method, path) == need


@given(st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_scopes_only_ever_add_what_they_imply(scopes: set[Any]) -> None:
    rights = granted(frozenset(scopes))
    assert scopes <= rights
    if "admin" not in scopes:
        assert rights <= scopes | ({"read"} if "operate" in scopes else set())


def test_a_person_on_the_page_may_make_tokens_and_a_program_needs_admin() -> None:
    reader: frozenset[Any] = frozenset({"read"})
    check(Principal("ana", "s", by_cookie=True, rights=reader), "person")
    check(Principal("ana", "s"), "person")
    with pytest.raises(ProblemError, match="scope admin"):
        check(Principal("ana", "s", rights=reader), "person")


def test_a_reader_arranges_his_own_board_on_the_page_and_no_token_does_without_operate() -> None:
    reader: frozenset[Any] = frozenset({"read"})
    check(Principal("ana", "s", by_cookie=True, rights=reader), "own")
    check(Principal("ana", "s", rights=granted(frozenset({"operate"}))), "own")
    with pytest.raises(ProblemError, match="scope operate"):
        check(Principal("ana", "s", rights=reader), "own")
    with pytest.raises(ProblemError, match="scope operate"):
        check(Principal("ana", "s", by_cookie=True, rights=reader), "operate")


@pytest.mark.parametrize(
    ("claims", "rights"),
    [
        ({"groups": ["admins"]}, EVERYTHING),
        ({"groups": ["makers", "others"]}, {"read", "operate", "publish"}),
        ({"groups": "makers others"}, {"read", "operate", "publish"}),
        ({"groups": []}, {"read"}),
        ({}, {"read"}),
        ({"groups": {"admins": True}}, {"read"}),
        ({"groups": [1, None, ["admins"]]}, {"read"}),
        ({"groups": 7}, {"read"}),
    ],
)
def test_groups_mean_scopes(claims: dict[str, Any], rights: set[str]) -> None:
    assert Meaning("groups", GRANTS).principal({"sub": "x", "exp": 1, **claims}, "s").rights == rights


def test_a_claim_may_lie_within_objects_or_have_dots_in_its_name() -> None:
    for claims in ({"realm": {"roles": ["admins"]}}, {"realm.roles": ["admins"]}):
        found = Meaning("realm.roles", GRANTS).principal({"sub": "x", "exp": 1, **claims}, "s")
        assert found.rights == EVERYTHING


def test_without_configuration_only_our_own_names_count() -> None:
    def rights(*groups: str) -> frozenset[Any]:
        return (
            Meaning("groups", DEFAULT_GRANTS)
            .principal({"sub": "x", "exp": 1, "groups": groups and [*groups]}, "")
            .rights
        )

    assert rights("admin", "admins", "*") == frozenset()
    assert rights("modeldeck:operate") == {"read", "operate"}


def test_nobody_at_an_issuer_is_the_local_user() -> None:
    assert Meaning("groups", GRANTS).principal({"sub": "local", "exp": 1}, "").name == "oidc:local"


def cookie(set_cookie: bytes) -> bytes:
    return set_cookie.partition(b";")[0]


def test_an_issuers_cookie_says_who_and_what_and_cannot_be_changed() -> None:
    cookies = Cookies("secret", issuer="a")
    reader = Principal("oidc:ana", "", rights=frozenset({"read"}), display_name="Ana Ä")
    raw = cookie(cookies.start_for(reader))
    found = cookies.read(raw)
    assert found is not None
    assert (found.name, found.display_name, found.by_cookie) == ("oidc:ana", "Ana Ä", True)
    assert found.rights == {"read"}
    name, _, value = raw.decode().partition("=")
    expires, session, _, signature = value.split(".")
    more = base64.urlsafe_b64encode(json.dumps(["oidc:ana", "", ["admin"]]).encode()).decode().rstrip("=")
    for forged in (f"{expires}.{session}.{more}.{signature}", f"{expires}.{session}.{signature}"):
        assert cookies.read(f"{name}={forged}".encode()) is None
    for other in (Cookies("secret"), Cookies("secret", issuer="b"), Cookies("x", issuer="a")):
        assert other.read(raw) is None


def test_cookies_are_secure_where_browsers_come_over_tls() -> None:
    cookies = Cookies("secret", issuer="a", secure=True)
    for value in (cookies.start(), cookies.start_for(Principal("x", "")), cookies.start_login("x"), cookies.removal()):
        assert b"; Secure" in value
    assert b"Secure" not in Cookies("secret").start()


def test_a_sign_in_ends_after_ten_minutes_and_its_secrets_are_its_own() -> None:
    now = [1000.0]
    cookies = Cookies("secret", issuer="a", now=lambda: now[0])
    raw = cookie(cookies.start_login("random.text"))
    assert cookies.login(raw) == "random.text"
    assert cookies.login(raw[:-1] + b"!") is None
    assert cookies.login(cookie(cookies.start())) is None
    secrets = {cookies.derive(purpose, login) for purpose in ("state", "nonce", "verifier") for login in "ab"}
    assert len(secrets) == 6
    assert {len(secret) for secret in secrets} == {43}
    now[0] += LOGIN_S
    assert cookies.login(raw) is None


def test_tokens_differ_and_show_little_of_themselves() -> None:
    made = [make_token() for _ in range(200)]
    assert len({token.secret for token in made}) == 200
    assert all(len(token.secret) == 35 and token.secret.startswith(token.prefix) for token in made)
    assert {len(token.prefix) for token in made} == {9}


def test_ended_sessions_are_remembered_until_they_would_have_ended_and_are_bounded() -> None:
    users = Users()

    def end(session: str, after_s: float, lasts_s: float) -> None:
        event = SessionEnded(user_id="ana", session_id=session, expires_at=NOW + timedelta(seconds=after_s + lasts_s))
        users.apply(Record(1, "s", "i", event.TYPE, "gateway", NOW + timedelta(seconds=after_s), b"", event))

    end("short", 0, 10)
    end("long", 0, 1000)
    assert users.session_ended("short")
    end("later", 20, 100)
    assert not users.session_ended("short")
    again = Users()
    again.load(users.dump())
    assert again.session_ended("long")
    assert again.session_ended("later")
    users._saved.ended |= {f"{n}": NOW + timedelta(days=1, seconds=n) for n in range(MAX_ENDED)}
    end("last", 30, 10**6)
    assert len(users._saved.ended) == MAX_ENDED
    assert users.session_ended("last")
