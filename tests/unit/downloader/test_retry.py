import pytest
from downloader.retry import Budget, RetryRules
from hypothesis import given
from hypothesis import strategies as st


def test_waits_double_up_to_the_cap() -> None:
    rules = RetryRules(5, 60, 9)
    waits = [rules.delay_s(tries, retry_after_s=None, chance=0) for tries in range(1, 8)]
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_jitter_adds_at_most_a_tenth() -> None:
    assert RetryRules(5, 60, 3).delay_s(1, retry_after_s=None, chance=0.5) == pytest.approx(5.25)


def test_a_servers_wish_counts_when_it_is_longer() -> None:
    rules = RetryRules(5, 60, 3)
    assert rules.delay_s(1, retry_after_s=120, chance=0) == 120
    assert rules.delay_s(1, retry_after_s=1, chance=0) == 5


def test_three_tries_without_progress_are_all() -> None:
    budget = Budget(RetryRules(attempts=3))
    assert [budget.failed() for _ in range(3)] == [True, True, False]
    assert budget.tries == 3


@pytest.mark.parametrize("told", [True, False])
def test_progress_renews_the_budget_whether_it_was_told_or_only_counted(told: bool) -> None:
    budget = Budget(RetryRules(attempts=3))
    for step in range(1, 10):
        if told:
            budget.progressed(step * 100)
        assert budget.failed(fetched_bytes=100)
        assert budget.tries == 1


def test_the_same_bytes_fetched_again_are_no_progress() -> None:
    budget = Budget(RetryRules(attempts=3))
    budget.progressed(1000)
    answers = []
    for _ in range(3):
        answers.append(budget.failed(fetched_bytes=1000, discarded=True))
        budget.progressed(1000)
    assert answers == [True, True, False]


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=500))
def test_a_file_of_bounded_size_ends_after_boundedly_many_tries(tries: list[tuple[int, bool]]) -> None:
    size, budget, safe, allowed = 50, Budget(RetryRules(attempts=3)), 0, 0
    for fetched, discarded in tries:
        fetched = min(fetched, size - safe)  # noqa: PLW2901
        safe = 0 if discarded else safe + fetched
        if not budget.failed(fetched_bytes=fetched, discarded=discarded):
            break
        allowed += 1
    assert allowed <= 3 * (size + 1)
