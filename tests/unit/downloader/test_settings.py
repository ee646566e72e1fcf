import pytest
from downloader.settings import Settings
from modeldeck_events.settings import SettingsError, load


def test_lists_pairs_sizes_and_the_ecosystems_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_MIRRORS", "huggingface.co=http://127.0.0.1:9, civitai.com = http://127.0.0.1:8/c")
    monkeypatch.setenv("MODELDECK_TRUSTED_MIRRORS", "huggingface.co")
    monkeypatch.setenv("MODELDECK_ALLOWED_HOSTS", "a.example, *.b.example,127.0.0.1:9")
    monkeypatch.setenv("MODELDECK_BANDWIDTH_LIMIT", "50MB/s")
    monkeypatch.setenv("MODELDECK_DISK_RESERVE", "2GB")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    settings = load(Settings)
    assert settings.mirrors == {"huggingface.co": "http://127.0.0.1:9", "civitai.com": "http://127.0.0.1:8/c"}
    assert settings.trusted_mirrors == ("huggingface.co",)
    assert settings.allowed_hosts == ("a.example", "*.b.example", "127.0.0.1:9")
    assert (settings.bandwidth_limit, settings.disk_reserve) == (50_000_000, 2_000_000_000)
    assert settings.hf_endpoint == "https://hub.example"
    assert "hf_secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELDECK_MIRRORS", "huggingface.co"),
        ("MODELDECK_MAX_CONCURRENT", "0"),
        ("MODELDECK_RETRY_ATTEMPTS", "none"),
        ("MODELDECK_BANDWIDTH_LIMIT", "fast"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(Settings)


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
