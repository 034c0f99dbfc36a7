"""Settings of the project, read top to bottom; what differs between machines comes from the environment or .env."""

import sys
from pathlib import Path
from typing import Any

from environs import Env, EnvError, validate

from applog.files import find_problem

BASE_DIR = Path(__file__).resolve().parent.parent
IS_WINDOWS = sys.platform.startswith("win")

# Environment: a variable of the process wins over the same one in .env. .env.example lists them all.
# https://github.com/sloria/environs#readme

env = Env()
try:
    env.read_env(BASE_DIR / ".env", recurse=False)
except (OSError, UnicodeDecodeError) as error:
    message = f'File "{BASE_DIR / ".env"}" cannot be read ({error})'
    raise EnvError(message) from error
not_empty = validate.Length(min=1, error="must not be empty")
not_negative = validate.Range(min=0, error="must be 0 or more")
at_least_1 = validate.Range(min=1, error="must be 1 or more")

# Core
# https://docs.djangoproject.com/en/stable/howto/deployment/checklist/

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", validate=not_empty)
ALLOWED_HOSTS = [host for host in env.list("ALLOWED_HOSTS", default=[], subcast=str.strip) if host]
if not (DEBUG or ALLOWED_HOSTS):
    message = 'Environment variable "ALLOWED_HOSTS" not set; it is needed unless DEBUG is on'
    raise EnvError(message)
CSRF_TRUSTED_ORIGINS = [origin for origin in env.list("CSRF_TRUSTED_ORIGINS", default=[], subcast=str.strip) if origin]
CSRF_FAILURE_VIEW = "pages.errors.csrf_failure"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "applog",
    "pages",
    "users",
]

MIDDLEWARE = [
    "applog.middleware.request_log",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # % if cookiecutter.django_version == "5.2"
    "csp.middleware.CSPMiddleware",
    # % else
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    # % endif
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database: SQLite unless DATABASE_URL names another.
# https://docs.djangoproject.com/en/stable/ref/databases/

DATABASE = env.dj_db_url("DATABASE_URL", default="sqlite:///db.sqlite3", conn_max_age=60, conn_health_checks=True)
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    if DATABASE["NAME"] != ":memory:":
        DATABASE["NAME"] = BASE_DIR / DATABASE["NAME"]
    # Readers and one writer side by side; a second writer waits, for up to 20 seconds, instead of failing.
    DATABASE["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        **DATABASE.get("OPTIONS", {}),
    }
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Users and passwords
# https://docs.djangoproject.com/en/stable/topics/auth/customizing/

AUTH_USER_MODEL = "users.User"
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Language and time; TIME_ZONE also decides when midnight is for the log files.
# https://docs.djangoproject.com/en/stable/topics/i18n/

LANGUAGE_CODE = "en-us"
TIME_ZONE = "{{ cookiecutter.time_zone }}"
USE_I18N = True
USE_TZ = True

# Static files, served by WhiteNoise, and uploaded ones, served by the web server in front
# https://whitenoise.readthedocs.io/en/stable/django.html

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "data" / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# E-mail: printed to the console while DEBUG is on.
# https://docs.djangoproject.com/en/stable/topics/email/

# % if cookiecutter.django_version == "5.2"
EMAIL_BACKEND = f"django.core.mail.backends.{'console' if DEBUG else 'smtp'}.EmailBackend"
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
# % else
SMTP = {
    "host": env.str("EMAIL_HOST", default="localhost"),
    "port": env.int("EMAIL_PORT", default=25),
    "username": env.str("EMAIL_HOST_USER", default=""),
    "password": env.str("EMAIL_HOST_PASSWORD", default=""),
    "use_tls": env.bool("EMAIL_USE_TLS", default=False),
}
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"} if DEBUG else {"OPTIONS": SMTP}}
# % endif
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="webmaster@localhost")

# Security: everything over HTTPS unless DEBUG is on. Raise the HSTS time once the site has proved itself.
# https://docs.djangoproject.com/en/stable/topics/security/

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
PROXY_HEADER = env.list("SECURE_PROXY_SSL_HEADER", None, subcast=str.strip, validate=validate.Length(equal=2))
SECURE_PROXY_SSL_HEADER = tuple(PROXY_HEADER) if PROXY_HEADER else None
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("SECURE_HSTS_SECONDS", default=3600, validate=not_negative)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
# % if cookiecutter.django_version == "5.2"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": CSP}

# % else
SECURE_CSP = CSP

# % endif
# Logging: every record once on the console and once in logs/django.log; what concerns security also in
# logs/security.log. Windows rotates by size, every other system at midnight.
# https://docs.djangoproject.com/en/stable/topics/logging/

LOGS_DIR = BASE_DIR / "logs"
LOG_LEVEL = env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]))
LOG_FORMAT = env.str("LOG_FORMAT", default="text", validate=validate.OneOf(["text", "json"]))
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0, validate=not_negative)
SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="{{ cookiecutter.project_slug }}")
SERVICE_NAME = SERVICE_NAME or "{{ cookiecutter.project_slug }}"  # where the variable is empty
LOG_FILES_CHOICES = ["rotate", "off"] if IS_WINDOWS else ["rotate", "watch", "off"]
ERROR = "must be one of {choices}" + (", as no other program can rename open files on Windows" if IS_WINDOWS else "")
LOG_FILES = env.str("LOG_FILES", default="rotate", validate=validate.OneOf(LOG_FILES_CHOICES, error=ERROR))
BY_SIZE = {
    "class": "applog.handlers.SharedRotatingFileHandler",
    "maxBytes": env.int("LOG_MAX_BYTES", default=10_485_760, validate=at_least_1),
    "backupCount": env.int("LOG_BACKUP_COUNT", default=10, validate=at_least_1),
}
AT_MIDNIGHT = {
    "class": "applog.handlers.SharedTimedRotatingFileHandler",
    "when": "midnight",
    "backupCount": env.int("LOG_BACKUP_DAYS", default=90, validate=at_least_1),
}
BY_ANOTHER_PROGRAM = {"class": "applog.handlers.WatchedFileHandler"}
ROTATION = BY_ANOTHER_PROGRAM if LOG_FILES == "watch" else BY_SIZE if IS_WINDOWS else AT_MIDNIGHT

# Where they cannot be written, on a read-only disk for example, records go to the console alone: applog.W001 says so.
WITH_FILES = LOG_FILES != "off" and find_problem(LOGS_DIR, "django.log", "security.log") is None
SECURITY_LOG = {"handlers": ["security_file"] if WITH_FILES else [], "level": "INFO"}
FILE_OPTIONS = {**ROTATION, "formatter": LOG_FORMAT, "encoding": "utf-8", "delay": True}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {name: {"()": f"applog.formatters.{name.title()}Formatter"} for name in ("text", "json")},
    "filters": {
        "SecurityFilter": {"()": "applog.filters.SecurityFilter"},
        "ServerFilter": {"()": "applog.filters.ServerFilter"},
        "debug_is_off": {"()": "django.utils.log.RequireDebugFalse"},
    },
    "handlers": {
        "console": {"class": "applog.console.ConsoleHandler", "formatter": LOG_FORMAT, "level": LOG_LEVEL},
        "file": {**FILE_OPTIONS, "filename": LOGS_DIR / "django.log", "level": LOG_LEVEL},
        "security_file": {**FILE_OPTIONS, "filename": LOGS_DIR / "security.log", "filters": ["SecurityFilter"]},
        "mail_admins": {"class": "django.utils.log.AdminEmailHandler", "level": "ERROR", "filters": ["debug_is_off"]},
    },
    "root": {"handlers": ["console", "file"] if WITH_FILES else ["console"], "level": LOG_LEVEL},
    # No console here, which Django itself gives "django" and "django.server": each record would be printed a second
    # time. LOG_LEVEL does not concern the security log. Django's own DEBUG records, of each query, are left out.
    "loggers": {
        "django": {"handlers": ["mail_admins"], "level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        "django.server": {"handlers": [], "level": "NOTSET", "propagate": True, "filters": ["ServerFilter"]},
        **dict.fromkeys(("applog.security", "django.request", "django.security"), SECURITY_LOG),
    },
}
if env.str("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "") or env.str("OTEL_EXPORTER_OTLP_ENDPOINT", ""):
    from applog.otlp import add_handler  # to a collector as well

    add_handler(LOGGING)
# With LOG_QUEUE a thread of its own writes each file, so that no request waits for the disk.
LOGGING_CONFIG = "applog.queues.configure" if env.bool("LOG_QUEUE", default=False) else "logging.config.dictConfig"
