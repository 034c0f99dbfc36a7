"""URLs of the project: each app has its own, https://docs.djangoproject.com/en/stable/topics/http/urls/."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("pages.urls")),
    path("admin/", admin.site.urls),
    # % if cookiecutter.accounts == "allauth"
    path("accounts/", include("allauth.urls")),
    # % endif
    # Uploaded files while DEBUG is on; in production the web server serves them.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]

handler400 = "pages.errors.bad_request"
handler403 = "pages.errors.permission_denied"
handler404 = "pages.errors.page_not_found"
# % if cookiecutter.accounts == "allauth"
handler429 = "pages.errors.too_many_requests"
# % endif
handler500 = "pages.errors.server_error"
