"""Authentication backends, https://docs.djangoproject.com/en/stable/topics/auth/customizing/."""

from typing import Any

from asgiref.sync import sync_to_async
from axes.backends import AxesStandaloneBackend
from django.http import HttpRequest


class SignInLimit(AxesStandaloneBackend):
    """Refuses a sign-in after too many that failed, in asynchronous code, too. The next backend knows the passwords."""

    async def aauthenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Raise PermissionDenied for a sign-in that is one too many."""
        await sync_to_async(self.authenticate)(request, **credentials)
