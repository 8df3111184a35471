"""The pages that show the API's description, without anything from another host: Swagger UI at `/`, ReDoc at `/redoc`.

Their scripts are the plain files of the package offapi, which is found and never imported: importing it reads and
rewrites all of them.
"""

import asyncio
import functools
import importlib.util
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath

import cakegate
from cakegate.domain import errors
from cakegate.gateway import openapi, preferences

Asked = Request[Any, Any, State]

_TITLE: Final = "Cakegate"
#: Both programs write styles into the page; scripts come as files alone. ReDoc searches in a worker made of a blob.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
#: Litestar adds the charset to text types.
_JAVASCRIPT: Final = "text/javascript"
_CSS: Final = "text/css"
FILES: Final = {
    "swagger_bundle.js": _JAVASCRIPT,
    "swagger_style.css": _CSS,
    "redoc.js": _JAVASCRIPT,
}
_OWN: Final = {
    "swagger_start.js": b"""window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/schema/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    validatorUrl: null,
  });
};
""",
    "page.css": b"body { margin: 0; padding: 0; }\n",
}


@functools.cache
def _folder() -> Path:
    found = importlib.util.find_spec("offapi")
    if found is None or not found.submodule_search_locations:
        raise errors.InvalidSettings("The package offapi is missing: the documentation pages need its files.")
    return Path(found.submodule_search_locations[0])


@functools.cache
def _version() -> str:
    """A part of the assets' addresses, so that they may be kept for ever: their sizes change when they do."""
    sizes = [(_folder() / name).stat().st_size for name in sorted(FILES)] + [len(each) for each in _OWN.values()]
    return f"{cakegate.__version__}-{sum(sizes):x}"


def _address(name: str) -> str:
    return f"/docs-assets/{_version()}/{name}"


def _page(head: str, body: str) -> Response[bytes]:
    content = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_TITLE}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{_address("page.css")}">\n{head}</head>\n<body>\n{body}</body>\n</html>\n'
    )
    return Response(content.encode(), media_type="text/html", headers=_PAGE_HEADERS)


@get("/", include_in_schema=False, sync_to_thread=False)
def swagger() -> Response[bytes]:
    """Swagger UI."""
    scripts = "".join(
        f'<script src="{_address(name)}"></script>\n' for name in ("swagger_bundle.js", "swagger_start.js")
    )
    return _page(
        f'<link rel="stylesheet" href="{_address("swagger_style.css")}">\n', f'<div id="swagger-ui"></div>\n{scripts}'
    )


@get("/redoc", include_in_schema=False, sync_to_thread=False)
def redoc() -> Response[bytes]:
    """ReDoc."""
    script = f'<script type="module" src="{_address("redoc.js")}"></script>\n'
    return _page("", f'<redoc spec-url="/schema/openapi.json"></redoc>\n{script}')


@get("/docs-assets/{version:str}/{name:str}", include_in_schema=False)
async def asset(request: Asked, version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A script or style of the pages; kept for ever under the address that the pages name."""
    if name not in FILES and name not in _OWN:
        raise errors.PageNotFound(f"There is no asset {name[:60]!r}.")
    etag = f'"{_version()}"'
    keep = "public, max-age=31536000, immutable" if version == _version() else "no-cache"
    headers = {"ETag": etag, "Cache-Control": keep}
    if preferences.matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    if name in _OWN:
        content, media_type = _OWN[name], _CSS if name.endswith(".css") else _JAVASCRIPT
    else:
        content, media_type = await asyncio.to_thread((_folder() / name).read_bytes), FILES[name]
    return Response(content, media_type=media_type, headers=headers)


@get(["/schema", "/schema/openapi.json"], include_in_schema=False)
async def schema() -> Response[bytes]:
    """The OpenAPI document."""
    # Open to every origin whatever the settings: it is public, and tools read it from pages of their own.
    headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
    return Response(await asyncio.to_thread(_schema), media_type="application/json", headers=headers)


@functools.cache
def _schema() -> bytes:
    return msgspec.json.format(msgspec.json.encode(openapi.document()), indent=2)


PAGES: Final = (swagger, redoc, asset, schema)
