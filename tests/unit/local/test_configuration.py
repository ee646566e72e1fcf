import json
import os
import re
from pathlib import Path

import pytest
from modeldeck_events.settings import SettingsError, load
from modeldeck_local import environment
from modeldeck_local.nats_config import DESTRUCTIVE, RIGHTS, NatsConfig, address_in
from modeldeck_local.settings import SERVICES, UpSettings, is_loopback


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MODELDECK_")]:
        monkeypatch.delenv(name)


def users_of(text: str) -> dict[str, dict[str, object]]:
    found = [json.loads(line) for line in re.findall(r'^    (\{"user".*\}),?$', text, re.MULTILINE)]
    return {user["user"]: user for user in found}


def test_the_server_listens_on_loopback_only_and_syncs_always(tmp_path: Path) -> None:
    text = NatsConfig(tmp_path).render()
    assert "listen: 127.0.0.1:-1\n" in text
    assert "sync_interval: always\n" in text
    assert "http" not in text  # no monitoring port, which would need no password


def test_every_service_has_its_own_user_and_nobody_may_delete_from_the_log(tmp_path: Path) -> None:
    users = users_of(NatsConfig(tmp_path).render())
    assert set(users) == set(SERVICES)
    assert len({user["password"] for user in users.values()}) == len(users)
    for user in users.values():
        permissions = user["permissions"]
        assert isinstance(permissions, dict)
        assert set(DESTRUCTIVE) <= set(permissions["publish"]["deny"])
        assert ">" not in permissions["publish"]["allow"]


def test_passwords_are_new_at_each_start(tmp_path: Path) -> None:
    assert not set(NatsConfig(tmp_path).passwords.values()) & set(NatsConfig(tmp_path).passwords.values())


def test_only_the_gateway_commands_other_services() -> None:
    commanding = {name for name, rights in RIGHTS.items() if any(s.startswith("cmd.") for s in rights.publish)}
    assert commanding == {"gateway"}


def test_a_service_gets_all_settings_but_only_its_own_secrets() -> None:
    inherited = {"PATH": "/bin", "HF_TOKEN": "h", "CIVITAI_TOKEN": "c", "MODELDECK_TOKEN": "old"}
    settings = {"MODELDECK_TOKEN": "t", "MODELDECK_PORT": "1"}
    gateway = environment.for_service("gateway", inherited, settings)
    assert gateway == {"PATH": "/bin", "MODELDECK_TOKEN": "t", "MODELDECK_PORT": "1"}
    downloader = environment.for_service("downloader", inherited, settings)
    assert downloader == {"PATH": "/bin", "HF_TOKEN": "h", "CIVITAI_TOKEN": "c", "MODELDECK_PORT": "1"}
    assert environment.for_server({**inherited, **settings}) == {"PATH": "/bin"}


def test_auth_may_only_be_off_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_AUTH", "none")
    assert load(UpSettings).auth == "none"
    monkeypatch.setenv("MODELDECK_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match=r"MODELDECK_AUTH: .*needs a loopback MODELDECK_HOST, not 0\.0\.0\.0"):
        load(UpSettings)


def test_a_misspelt_name_is_refused_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_MODEL_DIR", "/x")
    with pytest.raises(SettingsError, match="did you mean MODELDECK_MODELS_DIR"):
        load(UpSettings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_these_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "box.lan", ""])
def test_these_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("token", ["two words", "tab\there", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("MODELDECK_TOKEN", token)
    with pytest.raises(SettingsError, match="MODELDECK_TOKEN: a token is printable ASCII") as refused:
        load(UpSettings)
    assert token not in str(refused.value)


def test_a_running_servers_address_is_found_again(tmp_path: Path) -> None:
    assert address_in(tmp_path, "gateway") is None
    config = NatsConfig(tmp_path)
    config.path.write_text(config.render())
    assert address_in(tmp_path, "gateway") is None, "it has chosen no port yet"
    config.port = 4321
    config.path.write_text(config.render())
    assert address_in(tmp_path, "gateway") == config.url_for("gateway")
    assert address_in(tmp_path, "nobody") is None
