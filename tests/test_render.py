"""What is generated: each combination of the choices, rendered and looked at without running it."""

import ast
import re
import shutil
import subprocess

import pytest
from conftest import CHOICES, COMBINATIONS, PARSERS, QUESTIONS, ROOT, name_of

EVERYWHERE = {
    ".editorconfig", ".env", ".env.example", ".gitattributes", ".gitignore", ".pre-commit-config.yaml", "LICENSE",
    "AGENTS.md", "README.md", "check.py", "manage.py", "pyproject.toml",
    *(f"applog/{name}.py" for name in ("__init__", "apps", "checks", "console", "context", "filters", "formatters")),
    *(f"applog/{name}.py" for name in ("middleware", "otlp", "redaction", "security")),
    *(f"applog/{name}.py" for name in ("files", "handlers", "periods", "queues", "reports", "shared")),
    *(f"applog/{name}.py" for name in ("follow", "reader", "records", "search", "sources")),
    *(f"applog/{name}.py" for name in ("moments", "project_logs", "terminal")),
    *(f"applog/{name}.py" for name in ("admin", "forms", "histogram", "models", "rows", "views")),
    *(f"applog/templates/applog/{name}.html" for name in ("log", "log_fields", "log_histogram", "log_rows")),
    "applog/static/applog/log.css", "applog/static/applog/log.js",
    "applog/README.md",
    *(f"applog/management/{name}.py" for name in ("__init__", "commands/__init__", "commands/logs")),
    *(f"config/{name}.py" for name in ("__init__", "asgi", "settings", "urls", "wsgi")),
    *(f"deploy/log-shipping/{name}.conf" for name in ("fluentd", "rsyslog-elasticsearch", "splunk-inputs")),
    *(f"deploy/log-shipping/{name}" for name in ("amazon-cloudwatch-agent.json", "datadog.yaml", "filebeat.yml")),
    *(f"deploy/log-shipping/{name}" for name in ("fluent-bit.yaml", "otelcol-azure-monitor.yaml")),
    "deploy/log-shipping/syslog-ng-graylog.conf",
    "deploy/gunicorn.service", "deploy/logrotate.conf", "deploy/windows-service.xml",
    *(f"pages/{name}.py" for name in ("__init__", "errors", "tests", "urls", "views")),
    "pages/templates/pages/home.html",
    *(f"users/{name}.py" for name in ("__init__", "admin", "models", "tests")),
    *(f"users/migrations/{name}.py" for name in ("__init__", "0001_initial")),
    *(f"templates/{name}.html" for name in ("base", "error")),
    "static/favicon.svg", "static/site.css",
    *(f"tests/{name}.py" for name in ("__init__", "settings", "test_start")),
    *(f"applog/tests/{name}.py" for name in ("__init__", "conftest")),
    *(f"applog/tests/test_{name}.py" for name in ("handlers", "log_page", "logging", "logs", "records", "security")),
}  # fmt: skip
FILES_OF = {
    ("ci", "github"): {".github/dependabot.yml", ".github/workflows/ci.yml"},
    ("ci", "gitlab"): {".gitlab-ci.yml"},
    ("containers", "yes"): {".dockerignore", "deploy/Dockerfile", "deploy/compose.yaml"},
}
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
WINDOWS_HOSTILE = re.compile(r'[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
UNRENDERED = re.compile(r"cookiecutter[.\[]|\{% (raw|endraw)|^\s*# % ", re.MULTILINE)


def files_in(project):
    """List the files of a project by their path within it."""
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def ruff(*arguments):
    """Run ruff, and fail with its findings."""
    done = subprocess.run(["ruff", *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name_of)
def test_each_combination_is_whole_and_clean(bake, answers):
    """A combination that nobody tried is the one that a user chooses."""
    project = bake(**answers)
    files = files_in(project)
    assert files == EVERYWHERE.union(*(FILES_OF.get(answer, ()) for answer in answers.items()))
    folders = [path for path in project.rglob("*") if path.is_dir() and path.name != "logs"]
    assert all(any(folder.iterdir()) for folder in folders), "an empty folder is left"

    for name in files:
        assert len(name) < 100
        assert not any(WINDOWS_HOSTILE.search(part) for part in name.split("/")), name
        text = (project / name).read_bytes().decode("utf-8")
        assert "\r" not in text, name
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n")), f"{name} does not end in one newline"
        assert "\n\n\n\n" not in text, name
        assert not UNRENDERED.search(text), f"{name} is not rendered"
        assert not name.endswith(".md") or not re.search(r"[^\n]\n##", text), "a heading without a blank line before it"
        if parse := PARSERS.get((project / name).suffix):
            parse(text)

    ruff("check", project)
    ruff("format", "--check", project)


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_the_project_is_small(bake, django_version):
    """Whoever starts a project wants to have read it by the evening."""
    project = bake(django_version=django_version)
    assert len(files_in(project) - {".env"}) <= 100
    assert len((project / "config/settings.py").read_text(encoding="utf-8").splitlines()) <= 220


def test_the_unrendered_project_is_python(tmp_path, bake):
    """Editors and linters of this repository read the template's own files as they lie there."""
    template = ROOT / "{{cookiecutter.project_slug}}"
    strings = [
        node.value
        for path in template.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    answers = {text for text in strings if "{{" in text or "{%" in text}
    assert answers == {"{{ cookiecutter.project_slug }}", "{{ cookiecutter.time_zone }}"}
    copy = tmp_path / "unrendered"
    shutil.copytree(template, copy)
    # Its own rules are Jinja's to render; they name folders, and so have to lie beside them.
    shutil.copy(bake() / "pyproject.toml", copy)
    ruff("check", copy)
    ruff("format", "--check", copy)


def test_each_question_has_a_prompt_for_people():
    """A question such as "containers" alone says nothing."""
    asked = {key for key in QUESTIONS if not key.startswith("_")}
    assert set(QUESTIONS["__prompts__"]) == asked
