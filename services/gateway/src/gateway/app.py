"""The composition root of the gateway."""

from __future__ import annotations

import gc
import operator
import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modeldeck_events.projector import Fold, Projector
from modeldeck_events.runtime import Service
from modeldeck_events.settings import SettingsError, load
from modeldeck_events.store import Batch

from gateway import api
from gateway.accounts import Accounts, ended_by
from gateway.auth import Authenticator, HostCheck
from gateway.boards.fold import Boards
from gateway.boards.queue import queue_object
from gateway.checkpoints import PastFolds
from gateway.commands import Commands
from gateway.context import Gateway
from gateway.cookies import Cookies
from gateway.front import Front
from gateway.health import HealthCheck
from gateway.host_watch import HostWatch
from gateway.inspector import Inspector
from gateway.live import Answer, Live
from gateway.routes.downloads import download_queue
from gateway.routes.modelfiles import featured_list
from gateway.routes.models import model_list
from gateway.routes.presets import category_list, preset_list
from gateway.routes.workflows import template_list
from gateway.server import allow_connections, bind, serve
from gateway.service_watch import ServiceWatch
from gateway.settings import GatewaySettings, is_loopback, secret_of
from gateway.snapshots import SnapshotKeeper, Snapshots
from gateway.sse import MAX_STREAMS, StreamEndpoint
from gateway.tokens import load_token
from gateway.user_facts import UserFacts
from gateway.web import Dashboard, dist_folder
from gateway.webhooks import Webhooks

if TYPE_CHECKING:
    from gateway.oidc import Oidc

OTHER_FILES = 500


class App:
    """The gateway as one service: fold, publish, serve."""

    def __init__(self, settings: GatewaySettings, listener: socket.socket) -> None:
        self.service = Service("gateway", settings)
        self.boards = Boards(pool=settings.pool)
        self.live = Live(self.boards, connected=lambda: self.service.bus.nc.is_connected)
        folder = settings.data_dir / "gateway"
        snapshots = Snapshots(folder)
        self._listener = listener
        saved = snapshots.load(self.boards)
        self._inspector = Inspector(self.service)
        folds: list[Fold] = [self.boards, self._inspector]
        self._projector: Projector = self.service.folds(folds, after=saved, on_batch=self._on_batch)
        self._snapshots = SnapshotKeeper(
            snapshots,
            self.boards,
            self._projector,
            saved=saved,
            is_unfit=lambda: bool(self._inspector.pending),  # it would not be met again after the snapshot
        )
        token = "" if settings.auth == "none" else load_token(settings.data_dir, secret_of(settings.token))
        cookies = Cookies(
            token,
            issuer=settings.issuer_key,
            secure=settings.public_url.startswith("https:"),
        )
        issued = _issued(settings, cookies)
        self.gateway = Gateway(
            settings=settings,
            boards=self.boards,
            live=self.live,
            store=self.service.store,
            commands=Commands(self.service.bus.request, self.live),
            auth=Authenticator(
                mode=settings.auth,
                token=token,
                cookies=cookies,
                accounts=Accounts(self.boards.users, self.live, self.service.store),
                issuer=issued.tokens if issued else None,
            ),
            streams=StreamEndpoint(self.live, self.service.store),
            health=HealthCheck(
                self.service.bus.request,
                self.live,
                self.service.health,
                settings.pool,
                head=self.service.store.head,
            ),
            webhooks=Webhooks(self.service, settings.webhooks),
            connected=lambda: self.service.bus.nc.is_connected,
            cookies=cookies,
            user_facts=UserFacts(self.service.store, self.live),
            login=issued.login if issued else None,
            folding=self._projector.folding,
            past=PastFolds(self.service.store, pool=settings.pool),
        )
        self.front = Front(
            host_check=HostCheck(
                settings.host,
                loopback=is_loopback(settings.host),
                public_name=urlsplit(settings.public_url).hostname or "",
            ),
            auth=self.gateway.auth,
            dashboard=Dashboard(dist_folder()),
            live=self.live,
            answers=self._answers(),
            streams=self.gateway.streams,
            routes=api.build(self.gateway),
        )
        self.service.task(self._serve, name="http", when_ready=False)
        self.service.task(self._follow_readings, name="readings", when_ready=False)
        self.service.task(self.live.beat, name="heartbeat", when_ready=False)
        self.service.task(self.live.age, name="age", when_ready=False)
        self.service.task(ServiceWatch(self.gateway.health, self.live).run, name="service watch")
        self.service.task(HostWatch(self.boards, self.service.store).run, name="host watch")
        self.service.task(self._snapshots.run, name="snapshots")
        self.service.task(self._inspector.run, name="inspector")
        self.service.task(self.gateway.webhooks.run, name="webhooks")

    def _answers(self) -> dict[str, Answer]:
        topics = self.live.topics
        queue, presets = topics["queue"], topics["presets"]
        return {
            "/presets": Answer(presets, preset_list),
            "/presets/categories": Answer(presets, category_list),
            "/presets/queue/status": Answer(queue, queue_object),
            "/models": Answer(topics["models"], model_list, parts=("models", "deleted")),
            "/storage": Answer(topics["models"], operator.itemgetter("storage"), parts=("storage",)),
            "/workflows/templates": Answer(topics["templates"], template_list),
            "/featured-models": Answer(topics["featured"], featured_list),
            "/downloads/queue": Answer(queue, lambda state: download_queue(state, self.boards)),
        }

    def _on_batch(self, batch: Batch) -> None:
        self.live.on_batch(batch, self._projector.epoch)
        if self.gateway.streams.open_count:
            for session in filter(None, map(ended_by, batch.records)):
                self.gateway.streams.end_session(session)

    async def _serve(self) -> None:
        await serve(self.front, self._listener, before_end=self.gateway.streams.close)

    async def _follow_readings(self) -> None:
        async for reading in self.service.bus.follow_readings(history=True):
            self.live.on_reading(reading)


def _issued(settings: GatewaySettings, cookies: Cookies) -> Oidc | None:
    """Return what speaks with the issuer, where one is configured."""
    if settings.auth != "oidc":
        return None
    from gateway import oidc  # noqa: PLC0415 - the cryptography below it costs every gateway 8 MB, and few need it

    return oidc.build(settings, cookies)


async def spare_collections() -> None:
    """Leave what the boards hold once they caught up out of garbage collections, and look through all of the rest
    rarely: each would stop the event loop for as long as that takes, and hardly ever find anything.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)


def main() -> int:
    """Run the gateway as a process of its own; return its exit status."""
    try:
        settings = load(GatewaySettings)
        allow_connections(MAX_STREAMS + OTHER_FILES)
        listener = bind(settings.host, settings.port)
        app = App(settings, listener)
        app.service.task(spare_collections, name="memory")
    except (SettingsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return app.service.run()
