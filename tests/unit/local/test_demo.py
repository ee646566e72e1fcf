import hashlib
import itertools
import json
import struct
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from catalog.featured.reading import parse_featured
from catalog.hubs.variants import HubFile, variants
from catalog.templates import scan
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_local.demo.catalog import NOTICE, DemoError, shrink, shrink_starter_catalog, with_files
from modeldeck_local.demo.content import BLOCK_BYTES, GeneratedFile
from modeldeck_local.demo.shelf import featured_list, stated_repositories, with_repositories
from modeldeck_local.demo.templates import put_templates, stated_files

HUB = "https://huggingface.co/org/repo/resolve/main"


def preset(*files: tuple[str, object], name: str = "P") -> dict[str, object]:
    entries = [
        {"path": f"vae/{path}", "url": f"{HUB}/{path}", "size": size, "sha256": "ab" * 32} for path, size in files
    ]
    return {"name": name, "description": "Draws.", "download_size": "?", "files": entries}


def test_sizes_are_a_hundredth_and_exact_and_hashes_are_gone() -> None:
    shrunk = shrink({"presets": {"A": preset(("a.safetensors", "4.8GB"), ("b.gguf", "1.2GiB"))}})
    made = yaml.safe_load(shrunk.catalog_yaml)["presets"]["A"]
    sizes = [file["size"] for file in made["files"]]
    assert sizes == [48_000_000, 12_884_896]  # whole steps of 32
    assert made["download_size"] == "60.9MB"
    assert made["description"] == f"{NOTICE} Draws."
    assert not any("sha256" in file for file in made["files"])
    assert shrunk.hosts == ("huggingface.co",)


def test_the_origin_serves_what_the_catalog_states() -> None:
    shrunk = shrink({"presets": {"A": preset(("a.safetensors", "odd")), "B": preset(("a.safetensors", "odd"))}})
    manifest = json.loads(shrunk.manifest_json)
    stated = {file["size"] for p in yaml.safe_load(shrunk.catalog_yaml)["presets"].values() for file in p["files"]}
    assert stated == {manifest["/org/repo/resolve/main/a.safetensors"]["size_bytes"]}


def test_the_smallest_preset_worth_watching_is_flaky_and_the_next_slow() -> None:
    presets = {
        "S": preset(("s", "30MB"), name="S"),
        "M": preset(("m", "1GB"), name="M"),
        "L": preset(("l", "9GB"), name="L"),
    }
    shrunk = shrink({"presets": presets})
    entries = json.loads(shrunk.manifest_json).items()
    assert {path.rsplit("/", 1)[1]: entry.get("behaviour") for path, entry in entries} == {
        "s": None,
        "m": "flaky",
        "l": "slow",
    }
    names = [made["name"] for made in yaml.safe_load(shrunk.catalog_yaml)["presets"].values()]
    assert names == ["S", "M (flaky server)", "L (slow server)"]


@pytest.mark.parametrize("content", [None, [], {}, {"presets": [1]}, {"presets": {"A": {"files": [{"path": "x"}]}}}])
def test_another_shape_is_refused(content: object) -> None:
    with pytest.raises(DemoError, match="unexpected shape"):
        shrink(content)


def test_a_safetensors_file_has_a_header_that_covers_it_exactly() -> None:
    file = GeneratedFile("vae/x.safetensors", 1_000_000)
    (header_bytes,) = struct.unpack("<Q", file.read(0, 8))
    header = json.loads(file.read(8, 8 + header_bytes))
    assert header["generated"]["data_offsets"] == [0, file.size_bytes - 8 - header_bytes]


def test_a_gguf_file_has_one_tensor_that_covers_it_exactly() -> None:
    file = GeneratedFile("llm/x.gguf", 32 * 40_000)
    start = file.read(0, 256)
    assert start[:4] == b"GGUF"
    assert struct.unpack("<IQQ", start[4:24]) == (3, 1, 2)
    place = start.index(b"generated") + len(b"generated")
    dimensions, numbers, kind, offset = struct.unpack("<IQIQ", start[place : place + 24])
    header_bytes = -(-(place + 24) // 32) * 32
    assert (dimensions, kind, offset) == (1, 0, 0)
    assert header_bytes + numbers * 4 == file.size_bytes


@given(cuts=st.lists(st.integers(0, 2 * BLOCK_BYTES + 999), max_size=8))
def test_a_file_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    file = GeneratedFile("vae/x.safetensors", 2 * BLOCK_BYTES + 999)
    edges = [0, *sorted(cuts), file.size_bytes]
    pieces = b"".join(file.read(start, stop) for start, stop in itertools.pairwise(edges))
    assert len(pieces) == file.size_bytes
    assert hashlib.sha256(pieces).hexdigest() == file.sha256


def test_files_differ_by_name() -> None:
    assert GeneratedFile("a.bin", 5000).sha256 != GeneratedFile("b.bin", 5000).sha256


def test_all_that_the_templates_miss_is_served(tmp_path: Path) -> None:
    put_templates(tmp_path / "workflows")
    scans = {path.name: scan(path.read_bytes()) for path in (tmp_path / "workflows").rglob("*.json")}
    assert {found.format for found in scans.values()} == {"editor", "prompt"}
    assert all(found.complete and found.references and not found.warnings for found in scans.values())
    shrunk = with_files(shrink_starter_catalog(), stated_files())
    served = json.loads(shrunk.manifest_json)
    presets = yaml.safe_load(shrunk.catalog_yaml)["presets"].values()
    of_presets = {file["path"] for preset in presets for file in preset["files"]}
    for reference in (reference for found in scans.values() for reference in found.references):
        if reference.url is None:
            assert reference.path in of_presets
        else:
            assert urlsplit(reference.url).path in served
            assert urlsplit(reference.url).hostname in shrunk.hosts


def test_a_template_that_somebody_edited_stays(tmp_path: Path) -> None:
    put_templates(tmp_path)
    edited = next(tmp_path.glob("*.json"))
    edited.write_text("{}")
    put_templates(tmp_path)
    assert edited.read_text() == "{}"


def test_the_hub_has_what_is_featured_and_variants_to_choose_from() -> None:
    shrunk = with_repositories(shrink_starter_catalog())
    served = json.loads(shrunk.manifest_json)
    listed = parse_featured(featured_list(shrunk.manifest_json).encode())
    assert listed.warnings == ()
    assert len(listed.models) >= 8
    for model in listed.models:
        assert model.size_bytes == served[f"/{model.repo}/resolve/main/{model.filename}"]["size_bytes"]
        assert model.description.startswith(NOTICE)
    choices = {}
    for repo in stated_repositories():
        prefix = f"/{repo}/resolve/main/"
        files = [HubFile(path.removeprefix(prefix)) for path in served if path.startswith(prefix)]
        choices[repo], left_out = variants(files, url=str, path=str)
        assert left_out == 0
    assert sum(len(found) >= 4 for found in choices.values()) >= 3
    assert {len(variant.parts) for variant in choices["Qwen/Qwen2.5-7B-Instruct-GGUF"]} == {0, 2, 3}
    assert all(stated.description.startswith(NOTICE) for stated in stated_repositories().values())
    assert [repo for repo, stated in stated_repositories().items() if stated.gated]


def test_a_gated_repository_keeps_no_preset_from_its_files() -> None:
    presets = json.loads(with_files(shrink_starter_catalog(), stated_files()).manifest_json)
    gated = [repo for repo, stated in stated_repositories().items() if stated.gated]
    assert not [path for path in presets for repo in gated if path.startswith(f"/{repo}/")]
