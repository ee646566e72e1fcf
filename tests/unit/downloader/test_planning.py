import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from downloader.disk import ModelsDisk
from downloader.planning import Plan, Planner, check_space, judge
from downloader.queue import QueueFold
from downloader.transfer import KnownFile
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError

from tests.unit.downloader.builders import POOL, completed, install, record

URL = "https://hub.example/a"
GB = 10**9


def spec(path: str = "vae/a.bin", size: int | None = 100, **more: object) -> d.FileSpec:
    return d.FileSpec(path=path, url=str(more.pop("url", URL)), size_bytes=size, **more)  # type: ignore[arg-type]


class Scene:
    def __init__(self, folder: Path, reserve_bytes: int = 0) -> None:
        self.models = folder
        self.fold = QueueFold(POOL)
        self.planner = Planner(ModelsDisk(folder, reserve_bytes), self.fold)

    def put(self, path: str, size: int) -> None:
        (self.models / path).parent.mkdir(parents=True, exist_ok=True)
        (self.models / path).write_bytes(b"x" * size)

    def queue(self, preset: str, *files: d.FileSpec) -> None:
        fact = d.DownloadQueued(download_id=f"{preset}-1", pool=POOL, target=install(preset).target, files=files)
        self.fold.apply(record(self.fold.seq + 1, d.subject(POOL, f"preset:{preset}"), fact))

    def verify(self, preset: str, file: d.FileSpec, sha256: str) -> None:
        fact = completed(file, f"{preset}-1", sha256=sha256)
        self.fold.apply(record(self.fold.seq + 1, d.subject(POOL, f"preset:{preset}"), fact))

    def plan(self, *files: d.FileSpec) -> Plan:
        return self.planner.plan(files)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


SHA = "ab" * 32


@pytest.mark.parametrize(
    ("file", "on_disk", "known", "action"),
    [
        (spec(), None, None, "download"),
        (spec(), 100, None, "present"),
        (spec(), 99, None, "conflict"),
        (spec(size=None), 99, None, "unclear"),
        (spec(size=None), 99, KnownFile("vae/a.bin", URL, 99, SHA), "present"),
        (spec(size=None), 98, KnownFile("vae/a.bin", URL, 99, SHA), "unclear"),
        (spec(size=None, sha256=SHA), 99, KnownFile("vae/a.bin", "https://other/x", 99, SHA), "present"),
        (spec(size=None, sha256="cd" * 32), 99, KnownFile("vae/a.bin", URL, 99, SHA), "conflict"),
        (spec(size=None), 99, KnownFile("vae/a.bin", "https://other/x", 99, SHA), "unclear"),
        (spec(size=100), 100, KnownFile("vae/a.bin", "https://other/x", 100, None), "present"),
    ],
)
def test_what_lies_under_a_path_is_judged_by_hash_source_or_exact_size(
    file: d.FileSpec, on_disk: int | None, known: KnownFile | None, action: str
) -> None:
    assert judge(file, on_disk, known)[0] == action


OLD = "https://hub.example/old"


@pytest.mark.parametrize(
    ("file", "known", "action"),
    [
        (spec(replaces_url=OLD), KnownFile("vae/a.bin", OLD, 100, SHA), "download"),
        (spec(size=None, replaces_url=OLD), KnownFile("vae/a.bin", OLD, 100, SHA), "download"),
        (spec(sha256="cd" * 32, replaces_url=OLD), KnownFile("vae/a.bin", OLD, 100, SHA), "download"),
        (spec(sha256=SHA, replaces_url=OLD), KnownFile("vae/a.bin", OLD, 100, SHA), "present"),
        (spec(replaces_url=OLD), KnownFile("vae/a.bin", URL, 100, SHA), "present"),
        (spec(size=99, replaces_url=OLD), KnownFile("vae/a.bin", "https://other/x", 100, SHA), "conflict"),
        (spec(size=None, replaces_url=OLD), KnownFile("vae/a.bin", OLD, 7, SHA), "unclear"),
        (spec(size=None, replaces_url=OLD), None, "unclear"),
    ],
)
def test_an_update_replaces_what_came_from_its_older_url_and_nothing_else(
    file: d.FileSpec, known: KnownFile | None, action: str
) -> None:
    assert judge(file, 100, known)[0] == action


def test_an_update_is_planned_as_a_download_beside_the_old_file(scene: Scene) -> None:
    scene.put("a.bin", 100)
    scene.queue("own", spec("a.bin", url=OLD))
    scene.verify("own", spec("a.bin", url=OLD), sha256=SHA)
    update = spec("a.bin", 100, replaces_url=OLD)
    assert not scene.planner.installed([update])
    plan = scene.plan(update)
    assert (plan.files[0].action, plan.volumes[0].needed_bytes) == ("download", 100)


def test_installed_means_every_file_that_is_not_optional(scene: Scene) -> None:
    files = [spec("a.bin"), spec("b.bin", optional=True)]
    assert not scene.planner.installed(files)
    scene.put("a.bin", 100)
    assert scene.planner.installed(files)
    assert not scene.planner.installed([spec("b.bin", optional=True)]), "nothing required is nothing installed"


def test_a_plan_counts_each_byte_once(scene: Scene) -> None:
    scene.put("there.bin", 100)
    scene.queue("other", spec("queued.bin", 1000, url="https://hub.example/q"))
    plan = scene.plan(
        spec("there.bin"),
        spec("new.bin", 300, url="https://hub.example/n"),
        spec("new.bin", 300, url="https://hub.example/n"),
        spec("queued.bin", 1000, url="https://hub.example/q"),
        spec("unknown.bin", None, url="https://hub.example/u"),
    )
    (volume,) = plan.volumes
    assert [(file.spec.path, file.action) for file in plan.files] == [
        ("there.bin", "present"),
        ("new.bin", "download"),
        ("queued.bin", "queued"),
        ("unknown.bin", "download"),
    ]
    assert (volume.needed_bytes, volume.present_bytes, volume.shared_bytes) == (300, 100, 1300)
    assert volume.reserved_bytes == 1000
    assert plan.unknown_paths == ["unknown.bin"]
    assert volume.fits


def test_content_that_is_elsewhere_is_linked(scene: Scene) -> None:
    scene.queue("other", spec("b.bin"))
    scene.verify("other", spec("b.bin"), sha256=SHA)
    assert scene.plan(spec("a.bin", sha256=SHA)).files[0].action == "download", "it is not on the disk"
    scene.put("b.bin", 100)
    assert scene.plan(spec("a.bin", sha256=SHA)).files[0].action == "link"
    assert scene.plan(spec("a.bin")).files[0].action == "link", "the same URL"


def test_another_file_for_the_same_path_is_a_named_conflict(scene: Scene) -> None:
    scene.queue("other", spec("a.bin", url="https://hub.example/x"))
    (file,) = scene.plan(spec("a.bin")).files
    assert (file.action, "https://hub.example/x" in file.conflict) == ("conflict", True)
    first, second = scene.plan(spec("n.bin"), spec("n.bin", url="https://hub.example/y")).files
    assert (first.action, second.action) == ("download", "conflict")
    assert "conflict" in str(scene.plan(spec("a.bin")).as_data())


def test_exact_sizes_refuse_with_numbers_and_rough_ones_only_the_absurd(scene: Scene) -> None:
    free = scene.plan(spec()).volumes[0].free_bytes
    check_space(scene.plan(spec(size=free - GB)))
    with pytest.raises(CommandNotAllowedError, match=f"{free + GB:,} bytes are needed") as refusal:
        check_space(scene.plan(spec(size=free + GB)))
    assert (refusal.value.code, refusal.value.status) == ("insufficient_space", 409)
    check_space(scene.plan(spec(size=None, approx_size_bytes=free + GB // 10)))
    with pytest.raises(CommandNotAllowedError):
        check_space(scene.plan(spec(size=None, approx_size_bytes=900_000 * GB)))
    scene.queue("other", spec("q.bin", size=free - GB, url="https://hub.example/q"))
    with pytest.raises(CommandNotAllowedError):
        check_space(scene.plan(spec(size=2 * GB)))


def test_the_reserve_is_never_planned_away(tmp_path: Path) -> None:
    without = Scene(tmp_path).plan(spec()).volumes[0].free_bytes
    reserved = Scene(tmp_path, reserve_bytes=GB).plan(spec()).volumes[0].free_bytes
    assert abs(without - reserved - GB) < GB // 10  # others write on this disk too
    assert not Scene(tmp_path, reserve_bytes=10**15).planner.has_room([spec()], at_least_bytes=1)
    assert Scene(tmp_path).planner.has_room([spec()], at_least_bytes=1)


def test_bytes_in_staging_are_not_needed_again(scene: Scene) -> None:
    name = hashlib.sha256(b"a.bin").hexdigest()[:24]
    scene.put(f"vae/.modeldeck-{name}.part", 50 * 4096)
    plan = scene.plan(spec("vae/a.bin", size=100 * 4096))
    assert plan.volumes[0].needed_bytes == 50 * 4096


@pytest.fixture
def other_volume(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the tests' own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to plan on")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_each_volume_is_counted_for_itself(scene: Scene, other_volume: Path) -> None:
    (scene.models / "loras").symlink_to(other_volume)
    (scene.models / "broken").symlink_to(other_volume / "nowhere")
    scene.put("loras/there.bin", 100)
    scene.queue("other", spec("loras/queued.bin", 1000, url="https://hub.example/q"))
    plan = scene.plan(
        spec("vae/new.bin", 300, url="https://hub.example/n"),
        spec("loras/there.bin"),
        spec("loras/deep/er/more.bin", 50, url="https://hub.example/m"),
        spec("broken/b.bin", 7, url="https://hub.example/b"),
    )
    own, other = plan.volumes
    assert (own.needed_bytes, own.present_bytes, own.reserved_bytes) == (307, 0, 0)
    assert (other.needed_bytes, other.present_bytes, other.reserved_bytes) == (50, 100, 1000)
    assert other.volume.mount == Path("/dev/shm")
    assert other.volume.device == other_volume.stat().st_dev
    assert abs(other.free_bytes - shutil.disk_usage(other_volume).free) < GB


def test_a_volume_that_the_queue_fills_is_no_matter_of_another_one(scene: Scene, other_volume: Path) -> None:
    (scene.models / "loras").symlink_to(other_volume)
    scene.queue("other", spec("loras/huge.bin", 10**15, url="https://hub.example/q"))
    plan = scene.plan(spec("vae/new.bin", 300))
    assert len(plan.volumes) == 1
    check_space(plan)
