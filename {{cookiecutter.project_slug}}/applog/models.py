"""A model without a table, for the log's page in the admin and its permission."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class NoRows(models.Manager["Log"]):
    """Finds nothing, so that what reads all models, such as dumpdata, does not query a table that does not exist."""

    def get_queryset(self) -> models.QuerySet["Log"]:
        """Return no rows."""
        return super().get_queryset().none()


class Log(models.Model):  # noqa: DJ008  it has no rows
    """The log. Users with the permission `applog.view_log` may read it in the admin."""

    objects = NoRows()

    class Meta:
        base_manager_name = "objects"
        default_permissions = ("view",)
        managed = False
        verbose_name = _("log")
