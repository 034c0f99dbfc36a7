"""A running server, attacked through all that a stranger may choose, and its log files read back."""

import http.client
import itertools
import json
import re
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from conftest import run
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import wait_for

FORGED = "2026-01-01T00:00:00.000+00:00 CRITICAL forged.logger [forged] owned"
SPECIAL = [
    *map(chr, (*range(32), *range(0x7F, 0xA1), 0xAD, 0x61C, 0x200B, 0x200E, 0x200F, 0xFEFF, 0xFFFE, 0x10FFFF)),
    *map(chr, (*range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xE0001)),
    "\x1b[2K", "\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\x1b[8m", "\r\n", "\\", "\\n", '"', "'", "{", "}", "%s",
    "{record}", "</script>", "${jndi:ldap://x}", "' OR 1=1 --", "../../etc/passwd", "[", "]", "é", "名", "👨\u200d👩",
]  # fmt: skip
PATTERN = re.compile(
    r"(?P<timestamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d) (?P<level>\S+) (?P<logger>\S+) "
    r"\[(?P<request_id>[A-Za-z0-9._-]{1,128})\] (?P<message>.*)"
)
FORBIDDEN, BROKEN = 403, 500
ATTACKERS = 4
LOGGERS = re.compile(r"applog\.(request|security)|django\.(request|security\..+|utils\.autoreload)|shop")
VIEWS = '''

def shop(request, name):
    """Log what a stranger has chosen, in each way in which a view may log; logging refuses its own names as extra."""
    logger = logging.getLogger("shop")
    files = [file.name for file in request.FILES.values()]
    logger.info("%s %s", name, request.headers.get("X-Words"), extra={"words": name, f"named {name}": files})
    logger.warning("%s", {"password": "p4ssword", "files": files, name: name})
    raise (ValueError if "raise" in request.GET else PermissionDenied)(name)


import logging
from django.core.exceptions import PermissionDenied
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

urlpatterns.append(re_path(r"^shop/([\\s\\S]+)", csrf_exempt(shop)))
'''
# Each refusal is looked at here, also beyond the rate up to which they are recorded one by one.
UNLIMITED = """
from applog import flood

flood.SINGLY = flood.SINGLY_ALTOGETHER = flood.SINGLY_A_DAY = 1_000_000
"""
SETTINGS = """
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
"""


def hostile_strings():
    """Return at least 200 strings: each special character round a forged record, and what hypothesis thinks of."""
    strings = [f"x{special}{FORGED}{special}y" for special in SPECIAL]

    @settings(max_examples=120, database=None, deadline=None)
    @given(st.text(min_size=1, max_size=60) | st.lists(st.sampled_from([*SPECIAL, FORGED]), min_size=1).map("".join))
    def collect(text):
        strings.append(text)

    collect()
    unique = list(dict.fromkeys(strings))
    assert len(unique) >= 200
    return unique


class Attacker:
    """Sends requests and counts what the log must tell of them."""

    def __init__(self, address, name):
        """Open the sign-in form, without whose token a name is not looked at."""
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
        self.name, self.ends, self.events, self.numbers = name, Counter(), Counter(), itertools.count()
        *_, cookie, page = self.send("GET", "/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        self.cookie, self.form = cookie.partition(";")[0], f"csrfmiddlewaretoken={token}&password=p4ssword&username="

    def send(self, method, path, body=b"", **headers):
        """Send a request, and return its id, its status, its cookie and its page."""
        own = {"X-Request-ID": f"{self.name}-{next(self.numbers)}"}
        headers = own | {key.replace("_", "-"): value for key, value in headers.items()}
        self.connection.request(method, path, body, headers)
        with self.connection.getresponse() as response:
            page = response.read().decode()
        request_id = response.headers["X-Request-ID"]
        self.ends[request_id, response.status] += 1
        return request_id, response.status, response.headers["Set-Cookie"], page

    def attack(self, text):
        """Use one string wherever a stranger's words get in: path, headers, name of a file and of a user."""
        raw = text.encode("utf-8", "surrogatepass")
        path = f"/shop/{urllib.parse.quote_from_bytes(raw, safe='')}?password=p4ssword"
        words = re.sub(rb"[\r\n]", b" ", raw)  # these would end the header
        upload = b'--b\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\nx\r\n--b--\r\n' % words
        multipart = {"Content_Type": "multipart/form-data; boundary=b", "X_Words": words}
        request_id, status, *_ = self.send("POST", path, upload, **multipart)
        self.events["authz_fail", request_id] += status == FORBIDDEN
        self.send("POST", f"{path}&raise", upload, **multipart, X_Request_ID=words[:200])
        form = self.form + urllib.parse.quote_from_bytes(raw)
        posted = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": self.cookie}
        request_id, *_, page = self.send("POST", "/admin/login/", form, **posted)
        self.events["authn_login_fail", request_id] += "Please enter the correct" in page


def read_text(path):
    """Return the records of a log in text, whose other lines must be indented."""
    records = []
    for line in path.read_bytes().decode().split("\n")[:-1]:
        assert line.isprintable(), ascii(line)
        if not line.startswith("    "):
            record = PATTERN.fullmatch(line)
            assert record, line
            event, _, _ = record["message"].partition(" ")
            status = re.search(r"^from 127\.0\.0\.1: .* (\d+) in [\d.]+ ms(?:, X-Request-ID \S+)?$", record["message"])
            records.append(record.groupdict() | {"event": event, "status": status and int(status[1])})
    return records


def read_json(path):
    """Return the records of a log in JSON, each line of which must parse, and be text that can be stored."""
    records = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        record = json.loads(line, parse_constant=pytest.fail)
        json.dumps(record, ensure_ascii=False).encode()
        records.append(record | {"status": record.get("http.response.status_code")})
    return records


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_stranger_s_words_forge_nothing(bake, environment, serve, log_format):
    """A log that an attacker can write to proves nothing, and one that does not parse is not read."""
    project = bake()
    for name, more in (("urls", VIEWS + UNLIMITED), ("settings", SETTINGS)):
        file = project / "config" / f"{name}.py"
        file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    run(environment("5.2"), "manage.py", "migrate", "--verbosity", "0", cwd=project, env={"LOG_FILES": "off"})
    debug = "true" if log_format == "text" else "false"
    env = {"LOG_FORMAT": log_format, "DEBUG": debug, "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false"}
    address, console = serve(environment("5.2"), project, env)

    strings = hostile_strings()

    def attack(number):
        attacker = Attacker(address, f"attacker{number}")
        with closing(attacker.connection):
            for text in strings[number::ATTACKERS]:
                attacker.attack(text)
        return attacker

    with ThreadPoolExecutor(ATTACKERS) as pool:
        attackers = list(pool.map(attack, range(ATTACKERS)))
    expected_ends = sum((attacker.ends for attacker in attackers), Counter())
    expected_events = sum((attacker.events for attacker in attackers), Counter())
    logs = [project / "logs" / "django.log", project / "logs" / "security.log"]
    for log in (logs[0], console):
        wait_for(lambda log=log: log.read_text("utf-8").count("applog.request") >= expected_ends.total())

    django, security = map(read_text if log_format == "text" else read_json, logs)
    assert all(LOGGERS.fullmatch(record["logger"]) for record in django + security)
    ends = [record for record in django if record["logger"] == "applog.request" and "/health/" not in record["message"]]
    assert Counter((record["request_id"], record["status"]) for record in ends) == expected_ends
    assert Counter((record["event"], record["request_id"]) for record in security) == expected_events
    assert set(Counter(record["event"] for record in security)) == {"authz_fail", "authn_login_fail"}
    in_view = Counter(record["request_id"] for record in django if record["logger"] == "shop")
    assert in_view.total() == 2 * sum(n for (_, status), n in expected_ends.items() if status in {FORBIDDEN, BROKEN})

    shown = console.read_bytes().decode()
    assert "forged.logger [forged]" in shown
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count("applog.request") == len([record for record in django if record["logger"] == "applog.request"])
    for log in (*logs, console):
        assert "p4ssword" not in log.read_text("utf-8")
