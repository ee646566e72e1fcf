from modeldeck_local.backoff import FIRST_DELAY_S, HEALTHY_AFTER_S, LONGEST_DELAY_S, Backoff


def test_delays_double_up_to_the_longest_while_runs_are_short() -> None:
    backoff = Backoff()
    delays = [backoff.after_run_of(0.1) for _ in range(7)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_healthy_run_earns_the_first_delay_again() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_run_of(1)
    assert backoff.after_run_of(HEALTHY_AFTER_S) == FIRST_DELAY_S
    assert backoff.after_run_of(1) == 2 * FIRST_DELAY_S
