from __future__ import annotations

import pytest
from catalog.links import UrlError, check_url, file_link
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("https://huggingface.co/o/n/blob/main/a.safetensors", "https://huggingface.co/o/n/resolve/main/a.safetensors"),
        ("https://huggingface.co/o/n/blob/main/d/a.bin?download=true", "https://huggingface.co/o/n/resolve/main/d/a.bin?download=true"),
        ("https://huggingface.co/gpt2/blob/main/a.bin", "https://huggingface.co/gpt2/resolve/main/a.bin"),
        ("https://huggingface.co/datasets/o/n/blob/main/a.bin", "https://huggingface.co/datasets/o/n/resolve/main/a.bin"),
        ("http://127.0.0.1:8000/o/n/blob/main/blob/x.bin", "http://127.0.0.1:8000/o/n/resolve/main/blob/x.bin"),
        ("https://github.com/o/n/blob/main/a.pth", "https://github.com/o/n/raw/main/a.pth"),
        ("https://gitlab.com/o/n/-/blob/main/a.pth", "https://gitlab.com/o/n/-/raw/main/a.pth"),
    ],
)  # fmt: skip
def test_a_page_link_is_read_as_its_file(page: str, file: str) -> None:
    assert file_link(page) == file


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co/o/n/resolve/main/a.safetensors",
        "https://huggingface.co/gpt2/resolve/main/blob/x/a.safetensors",
        "https://example.org/blob/a/b.bin",
        "https://example.org/x.bin?from=/o/n/blob/main/a.bin",
        "https://account.blob.core.windows.net/c/a.bin",
    ],
)
def test_a_file_link_stays_as_it_is(url: str) -> None:
    assert file_link(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.bin", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "//example.org/a",
        "example.org/a",
        "https://", "https:///a", "https://example.org", "https://example.org/", "https://u:p@example.org/a", "https://u@example.org/a",
        "https://example.org:99999/a", "https://example.org:0/a", "https://[::1/a", "https://example.org/a b", "https://example.org/a\nb",
        "https://example.org/\u2028", "https://example.org/" + "a" * 5000, "https://example.org\\@evil/a", "",
    ],
)  # fmt: skip
def test_what_cannot_be_downloaded_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(UrlError) as refused:
        check_url(url)
    assert "p@" not in str(refused.value)


@given(st.text(max_size=80))
def test_any_text_is_taken_unchanged_or_refused(text: str) -> None:
    for url in (text, f"https://example.org/{text}", f"https://{text}/a"):
        try:
            assert check_url(url) == url
        except UrlError:
            continue
        link = file_link(url)
        assert link is None or check_url(link) == link
