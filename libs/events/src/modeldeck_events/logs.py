"""Structured logging: JSON lines, or readable ones on a terminal, for structlog and the standard library alike."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(service: str, level: str = "info") -> None:
    """Send every log entry of the process to standard error, with the service's name; libraries from WARNING on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    end: list[structlog.typing.Processor]
    if sys.stderr.isatty():
        end = [structlog.dev.ConsoleRenderer()]
    else:
        end = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[_add_service(service), structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for own in ("modeldeck_events", "downloader", "catalog", "telemetry", "gateway", "modeldeck_local", "__main__"):
        logging.getLogger(own).setLevel(logging.DEBUG)


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _name: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        entry.setdefault("service", service)
        return entry

    return add
