"""Structured logs: one JSON object a line, or colours for people; the standard library's loggers go the same way.

`request_id`, `trace_id` and `submission_id` are bound in context variables and travel with messages, so that one
submission can be followed from the gateway to the writer.
"""

import json
import logging
import re
import sys
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from cakegate import settings

#: The form of W3C Trace Context's traceparent.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
#: `user:password@` of a URL, and the password of a libpq connection string.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s]+@|(?<=\bpassword=)(?:'[^']*'|[^\s'\"]+)", re.IGNORECASE)
#: Talkative below warnings, and none of it about a submission.
_QUIET: Final = (
    "dramatiq",
    "aiohttp.access",
    "asyncio",
    "httpx",
    "httpcore",
    "alembic",
    "_granian",
    "granian",
    "psycopg",
)


def configure(group: settings.Telemetry, *, process: str) -> None:
    """Send structlog's and the standard library's records to standard output; call once, at the start of a process."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(process),
        structlog.processors.StackInfoRenderer(),
        # As text, and before the stars: an exception's message may hold an address with its password.
        structlog.processors.format_exc_info,
        redact,
    ]
    if group.log_format == "json":
        renderer: Processor = _json
    else:
        # The default, rich, prints local variables.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
        )
    level = logging.getLevelNamesMapping()[group.log_level.upper()]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _naming(process: str) -> Processor:
    def name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return name


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Stars for credentials in any text, however deep; `settings.Secret` values print none by themselves."""
    return {key: _starred(value) for key, value in event.items()}


def _starred(value: Any) -> Any:
    if isinstance(value, str):
        return _CREDENTIALS.sub(_stars, value) if "://" in value or "=" in value else value
    if isinstance(value, settings.Secret):
        return str(value)
    if isinstance(value, dict):
        return {key: _starred(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_starred(each) for each in value]
    return value


def _stars(match: re.Match[str]) -> str:
    return "***@" if match[0].endswith("@") else "***"


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (UnicodeEncodeError, OverflowError, TypeError):
        # Lone surrogates of a path that is no UTF-8, whole numbers of a hundred digits: strangers' words come here.
        return json.dumps(event, default=str, skipkeys=True)


def bind(*, request_id: str | None, traceparent: str | None, **more: Any) -> None:
    """Tie what this task logs from here on to a request, forgetting what was bound before."""
    structlog.contextvars.clear_contextvars()
    match = _TRACEPARENT.fullmatch(traceparent or "")
    named = {"request_id": request_id, "trace_id": match[1] if match else None, **more}
    structlog.contextvars.bind_contextvars(**{name: value for name, value in named.items() if value is not None})
