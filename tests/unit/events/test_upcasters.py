from __future__ import annotations

from typing import ClassVar

import pytest
from modeldeck_events.errors import PoisonError
from modeldeck_events.message import Event
from modeldeck_events.registry import Registry
from modeldeck_events.upcasters import Upcaster


class SizeV1(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "modeldeck.size.measured.v1"
    megabytes: int


class SizeV2(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "modeldeck.size.measured.v2"
    size_bytes: int


class SizeV3(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "modeldeck.size.measured.v3"
    size_bytes: int
    exact: bool


FIRST = Upcaster(SizeV1, SizeV2, lambda old: SizeV2(size_bytes=old.megabytes * 1_000_000))
SECOND = Upcaster(SizeV2, SizeV3, lambda old: SizeV3(size_bytes=old.size_bytes, exact=False))
ALL = (SizeV1, SizeV2, SizeV3)


def test_every_old_version_is_read_as_the_newest() -> None:
    registry = Registry(ALL, (SECOND, FIRST))
    wanted = SizeV3(size_bytes=7_000_000, exact=False)
    assert registry.decode(SizeV1.TYPE, b'{"megabytes":7}') == wanted
    assert registry.decode(SizeV2.TYPE, b'{"size_bytes":7000000}') == wanted
    assert registry.decode(SizeV3.TYPE, b'{"size_bytes":7000000,"exact":true}') == SizeV3(
        size_bytes=7_000_000, exact=True
    )


def test_an_unknown_type_is_nothing() -> None:
    assert Registry(ALL).decode("modeldeck.size.measured.v4", b"{}") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"megabytes":"7"}', b'{"megabytes":1}\xff', b"\xff\xfe", b"null"])
def test_a_known_type_that_breaks_its_schema_is_poison(data: bytes) -> None:
    with pytest.raises(PoisonError, match=r"modeldeck\.size\.measured\.v1"):
        Registry(ALL).decode(SizeV1.TYPE, data)


def test_fields_of_a_newer_minor_version_are_ignored() -> None:
    assert Registry(ALL).decode(SizeV1.TYPE, b'{"megabytes":7,"colour":"red"}') == SizeV1(megabytes=7)


def test_mistakes_in_the_chain_are_found_at_once() -> None:
    with pytest.raises(ValueError, match="two upcasters"):
        Registry(ALL, (FIRST, FIRST))
    with pytest.raises(ValueError, match="circle"):
        Registry(ALL, (FIRST, Upcaster(SizeV2, SizeV1, lambda old: old)))
    with pytest.raises(ValueError, match="not registered"):
        Registry((SizeV2, SizeV3), (FIRST,))
    with pytest.raises(ValueError, match="taken"):
        Registry((SizeV1, SizeV1))

    class Other(Event, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "modeldeck.weight.measured.v2"

    with pytest.raises(ValueError, match="not a version"):
        Registry(ALL, (Upcaster(SizeV1, Other, lambda old: old),))
