"""Records written while OpenTelemetry traces tell which trace they belong to."""

import json

from conftest import run

CODE = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("shop").start_as_current_span("order") as span:
    context = span.get_span_context()
    logging.getLogger("shop").info("%032x %016x", context.trace_id, context.span_id)
logging.getLogger("shop").info("outside")
"""


def test_a_record_knows_its_trace(bake, environment, tmp_path):
    """From a slow trace one wants to get to its records, and back."""
    project, packages = bake(), tmp_path / "packages"
    python = environment("5.2")
    run("uv", "pip", "install", "-q", "--python", python, "--target", packages, "opentelemetry-sdk>=1.30", cwd=tmp_path)
    env = {"LOG_FORMAT": "json", "PYTHONPATH": str(packages)}
    run(python, "manage.py", "shell", "-c", CODE, cwd=project, env=env)
    inside, outside = map(json.loads, (project / "logs" / "django.log").read_text("utf-8").splitlines())
    assert f"{inside['trace_id']} {inside['span_id']}" == inside["message"]
    assert "trace_id" not in outside
