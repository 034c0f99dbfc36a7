"""The project's log.

`applog.bind` adds fields to all records of a request, a task or a block. `applog.outgoing_headers` returns headers for
calls of other services.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from applog.bound import bind
    from applog.context import outgoing_headers

__all__ = ["bind", "outgoing_headers"]


def __getattr__(name: str) -> Any:
    # Not imported before it is used: the handlers work without Django.
    if name == "bind":
        from applog.bound import bind  # noqa: PLC0415

        return bind
    if name == "outgoing_headers":
        from applog.context import outgoing_headers  # noqa: PLC0415

        return outgoing_headers
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
