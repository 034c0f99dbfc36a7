"""Whoever does not want a part of the log deletes its folder, and the one line that names it."""

import re
import shutil

import pytest
from conftest import run

# A row of the README's table: folders, what they are, the line, tests.
ROW = re.compile(r"^\| (`\w+/`.*?) \| .*? \| .*?\| (.*?) \|$", re.MULTILINE)


def lines_naming(folder, applog):
    """List the lines of the log's modules, its tests aside, that name a folder, each with its module."""
    return [
        (path, line)
        for path in applog.rglob("*.py")
        if not {"tests", folder} & set(path.relative_to(applog).parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if f"applog.{folder}" in line
    ]


def parts(applog):
    """List what the README says that can be deleted: folders, and the tests of what is in them."""
    rows = ROW.findall((applog / "README.md").read_text(encoding="utf-8"))
    return [[re.findall(r"`([\w.]+)/?`", cell) for cell in row] for row in rows]


def delete(folders, tests, applog):
    """Delete folders, their tests, and the line that names the first one."""
    for path, line in lines_naming(folders[0], applog):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(f"{line}\n", ""), encoding="utf-8")
    for folder in folders:
        shutil.rmtree(applog / folder)
    for name in tests:
        file = applog / "tests" / name
        if name == "test_logging.py":
            text = file.read_text(encoding="utf-8")
            text, number = re.subn(r"def test_\w+queue\w+\((?:.+\n|\n(?! ?\n))+\n\n", "", text)
            assert number == 1
            file.write_text(text, encoding="utf-8")
        else:
            file.unlink()


@pytest.mark.parametrize(
    ("folder", "others_tests"), {"page": "answers", "contrib": "logs", "management": "log_page"}.items()
)
def test_a_part_of_the_log_can_be_deleted(bake, environment, folder, others_tests):
    """Whoever needs no page, no queue or no command must not have to keep and update it."""
    python, applog = environment("5.2"), bake() / "applog"
    [(folders, tests)] = [row for row in parts(applog) if row[0][0] == folder]
    delete(folders, tests, applog)
    run(python, "-m", "pytest", "-q", f"applog/tests/test_{others_tests}.py", cwd=applog.parent)


@pytest.mark.long
def test_all_parts_of_the_log_can_be_deleted(bake, environment):
    """What is left is the log, without a word about what is gone."""
    python, project = environment("5.2"), bake()
    applog, log = project / "applog", project / "logs" / "django.log"
    code = "import logging; logging.getLogger('shop').info('hello')"
    found = parts(applog)
    assert [folders[0] for folders, _ in found] == ["page", "contrib", "management"]
    for number, (folders, tests) in enumerate(found, 1):
        assert len(lines_naming(folders[0], applog)) <= 1
        delete(folders, tests, applog)
        run(python, "-W", "error", "manage.py", "check", "--fail-level", "WARNING", cwd=project)
        run(python, "manage.py", "shell", "-c", code, cwd=project)
        files = log.parent.glob("django.log*")  # one more after midnight
        assert "".join(file.read_text(encoding="utf-8") for file in files).count("hello") == number
        run(python, "-m", "pytest", "-q", "--no-header", cwd=project)
        run(python, "-m", "ruff", "check", cwd=project)
        run(python, "-m", "mypy", ".", cwd=project)
        run(python, "-m", "pytest", "-q", "--collect-only", "applog", cwd=project)
    tests = ["applog/tests/test_records.py", "applog/tests/test_security.py", "applog/tests/test_logging.py"]
    run(python, "-m", "pytest", "-q", *tests, cwd=project)
