"""What cookiecutter's Jinja learns from this template: the log systems, and the project to which one is added.

A hook would refuse another folder too late: deploy/ would be there by then.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

sys.path.append(str(Path(__file__).parents[1] / "log"))

from django_project import refuse_other_folders  # cookiecutter knows of this folder only

if TYPE_CHECKING:
    from jinja2 import Environment


class LogSystem(NamedTuple):
    """A system that log files can be sent to."""

    file: str  # what configures its agent
    change: str  # what to change in it, beside the project's folder
    start: str  # what to do with it; PATH is where it lies, NAME the project's name


SYSTEMS = {
    "cloudwatch": LogSystem(
        "amazon-cloudwatch-agent.json",
        "",
        "Load it into the CloudWatch agent: amazon-cloudwatch-agent-ctl -a append-config -m ec2 -s -c file:PATH",
    ),
    "azure-monitor": LogSystem(
        "otelcol-azure-monitor.yaml",
        ", and take one of the two receivers out of its pipelines",
        "Give the OpenTelemetry Collector (contrib, 0.150 or later) APPLICATIONINSIGHTS_CONNECTION_STRING, and start "
        "it: otelcol-contrib --config PATH",
    ),
    "datadog": LogSystem(
        "datadog.yaml",
        "",
        "Copy it to conf.d/NAME.d/conf.yaml of the Agent, give that one DD_API_KEY and DD_LOGS_ENABLED=true, and let "
        "its user dd-agent read logs/.",
    ),
    "splunk": LogSystem(
        "splunk-inputs.conf",
        ", and main to the index that you search",
        "Copy it to etc/apps/NAME/local/inputs.conf of the Universal Forwarder, whose outputs.conf names your "
        "indexers, and restart that one.",
    ),
    "elastic-filebeat": LogSystem(
        "filebeat.yml",
        "",
        "Copy it to /etc/filebeat/filebeat.yml, and give Filebeat (8 or later) ELASTICSEARCH_URL and "
        "ELASTICSEARCH_API_KEY, which is id:key.",
    ),
    "elastic-rsyslog": LogSystem(
        "rsyslog-elasticsearch.conf",
        ", and localhost, 9200, off and the user to those of your Elasticsearch",
        "Copy it to /etc/rsyslog.d/10-NAME.conf, give rsyslog ELASTICSEARCH_PASSWORD, and restart it (Debian's "
        "packages are rsyslog and rsyslog-elasticsearch).",
    ),
    "graylog": LogSystem(
        "syslog-ng-graylog.conf",
        ", and localhost and 12201 to the address of your GELF TCP input",
        "Copy it to /etc/syslog-ng/conf.d/NAME.conf, and restart syslog-ng.",
    ),
    "fluentd": LogSystem(
        "fluentd.conf",
        ", and the last section to where records shall go",
        "Start it: fluentd --config PATH",
    ),
    "fluent-bit": LogSystem(
        "fluent-bit.yaml",
        "",
        "Give Fluent Bit (3.2 or later) FLUENTD_HOST, or write another output in its place, and start it: "
        "fluent-bit --config PATH",
    ),
}


def shipping_folder(answers: dict[str, str]) -> str:
    """Return the folder for a system's configuration, in a Django project.

    Raises:
        FailedHookException: the answers do not lead to one; stderr has the sentence that says why.

    """
    refuse_other_folders(answers["_output_dir"])
    if answers["system"] not in SYSTEMS:
        print(f"{answers['system']!r} is not a log system; type one of {', '.join(SYSTEMS)}.", file=sys.stderr)
        message = "Nothing was generated."
        raise FailedHookException(message)
    return f"deploy/{answers['system']}"


def log_system(answers: dict[str, str]) -> LogSystem:
    """Return the system that was chosen."""
    return SYSTEMS[answers["system"]]


def project_name(answers: dict[str, str]) -> str:
    """Return the project's name in letters, digits and underscores, from pyproject.toml or its folder's name."""
    project = Path(answers["_output_dir"]).resolve()
    about = project / "pyproject.toml"
    text = about.read_text(encoding="utf-8", errors="replace") if about.is_file() else ""
    # Python has a parser of TOML from 3.11 on; cookiecutter runs on older ones.
    found = re.search(r"""^name\s*=\s*["']([^"']+)["']""", text, re.MULTILINE)
    return re.sub(r"[^a-z0-9]+", "_", (found[1] if found else project.name).lower()).strip("_") or "my_project"


def steps(answers: dict[str, str]) -> list[str]:
    """Return what is left to do."""
    name, system = project_name(answers), log_system(answers)
    path = f"{shipping_folder(answers)}/{system.file}"
    return [
        "On the server, set LOG_FORMAT=json in .env, and restart the project.",
        f"In {path} change /srv/{name} to the project's folder there{system.change}.",
        re.sub("PATH|NAME", lambda found: {"PATH": path, "NAME": name}[found[0]], system.start),
    ]


class LogSystems(Extension):
    """Adds the functions that the names, the file and the hook call."""

    def __init__(self, environment: Environment) -> None:
        """Add them, as Jinja asks of an extension."""
        super().__init__(environment)
        for function in (shipping_folder, log_system, project_name, steps):
            environment.globals[function.__name__] = function
