"""What the tests of the log's page share: a project with an administrator, and its log."""

import http.client
import urllib.parse
from datetime import UTC, datetime, timedelta

from conftest import run

PAGE = "/admin/applog/log/"
PASSWORD = "correct horse"  # noqa: S105  of a project that lives for a test


def prepare(project, python):
    """Make the database and an administrator."""
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env={"LOG_FILES": "off"})
    names = ["--username", "admin", "--email", "admin@example.com"]
    env = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "LOG_FILES": "off"}
    run(python, "manage.py", "createsuperuser", "--no-input", *names, cwd=project, env=env)


def record(message, *below, age=0, level="INFO", logger="shop", request="-"):
    """Return a record that was made `age` seconds ago, as the project writes it."""
    time = (datetime.now(UTC) - timedelta(seconds=age)).isoformat(timespec="milliseconds")
    return f"{time} {level} {logger} [{request}] {message}\n" + "".join(f"    {line}\n" for line in below)


def write(project, name, *records):
    """Add records to a log file."""
    with (project / "logs" / name).open("a", encoding="utf-8", newline="\n") as file:
        file.write("".join(records))


class Session:
    """A client that is signed in and sends addresses as they are, however wrong."""

    def __init__(self, address):
        """Sign in."""
        self._host = address.removeprefix("http://")
        self._cookies = {}
        _, page = self.get("/admin/login/")
        token = page.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token, "next": PAGE}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _ = self.send("POST", "/admin/login/", urllib.parse.urlencode(form), headers)
        assert status == http.client.FOUND
        assert "sessionid" in self._cookies

    def get(self, target):
        """Return the status and body of an answer."""
        return self.send("GET", target)

    def request(self, target):
        """Return the bytes of a request, for whoever sends it and does not read the answer."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\nCookie: {cookies}\r\n\r\n".encode()

    def send(self, method, target, body=None, headers=None):
        """Send a request and return the status and body of the answer."""
        connection = http.client.HTTPConnection(self._host, timeout=30)
        connection._validate_path = lambda _: None  # noqa: SLF001  wrong ones are what is sent here
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        try:
            connection.request(method, target, body, {"Cookie": cookies, **(headers or {})})
            response = connection.getresponse()
            for header in response.msg.get_all("Set-Cookie", ()):
                name, _, value = header.partition(";")[0].partition("=")
                self._cookies[name] = value
            return response.status, response.read()
        finally:
            connection.close()
