"""What a generated project depends on is installed without a compiler, on every Python and system."""

import re
import subprocess

import pytest
from conftest import ROOT, run

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
# In the names of uv, and in those of wheels, which pip has to be told.
PLATFORMS = {
    "x86_64-unknown-linux-gnu": "manylinux_2_28_x86_64",
    "aarch64-unknown-linux-gnu": "manylinux_2_28_aarch64",
    "x86_64-unknown-linux-musl": "musllinux_1_2_x86_64",
    "aarch64-unknown-linux-musl": "musllinux_1_2_aarch64",
    "x86_64-apple-darwin": "macosx_10_15_x86_64",
    "aarch64-apple-darwin": "macosx_11_0_arm64",
    "x86_64-pc-windows-msvc": "win_amd64",
    "aarch64-pc-windows-msvc": "win_arm64",
}
FREE_THREADED = ["3.14", "3.15"]


def resolve(project, python, platform, *options):
    """Return the requirements of a Python on a platform, as far as there are wheels for them."""
    where = ["--only-binary", ":all:", "--python-version", python, "--python-platform", platform]
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-python-downloads", *where, *options]
    return run(*command, "pyproject.toml", cwd=project)


@pytest.fixture(scope="module")
def project(cookies_session):
    """Return a project with the default answers."""
    return cookies_session.bake().project_path


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_there_are_wheels_for_each_python_and_system(project, python, platform):
    """A package that waits for its author each October fails the README's first command on the newest Python."""
    found = resolve(project, python, platform)
    assert re.search("^django==", found, re.MULTILINE)
    assert ("tzdata==" in found) == ("windows" in platform)
    if python == PYTHONS[-1]:  # what `uv run` installs, and what a server needs
        assert "pytest==" in resolve(project, python, platform, "--group", "dev", "--group", "production")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_there_are_wheels_of_what_accounts_need(bake, platform):
    """Second factors need cryptography, which is compiled; free-threaded Pythons have no wheels of all its packages."""
    assert "cryptography==" in resolve(bake(accounts="allauth"), PYTHONS[-1], platform)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", FREE_THREADED)
def test_there_are_wheels_for_free_threaded_pythons(project, tmp_path, tools, python, platform):
    """A free-threaded Python needs wheels of its own, whose tag pip takes as it is, and uv does not."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(resolve(project, python, platform), encoding="utf-8")
    tags = ["--implementation", "cp", "--abi", f"cp{python.replace('.', '')}t", "--platform", PLATFORMS[platform]]
    done = subprocess.run(
        [
            tools("pip"), "-m", "pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:",
            "--target", tmp_path / "nowhere", "--python-version", python, *tags, "--requirement", requirements,
        ],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stdout


def test_what_continuous_integration_tries_is_the_oldest_and_the_newest():
    """A newer Python comes into the workflow and into this file at once."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f'python: ["{PYTHONS[0]}", "{PYTHONS[-1]}"]' in workflow
