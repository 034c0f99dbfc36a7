"""Background tasks by Django's own means, and the commands of manage.py, in the log."""

import json
import os
import subprocess

import pytest
from conftest import CHOICES, run

TASKS = '''"""Tasks."""

import logging

from {package} import task


@task
def greet(number: int) -> None:
    """Log."""
    logging.getLogger("shop").info("greeting %s", number)


@task
def fail() -> None:
    """Fail."""
    raise ValueError("no such order")
'''
SEND = """
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import RequestFactory
from applog.middleware import request_log
from pages import tasks

def view(request):
    tasks.fail.enqueue()
    for number in range(3):
        tasks.greet.enqueue(number)
    return HttpResponse()

request_log(view)(RequestFactory().get("/"))
request_finished.send(None)
tasks.greet.enqueue(7)
"""
COMMAND = '''"""A command that fails."""

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Fails."""

    def handle(self, **options):
        """Fail."""
        raise RuntimeError("the disk is full")
'''


def records_of(project):
    """Return the records of the log."""
    lines = (project / "logs" / "django.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_a_task_s_records_are_found_by_the_request_that_queued_it(bake, environment, tmp_path, django_version):
    """Which click has caused the error of last night's worker is the first question."""
    python, project = environment(django_version), bake(django_version=django_version)
    packages = tmp_path / "packages"
    install = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", python, "--target", packages]
    run(*install, "django-tasks-db>=0.13", "django-tasks", "django-stubs-ext", cwd=tmp_path)
    package = "django_tasks" if django_version == "5.2" else "django.tasks"
    (project / "pages" / "tasks.py").write_text(TASKS.format(package=package), encoding="utf-8")
    with (project / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write('\nINSTALLED_APPS += ["django_tasks_db"]\n')
        settings.write('TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}\n')
    env = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "PYTHONPATH": str(packages)}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    run(python, "manage.py", "shell", "-c", SEND, cwd=project, env=env)
    run(python, "manage.py", "db_worker", "--batch", "--interval", "0", "--no-reload", cwd=project, env=env)

    records = records_of(project)
    [request] = [record["request_id"] for record in records if record["logger"] == "applog.request"]
    greetings = [record for record in records if record["logger"] == "shop"]
    found = sorted((record["message"], record["request_id"] == request) for record in greetings)
    assert found == [("greeting 0", True), ("greeting 1", True), ("greeting 2", True), ("greeting 7", False)]
    assert greetings[-1]["request_id"] == "-"
    ends = [record for record in records if record["logger"] == "applog.task"]
    for greeting in greetings:
        [begin, end] = [record for record in ends if record["task.id"] == greeting["task.id"]]
        assert (begin["level"], begin["message"]) == ("DEBUG", "pages.tasks.greet begins")
        assert (end["level"], end["message"].split(" in ")[0]) == ("INFO", "pages.tasks.greet SUCCESSFUL")
        assert end["task.name"] == "pages.tasks.greet"
        assert 0 <= end["duration_ms"] < 10_000
    [failure] = [record for record in records if "exception.type" in record]
    assert (failure["logger"], failure["level"], failure["request_id"]) == ("applog.task", "ERROR", request)
    assert (failure["exception.type"], failure["task.name"]) == ("ValueError", "pages.tasks.fail")
    assert "no such order" in failure["exception.stacktrace"]
    assert not [record for record in records if "state=" in record["message"]]
    assert not [record for record in records if record["logger"] not in {"shop", "applog.task"} and "task.id" in record]


def test_a_command_s_end_is_in_the_log(bake, environment):
    """Of a job that cron starts, nobody sees what it prints."""
    python, project = environment("5.2"), bake()
    folder = project / "pages" / "management" / "commands"
    folder.mkdir(parents=True)
    (folder / "crash.py").write_text(COMMAND, encoding="utf-8")
    env = {"LOG_FORMAT": "json"}
    for arguments, prints in (
        (["migrate", "--verbosity", "0"], ""),
        (["migrate", "nothing"], "No installed app with label 'nothing'."),
        (["crash"], "RuntimeError: the disk is full"),
        (["check"], "no issues"),
        (["crush"], "Unknown command: 'crush'"),
    ):
        done = subprocess.run(
            [python, "manage.py", *arguments],
            cwd=project, env={**os.environ, **env}, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert prints in done.stdout + done.stderr
        assert "applog.command" not in done.stdout + done.stderr
    ends = [record for record in records_of(project) if record["logger"] == "applog.command"]
    assert [(end["level"], end["command.name"], end["exit_code"]) for end in ends] == [
        ("INFO", "migrate", 0), ("WARNING", "migrate", 1), ("ERROR", "crash", 1), ("WARNING", "crush", 1),
    ]  # fmt: skip
    assert all(end["duration_ms"] > 0 for end in ends)
    assert ends[1]["message"].endswith("ms: No installed app with label 'nothing'.")
    assert ends[2]["exception.message"] == "the disk is full"
