"""Tokens, cookies and waiting, without a server."""

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway.auth import FREE_FAILURES, MAX_ADDRESSES, Authenticator, Backoff, is_page
from gateway.cookies import Cookies
from gateway.problems import ProblemError
from gateway.settings import GatewaySettings, is_loopback
from gateway.tokens import load_token
from pydantic import ValidationError


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


OIDC = {"auth": "oidc", "oidc_issuer": "https://issuer.example", "oidc_client_id": "deck"}


def scope(address: str = "10.0.0.1", **headers: str) -> dict[str, Any]:
    return {
        "client": (address, 1),
        "method": "GET",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


def cookie_of(set_cookie: bytes) -> str:
    return set_cookie.decode().partition(";")[0]


def test_the_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    token = load_token(tmp_path / "data", None)
    assert len(bytes.fromhex(token)) == 16
    assert load_token(tmp_path / "data", None) == token
    file = tmp_path / "data" / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["token"]


def test_a_token_file_open_to_others_is_closed_again(tmp_path: Path) -> None:
    token = load_token(tmp_path, None)
    (tmp_path / "token").chmod(0o644)
    assert load_token(tmp_path, None) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\n", b"\xff\xfe", b"two\nlines", b"\0"])
def test_a_token_file_without_a_token_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(OSError, match="remove it"):
        load_token(tmp_path, None)


def test_a_given_token_is_not_written_down(tmp_path: Path) -> None:
    assert load_token(tmp_path / "data", "given") == "given"
    assert not (tmp_path / "data").exists()


def door(clock: Callable[[], float] = time.time, *, token: str = "secret") -> Authenticator:
    return Authenticator(mode="token", token=token, cookies=Cookies(token, now=clock), now=clock)


async def test_a_cookie_ends_with_its_time_and_with_another_token() -> None:
    clock = Clock()
    auth = door(clock)
    cookie = cookie_of(auth.sign_in("secret", scope()))
    assert (await auth.principal(scope(cookie=cookie))).by_cookie
    with pytest.raises(ProblemError):
        await door(clock, token="changed").principal(scope(cookie=cookie))
    clock.now += 31 * 24 * 3600
    with pytest.raises(ProblemError):
        await auth.principal(scope(cookie=cookie))


async def test_gateways_that_share_the_token_take_each_others_cookies() -> None:
    cookie = cookie_of(door().sign_in("secret", scope()))
    assert (await door().principal(scope(cookie=cookie))).by_cookie


async def test_cookies_of_other_gateways_on_the_host_do_not_mix() -> None:
    """A browser sends a host's cookies to all its ports."""
    ours, theirs = door(), door(token="another")
    sent = "; ".join((cookie_of(theirs.sign_in("another", scope())), cookie_of(ours.sign_in("secret", scope()))))
    assert len({part.partition("=")[0] for part in sent.split("; ")}) == 2
    for gateway in (ours, theirs, door()):  # the last one shares the token of the first, behind the same address
        assert (await gateway.principal(scope(cookie=sent))).by_cookie


@pytest.mark.parametrize(
    "authorization", ["Basic c2VjcmV0", "Bearer", "Bearer ", "secret", "Bearer secret2", "Bearer é"]
)
async def test_other_credentials_are_401(authorization: str) -> None:
    auth = door()
    with pytest.raises(ProblemError) as refused:
        await auth.principal(scope(authorization=authorization))
    assert refused.value.status == 401
    assert (await auth.principal(scope(authorization="bearer secret"))).name == "local"


def test_waiting_doubles_is_bounded_and_forgotten() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    waits = []
    for _ in range(FREE_FAILURES + 8):
        backoff.failed("x")
        try:
            backoff.check("x")
        except ProblemError as refused:
            waits.append(int(refused.headers["Retry-After"]))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    backoff.check("y")
    clock.now += 31
    backoff.check("x")
    clock.now += 61
    backoff.failed("x")
    backoff.check("x")


def test_a_right_token_forgives() -> None:
    backoff = Backoff(Clock())
    for _ in range(FREE_FAILURES - 1):
        backoff.failed("x")
    backoff.passed("x")
    backoff.failed("x")
    backoff.check("x")


def test_memory_for_addresses_is_bounded() -> None:
    backoff = Backoff(Clock())
    for n in range(MAX_ADDRESSES + 50):
        backoff.failed(str(n))
    assert len(backoff._failures) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("LocalHost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"auth": "none", "host": "0.0.0.0"}, "loopback"),
        ({"auth": "oidc"}, "OIDC_ISSUER"),
        ({"auth": "oidc", "oidc_issuer": "http://issuer.example", "oidc_client_id": "deck"}, "OIDC_ISSUER"),
        ({"auth": "oidc", "oidc_issuer": "https://issuer.example"}, "CLIENT_ID"),
        (OIDC | {"host": "0.0.0.0"}, "PUBLIC_URL"),
        (OIDC | {"host": "0.0.0.0", "public_url": "http://deck.example"}, "must be https"),
        (OIDC | {"oidc_scopes": "admins"}, "group=scope"),
        (OIDC | {"oidc_scopes": "admins=root"}, "'read', 'operate', 'publish' or 'admin'"),
        ({"public_url": "https://deck.example/path"}, "pattern"),
        ({"token": "é"}, "ASCII"),
        ({"port": -1}, "greater than or equal"),
        ({"hf_endpoint": "file:///x"}, "pattern"),
    ],
)
def test_settings_that_are_unsafe_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GatewaySettings(**values)


@pytest.mark.parametrize(
    "others",
    ['prefs={"a": "b"}; {}', "a[b]=1; {}", "flag; {}", "u=\u00e4; {}", "a b=c; {}", "x={}; {}; y=1", "t=1;{};", "; {}"],
)
async def test_cookies_of_other_programs_on_this_host_do_no_harm(others: str) -> None:
    auth = door()
    cookie = cookie_of(auth.sign_in("secret", scope()))
    assert (await auth.principal(scope(cookie=others.replace("{}", cookie)))).by_cookie


async def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    clock = Clock()
    auth = door(clock)
    for _ in range(FREE_FAILURES):
        with pytest.raises(ProblemError):
            await auth.principal(scope(authorization="Bearer wrong"))
    clock.now -= 86_400
    with pytest.raises(ProblemError) as refused:
        await auth.principal(scope(authorization="Bearer secret"))
    assert int(refused.value.headers["Retry-After"]) <= 1


def test_groups_are_read_from_text_and_from_yaml() -> None:
    wanted = {"admins": ("admin",), "makers": ("operate", "publish"), "*": ("read",)}
    said = "admins=admin, makers = operate+publish,*=read"
    for value in (said, {"admins": "admin", "makers": ["operate", "publish"], "*": "read"}):
        assert GatewaySettings(**OIDC, oidc_scopes=value).oidc_scopes == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", True),
        ("/models?file=a%20b#x", True),
        ("", False),
        ("models", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("/a\r\nX: y", False),
        ("/\tx", False),
        ("/\u00e4", False),
        ("/api/v1/session", False),
    ],
)
def test_whoever_signed_in_is_sent_to_our_own_pages_only(path: str, expected: bool) -> None:
    assert is_page(path) is expected
