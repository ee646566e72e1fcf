"""Whatever the interleaving, the plan covers a file exactly once and the journal never claims what was not written."""

from __future__ import annotations

import json
from itertools import pairwise

from downloader.transfer.journal import read_journal
from downloader.transfer.segments import ByteRanges, SegmentPlan
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = 200
spans = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: (min(pair), max(pair)))


def as_set(ranges: ByteRanges) -> set[int]:
    return {byte for start, end in ranges for byte in range(start, end)}


@given(st.lists(spans))
def test_ranges_are_the_set_of_their_bytes(added: list[tuple[int, int]]) -> None:
    ranges, model = ByteRanges(), set[int]()
    for start, end in added:
        new = set(range(start, end)) - model
        assert ranges.add(start, end) == len(new)
        model |= new
    assert as_set(ranges) == model
    assert ranges.total == len(model)
    listed = list(ranges)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(listed))
    missing = {byte for start, end in ranges.gaps(SIZE) for byte in range(start, end)}
    assert missing == set(range(SIZE)) - model
    for position in range(SIZE):
        run = ranges.end_of_run(position)
        assert set(range(position, run)) <= model
        assert run not in model


steps = st.tuples(
    st.sampled_from(["take", "steal", "receive", "receive", "fail", "crash"]), st.integers(0, 7), st.integers(1, 90)
)


@settings(deadline=None)
@given(st.lists(spans, max_size=8), st.lists(steps, max_size=120))
def test_any_interleaving_of_takes_steals_failures_and_crashes_covers_the_file_once(
    staged: list[tuple[int, int]], drawn: list[tuple[str, int, int]]
) -> None:
    plan = SegmentPlan(SIZE, ByteRanges(staged))
    fetched = sorted({byte for start, end in staged for byte in range(start, end)})
    to_the_end = [("take", 0, SIZE), ("receive", 0, SIZE)] * SIZE
    for step, which, size in drawn + to_the_end:
        if step == "take":
            plan.take(size, align=8)
        elif step == "steal":
            plan.steal(smallest=10, align=4)
        elif step == "crash":  # what was received is known, all else is open again
            plan = SegmentPlan(SIZE, ByteRanges((byte, byte + 1) for byte in fetched))
        elif plan.active:
            segment = plan.active[which % len(plan.active)]
            got = min(segment.left, size)
            fetched.extend(range(segment.position, segment.position + got))
            segment.position += got
            if step == "fail" or not segment.left:
                plan.give_back(segment)
    assert plan.finished
    assert sorted(fetched) == list(range(SIZE))


def test_segments_are_handed_out_from_the_lowest_byte_and_cut_straight() -> None:
    plan = SegmentPlan(20_000, ByteRanges([(0, 100)]))
    first, second = plan.take(4096, align=4096), plan.take(4096, align=4096)
    assert first is not None
    assert second is not None
    assert (first.start, first.end, second.start, second.end) == (100, 4096, 4096, 8192)
    plan.give_back(first)
    again = plan.take(50)
    assert again is not None
    assert (again.start, again.end) == (100, 150)


def test_a_steal_takes_the_upper_half_of_the_longest() -> None:
    plan = SegmentPlan(1000, ByteRanges())
    victim = plan.take(1000)
    assert victim is not None
    victim.position = 200
    stolen = plan.steal(smallest=100, align=8)
    assert stolen is not None
    assert (victim.end, stolen.start, stolen.end) == (600, 600, 1000)
    assert plan.steal(smallest=1001, align=8) is None


HEADER = {"v": 1, "url": "https://x/a", "size": SIZE, "validator": '"e"', "sha256": None}
writes = st.tuples(st.just("w"), st.integers(0, SIZE), st.integers(1, 50)).map(lambda w: ["w", w[1], w[1] + w[2]])


@given(st.lists(writes), st.integers(0, 4000))
def test_a_journal_cut_anywhere_claims_only_what_stood_before_the_cut(lines: list[list[object]], cut: int) -> None:
    whole = [json.dumps(line) + "\n" for line in (HEADER, ["b", "now"], *lines)]
    raw = "".join(whole).encode()[:cut]
    state = read_journal(raw, "now")
    kept = raw.count(b"\n")
    expected = ByteRanges((int(str(line[1])), int(str(line[2]))) for line in lines[: max(0, kept - 2)])
    assert as_set(state.claimed) == as_set(expected)
    assert state.understood_bytes == raw.rfind(b"\n") + 1


@given(st.binary(max_size=300))
def test_damaged_journals_claim_nothing_and_raise_nothing(damage: bytes) -> None:
    read_journal(damage, "now")
    head = (json.dumps(HEADER) + '\n["b","now"]\n["w",0,10]\n').encode()
    state = read_journal(head + b'{"broken\n' + damage + b'\n["w",20,30]\n', "now")
    assert list(state.claimed) == [(0, 10)]


def test_after_a_reboot_only_synced_claims_count() -> None:
    lines = [HEADER, ["b", "before"], ["w", 0, 50], ["s", [[0, 50]]], ["w", 50, 90]]
    raw = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert list(read_journal(raw, "before").claimed) == [(0, 90)]
    assert list(read_journal(raw, "after").claimed) == [(0, 50)]
    later = raw + b'["b","after"]\n["w",90,100]\n'
    assert list(read_journal(later, "after").claimed) == [(0, 50), (90, 100)]
    assert list(read_journal(later, "third").claimed) == [(0, 50)]


def test_a_header_of_another_shape_is_not_trusted() -> None:
    raw = json.dumps({**HEADER, "size": "many"}).encode() + b'\n["b","now"]\n["w",0,10]\n'
    state = read_journal(raw, "now")
    assert state.identity is None
    assert state.claimed.total == 0
