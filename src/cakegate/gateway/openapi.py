"""The API's description, OpenAPI 3.1.

Paths and parameters are what Litestar reads from the handlers; answers, headers and examples come from the table here.

Made without an adapter, so that `cakegate openapi` needs nothing to run.
"""

import functools
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import License, Tag

import cakegate
from cakegate.gateway import examples, headers, problems, routes, schemas

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = """\
A gateway in front of a legacy Cake API. Reads pass through; a submitted cake is created there once its picture was
fetched and judged to show a cake. Every address answers with and without a trailing slash, and `HEAD` where it has
`GET`. Every error is `application/problem+json` (RFC 9457) with a stable `type`.
"""

_EVERYWHERE: Final = (
    problems.BAD_REQUEST, problems.ADDRESS_TOO_LONG, problems.HEADERS_TOO_LARGE, problems.INTERNAL_ERROR,
)  # fmt: skip
_BODY: Final = (
    problems.BROKEN_JSON, problems.BODY_TOO_SLOW, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE,
    problems.INVALID_CAKE,
)  # fmt: skip
_UPSTREAM: Final = (
    problems.UPSTREAM_UNREACHABLE, problems.UPSTREAM_REFUSED, problems.UPSTREAM_BROKEN, problems.UPSTREAM_SLOW,
    problems.UPSTREAM_BUSY, problems.OVERLOADED,
)  # fmt: skip


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that is no problem: `schema` is a type or None, `headers` are those of `headers.py`.

    `links` lead from its body's `id` to operations that take one (OpenAPI links), by the names of their parameters.
    """

    description: str
    schema: Any = None
    example: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()
    links: dict[str, str] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """All that an operation may answer, and the body and headers that it reads. `free`: no rate limit holds."""

    answers: dict[int, Told]
    kinds: tuple[problems.Kind, ...] = ()
    body: tuple[type, Any] | None = None
    reads: tuple[str, ...] = ()
    free: bool = False


_TO_SUBMISSION: Final = {"getSubmission": "submission_id"}
_TO_CAKE: Final = dict.fromkeys(("getCake", "changeCake", "deleteCake", "getCakeImage"), "cake_id")
_CAKE: Final = Told(description="The cake.", schema=schemas.Cake, example=examples.CAKE)
_REPORT: Final = {"type": "object", "additionalProperties": True}
_OPERATIONS: Final = {
    "listCakes": Operation(
        answers={
            200: Told(
                description="One page.", schema=list[schemas.Cake], example=[examples.CAKE], headers=("Link?",)
            )
        },
        kinds=_UPSTREAM,
    ),
    "getCake": Operation(answers={200: _CAKE}, kinds=(problems.CAKE_NOT_FOUND, *_UPSTREAM)),
    "submitCake": Operation(
        answers={
            200: Told(
                description="Only to a repeated request: the cake was created, and deleted before we knew of it.",
                schema=schemas.Submission,
                headers=("Preference-Applied?",),
                links=_TO_SUBMISSION,
            ),
            201: Told(
                description="It was judged to show a cake, and created.",
                schema=schemas.Cake,
                example=examples.CAKE,
                headers=("Location", "Link", "Preference-Applied?"),
                links=_TO_CAKE,
            ),
            202: Told(
                description="It is taken in and will not be lost: still in work, or waiting for a person.",
                schema=schemas.Submission,
                example=examples.PENDING,
                headers=("Location", "Retry-After", "Preference-Applied?"),
                links=_TO_SUBMISSION,
            ),
        },
        kinds=(
            *_BODY, problems.NOT_A_CAKE, problems.IMAGE_UNUSABLE, problems.IDEMPOTENCY_MISMATCH,
            problems.SUBMISSION_FAILED, problems.OVERLOADED, problems.DATABASE_UNAVAILABLE, problems.OUTCOME_UNKNOWN,
        ),
        body=(schemas.NewCake, examples.NEW_CAKE),
        reads=("Idempotency-Key", "Prefer"),
    ),
    "changeCake": Operation(
        answers={200: _CAKE},
        kinds=(
            *_BODY, problems.PICTURE_CHANGED, problems.CAKE_NOT_FOUND, *_UPSTREAM, problems.UPSTREAM_UNCERTAIN,
        ),
        body=(schemas.ChangedCake, examples.CHANGED_CAKE),
    ),
    "deleteCake": Operation(
        answers={200: _CAKE},
        kinds=(
            problems.CAKE_NOT_FOUND, *_UPSTREAM, problems.UPSTREAM_UNCERTAIN, problems.DATABASE_UNAVAILABLE,
        ),
    ),
    "getCakeImage": Operation(
        answers={
            200: Told(
                description="The picture, upright and without metadata.",
                schema={"type": "string", "contentMediaType": "application/octet-stream"},
                media_types=("image/jpeg", "image/webp"),
                headers=("ETag", "Vary", "Cache-Control"),
            ),
            304: Told(description="The client has it already.", headers=("ETag", "Vary", "Cache-Control")),
        },
        kinds=(
            problems.CAKE_NOT_FOUND, problems.IMAGE_NOT_FOUND, problems.NOT_ACCEPTABLE,
            problems.OVERLOADED, problems.DATABASE_UNAVAILABLE,
        ),
        reads=("Accept", "If-None-Match"),
    ),
    "getSubmission": Operation(
        answers={
            200: Told(
                description="Its present state.",
                schema=schemas.Submission,
                example=examples.CREATED,
                headers=("Retry-After?",),
            )
        },
        kinds=(problems.SUBMISSION_NOT_FOUND, problems.OVERLOADED, problems.DATABASE_UNAVAILABLE),
    ),
    "getHealth": Operation(
        answers={200: Told(description="It is.", schema=_REPORT, example={"status": "ok"})}, free=True
    ),
    "getReadiness": Operation(
        answers={
            200: Told(description="It is.", schema=_REPORT, example=examples.READY),
            503: Told(description="It is not; the report says why.", schema=_REPORT, example=examples.NOT_READY),
        },
        free=True,
    ),
}  # fmt: skip

_READS: Final = {
    "Idempotency-Key": (
        "1 to 255 printable ASCII characters. Repeated with the same body, it names the same submission.",
        {"type": "string", "minLength": 1, "maxLength": 257},
    ),
    "Prefer": (
        "`wait=N`: wait at most N seconds, 60 at the most. `respond-async`: do not wait (RFC 7240).",
        {"type": "string", "examples": ["wait=5", "respond-async"]},
    ),
    "Accept": ("WebP is sent to those who name it.", {"type": "string", "examples": ["image/webp, image/*"]}),
    "If-None-Match": ("ETags that the client has.", {"type": "string"}),
}


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    app = Litestar(
        route_handlers=routes.API,
        # Its default would take the whole process's logging over, the moment somebody asks for the document.
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Cakegate",
            version=cakegate.__version__,
            description=_ABOUT,
            license=License(name="MIT", identifier="MIT"),
            use_handler_docstrings=True,
            tags=[
                Tag(name="Cakes", description="The legacy API's cakes."),
                Tag(name="Submissions", description="What became of a submitted cake."),
                Tag(name="Health", description="For whoever runs it."),
            ],
        ),
    )
    described = app.openapi_schema.to_schema()
    for path in described["paths"].values():
        for operation in path.values():
            _describe(operation, _OPERATIONS[operation["operationId"]])
    kept = described.get("components", {}).get("schemas", {})
    described["components"] = {"schemas": {**kept, **_schemas()}, "headers": headers.components()}
    return described


def _describe(operation: dict[str, Any], told: Operation) -> None:
    parameters = operation.setdefault("parameters", [])
    parameters += [
        {"name": name, "in": "header", "description": _READS[name][0], "required": False, "schema": _READS[name][1]}
        for name in told.reads
    ]
    if told.body is not None:
        kind, example = told.body
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema_of(kind), "example": example}},
        }
    everywhere = ("X-Request-Id",) if told.free else _LIMITED
    responses = {str(status): _answer(each, everywhere) for status, each in told.answers.items()}
    kinds = (*told.kinds, *_EVERYWHERE, *(() if told.free else (problems.RATE_LIMITED,)))
    for status in sorted({kind.status for kind in kinds}):
        # A status that says two things is one of a problem only where it is none of an answer.
        of_status = tuple(kind for kind in kinds if kind.status == status)
        responses.setdefault(str(status), _problems(of_status, everywhere))
    operation["responses"] = dict(sorted(responses.items()))


def _answer(told: Told, everywhere: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": told.description,
        "headers": headers.references((*told.headers, *everywhere)),
    }
    if told.schema is not None:
        content: dict[str, Any] = {"schema": _schema_of(told.schema)}
        if told.example is not None:
            content["example"] = told.example
        found["content"] = dict.fromkeys(told.media_types, content)
    if told.links:
        found["links"] = {
            operation: {"operationId": operation, "parameters": {f"path.{parameter}": "$response.body#/id"}}
            for operation, parameter in told.links.items()
        }
    return found


def _problems(kinds: tuple[problems.Kind, ...], everywhere: tuple[str, ...]) -> dict[str, Any]:
    named = {name for kind in kinds for name in _PROBLEM_HEADERS.get(kind.slug, ())}
    always = {name for name in named if all(name in _PROBLEM_HEADERS.get(kind.slug, ()) for kind in kinds)}
    members = {"type": {"enum": [kind.type for kind in kinds]}, "status": {"const": kinds[0].status}}
    content = {
        "schema": {**_schema_of(schemas.Problem), "properties": members},
        "examples": {kind.slug: {"summary": kind.title, "value": examples.problem(kind)} for kind in kinds},
    }
    return {
        "description": "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds),
        "headers": headers.references(
            (*(name if name in always else f"{name}?" for name in sorted(named)), *everywhere)
        ),
        "content": {problems.MEDIA_TYPE: content},
    }


#: Where a limit is set; and what is left of it, where Redis could be asked.
_LIMITED: Final = ("RateLimit-Policy?", "RateLimit?", "X-Request-Id")
_PROBLEM_HEADERS: Final = {
    "rate-limited": ("Retry-After",),
    "upstream-busy": ("Retry-After",),
    "overloaded": ("Retry-After",),
    "database-unavailable": ("Retry-After",),
    "outcome-unknown": ("Retry-After", "Location"),
}


def _schema_of(kind: Any) -> dict[str, Any]:
    if isinstance(kind, dict):
        return kind
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _schemas() -> dict[str, Any]:
    kinds = (schemas.Cake, schemas.NewCake, schemas.ChangedCake, schemas.Submission, schemas.Problem)
    return msgspec.json.schema_components(kinds, ref_template=_REF)[1]
