"""What the tests of the handlers run in a Python of their own: `handler_scenes.py SCENE LOG [ARGUMENT...]`.

The standard library only, so that any Python on any system can run it.
"""

import atexit
import importlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import storm

if sys.platform != "win32":
    import resource

NOBODY = 65534
OPTIONS = {
    "Size": {"maxBytes": 1 << 20, "backupCount": 3},
    "Time": {"when": "midnight"},
    "Watched": {"delay": True},
}
DESCRIPTORS = Path("/proc/self/fd")
storm.load_handlers()
compression, own_file = (importlib.import_module(f"applog.rotation.{name}") for name in ("compression", "own_file"))
logger = logging.getLogger("app")
logger.propagate = False
logger.setLevel(logging.INFO)


def start(log, kind, **options):
    """Log into `log`, and return the handler that does it."""
    handler = storm.make_handler({"handler": kind, "path": log, "options": {**OPTIONS[kind], **options}})
    logger.addHandler(handler)
    return handler


def write(first, last):
    """Write the records of these numbers."""
    for number in range(first, last):
        logger.info("n%dn %s end", number, "x" * 50)


def give_up_root():
    """Become a user for whom there are forbidden folders."""
    if not os.geteuid():
        os.setuid(NOBODY)


def fill_quota(log, kind):
    """Reach the limit of a file's size, and write on when it is lifted."""
    start(log, kind)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    write(0, 300)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    write(300, 310)


def fill_disk(log, kind):
    """Fill the disk that the log is on, and write on when it has room."""
    start(log, kind)
    ballast = Path(log).parent.parent / "ballast"
    write(0, 5)
    with suppress(OSError), ballast.open("wb") as file:
        file.write(bytes(1 << 20))
    write(5, 3000)
    ballast.unlink()
    write(3000, 3010)


def use_up_descriptors(log, kind):
    """Write while no file can be opened: at the start, and at a rotation."""
    handler = start(log, kind)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    taken = []

    def take_all():
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))

    def give_back():
        while len(taken) > 5:
            os.close(taken.pop())

    take_all()
    write(0, 10)
    give_back()
    write(10, 20)
    take_all()
    handler.maxBytes = 600
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    write(20, 40)
    give_back()


def write_some(log, kind):
    """Write three records."""
    start(log, kind)
    write(0, 3)


def rotate_in_a_subclass(log, kind, first):
    """Write 600 records by a handler whose class rotates in its own way, which takes a moment."""
    handler = start(log, kind, maxBytes=2000, backupCount=5000)

    def rotate(_handler, source, dest):
        shutil.copy(source, dest)
        time.sleep(0.001)
        Path(source).unlink()

    handler.__class__ = type("Own", (type(handler),), {"rotate": rotate})
    write(int(first), int(first) + 600)


def write_from_a_finalizer(log, *options):
    """Write the last record while the interpreter ends."""
    start(log, "Size", maxBytes=60, compress=bool(options))
    write(0, 1)

    class Last:
        def __del__(self):
            write(1, 2)

    sys.modules["kept"] = Last()


def fork_again_and_again(log, size, seconds, times):
    """Rotate, and fork each so many seconds, as a server does that starts programs."""
    handler = start(log, "Size", maxBytes=int(size), backupCount=50, compress=True)
    write(0, 1)
    handler.doRollover()
    for number in range(int(times)):
        write(number, number + 1)
        if not os.fork():
            os._exit(0)
        os.wait()
        write(number, number + 1)
        time.sleep(float(seconds))


def fork_after_close(log):
    """Fork once the handler is closed, and tell which threads there are."""
    handler = start(log, "Size", compress=True)
    write(0, 1)
    handler.doRollover()
    handler.close()
    if not os.fork():
        os._exit(0)
    os.wait()
    say(*(thread.name for thread in threading.enumerate()))


def write_without_rights(log, kind, count, *limit):
    """Write as a user who may not change the folder."""
    start(log, kind, **({"maxBytes": int(limit[0])} if limit else {}))
    give_up_root()
    write(0, int(count))


def write_as(log, kind, user, first, last):
    """Write as a user of a group that all members of a team are in, and wait until rotated files are compressed."""
    compression.FIRST_PAUSE = 0.02
    start(log, kind, maxBytes=1000, backupCount=50, compress=True)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(int(user))
    write(int(first), int(last))
    deadline = time.monotonic() + 20
    while any(path.suffix != ".gz" for path in Path(log).parent.glob("django.log.*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def write_while_renamed(log, seconds):
    """Log, in a signal's handler too, while a child renames the file, and print how many records of both there are."""
    start(log, "Watched")
    child = os.fork()
    if not child:
        for number in range(1 << 30):
            with suppress(FileNotFoundError):
                Path(log).rename(f"{log}.{number}")
            time.sleep(0.0003)
    counts, depth = [0, 10**9], 0

    def log_one(which):
        counts[which] += 1
        write(counts[which] - 1, counts[which])

    def on_signal(*_):
        nonlocal depth
        if depth < 10:  # a slow machine gets the next signal before it is through with the last ones
            depth += 1
            log_one(1)
            depth -= 1

    signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        log_one(0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(counts[0], counts[1] - 10**9)


def lose_descriptor(log, kind, how):
    """Have the log's file closed by somebody else."""
    handler = start(log, kind)
    write(0, 2)
    if how == "stream":
        handler.stream.close()
    else:
        os.close(handler.stream.fileno())
    write(2, 4)


def write_ascii(log, kind):
    """Log what ASCII lacks, and what UTF-8 lacks."""
    start(log, kind, encoding="ascii")
    logger.info("n\u2192\udc80 end")


def fork_while_rotating(log, kind):
    """Fork while three threads write and rotate; each child writes one record, and has few files of theirs open."""
    warnings.simplefilter("ignore", DeprecationWarning)
    handler = start(log, kind)
    handler.maxBytes, handler.backupCount = 300, 2000
    stop = threading.Event()

    def be_busy():
        while not stop.is_set():
            write(0, 1)

    threads = [threading.Thread(target=be_busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1000, 1060):
        child = os.fork()
        if not child:
            write(number, number + 1)
            # Its own one and the lock's, and what a thread was opening, which has two descriptors for a moment.
            os._exit(count_open(Path(log).parent) > 4)
        has_failed = os.waitpid(child, 0)[1]
        if has_failed:
            break
    stop.set()
    for thread in threads:
        thread.join()
    assert not has_failed, number


def count_open(folder):
    """Return how many descriptors this process has of files in a folder, where the system tells."""
    links = DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ()
    return sum(folder in Path(os.readlink(link)).parents for link in links if link.is_symlink())  # noqa: PTH115


def fork_and_shut_the_folder(log, kind):
    """Fork, and have the child write after it has closed all but the handler's file, and may not open it any more."""
    handler = start(log, kind)
    write(0, 5)
    Path(log).parent.chmod(0o700)
    kept = handler.stream.fileno()
    child = os.fork()
    if not child:
        os.closerange(3, kept)
        os.closerange(kept + 1, 4096)
        give_up_root()
        write(5, 10)
        os._exit(count_open(Path(log).parent) != 1)
    assert os.waitpid(child, 0)[1] == 0


def fork_and_fill_quota(log, kind):
    """Have a child write between the moment when its parent's record meets the limit of a file, and its removal."""
    start(log, kind)
    write(0, 1)
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.read(told, 1)
        write(1, 2)
        os._exit(0)
    take_back = own_file.take_back

    def take_back_late(*args):
        os.write(tell, b"x")
        os.waitpid(child, 0)
        take_back(*args)

    own_file.take_back = take_back_late
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(log).stat().st_size + 30, resource.RLIM_INFINITY))
    write(2, 3)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def write_interrupted(log, kind, seconds):
    """Write while each moment may raise KeyboardInterrupt, and print the numbers of the records that came through."""
    times = {"when": "s"} if kind == "Time" else {}
    handler = start(log, kind, **times, maxBytes=600, backupCount=9000)
    done, is_armed = [], False

    def interrupt(*_):
        nonlocal is_armed
        if is_armed:
            is_armed = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.00537)
    until, number = time.time() + float(seconds), 1000
    while time.time() < until:
        with suppress(KeyboardInterrupt):
            is_armed = True
            write(number, number + 1)
            is_armed = False
            done.append(number)
        number += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(0.6)  # until a rotation that failed is tried again
    write(number, number + 1)
    lock = handler._process_lock  # noqa: SLF001
    assert not lock.held
    assert not lock.busy
    say(json.dumps([number - 1000, *done, number]))


def write_last_words(log, kind):
    """Log after logging.shutdown, from atexit, and from a destructor."""
    handler = start(log, kind)
    write(0, 1)

    class Last:
        def __del__(self):
            write(3, 4)

    logger.last = Last()
    logging.shutdown()
    write(1, 2)
    assert handler.stream is None
    atexit.register(write, 2, 3)
    del logger.last


def count_descriptors(log, kind):
    """Rotate often; the number of descriptors stays, and subprocesses get none."""

    def count():
        return len(list(DESCRIPTORS.iterdir()))

    handler = start(log, kind)
    handler.maxBytes, handler.backupCount, handler.totalBytes = 300, 5, 1800
    write(0, 50)
    before = count()
    write(0, 3000)
    handler.doRollover()
    assert count() == before, (before, count())
    listing = subprocess.run(["ls", "-l", DESCRIPTORS], close_fds=False, capture_output=True, text=True, check=True)
    assert "django" not in listing.stdout, listing.stdout
    handler.close()
    assert count() == before - 2, (before, count())


def just_write(log, kind, count):
    """Write `count` records."""
    start(log, kind)
    write(0, int(count))


def keep_lock(log, kind):
    """Take the lock and keep it."""
    handler = start(log, kind)
    handler._process_lock.acquire(1)  # noqa: SLF001
    say("held")
    sys.stdin.read()


def say(*words):
    """Tell the test."""
    print(*words, flush=True)


def hold(path, mode, seconds):
    """Be a foreign program that has a file open for some time."""
    with Path(path).open(mode):
        say("held")
        time.sleep(float(seconds))
    say("freed", time.time())


def read_in_a_loop(path, seconds, pause):
    """Be a foreign program that opens, reads and closes a file once it is there, and say how often that went well."""
    count = 0
    say("held")
    while not Path(path).exists():
        time.sleep(0.01)
    until = time.time() + float(seconds)
    while time.time() < until:
        with suppress(OSError):
            Path(path).read_bytes()
            count += 1
        time.sleep(float(pause))
    say(count)


def hold_idle(job):
    """Be a process of the project that has logged once, and once more at its end."""
    handler = storm.make_handler(json.loads(job))
    handler.handle(logging.makeLogRecord({"msg": "999-0-0 x end"}))
    say("held")
    sys.stdin.readline()
    handler.handle(logging.makeLogRecord({"msg": "999-0-1 x end"}))


def log_and_exit(log):
    """Be a command of manage.py: make both handlers, log a little and end."""
    for kind, options in (("Size", {"maxBytes": 9}), ("Time", {"when": "midnight"})):
        handler = storm.make_handler({"handler": kind, "path": log + kind, "options": options})
        for _ in range(5):
            handler.handle(logging.makeLogRecord({"msg": "hello"}))
        handler.close()


if __name__ == "__main__":
    scene, *arguments = sys.argv[1:]
    globals()[scene](*arguments)
