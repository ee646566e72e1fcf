from __future__ import annotations

from pathlib import Path

import pytest
from modeldeck_events.memory import MemoryStore
from modeldeck_events.modelfiles import InventorySurveyed, inventory_subject
from modeldeck_events.store import Meta
from telemetry import mounts as module
from telemetry.mounts import Mounts


async def folded(*surveys: InventorySurveyed) -> Mounts:
    store, fold = MemoryStore(), Mounts("p")
    for survey in surveys:
        subject = inventory_subject(survey.pool)
        last = await store.last_seq(subject)
        await store.append(subject, (survey,), expected_seq=last, meta=Meta("catalog"))
    for record in await store.read(after=0, limit=100):
        fold.apply(record)
    return fold


def survey(mounts: dict[str, str], pool: str = "p") -> InventorySurveyed:
    return InventorySurveyed(pool=pool, roots=(), mounts=mounts)


async def test_every_other_volume_with_models_is_told_once() -> None:
    mounts = {"": "/", "vae": "/mnt/fast", "@big/loras": "/mnt/big", "@big/vae": "/mnt/big", "@s/x": "/"}
    fold = await folded(survey(mounts), survey({"": "/elsewhere"}, pool="other"))
    assert fold.paths == (Path("/mnt/big"), Path("/mnt/fast"))


async def test_the_last_survey_counts_and_nothing_is_left_after_a_reset() -> None:
    fold = await folded(survey({"": "/", "vae": "/a"}), survey({"": "/", "vae": "/b"}))
    assert [str(path) for path in fold.paths] == ["/b"]
    fold.reset()
    assert not fold.paths


async def test_the_number_of_volumes_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MOUNTS", 2)
    fold = await folded(survey({f"f{number}": f"/m{number}" for number in range(5)}))
    assert fold.paths == (Path("/m0"), Path("/m1"))
