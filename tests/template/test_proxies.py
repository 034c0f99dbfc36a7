"""The proxies that the generated README shows, in front of a server: what they let through, what they hold back."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from contextlib import ExitStack

import pytest
from conftest import run
from markdown_blocks import code_blocks
from page_support import prepare
from servers import PRODUCTION, free_port, is_open, wait_for

unix = pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
BEHIND = PRODUCTION | {"SECURE_PROXY_SSL_HEADER": "HTTP_X_FORWARDED_PROTO,https", "TRUSTED_PROXY_COUNT": "1"}
THREADS = 2


def block(project, language):
    """Return the README's code block in a language."""
    text = (project / "README.md").read_text(encoding="utf-8")
    [found] = [block.text for block in code_blocks(text) if block.language == language]
    return found.replace("/srv/my_project", str(project))


def start_nginx(project, folder, port, upstream):
    """Return the command that starts nginx with the README's block, but for its port and its certificate."""
    server = re.sub(r" *ssl_certificate.*\n", "", block(project, "nginx"))
    server = server.replace("listen 443 ssl", f"listen {port}").replace("127.0.0.1:8000", upstream)
    server = server.replace("www.example.com", "localhost").replace("$scheme", "https")
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in names)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{server} }}\n",
        encoding="utf-8",
    )
    return ["nginx", "-c", config, "-e", folder / "errors"]


def start_caddy(project, folder, port, upstream):
    """Return the command that starts Caddy with the README's block, but for its address."""
    own = f"reverse_proxy {upstream} {{\n            header_up X-Forwarded-Proto https"
    site = block(project, "caddy").replace("www.example.com", f"http://localhost:{port}")
    site = site.replace("reverse_proxy 127.0.0.1:8000 {", own)
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", run("caddy", "version", cwd=folder))
    if tuple(map(int, version.groups())) < (2, 6, 3):  # which had other words for the same
        site = site.replace("request_buffers 10MB", "buffer_requests")
        site = site.replace("response_buffers", "buffer_responses\n            max_buffer_size")
    config = folder / "Caddyfile"
    config.write_text(f"{{\n admin off\n auto_https off\n}}\n{site}", encoding="utf-8")
    return ["caddy", "run", "--config", config, "--adapter", "caddyfile"]


def ask(port, path="/health/", **headers):
    """Return the status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": "localhost", **names})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@unix
@pytest.mark.parametrize(("program", "start"), [("nginx", start_nginx), ("caddy", start_caddy)])
def test_a_proxy_holds_back_slow_clients_and_false_headers(bake, environment, tmp_path, program, start):
    """A few clients that send a byte now and then would keep all threads; a believed header blames somebody else."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed here")
    project, python = bake(), environment("5.2")
    run(python, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", cwd=project)
    port, upstream = free_port(), free_port()
    options = [f"--bind=127.0.0.1:{upstream}", f"--threads={THREADS}", "--no-control-socket"]
    server = [python, "-m", "gunicorn", "config.wsgi", *options]
    with ExitStack() as stack:
        for command, number in ((server, upstream), (start(project, tmp_path, port, f"127.0.0.1:{upstream}"), port)):
            output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(command, cwd=project, env=os.environ | BEHIND, **output)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_for(lambda number=number: is_open(number))
        for _ in range(4 * THREADS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            head = "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=" + "a" * 32
            client.sendall(f"{head}\r\nContent-Length: 1000\r\n\r\nx=".encode())
        time.sleep(1)
        forged = {"X_Forwarded_For": "6.6.6.6", "X_Request_ID": "forged", "X_Forwarded_Proto": "http"}
        status, headers, _ = ask(port, "/nowhere/", **forged)
        request_id = headers["X-Request-ID"]
        assert (status, request_id != "forged") == (404, True)
        (project / "data" / "media").mkdir(parents=True)
        (project / "data" / "media" / "x.html").write_text("<script>", encoding="utf-8")
        status, headers, body = ask(port, "/media/x.html")
        assert (status, body) == (200, b"<script>")
        assert "sandbox" in headers["Content-Security-Policy"]  # or it would have the rights of whoever opens it
        assert headers["X-Content-Type-Options"] == "nosniff"
    text = (project / "logs" / "django.log").read_text(encoding="utf-8")
    assert f"[{request_id}] from 127.0.0.1: GET /nowhere/ 404" in text
    assert "6.6.6.6" not in text
    assert "forged" not in text


def test_the_configuration_of_iis_can_be_read(bake):
    """IIS answers 500.19 to everything when its web.config has a fault."""
    configuration = ET.fromstring(block(bake(), "xml").encode())  # noqa: S314  our own
    assert len(configuration.findall("location[@path='media']//customHeaders/add")) == 2
    rule = configuration.find(".//rule")
    assert rule.find("action").get("url") == "http://127.0.0.1:8000/{R:1}"
    names = {variable.get("name") for variable in rule.findall("serverVariables/set")}
    assert names == {"HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUEST_ID"}
    pattern = re.compile(rule.find("match").get("url"))
    assert pattern.match("admin/login/")[1] == "admin/login/"
    assert not pattern.match("media/x.txt")


ATTEMPTS = """
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory
names = ["ann", "ann (from 6.6.6.6)", "x from 6.6.6.6: y", "a'] from 6.6.6.6: ", '"client.address": "6.6.6.6"', "\\\\"]
for number, name in enumerate(names):
    form = {"username": name, "password": "wrong", "next": f"/{name}"}
    for address in (f"192.0.2.{number + 1}", "2001:db8::1"):
        path = f"/from 6.6.6.6: {name}"
        request = RequestFactory().post(path, form, REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="6.6.6.6")
        authenticate(request, username=name, password="wrong")
    Client(enforce_csrf_checks=True).post(f"/{name}", HTTP_ORIGIN=name, REMOTE_ADDR="192.0.2.99")
"""


@pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed here")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_fail2ban_shuts_out_who_guesses_and_nobody_else(bake, environment, log_format):
    """A filter that a user's name or a path can steer bans whom the attacker names."""
    project, python = bake(), environment("5.2")
    prepare(project, python)
    log = project / "logs" / "security.log"
    log.unlink(missing_ok=True)
    env = {"LOG_FORMAT": log_format, "SECURE_SSL_REDIRECT": "false", "ALLOWED_HOSTS": "testserver", "DEBUG": "true"}
    run(python, "manage.py", "shell", "--verbosity", "0", "-c", ATTEMPTS, cwd=project, env=env)
    found = run("fail2ban-regex", "--out", "ip", log, project / "deploy" / "fail2ban.conf", cwd=project).split()
    assert sorted(set(found)) == sorted([*(f"192.0.2.{number}" for number in range(1, 7)), "2001:db8::1"])
