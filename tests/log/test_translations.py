"""The words of the log's page in other languages: German comes with it, as the proof that any can be added."""

import gettext
import re
import shutil
import subprocess

import pytest
from conftest import ROOT

APPLOG = ROOT / "{{cookiecutter.project_slug}}" / "applog"
GERMAN = "locale/de/LC_MESSAGES/django"

pytestmark = pytest.mark.skipif(not shutil.which("msgmerge"), reason="gettext's programs are not installed")


def words(path):
    """Return the translations of a file, whose keys are English."""
    with path.open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # noqa: SLF001  there is no public way


def test_german_has_each_word(environment, tmp_path):
    """A word that is new, or changed in English, is red until it is translated, and compiled."""
    applog = tmp_path / "applog"
    shutil.copytree(APPLOG, applog)
    made = [applog / f"{GERMAN}.po", tmp_path / "made.mo"]
    make = [environment("5.2"), "-m", "django", "makemessages", "--locale=de", "--no-obsolete"]
    subprocess.run(make, cwd=applog, check=True)
    text = made[0].read_text(encoding="utf-8")
    assert not re.findall(r"(?m)^#, .*fuzzy", text)
    assert not re.findall(r'(?m)^msgid (.+)\nmsgstr(?:\[0\])? ""\n\n', text)
    subprocess.run(["msgfmt", "--check-format", "--output", made[1], made[0]], check=True)
    assert {**words(made[1]), "": ""} == {**words(APPLOG / f"{GERMAN}.mo"), "": ""}
