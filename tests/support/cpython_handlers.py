"""CPython's own tests of logging, run with the template's handlers: `cpython_handlers.py [full]`.

By any Python that has them. Prints a JSON object: how many tests ran, and the names of those that failed.
"""

import io
import json
import logging.handlers
import sys
import unittest

import storm

handlers = storm.load_handlers()
logging.handlers.RotatingFileHandler = handlers.SharedRotatingFileHandler
logging.handlers.TimedRotatingFileHandler = handlers.SharedTimedRotatingFileHandler
logging.handlers.WatchedFileHandler = handlers.WatchedFileHandler

from test import test_logging  # noqa: E402  after the handlers are in their place

CLASSES = [
    test_logging.HandlerTest,
    test_logging.MemoryHandlerTest,
    test_logging.ConfigFileTest,
    test_logging.ConfigDictTest,
    test_logging.ShutdownTest,
    test_logging.FileHandlerTest,
    test_logging.RotatingFileHandlerTest,
    test_logging.TimedRotatingFileHandlerTest,
    test_logging.MemoryTest,
    test_logging.ModuleLevelMiscTest,
]

# These take their time: a race of eight seconds, and sockets that have nothing to do with files.
SLOW = ("test_race", "test_listen")


def tests(*, full):
    """Yield the tests to run."""
    for case in CLASSES:
        for name in unittest.defaultTestLoader.getTestCaseNames(case):
            if full or not name.startswith(SLOW):
                yield case(name)


if __name__ == "__main__":
    suite = unittest.TestSuite(tests(full="full" in sys.argv))
    result = unittest.TextTestRunner(io.StringIO(), verbosity=0).run(suite)
    wrong = {test.id().rpartition(".")[2]: trace for test, trace in result.failures + result.errors}
    json.dump({"run": result.testsRun, "failed": wrong}, sys.stdout)
