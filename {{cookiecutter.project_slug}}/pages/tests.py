"""The site's own pages. `uv run pytest` and `uv run manage.py test` both run these."""

import django
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase, override_settings
from django.urls import include, path, reverse


def bad(request: HttpRequest) -> HttpResponse:
    """Refuse the request."""
    raise BadRequest


def denied(request: HttpRequest) -> HttpResponse:
    """Refuse the visitor."""
    raise PermissionDenied


def broken(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise ZeroDivisionError


urlpatterns = [path("", include("config.urls")), path("bad", bad), path("denied", denied), path("broken", broken)]
handler400 = "pages.errors.bad_request"
handler403 = "pages.errors.permission_denied"
handler404 = "pages.errors.page_not_found"
handler500 = "pages.errors.server_error"


class PagesTests(TestCase):
    """What a visitor and a monitor ask for."""

    def test_the_landing_page_tells_a_visitor_no_versions(self) -> None:
        """Only a developer is told what runs here: an attacker would look up its known holes."""
        response = self.client.get(reverse("home"))
        self.assertEqual(response.status_code, 200)
        self.assertNotContains(response, django.get_version())
        self.assertIn("default-src 'self'", response.headers["Content-Security-Policy"])
        with override_settings(DEBUG=True):
            self.assertEqual(self.client.get(reverse("home")).status_code, 200)

    def test_health_is_good_while_the_database_answers(self) -> None:
        """A container that is well must not be restarted."""
        response = self.client.get(reverse("health"))
        self.assertEqual((response.status_code, response.json()), (200, {"status": "ok"}))

    @override_settings(ROOT_URLCONF="pages.tests")
    def test_errors_have_a_page_of_the_site(self) -> None:
        """A visitor who meets an error should still see whose site it is."""
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        for address, status in (("/bad", 400), ("/denied", 403), ("/no-such-page", 404), ("/broken", 500)):
            with self.subTest(address):
                response = client.get(address)
                self.assertEqual(response.status_code, status)
                self.assertTemplateUsed(response, "error.html")
        response = client.post("/admin/login/", {"username": "ann"})
        self.assertEqual(response.status_code, 403)
        self.assertTemplateUsed(response, "error.html")
