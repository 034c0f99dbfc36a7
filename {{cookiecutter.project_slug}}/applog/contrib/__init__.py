"""What a variable switches on: a collector (OpenTelemetry), Sentry, and a queue before each file."""

import logging
import os
from typing import Any


def switch_on(config: dict[str, Any]) -> None:
    """Add the handlers that variables ask for to the loggers that `config`, which is LOGGING, has set up.

    Raises EnvError for a variable of OpenTelemetry's or Sentry's that cannot be used.
    """
    from django.conf import settings  # noqa: PLC0415  the queue works without Django

    if os.environ.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from applog.contrib.otlp import OTLPHandler, check_environment  # noqa: PLC0415  what it imports is optional
        from applog.filters import LevelFilter  # noqa: PLC0415

        check_environment()
        handler = OTLPHandler()
        handler.addFilter(LevelFilter(logging.root.level, getattr(settings, "LOG_LEVELS", {})))
        logging.root.addHandler(handler)
    if dsn := os.environ.get("SENTRY_DSN"):
        from applog.contrib.sentry import start  # noqa: PLC0415  what it imports is optional

        start(dsn)
    if getattr(settings, "LOG_QUEUE", False):
        from applog.contrib.queues import add_queues  # noqa: PLC0415  which listens to forks and exits

        add_queues(config.get("loggers", ()))
