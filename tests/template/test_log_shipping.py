"""The configurations that `--directory shipping` writes, read by the programs they are for where those can be had."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from configparser import RawConfigParser
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from agents import Elasticsearch, Graylog
from conftest import ROOT, run
from filelock import FileLock
from jsonschema import Draft202012Validator
from servers import free_port, is_open, stop, wait_for
from storm import Storm

QUESTIONS = json.loads((ROOT / "shipping" / "cookiecutter.json").read_text(encoding="utf-8"))
FILES = {
    "cloudwatch": "amazon-cloudwatch-agent.json",
    "azure-monitor": "otelcol-azure-monitor.yaml",
    "datadog": "datadog.yaml",
    "splunk": "splunk-inputs.conf",
    "elastic-filebeat": "filebeat.yml",
    "elastic-rsyslog": "rsyslog-elasticsearch.conf",
    "graylog": "syslog-ng-graylog.conf",
    "fluentd": "fluentd.conf",
    "fluent-bit": "fluent-bit.yaml",
}
SCHEMAS = ROOT / "tests" / "schemas"
ROTATIONS = {
    "Size": {"maxBytes": 200_000, "backupCount": 40},
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


def ship(project, system, **options):
    """Add the configuration for a log system to a project, as its owner does, and return what was said."""
    command = [sys.executable, "-m", "cookiecutter", ROOT, "--directory", "shipping", "--no-input", f"system={system}"]
    return run(*command, cwd=project, **options)


def shipped(project, name):
    """Add a configuration to a project and return its text."""
    [system] = [system for system, file in FILES.items() if file == name]
    ship(project, system)
    [written] = (project / "deploy" / system).iterdir()
    assert written.name == name
    return written.read_text(encoding="utf-8")


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
    text = shipped(project, name)
    for old, new in {"/srv/shop": str(project), **changes}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def rotate_under(project, kind, processes, sent, patience=3, *, may_repeat=False, may_miss_a_rotation=False):
    """Let processes write the security log and rotate it, and assert that each record was sent, and once.

    The agent has come to its end when nothing was sent for `patience` seconds. With `may_repeat` once is not asked for.
    With `may_miss_a_rotation` the last records of one file may be missing.
    """
    log = project / "logs" / "security.log"
    storm = Storm(kind, log, seconds=8, pause=0.001, options=ROTATIONS[kind], format=JSON_LINE)
    storm.start(processes)
    storm.wait()
    written = Counter("{}-{}-{}".format(*key) for key in storm.acknowledged())
    assert len(storm.files()) > 3, "hardly rotated"
    found = Counter()
    while (before := found.total()) < written.total():
        time.sleep(patience)
        found = Counter(message.partition(" ")[0] for message in sent() if message.endswith("xx end"))
        if found.total() == before:
            break
    lost, twice = written - found, (found - written).total()
    print(f"{written.total()} records, {len(storm.files()) - 1} rotated files, {lost.total()} lost, {twice} twice")
    if may_miss_a_rotation and lost:
        contents = [re.findall(r'"message": "(\S+)', path.read_text(encoding="utf-8")) for path in storm.files()]
        assert any(set(content[-lost.total() :]) == set(lost) for content in contents)
    else:
        assert lost == Counter()
    assert twice == 0 or may_repeat


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
        assert list(elasticsearch.documents.values()) == [("logs-shop-default", document) for document in expected]
        wait_for(lambda: elasticsearch.refused)  # what was sent again, as no answer came

        def sent():
            return [document["message"] for _, document in list(elasticsearch.documents.values())]

        # On a busy machine it reads on at times under the old name and the new one.
        rotate_under(project, kind, 4, sent, may_repeat=True)
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

        def sent():
            return [message["short_message"] for message in graylog.messages]

        # It looks at the end of its file, then at the name: what it does not see is written and rotated in between.
        rotate_under(project, kind, 1, sent, may_miss_a_rotation=True)
    finally:
        graylog.close()


@pytest.mark.skipif(not shutil.which("filebeat"), reason="Filebeat is not installed here")
@pytest.mark.parametrize("kind", ["Time", pytest.param("Size", marks=pytest.mark.storm)])
def test_filebeat_sends_each_record_in_elastic_s_names(project, tmp_path, start, kind):
    """Records with other names, or at the time at which they came by, are there and are not found."""
    text, output, _ = configure(project, "filebeat.yml").partition("output.elasticsearch:")
    assert output
    text += f"output.file: {{path: {tmp_path}, filename: sent, rotate_every_kb: 1000000}}\n"
    configuration = tmp_path / "filebeat.yml"
    configuration.write_text(text, encoding="utf-8")
    configuration.chmod(0o600)
    paths = [part for name in ("data", "logs") for part in (f"--path.{name}", tmp_path / name)]
    options = ["-c", configuration, "--path.home", tmp_path, *paths]
    run("filebeat", "test", "config", *options, cwd=tmp_path)
    start(["filebeat", "run", *options])

    def sent():
        files = [file.read_text(encoding="utf-8") for file in tmp_path.glob("sent*")]
        whole = [line for file in files for line in file.split("\n")[:-1]]
        return [dict(settings_of(json.loads(line))) for line in whole]

    written = records(project / "logs" / "django.log")
    wait_for(lambda: len(sent()) >= len(written))
    names = {"timestamp": "@timestamp", "level": "log.level", "logger": "log.logger"}
    for found, record in zip(sent(), written, strict=True):
        expected = {names.get(name, name): value for name, value in settings_of(record)}
        assert found.items() >= expected.items()
    # It looks for new files every 10 seconds.
    rotate_under(project, kind, 4, lambda: [document["message"] for document in sent()], patience=12)


PUT_EVENTS = """
import boto3, json, re, sys
from datetime import datetime, timezone

endpoint, configuration, project = sys.argv[1:]
access = {"region_name": "eu-central-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
client = boto3.client("logs", endpoint_url=endpoint, **access)
for log in json.load(open(configuration))["logs"]["logs_collected"]["files"]["collect_list"]:
    # As the agent does: the first text that looks like timestamp_format is the event's time.
    digits = {"%Y": "[0-9]{4}", "%f": "[0-9]{1,9}"}
    pattern = re.sub(r"%.", lambda code: digits.get(code[0], "[0-9]{2}"), log["timestamp_format"])
    group, stream = log["log_group_name"], log["log_stream_name"].format(hostname="web1")
    if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    client.put_retention_policy(logGroupName=group, retentionInDays=log["retention_in_days"])
    events = []
    for line in open(log["file_path"], encoding="utf-8"):
        found = datetime.strptime(re.search(pattern, line)[0], log["timestamp_format"])
        assert log["timezone"] == "UTC"
        at = round(found.replace(tzinfo=timezone.utc).timestamp() * 1000)
        events.append({"timestamp": at, "message": line.rstrip("\\n")})
    of = {"logGroupName": group, "logStreamName": stream}
    assert not client.put_log_events(logEvents=events, **of).get("rejectedLogEventsInfo")
    stored = client.get_log_events(startFromHead=True, **of)["events"]
    print(json.dumps([[event["timestamp"], event["message"]] for event in stored]))
"""


def test_cloudwatch_takes_each_record_at_its_own_time(project, tmp_path, tools, start):
    """Events hours off, or refused as too old, are there and are not found."""
    python = tools("moto[server]>=5.1")
    port = free_port()
    start([python.with_name("moto_server"), "--port", str(port)])
    wait_for(lambda: is_open(port))
    log = project / "logs" / "django.log"
    shutil.copy(log, log.with_name("security.log"))
    configuration = tmp_path / "agent.json"
    configuration.write_text(configure(project, "amazon-cloudwatch-agent.json"), encoding="utf-8")
    command = [python, "-c", PUT_EVENTS, f"http://127.0.0.1:{port}", configuration, project]
    for printed in run(*command, cwd=tmp_path).splitlines():
        events = json.loads(printed)
        assert [json.loads(message) for _, message in events] == records(log)
        for (milliseconds, _), record in zip(events, records(log), strict=True):
            assert milliseconds == round(datetime.fromisoformat(record["timestamp"]).timestamp() * 1000)


# Settings that are known, with values that are not.
WRONG = {
    "amazon-cloudwatch-agent.json": ('"retention_in_days": 90', '"retention_in_days": 91'),
    "datadog.yaml": ("type: file", "type: files"),
    "filebeat.yml": ("expand_keys: true", "expand_keys: 1"),
    "fluent-bit.yaml": ("buffer_max_size: 1M", "buffer_max_size: 1 MiB"),
    "fluentd.conf": ("rotate_wait 60", "rotate_wait long"),
    "otelcol-azure-monitor.yaml": ("start_at: beginning", "start_at: head"),
    "splunk-inputs.conf": ("crcSalt =", "initCrcLength ="),
}


def directives_of(text):
    """Return the directives of a file for Fluentd by their names; what stands behind a name is its setting ""."""
    opened, names = [{}], []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("</"):
            assert line == f"</{names.pop()}>"
            opened.pop()
        elif line[0] == "<":
            name, _, pattern = line.strip("<>").partition(" ")
            directive = {"": pattern} if pattern else {}
            opened[-1].setdefault(name, []).append(directive)
            opened.append(directive)
            names.append(name)
        elif line[0] != "#":
            key, _, value = line.partition(" ")
            opened[-1][key] = value
    assert not names
    return opened[0]


def stanzas_of(text):
    """Return the stanzas of a file for Splunk by their names."""
    parser = RawConfigParser(delimiters="=")
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def parsed(name, text):
    """Return what a configuration says."""
    return {"fluentd.conf": directives_of, "splunk-inputs.conf": stanzas_of}.get(name, yaml.safe_load)(text)


def settings_of(value, name=""):
    """Yield the name of each setting of a configuration that was read from YAML or JSON, and its value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from settings_of(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from settings_of(item, name)
    else:
        yield name, value


def spoilt(value):
    """Yield a configuration again and again, each time with another name misspelt or another value of a wrong kind."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield {f"x{name}" if name == key else name: kept for name, kept in value.items()}
            yield from ({**value, key: wrong} for wrong in spoilt(item))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ([*value[:place], wrong, *value[place + 1 :]] for wrong in spoilt(item))
    else:
        yield {"wrong": "kind"}


@pytest.mark.parametrize("name", WRONG)
def test_each_setting_is_as_its_vendor_s_schema_has_it(bake, name):
    """An agent ignores a misspelt setting, or does not start; schemas/README.md says whose word each schema is."""
    schema = json.loads((SCHEMAS / name).with_suffix(".json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    text = shipped(bake(project_slug="Shop"), name)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(parsed(name, text))] == []
    assert WRONG[name][0] in text
    assert not validator.is_valid(parsed(name, text.replace(*WRONG[name])))
    assert [wrong for wrong in spoilt(parsed(name, text)) if validator.is_valid(wrong)] == []


APPINSPECT = """
import json, sys
from splunk_appinspect.configuration_parser import configuration_lexer, parse
from splunk_appinspect.inputs_configuration_file import InputsConfigurationFile
from splunk_appinspect.splunk_pretrained_sourcetypes_list import SPLUNK_PRETRAINED_SOURCETYPES

found = parse(sys.stdin.read(), InputsConfigurationFile(), configuration_lexer)
stanzas = {stanza.name: {name: option.value for name, option in stanza.options.items()} for stanza in found.sections()}
print(json.dumps([stanzas, list(map(str, found.errors)), SPLUNK_PRETRAINED_SOURCETYPES]))
"""


def test_splunk_s_own_parser_reads_the_stanzas(bake, tmp_path, tools):
    """A forwarder that takes two files that begin alike for one sends one of them."""
    text = shipped(bake(project_slug="Shop"), "splunk-inputs.conf")
    printed = run(tools("splunk-appinspect>=4.3"), "-c", APPINSPECT, cwd=tmp_path, input=text)
    stanzas, errors, sourcetypes = json.loads(printed)
    django, security = (f"monitor:///srv/shop/logs/{name}.log*" for name in ("django", "security"))
    assert stanzas == stanzas_of(text) == {
        django: {"sourcetype": "_json", "index": "main"},
        security: {"sourcetype": "_json", "index": "main", "crcSalt": "security"},
    }  # fmt: skip
    assert errors == []
    assert "_json" in sourcetypes
    names = ["django.log", "django.log.1", "django.log.2026-02-09", "security.log", ".django.log.lock"]
    assert [name for name in names if fnmatch.fnmatch(name, "django.log*")] == names[:3]


def test_fluentd_takes_a_record_s_own_time(bake):
    """Without time_key Fluentd gives each record the time at which it came by."""
    found = directives_of(shipped(bake(), "fluentd.conf"))
    time = {"time_key": "timestamp", "time_type": "string", "time_format": "%iso8601", "keep_time_key": "true"}
    assert found["source"][0]["parse"] == [{"@type": "json", **time}]


@pytest.mark.parametrize("name", ["filebeat.yml", "otelcol-azure-monitor.yaml", "fluent-bit.yaml"])
def test_each_pattern_of_a_time_fits_a_record_s(project, name):
    """An agent that cannot read the time gives each record the one at which it came by."""
    settings = dict(settings_of(yaml.safe_load(shipped(project, name))))
    [layout] = [
        value[0] if isinstance(value, list) else value
        for setting, value in settings.items()
        if setting.endswith(("layouts", "layout", "time_format"))
    ]
    go = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05.000": "%S.%f"}
    pattern = re.sub("|".join(map(re.escape, go)), lambda part: go[part[0]], layout).replace("%L", "%f")
    for record in records(project / "logs" / "django.log"):
        at = datetime.strptime(record["timestamp"], pattern).replace(tzinfo=UTC)
        assert at == datetime.fromisoformat(record["timestamp"])


def test_the_collector_s_pipeline_names_what_is_configured(bake):
    """A collector does not start with a receiver, an exporter or an extension that it does not know."""
    found = yaml.safe_load(shipped(bake(), "otelcol-azure-monitor.yaml"))
    pipeline = found["service"]["pipelines"]["logs"]
    assert {kind: set(found[kind]) for kind in pipeline} == {kind: set(names) for kind, names in pipeline.items()}
    storage = found["receivers"]["file_log"]["storage"]
    assert set(found["service"]["extensions"]) == set(found["extensions"]) == {storage}


@pytest.mark.parametrize("system", FILES)
def test_each_system_gets_one_file_that_says_what_to_do(bake, system):
    """Whoever copies a file needs to know where it goes, and where the path of the project stands in it."""
    project = bake(project_slug="Shop")
    before = set(project.rglob("*"))
    said = ship(project, system).splitlines()
    assert [line[:3] for line in said] == ["1. ", "2. ", "3. "]
    [written] = [path for path in set(project.rglob("*")) - before if path.is_file()]
    assert written.relative_to(project).as_posix() == f"deploy/{system}/{FILES[system]}"
    assert f"In deploy/{system}/{FILES[system]} change /srv/shop to" in said[1]
    text = written.read_text(encoding="utf-8")
    assert "my-project" not in text
    assert text == text.rstrip() + "\n"
    both = "/srv/shop/logs/*.log" in text
    assert both or all(f"/srv/shop/logs/{log}.log" in text for log in ("django", "security"))
    if not written.name.endswith(".json"):  # which knows no comments
        head = text.partition("\n\n")[0]
        assert "https://" in head
        assert "Change /srv/shop to the project's folder" in head


def test_the_table_names_each_system_and_its_file():
    """Whoever chooses a system wants to know how far it was tried."""
    table = (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([a-z-]+)` \|[^|]*\| `([\w.-]+)` \|", table, re.MULTILINE)) == FILES
    assert QUESTIONS["system"] == list(FILES) == list(QUESTIONS["__prompts__"]["system"])[1:]


def test_another_project_s_name_and_a_second_system(tmp_path):
    """A project that was not made from this template has a name, too, with a hyphen perhaps, and may change systems."""
    project = tmp_path / "Our Shop"
    project.mkdir()
    (project / "manage.py").touch()
    ship(project, "fluentd")
    assert "/srv/our_shop/" in (project / "deploy" / "fluentd" / "fluentd.conf").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text('[project]\nname = "shop-of-ours"\n', encoding="utf-8")
    ship(project, "fluent-bit")
    assert "/srv/shop_of_ours/" in (project / "deploy" / "fluent-bit" / "fluent-bit.yaml").read_text(encoding="utf-8")
    with pytest.raises(AssertionError, match="already exists"):
        ship(project, "fluentd")


@pytest.mark.parametrize(
    ("in_project", "system", "sentence"),
    [
        (False, "datadog", "There is no manage.py here; go to the folder of your Django project that has it, and try"),
        (True, "../logs", "'../logs' is not a log system; type one of cloudwatch, azure-monitor, "),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(tmp_path, in_project, system, sentence):
    """A folder deploy/ in the wrong place is found weeks later, and nobody knows what it was for."""
    project = tmp_path / "shop"
    project.mkdir()
    if in_project:
        (project / "manage.py").touch()
    replay = tmp_path / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": {"system": system}}), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--replay-file", replay, ROOT, "--directory", "shipping"],
        cwd=project, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
