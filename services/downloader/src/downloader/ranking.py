"""Where a moved download stands: a new rank strictly between its neighbours, so that nobody else has to change.

Ranks are exact decimals. A download that was never moved has its (whole) queueing sequence as rank; a rank made here is
never whole and never one that is in use, so two downloads never tie and there is always room between two neighbours.
"""

from __future__ import annotations

import decimal
from collections.abc import Collection, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from downloader.domain import Download

MAX_DIGITS = 4000
"""Far beyond what any number of moves by people makes; the shortest fitting decimal is always taken."""


class Place(NamedTuple):
    """A place in the order (-priority, rank, seq)."""

    priority: int
    rank: Decimal


def place_at(position: int, others: Sequence[Download], taken: Collection[Decimal]) -> Place:
    """Return the place that makes a download number `position` (from 1) among `others`, which are in order.

    Beyond the end means the end. Where two priorities meet, the upper neighbour's counts.
    """
    index = min(max(position, 1), len(others) + 1) - 1
    above = others[index - 1] if index > 0 else None
    below = others[index] if index < len(others) else None
    if above is not None:
        same = below is not None and below.priority == above.priority
        ceiling = below.rank if below is not None and same else None
        return Place(above.priority, rank_between(above.rank, ceiling, taken))
    if below is not None:
        return Place(below.priority, rank_between(None, below.rank, taken))
    raise ValueError("a place needs a neighbour")


def rank_between(low: Decimal | None, high: Decimal | None, taken: Collection[Decimal]) -> Decimal:
    """Return the shortest decimal strictly between, neither whole nor in `taken`; an open end reaches one unit far.

    One unit: what is queued later has a later sequence as rank, so it stays behind what was moved to the end before.
    """
    with decimal.localcontext() as context:
        context.prec = MAX_DIGITS
        if low is None:
            assert high is not None, "at least one neighbour"  # noqa: S101  # a caller's mistake, never data
            low = high.to_integral_value(ROUND_CEILING) - 1
        elif high is None:
            high = low.to_integral_value(ROUND_FLOOR) + 1
        if not low < high:
            return low  # a tie in an old log: the sequence decides
        middle = (low + high) / 2
        while middle in taken or middle == middle.to_integral_value():
            middle = (low + middle) / 2
        for digits in range(1, MAX_DIGITS):
            rank = round(middle, digits)
            if low < rank < high and rank != rank.to_integral_value() and rank not in taken:
                return rank
    raise ValueError(f"no rank between {low} and {high}")
