from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from catalog import capped_yaml
from catalog.roots import Entry, ExtraPathsError, RootsFile, arrange, prefix_of, read_entries
from hypothesis import given
from hypothesis import strategies as st

COMFY = b"""
comfyui:
  base_path: shared/models
  is_default: true
  checkpoints: checkpoints/
  text_encoders: |
    text_encoders/
    clip/
  unet: unet
a111:
  base_path: /srv/webui
  checkpoints: models/Stable-diffusion
  configs: models/Stable-diffusion
  loras: |
    models/Lora
    models/LyCORIS

  custom_things: things
empty:
"""


def entries(data: bytes, beside: Path = Path("/etc/comfy")) -> list[Entry]:
    return read_entries(data, beside)[0]


def test_sections_name_folders_as_comfyui_reads_them() -> None:
    assert entries(COMFY) == [
        ("comfyui", "checkpoints", "/etc/comfy/shared/models/checkpoints", True),
        ("comfyui", "text_encoders", "/etc/comfy/shared/models/text_encoders", True),
        ("comfyui", "text_encoders", "/etc/comfy/shared/models/clip", True),
        ("comfyui", "unet", "/etc/comfy/shared/models/unet", True),
        ("a111", "checkpoints", "/srv/webui/models/Stable-diffusion", False),
        ("a111", "configs", "/srv/webui/models/Stable-diffusion", False),
        ("a111", "loras", "/srv/webui/models/Lora", False),
        ("a111", "loras", "/srv/webui/models/LyCORIS", False),
        ("a111", "custom_things", "/srv/webui/things", False),
    ]


def test_home_and_variables_are_expanded_in_the_base_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/people/anna")
    monkeypatch.setenv("BIG", "/mnt/big")
    assert entries(b"a: {base_path: ~/m, vae: vae}")[0][2] == "/srv/people/anna/m/vae"
    assert entries(b"a: {base_path: $BIG/m, vae: ../vae}")[0][2] == "/mnt/big/vae"
    assert entries(b"a: {base_path: '${BIG}', vae: /elsewhere/vae}")[0][2] == "/elsewhere/vae"
    assert entries(b"a: {base_path: '~nobody-of-that-name/m', vae: vae}")[0][2].startswith("/etc/comfy/~nobody")


def test_without_a_base_path_everything_begins_beside_the_file() -> None:
    assert entries(b"a: {vae: vae, is_default: 'no'}") == [("a", "vae", "/etc/comfy/vae", False)]


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (b"a: text", {"a"}),
        (b"a: {vae: x, vae: y}", {"a/vae"}),
        (b"a: {base_path: [x], vae: vae}", {"a"}),
        (b"a: {vae: {x: y}, loras: loras}", {"a/vae"}),
        (b"a/b: {vae: vae}", {"a/b/vae"}),
        (b"a: {../x: vae}", {"a/../x"}),
        (b"a: {.hidden: vae}", {"a/.hidden"}),
        (b"'a\\b': {vae: vae}", {"a\\b/vae"}),
        (b"a: {'vae ': x}", {"a/vae "}),
        (b'a: {vae: "x\\0y"}', {"a/vae"}),
        (b'"a\\n": {vae: x}', {"a\n/vae"}),
    ],
)
def test_odd_names_and_shapes_are_refused_with_a_reason_and_the_rest_counts(data: bytes, refused: set[str]) -> None:
    found, said = read_entries(data + b"\nok: {vae: vae}\n", Path("/etc"))
    assert said.keys() == refused
    assert all(said.values())
    assert found[-1].section == "ok"


@pytest.mark.parametrize("data", [b"[a]", b"text", b"a: [", b"\xff", b"a: 1\n---\nb: 2", b"a: &x [*x]"])
def test_what_is_no_such_file_is_an_error(data: bytes) -> None:
    with pytest.raises(ExtraPathsError):
        read_entries(data, Path("/etc"))


def test_an_empty_file_names_nothing_and_too_many_folders_are_an_error() -> None:
    assert read_entries(b"# nothing\n{}", Path("/etc")) == ([], {})
    with pytest.raises(ExtraPathsError, match="more than"):
        read_entries(b"a:\n" + b"".join(b"  f%d: x%d\n" % (n, n) for n in range(201)), Path("/etc"))


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def test_each_folder_has_a_prefix_and_the_search_order_is_comfyui_s(tmp_path: Path) -> None:
    made(tmp_path, "models", "big/vae", "fast/vae", "a/vae", "b/vae")
    roots = arrange(
        tmp_path / "models",
        [
            Entry("big", "vae", str(tmp_path / "big/vae"), is_default=False),
            Entry("fast", "vae", str(tmp_path / "fast/vae"), is_default=True),
            Entry("faster", "vae", str(tmp_path / "a/vae"), is_default=True),
            Entry("faster", "vae", str(tmp_path / "b/vae"), is_default=True),
        ],
    )
    assert {root.prefix: root.folder for root in roots.roots} == {
        "": tmp_path / "models",
        "@big/vae": tmp_path / "big/vae",
        "@fast/vae": tmp_path / "fast/vae",
        "@faster/vae": tmp_path / "a/vae",
        "@faster~2/vae": tmp_path / "b/vae",
    }
    assert roots.places["vae"] == ("@faster~2/vae", "@faster/vae", "@fast/vae", "vae", "@big/vae")
    root = roots.of("@faster~2/vae/sub/x.bin")
    assert root is not None
    assert root.file("@faster~2/vae/sub/x.bin") == str(tmp_path / "b/vae/sub/x.bin")
    assert roots.of("@gone/vae/x.bin") is None


def test_aliases_share_one_search_order(tmp_path: Path) -> None:
    made(tmp_path, "models", "x/unet", "x/clip", "x/cn")
    roots = arrange(
        tmp_path / "models",
        [
            Entry("x", "unet", str(tmp_path / "x/unet"), is_default=False),
            Entry("x", "clip", str(tmp_path / "x/clip"), is_default=True),
            Entry("x", "controlnet", str(tmp_path / "x/cn"), is_default=False),
        ],
    )
    assert roots.places == {
        "diffusion_models": ("unet", "diffusion_models", "@x/unet"),
        "unet": ("unet", "diffusion_models", "@x/unet"),
        "text_encoders": ("@x/clip", "text_encoders", "clip"),
        "clip": ("@x/clip", "text_encoders", "clip"),
        "controlnet": ("controlnet", "t2i_adapter", "@x/controlnet"),
    }


def test_a_folder_inside_another_is_known_by_the_outer_one_s_path(tmp_path: Path) -> None:
    made(tmp_path, "models/vae", "big/loras/special")
    (tmp_path / "link").symlink_to(tmp_path / "big/loras")
    roots = arrange(
        tmp_path / "models",
        [
            Entry("s", "special", str(tmp_path / "big/loras/special"), is_default=False),
            Entry("s", "loras", str(tmp_path / "big/loras"), is_default=False),
            Entry("t", "loras", str(tmp_path / "link"), is_default=False),
            Entry("t", "vae", str(tmp_path / "models/vae"), is_default=False),
            Entry("t", "any", str(tmp_path / "models"), is_default=False),
        ],
    )
    assert [root.prefix for root in roots.roots] == ["", "@s/loras"]
    assert roots.places["special"] == ("special", "@s/loras/special")
    assert roots.places["loras"] == ("loras", "@s/loras")
    assert roots.places["vae"] == ("vae",)
    assert roots.places["any"] == ("any", "")


def test_the_models_folder_stays_what_it_is_inside_another(tmp_path: Path) -> None:
    made(tmp_path, "all/models")
    roots = arrange(tmp_path / "all/models", [Entry("s", "loras", str(tmp_path / "all"), is_default=False)])
    assert [(root.prefix, root.folder) for root in roots.roots] == [
        ("", tmp_path / "all/models"),
        ("@s/loras", tmp_path / "all"),
    ]


def test_the_prefix_of_a_path() -> None:
    assert [prefix_of(path) for path in ("vae/x.bin", "x.bin", "@s/vae/x.bin", "@s/vae/deep/x.bin")] == [
        "",
        "",
        "@s/vae",
        "@s/vae",
    ]


def write(file: Path, data: bytes, *, at: int) -> None:
    file.write_bytes(data)
    os.utime(file, (at, at))


def test_a_file_that_goes_bad_keeps_the_last_good_roots(tmp_path: Path) -> None:
    file = tmp_path / "extra.yaml"
    write(file, b"s: {vae: one}", at=1)
    source = RootsFile(tmp_path / "models", file)
    assert [root.prefix for root in source.look().roots] == ["", "@s/vae"]
    write(file, b"s: [", at=2)
    assert [root.prefix for root in source.look().roots] == ["", "@s/vae"]
    assert "extra.yaml: " in source.problem
    file.unlink()
    assert source.look().complete
    assert "No such file" in source.problem
    write(file, b"s: {loras: two}", at=3)
    assert [root.prefix for root in source.look().roots] == ["", "@s/loras"]
    assert source.problem == ""


def test_until_the_file_was_read_once_the_other_roots_are_not_known(tmp_path: Path) -> None:
    source = RootsFile(tmp_path / "models", tmp_path / "extra.yaml")
    assert not source.look().complete
    assert source.problem
    write(tmp_path / "extra.yaml", b"{}", at=1)
    assert source.look().complete


def test_without_a_file_there_is_the_models_folder(tmp_path: Path) -> None:
    roots = RootsFile(tmp_path, None).look()
    assert ([root.prefix for root in roots.roots], roots.complete) == ([""], True)
    assert roots.places["clip"] == ("text_encoders", "clip")


def test_a_file_beyond_the_cap_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capped_yaml, "MAX_BYTES", 10)
    write(tmp_path / "extra.yaml", b"s: {vae: vae}", at=1)
    source = RootsFile(tmp_path / "models", tmp_path / "extra.yaml")
    source.look()
    assert "at most 10" in source.problem


@given(st.dictionaries(st.text(max_size=8), st.dictionaries(st.text(max_size=8), st.text(max_size=12)), max_size=4))
def test_any_names_are_taken_or_refused(content: dict[str, dict[str, str]]) -> None:

    try:
        found, refused = read_entries(json.dumps(content).encode(), Path("/etc"))
    except ExtraPathsError:
        return
    for entry in found:
        assert prefix_of(f"@{entry.section}/{entry.model_folder}/x") == f"@{entry.section}/{entry.model_folder}"
        assert Path(entry.folder).is_absolute()
    assert all(refused.values())
