"""What the read models know, as Prometheus gauges: made when they are asked for, so that nothing else pays for them.

A value that is not known is absent: a gauge that reads 0 would look like data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.live import Live

Labelled = list[tuple[tuple[str, ...], float | None]]
_GPU = ("host", "gpu", "name")
_DISK = ("host", "path")
_GPU_GAUGES = (
    ("gpu_memory_used_bytes", "Memory in use on a GPU", "memory_used_bytes"),
    ("gpu_memory_total_bytes", "Memory of a GPU", "memory_total_bytes"),
    ("gpu_utilization_percent", "How busy a GPU is", "utilization"),
    ("gpu_temperature_celsius", "Temperature of a GPU", "temperature_c"),
    ("gpu_power_watts", "Power that a GPU draws", "power_w"),
)
_DISK_GAUGES = (
    ("disk_used_bytes", "Bytes in use on a volume", "used"),
    ("disk_free_bytes", "Bytes free on a volume", "free"),
    ("disk_total_bytes", "Size of a volume", "total"),
)


def render(live: Live, *, head: int | None) -> bytes:
    """Return the text of all gauges; `head` is the log's last sequence, None while it cannot be asked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(live, head))
    return generate_latest(registry)


class _Gauges(Collector):
    def __init__(self, live: Live, head: int | None) -> None:
        self._live = live
        self._head = head

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a value."""
        live = self._live
        yield _gauge("published_seq", "Position of the log that the read models stand for", live.position.seq)
        if self._head is not None:
            lag = max(0, self._head - live.position.seq)
            yield _gauge("fold_lag_events", "Facts of the log that the read models do not show yet", lag)
        cut_off = CounterMetricFamily(
            "modeldeck_sse_cut_off", "Live streams cut off because their readers did not read"
        )
        cut_off.add_metric((), live.cut_off)
        yield cut_off
        yield from self._queue(live.topics["queue"].published)
        yield from self._hosts(live.topics["resources"].published.get("hosts", {}))

    def _queue(self, queue: dict[str, Any]) -> Iterator[Metric]:
        counts: dict[str, int] = dict.fromkeys(("downloading", "retrying", "verifying", "queued", "paused"), 0)
        for part in ("active", "queue"):
            for item in queue.get(part, {}).values():
                counts[item["status"]] = counts.get(item["status"], 0) + 1
        yield _labelled("queue_downloads", "Open downloads", ("status",), [((s,), n) for s, n in counts.items()])
        speeds = [item.get("speed_bps") or 0 for item in queue.get("active", {}).values()]
        yield _gauge("download_bytes_per_second", "What all downloads fetch at present", sum(speeds))

    def _hosts(self, hosts: dict[str, dict[str, Any]]) -> Iterator[Metric]:
        cpu: Labelled = [((name,), host.get("cpu_percent")) for name, host in hosts.items()]
        yield _labelled("cpu_percent", "Processor time in use on a host", ("host",), cpu)
        memory: Labelled = [((name,), (host.get("memory") or {}).get("used")) for name, host in hosts.items()]
        yield _labelled("memory_used_bytes", "Memory in use on a host", ("host",), memory)
        gpus = [
            ((name, str(gpu.get("index", "")), str(gpu.get("name", ""))), gpu)
            for name, host in hosts.items()
            for gpu in (host.get("gpu") or {}).get("devices") or ()
        ]
        for name, text, key in _GPU_GAUGES:
            yield _labelled(name, text, _GPU, [(labels, gpu.get(key)) for labels, gpu in gpus])
        disks = [((name, disk["path"]), disk) for name, host in hosts.items() for disk in host.get("disks") or ()]
        for name, text, key in _DISK_GAUGES:
            yield _labelled(name, text, _DISK, [(labels, disk.get(key)) for labels, disk in disks])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"modeldeck_{name}", text, value=value)


def _labelled(name: str, text: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    family = GaugeMetricFamily(f"modeldeck_{name}", text, labels=labels)
    for shown, value in values:
        if value is not None:
            family.add_metric(shown, value)
    return family
