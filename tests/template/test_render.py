"""What is generated: each combination of the choices, rendered and looked at without running it."""

import ast
import re
import shutil
import subprocess
import sys

import pytest
from conftest import CHOICES, PARSERS, QUESTIONS, RENDERED, ROOT, copy_template, name_of, run

PROJECT = "{{cookiecutter.project_slug}}"
EVERYWHERE = [
    ".editorconfig",
    ".env",
    ".env.example",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
    "AGENTS.md",
    "LICENSE",
    "README.md",
    "applog/README.md",
    "applog/__init__.py",
    "applog/admin.py",
    "applog/apps.py",
    "applog/attributes.py",
    "applog/bound.py",
    "applog/checks.py",
    "applog/commands.py",
    "applog/conf.py",
    "applog/console.py",
    "applog/context.py",
    "applog/contrib/__init__.py",
    "applog/contrib/celery.py",
    "applog/contrib/otlp.py",
    "applog/contrib/queues.py",
    "applog/contrib/sentry.py",
    "applog/filters.py",
    "applog/fingerprint.py",
    "applog/flood.py",
    "applog/formatters.py",
    "applog/handlers.py",
    "applog/mail.py",
    "applog/locale/de/LC_MESSAGES/django.mo",
    "applog/locale/de/LC_MESSAGES/django.po",
    "applog/management/__init__.py",
    "applog/management/answers.py",
    "applog/management/commands/__init__.py",
    "applog/management/commands/logs.py",
    "applog/management/files.py",
    "applog/management/records.py",
    "applog/management/statistics.py",
    "applog/middleware.py",
    "applog/models.py",
    "applog/page/__init__.py",
    "applog/page/admin.py",
    "applog/page/answers.py",
    "applog/page/download.py",
    "applog/page/errors.py",
    "applog/page/fields.py",
    "applog/page/filters.py",
    "applog/page/forms.py",
    "applog/page/histogram.py",
    "applog/page/marks.py",
    "applog/page/places.py",
    "applog/page/requests.py",
    "applog/page/rows.py",
    "applog/page/views.py",
    "applog/reading/__init__.py",
    "applog/reading/counts.py",
    "applog/reading/errors.py",
    "applog/reading/folder.py",
    "applog/reading/follow.py",
    "applog/reading/formats.py",
    "applog/reading/limits.py",
    "applog/reading/log.py",
    "applog/reading/log_file.py",
    "applog/reading/measures.py",
    "applog/reading/packed.py",
    "applog/reading/pages.py",
    "applog/reading/query.py",
    "applog/reading/record.py",
    "applog/reading/request_lines.py",
    "applog/reading/requests.py",
    "applog/reading/scan.py",
    "applog/reading/search.py",
    "applog/reading/times.py",
    "applog/queries.py",
    "applog/redaction.py",
    "applog/rotation/__init__.py",
    "applog/rotation/complaints.py",
    "applog/rotation/compression.py",
    "applog/rotation/os_files.py",
    "applog/rotation/own_file.py",
    "applog/rotation/periods.py",
    "applog/rotation/process_lock.py",
    "applog/rotation/reentrant.py",
    "applog/rotation/retention.py",
    "applog/rotation/shared_handler.py",
    "applog/rotation/watched_handler.py",
    "applog/secret_names.py",
    "applog/secret_text.py",
    "applog/security.py",
    "applog/setup.py",
    "applog/static/applog/log.css",
    "applog/static/applog/log.js",
    "applog/tasks.py",
    "applog/templates/applog/errors.html",
    "applog/templates/applog/log.html",
    "applog/templates/applog/log_answer.html",
    "applog/templates/applog/log_chart.html",
    "applog/templates/applog/log_rows.html",
    "applog/templates/applog/log_search.html",
    "applog/templates/applog/log_spark.html",
    "applog/templates/applog/log_tabs.html",
    "applog/templates/applog/requests.html",
    "applog/tests/__init__.py",
    "applog/tests/conftest.py",
    "applog/tests/test_answers.py",
    "applog/tests/test_handlers.py",
    "applog/tests/test_log_page.py",
    "applog/tests/test_logging.py",
    "applog/tests/test_logs.py",
    "applog/tests/test_mail.py",
    "applog/tests/test_records.py",
    "applog/tests/test_requests.py",
    "applog/tests/test_security.py",
    "applog/text.py",
    "applog/tracebacks.py",
    "check.py",
    "config/__init__.py",
    "config/asgi.py",
    "config/settings.py",
    "config/urls.py",
    "config/wsgi.py",
    "deploy/fail2ban.conf",
    "deploy/gunicorn.service",
    "deploy/logrotate.conf",
    "deploy/windows-service.xml",
    "manage.py",
    "pages/__init__.py",
    "pages/errors.py",
    "pages/templates/pages/home.html",
    "pages/tests.py",
    "pages/urls.py",
    "pages/views.py",
    "pyproject.toml",
    "static/favicon.svg",
    "static/site.css",
    "templates/base.html",
    "templates/error.html",
    "tests/__init__.py",
    "tests/settings.py",
    "tests/test_start.py",
    "users/__init__.py",
    "users/admin.py",
    "users/migrations/0001_initial.py",
    "users/migrations/__init__.py",
    "users/models.py",
    "users/tests.py",
]
FILES_OF = {
    ("accounts", "admin"): {"users/backends.py"},
    ("accounts", "allauth"): {
        "static/accounts.css",
        "static/accounts.js",
        "templates/allauth/elements/button.html",
        "templates/allauth/elements/fields.html",
        "templates/allauth/elements/panel.html",
        "templates/allauth/layouts/base.html",
        "templates/allauth/layouts/manage.html",
        "users/adapters.py",
        "users/apps.py",
        "users/email_addresses.py",
        "users/forms.py",
        "users/migrations/0002_cache_table.py",
        "users/security_events.py",
    },
    ("ci", "github"): {".github/dependabot.yml", ".github/workflows/ci.yml"},
    ("ci", "gitlab"): {".gitlab-ci.yml"},
    ("containers", "yes"): {".dockerignore", "deploy/Dockerfile", "deploy/compose.yaml"},
}
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
WINDOWS_HOSTILE = re.compile(r'[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
BINARY = ".mo"  # what gettext has compiled
UNRENDERED = re.compile(r"cookiecutter[.\[]|\{% (raw|endraw)|^\s*# % ", re.MULTILINE)


def files_in(project):
    """List the files of a project by their path within it."""
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def ruff(*arguments):
    """Run ruff, and fail with its findings."""
    done = subprocess.run(["ruff", *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("answers", RENDERED, ids=name_of)
def test_each_combination_is_whole_and_clean(bake, answers):
    """A combination that nobody tried is the one that a user chooses."""
    project = bake(**answers)
    files = files_in(project)
    assert files == set(EVERYWHERE).union(*(FILES_OF.get(answer, ()) for answer in answers.items()))
    folders = [path for path in project.rglob("*") if path.is_dir() and path.name != "logs"]
    assert all(any(folder.iterdir()) for folder in folders), "an empty folder is left"

    for name in files:
        assert len(name) < 100
        assert not any(WINDOWS_HOSTILE.search(part) for part in name.split("/")), name
        if name.endswith(BINARY):
            continue
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


def test_only_what_is_listed_is_rendered(tmp_path):
    """A new file in which braces mean something else, as in Django's templates, must not be rendered by surprise."""
    template = tmp_path / "template"
    copy_template(template)
    text = "{{ x }}\n# % if x\n{# y #}\n"
    new = [
        "config/storage.py",
        "pages/views/shop.py",
        "templates/robots.txt",
        "deploy/nginx.conf",
        "Makefile",
        "x/y/z.md",
    ]
    for name in new:
        path = template / PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    run(sys.executable, "-m", "cookiecutter", "--no-input", template, cwd=tmp_path)
    assert {name: (tmp_path / "my_project" / name).read_text(encoding="utf-8") for name in new} == dict.fromkeys(
        new, text
    )


def test_what_is_listed_to_be_rendered_is_what_has_something_to_render():
    """A list that has grown out of date misleads whoever adds a file."""
    project = ROOT / PROJECT
    files = {
        path.relative_to(project).as_posix(): path for path in project.rglob("*") if path.suffix not in {BINARY, ".pyc"}
    }
    marked = {
        name
        for name, path in files.items()
        if path.is_file() and "{%" not in path.name and UNRENDERED.search(path.read_text(encoding="utf-8"))
    }
    listed = set(QUESTIONS["_rendered"])
    assert marked <= listed
    assert listed - marked == {"LICENSE"} - marked
    assert listed <= set(files)


@pytest.mark.parametrize(("accounts", "files", "lines"), [("admin", 150, 290), ("allauth", 162, 320)])
@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_the_project_is_small(bake, django_version, accounts, files, lines):
    """Whoever starts a project wants to have read it by the evening."""
    project = bake(django_version=django_version, accounts=accounts)
    assert len(files_in(project) - {".env"}) <= files
    assert len((project / "config/settings.py").read_text(encoding="utf-8").splitlines()) <= lines


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
