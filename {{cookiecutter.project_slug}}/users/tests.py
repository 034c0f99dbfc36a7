"""The user model."""

from django.contrib.auth import aauthenticate, get_user_model
from django.test import RequestFactory, TestCase, override_settings
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


@override_settings(AXES_ENABLED=True, AXES_FAILURE_LIMIT=3)
class SignInTests(TestCase):
    """Signing in, with the limit that the other tests do without."""

    def sign_in(self, name: str, password: str, address: str) -> int:
        """Return the status of the answer."""
        form = {"username": name, "password": password}
        return self.client.post(reverse("admin:login"), form, REMOTE_ADDR=address).status_code

    def test_who_guesses_passwords_has_to_wait(self) -> None:
        """And nobody else: not others at this address, and not the user at another one."""
        password = "correct horse 1"  # noqa: S105  nobody's
        for name in ("ann", "ben"):
            get_user_model().objects.create_superuser(name, password=password)
        with self.assertLogs("applog.security", "WARNING") as log:
            statuses = [self.sign_in("ann", f"wrong {number}", "192.0.2.7") for number in range(5)]
        self.assertEqual(statuses, [200, 200, 429, 429, 429])
        events = sorted(record.event for record in log.records)  # type: ignore[attr-defined]
        self.assertEqual(events, ["authn_login_fail"] * 5 + ["authn_login_lock"] * 3)
        self.assertEqual(self.sign_in("ann", password, "192.0.2.7"), 429)
        self.assertEqual(self.sign_in("ben", password, "192.0.2.7"), 302)
        self.assertEqual(self.sign_in("ann", password, "192.0.2.8"), 302)

    async def test_code_that_is_asynchronous_signs_in_too(self) -> None:
        """The limit must not refuse what it has no reason to."""
        password = "correct horse 1"  # noqa: S105  nobody's
        user = await get_user_model().objects.acreate_user("ann", password=password)
        request = RequestFactory().post("/")
        self.assertEqual(await aauthenticate(request, username="ann", password=password), user)
        self.assertIsNone(await aauthenticate(request, username="ann", password="wrong"))  # noqa: S106

    def test_a_network_of_version_6_is_one_address(self) -> None:
        """A single client may own all 2**64 of them."""
        statuses = [self.sign_in("ann", "wrong", f"2001:db8::{number}") for number in range(4)]
        self.assertEqual(statuses, [200, 200, 429, 429])
