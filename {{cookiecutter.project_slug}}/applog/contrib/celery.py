"""Celery's workers: their records in the project's log files, and each task's beginning and end.

config/celery.py calls `connect`. https://docs.celeryq.dev/en/stable/userguide/signals.html
"""

import logging
from typing import Any

from celery import signals
from celery.app import trace

from applog import tasks
from applog.context import NO_REQUEST, current_request_id

REQUEST_ID = "applog_request_id"  # a header of each message
# What Celery's own records of a task's end begin with: `tasks.end` has logged it.
OWN_RECORDS = trace.LOG_SUCCESS, trace.LOG_FAILURE


def connect() -> None:
    """Keep Celery from replacing the project's log handlers, and log its tasks."""
    signals.setup_logging.connect(leave_logging)
    signals.before_task_publish.connect(keep_request_id)
    signals.task_prerun.connect(started)
    signals.task_failure.connect(failed)
    signals.task_postrun.connect(finished)
    logging.getLogger("celery.app.trace").addFilter(is_not_of_an_end)
    logging.getLogger("celery.worker.strategy").addFilter(without_arguments)


def leave_logging(**_: object) -> None:
    """Leave logging as the settings have set it up."""


def is_not_of_an_end(record: logging.LogRecord) -> bool:
    """Tell whether a record is another one than Celery's of a task's end. This is a filter."""
    return record.msg not in OWN_RECORDS


def without_arguments(record: logging.LogRecord) -> bool:
    """Take the arguments of a task that has been received from its record. This is a filter, which keeps all."""
    vars(record).pop("data", None)
    return True


def keep_request_id(headers: dict[str, Any], **_: object) -> None:
    """Send the id of the current request with a task."""
    if (request_id := current_request_id()) != NO_REQUEST:
        headers[REQUEST_ID] = request_id


def started(task_id: str, task: Any, **_: object) -> None:
    """Log that a task begins."""
    tasks.begin(task_id, task.name, getattr(task.request, REQUEST_ID, None))


def failed(sender: Any, exception: BaseException, **_: object) -> None:
    """Remember what a task has failed with, until its end."""
    sender.request.applog_error = exception


def finished(task: Any, state: str, **_: object) -> None:
    """Log that a task has ended; an error that it announces in `throws` is none."""
    error = getattr(task.request, "applog_error", None)
    if isinstance(error, tuple(task.throws)):
        tasks.end(f"{state} ({type(error).__name__})", level=logging.INFO)
    else:
        tasks.end(state, error)
