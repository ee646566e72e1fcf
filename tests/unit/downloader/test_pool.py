import pytest
from downloader import pool
from downloader.pool import PoolSettings
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.pools import ConfigurePool, PoolConfigured


def test_what_is_not_named_stays() -> None:
    state = PoolSettings(2, 1000, paused=True)
    (fact,) = pool.decide(ConfigurePool(pool="p", max_concurrent=3), state)
    assert fact == PoolConfigured(pool="p", max_concurrent=3, bandwidth_limit_bps=1000, paused=True)
    assert pool.evolve(state, fact) == PoolSettings(3, 1000, paused=True)


def test_a_limit_of_zero_means_none() -> None:
    (fact,) = pool.decide(ConfigurePool(pool="p", bandwidth_limit_bps=0), PoolSettings(1, 1000))
    assert fact.bandwidth_limit_bps is None


def test_the_same_again_is_no_fact() -> None:
    assert pool.decide(ConfigurePool(pool="p", max_concurrent=2, paused=False), PoolSettings(2)) == ()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ConfigurePool(pool="p", max_concurrent=0), "bad_max_concurrent"),
        (ConfigurePool(pool="p", max_concurrent=65), "bad_max_concurrent"),
        (ConfigurePool(pool="p", bandwidth_limit_bps=-1), "bad_bandwidth_limit"),
    ],
)
def test_senseless_numbers_are_refused(command: ConfigurePool, code: str) -> None:
    with pytest.raises(CommandNotAllowedError) as refusal:
        pool.decide(command, PoolSettings())
    assert (refusal.value.code, refusal.value.status) == (code, 422)
