"""How the project starts."""

import os
import subprocess
import sys

from django.conf import settings
from django.test import SimpleTestCase


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py in a process of its own, which writes no log files."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={**os.environ, "LOG_FILES": "off", "DJANGO_SETTINGS_MODULE": "config.settings", **variables},
        cwd=settings.BASE_DIR,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


class StartTests(SimpleTestCase):
    """What a process of the project does first."""

    def test_a_bad_variable_stops_the_start_with_a_sentence(self) -> None:
        """A traceback of thirty lines hides what a word in .env would mend."""
        for variable, value in (("DEBUG", "perhaps"), ("DATABASE_URL", "nonsense"), ("LOG_LEVEL", "LOUD")):
            with self.subTest(variable):
                result = manage("check", **{variable: value})
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, rf'^Environment variable "{variable}" .*\.\n$')

    def test_health_is_bad_without_the_database(self) -> None:
        """A container whose database is gone must not get requests."""
        code = "from django.test import Client; print(Client().get('/health/').status_code)"
        result = manage("shell", "-c", code, DATABASE_URL="sqlite:////no/such/folder/db.sqlite3")
        self.assertEqual(result.stdout.split()[-1:], ["503"], result.stderr)

    def test_the_database_follows_the_models(self) -> None:
        """A migration that was forgotten is missed only by the server that needs it."""
        result = manage("makemigrations", "--check", "--dry-run")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
