"""The configurations in deploy/log-shipping/, read by the programs they are for where those can be had."""

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from agents import Elasticsearch, Graylog
from conftest import run
from filelock import FileLock
from servers import stop, wait_for
from storm import Storm

FOLDER = Path("deploy") / "log-shipping"
ROTATIONS = {
    "Size": {"maxBytes": 300_000, "backupCount": 10},
    "Time": {"when": "S", "interval": 2, "backupCount": 20},
}
JSON_LINE = '{"timestamp": "2026-11-24T04:37:47.123Z", "level": "INFO", "message": "%(message)s"}'
SYSLOG_NG = ["syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libwrap0"]
LOG_RECORDS = """
import logging
import django

django.setup()
logger = logging.getLogger("shop.orders")
logger.info("ordered", extra={"order.id": 7, "paid": True, "who": "J\\u00fcrgen \\U0001f600"})
logger.warning('quotes " and \\\\ and\\nnew lines, 100%% of %s', {"password": "s3cr3t"})
logger.error("long %s", "x" * 100_000)
try:
    raise ValueError("out of\\nstock")
except ValueError:
    logger.exception("failed")
"""


@pytest.fixture
def project(bake, environment):
    """Return a project that has logged some records as JSON."""
    folder = bake(project_slug="Shop")
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "LOG_FORMAT": "json"}
    run(environment("5.2"), "-c", LOG_RECORDS, cwd=folder, env=variables)
    return folder


def records(log):
    """Return the records of a log in JSON."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def syslog_ng(shared_folder):
    """Return the command that starts syslog-ng: installed, or unpacked, as Debian installs it only without rsyslog."""
    if installed := shutil.which("syslog-ng"):
        return [installed], {}
    if not shutil.which("apt-get"):
        pytest.skip("syslog-ng is not installed, and is no package that could be fetched")
    folder = shared_folder / "syslog-ng"
    with FileLock(f"{folder}.lock"):
        if not (folder / "usr").exists():
            folder.mkdir(exist_ok=True)
            fetched = subprocess.run(["apt-get", "download", *SYSLOG_NG], cwd=folder, capture_output=True, check=False)
            if fetched.returncode:
                pytest.skip(f"the packages of syslog-ng cannot be fetched: {fetched.stderr.decode()}")
            for package in folder.glob("*.deb"):
                run("dpkg", "--extract", package, folder, cwd=folder)
    modules = next((folder / "usr/lib/syslog-ng").glob("[0-9]*"))
    libraries = {str(path.parent) for path in folder.rglob("*.so.*")}
    command = [folder / "usr/sbin/syslog-ng", "--module-path", modules]
    return command, {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program, which is ended with the test."""
    started = []

    def start_program(command, **environment):
        with (tmp_path / "agent.txt").open("w", encoding="utf-8") as output:
            program = subprocess.Popen(
                command, cwd=tmp_path, stdout=output, stderr=output, env={**os.environ, **environment},
                start_new_session=True,
            )  # fmt: skip
        started.append(program)

    yield start_program
    for program in started:
        stop(program)


def configure(project, name, **changes):
    """Make the changes that a configuration's first lines ask for, and return it."""
    text = (project / FOLDER / name).read_text(encoding="utf-8")
    for old, new in {"/srv/Shop": str(project), **changes}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def rotate_under(storm, sent):
    """Let four processes write and rotate for some seconds, and assert that each record was sent once."""
    storm.start(4)
    storm.wait()
    written = Counter("{}-{}-{}".format(*key) for key in storm.acknowledged())
    assert len(storm.files()) > 3, "hardly rotated"
    found = Counter()
    while (before := found.total()) < written.total():
        time.sleep(3)
        found = Counter(message.partition(" ")[0] for message in sent() if message.endswith("xx end"))
        if found.total() == before:
            break
    assert {"lost": (written - found).total(), "twice": (found - written).total()} == {"lost": 0, "twice": 0}


@pytest.mark.parametrize("kind", ROTATIONS)
def test_rsyslog_sends_each_record_to_elasticsearch(project, tmp_path, start, kind):
    """An agent that loses what is written around a rotation loses it each night, and nobody knows."""
    if not (shutil.which("rsyslogd") and list(Path("/usr/lib").glob("*/rsyslog/omelasticsearch.so"))):
        pytest.skip("rsyslog with its output for Elasticsearch is not installed (rsyslog-elasticsearch)")
    elasticsearch = Elasticsearch()
    changes = {'"localhost"': '"127.0.0.1"', '"9200"': f'"{elasticsearch.port}"'}
    configuration = tmp_path / "rsyslog.conf"
    work = tmp_path / "work"
    work.mkdir()
    text = configure(project, "rsyslog-elasticsearch.conf", **changes)
    configuration.write_text(f'global(workDirectory="{work}")\n{text}', encoding="utf-8")
    run("rsyslogd", "-N1", "-f", configuration, cwd=tmp_path)
    start(["rsyslogd", "-n", "-f", configuration, "-i", tmp_path / "pid"], ELASTICSEARCH_PASSWORD="x")  # noqa: S106
    try:
        expected = [{"@timestamp": record["timestamp"], **record} for record in records(project / "logs/django.log")]
        wait_for(lambda: len(elasticsearch.documents) >= len(expected), 30)
        assert [document for _, document in elasticsearch.documents] == expected
        actions = [action["create"] for action, _ in elasticsearch.documents]
        assert {action["_index"] for action in actions} == {"logs-shop-default"}
        assert len({action["_id"] for action in actions}) == len(expected)

        storm = Storm(
            kind, project / "logs" / "security.log", seconds=6, pause=0.001, options=ROTATIONS[kind], format=JSON_LINE
        )
        rotate_under(storm, lambda: [document["message"] for _, document in elasticsearch.documents])
    finally:
        elasticsearch.close()


@pytest.mark.parametrize("kind", ROTATIONS)
def test_syslog_ng_sends_each_record_to_graylog(project, tmp_path, start, syslog_ng, kind):
    """An agent that loses what is written around a rotation loses it each night, and nobody knows."""
    command, variables = syslog_ng
    graylog = Graylog()
    configuration = tmp_path / "syslog-ng.conf"
    text = configure(project, "syslog-ng-graylog.conf", **{'"localhost"': '"127.0.0.1"', "12201": str(graylog.port)})
    version = re.search(r"\d+\.\d+", run(*command, "--version", cwd=tmp_path, env=variables))[0]
    configuration.write_text(f"@version: {version}\n{text}", encoding="utf-8")
    files = {option: tmp_path / option.strip("-") for option in ("--persist-file", "--control", "--pidfile")}
    options = ["--no-caps", "--cfgfile", configuration, *(part for pair in files.items() for part in pair)]
    run(*command, *options, "--syntax-only", cwd=tmp_path, env=variables)
    start([*command, *options, "--foreground"], **variables)
    try:
        expected = records(project / "logs/django.log")
        wait_for(lambda: len(graylog.messages) >= len(expected), 30)
        for message, record in zip(graylog.messages, expected, strict=True):
            assert message["version"] == "1.1"
            assert message["short_message"] == record["message"]
            assert message["_service.name"] == "Shop"
            assert {key for key in record if f"_{key}" not in message} == set()
            milliseconds = f"{float(message['timestamp']) % 60:06.3f}Z"
            assert record["timestamp"].endswith(milliseconds)
        storm = Storm(
            kind, project / "logs" / "security.log", seconds=6, pause=0.001, options=ROTATIONS[kind], format=JSON_LINE
        )
        rotate_under(storm, lambda: [message["short_message"] for message in graylog.messages])
    finally:
        graylog.close()
