"""Prometheus metrics that every service has."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("modeldeck_commands", "Commands answered", ["verb", "outcome"])
COMMAND_SECONDS = Histogram("modeldeck_command_seconds", "Time to answer a command", ["verb"])
DELIVERED = Counter(
    "modeldeck_deliveries", "Messages of durable policies by what became of them", ["durable", "outcome"]
)
FOLDED_SEQ = Gauge("modeldeck_folded_seq", "Sequence of EVENTS that the folds have reached")
FOLD_ERRORS = Counter("modeldeck_fold_errors", "Records on which a fold failed")
TASK_FAILURES = Counter("modeldeck_task_failures", "Background tasks that ended with an error", ["task"])
NATS_CONNECTED = Gauge("modeldeck_nats_connected", "1 while the connection to NATS stands")
