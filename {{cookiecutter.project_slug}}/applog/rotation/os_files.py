"""Opening, renaming and removing a file that other processes use, on each system."""

import errno
import io
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from applog.rotation.own_file import OwnFile, close_at_fork

WINDOWS = sys.platform == "win32"
NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # another account may have put one there, to choose where the server writes
RENAME_SECONDS = 0.02  # how long a rename is retried on Windows
REMOVED = ".deleted"  # the end of such a name on Windows
DESCRIPTOR = 200  # and above: below, daemons that have closed all descriptors open files of their own
OPENINGS = 5  # of a file that is rotated and compressed meanwhile
FILE_MODE, FOLDER_MODE = 0o640, 0o750  # Unix: logs are not for every user of the machine; the umask may take away more

if sys.platform == "win32":
    import _winapi
    import msvcrt

    # Unlike open(), let others rename and delete the file meanwhile: FILE_SHARE_READ and _DELETE, and with _WRITE.
    SHARE, SHARE_ALL, CREATE_NEW, OPEN_EXISTING, OPEN_ALWAYS = 0x5, 0x7, 1, 3, 4
    # With FILE_APPEND_DATA but not FILE_WRITE_DATA, NTFS itself writes at the end (WDK, ZwCreateFile).
    APPEND = 0x4 | 0x80 | 0x100000  # FILE_APPEND_DATA, FILE_READ_ATTRIBUTES, SYNCHRONIZE

    def _open(path: str, access: int, share: int, disposition: int, flags: int) -> int:
        handle = _winapi.CreateFile(path, access, share, 0, disposition, 0x80, 0)  # FILE_ATTRIBUTE_NORMAL
        try:
            return msvcrt.open_osfhandle(handle, flags | os.O_NOINHERIT)
        except OSError:
            _winapi.CloseHandle(handle)
            raise

    def _open_to_append(path: str, _like: os.stat_result | None, _flags: int) -> int:
        return _open(path, APPEND, SHARE_ALL, OPEN_ALWAYS, os.O_APPEND)

    def _open_new(path: str, _like: os.stat_result | None) -> int:
        return _open(path, APPEND, SHARE_ALL, CREATE_NEW, os.O_APPEND)

    def _read_opener(path: str, _flags: int) -> int:
        return _open(path, _winapi.GENERIC_READ, SHARE_ALL, OPEN_EXISTING, os.O_RDONLY)

    def _open_quiet(path: str) -> int:
        return _open(path, _winapi.GENERIC_READ, SHARE, OPEN_EXISTING, os.O_RDONLY)  # fails while another one writes

    def hold(_descriptor: int) -> bool:
        """Return True: the system knows by itself who can write the file."""
        return True

else:
    import fcntl

    _read_opener = None

    def open_descriptor(path: str, flags: int, like: os.stat_result | None = None) -> int:
        """Open the file at `path` to append, with `flags` such as O_WRONLY, or make it, `like`. Raises OSError.

        Nobody waits for the reader of a pipe that somebody has put there. Who may read a lock's file could lock it.
        """
        mode = FILE_MODE if flags & os.O_WRONLY else 0o600
        flags |= os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        for _ in range(OPENINGS):  # others may make it, and rename it, meanwhile
            with suppress(FileNotFoundError):
                descriptor = os.open(path, flags)
                os.set_blocking(descriptor, True)
                return raise_number(descriptor)
            with suppress(FileExistsError):
                return _make(path, flags, like, mode)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _make(path: str, flags: int, like: os.stat_result | None, mode: int = FILE_MODE) -> int:
        # Never a file, or what a link leads to, that somebody else has put there: it is given away as root.
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode)
        adopt(descriptor, path, like)
        return raise_number(descriptor)

    def _open_to_append(path: str, like: os.stat_result | None, flags: int) -> int:
        return open_descriptor(path, os.O_WRONLY | flags, like)

    def _open_new(path: str, like: os.stat_result | None) -> int:
        return _make(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, like)

    def _open_quiet(path: str) -> int:
        # What a link leads to is not for whoever may read the logs; nor is a pipe's writer waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | NO_LINK | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def hold(descriptor: int) -> bool:
        """Lock the file, so that nobody compresses it, and tell whether that could be done; True if nothing can."""
        # The system gives this lock back when the last process has closed the file, or has died.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:  # or a file system without locks, where `open_quiet` fails
            return not isinstance(error, BlockingIOError)
        with suppress(OSError):
            return os.fstat(descriptor).st_nlink > 0
        return False

    def raise_number(descriptor: int) -> int:
        """Return a descriptor of the same file with a number of DESCRIPTOR or above, if there may be so many."""
        try:
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR)
        except OSError:
            return descriptor
        os.close(descriptor)
        return high

    def separate(file: OwnFile, path: str) -> OwnFile:
        """Open an inherited file anew, under its number; return it if it is no ordinary one at `path`. Raises OSError.

        What is inherited has one offset with the parent's, by which `own_file.take_back` knows the end of its record.
        """
        if not (file.is_ordinary and file.status_at(path)):
            return file
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | NO_LINK)
        try:
            if not (os.path.samestat(os.fstat(file.fileno()), os.fstat(descriptor)) and hold(descriptor)):
                return file  # it was rotated meanwhile
            os.dup2(descriptor, file.fileno(), inheritable=False)
        finally:
            os.close(descriptor)
        other = file.hand_over()
        close_at_fork(other)
        return other

    def adopt(descriptor: int, path: str, like: os.stat_result | None) -> None:
        """Give a new file the mode and owner of `like`; without, and as root, the folder's owner.

        Otherwise root, as `sudo manage.py`, would make files that the server cannot write.
        """
        with suppress(OSError):
            owner = like or os.stat(os.path.dirname(path))
            is_root = os.geteuid() == 0
            if is_root or like:
                os.fchown(descriptor, owner.st_uid if is_root else -1, owner.st_gid)
        with suppress(OSError):
            if like:
                os.fchmod(descriptor, like.st_mode & 0o777 | stat.S_IWUSR)


def resolve(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file; of a link to an ordinary or future file, where it leads to."""
    path = os.path.abspath(os.fspath(path))
    real = os.path.realpath(path) if os.path.islink(path) else path
    return real if os.path.isfile(real) or not os.path.exists(path) else path


def open_to_append(path: str, like: os.stat_result | None = None, flags: int = NO_LINK) -> OwnFile:
    """Open the file at `path`, which may be renamed then, or make it, as `open_descriptor` does. Raises OSError."""
    os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
    return OwnFile(_open_to_append(path, like, flags))


def open_new(path: str, like: os.stat_result | None = None) -> OwnFile:
    """Make the file at `path`, which must not be there yet, and open it to append. Raises OSError."""
    return OwnFile(_open_new(path, like))


def open_log(path: str, like: os.stat_result | None = None, *, no_link: bool = False) -> OwnFile:
    """Open the file at `path` as `open_to_append` does. Nobody compresses it before this process has closed it."""
    flags = NO_LINK if no_link else 0
    for _ in range(OPENINGS):
        file = open_to_append(path, like, flags)
        close_at_fork(file)
        if hold(file.fileno()):
            return file
        file.close()  # it was rotated meanwhile, and is being compressed
    return open_to_append(path, like, flags)


def open_quiet(path: str) -> OwnFile:
    """Open the file at `path` for reading, if no process can still write it. Raises OSError."""
    return OwnFile(_open_quiet(path), "rb")


def open_to_read(path: str) -> io.FileIO:
    """Open the file at `path` for reading, unbuffered. Others may rename and delete it meanwhile. Raises OSError."""
    return io.FileIO(path, "rb", opener=_read_opener)


def rename(source: str, target: str) -> None:
    """Rename a file; a file called `target` is replaced. Raises OSError.

    On Windows that fails while another program has the file open. Programs that read a log close it soon, so the rename
    is tried again for RENAME_SECONDS.
    """
    until = time.monotonic() + RENAME_SECONDS if WINDOWS else 0
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(0)


def free_name(path: str) -> None:
    """Remove the file at `path`, so that its name is free at once. Raises OSError."""
    if WINDOWS:
        # A removed file keeps its name until every process has closed it, so rename it first.
        removed = f"{path}.{time.time_ns()}{REMOVED}"
        rename(path, removed)
        with suppress(OSError):  # `retention.discard` tries again
            remove(removed)
    else:
        os.remove(path)


def remove(path: str) -> None:
    """Remove the file at `path`, on Windows also if it is read-only, as copies often are. Raises OSError."""
    if WINDOWS:
        os.chmod(path, stat.S_IWRITE)
    os.remove(path)


def discard(log: str, paths: Iterable[str]) -> None:
    """Remove rotated files of `log`, and what could not be removed before. Those that cannot be removed stay."""
    leftovers: Iterator[Path] = iter(())
    if WINDOWS:
        name = os.path.basename(log)
        removed = re.compile(rf"{re.escape(name)}\..*\.\d+{re.escape(REMOVED)}", re.IGNORECASE)  # by `free_name`
        leftovers = (path for path in Path(log).parent.glob(f"*{REMOVED}") if removed.fullmatch(path.name))
    for path in paths:
        with suppress(OSError):
            free_name(path)
    for leftover in leftovers:
        with suppress(OSError):
            remove(str(leftover))
