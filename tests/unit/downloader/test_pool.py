import pytest
from downloader import pool
from downloader.pool import Declare, PoolSettings
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.pools import ConfigurePool, PoolConfigured, PoolLimits


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


def declare(max_concurrent: int, limit_bps: int | None = None) -> Declare:
    return Declare("p", PoolLimits(max_concurrent=max_concurrent, bandwidth_limit_bps=limit_bps))


def test_a_process_with_other_settings_changes_the_pool_once() -> None:
    (fact,) = pool.decide(declare(3, 5000), PoolSettings())
    started = pool.evolve(PoolSettings(), fact)
    assert (started.max_concurrent, started.bandwidth_limit_bps) == (3, 5000)
    assert pool.decide(declare(3, 5000), started) == ()
    assert pool.decide(declare(1), PoolSettings()) == (), "the built-in settings need no fact"


def test_what_a_person_chose_outlives_a_restart_until_that_setting_changes() -> None:
    started = pool.evolve(PoolSettings(), pool.decide(declare(3, 5000), PoolSettings())[0])
    chosen = pool.evolve(started, pool.decide(ConfigurePool(pool="p", max_concurrent=5), started)[0])
    assert pool.decide(declare(3, 5000), chosen) == ()
    (fact,) = pool.decide(declare(3, 7000), chosen)
    assert (fact.max_concurrent, fact.bandwidth_limit_bps) == (5, 7000)
    (fact,) = pool.decide(declare(2, 5000), chosen)
    assert (fact.max_concurrent, fact.bandwidth_limit_bps) == (2, 5000)


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
