from __future__ import annotations

import os
from pathlib import Path

import pytest
from gateway.cli.settings import find_gateway
from modeldeck_events.settings import SettingsError


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith("MODELDECK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MODELDECK_DATA_DIR", str(tmp_path))
    (tmp_path / "token").write_text("of-this-machine\n")
    return tmp_path


def test_without_settings_it_is_the_gateway_of_this_machine_with_its_token() -> None:
    address = find_gateway(None, None)
    assert (address.url, address.token, address.loopback) == ("http://127.0.0.1:8420", "of-this-machine", True)


def test_the_gateway_of_this_machine_is_found_where_its_settings_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_HOST", "0.0.0.0")
    monkeypatch.setenv("MODELDECK_PORT", "9000")
    assert find_gateway(None, None).url == "http://127.0.0.1:9000"
    monkeypatch.setenv("MODELDECK_HOST", "::")
    assert find_gateway(None, None).url == "http://[::1]:9000"


def test_options_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_URL", "http://one:1/")
    monkeypatch.setenv("MODELDECK_TOKEN", "first")
    assert (find_gateway(None, None).url, find_gateway(None, None).token) == ("http://one:1", "first")
    address = find_gateway("https://two/deck/", "second")
    assert (address.url, address.token, address.loopback) == ("https://two/deck", "second", False)


def test_another_machine_never_gets_the_token_of_this_one() -> None:
    assert find_gateway("http://deck.example:8420", None).token == ""
    assert find_gateway("http://localhost:8420", None).token == "of-this-machine"


def test_the_printed_link_is_an_address_with_its_token_taken_out() -> None:
    address = find_gateway("http://127.0.0.1:8421/?token=abc", None)
    assert (address.url, address.token) == ("http://127.0.0.1:8421", "abc")
    assert "abc" not in repr(address)


def test_a_token_file_that_cannot_be_read_is_no_token(data_dir: Path) -> None:
    (data_dir / "token").unlink()
    (data_dir / "token").mkdir()
    assert find_gateway(None, None).token == ""


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8420", "http://", "http://me:pw@host", "http://host:port"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        find_gateway(url, None)


def test_an_odd_token_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as refusal:
        find_gateway(None, "se cret")
    assert "cret" not in str(refusal.value)


def test_a_misspelt_setting_is_refused_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_TOKN", "x")
    with pytest.raises(SettingsError, match="MODELDECK_TOKEN"):
        find_gateway(None, None)


def test_any_port_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_PORT", "0")
    with pytest.raises(SettingsError, match="--url"):
        find_gateway(None, None)


def test_the_token_is_that_of_the_folder_which_said_last_that_it_listens_there(data_dir: Path) -> None:
    demo = data_dir.with_name(f"{data_dir.name}-demo")
    demo.mkdir()
    (demo / "token").write_text("of-the-demo")
    (data_dir / "up.lock").write_text("process 1, http://127.0.0.1:8420")
    (demo / "up.lock").write_text("process 2, http://127.0.0.1:8420")
    os.utime(data_dir / "up.lock", (1, 1))
    os.utime(demo / "up.lock", (2, 2))
    assert find_gateway(None, None).token == "of-the-demo"
    os.utime(data_dir / "up.lock", (3, 3))
    assert find_gateway(None, None).token == "of-this-machine"
    (demo / "up.lock").write_text("process 2, http://127.0.0.1:9000")
    assert find_gateway("http://localhost:9000", None).token == "of-the-demo"
    assert find_gateway("http://deck.example:9000", None).token == ""
