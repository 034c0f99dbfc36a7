"""Errors reach ADMINS by a mail server."""

import os
import subprocess
import time

import pytest
from conftest import CHOICES
from servers import PRODUCTION, free_port
from smtp import mail_server

CODE = """
import logging
for number in range(50):
    logging.getLogger("shop").error("order %s failed", number)
    try:
        {}[number]
    except KeyError:
        logging.getLogger("django.request").exception("broken")
"""


def start(python, project, port):
    """Start a process that logs errors of two kinds."""
    env = os.environ | PRODUCTION | {"ADMINS": "ann@example.com, bob@example.com", "EMAIL_PORT": str(port)}
    command = [python, "manage.py", "shell", "-c", CODE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen(command, cwd=project, env=env | {"EMAIL_HOST": "127.0.0.1"}, **pipes)


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_processes_send_one_mail_of_each_kind(bake, environment, django_version):
    """Sixteen workers that tell of each error in sixteen mails are switched off on the first bad day."""
    project, python = bake(django_version=django_version), environment(django_version)
    with mail_server() as (port, mails):
        processes = [start(python, project, port) for _ in range(4)]
        assert [process.communicate()[1].count("mail not sent") for process in processes] == [0] * 4
        assert [process.returncode for process in processes] == [0] * 4
        subjects = sorted(mail["Subject"] for mail in mails)
    assert subjects == ["[Django] ERROR KeyError: #", "[Django] ERROR order # failed"]
    assert {mail["To"] for mail in mails} == {"ann@example.com, bob@example.com"}


def test_a_mail_server_that_is_down_stops_nothing(bake, environment):
    """The night when the mail server fails is the night when the site must not."""
    project, python = bake(), environment("5.2")
    begin = time.monotonic()
    process = start(python, project, free_port())
    errors = process.communicate()[1]
    assert process.returncode == 0
    assert time.monotonic() - begin < 30
    assert errors.count("mail not sent") == 1
    text = (project / "logs" / "django.log").read_text(encoding="utf-8")
    assert text.count(" failed\n") == text.count(" broken\n") == 50
