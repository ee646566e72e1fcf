"""A person signs in at an issuer of another site, in a real browser: cookies, redirects and policy work together."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.e2e.visitor import DIST, Visitor
from tests.support.issuer import CLIENT_ID, SECRET, Issuer
from tests.support.product import Product, running_product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def team(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> AsyncIterator[Product]:
    """`modeldeck up` at 127.0.0.1; the issuer is at localhost, which is another site to a browser."""
    if not (DIST / "index.html").is_file():
        pytest.fail("The dashboard is not built: run `make setup`.")
    data_dir: Path = tmp_path_factory.mktemp("team") / "data"
    settings = {
        "MODELDECK_AUTH": "oidc",
        "MODELDECK_OIDC_ISSUER": issuer.url,
        "MODELDECK_OIDC_CLIENT_ID": CLIENT_ID,
        "MODELDECK_OIDC_CLIENT_SECRET": SECRET,
        "MODELDECK_OIDC_SCOPES": "admins=admin,*=read",
    }
    async with running_product(data_dir, settings=settings, arguments=("--demo", "--port", "0")) as running:
        yield running


async def test_a_person_comes_back_from_the_issuer_signed_in(team: Product, browser: Browser) -> None:
    context = await browser.new_context()
    visitor = Visitor(team, await context.new_page())
    await visitor.page.goto(f"{team.url}/models?tab=files")
    await expect(visitor.page.get_by_text("Use this deck's token instead")).to_be_visible()
    assert await visitor.flaws() == []
    assert [said for said in visitor.complaints if "401" not in said] == []
    visitor.complaints.clear()
    await visitor.page.get_by_role("link", name="Sign in with your organization").press("Enter")
    await expect(visitor.page).to_have_url(f"{team.url}/models?tab=files")
    await visitor.live()
    await expect(visitor.page.get_by_text("Signed in as Ana")).to_be_visible()
    kept = {cookie["name"]: cookie for cookie in await context.cookies()}
    session = next(cookie for name, cookie in kept.items() if name.startswith("modeldeck_session"))
    assert (session["sameSite"], session["httpOnly"]) == ("Strict", True)
    assert not [name for name in kept if name.startswith("modeldeck_login")]
    me = await visitor.page.evaluate("fetch('/api/v1/session').then((answer) => answer.json())")
    assert (me["user_id"], me["scopes"][-1]) == ("oidc:ana", "admin")
    assert visitor.complaints == []
    await context.close()


async def test_a_person_whom_the_issuer_refuses_reads_why(team: Product, browser: Browser, issuer: Issuer) -> None:
    issuer.error = "access_denied"
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{team.url}/api/v1/session/oidc/start")
    await expect(page.get_by_role("heading")).to_have_text("Sign-in failed")
    await expect(page.get_by_text(re.compile("access_denied"))).to_be_visible()
    await context.close()
