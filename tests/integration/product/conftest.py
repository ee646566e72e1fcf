from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.product.workshop import HUB, Workshop, workshop

PRESETS = {
    "ONE": {
        "checkpoints/one.safetensors": f"{HUB}/org/one/resolve/main/one.safetensors",
        "vae/shared.safetensors": f"{HUB}/org/shared/resolve/main/shared.safetensors",
    },
    "TWO": {
        "checkpoints/two.safetensors": f"{HUB}/org/two/resolve/main/two.safetensors",
        "vae/shared.safetensors": f"{HUB}/org/shared/resolve/main/shared.safetensors",
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    """One product for all tests of a module; they use different names."""
    async with workshop(tmp_path_factory.mktemp("shop"), presets=PRESETS) as running:
        yield running
