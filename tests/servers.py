"""Servers that tests start: a port, the wait, a page, the end."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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


def fetch(url):
    """Return the status and the body of a page, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310  our own server
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
