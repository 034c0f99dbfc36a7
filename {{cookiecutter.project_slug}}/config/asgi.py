"""ASGI entry point for an application server, https://docs.djangoproject.com/en/stable/howto/deployment/asgi/."""

import os

from django.core.asgi import get_asgi_application
from environs import EnvError

from config import refuse_to_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

try:
    application = get_asgi_application()
except EnvError as error:
    # gunicorn ends on this status of a worker; after any other it would start the worker again and again.
    refuse_to_start(error, status=3)
