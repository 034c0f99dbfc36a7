"""The log's rooms: which of its modules may import which, so that a stranger can read one room at a time."""

import ast
import sys

import pytest
from conftest import ROOT

PROJECT = ROOT / "{{cookiecutter.project_slug}}"
APPLOG = PROJECT / "applog"
WRITING = (
    "applog.handlers",
    "applog.formatters",
    "applog.filters",
    "applog.console",
    "applog.context",
    "applog.security",
)
PARTS = ("applog.page", "applog.contrib", "applog.management")
# What modules of a folder, or a module, must not import.
FORBIDDEN = {
    "rotation": ("django", "applog"),
    "handlers": ("django", "applog.reading", "applog.text", "applog.conf"),
    "formatters": ("applog.handlers", "applog.rotation", "applog.reading", "applog.conf", "applog.console"),
    "reading": ("django", *WRITING, "applog.conf", "applog.text"),
    "text": ("applog",),
    "page": (
        "applog.handlers",
        "applog.formatters",
        "applog.console",
        "applog.rotation",
        "applog.management",
        "argparse",
    ),
    "management": ("applog.handlers", "applog.formatters", "applog.console", "applog.rotation", "applog.page"),
}


def modules(room):
    """List the modules of a folder of the log, or the module of that name."""
    return sorted((APPLOG / room).rglob("*.py")) or [APPLOG / f"{room}.py"]


def imports(path):
    """List what a module imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def is_in(name, package):
    """Tell whether a dotted name is a package, or in it."""
    return f"{name}.".startswith(f"{package}.")


@pytest.mark.parametrize("room", FORBIDDEN)
def test_arrows_go_one_way(room):
    """An import the other way round means that neither room can be understood without the other."""
    own = f"applog.{room}"
    wrong = [
        (path.name, name)
        for path in modules(room)
        for name in imports(path)
        if not is_in(name, own) and any(is_in(name, forbidden) for forbidden in FORBIDDEN[room])
    ]
    if room == "reading":  # which opens files as the handlers do, so that they can be renamed meanwhile
        assert {name for path in modules(room) for name in imports(path) if is_in(name, "applog.rotation")} == {
            "applog.rotation.os_files.open_to_read"
        }
    assert wrong == []


def test_handlers_need_the_standard_library_only():
    """They can be used in a project of any kind."""
    found = {
        name.partition(".")[0] for room in ("handlers", "rotation") for path in modules(room) for name in imports(path)
    }
    assert found - {"applog"} <= sys.stdlib_module_names | {"_winapi"}


def test_only_one_line_names_a_part_that_can_be_deleted():
    """With a second one, a project would not start any more."""
    for part in PARTS:
        lines = [
            line
            for path in PROJECT.rglob("*.py")
            if "tests" not in path.parts and not path.is_relative_to(APPLOG / part.removeprefix("applog."))
            for line in path.read_text(encoding="utf-8").splitlines()
            if part in line
        ]
        assert len(lines) <= 1, lines


def test_no_module_needs_a_map():
    """Who has to search in a file splits it first."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in APPLOG.rglob("*.py")}
    too_long = {path.name for path, length in lengths.items() if length > 250 and "tests" not in path.parts}
    assert too_long == set()
