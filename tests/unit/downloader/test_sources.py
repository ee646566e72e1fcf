"""Which hosts, through which mirror, with whose credentials."""

from __future__ import annotations

import pytest
from downloader.errors import RefusedError
from downloader.sources import Sources, check_address, check_public, parse_url
from hypothesis import given
from hypothesis import strategies as st


def refused(sources: Sources, url: str) -> str:
    with pytest.raises(RefusedError) as caught:
        sources.first(url)
    return caught.value.code


@pytest.mark.parametrize(
    ("entry", "allowed", "forbidden"),
    [
        ("huggingface.co", ["https://huggingface.co/a"], ["http://huggingface.co/a", "https://huggingface.co:444/a"]),
        ("*.hf.co", ["https://x.hf.co/a", "https://a.b.hf.co/"], ["https://hf.co/a", "https://evilhf.co/a"]),
        ("127.0.0.1:80", ["http://127.0.0.1/a"], ["http://127.0.0.1:81/a", "http://127.0.0.2/a"]),
        ("box.lan:8080", ["http://box.lan:8080/", "https://box.lan:8080/"], ["http://box.lan/"]),
        ("http://box.lan:8080", ["http://box.lan:8080/"], ["https://box.lan:8080/"]),
        ("[::1]:8080", ["http://[::1]:8080/"], ["http://[::2]:8080/"]),
        ("HuggingFace.co", ["https://HUGGINGFACE.CO/a"], ["https://huggingface.co./a"]),
    ],
)
def test_entries_of_the_allow_list(entry: str, allowed: list[str], forbidden: list[str]) -> None:
    sources = Sources(allowed_hosts=[entry])
    for url in allowed:
        sources.first(url)
    for url in forbidden:
        assert refused(sources, url) == "host_not_allowed"


def test_plain_http_to_a_host_that_is_allowed_by_https_gets_the_right_advice() -> None:
    with pytest.raises(RefusedError, match="allowed by https only; write https://"):
        Sources(allowed_hosts=["huggingface.co"]).first("http://huggingface.co/a")
    with pytest.raises(RefusedError, match=r"add huggingface\.co:81 to MODELDECK_ALLOWED_HOSTS"):
        Sources(allowed_hosts=["huggingface.co"]).first("http://huggingface.co:81/a")


@pytest.mark.parametrize("entry", ["*", "a.*.b", "ftp://x", "x/y", "", "u@x"])
def test_entries_that_mean_nothing_are_refused_at_start(entry: str) -> None:
    with pytest.raises(ValueError, match="allowed host"):
        Sources(allowed_hosts=[entry])


@pytest.mark.parametrize(
    "url",
    ["", "x", "//x/y", "ftp://x/y", "file:///etc/passwd", "http://", "https://u:p@x/", "https://x /", "https://x\\@y/",
     "https://x/\r\nHost: y", "https://x:99999/", "javascript:alert(1)", "https://a..x/", "https://.x/",
     f"https://{'a' * 64}.x/", "https://x/a/../b", "https://x/%2E%2e/b", "https://x/./b"],
)  # fmt: skip
def test_odd_urls_are_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        parse_url(url)


def test_a_url_is_sent_as_it_came() -> None:
    hop = parse_url("https://x.org:443/a%20b/%E2%82%AC+c?X-Sig=a%2Fb&c=d#part")
    assert (hop.target, hop.netloc) == ("/a%20b/%E2%82%AC+c?X-Sig=a%2Fb&c=d", "x.org")
    assert parse_url("https://bücher.example/€").url == "https://xn--bcher-kva.example/%E2%82%AC"


def test_tokens_go_to_their_host_only() -> None:
    allowed = ["*.co", "huggingface.co", "civitai.com", "huggingface.co:444"]
    sources = Sources(allowed_hosts=allowed, hf_token="h", civitai_token="c")
    assert sources.first("https://huggingface.co/a").authorization == "Bearer h"
    assert sources.first("https://civitai.com/a").authorization == "Bearer c"
    for url in ("https://cdn.huggingface.co/a", "https://huggingface.co:444/a", "http://huggingface.co:444/a"):
        assert sources.first(url).authorization is None


@pytest.mark.parametrize("trusted", ["http://m:9", "http://m:9/base", "m:9", "huggingface.co", "http://m:9/base/"])
def test_a_trusted_mirror_may_be_named_in_any_way(trusted: str) -> None:
    sources = Sources(
        allowed_hosts=[], mirrors={"huggingface.co": "http://m:9/base"}, trusted_mirrors=[trusted], hf_token="h"
    )
    hop = sources.first("https://huggingface.co/a/b?c=d")
    assert (hop.url, hop.authorization, hop.listed_literally) == ("http://m:9/base/a/b?c=d", "Bearer h", True)


def test_an_untrusted_one_gets_nothing_and_opens_nothing_else() -> None:
    sources = Sources(allowed_hosts=[], mirrors={"huggingface.co": "http://m:9"}, trusted_mirrors=["o:9"], hf_token="h")
    assert sources.first("https://huggingface.co/a").authorization is None
    assert refused(sources, "https://m:9/a") == "host_not_allowed"
    assert refused(sources, "http://m/a") == "host_not_allowed"


def test_https_does_not_lead_to_plain_http_unless_that_is_listed() -> None:
    sources = Sources(allowed_hosts=["huggingface.co", "http://old.example", "box.lan:80"])
    hop = sources.first("https://huggingface.co/a")
    with pytest.raises(RefusedError) as caught:
        sources.redirected(hop, "http://old.example/a")
    assert caught.value.code == "bad_redirect"
    assert sources.redirected(hop, "http://box.lan/a").host == "box.lan"
    assert sources.redirected(hop, "../b c").target == "/b%20c"


public_hop = Sources().first("https://huggingface.co/a")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
     "::", "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
     "64:ff9b:1::a00:1", "2002:0a00:0001::", "::10.0.0.1", "fe80::1%eth0"],
)  # fmt: skip
def test_private_and_odd_addresses_are_refused(address: str) -> None:
    with pytest.raises(RefusedError):
        check_address(public_hop, address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_like_the_one_inside(address: object) -> None:
    def verdict(text: str) -> bool:
        try:
            check_address(public_hop, text)
        except RefusedError:
            return False
        return True

    assert verdict(str(address)) == verdict(f"::ffff:{address}")


def test_literally_listed_hosts_may_be_private() -> None:
    check_address(Sources(allowed_hosts=["box.lan:80"]).first("http://box.lan/"), "10.0.0.1")
    check_address(public_hop, "140.82.121.3")


@pytest.mark.parametrize("url", ["ftp://u:SECRET@x/", "https://u:SECRET@x/", "https://x/a b?sig=SECRET", "SECRET@x//?"])
def test_a_refusal_shows_no_secret_of_the_url(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        parse_url(url)
    assert "SECRET" not in refusal.value.message.replace("'SECRET@x//'", "")


@pytest.mark.parametrize(
    "url", ["https://u:SECRET@x/", "https://x/a?b=1&Token=SECRET", "//x/a", "ftp://x/", "https://["]
)
def test_what_is_kept_for_ever_carries_no_credential(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        check_public(url)
    assert refusal.value.code == "bad_url"
    assert "SECRET" not in refusal.value.message
    check_public("https://x/a b?X-Amz-Signature=1&download=true")


def test_a_token_is_trimmed_and_a_broken_one_is_not_repeated() -> None:
    sources = Sources(allowed_hosts=["huggingface.co"], hf_token=" hf_x\n")
    assert sources.first("https://huggingface.co/a").authorization == "Bearer hf_x"
    for broken in ("hf_x\nHost: y", "two SECRET", "SECRÉT"):
        with pytest.raises(ValueError, match=r"^HF_TOKEN: a token has no spaces") as refusal:
            Sources(hf_token=broken)
        assert broken not in str(refusal.value)


def test_a_mirror_that_is_no_url_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="MODELDECK_MIRRORS"):
        Sources(mirrors={"huggingface.co": "ftp://m"})


def test_the_hubs_token_stays_below_its_endpoint() -> None:
    sources = Sources(allowed_hosts=[], hf_endpoint="https://m/hub", hf_token="h")
    assert sources.first("https://m/hub/a").authorization == "Bearer h"
    assert sources.first("https://m/hubble/a").authorization is None
