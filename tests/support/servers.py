"""Servers that tests start or are: a port, the wait, a page, the end."""

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

# The environment of a server in production.
PRODUCTION = {"DEBUG": "false", "SECRET_KEY": "k3Yz" * 8 + "0123456789abcdefghij", "ALLOWED_HOSTS": "localhost"}
# Each worker of pytest-xdist has ports of its own, below those that systems give to whoever asks for any, so that none
# is taken between the look and the server's start. Two sessions on one machine begin at different ones.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = (20_000 + 400 * _WORKER + (os.getpid() + number) % 400 for number in itertools.count())


def free_port():
    """Return a port that nobody listens on."""
    while True:
        port = next(_PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def is_open(port):
    """Tell whether somebody listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, seconds=60):
    """Wait until a condition holds, and fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.1)


def wait_for_reload(server, file):
    """Change a file of the project until runserver notices, and wait until the new process answers.

    What changes before runserver's first look is not news to it. The old process still takes requests while it ends,
    and may end before it has answered one that it has logged.
    """

    def noticed():
        is_noticed = "changed, reloading." in server.text()
        if not is_noticed:
            file.touch()
        return is_noticed

    wait_for(noticed)
    wait_for(lambda: "Watching for file changes" in server.text().partition("changed, reloading.")[2])
    server.wait()


def fetch(url, **headers):
    """Return the status and the body of a page, whatever the status; `Host` or `X_Request_ID`, say, are headers."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  our own server
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return None, ""


def stop(server):
    """End a server that leads a session of its own, and all that it started."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/f", "/t", "/pid", str(server.pid)], capture_output=True, check=False)
    else:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(20)


class Server:
    """A project's web server, in a session of its own; the file `console` has what it prints."""

    def __init__(self, command, project, env, cwd=None):
        """Start it, in the project's folder or in `cwd`, at a free port instead of the command's 127.0.0.1:8000."""
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.console = project.parent / f"{project.name}.txt"
        with self.console.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [str(part).replace("127.0.0.1:8000", f"127.0.0.1:{self.port}") for part in command],
                cwd=cwd or project, env={**os.environ, "PYTHONUTF8": "1", **env},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def text(self):
        """Return what it printed."""
        return self.console.read_text(encoding="utf-8", errors="replace")

    def wait(self):
        """Wait until it answers."""

        def answers():
            assert self.process.poll() is None, self.text()
            return fetch(f"{self.address}/health/")[0] == 200

        wait_for(answers)
        return self

    def terminate(self):
        """Stop it as systemd does, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class InBackground:
    """Makes a server of `socketserver` one that serves in a thread of this process, until `close`."""

    daemon_threads = True

    def __init__(self, handler, port=0):
        """Listen on `port`, by default a free one."""
        super().__init__(("127.0.0.1", port), handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """End."""
        self.shutdown()
        self.server_close()
