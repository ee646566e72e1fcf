"""The composition root: reads the settings and wires the service; nothing else does either."""

from __future__ import annotations

import socket
import sys

from modeldeck_events import generations
from modeldeck_events.message import Reading
from modeldeck_events.readings import HostSample
from modeldeck_events.runtime import Service
from modeldeck_events.settings import SettingsError, load

from telemetry.amd import Amd
from telemetry.comfyui import Watcher
from telemetry.comfyui_client import source_of
from telemetry.feed import Feed
from telemetry.generation_log import GenerationLog, Generations
from telemetry.gpus import GpuProbe
from telemetry.host_facts import HostLog, HostState
from telemetry.mounts import Mounts
from telemetry.nvidia import Nvidia
from telemetry.sampler import Sampler, patience_s
from telemetry.settings import Settings


def build(settings: Settings) -> Service:
    """Return the telemetry service, ready to run."""
    service = Service("telemetry", settings)
    host = socket.gethostname() or "localhost"

    state, mounts = HostState(host), Mounts(settings.pool)
    projector = service.folds([state, mounts], subjects=[state.subject, mounts.subject])
    log, feed = HostLog(service.store, state), Feed(service.bus.publish_reading, host)

    async def publish(sample: HostSample) -> None:
        await feed.publish(sample)
        if projector.caught_up.is_set():
            await log.note(sample)

    sampler = Sampler(
        publish,
        host=host,
        pool=settings.pool,
        interval_s=settings.sample_interval_s,
        volumes=(settings.models, settings.data_dir),
        gpus=GpuProbe(Nvidia(), Amd(), limit_s=patience_s(settings.sample_interval_s)).sample,
        mounts=lambda: mounts.paths,
    )
    service.task(sampler.run, name="sample the host")
    if settings.comfyui_url:
        _watch_comfyui(service, settings.comfyui_url, host)
    return service


def _watch_comfyui(service: Service, url: str, host: str) -> None:
    """Have the ComfyUI at `url` watched."""
    known = Generations(source_of(url, host))
    projector = service.folds([known], subjects=[generations.source_subjects(known.source)])

    async def publish(subject: str, reading: Reading) -> None:
        await service.bus.publish_reading(subject, reading, latest_only=True)

    watcher = Watcher(url, GenerationLog(service.store, projector, known), publish)
    service.task(watcher.run, name="watch ComfyUI")


def main() -> int:
    """Run the service until it is told to end; 2 when the configuration cannot be used."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return build(settings).run()
