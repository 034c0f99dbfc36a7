"""What production needs: files read by the programs that they are made for, packages that are old enough and safe."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import CHOICES, python_in, run
from storm import Storm


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
@pytest.mark.parametrize("database", CHOICES["database"])
def test_the_systemd_unit_is_sound(bake, tmp_path, database):
    """A wrong line is found on the day of the deployment, and a missing one on the day of the break-in."""
    project = bake(database=database)
    gunicorn = project / ".venv" / "bin" / "gunicorn"
    gunicorn.parent.mkdir(parents=True)
    gunicorn.symlink_to(sys.executable)
    text = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    unit = tmp_path / "my_project.service"
    unit.write_text(text.replace("/srv/%p", str(project)), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = run("systemd-analyze", "security", "--offline=true", unit, cwd=tmp_path)
    [exposure] = re.findall(r"Overall exposure level for my_project.service: ([\d.]+)", found)
    assert float(exposure) < 2  # of 10; a unit without any protection has 9.6


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed here")
@pytest.mark.skipif(os.name == "nt", reason="there are neither logrotate nor WatchedFileHandler")
def test_logrotate_loses_nothing(bake):
    """Without this, LOG_FILES=watch loses what is written while the files are renamed."""
    import grp  # noqa: PLC0415  not on Windows
    import pwd  # noqa: PLC0415

    project = bake()
    me = f"su {pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    text = (project / "deploy" / "logrotate.conf").read_text(encoding="utf-8")
    assert "su my_project my_project" in text
    text = text.replace("su my_project my_project", me).replace("/srv/my_project", str(project))
    config = project.parent / "logrotate.conf"
    config.write_text(text, encoding="utf-8")
    config.chmod(0o644)

    storm = Storm("Watched", project / "logs" / "django.log", seconds=12, pause=0.0005)
    storm.start(4)
    while any(process.poll() is None for process in storm.processes):
        run("logrotate", "--force", "--state", project.parent / "state", config, cwd=project)
        time.sleep(0.2)  # 60 turns at most, and logrotate keeps 90 files
    storm.wait()
    records = storm.assert_intact()
    rotations = len(storm.files()) - 1
    print(f"{records} records, {rotations} rotations")
    assert rotations >= 20


def test_the_readme_has_the_commands_of_the_services(bake):
    """Who tries the command of the README tries what will run in production."""
    project = bake()
    readme = (project / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^uv run --no-sync (gunicorn|hypercorn) (.*)$", readme, re.MULTILINE)
    service = (project / "deploy" / "windows-service.xml").read_text(encoding="utf-8")
    unit = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    assert [server for server, _ in commands] == ["hypercorn", "gunicorn"]
    assert f"<arguments>-m hypercorn {commands[0][1]}</arguments>" in service
    assert f"/bin/gunicorn {commands[1][1]} " in unit


@pytest.mark.parametrize("database", CHOICES["database"])
def test_the_service_has_the_database_of_the_readme(bake, environment, database):
    """A server that reads another file than the one that was migrated answers, and lets nobody in."""
    python, project = environment("5.2"), bake(database=database)
    readme = (project / "README.md").read_text(encoding="utf-8")
    address = re.findall(r"`(DATABASE_URL=sqlite\S+)`", readme[readme.index("## Production") :])
    assert len(address) == (database == "sqlite")
    with (project / ".env").open("a", encoding="utf-8") as file:
        file.write("".join(f"\n{line}\n" for line in address))
    unit = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    service = {"ALLOWED_HOSTS": "localhost", **dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))}
    code = "from django.conf import settings; print(settings.DATABASES['default']['NAME'])"
    names = [run(python, "manage.py", "shell", "-v", "0", "-c", code, cwd=project, env=env) for env in ({}, service)]
    assert names[0] == names[1]
    assert ("data" in Path(names[0].strip()).parts) == (database == "sqlite")


def test_bandit_finds_nothing(bake):
    """A habit that bandit warns of is copied from here into every project."""
    project = bake()
    run(
        sys.executable,
        "-m",
        "bandit",
        "--quiet",
        "--recursive",
        ".",
        "--exclude",
        "./check.py,./tests,./applog/tests,./pages/tests.py,./users/tests.py",
        cwd=project,
    )


def test_the_oldest_packages_that_are_allowed_work(bake):
    """A lower bound that nobody tried is a promise to those who cannot update."""
    project = bake()
    sync = ["uv", "sync", "--quiet", "--all-groups", "--resolution", "lowest-direct", "--python", sys.executable]
    run(*sync, cwd=project, env={"VIRTUAL_ENV": ""})
    python = python_in(project / ".venv")
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project)
    run(python, "-m", "pytest", "tests", "pages", "applog/tests/test_handlers.py", cwd=project)
    if os.name != "nt":
        command = "gunicorn config.wsgi --check-config --preload --worker-tmp-dir /dev/shm --no-control-socket"
        run(python, "-m", *command.split(), cwd=project)
