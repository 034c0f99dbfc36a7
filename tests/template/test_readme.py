"""The README's two commands, as they stand there."""

import os
import re
import subprocess

from conftest import QUESTIONS, ROOT, copy_template
from markdown_blocks import code_blocks
from servers import fetch, free_port, stop, wait_for

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [block.text.rstrip() for block in code_blocks(README) if block.text.startswith("pip install uv && ")]


def test_the_first_command_serves_a_project(tmp_path):
    """It is the first thing that anybody types."""
    [generate, _] = COMMANDS
    clone = tmp_path / "clone"
    copy_template(clone)
    port = free_port()
    log = tmp_path / "my_project" / "logs" / "django.log"
    # uv is here already, and another test may use port 8000.
    command = generate.removeprefix("pip install uv && ") + f" --noreload {port}"
    environment = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "UV_PYTHON"}}
    with (tmp_path / "console.txt").open("w+", encoding="utf-8") as console:
        server = subprocess.Popen(  # noqa: S602  the shell is what is tested
            command, shell=True, cwd=clone, env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: "GET /" in recorded(log, port) or server.poll() is not None, seconds=180)
            console.seek(0)
            assert server.poll() is None, console.read()
        finally:
            stop(server)


def recorded(log, port):
    """Ask for the landing page and return what the log holds by now."""
    fetch(f"http://127.0.0.1:{port}/")
    return log.read_text(encoding="utf-8") if log.exists() else ""


def test_ci_runs_the_second_command():
    """What is tested before a change lands must be what a contributor runs."""
    [_, test] = COMMANDS
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == test


def test_each_question_is_explained():
    """A question that the README does not know is one that nobody can look up."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", README, re.MULTILINE)
    asked = {key: value for key, value in QUESTIONS.items() if not key.startswith("_")}
    assert [name for name, _ in rows] == list(asked)
    for name, row in rows:
        if isinstance(asked[name], list):
            assert [word for word in re.findall(r"`([^`]+)`", row) if word in asked[name]] == asked[name]
