"""The downloader process: everything is wired here, and configuration is read here once."""

from __future__ import annotations

import os
import socket
import sys
import uuid

from modeldeck_events import downloads as d
from modeldeck_events import pools, readings
from modeldeck_events.pools import PoolLimits
from modeldeck_events.runtime import Service
from modeldeck_events.settings import SettingsError, load
from pydantic import SecretStr

from downloader import metrics
from downloader.asking import Asked
from downloader.disk import ModelsDisk
from downloader.handlers import Handlers
from downloader.limits import BandwidthLimiter
from downloader.permits import Permits
from downloader.planning import Planner
from downloader.policies import Policies
from downloader.pool_log import PoolLog
from downloader.queue import QueueFold
from downloader.retry import RetryRules
from downloader.run import Tools
from downloader.settings import Settings
from downloader.sources import Sources
from downloader.transfer import Transfer
from downloader.upkeep import PermitKeeper, SpaceWatcher
from downloader.worker import Worker

CLAIMS_BACK_S = 4.0
"""Of the 10 s in which a service ends, for storing that its downloads were interrupted."""


class Downloader(Service):
    """The service; at its end the claims go back before the connection to the log does."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("downloader", settings)
        limiter = BandwidthLimiter(settings.bandwidth_limit)
        sources = _sources(settings)
        self._transfer = Transfer(
            models_dir=settings.models,
            sources=sources,
            limiter=limiter,
            connections=settings.connections,
            stall_timeout_s=settings.stall_timeout_s,
            disk_reserve_bytes=settings.disk_reserve,
        )
        queue = QueueFold(settings.pool)
        projector = self.folds([queue], subjects=queue.subjects)
        log = PoolLog(self.store, projector, queue)
        permits = Permits(self.bus, settings.pool)
        planner = Planner(ModelsDisk(settings.models, settings.disk_reserve), queue)
        worker_name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        tools = Tools(
            pool=settings.pool,
            worker=worker_name,
            log=log,
            transfer=self._transfer,
            known=queue,
            rules=RetryRules(settings.retry_base_s, settings.retry_cap_s, settings.retry_attempts),
            publish=self._publish,
        )
        limits = PoolLimits(max_concurrent=settings.max_concurrent, bandwidth_limit_bps=settings.bandwidth_limit)
        self._worker = Worker(
            tools=tools, queue=queue, projector=projector, permits=permits, limiter=limiter, declares=limits
        )
        projector.on_batch = self._worker.on_batch
        self.task(self._worker.run, name="worker")
        self.task(PermitKeeper(queue=queue, projector=projector, permits=permits).run, name="permits")
        self.task(SpaceWatcher(queue=queue, planner=planner, log=log, worker=worker_name).run, name="space")
        handlers = Handlers(
            queue=queue,
            log=log,
            planner=planner,
            asked=Asked(self._transfer.ask),
            check_path=Transfer.check_path,
            check_source=sources.first,
        )
        self._declare_commands(handlers)
        policies = Policies(queue=queue, projector=projector, permits=permits, transfer=self._transfer)
        facts = [d.subject(settings.pool, "x").removesuffix("x") + ">"]
        self.policy(f"downloader-permits-{settings.pool}", facts)(policies.permit)
        self.policy(f"downloader-cleanup-{settings.pool}", facts)(policies.clean)
        self.detail = lambda: {"pool": settings.pool, "worker": worker_name, "running": self._worker.active}

    async def stop(self) -> None:
        """End: claims back into the queue, then all else."""
        await self._worker.stop(CLAIMS_BACK_S)
        await super().stop()
        await self._transfer.close()

    def _declare_commands(self, handlers: Handlers) -> None:
        self.command(d.QueueDownload)(handlers.queue_download)
        self.command(d.PauseDownload)(handlers.act)
        self.command(d.ResumeDownload)(handlers.act)
        self.command(d.CancelDownload)(handlers.act)
        self.command(d.RetryDownload)(handlers.act)
        self.command(d.MoveDownload)(handlers.move)
        self.command(d.PlanFiles)(handlers.plan)
        self.command(pools.ConfigurePool)(handlers.configure)

    async def _publish(self, reading: readings.DownloadProgress) -> None:
        if not self.bus.nc.is_connected:
            metrics.READINGS_DROPPED.inc()
            return
        subject = readings.progress_subject(reading.pool, reading.target_id)
        await self.bus.publish_reading(subject, reading, latest_only=True)


def _sources(settings: Settings) -> Sources:
    return Sources(
        allowed_hosts=settings.allowed_hosts,
        mirrors=settings.mirrors,
        trusted_mirrors=settings.trusted_mirrors,
        hf_endpoint=settings.hf_endpoint,
        hf_token=_revealed(settings.hf_token),
        civitai_token=_revealed(settings.civitai_token),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def main() -> int:
    """Run the service; return the exit status of the process."""
    try:
        settings = load(Settings)
        settings.models.mkdir(parents=True, exist_ok=True)
        service = Downloader(settings)
    except (SettingsError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return service.run()
