from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from catalog import changes
from catalog.presets import Catalog, InvalidCatalogError, parse_catalog
from catalog.source import source_for
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.presets import PresetDefinition

from tests.unit.catalog.samples import SHA, TRAPS, codes, one_preset


@pytest.fixture(scope="module")
def traps() -> Catalog:
    return parse_catalog(TRAPS.encode())


def preset(catalog: Catalog, preset_id: str) -> PresetDefinition:
    return next(preset for preset in catalog.presets if preset.id == preset_id)


def message(item: PresetDefinition, code: str) -> str:
    return next(warning.message for warning in item.warnings if warning.code == code)


def test_a_preset_has_what_its_mapping_says(traps: Catalog) -> None:
    item = preset(traps, "SHARES_A")
    assert (item.name, item.category, item.type, item.description) == (
        "Shares with B",
        "Video Generation",
        "video",
        "first",
    )
    assert (item.download_size, item.size_bytes, item.tags) == ("5.0GB", 5_000_000_000, ("one", "two"))
    first = item.files[0]
    assert (first.path, first.kind, first.size_bytes, first.approx_size_bytes) == (
        "vae/shared.safetensors",
        "vae",
        None,
        10**9,
    )
    assert (first.sha256, first.optional) == (SHA, False)
    assert codes(item) == ["shared_path"]


def test_the_catalog_says_version_date_and_categories(traps: Catalog) -> None:
    assert traps.version == "2.1.0"
    assert traps.last_updated == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert [(c.name, c.description, c.type) for c in traps.categories] == [
        ("Video Generation", "Moving pictures", "video"),
        ("Still pictures", "", "image"),
    ]


def test_a_category_gives_its_type_to_a_preset_without_one(traps: Catalog) -> None:
    assert preset(traps, "SHARES_B").type == "video"


def test_a_page_link_is_fetched_as_the_file_and_said(traps: Catalog) -> None:
    item = preset(traps, "SHARES_B")
    assert item.files[0].url == "https://h.example/o/n/resolve/main/shared.safetensors"
    assert codes(item) == ["page_link", "unverified", "shared_path"]


def test_a_path_of_two_urls_is_a_conflict_that_names_the_other_preset(traps: Catalog) -> None:
    for own, other in (("CLAIMS_X", "CLAIMS_Y"), ("CLAIMS_Y", "CLAIMS_X")):
        item = preset(traps, own)
        assert codes(item) == ["unverified", "path_conflict"]
        assert other in message(item, "path_conflict")
        assert "text_encoders/clip.safetensors" in message(item, "path_conflict")
    assert preset(traps, "CLAIMS_Y").files[0].url.endswith("?x=1")


def test_odd_sizes_are_understood_and_said(traps: Catalog) -> None:
    item = preset(traps, "ODD_SIZES")
    assert [(f.size_bytes, f.approx_size_bytes) for f in item.files] == [
        (None, 9_310_000_000),
        (1234567, None),
        (None, None),
    ]
    assert codes(item) == ["size_format", "size_format", "size_format", "unverified"]
    assert item.size_bytes == 9_311_234_567
    assert item.files[0].optional


def test_a_total_that_disagrees_is_said(traps: Catalog) -> None:
    assert "12.0 GB" in message(preset(traps, "WRONG_TOTAL"), "size_mismatch")


def test_a_bad_file_is_left_out_and_the_rest_stays(traps: Catalog) -> None:
    item = preset(traps, "HALF_BAD")
    assert [f.path for f in item.files] == ["loras/ok.safetensors"]
    reasons = [warning.message for warning in item.warnings if warning.code == "invalid_file"]
    assert len(reasons) == 6
    for reason, word in zip(
        reasons, ["'..'", "https://", "sha256", "mapping", "named twice", "folder at once"], strict=True
    ):
        assert word in reason


def test_a_preset_that_cannot_be_used_is_named_in_a_warning_of_the_catalog(traps: Catalog) -> None:
    told = {warning.message for warning in traps.warnings if warning.code == "invalid_preset"}
    for name in ("ALL_BAD", "odd/id", "categories", "NO_FILES", "NO_MAPPING"):
        assert any(f"'{name}'" in message for message in told), name
    assert {warning.code for warning in traps.warnings} == {"invalid_preset", "count_mismatch"}


def test_wrong_fields_are_said_and_replaced(traps: Catalog) -> None:
    item = preset(traps, "HALF_BAD_FIELDS")
    assert (item.name, item.tags, item.files[0].optional) == ("HALF_BAD_FIELDS", (), False)
    assert sorted(codes(item)) == ["duplicate_key", *["invalid_field"] * 4, "unverified"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"null", b"[]", b"presets", b"presets:", b"presets: {}", b"presets: []", b"presets: [a]",
        b"presets: 3",
        b"<!doctype html><html><body>404</body></html>", b'{"error": "not found"}', b"presets: {a: 1}",
        b"presets:\n  a: {files: 1}",
        b"\x00\x01", b"presets: *x",
    ],
)  # fmt: skip
def test_what_is_no_catalog_never_becomes_one(data: bytes) -> None:
    with pytest.raises(InvalidCatalogError) as refused:
        parse_catalog(data)
    assert refused.value.code == "invalid_catalog"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "data:text/html,x", "a\u2028b", "名前 🦆", "x'; DROP", "a\\nb"]
)
def test_names_are_text_and_stay_as_they_are(name: str) -> None:
    quoted = name.replace("'", "''")
    assert parse_catalog(one_preset(name=f"'{quoted}'")).presets[0].name == name


@pytest.mark.parametrize(
    "preset_id", ["..", ".", "a b", "ü", "a/b", "x" * 129, "queue", "refresh", "'a\\nb'", "'*'", "'>'"]
)
def test_an_id_that_fits_no_url_or_subject_is_refused(preset_id: str) -> None:
    with pytest.raises(InvalidCatalogError, match="id"):
        parse_catalog(one_preset(preset_id))


def test_a_version_is_derived_from_the_content_when_none_is_stated() -> None:
    data = b"presets: {a: {files: [{path: a.bin, url: 'https://h.example/a.bin'}]}}"
    assert parse_catalog(data).version.startswith("sha256-")
    assert parse_catalog(data).version != parse_catalog(data + b"\n").version


def test_many_presets_on_one_path_take_no_square_time() -> None:
    presets = "".join(
        f"  P{i}: {{files: [{{path: vae/x.bin, url: 'https://h.example/{i % 2}.bin', size: 1GB}}]}}\n"
        for i in range(10_000)
    )
    catalog = parse_catalog(f"presets:\n{presets}".encode())
    assert len(catalog.presets) == 10_000
    assert max(len(warning.message) for item in catalog.presets for warning in item.warnings) < 1000


def test_a_preset_too_large_for_a_message_is_left_out() -> None:
    tags = ", ".join("t" * 90 for _ in range(90))
    files = "".join(
        f"    - {{path: d/{'x' * 200}{i}.bin, url: 'https://h.example/{'y' * 3000}{i}.bin'}}\n" for i in range(300)
    )
    data = f"presets:\n  BIG:\n    tags: [{tags}]\n    files:\n{files}".encode() + one_preset().split(b"presets:\n")[1]
    catalog = parse_catalog(data)
    assert [item.id for item in catalog.presets] == ["ONE"]
    assert any("BIG" in warning.message for warning in catalog.warnings)


TEXT = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
FILES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("path", "url", "size", "size_bytes", "sha256", "optional"), VALUES)
)
PRESETS = st.fixed_dictionaries(
    {},
    optional={"files": st.lists(FILES | VALUES, max_size=3) | VALUES}
    | dict.fromkeys(("name", "category", "type", "download_size", "tags", "license", "version"), VALUES),
)
ROOTS = st.fixed_dictionaries(
    {"presets": st.dictionaries(TEXT, PRESETS | VALUES, max_size=3) | VALUES},
    optional={"metadata": VALUES, "categories": VALUES},
)


@given(ROOTS)
def test_any_shape_is_a_catalog_or_refused(root: object) -> None:
    import yaml  # noqa: PLC0415 - only this test writes YAML

    try:
        catalog = parse_catalog(yaml.safe_dump(root, allow_unicode=True).encode())
    except InvalidCatalogError:
        return
    assert all(item.files for item in catalog.presets)


async def test_the_starter_catalog_is_clean() -> None:
    fetched = await source_for("").fetch(None)
    assert fetched is not None
    catalog = parse_catalog(fetched.data)
    assert catalog.warnings == ()
    assert len(catalog.presets) >= 12
    assert {item.type for item in catalog.presets} == {"image", "video", "audio", "llm"}
    assert {code for item in catalog.presets for code in codes(item)} <= {"unverified", "shared_path"}
    assert all(spec.url.startswith("https://huggingface.co/") for item in catalog.presets for spec in item.files)
    assert all(item.description and item.license is not None for item in catalog.presets if item.id != "LTX_VIDEO_2B")


def test_what_is_said_of_the_whole_fits_into_one_message() -> None:
    """Long texts, long URLs and many bad presets: the fact about the refresh stays below what the bus takes."""
    text = "名" * 5000
    url = "https://h.example/" + "y" * 4000
    categories = "".join(f"  '{i}{'名' * 300}': {{description: {text}, type: {text}}}\n" for i in range(110))
    bad = "".join(
        f"  'bad {i}': {{files: [{{path: a.bin, url: '{url}'}}]}}\n  B{i}:\n    files:\n"
        f"    - {{path: /{i}, url: '{url}'}}\n"
        for i in range(300)
    )
    catalog = parse_catalog(f"categories:\n{categories}presets:\n{bad}".encode() + one_preset().split(b"presets:\n")[1])
    fact = changes.summary(catalog, source="s" * 4000, published=1, withdrawn=0)
    assert len(msgspec.json.encode(fact)) < 1_000_000
    assert catalog.warnings[-1].code == "more_warnings"
