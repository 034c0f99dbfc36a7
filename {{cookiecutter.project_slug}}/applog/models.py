"""The log as the admin knows it: without a table."""

from django.db import models


class NoRows(models.Manager["Log"]):
    """Finds nothing, so that what goes through all models, as dumpdata does, asks no database for the table."""

    def get_queryset(self) -> models.QuerySet["Log"]:
        """Return no rows."""
        return super().get_queryset().none()


class Log(models.Model):  # noqa: DJ008  no row is ever shown
    """The log. Whoever has the permission `applog.view_log` may read it in the admin."""

    objects = NoRows()

    class Meta:
        base_manager_name = "objects"
        default_permissions = ("view",)
        managed = False
        verbose_name = "log"
