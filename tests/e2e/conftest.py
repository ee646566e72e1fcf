"""The demo product with a browser before it, once for each module of browser tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.visitor import AXE, DIST, REPORT_VIOLATIONS, Visitor, chromium
from tests.support.product import Product, running_product


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """`modeldeck up --demo` on a free port."""
    if not (DIST / "index.html").is_file() or not AXE.is_file():
        pytest.fail("The dashboard is not built: run `make setup`.")
    data_dir: Path = tmp_path_factory.mktemp("demo") / "data"
    async with running_product(data_dir, arguments=("--demo", "--port", "0")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for a module."""
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(product: Product, browser: Browser) -> AsyncIterator[Visitor]:
    """A person with a fresh browser profile; what the page complains of fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    await context.add_init_script(REPORT_VIOLATIONS)
    page: Page = await context.new_page()
    visiting = Visitor(product, page)
    yield visiting
    await context.close()
    assert visiting.complaints == []
