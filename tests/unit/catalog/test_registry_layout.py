from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from catalog.bundle import Bundle, Member, pack, unpack
from catalog.capped_yaml import MAX_DEPTH, YamlRefusedError
from catalog.documents import read
from catalog.presets import Catalog, InvalidCatalogError, parse_catalog
from catalog.registry_layout import MAX_FILES, members

from tests.unit.catalog.samples import SHA, TRAPS, codes, one_preset

PRESET = f"""
id: flux-one
version: 1.2.0
name: Flux one
category: Pictures
type: image
download_size: 12GB
files:
- path: diffusion_models/one.safetensors
  url: https://h.example/o/one/resolve/main/one.safetensors
  size: 12GB
  optional: false
  source: {{type: huggingface, repo: o/one, revision: null}}
  checksum: {{algorithm: sha256, value: {SHA}}}
requirements:
  vram_gb: 12
  recommended_gpu: [Big, Bigger]
  dependencies: []
created: '2026-02-20T16:36:33.782376Z'
updated: '2026-02-21'
"""
REGISTRY = {
    "version": "1.0.0",
    "generated_at": "2026-07-31T06:58:20.584842Z",
    "presets": {
        "flux-one": {"name": "Other name", "category": "Pictures", "path": "presets/image/flux-one/preset.yaml"},
        "wan-two": {"name": "Wan two", "category": "Clips", "type": "video", "path": "./presets/wan-two.yml"},
    },
    "stats": {"total": 2},
}
TWO = "preset:\n  files:\n  - {path: vae/two.bin, url: 'https://h.example/two.bin'}\n"


def bundle(registry: object = REGISTRY, **files: str | Member) -> bytes:
    texts = {"presets/image/flux-one/preset.yaml": PRESET, "presets/wan-two.yml": TWO} | files
    found = {name: file if isinstance(file, Member) else Member(file) for name, file in texts.items()}
    return pack(Bundle(json.dumps(registry), found))


def left_out(catalog: Catalog) -> list[str]:
    return [warning.message for warning in catalog.warnings if warning.code == "invalid_preset"]


def test_a_registry_and_its_files_are_a_catalog() -> None:
    catalog = parse_catalog(bundle())
    assert (catalog.version, catalog.last_updated) == ("1.0.0", datetime(2026, 7, 31, 6, 58, 20, 584842, UTC))
    assert {preset.id for preset in catalog.presets} == {"flux-one", "wan-two"}
    assert catalog.warnings == ()
    one, two = catalog.presets
    assert (one.name, one.version, one.source) == ("Flux one", "1.2.0", "o/one")
    assert one.requirements == {"vram_gb": "12", "recommended_gpu": "Big, Bigger"}
    assert one.created_at == datetime(2026, 2, 20, 16, 36, 33, 782376, UTC)
    assert one.updated_at == datetime(2026, 2, 21, tzinfo=UTC)
    assert one.files[0].sha256 == SHA
    assert codes(one) == []
    assert (two.name, two.category, two.type) == ("Wan two", "Clips", "video"), "what the file leaves to the registry"


def test_the_new_fields_are_read_in_the_other_layout_too() -> None:
    text = one_preset().decode() + (
        "    version: 2.0.0\n    created_at: 2026-01-01\n    requirements: 8 GB of memory\n    source: someone\n"
    )
    (preset,) = parse_catalog(text.encode()).presets
    assert (preset.version, preset.source, preset.requirements) == ("2.0.0", "someone", {"note": "8 GB of memory"})
    assert preset.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    text += "    updated: soon\n    requirements2: x\n"
    (odd,) = parse_catalog(text.replace("8 GB of memory", "[{a: 1}]").encode()).presets
    assert codes(odd) == [*codes(preset), "invalid_field", "invalid_field"]


@pytest.mark.parametrize(
    "registry",
    [
        [{"id": "a", "file": "a.yaml"}, {"id": "b", "file": "b.yaml"}],
        {"registry": [{"preset_id": "a", "filename": "a.yaml"}, "b.yaml"]},
        {"entries": {"a": "a.yaml", "b": {"url": "./b.yaml"}}},
        {"items": ["a.yaml", "sub/b/preset.yaml"]},
        {"presets": [{"slug": "a", "path": "x/y.yaml"}, {"id": "b", "path": "z.json"}]},
    ],
)
def test_the_spellings_that_are_read(registry: object) -> None:
    names = members(json.dumps(registry).encode())
    assert names is not None
    assert len(names) == 2
    data = pack(Bundle(json.dumps(registry), {name: Member(TWO) for name in names}))
    assert [preset.id for preset in parse_catalog(data).presets] == ["a", "b"]


@pytest.mark.parametrize(
    "data", [TRAPS.encode(), one_preset(), b"", b"[]", b"{}", b"presets: {a: 1}", b"<html>", b"{", b'{"presets": "a"}']
)
def test_what_is_no_registry_is_left_to_the_other_layout(data: bytes) -> None:
    assert members(data) is None


@pytest.mark.parametrize(
    "name",
    [
        "../a.yaml", "a/../../b.yaml", "/etc/a.yaml", "https://other.example/a.yaml", "//other.example/a.yaml",
        "C:/a.yaml", "a\\b.yaml", "a.exe", "a\n.yaml", "..", "x" * 300 + ".yaml",
    ],
)  # fmt: skip
def test_a_file_elsewhere_is_never_asked_for_and_the_rest_stays(name: str) -> None:
    registry = {"presets": {"bad": {"path": name}, "wan-two": {"path": "presets/wan-two.yml"}}}
    assert members(json.dumps(registry).encode()) == ("presets/wan-two.yml",)
    catalog = parse_catalog(bundle(registry))
    assert [preset.id for preset in catalog.presets] == ["wan-two"]
    (message,) = left_out(catalog)
    assert message.startswith("the preset 'bad' is left out: its file ")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("files: [", "line 2"),
        ("- a list", "no mapping"),
        ("", "0 documents"),
        ("name: x", "`files` is missing"),
        ("a: &a [*a]", "alias"),
        ("{" * 2000, "brackets"),
        (Member(problem="it answered 404"), "it answered 404"),
    ],
)
def test_one_broken_file_is_a_warning_and_the_rest_stays(file: str | Member, reason: str) -> None:
    catalog = parse_catalog(bundle(**{"presets/wan-two.yml": file}))
    assert [preset.id for preset in catalog.presets] == ["flux-one"]
    (message,) = left_out(catalog)
    assert reason in message


def test_oddities_of_the_registry_itself_are_said() -> None:
    registry = {
        "presets": [
            {"id": "a", "path": "presets/wan-two.yml"},
            {"id": "a", "path": "presets/wan-two.yml"},
            {"id": "b", "path": "presets/image/flux-one/preset.yaml"},
            {"id": "c"},
            7,
        ],
        "total_presets": 9,
    }
    catalog = parse_catalog(bundle(registry))
    assert [preset.id for preset in catalog.presets] == ["a", "b"]
    assert len(left_out(catalog)) == 3
    assert "count_mismatch" in {warning.code for warning in catalog.warnings}
    assert "invalid_field" in codes(catalog.presets[1]), "the file calls itself flux-one"


def test_a_key_that_comes_twice_is_said() -> None:
    text = json.dumps(REGISTRY)[:-1] + ', "version": "2.0.0"}'
    twice = pack(Bundle(text, {"presets/wan-two.yml": Member(TWO + "  name: a\n  name: b\n")}))
    catalog = parse_catalog(twice)
    assert catalog.version == "2.0.0"
    assert "duplicate_key" in {warning.code for warning in catalog.warnings}
    assert "duplicate_key" in codes(catalog.presets[0])


def test_no_usable_preset_is_no_catalog() -> None:
    for data in (
        json.dumps(REGISTRY).encode(),  # alone: its files were never fetched
        pack(Bundle(json.dumps(REGISTRY), {})),
        pack(Bundle("presets: {}", {})),
    ):
        with pytest.raises(InvalidCatalogError):
            parse_catalog(data)
    many = {"presets": [f"{number}.yaml" for number in range(MAX_FILES + 1)]}
    assert members(json.dumps(many).encode()) == ()
    with pytest.raises(InvalidCatalogError, match="at most"):
        parse_catalog(pack(Bundle(json.dumps(many), {})))


def test_without_a_version_the_content_names_it() -> None:
    registry = {"presets": REGISTRY["presets"]}
    one, same = (parse_catalog(bundle(registry)).version for _ in range(2))
    other = parse_catalog(bundle(registry, **{"presets/wan-two.yml": TWO + " "})).version
    assert one == same != other


def test_a_bundle_comes_back_and_nothing_else_is_one() -> None:
    original = Bundle("root", {"a": Member("x"), "b": Member(problem="p")})
    assert unpack(pack(original)) == original
    for data in (b"", b"presets: {}", b'{"format":"modeldeck-bundle/1"', pack(original)[:-4]):
        assert unpack(data) is None


def test_json_is_read_where_yaml_would_refuse_it() -> None:
    value = {"a\U0001f600": ["\U0001f600", 1.10, True, None], "k" * 2000: {}}
    text = json.dumps(value)
    assert "\\ud83d" in text
    assert read(text.encode()).root == {"a\U0001f600": ["\U0001f600", "1.1", "true", None], "k" * 2000: {}}
    assert read(b'{"a": 1.10, "a": NaN}').root == {"a": "NaN"}
    assert read(b"{a: 1}").root == {"a": "1"}, "YAML may begin like this"
    for bad in (
        b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2),
        b"[" * 5000,
        b"[0" + b",0" * 900_000 + b"]",
        b"{\xff}",
    ):
        with pytest.raises(YamlRefusedError):
            read(bad)
