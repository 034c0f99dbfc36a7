"""The user model."""

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse


class UserTests(TestCase):
    """Users in the admin."""

    def test_the_admin_lists_and_adds_users(self) -> None:
        """Without a working user model nobody could sign in."""
        self.client.force_login(get_user_model().objects.create_superuser("admin"))
        self.assertEqual(self.client.get(reverse("admin:users_user_changelist")).status_code, 200)
        password = "correct horse 1"  # noqa: S105  nobody's
        form = {"username": "ann", "password1": password, "password2": password, "usable_password": "true"}
        self.client.post(reverse("admin:users_user_add"), form)
        self.assertTrue(self.client.login(username="ann", password=password))
