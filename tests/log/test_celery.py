"""Celery's workers, set up as applog/README.md says, write into the project's log files."""

import json
import os
import signal
import subprocess

import pytest
from conftest import run
from markdown_blocks import code_blocks
from servers import wait_for

TASKS = '''"""Tasks."""

import logging

from celery import shared_task
from django.contrib.auth import get_user_model


@shared_task
def greet(number):
    """Log."""
    logging.getLogger("shop").info("greeting %s", number)


@shared_task
def fail():
    """Fail."""
    raise ValueError("no such order")


@shared_task
def register():
    """Make a user."""
    get_user_model().objects.create_user("made_by_a_task")
'''
SEND = """
import config.celery
from django.http import HttpResponse
from django.test import RequestFactory
from applog.middleware import request_log
from users import tasks

def view(request):
    tasks.fail.delay()
    for number in range(20):
        tasks.greet.delay(number)
    return HttpResponse()

tasks.register.delay()
request_log(view)(RequestFactory().get("/"))
"""


@pytest.mark.skipif(os.name == "nt", reason="Celery's own processes do not run on Windows")
def test_a_worker_s_records_reach_the_log_files(bake, environment, tmp_path):
    """Celery empties the root logger's handlers: what tasks do would stand in no file, and in no security log."""
    python, project = environment("5.2"), bake()
    readme = (project / "applog" / "README.md").read_text(encoding="utf-8")
    [recipe] = [block.text for block in code_blocks(readme) if block.text.startswith("# config/celery.py\n")]
    (project / "config" / "celery.py").write_text(recipe, encoding="utf-8")
    (project / "users" / "tasks.py").write_text(TASKS, encoding="utf-8")
    queue, packages = tmp_path / "queue", tmp_path / "packages"
    queue.mkdir()
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(queue))
    with (project / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(f'\nCELERY_BROKER_URL = "filesystem://"\nCELERY_BROKER_TRANSPORT_OPTIONS = {folders}\n')
    run("uv", "pip", "install", "--quiet", "--python", python, "--target", packages, "celery>=5.5", cwd=tmp_path)
    env = {"LOG_FORMAT": "json", "PYTHONPATH": str(packages)}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    # Before there is a worker: it would stumble over a message in a file that is not written yet.
    run(python, "manage.py", "shell", "-c", SEND, cwd=project, env=env)

    with (tmp_path / "worker.txt").open("w", encoding="utf-8") as console:
        worker = subprocess.Popen(
            [python, "-m", "celery", "--app", "config.celery", "worker", "--concurrency", "2", "--loglevel", "ERROR"],
            cwd=project, stdout=console, stderr=console, env={**os.environ, **env},
        )  # fmt: skip
        try:
            log, security = project / "logs" / "django.log", project / "logs" / "security.log"
            wait_for(lambda: log.exists() and log.read_text("utf-8").count("applog.task") == 22 and security.exists())
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)

    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    greetings = [record for record in records if record["logger"] == "shop"]
    assert sorted(record["message"] for record in greetings) == sorted(f"greeting {number}" for number in range(20))
    [request] = [record["request_id"] for record in records if record["logger"] == "applog.request"]
    assert {record["request_id"] for record in greetings} == {request}
    ends = {record["task.id"]: record for record in records if record["logger"] == "applog.task"}
    assert len(ends) == 22
    assert {ends[record["task.id"]]["message"].split(" in ")[0] for record in greetings} == {
        "users.tasks.greet SUCCESS"
    }
    assert not [record for record in records if "data" in record]
    [failure] = [record for record in records if "exception.type" in record]
    assert (failure["message"].split(" in ")[0], failure["level"]) == ("users.tasks.fail FAILURE", "ERROR")
    assert (failure["exception.message"], failure["request_id"]) == ("no such order", request)
    assert worker.pid not in {record["process.pid"] for record in greetings}
    assert any(record["logger"].startswith("celery") for record in records)
    [event] = [json.loads(line) for line in security.read_text("utf-8").splitlines()]
    assert event["event"] == "user_created"
    assert event["message"].startswith("user 1 'made_by_a_task'")
    assert (tmp_path / "worker.txt").read_text("utf-8").count('"greeting 7"') == 1
