"""What the build ships: small, hashed, without anything inline; and locked packages behind it."""

import gzip
import json
import re

import pytest

from tests.e2e.visitor import DIST, WEB

MAX_JS_BYTES = 110_000
MAX_CSS_BYTES = 8_000
MAX_LAZY_BYTES = 20_000


def _built(suffix: str, *, first: bool) -> dict[str, int]:
    """Return the compressed sizes of what a first visit loads (the page's own and the worker), or of all the rest."""
    files = sorted((DIST / "assets").glob(f"*{suffix}"))
    if not files:
        pytest.fail("The dashboard is not built: run `make setup`.")
    page = (DIST / "index.html").read_text()
    chosen = [file for file in files if (f"/{file.name}" in page or "worker" in file.name) is first]
    return {file.name: len(gzip.compress(file.read_bytes(), compresslevel=9, mtime=0)) for file in chosen}


def test_the_scripts_of_a_first_visit_are_small() -> None:
    assert sum(_built(".js", first=True).values()) <= MAX_JS_BYTES


def test_the_styles_of_a_first_visit_are_small() -> None:
    assert sum(_built(".css", first=True).values()) <= MAX_CSS_BYTES


def test_what_comes_later_comes_in_small_parts() -> None:
    later = _built(".js", first=False)
    assert later, "nothing is loaded later"
    assert {name: size for name, size in later.items() if size > MAX_LAZY_BYTES} == {}


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = (DIST / "index.html").read_text()
    assert re.findall(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", page) == []
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert [a for a in addresses if not a.startswith("/") or a.startswith("//")] == []


def test_assets_carry_a_hash_so_that_they_may_be_kept_for_ever() -> None:
    names = [file.name for file in (DIST / "assets").iterdir()]
    assert [name for name in names if not re.search(r"-[\w-]{8}\.\w+$", name)] == []


def test_packages_are_locked_by_their_hashes_and_to_no_address() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    installed = {name: entry for name, entry in packages.items() if name}
    assert [name for name, entry in installed.items() if "integrity" not in entry] == []
    assert [name for name, entry in installed.items() if "resolved" in entry] == []
    assert [
        name for name, entry in installed.items() if entry.get("hasInstallScript") and "optional" not in entry
    ] == []
