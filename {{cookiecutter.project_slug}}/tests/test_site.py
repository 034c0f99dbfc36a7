"""The site's own pages."""

import django
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.views.defaults import bad_request, permission_denied, server_error

from tests.conftest import Manage


@pytest.mark.parametrize("debug", [True, False])
def test_only_a_developer_is_told_about_the_system(client: Client, debug: bool) -> None:
    """The first page must work for its developer, and must not tell strangers which versions run here."""
    with override_settings(DEBUG=debug):
        response = client.get(reverse("home"))
    assert response.status_code == 200
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert (b"records go to the console" in response.content) is debug
    assert (django.get_version().encode() in response.content) is debug


def test_the_first_page_opens_when_a_logger_was_added(client: Client) -> None:
    """A level for a logger of one's own, without handlers, is the first thing that is added to LOGGING."""
    loggers = {**settings.LOGGING["loggers"], "shop": {"level": "DEBUG"}}
    with override_settings(LOGGING={**settings.LOGGING, "loggers": loggers}):
        assert client.get(reverse("home")).status_code == 200


@pytest.mark.django_db
def test_the_admin_opens(client: Client) -> None:
    """Without a working user model nobody could sign in."""
    client.force_login(get_user_model().objects.create_superuser("admin"))
    assert client.get(reverse("admin:users_user_changelist")).status_code == 200


@pytest.mark.django_db
def test_health_is_good_while_the_database_answers(client: Client) -> None:
    """A container that is well must not be restarted."""
    response = client.get(reverse("health"))
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_health_is_bad_without_the_database(manage: Manage) -> None:
    """A container whose database is gone must not get requests."""
    code = "from django.test import Client; print(Client().get('/health/').status_code)"
    result = manage("shell", "-c", code, DATABASE_URL="sqlite:////no/such/folder/db.sqlite3")
    assert result.stdout.strip().endswith("503"), result.stderr


def test_error_pages_have_the_site_s_looks(client: Client, rf: RequestFactory) -> None:
    """A visitor who meets an error should still see whose site it is."""
    request = rf.get("/")
    assert b"site.css" in client.get("/no-such-page").content
    assert b"site.css" in bad_request(request, Exception()).content
    assert b"site.css" in permission_denied(request, Exception()).content
    assert b"site.css" in server_error(request).content
