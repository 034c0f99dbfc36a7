"""The landing page, to be replaced by your own, and the health endpoint."""

import platform

import django
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from applog.files import log_files, rotation_sentence


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show that the site works, where its logs are and how they rotate."""
    context = {
        "database": connection.display_name,
        "debug": settings.DEBUG,
        "django_version": django.get_version(),
        "logs": log_files(),
        "python_version": platform.python_version(),
        "rotation": rotation_sentence(),
        "time_zone": settings.TIME_ZONE,
    }
    return render(request, "home.html", context)


@never_cache
@require_safe
def health(_: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers a query, and 503 when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})
