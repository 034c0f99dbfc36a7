"""Records of background tasks: each one's beginning and end, and whose records are whose.

Django's tasks are known by themselves, https://docs.djangoproject.com/en/stable/topics/tasks/, and those of the package
django-tasks before Django 6.0. For those of another queue, its signals have to call `begin` and `end`.
"""

import logging
import sys
import time
from contextvars import ContextVar
from importlib import import_module
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models.signals import pre_save

from applog.bound import bind
from applog.context import NO_REQUEST, REQUEST_ID_PATTERN, current_request_id, inherited_request_id

# Beside the arguments of a task in django-tasks-db's table.
REQUEST_ID = "applog.request_id"
SIGNALS = "django.tasks.signals", "django_tasks.signals"
OWN_RECORDS = "log_task_started", "log_task_finished"  # Django's, which would be a second record of the same

logger = logging.getLogger("applog.task")


class Running(NamedTuple):
    """A task that has begun, what it has bound, and the task that it runs in, if it does."""

    id: str
    name: str
    begin: float  # time.perf_counter()
    fields: bind
    outer_request_id: str
    outer: "Running | None"


_running: ContextVar[Running | None] = ContextVar("running_task", default=None)


def begin(task_id: str, name: str, request_id: object = None) -> None:
    """Log that a task begins. Until `end`, all records of this thread or coroutine are the task's.

    Args:
        task_id: its id, which stands in records as `task.id`.
        name: its name, `task.name`.
        request_id: the id of the request that has queued it, as the queue has kept it.

    """
    fields = bind({"task.id": task_id, "task.name": name})
    is_id = isinstance(request_id, str) and REQUEST_ID_PATTERN.fullmatch(request_id)
    _running.set(Running(task_id, name, time.perf_counter(), fields, inherited_request_id.get(), _running.get()))
    if is_id:
        inherited_request_id.set(str(request_id))
    logger.debug("%s begins", name)


def end(state: str, error: BaseException | None = None, level: int | None = None) -> None:
    """Log that the task which began last has ended.

    Args:
        state: how, as the queue calls it.
        error: what it has failed with.
        level: of the record; by default ERROR for a task that has failed, else INFO.

    """
    if not (running := _running.get()):
        logger.error("A task that did not begin: %s", state, exc_info=error)
        return
    duration = round((time.perf_counter() - running.begin) * 1000, 1)
    # Again, as requests that the task has made, by Django's Client say, have ended all fields.
    bind({"task.id": running.id, "task.name": running.name})
    level = level or (logging.ERROR if error else logging.INFO)
    more = {"duration_ms": duration}
    logger.log(level, "%s %s in %s ms", running.name, state, duration, exc_info=error, extra=more)
    running.fields.__exit__()
    inherited_request_id.set(running.outer_request_id)
    _running.set(running.outer)


def connect() -> None:
    """Connect the receivers to the signals of Django's tasks, as far as they are installed."""
    for path in SIGNALS:
        try:
            signals = import_module(path)
        except ImportError:
            continue
        for name in OWN_RECORDS:
            receiver = getattr(signals, name, None)
            signals.task_started.disconnect(receiver)
            signals.task_finished.disconnect(receiver)
        signals.task_started.connect(started)
        signals.task_finished.connect(finished)
    if apps.is_installed("django_tasks_db"):
        pre_save.connect(keep_request_id, sender="django_tasks_database.DBTaskResult")


def started(task_result: Any, **_: object) -> None:
    """Log that a task begins."""
    kept = getattr(getattr(task_result, "db_result", None), "args_kwargs", None)
    request_id = kept.get(REQUEST_ID) if isinstance(kept, dict) else None
    begin(str(task_result.id), task_result.task.module_path, request_id)


def finished(task_result: Any, **_: object) -> None:
    """Log that a task has ended. The signal is sent while its exception is handled, if there is one."""
    end(str(task_result.status), sys.exc_info()[1])


def keep_request_id(instance: Any, **_: object) -> None:
    """Keep the id of the current request with a task that is queued in the database."""
    request_id = current_request_id()
    if instance._state.adding and request_id != NO_REQUEST:
        instance.args_kwargs = {**instance.args_kwargs, REQUEST_ID: request_id}
