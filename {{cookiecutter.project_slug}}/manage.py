#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys

from django.core.management import execute_from_command_line
from environs import EnvError

from applog.commands import command_log
from config import refuse_to_start


def main() -> None:
    """Run administrative tasks."""
    if sys.argv[1:2] == ["test"]:
        # As pytest does: tests write no log files, and need no collectstatic.
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        with command_log(sys.argv):
            execute_from_command_line(sys.argv)
    except EnvError as error:
        refuse_to_start(error)


if __name__ == "__main__":
    main()
