"""The log in the admin."""

from applog.page.admin import LogAdmin  # noqa: F401, RUF100  Without the folder page/, delete this line.
