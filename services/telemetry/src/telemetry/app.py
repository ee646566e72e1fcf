"""The composition root: reads the settings and wires the service; nothing else does either."""

from __future__ import annotations

import socket
import sys

from modeldeck_events import readings
from modeldeck_events.readings import HostSample
from modeldeck_events.runtime import Service
from modeldeck_events.settings import SettingsError, load

from telemetry.gpus import NvmlProbe
from telemetry.sampler import Sampler
from telemetry.settings import Settings


def build(settings: Settings) -> Service:
    """Return the telemetry service, ready to run."""
    service = Service("telemetry", settings)
    host = socket.gethostname() or "localhost"
    subject = readings.host_subject(host)

    async def publish(sample: HostSample) -> None:
        await service.bus.publish_reading(subject, sample)

    sampler = Sampler(
        publish,
        host=host,
        pool=settings.pool,
        interval_s=settings.sample_interval_s,
        volumes=(settings.models, settings.data_dir),
        gpus=NvmlProbe().sample,
    )
    service.task(sampler.run, name="sample the host")
    return service


def main() -> int:
    """Run the service until it is told to end; 2 when the configuration cannot be used."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return build(settings).run()
