"""Whoever does not want a part of the log deletes its folder, and the one line that names it."""

import shutil

from conftest import run

# The folder, and the tests of what is in it.
PARTS = {"page": ["test_log_page.py"], "contrib": [], "management": ["test_logs.py"]}


def lines_naming(folder, applog):
    """List the lines of the log's modules, its tests aside, that name a folder, each with its module."""
    return [
        (path, line)
        for path in applog.rglob("*.py")
        if not {"tests", folder} & set(path.relative_to(applog).parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if f"applog.{folder}" in line
    ]


def delete(folder, tests, applog):
    """Delete a folder, its tests, and the line that names it."""
    for path, line in lines_naming(folder, applog):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(f"{line}\n", ""), encoding="utf-8")
    shutil.rmtree(applog / folder)
    for name in tests:
        (applog / "tests" / name).unlink()


def test_each_part_of_the_log_can_be_deleted(bake, environment):
    """A project that needs no page, no queue and no command must not have to keep and update them."""
    python, project = environment("5.2"), bake()
    applog, log = project / "applog", project / "logs" / "django.log"
    code = "import logging; logging.getLogger('shop').info('hello')"
    for number, part in enumerate(PARTS, 1):
        assert len(lines_naming(part, applog)) <= 1
        delete(part, PARTS[part], applog)
        run(python, "-W", "error", "manage.py", "check", "--fail-level", "WARNING", cwd=project)
        run(python, "manage.py", "shell", "-c", code, cwd=project)
        files = log.parent.glob("django.log*")  # one more after midnight
        assert "".join(file.read_text(encoding="utf-8") for file in files).count("hello") == number
        run(python, "-m", "pytest", "-q", "--no-header", cwd=project)
    tests = ["applog/tests/test_records.py", "applog/tests/test_security.py", "applog/tests/test_logging.py"]
    left_out = ["--deselect", "applog/tests/test_logging.py::test_a_record_that_waits_in_the_queue_is_written"]
    run(python, "-m", "pytest", "-q", *tests, *left_out, cwd=project)
