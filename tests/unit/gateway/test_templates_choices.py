"""What becomes of a planned file when a person chooses."""

from gateway.routes.missing import PlannedFile, Source

URL = "https://huggingface.co/o/r/resolve/main/v.pt"
OTHER = "https://example.org/v.pt"
STATED, PRESETS = "ab" * 32, "cd" * 32


def planned(kind: str, sha256: str | None = STATED) -> PlannedFile:
    source = Source(kind=kind, url=URL, sha256=sha256, size_bytes=7)
    other = Source(kind="repository", name="o/r", url=OTHER, sha256=PRESETS, size_bytes=9)
    return PlannedFile(
        path="vae/v.pt", action="download", source=source, sha256=sha256, size_bytes=7, alternatives=(other,)
    )


def test_a_plan_says_what_to_download() -> None:
    spec = planned("workflow").spec
    assert spec is not None
    assert (spec.path, spec.url, spec.kind, spec.sha256, spec.size_bytes) == ("vae/v.pt", URL, "vae", STATED, 7)
    assert PlannedFile(path="v.pt", action="none").spec is None


def test_an_alternative_comes_with_its_own_hash_and_size() -> None:
    chosen = planned("preset").chosen(OTHER)
    assert chosen.source is not None
    assert chosen.source.kind == "repository"
    assert chosen.spec is not None
    assert (chosen.spec.url, chosen.spec.sha256, chosen.spec.size_bytes) == (OTHER, PRESETS, 9)


def test_a_url_of_ones_own_must_have_the_hash_that_the_workflow_states_and_no_other() -> None:
    own = "https://example.org/mine.pt"
    for before, sha256 in (
        (planned("workflow"), STATED),
        (planned("preset"), None),
        (PlannedFile(path="vae/v.pt", action="none", sha256=STATED), STATED),
    ):
        spec = before.chosen(own).spec
        assert spec is not None
        assert (spec.url, spec.sha256, spec.size_bytes) == (own, sha256, None)


def test_a_file_that_is_there_is_linked_and_a_stem_gets_its_extension() -> None:
    chosen = PlannedFile(path="vae_approx/taesd_decoder", action="choose").chosen("x/taesd_decoder.pth")
    assert (chosen.action, chosen.path, chosen.from_path, chosen.spec) == (
        "link",
        "vae_approx/taesd_decoder.pth",
        "x/taesd_decoder.pth",
        None,
    )
    fetched = PlannedFile(path="embeddings/easy", action="none").chosen("https://example.org/easy.pt?download=true")
    assert fetched.spec is not None
    assert fetched.spec.path == "embeddings/easy.pt"
