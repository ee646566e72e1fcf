from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.deck import TOKEN, Deck, running_deck


@pytest.fixture
def deck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deck]:
    """A running gateway; the environment names it, and nothing of the machine's own settings is left."""
    for name in list(os.environ):
        if name.startswith("MODELDECK_"):
            monkeypatch.delenv(name)
    with running_deck() as running:
        monkeypatch.setenv("MODELDECK_URL", running.url)
        monkeypatch.setenv("MODELDECK_TOKEN", TOKEN)
        monkeypatch.setenv("MODELDECK_DATA_DIR", str(tmp_path))
        yield running
