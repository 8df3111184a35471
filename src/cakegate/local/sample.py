"""The sample legacy API: what the real one does, its habits included, and its troubles where a test asks for them.

- The list's path ends in a slash and an item's does not; the other form is redirected.
- `skip`/`limit` with a default of 10, no total.
- `DELETE` answers 200 with the cake.
- A name or comment under 5 characters passes its schema and then gives a 500.
- No idempotency: the same body twice is two cakes.

It also serves `/pictures/*` from a folder, so that demos and tests have addresses to submit. `POST /faults` sets a
`Faults`, `GET /faults` shows it. Whatever it tells its clients, its ledger has every change that it made: the truth to
hold their word against.
"""

import asyncio
import contextlib
import functools
import mimetypes
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from cakegate.adapters import tether
from cakegate.domain import errors
from cakegate.local.sample_cakes import Cakes, NewCake

#: What fails after the schema in the real one.
_SHORTEST_TEXT: Final = 5


class Faults(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Troubles of the API, each off by default. Shares are of requests, 0 to 1; they apply to `/api/` alone.

    Pictures are only slow, where they are told to be.
    """

    latency_seconds: float = 0.0
    list_latency_seconds: float = 0.0
    """Before each page of the list, besides."""
    write_latency_seconds: float = 0.0
    """Before each write, besides."""
    picture_latency_seconds: float = 0.0
    error_share: float = 0.0
    """500 before anything is done."""
    unavailable_share: float = 0.0
    """503 before anything is done."""
    drop_answer_share: float = 0.0
    """A write is done, then the connection is cut."""
    drop_request_share: float = 0.0
    """The connection is cut before anything is done."""
    error_after_share: float = 0.0
    """A write is done, then answered with 500."""
    late_share: float = 0.0
    """A write is done after `late_seconds`, the connection cut at once."""
    late_seconds: float = 1.0
    stall_share: float = 0.0
    """A write is done after `late_seconds`, and answered only then."""
    garbage_share: float = 0.0
    """An HTML page with status 200; a write is done."""
    redirect_share: float = 0.0
    """A redirect to another path; nothing is done."""
    redirect_after_share: float = 0.0
    """A write is done, then answered with a redirect to the list."""
    busy_share: float = 0.0
    """429 with Retry-After; nothing is done."""
    down: bool = False
    """Every connection is cut."""


class Sample:
    """A running sample API: `url` without a trailing slash, its `cakes`, its `faults`, its folder of `pictures`.

    `given` counts the troubles that it gave, by their names.
    """

    def __init__(self, folder: Path, *, dice: Callable[[], float]) -> None:
        self.url = ""
        self.faults = Faults()
        self.given: Counter[str] = Counter()
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.cakes = Cakes(folder / "cakes.sqlite3")
        self._dice = dice
        self._late: set[asyncio.Task[None]] = set()
        self._site: web.TCPSite | None = None
        self._listen_again: Callable[[], Awaitable[None]]

    async def listen(self, runner: web.AppRunner, *, host: str, port: int) -> None:
        """Take connections; `port` 0 takes a free one."""
        self._site = web.TCPSite(runner, host, port)
        await self._site.start()
        port = runner.addresses[0][1]
        self.url = f"http://{host}:{port}"
        self._listen_again = functools.partial(self.listen, runner, host=host, port=port)

    @contextlib.asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Refuse connections for a block, as a process that is not there; those that stand are cut when they ask."""
        assert self._site is not None
        self.faults = msgspec.structs.replace(self.faults, down=True)
        await self._site.stop()
        try:
            yield
        finally:
            await self._listen_again()
            self.faults = msgspec.structs.replace(self.faults, down=False)

    def app(self) -> web.Application:
        """The API as an aiohttp application."""
        app = web.Application(middlewares=[self._troubled])
        app.add_routes(
            [
                web.get("/api/cakes/", self._list),
                web.post("/api/cakes/", self._add),
                web.get("/api/cakes/{id}", self._get),
                web.put("/api/cakes/{id}", self._replace),
                web.delete("/api/cakes/{id}", self._delete),
                web.get("/pictures/{name}", self._picture),
                web.get("/faults", self._show_faults),
                web.post("/faults", self._set_faults),
                web.get("/healthz", self._healthz),
            ]
        )
        # The other form of each path, as its framework does.
        app.router.add_route("*", "/api/cakes", _redirect)
        app.router.add_route("*", "/api/cakes/{id}/", _redirect)
        return app

    def _hit(self, trouble: str) -> bool:
        """Whether a trouble, one of the shares of `Faults`, happens now."""
        share: float = getattr(self.faults, f"{trouble}_share")
        happens = share > 0 and self._dice() < share
        self.given[trouble] += happens
        return happens

    @web.middleware
    async def _troubled(self, request: web.Request, handler: Any) -> web.StreamResponse:
        faults = self.faults
        if not request.path.startswith("/api/"):
            return await handler(request)  # type: ignore[no-any-return]
        if faults.latency_seconds:
            await asyncio.sleep(faults.latency_seconds)
        if faults.down:
            self.given["down"] += 1
            return _cut(request)
        if self._hit("drop_request"):
            return _cut(request)
        for trouble, answer in (
            ("error", web.Response(status=500, text="Internal Server Error")),
            ("unavailable", web.Response(status=503, text="Service Unavailable")),
            ("busy", web.Response(status=429, headers={"Retry-After": "1"})),
            ("redirect", web.Response(status=307, headers={"Location": f"{request.path}?again=1"})),
        ):
            if self._hit(trouble):
                return answer
        if request.method in {"POST", "PUT", "DELETE"}:
            return await self._troubled_write(request, handler)
        response: web.StreamResponse = await handler(request)
        return _garbage() if self._hit("garbage") else response

    async def _troubled_write(self, request: web.Request, handler: Any) -> web.StreamResponse:
        late_seconds = self.faults.late_seconds
        try:
            # Before any pause: aiohttp keeps the body with the request, also when the client is gone.
            await request.read()
        except ConnectionError:
            return web.Response(status=400, text="Bad Request")
        await asyncio.sleep(self.faults.write_latency_seconds)
        if self._hit("late"):
            self._later(request, handler, late_seconds)
            return _cut(request)
        if self._hit("stall"):
            await asyncio.sleep(late_seconds)
        response: web.StreamResponse = await handler(request)
        if self._hit("drop_answer"):
            return _cut(request)
        if self._hit("error_after"):
            return web.Response(status=500, text="Internal Server Error")
        if self._hit("redirect_after"):
            return web.Response(status=303, headers={"Location": "/api/cakes/"})
        return _garbage() if self._hit("garbage") else response

    def _later(self, request: web.Request, handler: Any, seconds: float) -> None:
        """Do a write after its client is gone."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            with contextlib.suppress(web.HTTPException):
                await handler(request)

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def settle(self) -> None:
        """Wait until all late writes are done."""
        while self._late:
            await asyncio.gather(*self._late)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            skip, limit = int(request.query.get("skip", 0)), int(request.query.get("limit", 10))
        except ValueError:
            return _unprocessable("query", "value is not a valid integer")
        if self.faults.list_latency_seconds:
            self.given["slow_list"] += 1
            await asyncio.sleep(self.faults.list_latency_seconds)
        return web.json_response(self.cakes.page(skip=skip, limit=limit))

    async def _add(self, request: web.Request) -> web.Response:
        cake = await _body(request)
        return cake if isinstance(cake, web.Response) else web.json_response(self.cakes.add(cake))

    async def _get(self, request: web.Request) -> web.Response:
        return _found(self.cakes.get(_id(request)))

    async def _replace(self, request: web.Request) -> web.Response:
        cake = await _body(request)
        return cake if isinstance(cake, web.Response) else _found(self.cakes.replace(_id(request), cake))

    async def _delete(self, request: web.Request) -> web.Response:
        return _found(self.cakes.delete(_id(request)))

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.faults.picture_latency_seconds)
        # One path segment, so that no name leads out of the folder.
        path = self.pictures / Path(request.match_info["name"]).name
        if not path.is_file():
            return web.Response(status=404, text="Not Found")
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return web.Response(body=await asyncio.to_thread(path.read_bytes), content_type=content_type)

    async def _show_faults(self, _request: web.Request) -> web.Response:
        return web.json_response(msgspec.to_builtins(self.faults))

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults = msgspec.json.decode(await request.read(), type=Faults)
        except msgspec.MsgspecError as error:
            return web.Response(status=422, text=str(error))
        return web.json_response(msgspec.to_builtins(self.faults))

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})


async def _redirect(request: web.Request) -> web.Response:
    """To the same path with its slash put on or taken off; the query and the path's encoding stay."""
    path, question, query = request.raw_path.partition("?")
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    return web.Response(status=307, headers={"Location": f"{other}{question}{query}"})


def _cut(request: web.Request) -> web.Response:
    """Hang up without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _garbage() -> web.Response:
    return web.Response(text="<html><body>Please come back later</body></html>", content_type="text/html")


async def _body(request: web.Request) -> NewCake | web.Response:
    """The cake, or what the API answers instead."""
    try:
        cake = msgspec.json.decode(await request.read(), type=NewCake)
    except msgspec.MsgspecError as error:
        return _unprocessable("body", str(error))
    if min(len(cake.name), len(cake.comment)) < _SHORTEST_TEXT:
        return web.Response(status=500, text="Internal Server Error")
    return cake


def _unprocessable(place: str, message: str) -> web.Response:
    return web.json_response({"detail": [{"loc": [place], "msg": message, "type": "value_error"}]}, status=422)


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1  # noqa: PLR2004 - SQLite's integers


def _found(item: dict[str, Any] | None) -> web.Response:
    return web.json_response({"detail": "Cake not found"}, status=404) if item is None else web.json_response(item)


@contextlib.asynccontextmanager
async def serve(
    folder: Path, *, host: str = "127.0.0.1", port: int = 0, dice: Callable[[], float] = random.random
) -> AsyncIterator[Sample]:
    """Run the sample API for a block; `port` 0 takes a free one. `dice` gives numbers in 0 to 1 for the faults."""
    sample = Sample(folder, dice=dice)
    runner = web.AppRunner(sample.app(), access_log=None, handler_cancellation=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await sample.listen(runner, host=host, port=port)
        yield sample
    finally:
        await sample.settle()
        await runner.cleanup()
        sample.cakes.close()


def run(folder: Path, *, host: str, port: int, faults: str = "{}") -> None:
    """Serve until SIGTERM or SIGINT, from the start with the troubles of a JSON object.

    Raises:
        InvalidSettings: the troubles are none that it knows, or it cannot listen there.
    """
    tether.watch()
    try:
        troubles = msgspec.json.decode(faults, type=Faults)
        asyncio.run(_run(folder, host=host, port=port, faults=troubles))
    except msgspec.MsgspecError as error:
        raise errors.InvalidSettings(f"The faults cannot be read: {error}") from error
    except OSError as error:
        raise errors.InvalidSettings(f"The sample API cannot be served at {host}:{port}: {error.strerror}") from error


async def _run(folder: Path, *, host: str, port: int, faults: Faults) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with serve(folder, host=host, port=port) as sample:
        sample.faults = faults
        await stopping.wait()
