"""The project's log. `applog.bind` adds fields to all records of a request, a task or a block."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from applog.bound import bind

__all__ = ["bind"]


def __getattr__(name: str) -> Any:
    # Not imported before it is used: the handlers work without Django.
    if name == "bind":
        from applog.bound import bind  # noqa: PLC0415

        return bind
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
