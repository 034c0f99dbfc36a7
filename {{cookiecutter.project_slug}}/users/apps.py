"""The application's registration with Django."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """The people who sign in."""

    name = "users"
