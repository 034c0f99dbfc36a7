"""What the tests of the queue run in a Python of their own: `queue_scenes.py SCENE LOG`.

The standard library only, so that any Python on any system can run it.
"""

import atexit
import contextvars
import logging
import logging.config
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

import storm

storm.load_handlers()
from applog.contrib import queues  # noqa: E402  the line above puts the template on the path
from applog.rotation import os_files  # noqa: E402

RECORDS = 50
request_id = contextvars.ContextVar("request_id", default="-")
logger = logging.getLogger("app")


class RequestId(logging.Filter):
    """Put the request's id on each record, which only the thread that logs can know."""

    def filter(self, record):
        """Let every record pass."""
        record.request_id = request_id.get()
        return True


class SlowFile(os_files.OwnFile):
    """A file on a disk that takes its time for each line."""

    seconds = 0.0
    is_busy = threading.Event()

    def write(self, data):
        """Wait, and write."""
        self.is_busy.set()
        time.sleep(self.seconds)
        return super().write(data)


def open_slowly(path, *_about):
    """Open a file as `os_files.open_to_append` does, on such a disk."""
    Path(path).parent.mkdir(exist_ok=True)
    return SlowFile(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT))


def start(log, seconds=0.0):
    """Log into two files, each behind a queue, on a disk that takes `seconds` for a line."""
    if seconds:
        os_files.open_to_append = open_slowly
        SlowFile.seconds = seconds
    handler = {
        "class": "applog.handlers.SharedRotatingFileHandler",
        "maxBytes": 0 if seconds else 4000,
        "backupCount": 900,
        "formatter": "text",
        "filters": ["request_id"],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"text": {"format": "%(levelname)s [%(request_id)s] %(threadName)s %(message)s"}},
            "filters": {"request_id": {"()": RequestId}},
            "handlers": {
                "file": {**handler, "filename": log},
                "security_file": {**handler, "filename": Path(log).with_name("security.log"), "level": "WARNING"},
            },
            "root": {"handlers": ["file"], "level": "INFO"},
            "loggers": {"security": {"handlers": ["security_file"]}, "alone": {"handlers": ["file"], "propagate": 0}},
        }
    )
    queues.add_queues(["security", "alone"])


def write(first, last):
    """Write the records of these numbers."""
    for number in range(first, last):
        logger.info("n%dn end", number)


def patch_and_write(log):
    """Let a server put its own queue in the place of the system's, as gevent does, once logging is set up."""
    start(log)
    queue.SimpleQueue = queue._PySimpleQueue  # noqa: SLF001
    write(0, RECORDS)
    [used] = {type(handler.queue) for handler in logging.getLogger().handlers}
    assert used is queue.SimpleQueue


def flush_behind_a_namer_that_logs(log):
    """Empty the queue, as a fork and the end of the process do, while the writing thread logs; print the seconds."""
    start(log)

    def name(path):
        time.sleep(0.01)
        logger.info("named")
        return path

    handler = logging.getLogger().handlers[0]
    handler.target.namer, handler.target.backupCount = name, 9
    for number in range(200):
        logger.info("n%dn", number)
    begin = time.monotonic()
    handler.flush()
    print(time.monotonic() - begin)


def write_behind_a_rotator_that_exits(log):
    """Have a rotator that once does what must not end the thread that writes."""
    start(log)
    target = logging.getLogger().handlers[0].target
    exits = iter([SystemExit("once")])

    def rotate(source, dest):
        for error in exits:
            raise error
        Path(source).rename(dest)

    target.rotator = rotate
    write(0, 2000)


def write_and_end(log):
    """End right after many records, on a slow disk, and write one more while the interpreter ends."""
    start(log, 0.01)
    atexit.register(write, RECORDS, RECORDS + 1)
    write(0, RECORDS)


def write_and_be_terminated(log):
    """Get SIGTERM right after many records."""
    start(log, 0.01)
    write(0, RECORDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def write_and_be_terminated_twice(log):
    """Get SIGTERM again, as from a service manager that tells all processes, while the queue is written."""
    start(log, 0.01)
    write(0, RECORDS)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def write_on_while_the_disk_is_late(log):
    """Go on when the disk has not taken in time what was queued at a fork, and end."""
    start(log, 0.01)
    queues.DRAIN_SECONDS = 0.1
    write(0, RECORDS)
    logging.root.handlers[0].flush()
    queues.DRAIN_SECONDS = 30
    write(RECORDS, 2 * RECORDS)


def write_everything(log):
    """Write what differs between the thread that logs and the one that writes."""
    start(log)
    request_id.set("3f2c")
    changing = ["before"]
    threading.current_thread().name = "request"
    logger.info("%s 100%%", changing)
    changing[0] = "after"
    logging.getLogger("security").info("unimportant")
    logging.getLogger("security").warning("sign-in failed")
    logging.getLogger("alone").info("alone")
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logger.exception("failed")
    logging.shutdown()
    logger.info("last words")


def fork(log):
    """Fork, by os.fork and by multiprocessing, while other threads write and rotate; parent and children write."""
    start(log)
    write(0, 100)
    stop = threading.Event()

    def be_busy():
        while not stop.is_set():
            logger.info("busy end")
            time.sleep(0.0001)

    threads = [threading.Thread(target=be_busy) for _ in range(int(sys.version_info < (3, 12)) * 2)]
    for thread in threads:
        thread.start()
    for number in range(100, 130):
        child = os.fork()
        if not child:
            write(number, number + 1)
            logging.shutdown()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    children = [
        multiprocessing.get_context("fork").Process(target=write, args=(number, number + 10))
        for number in range(130, 160, 10)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    stop.set()
    for thread in threads:
        thread.join()
    write(160, 170)


def fill(log):
    """Fill a queue of ten records on a disk that stops for three seconds, and write on when it goes again."""
    queues.CAPACITY = 10
    start(log, 3)
    write(0, 1)
    assert SlowFile.is_busy.wait(30)  # the thread has taken it, and waits for the disk
    SlowFile.seconds = 0
    begin = time.monotonic()
    write(1, 111)
    took = time.monotonic() - begin
    time.sleep(4)
    write(111, 121)
    print(f"{took:.1f}")


if __name__ == "__main__":
    scene, path = sys.argv[1:]
    globals()[scene](path)
