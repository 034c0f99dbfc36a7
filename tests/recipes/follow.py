"""Follows a page of docs/recipes/ in a project: its code blocks, one after the other, as a reader would.

CONTRIBUTING.md says what each kind of block means.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress

from markdown_blocks import code_blocks
from servers import free_port, is_open, stop, wait_for

PORTS = ("4317", "4318", "5000", "6379", "8000", "8126")  # of the pages' servers; another test may use them
SHOWN_ONLY = {"bash", "powershell"}  # for one system only, or for whoever administrates the machine
SECONDS = 60  # until a server answers, a worker has begun, a record is in the log


class Reader:
    """Somebody who follows a page in a project.

    Args:
        project: the project's folder.
        env: variables (str) beside those of this process.

    """

    def __init__(self, project, env):
        """Choose ports; nothing is started yet."""
        self.project = project
        self.env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        self.env |= {"PYTHONUTF8": "1", "NO_COLOR": "1", **env}
        self.ports = {port: str(free_port()) for port in PORTS}
        self.started = []

    def __enter__(self):
        """Begin."""
        return self

    def __exit__(self, *_):
        """End what still runs, as Ctrl+C does."""
        for process, _ in reversed(self.started):
            if os.name != "nt":
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, signal.SIGINT)
                    process.wait(20)
            if process.poll() is None:
                stop(process)

    def follow(self, markdown, django_version):
        """Do what a page says.

        Args:
            markdown: the page.
            django_version: the project's; blocks that are marked with another, as `django="6.1"`, are for others.

        Raises:
            AssertionError: a command fails, shows something else, or a change finds no place.

        """
        for block in code_blocks(markdown):
            if not is_for(block, django_version):
                continue
            text = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[0]], block.text)
            if block.title:
                assert f"`{block.title}`" in block.introduction, f"no word says that this is {block.title}:\n{text}"
                path = self.project / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(
                    changed(path.read_text(encoding="utf-8"), text) if block.language == "diff" else text,
                    encoding="utf-8",
                )
            elif block.language == "console":
                for command, shown in commands(text):
                    (self.start if "keeps-running" in block.words else self.run)(command, shown)
            else:
                assert block.language in SHOWN_ONLY, f"a block that nobody can follow:\n{text}"

    def run(self, command, shown=()):
        """Run a command, look for the lines that the page shows, and return what it printed.

        What the log or a server shows may come a moment later, from another process: it is asked again for some time.
        """
        only_reads = "manage.py logs" in command or (command.startswith("curl ") and "--data" not in command)
        end = time.monotonic() + (SECONDS if only_reads else 0)
        while True:
            done = subprocess.run(  # noqa: S602  a reader types it into a shell
                command, shell=True, cwd=self.project, env=self.env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{self.consoles()}"
            if shows(done.stdout, shown):
                return done.stdout
            message = f"{command}\nshows\n{done.stdout}\ninstead of\n" + "\n".join(shown) + self.consoles()
            assert time.monotonic() < end, message
            time.sleep(0.5)

    def start(self, command, shown=()):
        """Start a program that goes on until the page ends; wait until it shows the page's lines, or has its port."""
        if command.endswith("runserver"):
            command += f" 127.0.0.1:{self.ports['8000']}"
        console = self.project.parent / f"{self.project.name}-{len(self.started)}.txt"
        with console.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(  # noqa: S602  a reader types it into a shell
                command, shell=True, cwd=self.project, env=self.env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.started.append((process, console))
        ports = [int(port) for port in self.ports.values() if re.search(rf"\b{port}\b", command)]

        def is_ready():
            assert process.poll() is None, f"{command} has ended:{self.consoles()}"
            return shows(console.read_text(encoding="utf-8"), shown) and all(map(is_open, ports))

        wait_for(is_ready, SECONDS)

    def consoles(self):
        """Return what the started programs have printed, for a test's message."""
        return "".join(f"\n--- {path.name}\n{path.read_text(encoding='utf-8')}" for _, path in self.started)


def is_for(block, django_version):
    """Tell whether a block of code is for projects with a version of Django."""
    return all(django_version in word for word in block.words if word.startswith("django="))


def commands(text):
    """Return the commands of a console, each with the lines that the page shows below it."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line:
            found[-1][1].append(line)
    return found


def shows(printed, wanted):
    """Tell whether the wanted lines, in which `...` stands for anything, are among those printed, in this order."""
    lines = iter(printed.splitlines())
    patterns = [re.compile(".*".join(map(re.escape, line.split("...")))) for line in wanted]
    return all(any(pattern.fullmatch(line) for line in lines) for pattern in patterns)


def changed(text, diff):
    """Return a file's text after a change.

    Args:
        text: the file's.
        diff: lines that begin with a space, `-` or `+`; `@@` stands between places. What only adds goes to the end.

    Raises:
        AssertionError: the old lines do not stand in the file, or more than once.

    """
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = [(line[:1].strip(), line[1:] if line.strip() else "\n") for line in hunk.splitlines(keepends=True)]
        old = "".join(line for sign, line in lines if sign != "+")
        new = "".join(line for sign, line in lines if sign != "-")
        if not old:
            text += new
            continue
        assert f"\n{text}".count(f"\n{old}") == 1, f"these lines do not stand in the file once:\n{old}"
        text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
    return text
