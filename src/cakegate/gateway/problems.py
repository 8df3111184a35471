"""Every error as `application/problem+json` (RFC 9457): one table from exceptions to what a client gets.

`type` is stable: clients may switch on it. docs/api.md explains each; a test keeps it complete. `detail` is written
for people and may change. Nothing here tells more of a failed fetch or of the legacy API than its kind.
"""

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar.exceptions import HTTPException, ValidationException

from cakegate.domain import errors

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_ROOT: Final = "https://cakegate.dev/problems/"
_INSTANCE_MAX_CHARACTERS: Final = 500


class Kind(msgspec.Struct, frozen=True):
    """One `type` of problem. `detail` is what clients are told; where it is empty, the error's own message is."""

    slug: str
    status: int
    title: str
    detail: str = ""

    @property
    def type(self) -> str:
        """The stable URI."""
        return f"{_TYPE_ROOT}{self.slug}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence. `extensions` are further members of the body."""

    kind: Kind
    detail: str
    headers: Mapping[str, str] = {}
    extensions: Mapping[str, Any] = {}


BAD_REQUEST: Final = Kind("bad-request", 400, "The request cannot be understood")
BROKEN_JSON: Final = Kind("broken-json", 400, "The body is not JSON")
NOT_FOUND: Final = Kind("not-found", 404, "There is nothing at this address")
CAKE_NOT_FOUND: Final = Kind("cake-not-found", 404, "There is no such cake")
SUBMISSION_NOT_FOUND: Final = Kind("submission-not-found", 404, "There is no such submission")
IMAGE_NOT_FOUND: Final = Kind("image-not-found", 404, "There is no such image")
METHOD_NOT_ALLOWED: Final = Kind("method-not-allowed", 405, "This address does not have that method")
NOT_ACCEPTABLE: Final = Kind("not-acceptable", 406, "There is no form that the client accepts")
BODY_TOO_SLOW: Final = Kind("body-too-slow", 408, "The body did not come in time")
BODY_TOO_LARGE: Final = Kind("body-too-large", 413, "The body is too large")
ADDRESS_TOO_LONG: Final = Kind("address-too-long", 414, "The address is too long")
UNSUPPORTED_MEDIA_TYPE: Final = Kind("unsupported-media-type", 415, "The body must be JSON")
INVALID_CAKE: Final = Kind(
    "invalid-cake", 422, "This is no cake that we can take", "Each complaint stands under `errors`."
)
NOT_A_CAKE: Final = Kind("not-a-cake", 422, "The picture does not show a cake")
IMAGE_UNUSABLE: Final = Kind("image-unusable", 422, "The picture cannot be used")
PICTURE_CHANGED: Final = Kind("picture-changed", 422, "A cake's picture cannot be exchanged")
IDEMPOTENCY_MISMATCH: Final = Kind("idempotency-mismatch", 422, "The Idempotency-Key belongs to another body")
RATE_LIMITED: Final = Kind("rate-limited", 429, "Too many requests came from this client")
HEADERS_TOO_LARGE: Final = Kind("headers-too-large", 431, "The headers are too large")
INTERNAL_ERROR: Final = Kind(
    "internal-error", 500, "Something went wrong here", "It is logged under this request's id."
)
SUBMISSION_FAILED: Final = Kind("submission-failed", 502, "The submission could not be brought to its end")
UPSTREAM_UNREACHABLE: Final = Kind(
    "upstream-unreachable", 502, "The legacy Cake API cannot be reached", "Nothing was changed there: try again later."
)
UPSTREAM_REFUSED: Final = Kind(
    "upstream-refused", 502, "The legacy Cake API refused the request", "Nothing was changed there."
)
UPSTREAM_BROKEN: Final = Kind(
    "upstream-broken", 502, "The legacy Cake API gave no usable answer", "Nothing was changed there: try again later."
)
UPSTREAM_UNCERTAIN: Final = Kind(
    "upstream-uncertain", 502, "It is not known whether the change was made",
    "The request was sent to the legacy Cake API, which gave no usable answer: it may have been carried out or not.",
)  # fmt: skip
UPSTREAM_SLOW: Final = Kind(
    "upstream-slow", 504, "The legacy Cake API did not answer in time", "Nothing was changed there: try again later."
)
UPSTREAM_BUSY: Final = Kind(
    "upstream-busy", 503, "The legacy Cake API is busy", "Nothing was changed there: try again later."
)
OVERLOADED: Final = Kind("overloaded", 503, "Too much work waits already")
DATABASE_UNAVAILABLE: Final = Kind(
    "database-unavailable", 503, "The request cannot be recorded now", "Nothing was taken in: try again later."
)
OUTCOME_UNKNOWN: Final = Kind("outcome-unknown", 503, "It is not known whether the submission was taken in")

KINDS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Kind))

#: The first line that fits decides, so what is special comes before what is general.
_TABLE: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (errors.InvalidCake, INVALID_CAKE),
    (errors.PictureChanged, PICTURE_CHANGED),
    (errors.IdempotencyMismatch, IDEMPOTENCY_MISMATCH),
    (errors.CakeNotFound, CAKE_NOT_FOUND),
    (errors.SubmissionNotFound, SUBMISSION_NOT_FOUND),
    (errors.RenditionNotFound, IMAGE_NOT_FOUND),
    (errors.NotFound, NOT_FOUND),
    (errors.BadParameter, BAD_REQUEST),
    (errors.BodyBroken, BROKEN_JSON),
    (errors.BodyTooLarge, BODY_TOO_LARGE),
    (errors.BodyTooSlow, BODY_TOO_SLOW),
    (errors.HeadersTooLarge, HEADERS_TOO_LARGE),
    (errors.AddressTooLong, ADDRESS_TOO_LONG),
    (errors.MediaTypeUnknown, UNSUPPORTED_MEDIA_TYPE),
    (errors.NotAcceptable, NOT_ACCEPTABLE),
    (errors.RateLimited, RATE_LIMITED),
    (errors.UpstreamUnreachable, UPSTREAM_UNREACHABLE),
    (errors.UpstreamBusy, UPSTREAM_BUSY),
    (errors.UpstreamRefused, UPSTREAM_REFUSED),
    (errors.UpstreamBroken, UPSTREAM_BROKEN),
    (errors.UpstreamSlow, UPSTREAM_SLOW),
    (errors.UpstreamUncertain, UPSTREAM_UNCERTAIN),
    (errors.DatabaseBusy, OVERLOADED),
    (errors.DatabaseUnavailable, DATABASE_UNAVAILABLE),
    (errors.Overloaded, OVERLOADED),
    (errors.OutcomeUnknown, OUTCOME_UNKNOWN),
)
#: What Litestar raises by itself, by status, and what is said of it.
_HTTP: Final = {
    400: (BAD_REQUEST, "A part of the request is not what it may be."),
    404: (NOT_FOUND, "The documentation at / lists every address."),
    405: (METHOD_NOT_ALLOWED, "The header Allow lists the methods that it has."),
    413: (BODY_TOO_LARGE, BODY_TOO_LARGE.title),
}


#: What query parameters may be, in our words: Litestar's are its parser's.
_PARAMETERS: Final = {
    "skip": "must be a whole number from 0 to 1000000000",
    "limit": "must be a whole number, at least 1",
    "platform": "must be `web` or `mobile`",
}


def of(error: Exception) -> Problem:
    """What a client gets for this error; `internal-error` where nobody foresaw it."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    kind = next((kind for accepted, kind in _TABLE if isinstance(error, accepted)), INTERNAL_ERROR)
    complaints = error.fields if isinstance(error, (errors.InvalidCake, errors.BadParameter)) else {}
    return Problem(
        kind=kind,
        detail=kind.detail or str(error),
        headers=_headers(error),
        extensions={"errors": _complaints(complaints)} if complaints else {},
    )


def _of_http(error: HTTPException) -> Problem:
    kind, detail = _HTTP.get(error.status_code, (INTERNAL_ERROR, INTERNAL_ERROR.detail))
    allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    complaints: list[dict[str, str]] = []
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        names = [str(each.get("key", "")) for each in error.extra]
        complaints = _complaints({name: _PARAMETERS.get(name, "is not what it may be") for name in names})
    return Problem(kind=kind, detail=detail, headers=allow, extensions={"errors": complaints} if complaints else {})


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if isinstance(error, (errors.Unavailable, errors.RateLimited)):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.UpstreamBusy):
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds or 5))
    if isinstance(error, errors.OutcomeUnknown):
        headers["Location"] = f"/api/submissions/{error.submission_id}"
    return headers


def _complaints(fields: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"field": name, "message": message} for name, message in fields.items()]


def body(problem: Problem, *, path: str, request_id: str) -> bytes:
    """The problem as JSON. `instance` is the path that was asked for, without its query."""
    return msgspec.json.encode(
        {
            "type": problem.kind.type,
            "title": problem.kind.title,
            "status": problem.kind.status,
            "detail": problem.detail,
            "instance": quote(path[:_INSTANCE_MAX_CHARACTERS], errors="replace"),
            "request_id": request_id,
            **problem.extensions,
        }
    )
