"""What holds for every set of presets, templates and files."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from modeldeck_events.modelfiles import DeleteModelFile
from modeldeck_events.needs import GivenUp
from modeldeck_events.presets import PresetUninstalled, UninstallPreset
from modeldeck_events.templates import LockWorkflow, PlanLock

from tests.unit.catalog.library_bench import POOL, Bench, ask, bench_in, preset, spec

PATHS = ("vae/a.bin", "vae/b.bin", "loras/a.bin", "unet/c.bin", "x/d.bin", "x/sub/e.bin")

some_paths = st.sets(st.sampled_from(PATHS), min_size=1, max_size=4)


class World(NamedTuple):
    """Which paths each preset and template names, which of a preset are optional, and what is on the disk."""

    presets: list[set[str]]
    optional: set[str]
    templates: list[set[str]]
    disk: set[str]


worlds = st.builds(
    World,
    presets=st.lists(some_paths, max_size=4),
    optional=st.sets(st.sampled_from(PATHS), max_size=2),
    templates=st.lists(some_paths, max_size=3),
    disk=st.sets(st.sampled_from(PATHS)),
)


async def build(bench: Bench, world: World) -> None:
    for number, paths in enumerate(world.presets):
        files = [spec(path, optional=path in world.optional) for path in sorted(paths)]
        await bench.publish(preset(f"p{number}", *files))
    for number, paths in enumerate(world.templates):
        await bench.template(f"w/{number}.json", *sorted(paths))
    for path in sorted(world.disk):
        bench.write(path)
    await bench.see()
    assert {file.path for file in bench.files.live()} == world.disk


def installed(bench: Bench) -> set[str]:
    return {one.id for one in bench.presets.presets.live() if bench.needs.is_installed(one)}


def compatible(bench: Bench) -> set[str]:
    def fits(references: Any) -> bool:
        return all(bench.files.index.match(one).status == "present" for one in references if one.active)

    return {one.template_id for one in bench.templates.templates.live() if fits(one.references)}


def run(world: World, check: Callable[[Bench], Awaitable[None]]) -> None:
    async def within() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with bench_in(Path(folder)) as bench:
                await build(bench, world)
                await check(bench)

    asyncio.run(within())


async def uninstall(bench: Bench, preset_id: str) -> dict[str, Any]:
    return (await ask(bench.changes.uninstall, UninstallPreset(pool=POOL, preset_id=preset_id))).data


@settings(max_examples=60, deadline=None)
@given(world=worlds, asked=st.lists(st.sampled_from(PATHS), max_size=6))
def test_deleting_breaks_nothing_unless_forced(world: World, asked: list[str]) -> None:
    async def check(bench: Bench) -> None:
        before = installed(bench), compatible(bench)
        for path in asked:
            await ask(bench.changes.delete, DeleteModelFile(pool=POOL, path=path))
        assert (installed(bench), compatible(bench)) == before

    run(world, check)


@settings(max_examples=60, deadline=None)
@given(world=worlds, order=st.lists(st.integers(0, 3), max_size=6))
def test_uninstalling_breaks_nothing_else(world: World, order: list[int]) -> None:
    async def check(bench: Bench) -> None:
        others, before = installed(bench), compatible(bench)
        for number in order:
            await uninstall(bench, f"p{number}")
            others.discard(f"p{number}")
            assert others <= installed(bench)
        assert compatible(bench) == before

    run(world, check)


@settings(max_examples=60, deadline=None)
@given(world=worlds.filter(lambda world: len(world.presets) >= 2))
def test_one_after_the_other_is_both_at_once(world: World) -> None:
    async def check(bench: Bench, order: tuple[str, str]) -> None:
        for preset_id in order:
            bench.origins.given_up.apply(PresetUninstalled(pool=POOL, preset_id=preset_id))
        named = world.presets[0] | world.presets[1]
        wanted = {path for path in world.disk if path not in named or bench.needs.of(path)}
        bench.origins.given_up = GivenUp(POOL)
        for preset_id in order:
            await uninstall(bench, preset_id)
        assert bench.on_disk() == wanted

    run(world, lambda bench: check(bench, ("p0", "p1")))
    run(world, lambda bench: check(bench, ("p1", "p0")))


@settings(max_examples=40, deadline=None)
@given(paths=some_paths)
def test_a_lock_names_every_file_elsewhere_and_none_where_it_was_made(paths: set[str]) -> None:
    made: list[dict[str, Any]] = []

    async def write(bench: Bench) -> None:
        for path in paths:
            await bench.hash(path)
        reply = await ask(bench.plans.lock, LockWorkflow(pool=POOL, template_id="w/0.json"))
        made.append(reply.data["lock"])  # type: ignore[arg-type]
        assert (await plan(bench, made[0])) == []

    async def install(bench: Bench) -> None:
        assert {entry["path"] for entry in await plan(bench, made[0])} == paths

    run(World([], set(), [paths], paths), write)
    run(World([], set(), [], set()), install)
    assert [file["path"] for file in made[0]["files"]] == sorted(paths)


async def plan(bench: Bench, lock: dict[str, Any]) -> list[dict[str, Any]]:
    reply = await ask(bench.plans.against_lock, PlanLock(pool=POOL, lock=msgspec.json.encode(lock)))
    return reply.data["files"]  # type: ignore[return-value]
