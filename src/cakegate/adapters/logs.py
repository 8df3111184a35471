"""Structured logs: one JSON object a line, or colours for people; the standard library's loggers go the same way.

`request_id`, `trace_id` and `submission_id` are bound in context variables and travel with messages, so that one
submission can be followed from the gateway to the writer.
"""

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
_CREDENTIALS_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+@")
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
        redact,
    ]
    if group.log_format == "json":
        renderers: list[Processor] = [structlog.processors.format_exc_info, _json]
    else:
        renderers = [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=24)]
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
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
    """Stars for the credentials of URLs in any text; `settings.Secret` values print none by themselves."""
    for key, value in event.items():
        if isinstance(value, settings.Secret):
            event[key] = str(value)
        elif isinstance(value, str) and "://" in value:
            event[key] = _CREDENTIALS_IN_URL.sub("***@", value)
    return event


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def bind(*, request_id: str | None, traceparent: str | None, **more: Any) -> None:
    """Tie what this task logs from here on to a request, forgetting what was bound before."""
    structlog.contextvars.clear_contextvars()
    match = _TRACEPARENT.fullmatch(traceparent or "")
    named = {"request_id": request_id, "trace_id": match[1] if match else None, **more}
    structlog.contextvars.bind_contextvars(**{name: value for name, value in named.items() if value is not None})
