from __future__ import annotations

import pytest
from catalog.hubs.links import CivitaiLink, HuggingFaceLink, Link, LinkError, check_revision, parse
from hypothesis import given
from hypothesis import strategies as st

HUBS = ("http://127.0.0.1:9/hub",)
REPO = HuggingFaceLink("org/repo")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("org/repo", REPO),
        ("  org/repo\n", REPO),
        ("Org_1/a.b-c", HuggingFaceLink("Org_1/a.b-c")),
        ("org/repo@v1.0", HuggingFaceLink("org/repo", "v1.0")),
        ("org/repo@refs/pr/3", HuggingFaceLink("org/repo", "refs/pr/3")),
        ("org/repo@feature/x", HuggingFaceLink("org/repo", "feature/x")),
        ("https://huggingface.co/org/repo", REPO),
        ("http://www.huggingface.co/org/repo/", REPO),
        ("HTTPS://HuggingFace.co/org/repo?library=transformers#top", REPO),
        ("https://huggingface.co/org/repo.git", REPO),
        ("https://huggingface.co/org/repo/discussions/5", REPO),
        ("https://huggingface.co/api/models/org/repo", REPO),
        ("https://huggingface.co/org/repo/tree/main", HuggingFaceLink("org/repo", "main")),
        ("https://huggingface.co/org/repo/tree/main/some/folder", HuggingFaceLink("org/repo", "main")),
        ("https://huggingface.co/org/repo/blob/main/a%20b/c.gguf", HuggingFaceLink("org/repo", "main", "a b/c.gguf")),
        (
            "https://huggingface.co/org/repo/resolve/v2/c.safetensors?download=true",
            HuggingFaceLink("org/repo", "v2", "c.safetensors"),
        ),
        (
            "https://huggingface.co/org/repo/resolve/refs%2Fpr%2F7/c.bin",
            HuggingFaceLink("org/repo", "refs/pr/7", "c.bin"),
        ),
        ("https://huggingface.co/org/repo/blob/refs/pr/7/c.bin", HuggingFaceLink("org/repo", "refs/pr/7", "c.bin")),
        ("huggingface.co/org/repo", REPO),
        ("hf.co/org/repo/blob/main/x.gguf", HuggingFaceLink("org/repo", "main", "x.gguf")),
        ("hf://org/repo", REPO),
        ("hf://org/repo/a/x.gguf", HuggingFaceLink("org/repo", "", "a/x.gguf")),
        ("hf://org/repo@v1/a/x.gguf", HuggingFaceLink("org/repo", "v1", "a/x.gguf")),
        ("http://127.0.0.1:9/hub/org/repo/tree/v1", HuggingFaceLink("org/repo", "v1")),
        ("127.0.0.1:9/hub/org/repo", REPO),
        ("https://civitai.com/models/12", CivitaiLink(12)),
        ("https://civitai.com/models/12/a-slug?modelVersionId=34", CivitaiLink(12, 34)),
        ("civitai.com/models/12?x=1&modelVersionId=34", CivitaiLink(12, 34)),
        ("https://civitai.com/api/download/models/34?type=Model&format=SafeTensor", CivitaiLink(version_id=34)),
        ("https://civitai.com/model-versions/34", CivitaiLink(version_id=34)),
        ("https://civitai.com/api/v1/model-versions/34", CivitaiLink(version_id=34)),
        ("civitai:34", CivitaiLink(version_id=34)),
        ("urn:air:sdxl:checkpoint:civitai:12@34", CivitaiLink(12, 34)),
        ("civitai/12", CivitaiLink(12)),
        ("civitai/12@34", CivitaiLink(12, 34)),
        ("civitai/a-model", HuggingFaceLink("civitai/a-model")),
    ],
)
def test_what_may_be_written(text: str, link: Link) -> None:
    assert parse(text, hubs=HUBS) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "org",
        "org/repo/file.gguf",
        "org /repo",
        "org/re\x00po",
        "org\\repo",
        "org/repo@",
        "org/repo@../../x",
        "org/repo@a//b",
        "org/../repo",
        "a--b/repo",
        ".org/repo",
        "org/" + "x" * 97,
        "x" * 3000,
        "https://huggingface.co/",
        "https://huggingface.co/org",
        "https://huggingface.co/datasets/org/repo",
        "https://huggingface.co/spaces/org/repo",
        "hf://datasets/org/repo",
        "datasets/repo",
        "https://huggingface.co/org/repo/blob/main/../../etc/passwd",
        "https://huggingface.co/org/repo/blob/main/%2e%2e/x.gguf",
        "https://huggingface.co/org/repo/tree",
        "https://huggingface.co/org/repo/surprise",
        "https://huggingface.co:8443/org/repo",
        "https://user:secret@huggingface.co/org/repo",
        "https://huggingface.co.evil.example/org/repo",
        "https://evil.example/huggingface.co/org/repo",
        "http://127.0.0.1:99/hub/org/repo",
        "http://[::1/org/repo",
        "ftp://huggingface.co/org/repo",
        "file:///etc/passwd",
        "https://civitai.com/user/somebody",
        "https://civitai.com/models/0",
        "https://civitai.com/models/12?modelVersionId=x",
        "civitai:0",
        "civitai:",
        "https://civitai.com/models/" + "9" * 30,
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(LinkError) as refused:
        parse(text, hubs=HUBS)
    assert len(str(refused.value)) < 500
    assert "secret" not in str(refused.value)


def test_a_refusal_says_what_is_accepted_and_no_secret_of_the_link() -> None:
    with pytest.raises(LinkError, match="set the hub's token") as refused:
        parse("https://u:hunter2@huggingface.co/org?token=hf_secret")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(LinkError, match="Write org/repo") as refused:
        parse("https://huggingface.co/org?token=hf_secret")
    assert "hf_secret" not in str(refused.value)


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/3", "0123abc", "_x"])
def test_revisions(revision: str) -> None:
    assert check_revision(revision) == revision


PIECES = (
    "https:// http:// hf:// huggingface.co hf.co civitai.com civitai: / @ models 12 org repo tree blob resolve main "
    "refs pr .. . %2F %00 ? # = & modelVersionId [ ] : x.gguf ä urn:air:a:b: datasets api \\"
)
LIKELY = st.lists(st.sampled_from([*PIECES.split(), " ", "\u2028"]), max_size=14).map("".join)


@given(st.text(max_size=80) | LIKELY)
def test_any_text_is_a_link_or_a_link_error_and_links_are_read_as_written(text: str) -> None:
    try:
        link = parse(text, hubs=HUBS)
    except LinkError:
        return
    assert parse(str(link)) == link
