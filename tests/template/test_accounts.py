"""Accounts of their own, in a browser: from sign-up to a passkey, and what the security log tells of it."""

import base64
import hmac
import re
import struct
import time
from http.client import HTTPConnection

import pytest
from browser import barriers, browsers, complaints
from conftest import CHOICES, run
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from servers import PRODUCTION, fetch, wait_for
from smtp import mail_server

ADDRESS, PASSWORD, WRONG = "ann@example.com", "correct horse 1", "wrong horse 2"
# Without https, which a browser asks passkeys for everywhere but at localhost.
PLAIN = {"SECURE_SSL_REDIRECT": "false", "SESSION_COOKIE_SECURE": "false", "CSRF_COOKIE_SECURE": "false"}
EVENT = re.compile(r" applog\.security \[\S+\] (\w+) .*?: (.*)")

EVENTS = [
    "user_created: user 1 'ann@example.com'",
    "user_updated: user 1 'ann@example.com', e-mail address added",
    "authn_login_fail: user 1 'ann@example.com', mailed code",
    "user_updated: user 1 'ann@example.com', e-mail address confirmed",
    "authn_login_success: user 1 'ann@example.com'",
    "authn_login_successafterfail: user 1 'ann@example.com', failures before: 1",
    "user_updated: user 1 'ann@example.com', totp added",
    "user_updated: user 1 'ann@example.com', recovery codes added",
    "session_expired: logout, user 1 'ann@example.com'",
    "authn_login_fail: user 'ann@example.com'",
    "authn_login_fail: user 1 'ann@example.com', code",
    "authn_login_success: user 1 'ann@example.com'",
    "authn_login_successafterfail: user 1 'ann@example.com', failures before: 2",
    "user_updated: user 1 'ann@example.com', webauthn added",
    "session_expired: logout, user 1 'ann@example.com'",
    "authn_login_success: user 1 'ann@example.com'",
    "session_expired: logout, user 1 'ann@example.com'",
    "authn_login_success: user 1 'ann@example.com'",
    "session_expired: logout, user 1 'ann@example.com'",
    "authn_login_fail: user 1 'ann@example.com', inactive",
]
INACTIVE = "from users.models import User; User.objects.update(is_active=False)"

TITLES = r"""
import html
import re

from django.test import Client, TestCase


def title(page):
    [found] = re.findall("<title>(.*?)</title>", page.content.decode(), re.DOTALL)
    return " ".join(html.unescape(found).split())


class TitleTests(TestCase):
    def test_titles(self):
        site = title(self.client.get("/"))
        self.assertEqual(site, "Tom & Jerry")
        for path in ("/accounts/signup/", "/accounts/login/code/", "/accounts/password/reset/"):
            client = Client()
            first = client.get(path)
            form = {"email": "ann@example.com", "password1": "correct horse 1"}
            then = client.post(path, form, follow=True)
            self.assertEqual(then.redirect_chain[-1][1], 302)
            for page in (first, then):
                self.assertRegex(title(page), rf"^\w.* · {re.escape(site)}$")
"""


class Visitor:
    """Somebody at a browser, who also reads the mail."""

    def __init__(self, browser, site, mails, axe):
        """Keep what it takes, and what is found to be wrong with pages."""
        self.browser, self.site, self.mails, self.axe, self.seen = browser, site, mails, axe, []

    def open(self, path):
        """Go to a page."""
        self.browser.get(f"{self.site}{path}")

    def send(self, **fields):
        """Fill in the fields of a form, and press its button."""
        for name, value in fields.items():
            field = self.browser.find_element(By.CSS_SELECTOR, f"main [name={name}]")
            field.clear()
            field.send_keys(value)
        self.press("main form [type=submit]")

    def press(self, button):
        """Press a button, and wait for the next page."""
        self.browser.execute_script("document.before = true")
        self.browser.find_element(By.CSS_SELECTOR, button).click()
        wait_for(lambda: self.browser.execute_script("return !document.before && document.readyState == 'complete'"))

    def mailed_code(self):
        """Wait for a mail, and return the code in it."""
        wait_for(lambda: self.mails)
        return re.search(r"^[A-Z]{4}-[A-Z]{4}\r?$", self.mails.pop().get_content(), re.MULTILINE)[0].strip()

    def look(self):
        """Look for what the browser or the content security policy complains of, and for barriers."""
        # [DOM] begins Chromium's advice to forms that ask for a password alone.
        self.seen += [message for message in complaints(self.browser) if "[DOM]" not in message]
        self.seen += barriers(self.browser, self.axe)

    def is_at(self, path):
        """Tell whether the page is the one of a path."""
        return self.browser.current_url.partition("?")[0] == f"{self.site}{path}"

    def sign_out(self):
        """Press the button in the head of each page."""
        self.press("header form button")


def totp(secret):
    """Return the code of an authenticator app, https://www.rfc-editor.org/rfc/rfc6238."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack_from('>I', digest, offset)[0] & 0x7FFFFFFF) % 10**6:06}"


@pytest.fixture
def visitor(bake, environment, serve, axe, tmp_path):
    """Serve a project with accounts as in production, with its log, and give who visits it."""
    python, project = environment("5.2"), bake(accounts="allauth")
    with mail_server() as (port, mails), browsers(tmp_path) as start:
        mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port)}
        env = PRODUCTION | PLAIN | mail | {"ALLOWED_HOSTS": "localhost,127.0.0.1"}
        run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
        run(python, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", cwd=project, env=env)
        address, _ = serve(python, project, env, "gunicorn")
        visitor = Visitor(start(), address.replace("127.0.0.1", "localhost"), mails, axe)
        visitor.logs = project / "logs"
        visitor.run = lambda code: run(python, "manage.py", "shell", "-c", code, cwd=project, env=env)
        yield visitor


def test_an_account_from_sign_up_to_a_passkey(visitor):  # noqa: PLR0915  one visit
    """Whose account was taken, how and when, has to stand in the log, and no code that opens it."""
    browser = visitor.browser
    visitor.open("/accounts/signup/")
    visitor.look()
    visitor.send(email=ADDRESS, password1=PASSWORD)
    visitor.send(code="WRNG-WRNG")
    secrets = [visitor.mailed_code()]
    visitor.send(code=secrets[0])
    assert visitor.is_at("/")

    visitor.open("/accounts/2fa/totp/activate/")
    visitor.send(password=PASSWORD)
    visitor.look()
    secrets.append(browser.find_element(By.ID, "authenticator_secret").get_property("value"))
    secrets.append(totp(secrets[-1]))
    visitor.send(code=secrets[-1])
    visitor.look()
    visitor.sign_out()

    visitor.open("/accounts/login/")
    visitor.send(login=ADDRESS, password=WRONG)
    visitor.send(login=ADDRESS, password=PASSWORD)
    visitor.send(code="000000")
    visitor.look()
    visitor.send(code=secrets[-1])
    assert visitor.is_at("/")

    key = VirtualAuthenticatorOptions(has_resident_key=True, has_user_verification=True, is_user_verified=True)
    browser.add_virtual_authenticator(key)
    visitor.open("/accounts/2fa/webauthn/add/")
    visitor.send(password=PASSWORD)
    visitor.look()
    browser.find_element(By.NAME, "passwordless").click()
    visitor.press("#mfa_webauthn_add")
    visitor.look()
    visitor.sign_out()
    visitor.open("/accounts/login/")
    visitor.look()
    browser.set_user_verified(verified=False)
    browser.find_element(By.ID, "passkey_login").click()
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "main [role=alert]"))
    visitor.look()
    browser.set_user_verified(verified=True)
    visitor.press("#passkey_login")
    assert visitor.is_at("/")
    visitor.sign_out()

    visitor.mails.clear()
    visitor.open("/accounts/login/code/")
    visitor.send(email=ADDRESS)
    secrets.append(visitor.mailed_code())
    visitor.send(code=secrets[-1])
    visitor.press("#mfa_webauthn_authenticate")
    visitor.open("/accounts/sessions/")
    visitor.look()
    visitor.sign_out()
    visitor.run(INACTIVE)
    visitor.open("/accounts/login/")
    visitor.press("#passkey_login")
    assert visitor.is_at("/accounts/inactive/")

    log, everything = ((visitor.logs / f"{name}.log").read_text(encoding="utf-8") for name in ("security", "django"))
    assert [f"{event}: {message.partition(', is_')[0]}" for event, message in EVENT.findall(log)] == EVENTS
    assert not [secret for secret in (*secrets, PASSWORD) if secret in everything]
    assert visitor.seen == []


def test_who_signed_up_with_an_address_of_another_waits_in_vain_for_its_owner(visitor):
    """Somebody who knows the password tries it again and again, and would be let in when the owner types the code."""
    visitor.open("/accounts/signup/")
    visitor.send(email=ADDRESS, password1=PASSWORD)
    visitor.mailed_code()
    visitor.browser.delete_all_cookies()
    visitor.open("/accounts/password/reset/")
    visitor.send(email=ADDRESS)
    visitor.send(code=visitor.mailed_code())
    assert visitor.is_at("/accounts/password/reset/complete/")
    visitor.look()
    visitor.browser.delete_all_cookies()
    visitor.open("/accounts/login/")
    visitor.send(login=ADDRESS, password=PASSWORD)
    assert visitor.is_at("/accounts/login/")
    assert visitor.seen == []


@pytest.mark.parametrize(("django_version", "accounts"), [("5.2", "admin"), ("6.1", "allauth")])
def test_what_no_browser_sends_is_no_error(bake, environment, serve, postgresql, django_version, accounts):
    """A stranger would send a mail of each to ADMINS, and fill the log with tracebacks."""
    answers = {"django_version": django_version, "accounts": accounts, "database": "postgresql"}
    python, project = environment(django_version), bake(**answers)
    env = PRODUCTION | PLAIN | {"ALLOWED_HOSTS": "127.0.0.1", "DATABASE_URL": postgresql.create(f"odd_{accounts}")}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    run(python, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", cwd=project, env=env)
    site, _ = serve(python, project, env, "gunicorn")
    page = {"admin": "/admin/login/", "allauth": "/accounts/login/"}[accounts]
    assert fetch(f"{site}{page}", Cookie=r'sessionid="\000aaaaaaaaaaaa"')[0] == 200
    assert fetch(f"{site}{page}?next=/", Content_Type="application/json; charset=hex")[0] == 200
    connection = HTTPConnection(site.removeprefix("http://"), timeout=30)
    connection.request("GET", page)
    answer = connection.getresponse()
    answer.read()
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "X-CSRFToken": cookie.partition("=")[2]}
    fields = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n+2AA-@example.com\r\n' % name
        for name in (b"username", b"login", b"password")
    )
    statuses = []
    for encoding in ("utf-8", "utf-7", "hex", "rot13", "idna", "undefined", "unicode_escape"):
        kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={encoding}"}
        connection.request("POST", f"{page}?next=/", fields + b"--x--\r\n", headers | kind)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [200] * 7
    assert " ERROR " not in (project / "logs" / "django.log").read_text(encoding="utf-8")


def test_each_page_s_title_has_the_site_s_name(bake, environment):
    """Among many tabs, and in a browser's history, it is what a visitor looks for; pages for codes are no exception."""
    project = bake(accounts="allauth", project_name="Tom & Jerry", project_slug="shop")
    (project / "users" / "test_titles.py").write_text(TITLES, encoding="utf-8")
    run(environment("5.2"), "-m", "pytest", "users/test_titles.py", cwd=project)


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_a_migration_of_a_changed_address_passes_the_project_s_own_rules(bake, environment, django_version):
    """Django imports the field's module before its own ones, and nobody should sort what makemigrations writes."""
    python, project = environment(django_version), bake(accounts="allauth", django_version=django_version)
    models = project / "users" / "models.py"
    text = models.read_text(encoding="utf-8")
    assert '_("email address"),' in text
    models.write_text(text.replace('_("email address"),', '_("mail address"),'), encoding="utf-8")
    run(python, "manage.py", "makemigrations", "users", cwd=project)
    [migration] = (project / "users" / "migrations").glob("0003_*.py")
    assert "import users.models" in migration.read_text(encoding="utf-8")
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "."]):
        run(python, "-m", *tool, cwd=project)
