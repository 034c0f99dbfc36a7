"""Sends log records to an OpenTelemetry collector, by OTLP over HTTP.

This module is imported only if a variable of OpenTelemetry's names a collector. The SDK puts records into a bounded
queue and sends them from its own thread, so that no request waits for the network. While the collector is unreachable,
the oldest queued records are dropped; the log files still contain them.
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import contextlib
import contextvars
import logging
import os
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.conf import settings
from environs import Env, EnvError, validate

from applog.attributes import attributes
from applog.context import stamp
from applog.formatters import message_of

try:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context
except ImportError as error:
    message = 'OpenTelemetry, which "OTEL_" variables ask for, is not installed; run "uv sync --group otlp"'
    raise EnvError(message) from error

EXIT_SECONDS = 1.5  # for sending what is in the queue when the process ends
WARN_SECONDS = 600.0  # at least, between two warnings that the collector cannot be reached
# These loggers repeat their warnings for as long as the collector cannot be reached.
NOISY_LOGGERS = (
    "opentelemetry.attributes",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.sdk._shared_internal",
    "urllib3.connectionpool",
)

logger = logging.getLogger("applog.otlp")
own_messages: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("own_messages", default=None)


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep records of the export itself out of the log, where they would be exported again. Yields its warnings."""
    messages: list[str] = []
    token = own_messages.set(messages)
    try:
        yield messages
    finally:
        own_messages.reset(token)


def is_foreign(record: logging.LogRecord) -> bool:
    """Tell whether a record does not come from the export itself. This is a filter for handlers and loggers."""
    messages = own_messages.get()
    if messages is not None and record.levelno >= logging.WARNING:
        messages.append(record.getMessage())
    return messages is None


class Exporter(OTLPLogExporter):
    """The SDK's exporter, which tries again until OTEL_EXPORTER_OTLP_TIMEOUT. It warns once of each outage."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0
        self._warned = False
        self._warn_at = 0.0

    def export(self, batch: Any) -> Any:
        """Send a batch of records. Returns a LogRecordExportResult."""
        with quiet() as messages:
            result = super().export(batch)
        if result is LogRecordExportResult.SUCCESS:
            self._succeeded()
        else:
            self.failed(len(batch), messages[0] if messages else "no answer in time")
        return result

    def failed(self, count: int, reason: str) -> None:
        """Warn that `count` records were not sent, unless there was a warning before."""
        self._lost += count
        if not self._warned and time.monotonic() >= self._warn_at:
            self._warned, self._warn_at = True, time.monotonic() + WARN_SECONDS
            with quiet():
                logger.warning("Records do not reach the OpenTelemetry collector, only the other handlers. %s", reason)

    def _succeeded(self) -> None:
        if self._warned:
            with quiet():
                logger.info("Records reach the OpenTelemetry collector again; it lacks %d or more.", self._lost)
            self._warned, self._lost = False, 0


def context_of(record: logging.LogRecord) -> Any:
    """Return a context of OpenTelemetry's with the trace that the record's request came with, None without one.

    In a span of the SDK's own the record is that one's.
    """
    parts = vars(record)
    if "trace_id" not in parts or get_current_span().get_span_context().is_valid:
        return None
    try:  # the ids may have come as `extra`
        trace_id, span_id, flags = (int(parts.get(name, "0"), 16) for name in ("trace_id", "span_id", "trace_flags"))
    except (TypeError, ValueError):
        return None
    return set_span_in_context(
        NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags)))
    )


class OTLPHandler(logging.Handler):
    """Hands records to OpenTelemetry's SDK, with the attributes of the request, the exception and the active trace."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(is_foreign)
        for name in NOISY_LOGGERS:
            logging.getLogger(name).addFilter(is_foreign)
        self._pid = 0
        self._provider: Any = None
        self._exporter = Exporter()  # here, so that what it imports is not imported in a request

    def emit(self, record: logging.LogRecord) -> None:
        """Put `record` into the queue."""
        try:
            if self._pid != os.getpid():
                self._start()
            if self._provider:
                stamp(record)
                token = own_messages.set([])  # as in `quiet`, in less time
                try:
                    self._logger_of(record.name).emit(
                        timestamp=int(record.created * 1e9),
                        context=context_of(record),
                        # DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21 in the data model
                        severity_number=SeverityNumber(min(record.levelno // 10, 5) * 4 + 1),
                        severity_text=record.levelname,
                        body=message_of(record),
                        attributes={"request_id": vars(record)["request_id"], **attributes(record)},
                    )
                finally:
                    own_messages.reset(token)
        except Exception:  # noqa: BLE001  a log must never stop the application
            self.handleError(record)

    def _start(self) -> None:
        """Start the SDK, with the first record of each process: threads and connections do not survive a fork."""
        inherited, self._provider, self._pid = self._provider, None, os.getpid()
        if inherited:
            inherited.shutdown()  # the SDK has started its thread in this process, too; its queue is empty
        self._exporter = Exporter()
        resource = Resource.create({"service.name": settings.SERVICE_NAME, "process.pid": self._pid})
        provider = LoggerProvider(resource, shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(self._exporter))
        # Since Python 3.12 no thread can be started while the interpreter exits, so this one is started before.
        self._ends = threading.Event()
        self._last = threading.Thread(target=self._shut_down, args=(provider, self._ends), daemon=True)
        self._last.start()
        self._logger_of = lru_cache(1024)(provider.get_logger)
        self._provider = provider

    @staticmethod
    def _shut_down(provider: Any, ends: threading.Event) -> None:
        ends.wait()
        provider.shutdown()

    def close(self) -> None:
        """Send what is in the queue, for EXIT_SECONDS at most."""
        super().close()
        provider, self._provider = self._provider, None
        if provider and self._pid == os.getpid():
            self._ends.set()
            self._last.join(EXIT_SECONDS)
            if self._last.is_alive():
                self._exporter.failed(1, "Logging ends, or is set up anew, before they are sent.")


def check_environment() -> None:
    """Raise EnvError if a variable is not a collector's address, or not the protocol that is installed."""
    env = Env()
    is_address = validate.URL(schemes={"http", "https"}, require_tld=False)
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"):
        if os.environ.get(name):
            env.str(name, validate=is_address)
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"):
        if os.environ.get(name):
            env.str(name, validate=validate.Equal("http/protobuf"))
