"""What each process gets to know: all settings, but only its own credentials."""

from __future__ import annotations

from collections.abc import Mapping

SECRETS: Mapping[str, frozenset[str]] = {
    "MODELDECK_TOKEN": frozenset({"gateway"}),
    "MODELDECK_OIDC_CLIENT_SECRET": frozenset({"gateway"}),
    "HF_TOKEN": frozenset({"downloader", "catalog"}),
    "CIVITAI_TOKEN": frozenset({"downloader", "catalog"}),
}
"""Who needs a secret; nobody else is given it."""


def for_service(service: str, inherited: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a service: what we inherited, then the settings, less the others' secrets."""
    everything = {**inherited, **settings}
    return {name: value for name, value in everything.items() if service in SECRETS.get(name, {service})}


def for_server(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of nats-server and other programs that need no settings: ours without any secret."""
    return {
        name: value for name, value in inherited.items() if name not in SECRETS and not name.startswith("MODELDECK_")
    }
