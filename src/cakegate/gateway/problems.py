"""Every error as `application/problem+json` (RFC 9457): one table from exceptions to status, type and title."""

import re
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from cakegate.domain import errors

_log = structlog.get_logger()

TYPE_PREFIX: Final = "https://cakegate.dev/problems/"
MEDIA_TYPE: Final = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field or parameter."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A problem. `type` is stable and documented in docs/api.md; `request_id` is what our logs know it by."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldError] | None = None
    reason: str | None = None
    verdict: Any = None
    submission: str | None = None


#: Slug, status and title of each; a subclass finds its nearest ancestor's.
_TABLE: Final[dict[type[errors.CakegateError], tuple[str, int, str]]] = {
    errors.InvalidCake: ("invalid-cake", 422, "This is not a cake that can be taken"),
    errors.PictureChanged: ("picture-changed", 422, "A cake's picture cannot be exchanged"),
    errors.CakeNotFound: ("cake-not-found", 404, "There is no such cake"),
    errors.SubmissionNotFound: ("submission-not-found", 404, "There is no such submission"),
    errors.RenditionNotFound: ("image-not-found", 404, "There is no such image"),
    errors.IdempotencyMismatch: ("idempotency-mismatch", 422, "The Idempotency-Key belongs to another body"),
    errors.UpstreamUnreachable: ("upstream-unreachable", 503, "The Cake API cannot be reached"),
    errors.UpstreamBusy: ("upstream-busy", 503, "The Cake API is busy"),
    errors.UpstreamRefused: ("upstream-refused", 502, "The Cake API refused"),
    errors.UpstreamSlow: ("upstream-slow", 504, "The Cake API did not answer in time"),
    errors.UpstreamUncertain: ("upstream-uncertain", 502, "The Cake API may or may not have done it"),
    errors.UpstreamError: ("upstream-broken", 502, "The Cake API gave no answer that makes sense"),
    errors.OutcomeUnknown: ("outcome-unknown", 503, "It is not known whether the submission was taken in"),
    errors.Overloaded: ("overloaded", 503, "Too much work is waiting"),
    errors.Unavailable: ("unavailable", 503, "Something that is needed is away"),
}
#: Problems that HTTP itself knows.
_HTTP: Final = {
    400: ("bad-request", "The request cannot be read"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This cannot be done here"),
    413: ("body-too-large", "The body is too large"),
    415: ("unsupported-media-type", "This media type is not understood"),
}
SLUGS: Final = frozenset(
    {slug for slug, _, _ in _TABLE.values()}
    | {slug for slug, _ in _HTTP.values()}
    | {"broken-json", "invalid-request", "internal-error", "not-a-cake", "image-unusable", "submission-failed"}
)
_RETRY_SECONDS: Final = 5


def problem(slug: str, status: int, title: str, detail: str, **more: Any) -> Problem:
    """A problem of a slug, tied to the request that is being answered."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return Problem(
        type=f"{TYPE_PREFIX}{slug}", title=title, status=status, detail=detail, request_id=request_id, **more
    )


def of_error(error: errors.CakegateError) -> tuple[Problem, dict[str, str]]:
    """The problem, and the headers that go with it."""
    if isinstance(error, errors.InvalidRequest):
        title = "The request cannot be read" if error.status == 400 else "The request cannot be used"  # noqa: PLR2004
        return problem(error.slug, error.status, title, str(error), errors=_fields(error.fields)), {}
    slug, status, title = next(
        (_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), ("internal-error", 500, "We made a mistake")
    )
    headers = {}
    if status == 503:  # noqa: PLR2004
        seconds = getattr(error, "retry_after_seconds", None) or _RETRY_SECONDS
        headers["Retry-After"] = str(max(1, round(seconds)))
    more: dict[str, Any] = {}
    if isinstance(error, errors.InvalidCake):
        more["errors"] = _fields(error.fields)
    if isinstance(error, errors.OutcomeUnknown):
        headers["Location"] = more["submission"] = f"/api/submissions/{error.submission_id}"
    # What the upstream said stays in the log: it may name hosts and ports of the inside.
    detail = title + "." if isinstance(error, (errors.UpstreamError, errors.DatabaseUnavailable)) else str(error)
    return problem(slug, status, title, detail, **more), headers


def _fields(fields: dict[str, str]) -> list[FieldError] | None:
    return [FieldError(field=name, message=text) for name, text in fields.items()] or None


def of_status(status: int) -> Problem:
    """A problem that HTTP itself knows."""
    slug, title = _HTTP.get(status, ("bad-request", "The request cannot be used"))
    return problem(slug, status, title, f"{title}.")


def encode(found: Problem) -> bytes:
    """As it goes over the wire."""
    return msgspec.json.encode(found)


def respond(found: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A Litestar response."""
    return Response(encode(found), status_code=found.status, headers=headers or {}, media_type=MEDIA_TYPE)


def handlers(allowed: "AllowedMethods") -> dict[Any, Any]:
    """Litestar's exception handlers: for ours, for its own, for what nobody expected."""

    def ours(_request: Request[Any, Any, Any], error: errors.CakegateError) -> Response[bytes]:
        found, headers = of_error(error)
        if found.status >= 500:  # noqa: PLR2004
            _log.warning("request.failed", kind=type(error).__name__, error=str(error))
        return respond(found, headers)

    def theirs(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        if error.status_code >= 500:  # noqa: PLR2004
            return unexpected(request, error)
        headers = {"Allow": allowed.at(request.scope["path"])} if error.status_code == 405 else {}  # noqa: PLR2004
        return respond(of_status(error.status_code), headers)

    def unexpected(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        _log.error("request.crashed", exc_info=error)
        return respond(internal_error())

    return {errors.CakegateError: ours, HTTPException: theirs, Exception: unexpected}


def internal_error() -> Problem:
    """What a client learns of our own mistakes: an id to ask us about."""
    return problem("internal-error", 500, "We made a mistake", "Something went wrong on our side; our logs know more.")


class AllowedMethods:
    """Which methods a path has, for the `Allow` header that a 405 must carry (RFC 9110 §15.5.6)."""

    def __init__(self) -> None:
        self._routes: list[tuple[re.Pattern[str], str]] = []

    def learn(self, handlers: list[ControllerRouterHandler]) -> None:
        """Read the paths and methods of route handlers."""
        methods: dict[str, set[str]] = {}
        for handler in handlers:
            for path in getattr(handler, "paths", ()):
                methods.setdefault(path, {"OPTIONS"}).update(str(m) for m in getattr(handler, "http_methods", ()))
        for path, names in methods.items():
            if "GET" in names:
                names.add("HEAD")
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", path.rstrip("/") or "/")
            self._routes.append((re.compile(pattern), ", ".join(sorted(names))))

    def at(self, path: str) -> str:
        """The methods at a path, separated by commas."""
        trimmed = path.rstrip("/") or "/"
        return next((names for pattern, names in self._routes if pattern.fullmatch(trimmed)), "GET, HEAD, OPTIONS")
