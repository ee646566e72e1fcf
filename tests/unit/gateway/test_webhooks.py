"""Webhooks without a network: the list and its mistakes, the signature, and where nothing may be sent."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from pathlib import Path
from typing import Any

import httpcore
import pytest
from gateway.settings import GatewaySettings
from gateway.webhook_settings import MAX_FILE_BYTES, Webhook
from gateway.webhooks import signing
from gateway.webhooks.addresses import ForbiddenAddressError, GuardedNetwork, check
from gateway.webhooks.sender import Sender
from modeldeck_events.settings import SettingsError, load
from pydantic import SecretStr

from tests.unit.gateway.facts import queued, records

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def hook(url: str = "https://example.org/hook", *types: str) -> Webhook:
    return Webhook(name="studio", url=url, secret=SecretStr(SECRET), types=types or ("*",))


def loaded(monkeypatch: pytest.MonkeyPatch, file: Path, content: str) -> GatewaySettings:
    file.write_text(content)
    monkeypatch.setenv("MODELDECK_WEBHOOKS", str(file))
    return load(GatewaySettings)


def test_webhooks_are_read_from_a_file_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    item = {"name": "a", "url": "https://example.org/x", "secret": SECRET, "types": ["modeldeck.download.*"]}
    for content in (json.dumps([item]), f"- name: a\n  url: https://example.org/x\n  secret: {SECRET}\n"):
        (found,) = loaded(monkeypatch, tmp_path / "hooks", content).webhooks
        assert (found.name, found.origin, found.key) == ("a", "https://example.org", bytes(range(32)))
    assert SECRET not in repr(found)


def test_webhooks_are_read_from_the_configuration_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "modeldeck.yaml"
    config.write_text(f"webhooks:\n  - {{name: a, url: 'https://example.org/x', secret: {SECRET}}}\n")
    monkeypatch.setenv("MODELDECK_CONFIG", str(config))
    assert [found.types for found in load(GatewaySettings).webhooks] == [("*",)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "ftp://example.org/"}, "http://host/path"),
        ({"url": "https://user:pw@example.org/"}, "without credentials"),
        ({"url": "https:///x"}, "http://host/path"),
        ({"url": "https://example.org:99999/"}, "no address"),
        ({"secret": "hush-hush-hush"}, "whsec_"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64 random bytes"),
        ({"name": "a b"}, "pattern"),
        ({"types": []}, "at least 1"),
        ({"types": ["Modeldeck.*"]}, "pattern"),
        ({"typo": 1}, "not permitted"),
    ],
)
def test_mistakes_are_said_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    item: dict[str, Any] = {"name": "a", "url": "https://example.org/x", "secret": SECRET} | change
    with pytest.raises(SettingsError, match="MODELDECK_WEBHOOKS") as error:
        loaded(monkeypatch, tmp_path / "hooks", json.dumps([item]))
    assert said in str(error.value)
    assert "hush" not in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{}", "must hold a list"), ("[", "no YAML"), ("#" * (MAX_FILE_BYTES + 1), "more than")],
)
def test_files_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        loaded(monkeypatch, tmp_path / "hooks", content)


def test_two_of_one_name_and_a_missing_file_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    item = {"name": "a", "url": "https://example.org/x", "secret": SECRET}
    with pytest.raises(SettingsError, match="same name"):
        loaded(monkeypatch, tmp_path / "hooks", json.dumps([item, item]))
    monkeypatch.setenv("MODELDECK_WEBHOOKS", str(tmp_path / "nope"))
    with pytest.raises(SettingsError, match="cannot read"):
        load(GatewaySettings)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*", True),
        ("modeldeck.download.*", True),
        ("modeldeck.download.queued.v1", True),
        ("modeldeck.*.v1", True),
        ("modeldeck.down", False),
        ("modeldeck.download.queued", False),
        ("modeldeck.preset.*", False),
        ("modeldeckxdownload*", False),
    ],
)
def test_patterns(pattern: str, *, wanted: bool) -> None:
    assert hook("https://example.org/", pattern).wants("modeldeck.download.queued.v1") is wanted


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """The example that the specification's own libraries test with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signing.headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert found["webhook-timestamp"] == "1614265330"
    assert hmac.new(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body, hashlib.sha256).digest() == (
        base64.b64decode(found["webhook-signature"].removeprefix("v1,"))
    )


def test_the_id_is_the_same_for_the_same_fact_only() -> None:
    one, other = records([queued("x"), queued("y")])
    assert signing.message_id(one) == signing.message_id(one) != signing.message_id(other)
    assert "." not in signing.message_id(one)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("example.org", "93.184.216.34"),
        ("example.org", "2606:2800:220:1:248:1893:25c8:1946"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("localhost", "127.0.0.1"),
        ("localhost", "::1"),
        ("10.1.2.3", "10.1.2.3"),
        ("192.168.0.7", "192.168.0.7"),
        ("fd00::1", "fd00::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
    ],
)
def test_addresses_that_may_be_sent_to(host: str, address: str) -> None:
    check(host, address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("example.org", "127.0.0.1"),
        ("example.org", "10.0.0.1"),
        ("example.org", "169.254.169.254"),
        ("example.org", "::1"),
        ("example.org", "::ffff:127.0.0.1"),
        ("example.org", "fe80::1%eth0"),
        ("example.org", "0.0.0.0"),
        ("example.org", "100.64.0.1"),
        ("localhost", "10.0.0.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("0.0.0.0", "0.0.0.0"),
        ("224.0.0.1", "224.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.2"),
        ("localhost.example.org", "127.0.0.1"),
    ],
)
def test_addresses_that_may_not(host: str, address: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="nothing is sent"):
        check(host, address)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def getaddrinfo(*_args: object, **_options: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_a_name_with_one_forbidden_address_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34", "127.0.0.1")
    with pytest.raises(ForbiddenAddressError):
        await GuardedNetwork().connect_tcp("example.org", 80, timeout=0.1)


async def test_sockets_of_this_machine_are_no_addresses() -> None:
    with pytest.raises(httpcore.ConnectError):
        await GuardedNetwork().connect_unix_socket("/run/anything")


async def test_a_name_that_leads_inside_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    resolving(monkeypatch, "127.0.0.1")
    (record,) = records([queued("x")])
    failure = await Sender(hook(f"http://example.org:{port}/")).send(record)
    assert failure is not None
    assert "nothing is sent" in failure.reason
    assert not arrived.is_set()
    server.close()
