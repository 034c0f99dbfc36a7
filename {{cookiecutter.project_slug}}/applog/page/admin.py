"""The log's page in the admin, read-only."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from applog.models import Log
from applog.page import download, errors, requests, views


@admin.register(Log)
class LogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes none when it runs
    """Shows the log's page in place of a list of rows."""

    class Media:
        css = {"all": ["applog/log.css"]}  # noqa: RUF012  Django's own declaration
        js = (forms.Script("applog/log.js", defer=True),)

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the pages, of new records and of the download, in place of the usual ones."""
        allow = self.admin_site.admin_view
        return [
            path("", allow(self.changelist_view), name="applog_log_changelist"),
            path("news/", allow(self.news_view), name="applog_log_news"),
            path("errors/", allow(self.errors_view), name="applog_log_errors"),
            path("requests/", allow(self.requests_view), name="applog_log_requests"),
            path("download/", allow(self.download_view), name="applog_log_download"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the page."""
        self.check_permission(request)
        context = {**self.admin_site.each_context(request), "media": self.media, "opts": self.opts}
        return views.page(request, {**context, **(extra_context or {})})

    def news_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the records that live mode has not shown yet."""
        self.check_permission(request)
        return views.news(request)

    def errors_view(self, request: HttpRequest) -> HttpResponse:
        """Show the errors, by their kind."""
        return errors.page(request, self.answer_context(request))

    def requests_view(self, request: HttpRequest) -> HttpResponse:
        """Show the requests, by their route."""
        return requests.page(request, self.answer_context(request))

    def answer_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of a page without a script. Raises PermissionDenied."""
        self.check_permission(request)
        media = forms.Media(css={**self.Media.css})
        return {**self.admin_site.each_context(request), "media": media, "opts": self.opts}

    def download_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the matching records."""
        self.check_permission(request)
        return download.download(request)

    def check_permission(self, request: HttpRequest) -> None:
        """Raise PermissionDenied for a user who may not read the log."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing can be added."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Log | None = None) -> bool:
        """Nothing can be changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Log | None = None) -> bool:
        """Nothing can be deleted."""
        return False
