"""A queue before each log file, so that no request waits for a disk.

The request's thread filters and formats a record and puts it into the queue; another thread of the process writes it
into the file. https://docs.python.org/3/howto/logging-cookbook.html#dealing-with-handlers-that-block
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener
from types import FrameType
from typing import Any

from applog.rotation.complaints import Complaints

CAPACITY = 10_000  # records
WAIT_SECONDS = 1.0  # for room in a full queue
DRAIN_SECONDS = 10.0  # for what is queued when the process ends or forks


def add_queues(names: Iterable[str]) -> None:
    """Put a queue before each file of the root logger and of the loggers called `names`.

    In the main thread, and unless there is a handler for it, a handler for SIGTERM is added that empties the queues.
    """
    queues: dict[logging.Handler, FileQueueHandler] = {}
    for logger in (logging.root, *map(logging.getLogger, names)):
        for handler in logger.handlers[:]:
            if isinstance(handler, logging.FileHandler):
                if handler not in queues:
                    queues[handler] = FileQueueHandler(handler)
                logger.removeHandler(handler)
                logger.addHandler(queues[handler])
    with suppress(ValueError):  # only the main thread can handle signals
        if queues and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _drain_and_terminate)


class FileQueueHandler(QueueHandler):
    """Queues records for `target`, whose filters, formatter and level it takes over.

    A thread that finds CAPACITY records in the queue waits for up to WAIT_SECONDS. If there is still no room, records
    are dropped, and counted on stderr, until there is: a disk that does not answer must not stop the site.

    The first record of each process starts the thread that writes. It ends before a fork and at exit, once everything
    is written, or after DRAIN_SECONDS.
    """

    lock: Any
    queue: "queue.SimpleQueue[Any]"  # unlike queue.Queue, a signal handler may use it
    listener: "_Listener | None"
    _closed: bool

    def __init__(self, target: logging.FileHandler) -> None:
        super().__init__(queue.SimpleQueue())  # until the thread starts, which gets another one
        self.target, self.listener = target, None
        self._finalizer: Any = None
        self._ending: list[_Listener] = []  # threads that still write what was queued
        self.setLevel(target.level)
        self.setFormatter(target.formatter)
        self.filters, target.filters = target.filters, []
        target.setFormatter(None)  # the message alone, which is the line already
        self._complaints = Complaints(target)
        self._wait_seconds = WAIT_SECONDS
        _handlers.add(self)

    def handle(self, record: logging.LogRecord) -> Any:
        """Queue `record` if the filters let it pass."""
        # What the writing thread logs, as in a namer, does not wait for the lock: `stop` has it, and waits for that.
        if any(listener and listener.is_current_thread() for listener in (self.listener, *self._ending)):
            passed: Any = self.filter(record)
            return passed and self.target.handle(self.prepare(record if passed is True else passed))
        return super().handle(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a record, formatted, into the queue. The caller holds the handler's lock."""
        if self._closed or not self._has_thread():  # logging.shutdown is over, for example
            self.target.handle(record)
        elif self._has_room():
            self.queue.put(record)
        else:
            self._complaints.lost(queue.Full(f"the queue is full, {CAPACITY} records wait for the disk"))

    def _has_room(self) -> bool:
        until = time.monotonic() + self._wait_seconds
        while self.queue.qsize() >= CAPACITY:
            if time.monotonic() >= until:
                self._wait_seconds = 0
                return False
            time.sleep(0.001)
        self._wait_seconds = WAIT_SECONDS
        return True

    def _has_thread(self) -> bool:
        if not self.listener:
            # Not earlier: gevent and eventlet put their own class in its place, and a thread that waits for one of the
            # system's would stop all of theirs. gunicorn lets them do so after the fork, with `preload_app`.
            self.queue = queue.SimpleQueue()
            listener = _Listener(self.queue, self.target)
            try:
                listener.start()
            except RuntimeError:  # the interpreter ends, or there are too many threads
                return False
            except BaseException:  # of a signal's handler: the thread may have been started
                listener.enqueue_sentinel()
                raise
            self.listener = listener
            # Child processes of multiprocessing do not run atexit's functions. Another thread may just import it.
            finalize = getattr(sys.modules.get("multiprocessing.util"), "Finalize", None)
            if finalize and not self._finalizer:
                self._finalizer = finalize(None, self.stop, exitpriority=0)
        return True

    def stop(self) -> None:
        """Write what is queued, for up to DRAIN_SECONDS, and end the thread. The next record starts another one."""
        with self.lock:
            if self.listener and not self.listener.is_current_thread():
                # Do this first, as a signal handler may call this method while it waits. The next thread gets its own
                # queue, from which a thread that is late cannot take records.
                self._ending.append(self.listener)
                self.listener = None
            late = [listener for listener in self._ending if not (listener.is_current_thread() or listener.drain())]
            self._ending = [listener for listener in self._ending if listener in late or listener.is_current_thread()]
            if late:
                left = sum(listener.queue.qsize() for listener in late)
                self._complaints.lost(TimeoutError(f"the disk has not taken them in {DRAIN_SECONDS:.0f} s"), left)

    def forget(self) -> None:
        """Start again in a forked child: threads, and perhaps the owner of the queue's lock, are in the parent only."""
        self.listener, self._ending = None, []
        self._finalizer = None  # multiprocessing clears its own in a child

    def flush(self) -> None:
        """Write what is queued."""
        self.stop()

    def close(self) -> None:
        """Write what is queued. A later record is written by the thread that makes it."""
        self.stop()
        super().close()


class _Listener(QueueListener):
    queue: "queue.SimpleQueue[Any]"

    def handle(self, record: logging.LogRecord) -> None:
        try:
            super().handle(record)
        except BaseException:  # noqa: BLE001  a handler that raises, or exits, must not end the thread
            self.handlers[0].handleError(record)

    def is_current_thread(self) -> bool:
        return self._thread is threading.current_thread()  # a rotator that logs, or forks

    def drain(self) -> bool:
        """Write what is queued and end the thread, and tell whether it did so within DRAIN_SECONDS."""
        self.enqueue_sentinel()
        if thread := self._thread:
            thread.join(DRAIN_SECONDS)
        return not (thread and thread.is_alive())


_handlers: weakref.WeakSet[FileQueueHandler] = weakref.WeakSet()


def _stop_all() -> None:
    for handler in list(_handlers):
        handler.stop()


def _forget_all() -> None:
    for handler in list(_handlers):
        handler.forget()


def _drain_and_terminate(number: int, _frame: FrameType | None) -> None:
    """Empty the queues: SIGTERM ends a process without atexit's functions."""
    signal.signal(number, signal.SIG_IGN)  # a service manager and the parent process may both ask for it
    _stop_all()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


if sys.platform != "win32":
    os.register_at_fork(before=_stop_all, after_in_child=_forget_all)
