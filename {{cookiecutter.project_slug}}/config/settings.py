"""Settings of the project, read top to bottom; what differs between machines comes from the environment or .env."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from environs import Env, EnvError, validate

BASE_DIR = Path(__file__).resolve().parent.parent
IS_WINDOWS = sys.platform.startswith("win")

# Environment: variables of the process override .env; empty ones count as not set. .env.example lists them all.
# https://github.com/sloria/environs#readme

try:
    dotenv = dotenv_values(BASE_DIR / ".env")
except (OSError, UnicodeDecodeError) as error:
    message = f'File "{BASE_DIR / ".env"}" cannot be read ({error})'
    raise EnvError(message) from error


class ProjectEnv(Env):
    def _get_value(self, env_key: str, default: Any) -> Any:
        return os.environ.get(env_key) or dotenv.get(env_key) or default


env = ProjectEnv()
not_negative = validate.Range(min=0, error="must be 0 or more")
at_least_1 = validate.Range(min=1, error="must be 1 or more")

# Core
# https://docs.djangoproject.com/en/stable/howto/deployment/checklist/

DEBUG = env.bool("DEBUG", default=False)
long_enough = validate.Length(min=0 if DEBUG else 50, error="must have 50 characters or more; .env.example says how")
SECRET_KEY = env.str("SECRET_KEY", validate=long_enough)
SECRET_KEY_FALLBACKS = [key for key in env.list("SECRET_KEY_FALLBACKS", default=[], subcast=str.strip) if key]
names_only = validate.Regexp(r"([^/:[]|\[[^]]*\])*$", error="must be host names, without scheme and port")
ALLOWED_HOSTS = [host.strip() for host in env.str("ALLOWED_HOSTS", "", validate=names_only).split(",") if host.strip()]
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
    # % if cookiecutter.accounts == "allauth"
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    # % endif
    "applog",
    # % if cookiecutter.accounts == "admin"
    "axes",
    # % endif
    "pages",
    "users",
]

MIDDLEWARE = [
    "applog.middleware.request_log",
    "config.without_odd_session",
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
    "django_permissions_policy.PermissionsPolicyMiddleware",
    # % if cookiecutter.accounts == "allauth"
    "allauth.account.middleware.AccountMiddleware",
    "users.email_addresses.AccountPages",
    # % else
    "axes.middleware.AxesMiddleware",
    # % endif
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

database = env.dj_db_url("DATABASE_URL", default="sqlite:///db.sqlite3", conn_max_age=60, conn_health_checks=True)
if database["ENGINE"] == "django.db.backends.sqlite3":
    if database["NAME"] != ":memory:":
        database["NAME"] = BASE_DIR / database["NAME"]
    # Readers and one writer side by side; a second writer waits, for up to 20 seconds, instead of failing.
    database["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        **database.get("OPTIONS", {}),
    }
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Users and passwords
# https://docs.djangoproject.com/en/stable/topics/auth/customizing/

AUTH_USER_MODEL = "users.User"
# % if cookiecutter.accounts == "allauth"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
# % else
LOGIN_URL = "admin:login"
# % endif
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# % if cookiecutter.accounts == "allauth"
# Accounts: codes by mail, and no links, so that no URL, and no log of URLs, contains a secret.
# https://docs.allauth.org/en/latest/account/configuration.html

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "users.adapters.AccountAdapter"
ACCOUNT_FORMS = {"signup": "users.forms.SignupForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # the code before, and after, of clocks that differ
MFA_FORMS = {
    "add_webauthn": "users.forms.AddKeyForm",
    "authenticate": "users.forms.CodeForm",
    "authenticate_webauthn": "users.forms.KeyForm",
    "login_webauthn": "users.forms.PasskeyForm",
    "reauthenticate": "users.forms.CodeAgainForm",
    "reauthenticate_webauthn": "users.forms.KeyAgainForm",
}
USERSESSIONS_ADAPTER = "users.adapters.SessionsAdapter"

# Cache: it counts what the limits of sign-ins allow, for all processes together, and so is a table of the database.
# https://docs.djangoproject.com/en/stable/topics/cache/

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# % else
# Sign-in: after 10 failures of a name from an address, that address must wait before it may try that name again. Others
# are not locked out. https://django-axes.readthedocs.io/en/latest/4_configuration.html

AUTHENTICATION_BACKENDS = ["users.backends.SignInLimit", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "users.backends.name_as_kept"
AXES_CLIENT_IP_CALLABLE = "applog.context.client_network"  # the address that the log shows
AXES_LOCKOUT_CALLABLE = "pages.errors.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # logs/security.log has it

# % endif
# Language and time; TIME_ZONE also decides when midnight is for the log files.
# https://docs.djangoproject.com/en/stable/topics/i18n/

LANGUAGE_CODE = "en-us"
TIME_ZONE = "{{ cookiecutter.time_zone }}"
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

# E-mail: printed to the console while DEBUG is on. https://docs.djangoproject.com/en/stable/topics/email/

use_tls = env.bool("EMAIL_USE_TLS", default=False)
not_with_tls = validate.NoneOf([True] if use_tls else [], error="must be off, or EMAIL_USE_TLS")
# % if cookiecutter.django_version == "5.2"
EMAIL_BACKEND = f"django.core.mail.backends.{'console' if DEBUG else 'smtp'}.EmailBackend"
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = use_tls
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False, validate=not_with_tls)
EMAIL_TIMEOUT = 10  # seconds
# % else
smtp = {
    "host": env.str("EMAIL_HOST", default="localhost"),
    "port": env.int("EMAIL_PORT", default=25),
    "username": env.str("EMAIL_HOST_USER", default=""),
    "password": env.str("EMAIL_HOST_PASSWORD", default=""),
    "use_tls": use_tls,
    "use_ssl": env.bool("EMAIL_USE_SSL", default=False, validate=not_with_tls),
    "timeout": 10,  # seconds
}
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"} if DEBUG else {"OPTIONS": smtp}}
# % endif
ADMINS: list[Any] = [address for address in env.list("ADMINS", default=[], subcast=str.strip) if address]
# % if cookiecutter.django_version == "5.2"
ADMINS = [(address, address) for address in ADMINS]
# % endif
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="webmaster@localhost")

# Security: everything over HTTPS unless DEBUG is on. Raise the HSTS time once the site has proved itself.
# https://docs.djangoproject.com/en/stable/topics/security/

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
as_wsgi_has_it = validate.Regexp(r"(HTTP_[A-Z0-9_]+ *, *[^, ]+)?$", error="must be like HTTP_X_FORWARDED_PROTO,https")
proxy_header = env.str("SECURE_PROXY_SSL_HEADER", default="", validate=as_wsgi_has_it)
SECURE_PROXY_SSL_HEADER = tuple(part.strip() for part in proxy_header.split(",")) if proxy_header else None
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("SECURE_HSTS_SECONDS", default=3600, validate=not_negative)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # asks for preload, which is for good: https://hstspreload.org
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", default=not DEBUG)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", default=not DEBUG)
csp = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
# % if cookiecutter.django_version == "5.2"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp}

# % else
SECURE_CSP = csp

# % endif
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
}

# Logging: every record goes to the console and to logs/django.log, security events also to logs/security.log.
# Windows rotates by size, other systems at midnight or by size. https://docs.djangoproject.com/en/stable/topics/logging/

LOGS_DIR = BASE_DIR / "logs"
LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(LEVELS))
pairs = [pair for pair in env.list("LOG_LEVELS", default=[], subcast=str.strip) if pair]
if not all(re.fullmatch(rf"(?!root *=)[\w-]+(\.[\w-]+)* *= *({'|'.join(LEVELS)})", pair) for pair in pairs):
    message = f'Environment variable "LOG_LEVELS" must be like shop=DEBUG,shop.cart=INFO; of {", ".join(LEVELS)}'
    raise EnvError(message)
LOG_LEVELS = {name.strip(): level.strip() for name, _, level in (pair.partition("=") for pair in pairs)}
LOG_FORMAT = env.str("LOG_FORMAT", default="text", validate=validate.OneOf(["text", "json"]))
LOG_FILES = env.str("LOG_FILES", default="rotate", validate=validate.OneOf(["rotate", "watch", "off"]))
if IS_WINDOWS and LOG_FILES == "watch":
    message = '"LOG_FILES" must be one of rotate, off, as no other program can rename open files on Windows'
    raise EnvError(message)
LOG_QUEUE = env.bool("LOG_QUEUE", default=False)
LOG_REDACT = [word for word in env.list("LOG_REDACT", default=[], subcast=str.strip) if word]
for name in filter(lambda name: name.startswith(("OTEL_", "SENTRY_")), dotenv):  # SDKs read the process's environment
    os.environ[name] = os.environ.get(name) or dotenv[name] or ""
SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="{{ cookiecutter.project_slug }}")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0, validate=not_negative)
paths = env.str("LOG_QUIET_PATHS", "", validate=validate.Regexp(r"( */[^,]*(,|$))*$", error="must be like /ping,/up/"))
LOG_QUIET_PATHS = [path.strip() for path in paths.split(",") if path.strip()] or None  # None: /health/ and STATIC_URL
LOG_SLOW_REQUEST_MS = env.int("LOG_SLOW_REQUEST_MS", default=0, validate=not_negative)  # 0: off
LOG_SLOW_QUERY_MS = env.int("LOG_SLOW_QUERY_MS", default=0, validate=not_negative)

limits = {
    "maxBytes": env.int("LOG_MAX_BYTES", default=(10 if IS_WINDOWS else 256) * 1024**2, validate=at_least_1),
    "totalBytes": env.int("LOG_TOTAL_BYTES", default=4 * 1024**3, validate=at_least_1),
    "compress": env.bool("LOG_COMPRESS", default=False),
}
by_size = {
    **limits,
    "class": "applog.handlers.SharedRotatingFileHandler",
    "backupCount": env.int("LOG_BACKUP_COUNT", default=10, validate=at_least_1),
}
at_midnight = {
    **limits,
    "class": "applog.handlers.SharedTimedRotatingFileHandler",
    "when": "midnight",
    "backupCount": env.int("LOG_BACKUP_DAYS", default=90, validate=at_least_1),
}
by_another_program = {"class": "applog.handlers.WatchedFileHandler", "delay": True}
rotation = by_another_program if LOG_FILES == "watch" else by_size if IS_WINDOWS else at_midnight
file = {**rotation, "formatter": LOG_FORMAT, "encoding": "utf-8"}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "applog.formatters.TextFormatter"},
        "json": {"()": "applog.formatters.JsonFormatter"},
    },
    "filters": {
        "security": {"()": "applog.filters.SecurityFilter"},
        "server": {"()": "applog.filters.ServerFilter"},
        "levels": {"()": "applog.filters.LevelFilter", "level": LOG_LEVEL, "levels": LOG_LEVELS},
        "debug_is_off": {"()": "django.utils.log.RequireDebugFalse"},
    },
    "handlers": {
        "console": {"class": "applog.console.ConsoleHandler", "formatter": LOG_FORMAT, "filters": ["levels"]},
        "file": {**file, "filename": LOGS_DIR / "django.log", "filters": ["levels"]},
        "security_file": {**file, "filename": LOGS_DIR / "security.log", "filters": ["security"]},
        "mail_admins": {
            "class": "applog.mail.ErrorMailHandler",
            "folder": LOGS_DIR,
            "level": "ERROR",
            "filters": ["debug_is_off"],
        },
    },
    "root": {"handlers": ["console", "file", "mail_admins"], "level": LOG_LEVEL},
    "loggers": {
        # Replaces Django's console handlers; otherwise each record would be printed twice.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "NOTSET", "propagate": True, "filters": ["server"]},
        # The server's own errors go where the others go, and not to its own console handler.
        "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        # % if cookiecutter.accounts == "admin"
        # Of failed sign-ins django-axes would log each; the security log has them.
        "axes": {"level": "ERROR"},
        # % endif
        "django.request": {"handlers": ["security_file"], "level": "INFO"},
        "django.security": {"handlers": ["security_file"], "level": "INFO"},
        "applog.security": {"handlers": ["security_file"], "level": "INFO"},
    },
}
for name, level in LOG_LEVELS.items():
    LOGGING["loggers"].setdefault(name, {})["level"] = level
LOGGING_CONFIG = "applog.setup.configure"  # leaves out files that cannot be written; adds what variables ask for
