"""Every address of the gateway. A handler translates what came and calls a flow; nothing is decided here.

Litestar ignores a trailing slash, so each address answers with and without; HEAD is the edge's work.
"""

import asyncio
from time import perf_counter
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, delete, get, post, put, route
from litestar.datastructures import State
from litestar.params import PathParameter, QueryParameter

from cakegate.adapters import metrics
from cakegate.adapters.store import submissions as rows
from cakegate.domain import errors
from cakegate.gateway import (
    accepting,
    answers,
    bodies,
    changing,
    pictures,
    preferences,
    problems,
    reading,
    tracing,
    wiring,
)

_log = structlog.get_logger()

_SKIP_MAX: Final = 1_000_000_000
#: A server that tells of no hanging up might say something else for ever.
_MAX_MESSAGES: Final = 10

Skip = Annotated[
    int, QueryParameter(ge=0, le=_SKIP_MAX, description="How many cakes to leave out before the page begins.")
]
Limit = Annotated[
    int | None,
    QueryParameter(
        ge=1,
        description="Cakes in the page: 10 where it is not given, at most 100 unless this installation says other.",
    ),
]
Platform = Annotated[pictures.Platform, QueryParameter(description="What the picture is to be shown on.")]
CakeId = Annotated[str, PathParameter(description="The cake's id, a number or text.")]
SubmissionId = Annotated[str, PathParameter(description="The submission's id, a UUID that cannot be guessed.")]
Asked = Request[Any, Any, State]


def respond(request: Asked, outcome: answers.Answer | problems.Problem) -> Response[bytes]:
    """An answer or a problem as Litestar wants it."""
    if isinstance(outcome, answers.Answer):
        headers = outcome.headers
        return Response(outcome.body, status_code=outcome.status, media_type=outcome.media_type, headers=headers)
    body = problems.body(outcome, path=request.scope["path"], request_id=tracing.current().request_id)
    headers = dict(outcome.headers)
    return Response(body, status_code=outcome.kind.status, media_type=problems.MEDIA_TYPE, headers=headers)


def explain(request: Asked, error: Exception) -> Response[bytes]:
    """Any error as a problem; what nobody foresaw goes to the log with its traceback."""
    problem = problems.of(error)
    if problem.kind is problems.INTERNAL_ERROR:
        _log.error("request.failed", exc_info=error)
    elif isinstance(error, (errors.UpstreamError, errors.Unavailable)):
        # What the client is not told: which address, which error of the connection.
        _log.warning("request.troubled", kind=problem.kind.slug, error=str(error))
    return respond(request, problem)


def _gate(request: Asked) -> wiring.Gate:
    gate: wiring.Gate = request.app.state.gate
    return gate


async def _gone(request: Asked) -> None:
    """Return when the client has hung up. Its body must be read: granian tells of its end once more, then of that."""
    for _ in range(_MAX_MESSAGES):
        if (await request.receive())["type"] == "http.disconnect":
            return
    await asyncio.get_running_loop().create_future()


@get("/api/cakes", operation_id="listCakes", tags=["Cakes"], summary="List cakes")
async def list_cakes(request: Asked, skip: Skip = 0, limit: Limit = None) -> Response[bytes]:
    """One page of all cakes, in the legacy API's order. Without parameters it is the first page, not all cakes.

    The header `Link` leads to the pages beside it; a page that is not full is the last.
    """
    preferences.check_query(request.query_params, "skip", "limit", numbers=True)
    gate = _gate(request)
    with gate.upstream_places.taken():
        return respond(request, await reading.page(gate, skip=skip, limit=limit))


@get("/api/cakes/{cake_id:str}", operation_id="getCake", tags=["Cakes"], summary="Get a cake")
async def get_cake(request: Asked, cake_id: CakeId) -> Response[bytes]:
    """One cake by its id, a number or text."""
    gate = _gate(request)
    with gate.upstream_places.taken():
        return respond(request, await reading.cake(gate, cake_id))


@post("/api/cakes", operation_id="submitCake", tags=["Cakes"], summary="Submit a cake")
async def submit_cake(request: Asked) -> Response[bytes]:
    """Submit a cake. Its picture is fetched and judged; if it shows a cake, the cake is created.

    The answer waits for the end, ten seconds unless the header `Prefer` says other (`wait=5`, `respond-async`); what
    takes longer is answered with `202` and an address to ask at. With an `Idempotency-Key` a request may be repeated
    safely: it names the first submission for a day.
    """
    gate = _gate(request)
    started = perf_counter()
    key = preferences.idempotency_key_of(request.headers.get("idempotency-key"))
    wait = preferences.wait_of(", ".join(request.headers.getall("prefer", [])), gate.config.gateway)
    bodies.check_media_type(request.headers.get("content-type"))
    draft = bodies.draft_of(await request.body())
    metrics.STAGE_SECONDS.labels("validate").observe(perf_counter() - started)
    acceptor: accepting.Acceptor = request.app.state.acceptor
    outcome = await acceptor.accept(draft, key=key, wait=wait, gone=lambda: _gone(request))
    applied = {"Preference-Applied": wait.applied} if wait.applied else {}
    return respond(request, msgspec.structs.replace(outcome, headers={**outcome.headers, **applied}))


@put("/api/cakes/{cake_id:str}", operation_id="changeCake", tags=["Cakes"], summary="Change a cake")
async def change_cake(request: Asked, cake_id: CakeId) -> Response[bytes]:
    """Change a cake's name, comment and yum factor. Its picture stays: a new picture is a new submission."""
    bodies.check_media_type(request.headers.get("content-type"))
    change, gate = bodies.change_of(await request.body()), _gate(request)
    with gate.upstream_places.taken():
        return respond(request, await changing.replace(gate, cake_id, change))


@delete("/api/cakes/{cake_id:str}", operation_id="deleteCake", tags=["Cakes"], summary="Delete a cake", status_code=200)
async def delete_cake(request: Asked, cake_id: CakeId) -> Response[bytes]:
    """Delete a cake and get it once more. A record of the deletion is kept."""
    gate = _gate(request)
    with gate.upstream_places.taken():
        return respond(request, await changing.delete(gate, cake_id))


@get("/api/cakes/{cake_id:str}/image", operation_id="getCakeImage", tags=["Cakes"], summary="Get a cake's picture")
async def get_image(request: Asked, cake_id: CakeId, platform: Platform = pictures.Platform.WEB) -> Response[bytes]:
    """A rendition of the picture that Cakegate judged: at most 1024 pixels a side for `web`, 320 for `mobile`.

    WebP for clients that name it in `Accept`, else JPEG.
    """
    preferences.check_query(request.query_params, "platform")
    accept, known = request.headers.get("accept"), request.headers.get("if-none-match")
    found = await pictures.image(_gate(request), cake_id, platform, accept=accept, if_none_match=known)
    return respond(request, found)


@get(
    "/api/submissions/{submission_id:str}",
    operation_id="getSubmission",
    tags=["Submissions"],
    summary="Get a submission",
)
async def get_submission(request: Asked, submission_id: SubmissionId) -> Response[bytes]:
    """Where a submission is: still in work, waiting for a person, or how it ended."""
    try:
        known = UUID(submission_id)
    except ValueError:
        raise errors.SubmissionNotFound(submission_id) from None
    if str(known) != submission_id.lower():
        # Braces, `urn:uuid:` and other digits: one submission has one address.
        raise errors.SubmissionNotFound(submission_id)
    found = await rows.get(_gate(request).db, known)
    return respond(request, answers.to_get(found))


@get("/healthz", operation_id="getHealth", tags=["Health"], summary="Is the process alive?")
async def healthz(request: Asked) -> Response[bytes]:
    """Always 200 while the process can answer."""
    return respond(request, answers.Answer(body=b'{"status":"ok"}'))


@get("/readyz", operation_id="getReadiness", tags=["Health"], summary="Is the gateway ready?")
async def readyz(request: Asked) -> Response[bytes]:
    """503 while starting, draining, or when the database's schema is too old.

    A dependency that is down is reported and does not make the gateway unready: every gateway would be at once.
    """
    ready, report = await _gate(request).readiness.report()
    return respond(request, answers.Answer(status=200 if ready else 503, body=msgspec.json.encode(report)))


_ENDPOINTS: Final = (
    list_cakes, get_cake, submit_cake, change_cake, delete_cake, get_image, get_submission, healthz, readyz,
)  # fmt: skip


def _methods() -> dict[str, str]:
    """Each path's methods, as Allow has them; the edge adds HEAD."""
    found: dict[str, set[str]] = {}
    for handler in _ENDPOINTS:
        for path in handler.paths:
            found.setdefault(path, {"OPTIONS"}).update(HttpMethod(method).value for method in handler.http_methods)
    return {path.replace(":str}", "}"): ", ".join(sorted(methods)) for path, methods in found.items()}


#: What Allow says of each path.
METHODS: Final = _methods()


# Litestar's own answer to OPTIONS names the methods of the first handler of a path alone (2.25).
@route(
    sorted({path for handler in _ENDPOINTS for path in handler.paths}),
    http_method=[HttpMethod.OPTIONS],
    include_in_schema=False,
    status_code=204,
    sync_to_thread=False,
)
def options(request: Asked) -> Response[None]:
    """The methods of an address."""
    return Response(None, status_code=204, headers={"Allow": METHODS[request.scope["path_template"]]})


API: Final = (options, *_ENDPOINTS)
