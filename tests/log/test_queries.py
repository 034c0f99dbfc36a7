"""Slow SQL of running servers, on PostgreSQL: each thread and each task has its own connection, or shares one."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import run
from servers import PRODUCTION, Server, fetch, stop

VIEWS = """

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.expressions import RawSQL
from django.http import HttpResponse


def slow_users():
    nap = RawSQL("(SELECT 0 FROM pg_sleep(0.3) WHERE $q$s3cr3t$q$ <> E'it\\\\'s s3cr3t')", [])
    return get_user_model().objects.filter(username="s3cr3t", pk__gt=nap)


def orders(request):
    return HttpResponse(slow_users().count())


async def orders_async(request):
    return HttpResponse(await slow_users().acount())


def cancelled(request):
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 300")
        cursor.execute("SELECT pg_sleep(%s), 's3cr3t'", [60])


urlpatterns += [path("orders/", orders), path("async/", orders_async), path("cancelled/", cancelled)]
"""
USER = "from django.contrib.auth import get_user_model; get_user_model().objects.create(username='s3cr3t')"


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_each_slow_statement_of_a_server_is_recorded_once(bake, postgresql, interface):
    """A server has as many connections as threads, and opens them when it likes."""
    project = bake(database="postgresql")
    urls = project / "config" / "urls.py"
    urls.write_text(urls.read_text(encoding="utf-8") + VIEWS, encoding="utf-8")
    env = {**PRODUCTION, "DATABASE_URL": postgresql.create(f"queries_{interface}"), "VIRTUAL_ENV": ""}
    env |= {
        "LOG_FORMAT": "json",
        "LOG_SLOW_QUERY_MS": "250",
        "SECURE_SSL_REDIRECT": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    python = ["uv", "run", "--quiet", "--no-dev", "--with", "hypercorn"]
    run(*python, "manage.py", "migrate", "--verbosity=0", cwd=project, env=env)
    run(*python, "manage.py", "shell", "-c", USER, cwd=project, env=env)
    (project / "logs" / "django.log").unlink()
    command = [*python, "hypercorn", "--bind", "127.0.0.1:8000", f"config.{interface}:application"]
    started = Server(command, project, env)
    try:
        started.wait()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(fetch, [f"{started.address}/{path}/" for path in ("orders", "async") * 4]))
        assert answers == [(200, "1")] * 8
        assert fetch(f"{started.address}/cancelled/")[0] == 500
    finally:
        stop(started.process)
    records = map(json.loads, (project / "logs" / "django.log").read_text("utf-8").splitlines())
    # While eight requests wait for two cores, other statements may take long, too.
    slow = [record for record in records if "pg_sleep" in record.get("db.query.text", "")]
    asked = [(record["url.path"], record["code.function.name"]) for record in slow]
    assert Counter(asked) == {
        ("/orders/", "config.urls.orders"): 4,
        ("/async/", "config.urls.orders_async"): 4,
        ("/cancelled/", "config.urls.cancelled"): 1,
    }
    assert len({record["request_id"] for record in slow}) == 9
    assert {(record["db.system.name"], record["db.namespace"]) for record in slow} == {
        ("postgresql", f"queries_{interface}")
    }
    assert "s3cr3t" not in json.dumps(slow)
