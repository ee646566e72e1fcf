"""From a workflow file to the fact about it, the table in force, and the settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from catalog.settings import Settings
from catalog.stamps import Stamp
from catalog.templates import LoaderTable
from catalog.workflows import facts, loaders
from catalog.workflows.facts import Place
from catalog.workflows.folders import Refused
from catalog.workflows.loaders import Loaders
from modeldeck_events import registry
from modeldeck_events.settings import SettingsError, load
from modeldeck_events.templates import TemplateScanned

from tests.unit.catalog.workflows import editor, loader, node

PLACE = Place("p", "w/sub/my flow.v2.json", "1.x")
STAMP = Stamp(100, 1_700_000_000_123_456_789, 7)
GGUF = {"loaders": {"UnetLoaderGGUF": {"unet_name": {"folder": "diffusion_models", "widget": 0}}}}


def scanned(data: bytes, table: LoaderTable | None = None) -> TemplateScanned:
    return facts.scanned(PLACE, data, STAMP, table or LoaderTable.builtin())


def test_a_fact_tells_the_file_and_what_it_names() -> None:
    data = editor(loader("x.safetensors", node_type="UNETLoader"), loader("y.pt", node_type="VAELoader", mode=2))
    fact = scanned(data)
    assert (fact.pool, fact.template_id, fact.name) == ("p", "w/sub/my flow.v2.json", "my flow.v2")
    assert (fact.size_bytes, fact.modified_at.isoformat()) == (100, "2023-11-14T22:13:20.123456+00:00")
    assert (fact.sha256, fact.format, fact.complete) == (hashlib.sha256(data).hexdigest(), "editor", True)
    unet, vae = fact.references
    assert (unet.path, unet.search, unet.active) == (
        "diffusion_models/x.safetensors",
        ("unet", "diffusion_models"),
        True,
    )
    assert (vae.path, vae.search, vae.active, vae.input_name) == ("vae/y.pt", (), False, "vae_name")


def test_a_file_above_the_limit_is_not_read() -> None:
    fact = scanned(b"{" + b" " * facts.MAX_READ_BYTES)
    assert (fact.format, fact.complete, fact.sha256) == ("unreadable", False, "")
    assert [warning.code for warning in fact.warnings] == ["too_large"]


def test_a_fact_fits_into_a_message_and_keeps_what_is_needed() -> None:
    names = [f"{'long/' * 40}{number}.safetensors" for number in range(4000)]
    nodes = [loader(name, mode=2 if number < 2000 else 0) for number, name in enumerate(names)]
    fact = scanned(editor(*nodes))
    assert len(registry.encode(fact)) < 900_000
    assert (fact.complete, [warning.code for warning in fact.warnings]) == (False, ["more_references"])
    assert [one.filename for one in fact.references if one.active] == names[2000 : 2000 + len(fact.references)]


def test_by_whom_it_was_scanned_alone_is_no_news() -> None:
    known = scanned(editor(loader("x.pt")))
    again = msgspec.structs.replace(known, scanner="2.y")
    assert not facts.says_more(again, known)
    assert facts.says_more(known, None)
    assert facts.says_more(msgspec.structs.replace(known, name="b"), known)


def test_a_known_file_is_not_read_again_unless_another_scanner_is_there() -> None:
    known = scanned(editor(loader("x.pt")))
    assert facts.is_of(known, STAMP, "1.x")
    assert not facts.is_of(known, STAMP, "2.x")
    assert not facts.is_of(known, STAMP._replace(size_bytes=99), "1.x")
    assert not facts.is_of(known, STAMP._replace(mtime_ns=1), "1.x")
    link = facts.refused(PLACE, Refused("link_outside", "the link leads out of the folder", STAMP))
    assert not facts.is_of(link, STAMP, "1.x")  # a file of its size may stand there now


class TestLoaders:
    def test_a_file_adds_custom_nodes_and_its_end_takes_them_away(self, tmp_path: Path) -> None:
        file = tmp_path / "loaders.json"
        found = Loaders(file)
        found.look()
        shipped = found.scanner
        file.write_text(json.dumps(GGUF))
        found.look()
        assert (found.problem, "UnetLoaderGGUF" in found.table.loaders) == ("", True)
        assert found.scanner != shipped
        data = editor(node("UnetLoaderGGUF", ["q.gguf"]))
        assert [one.path for one in scanned(data, found.table).references] == ["diffusion_models/q.gguf"]
        file.unlink()
        found.look()
        assert (found.scanner, "UnetLoaderGGUF" in found.table.loaders) == (shipped, False)

    @pytest.mark.parametrize("bad", [b"", b'{"loaders": {"X', b'{"loader": {}}', b"[]", b"\xff", b"[" * 100_000])
    def test_a_bad_file_is_said_and_the_table_in_force_stays(self, tmp_path: Path, bad: bytes) -> None:
        file = tmp_path / "loaders.json"
        file.write_text(json.dumps(GGUF))
        found = Loaders(file)
        found.look()
        scanner = found.scanner
        file.write_bytes(bad)
        found.look()
        assert str(file) in found.problem
        assert (found.scanner, "UnetLoaderGGUF" in found.table.loaders) == (scanner, True)
        file.write_text(json.dumps(GGUF) + " ")
        found.look()
        assert found.problem == ""

    def test_what_is_no_file_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "loaders.json").mkdir()
        found = Loaders(tmp_path / "loaders.json")
        found.look()
        assert "cannot be read" in found.problem
        assert found.table is LoaderTable.builtin()

    def test_another_version_of_the_scanner_is_another_scanner(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = Loaders(tmp_path / "x").scanner
        monkeypatch.setattr(loaders, "VERSION", 999)
        assert Loaders(tmp_path / "x").scanner != before


class TestSettings:
    @pytest.fixture(autouse=True)
    def _data(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("MODELDECK_DATA_DIR", str(tmp_path))

    def test_the_default_lies_in_the_data_folder(self, tmp_path: Path) -> None:
        assert load(Settings).templates == {"workflows": tmp_path / "workflows"}

    def test_pairs_name_folders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELDECK_TEMPLATE_DIRS", " mine = /a/b , bundled-1=~/c=d,")
        assert load(Settings).templates == {"mine": Path("/a/b"), "bundled-1": Path("~/c=d").expanduser()}

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("/a/b", "is not name=folder"),
            ("a=", "is not name=folder"),
            ("=/a", "is not name=folder"),
            ("a=/x,a=/y", "the name a stands twice"),
            ("../x=/y", "'../x' cannot name a folder"),
            ("a/b=/y", "'a/b' cannot name a folder"),
            ("ä=/y", "cannot name a folder"),
        ],
    )
    def test_others_are_refused_with_the_reason(self, monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
        monkeypatch.setenv("MODELDECK_TEMPLATE_DIRS", value)
        with pytest.raises(SettingsError, match="MODELDECK_TEMPLATE_DIRS") as refused:
            load(Settings)
        assert said in str(refused.value)

    def test_a_file_may_give_a_mapping(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("template_dirs: {one: /x, two: /y}")
        monkeypatch.setenv("MODELDECK_CONFIG", str(tmp_path / "c.yaml"))
        assert load(Settings).templates == {"one": Path("/x"), "two": Path("/y")}
