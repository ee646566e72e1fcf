from decimal import Decimal

from downloader import ranking
from downloader.domain import Download
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace


def standing(number: int, priority: int = 0, rank: str | None = None) -> Download:
    return Download(
        phase="queued", download_id=str(number), queued_seq=number, priority=priority, rank=Decimal(rank or number)
    )


def move(queue: list[Download], which: int, position: int) -> list[Download]:
    moved = queue[which]
    others = [each for each in queue if each is not moved]
    place = ranking.place_at(position, others, {each.rank for each in queue})
    moved = replace(moved, priority=place.priority, rank=place.rank)
    return sorted([*others, moved], key=lambda each: each.order)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12)), max_size=60), st.integers(2, 10))
def test_any_moves_put_each_where_it_was_asked_to_stand(moves: list[tuple[int, int]], size: int) -> None:
    queue = [standing(number + 1) for number in range(size)]
    for which, position in moves:
        moved = queue[which % size].download_id
        expected = [each.download_id for each in queue if each.download_id != moved]
        expected.insert(min(position, size) - 1, moved)
        queue = move(queue, which % size, position)
        assert [each.download_id for each in queue] == expected
        assert len({each.rank for each in queue}) == size, "no two tie"


def test_what_is_queued_later_stays_behind_what_was_moved_to_the_end() -> None:
    queue = [standing(1), standing(2), standing(3)]
    for _ in range(20):
        queue = move(queue, 0, 3)
    assert all(each.rank < 4 for each in queue)


def test_a_moved_download_takes_its_upper_neighbours_priority() -> None:
    queue = [standing(5, priority=9), standing(1), standing(2)]
    assert ranking.place_at(2, [queue[0], queue[1]], set()).priority == 9
    assert ranking.place_at(1, [queue[0]], set()) == (9, Decimal("4.5"))
    assert ranking.place_at(99, [queue[0], queue[1]], set()) == (0, Decimal("1.5"))


def test_a_thousand_moves_to_the_same_gap_keep_exact_order() -> None:
    queue = [standing(1), standing(2), standing(3)]
    for _ in range(1000):
        queue = move(queue, 2, 2)
    assert len({each.rank for each in queue}) == 3
