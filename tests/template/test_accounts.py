"""Accounts of their own, in a browser: from sign-up to a passkey, and what the security log tells of it."""

import base64
import hmac
import re
import struct
import time

import pytest
from browser import barriers, browsers, complaints
from conftest import run
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from servers import PRODUCTION, wait_for
from smtp import mail_server

ADDRESS, PASSWORD = "ann@example.com", "correct horse 1"
# Without https, which a browser asks passkeys for everywhere but at localhost.
PLAIN = {"SECURE_SSL_REDIRECT": "false", "SESSION_COOKIE_SECURE": "false", "CSRF_COOKIE_SECURE": "false"}
EVENT = re.compile(r" applog\.security \[\S+\] (\w+) .*?: (.*)")


class Visitor:
    """Somebody at a browser, who also reads the mail."""

    def __init__(self, browser, site, mails):
        """Keep what it takes."""
        self.browser, self.site, self.mails = browser, site, mails
        self.pages = []

    def open(self, path):
        """Go to a page."""
        self.browser.get(f"{self.site}{path}")

    def send(self, button=None, **fields):
        """Fill in the fields of a form, and press its button."""
        for name, value in fields.items():
            field = self.browser.find_element(By.CSS_SELECTOR, f"main [name={name}]")
            field.clear()
            field.send_keys(value)
        self.press(button or "main form [type=submit]")

    def press(self, button):
        """Press a button, and wait for the next page."""
        self.browser.execute_script("document.before = true")
        self.browser.find_element(By.CSS_SELECTOR, button).click()
        wait_for(lambda: self.browser.execute_script("return !document.before && document.readyState == 'complete'"))

    def mailed_code(self):
        """Wait for a mail, and return the code in it."""
        wait_for(lambda: self.mails)
        return re.search(r"^[A-Z]{4}-[A-Z]{4}\r?$", self.mails.pop().get_content(), re.MULTILINE)[0].strip()

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
def visitor(bake, environment, serve, tmp_path):
    """Serve a project with accounts as in production, with its log, and give who visits it."""
    python, project = environment("5.2"), bake(accounts="allauth")
    with mail_server() as (port, mails), browsers(tmp_path) as start:
        mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port)}
        env = PRODUCTION | PLAIN | mail | {"ALLOWED_HOSTS": "localhost,127.0.0.1"}
        run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
        run(python, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", cwd=project, env=env)
        address, _ = serve(python, project, env, "gunicorn")
        visitor = Visitor(start(), address.replace("127.0.0.1", "localhost"), mails)
        visitor.log = project / "logs" / "security.log"
        yield visitor


def test_an_account_from_sign_up_to_a_passkey(visitor, axe):
    """Whose account was taken, how and when, has to stand in the log, and no code that opens it."""
    browser, seen = visitor.browser, []

    def look():
        seen.extend(complaints(browser))
        seen.extend(barriers(browser, axe))

    visitor.open("/accounts/signup/")
    look()
    visitor.send(email=ADDRESS, password1=PASSWORD)
    visitor.send(code="WRNG-WRNG")
    secrets = [visitor.mailed_code()]
    visitor.send(code=secrets[0])
    assert visitor.is_at("/")

    visitor.open("/accounts/2fa/totp/activate/")
    visitor.send(password=PASSWORD)
    look()
    secrets.append(browser.find_element(By.ID, "authenticator_secret").get_property("value"))
    secrets.append(totp(secrets[-1]))
    visitor.send(code=secrets[-1])
    look()
    visitor.sign_out()

    visitor.open("/accounts/login/")
    visitor.send(login=ADDRESS, password="wrong horse 2")
    visitor.send(login=ADDRESS, password=PASSWORD)
    visitor.send(code="000000")
    look()
    visitor.send(code=secrets[-1])
    assert visitor.is_at("/")

    key = VirtualAuthenticatorOptions(has_resident_key=True, has_user_verification=True, is_user_verified=True)
    browser.add_virtual_authenticator(key)
    visitor.open("/accounts/2fa/webauthn/add/")
    visitor.send(password=PASSWORD)
    look()
    browser.find_element(By.NAME, "passwordless").click()
    visitor.press("#mfa_webauthn_add")
    look()
    visitor.sign_out()
    visitor.open("/accounts/login/")
    look()
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
    look()

    log = visitor.log.read_text(encoding="utf-8")
    print(*[f"{event}: {message}" for event, message in EVENT.findall(log)], sep="\n")
    assert not [secret for secret in (*secrets, PASSWORD) if secret in log]
    assert seen == []
