"""The streams as data, and their making: whoever starts first creates them, everyone asserts what stands.

EVENTS carries an epoch in its metadata, made by its creator: a store that was lost and made anew has another one, so a
position from the old log is never taken for one of the new.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, BadRequestError, NotFoundError

from modeldeck_events.errors import EventsError, UnavailableError

EVENTS = "EVENTS"
READINGS = "READINGS"
JOBS = "JOBS"
DEAD_LETTERS = "DEAD_LETTERS"

EPOCH_KEY = "modeldeck-epoch"
DUPLICATE_WINDOW_S = 120.0
MAX_READING_AGE_S = 3600.0
_MIB = 1024 * 1024
_NAME_IN_USE = 10058
_NOT_COMPARED = frozenset({"metadata", "name"})
_log = structlog.get_logger(__name__)


class TopologyError(EventsError):
    """A stream is not what it has to be, and cannot be made so."""


def streams(*, replicas: int = 1) -> tuple[StreamConfig, ...]:
    """Return the configuration of every stream; `replicas` is 3 on a cluster."""
    return (
        StreamConfig(
            name=EVENTS,
            description="every fact; the total order is the product's one cursor",
            subjects=["evt.>"],
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,  # a full log refuses; dropping history would be silent loss
            max_bytes=1024 * _MIB,
            max_msg_size=_MIB,
            deny_delete=True,
            deny_purge=True,
            allow_atomic=True,  # facts of many subjects with one fsync: see EventStore.append_together
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=replicas,
        ),
        StreamConfig(
            name=READINGS,
            description="newest progress per download, an hour of host samples",
            subjects=["rdg.>"],
            storage=StorageType.MEMORY,
            discard=DiscardPolicy.OLD,
            max_bytes=32 * _MIB,
            max_age=MAX_READING_AGE_S,
            allow_rollup_hdrs=True,
            allow_msg_ttl=True,  # most of a host's samples live for seconds, some for an hour: see readings.is_kept
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=replicas,
        ),
        StreamConfig(
            name=JOBS,
            description="permits for workers",
            subjects=["job.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=64 * _MIB,
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=replicas,
        ),
        StreamConfig(
            name=DEAD_LETTERS,
            description="what could not be handled, with its reason",
            subjects=["dead.>"],
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,  # poison must never block the stream that it came from
            max_bytes=128 * _MIB,
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=replicas,
        ),
    )


async def ensure(js: JetStreamContext, *, replicas: int = 1) -> str:
    """Create what is missing, update what an older version made, assert what stands; return the epoch of EVENTS.

    Safe when several processes do it at once. Raises TopologyError for a stream that stays different, UnavailableError
    when JetStream does not answer.
    """
    epoch = ""
    for config in streams(replicas=replicas):
        try:
            info = await _ensure_stream(js, config)
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"JetStream did not answer for stream {config.name}: {error}") from error
        if config.name == EVENTS:
            epoch = epoch_of(info)
    return epoch


async def missing(js: JetStreamContext) -> list[str]:
    """Return the names of streams that are gone, by one request; raises UnavailableError."""
    try:
        answer = await js._nc.request("$JS.API.STREAM.NAMES", b"{}", timeout=5)  # noqa: SLF001 - no public call for names
    except (nats.errors.Error, OSError) as error:
        raise UnavailableError(f"JetStream did not answer: {error}") from error
    there = set(json.loads(answer.data).get("streams") or ())
    return [config.name or "" for config in streams() if config.name not in there]


def epoch_of(info: StreamInfo) -> str:
    """Return the epoch of the log; raises TopologyError when it has none."""
    epoch = (info.config.metadata or {}).get(EPOCH_KEY)
    if not epoch:
        raise TopologyError(
            f"stream {info.config.name} carries no {EPOCH_KEY} in its metadata: it was not made by Modeldeck, or by a "
            "nats-server older than 2.10"
        )
    return epoch


async def _ensure_stream(js: JetStreamContext, wanted: StreamConfig) -> StreamInfo:
    name = wanted.name or ""
    try:
        info = await js.stream_info(name)
    except NotFoundError:
        info = await _create(js, wanted)
    differing = _differences(wanted, info.config)
    if differing:
        _log.info("stream has another configuration; updating", stream=name, differing=differing)
        try:
            info = await js.update_stream(wanted, metadata=info.config.metadata)
        except APIError as error:
            raise TopologyError(f"stream {name} differs in {differing} and cannot be updated: {error}") from error
        differing = _differences(wanted, info.config)
    if differing:
        raise TopologyError(
            f"stream {name}: the server did not take over {differing}; nats-server 2.12 or newer needed"
        )
    if name == EVENTS:
        epoch_of(info)
    return info


async def _create(js: JetStreamContext, wanted: StreamConfig) -> StreamInfo:
    metadata = {EPOCH_KEY: str(uuid.uuid4())} if wanted.name == EVENTS else None
    try:
        info = await js.add_stream(wanted, metadata=metadata)
    except BadRequestError as error:
        if error.err_code != _NAME_IN_USE:
            raise
        return await js.stream_info(wanted.name or "")  # another process was quicker: its epoch stands
    _log.info("stream created", stream=wanted.name)
    return info


def _differences(wanted: StreamConfig, stands: StreamConfig) -> dict[str, tuple[Any, Any]]:
    """Return the fields that we set and the server has otherwise: name to (wanted, standing)."""
    have = stands.as_dict()
    return {
        key: (value, have.get(key))
        for key, value in wanted.as_dict().items()
        if key not in _NOT_COMPARED and value is not None and have.get(key) != value
    }
