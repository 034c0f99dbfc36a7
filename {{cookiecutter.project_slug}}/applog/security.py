"""Security events: which records are such events, and signal receivers that record more of them.

Events have the names of https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html. The
receivers log to `applog.security`: signing in and out, being locked out by django-axes, and changes of users, groups
and permissions. A change is recorded when its transaction is committed. `QuerySet.update`, bulk operations and SQL send
no signals, so what they change is not recorded.
"""

import logging
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest

from applog.context import current_request

logger = logging.getLogger(__name__)

LOGGERS = ("applog.security", "django.security", "django.request")  # whose records may be security events
DENIED = (401, 403)  # statuses

NAME_LENGTH = 254  # characters of a user name that was typed to sign in
NAMES_SHOWN = 10  # of the groups, permissions or users of one change
FLAGS = ("is_active", "is_staff", "is_superuser")


def security_event(record: logging.LogRecord) -> str | None:
    """Return the name of the security event that `record` is about, or None for all other records."""
    if record.name[:7] not in {"applog.", "django."}:  # most records
        return None
    logger_name = _logger_of(record.name)
    if logger_name == "applog.security":
        event = getattr(record, "event", None)
        return event if isinstance(event, str) else None
    if logger_name and getattr(record, "status_code", None) in DENIED:
        return "authz_fail"
    return "input_validation_fail" if logger_name == "django.security" else None


@lru_cache(maxsize=256)
def _logger_of(name: str) -> str:
    """Return the one of LOGGERS that a logger of this name is, or is below; "" if it is none."""
    return next((logger for logger in LOGGERS if f"{name}.".startswith(f"{logger}.")), "")


def connect() -> None:
    """Connect the receivers to the signals of django.contrib.auth, which must be installed.

    A user model without groups or permissions has no such signals, and none are recorded.
    """
    group = apps.get_model("auth", "Group")
    user_logged_in.connect(signed_in)
    user_login_failed.connect(sign_in_failed)
    user_logged_out.connect(signed_out)
    user = get_user_model()
    for model in apps.get_models():
        if issubclass(model, user):  # itself, and proxies
            pre_save.connect(remember, sender=model)
            post_save.connect(saved, sender=model)
            post_delete.connect(deleted, sender=model)
    post_delete.connect(group_deleted, sender=group)
    for model, name in ((user, "groups"), (user, "user_permissions"), (group, "permissions")):
        if field := getattr(model, name, None):
            m2m_changed.connect(members_changed, sender=field.through)


def signed_in(request: HttpRequest | None, user: models.Model, **_: Any) -> None:
    """Record a sign-in."""
    record(logging.INFO, "authn_login_success", describe(user), request)


def sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a sign-in that failed, with the name that was typed."""
    record(logging.WARNING, "authn_login_fail", f"user {typed_name(credentials)[:NAME_LENGTH]!r}", request)


def typed_name(credentials: dict[str, Any]) -> str:
    """Return the name of a sign-in, as it was typed."""
    return str(credentials.get(get_user_model().USERNAME_FIELD, credentials.get("username", "")))


def locked_out(request: HttpRequest, username: str | None, **_: Any) -> None:
    """Record a sign-in that django-axes refuses, after too many that failed."""
    record(logging.WARNING, "authn_login_lock", f"user {str(username)[:NAME_LENGTH]!r}, too many failures", request)


def signed_out(request: HttpRequest | None, user: models.Model | None, **_: Any) -> None:
    """Record a sign-out; without a user, the session had expired before."""
    if user:
        record(logging.INFO, "session_expired", f"logout, {describe(user)}", request)


def remember(instance: Any, using: str, update_fields: Iterable[str] | None, **_: Any) -> None:
    """Keep the fields of a user as they are in the database before it is saved."""
    names = {"password", *FLAGS}.intersection(field.name for field in instance._meta.concrete_fields)
    names &= set(names if update_fields is None else update_fields)
    rows = type(instance)._base_manager.using(using).filter(pk=instance.pk)
    instance._before_save = rows.values(*names).first() if names and instance.pk is not None else None


def saved(instance: Any, using: str, created: bool, update_fields: Iterable[str] | None, **_: Any) -> None:
    """Record a new user, a new or removed password, or new permissions of a user."""
    before = vars(instance).pop("_before_save", None) or {}
    fields = {field.name for field in instance._meta.concrete_fields}  # a user model need not have all of them
    now = {name: getattr(instance, name) for name in ("password", *FLAGS) if name in (fields if created else before)}
    flags = {name: now[name] for name in FLAGS if name in now and (created or now[name] != before[name])}
    changes = ", ".join(f"{name} is now {value}" for name, value in flags.items())
    who = describe(instance)
    if created:
        record_change("user_created", f"{who}, {changes}" if changes else who, using)
        return
    is_removed = not is_password_usable(now.get("password"))
    was_there = is_password_usable(before.get("password"))
    # After a change of the hasher, signing in hashes the same password again, and saves only that field.
    rehashed = set(update_fields or ()) == {"password"} and vars(instance).get("_password", "") is None
    if now.get("password") != before.get("password") and (was_there if is_removed else not rehashed):
        message = f"{who}, password removed" if is_removed else who
        record_change("authn_password_change", message, using, logging.INFO)
    if changes:
        record_change("authz_change", f"{who}, {changes}", using)


def deleted(instance: models.Model, using: str, **_: Any) -> None:
    """Record that a user was removed."""
    record_change("user_deleted", describe(instance), using)


def group_deleted(instance: models.Model, using: str, **_: Any) -> None:
    """Record that a group was removed, and so its permissions from its members."""
    record_change("authz_change", f"{describe(instance)} deleted", using)


def members_changed(  # noqa: PLR0913, PLR0917  the signal's
    sender: Any, instance: models.Model, action: str, model: Any, pk_set: set[Any] | None, using: str, **_: Any
) -> None:
    """Record that groups or permissions were given or taken away."""
    if action == "pre_clear":
        [own] = [field.name for field in sender._meta.fields if isinstance(instance, field.related_model or ())]
        [other] = [field.attname for field in sender._meta.fields if issubclass(field.related_model or int, model)]
        pk_set = set(sender._base_manager.using(using).filter(**{own: instance}).values_list(other, flat=True))
    verb = {"post_add": "gets", "post_remove": "loses", "pre_clear": "loses"}.get(action)
    if verb and pk_set:
        shown = model._base_manager.using(using).filter(pk__in=sorted(pk_set)[:NAMES_SHOWN])
        more = f" and {len(pk_set) - NAMES_SHOWN} more" if len(pk_set) > NAMES_SHOWN else ""
        names = ", ".join(map(describe, shown))
        record_change("authz_change", f"{describe(instance)} {verb} {names}{more}", using)


def describe(item: Any) -> str:
    """Return a user, group or permission as text. The name is quoted, so that no name can be read as something else.

    The text is the same in every language, so that it can be searched for.
    """
    name = item.get_username() if hasattr(item, "get_username") else getattr(item, "codename", None) or item.name
    return f"{item._meta.model_name} {item.pk} {str(name)!r}"


def record_change(event: str, message: str, using: str, level: int = logging.WARNING) -> None:
    """Record a change in the database `using`, and who made it, once it is committed."""
    request = current_request.get()
    if request is None:
        message = f"{message}, by {system_user()!r} on this machine"
    # Not functools.partial: when it fails, Django logs the function's __qualname__.
    transaction.on_commit(lambda: record(level, event, message, request), using=using, robust=True)


def system_user() -> str:
    """Return the name of the user that this process runs as, from the system: variables such as LOGNAME can be set."""
    if sys.platform == "win32":
        return os.getlogin()
    import pwd  # noqa: PLC0415  Unix only

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in many containers
        return str(os.getuid())


def record(level: int, event: str, message: str, request: HttpRequest | None = None) -> None:
    """Log an event. The formatters add whom the request came from.

    A `request` that is none of Django's, such as REST framework's, is about the one that this thread or task serves.
    """
    served = request if isinstance(request, HttpRequest) else current_request.get()
    logger.log(level, "%s", message, extra={"event": event, "request": served})
