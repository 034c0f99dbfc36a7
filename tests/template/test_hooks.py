"""What the hooks do around the rendering, on this machine and on stranger ones."""

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import stat
import subprocess
import sys

import pytest
from conftest import ROOT, copy_template, run
from cookiecutter.environment import StrictEnvironment
from hypothesis import example, given
from hypothesis import strategies as st

from template_answers import ROOM

POST_HOOK = ROOT / "hooks" / "post_gen_project.py"
HOOK = runpy.run_path(str(POST_HOOK))


def environment_of(project):
    """Read .env."""
    lines = (project / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_each_project_has_a_secret_of_its_own(bake):
    """A key that two projects share signs the one's sessions for the other."""
    first, second = (environment_of(bake())["SECRET_KEY"] for _ in range(2))
    assert first != second
    assert len(first) >= 50


def test_postgresql_gets_a_password_of_its_own(bake):
    """A password that stands in a template is known to everybody."""
    first, second = (environment_of(bake(database="postgresql")) for _ in range(2))
    assert first["POSTGRES_PASSWORD"] in first["DATABASE_URL"]
    assert first["POSTGRES_PASSWORD"] != second["POSTGRES_PASSWORD"]


def generate_again(project, tmp_path, *answers):
    """Generate a project over one of the same name."""
    again = ["--no-input", "--overwrite-if-exists", "-o", project.parent, ROOT, f"project_slug={project.name}"]
    run(sys.executable, "-m", "cookiecutter", *again, *answers, cwd=tmp_path)


@pytest.mark.parametrize("slug", ["MyProject_1x", "my_project_x", "shop"])
def test_what_is_deployed_has_the_project_s_name(bake, tmp_path, slug):
    """Two projects on one server must not share a service, a user or an index by a name that somebody forgot."""
    project = bake(project_slug=slug, containers="yes", ci="none")
    generate_again(project, tmp_path, "containers=yes", "ci=none", "--skip-if-file-exists")
    files = [path for path in (project / "deploy").rglob("*") if path.is_file()]
    assert {path.name for path in files} > {name.rpartition("/")[2] for name in HOOK["DEPLOYMENT"]}
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    name = slug.lower()
    assert set(re.findall(r"/srv/(\w+)", text)) == set(re.findall("su (.*) ", text)) == {name}
    assert re.findall("<id>(.*)</id>", text) == [name.replace("_", "")]
    assert not re.search("my-project|MyProject", text)


def test_the_secret_is_for_its_owner_only(bake):
    """Another user of the machine must not read the key."""
    path = bake() / ".env"
    if os.name == "nt":
        entries = run("icacls", path, cwd=path.parent).splitlines()
        assert os.environ["USERNAME"].lower() in entries[0].lower()
        assert not entries[1].strip(), entries
    else:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_secret_and_the_logs_are_not_committed(bake):
    """A key that was pushed once has to be changed everywhere."""
    project = bake()
    (project / "logs" / "django.log").write_text("x", encoding="utf-8")
    run("git", "init", "--quiet", cwd=project)
    assert run("git", "check-ignore", ".env", "logs/django.log", cwd=project).split() == [".env", "logs/django.log"]


def test_a_secret_in_use_is_kept(tmp_path, bake):
    """Generating again over a project must not sign everybody out."""
    project = bake()
    before = (project / ".env").read_text(encoding="utf-8")
    generate_again(project, tmp_path)
    assert (project / ".env").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("platform", ["win32", "linux", "darwin", "freebsd14", "plan9"])
def test_the_rotation_of_this_system_is_named(platform):
    """Who generates on one system and deploys on another should know what to expect."""
    sentence = HOOK["rotation"](platform)
    assert ("10 MiB" in sentence) is (platform == "win32")
    assert ("at midnight" in sentence) is (platform != "win32")
    assert sentence.startswith("Warning:") is (platform == "plan9")


def rendered(hook, answers):
    """Render a hook as cookiecutter does."""
    return StrictEnvironment(keep_trailing_newline=True).from_string(hook).render(cookiecutter=answers)


@given(answers=st.dictionaries(st.text(max_size=8), st.text(st.sampled_from("\"'\\\n<>&{}%#aé🚀\udcff")) | st.text()))
@example({"a": '"', "b": '"""', "c": '\\"""\\', "d": "", "e": "\\"})
def test_no_answer_is_code_to_a_hook(answers):
    """An answer that ends the string which it stands in would be run on the machine of whoever generates."""
    for hook in (POST_HOOK, ROOT / "log" / "hooks" / "post_gen_project.py"):
        source = re.search(r'^ANSWERS = r"""\n.*?^"""$', hook.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
        [statement] = ast.parse(rendered(source, answers)).body
        assert json.loads(ast.literal_eval(statement.value)) == answers


def test_an_unknown_system_gets_a_warning_and_a_project(tmp_path, bake):
    """A system that nobody thought of may well work."""
    project = bake()
    (project / ".env").unlink()
    hook = tmp_path / "hook.py"
    source = POST_HOOK.read_text(encoding="utf-8").replace("import sys\n", "import sys\nsys.platform = 'plan9'\n", 1)
    hook.write_text(rendered(source, {"project_slug": "my_project", "database": "sqlite"}), encoding="utf-8")
    printed = run(sys.executable, hook, cwd=project)
    assert "Warning: plan9" in printed
    assert (project / ".env").exists()


OWN = [".gitlab-ci.yml", ".github/workflows/ci.yml", "deploy/Dockerfile", "deploy/my-project.conf"]


@pytest.mark.parametrize("name", OWN)
def test_what_the_user_added_stays(tmp_path, bake, name):
    """Generating again without some files must not remove those that somebody wrote in their place."""
    project = bake(ci="none")
    own = project / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("mine, not my-project's", encoding="utf-8")
    generate_again(project, tmp_path, "ci=none")
    assert own.read_text(encoding="utf-8") == "mine, not my-project's"


def test_generation_needs_no_network_git_or_uv(tmp_path):
    """A plane, a locked-down office, a bare container: the template must work there."""
    printed = run(
        sys.executable, "-m", "cookiecutter", "--no-input", ROOT, cwd=tmp_path,
        env={"PATH": "", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert "pip install uv" in printed
    assert (tmp_path / "my_project" / "logs").is_dir()


@pytest.mark.parametrize("folder", ["here", "Mein Prüf Ördner $x"])
def test_the_printed_commands_work_from_any_path(tmp_path, environment, folder):
    """The first thing that a user does is to copy these lines."""
    (tmp_path / folder).mkdir()
    where = (
        {"cwd": tmp_path / folder, "env": {"PWD": str(tmp_path / folder)}} if folder == "here" else {"cwd": tmp_path}
    )
    printed = run(sys.executable, "-m", "cookiecutter", "--no-input", "-o", tmp_path / folder, ROOT, **where)
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    project = tmp_path / folder / "my_project"
    if os.name == "nt":
        assert commands[0] == f'cd "{project.as_posix()}"'
    else:
        assert shlex.split(commands[0]) == ["cd", "my_project" if folder == "here" else str(project)]
    python = environment("5.2")
    shutil.copytree(python.parent.parent, project / ".venv", symlinks=True)
    assert [command.rpartition(" ")[2] for command in commands[1:]] == ["migrate", "createsuperuser", "runserver"]
    together = f"{commands[0]} && {commands[1].replace('uv run', 'uv run --no-sync')}"
    subprocess.run(together, shell=True, check=True, cwd=where["cwd"])  # noqa: S602
    assert (project / "db.sqlite3").exists()


def test_a_generation_that_fails_half_way_leaves_nothing(tmp_path):
    """Half a project looks like a whole one until the day it matters."""
    template = tmp_path / "template"
    copy_template(template)
    (template / "{{cookiecutter.project_slug}}" / "logs").write_text("where the folder should be", encoding="utf-8")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", "-o", out, template],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "make the folder writable and generate it again" in sentence
    assert list(out.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the limit on a file's size is one of POSIX")
def test_a_disk_that_is_too_small_is_refused_before_anything_is_left(bake, tmp_path):
    """Nobody removes what is there when it runs out of room half-way."""
    import resource  # noqa: PLC0415  not on Windows

    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", "-o", out, ROOT],
        capture_output=True, encoding="utf-8", check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("The project cannot be written here (")
    assert not out.exists()
    assert sum(path.stat().st_size + 4096 for path in bake().rglob("*")) < ROOM
