"""The error pages, https://docs.djangoproject.com/en/stable/topics/http/views/#customizing-error-views."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400: the request is malformed, or names a host that is not ours."""
    return _error(None, 400, "Bad request", "The server could not understand this request.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403: this visitor may not open the page."""
    return _error(request, 403, "Not allowed", "You do not have permission to open this page.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403: the form's CSRF token is missing or wrong. The log says why."""
    explanation = "The form could not be checked. Allow this site's cookies, reload the form's page and send it again."
    return _error(request, 403, "Form not accepted", explanation)


# % if cookiecutter.accounts == "allauth"
def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Answer 429: one of the limits in ACCOUNT_RATE_LIMITS is reached. Which one, and for how long, nobody tells."""
    from users.security_events import rate_limit_exceeded  # noqa: PLC0415  it needs the apps

    rate_limit_exceeded(request)
    return _error(request, 429, "Please wait", "There were too many requests from you. Try again a little later.")


# % else
def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, str] | None) -> HttpResponse:
    """Answer 429: too many sign-ins have failed."""
    from axes.helpers import get_cool_off  # noqa: PLC0415  a project may do without it

    cool_off = get_cool_off(request)
    seconds = int(cool_off.total_seconds()) if cool_off else 0
    explanation = f"Too many sign-ins with this name have failed. Try again in {seconds // 60} minutes."
    page = _error(request, 429, "Please wait", explanation)
    page.headers["Retry-After"] = str(seconds)
    return page


# % endif
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404: there is no such page."""
    return _error(request, 404, "Page not found", "There is nothing at this address. Check it for a typing mistake.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500: the site's own code failed."""
    explanation = "The fault is ours, and it has been recorded. Please try again later."
    return _error(None, 500, "Something went wrong", explanation)


def _error(request: HttpRequest | None, status: int, heading: str, explanation: str) -> HttpResponse:
    """Render the page. Without a request no context processor runs, which could fail for the same reason."""
    context = {"status": status, "heading": heading, "explanation": explanation}
    return HttpResponse(render_to_string("error.html", context, request), status=status)
