from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from catalog.hubs.describing import COUNTERS_AFTER, Stands, decide
from catalog.hubs.hosts import CIVITAI, HUGGING_FACE, hub_host
from catalog.hubs.remembering import MAX_BYTES, MAX_REPOSITORIES, Memory, Told
from modeldeck_events.repositories import Repository, Variant
from msgspec.structs import replace

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
REPO = Repository(hub="huggingface", repo="org/repo", revision="a" * 40, likes=5, downloads=7)


def stands(repository: Repository, at: datetime = NOW) -> Stands:
    return Stands(3, repository, at)


def test_what_is_new_is_a_fact() -> None:
    (fact,) = decide(REPO, Stands(), NOW)
    assert fact.repository == REPO
    changed = replace(REPO, revision="b" * 40)
    assert [fact.repository for fact in decide(changed, stands(REPO), NOW)] == [changed]
    assert decide(REPO, stands(REPO), NOW + timedelta(days=9)) == ()


def test_counters_alone_are_a_fact_once_a_day() -> None:
    liked = replace(REPO, likes=6, downloads=8)
    assert decide(liked, stands(REPO), NOW + COUNTERS_AFTER - timedelta(seconds=1)) == ()
    assert len(decide(liked, stands(REPO), NOW + COUNTERS_AFTER)) == 1
    assert len(decide(replace(liked, license="mit"), stands(REPO), NOW)) == 1


def test_an_older_version_of_a_civitai_model_is_no_news() -> None:
    newer = Repository(hub="civitai", repo="civitai/1", revision="20", variants=(Variant(filename="a", url="u"),))
    older = replace(newer, revision="9", variants=())
    assert decide(older, stands(newer), NOW) == ()
    assert len(decide(newer, stands(older), NOW)) == 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_fresh_for_a_minute_and_again_when_it_is_confirmed() -> None:
    clock = Clock()
    memory = Memory(clock=clock)
    told = Told(REPO, '"e"')
    memory.keep("org/repo", told, NOW)
    clock.now = 59
    kept = memory.get("org/repo")
    assert kept is not None
    assert memory.is_fresh(kept)
    clock.now = 61
    assert not memory.is_fresh(kept)
    assert memory.is_fresh(memory.keep("org/repo", told, NOW))
    assert memory.get("org/other") is None


def test_memory_is_bounded_in_number_and_size() -> None:
    memory = Memory()
    for number in range(MAX_REPOSITORIES + 50):
        memory.keep(f"org/{number}", Told(REPO), NOW)
        memory.get("org/0")
    assert len(memory) == MAX_REPOSITORIES
    assert memory.get("org/0") is not None
    assert memory.get("org/1") is None
    large = replace(REPO, description="x" * (MAX_BYTES // 3))
    for number in range(10):
        memory.keep(f"large/{number}", Told(large), NOW)
    assert len(memory) == 2


def test_where_the_hub_is_asked_and_with_which_token() -> None:
    def ask(host: str = HUGGING_FACE, **options: object) -> tuple[str, str, str | None]:
        found = hub_host(host, token="t", **options)  # type: ignore[arg-type]
        return found.page, found.base, found.token

    page = "https://huggingface.co"
    assert ask() == (page, page, "t")
    assert ask(endpoint="http://box:8080/hub/") == ("http://box:8080/hub", "http://box:8080/hub", "t")
    mirror = {"HuggingFace.co": "https://mirror.example/hf/"}
    assert ask(mirrors=mirror) == (page, "https://mirror.example/hf", None)
    for trusted in ("huggingface.co", "mirror.example", "https://mirror.example", "https://mirror.example/hf/"):
        assert ask(mirrors=mirror, trusted_mirrors=[trusted])[2] == "t"
    assert ask(mirrors=mirror, trusted_mirrors=["other.example"])[2] is None
    assert ask(CIVITAI, mirrors=mirror) == ("https://civitai.com", "https://civitai.com", "t")
    assert hub_host(HUGGING_FACE, token=" hf_x\n").token == "hf_x"
    assert "hf_x" not in repr(hub_host(HUGGING_FACE, token="hf_x"))


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "http://u:p@x", "http://x?a=1", "http://[x", "http://x:0"])
def test_an_address_that_is_none_is_refused_by_the_name_of_its_setting(url: str) -> None:
    with pytest.raises(ValueError, match="HF_ENDPOINT"):
        hub_host(HUGGING_FACE, endpoint=url)
    with pytest.raises(ValueError, match="MODELDECK_MIRRORS"):
        hub_host(CIVITAI, mirrors={CIVITAI: url})


@pytest.mark.parametrize("token", ["a b", "a\nb", "ä"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match="HF_TOKEN") as refused:
        hub_host(HUGGING_FACE, token=token)
    assert token not in str(refused.value)
