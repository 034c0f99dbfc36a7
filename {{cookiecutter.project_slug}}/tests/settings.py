"""The project's settings for tests: as in production, but for what a test on any machine cannot have."""

import os
import secrets

os.environ |= {
    "ALLOWED_HOSTS": "testserver",
    "DEBUG": "false",
    # Records of the tests belong to the test, not into the developer's log files.
    "LOG_FILES": "off",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "SECURE_SSL_REDIRECT": "false",
}

from config.settings import *  # noqa: F403

os.environ.pop("SENTRY_DSN", None)  # what fails in a test is no news
# % if cookiecutter.accounts == "admin"
# client.login() has no request, whose address the limit of sign-ins asks for.
AXES_ENABLED = False
# % endif
# Without collectstatic there is no manifest.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# manage.py test does not capture the console.
for handler in ("console", "security_file"):
    LOGGING["handlers"][handler]["level"] = "ERROR"  # noqa: F405
