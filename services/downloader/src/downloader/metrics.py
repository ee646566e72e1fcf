"""Prometheus metrics of the downloader, beside those of every service."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RUNNING = Gauge("modeldeck_downloads_running", "Downloads that this process works on")
FILES = Counter("modeldeck_download_files", "Files by what became of them", ["outcome"])
FETCHED_BYTES = Counter("modeldeck_download_fetched_bytes", "Bytes of completed files that came over the network")
RETRIES = Counter("modeldeck_download_retries", "Tries that failed and are repeated", ["code"])
CRASHES = Counter("modeldeck_download_crashes", "Downloads that ended by a defect of this program")
READINGS_DROPPED = Counter("modeldeck_readings_dropped", "Progress readings not published, as NATS was away")
