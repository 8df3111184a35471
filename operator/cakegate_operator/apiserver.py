"""`cluster.Cluster` on the official client (`kubernetes.aio`): raw objects in and out, no generated models.

The service account's token is read again every minute by the client's configuration, for it rotates.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import aiohttp
import msgspec
from kubernetes.aio import client, config
from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic import exceptions as answers

from cakegate_operator import inputs, metrics
from cakegate_operator.cluster import Conflict, Denied, Refused, Unreachable
from cakegate_operator.kinds import Kind, Object, kind_of

_PAGE: Final = 500
#: The client's own limit of a request is five minutes.
_WATCH_SECONDS: Final = 240
_METADATA_ALONE: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_NOT_FOUND: Final = 404
_SAYS_NOTHING: Final = frozenset({401, 408, 410, 429})
"""No word about the object: a token that is being rotated, a list that must begin anew, a server under load."""


async def connect(kubeconfig: str | None = None, context: str | None = None) -> client.ApiClient:
    """A client from the pod's service account, or from a kubeconfig."""
    configuration = client.Configuration()
    if kubeconfig is None and context is None:
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)
    else:
        await config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
    return client.ApiClient(configuration)


def context_namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The namespace that a kubeconfig's context names."""
    contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((each for each in contexts if each["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


class ApiServer:
    """A cluster behind its API server."""

    def __init__(self, api: client.ApiClient, *, timeout_seconds: float = 15.0) -> None:
        self._client = DynamicClient(api)
        self._timeout_seconds = timeout_seconds

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object as it is now; None where there is none."""
        return await self._absent_or("get", kind, "GET", _path(kind, namespace, name))

    async def list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """All objects with these labels, page after page; an empty namespace stands for all."""
        found: list[Object] = []
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        more: str | None = None
        while True:
            page = await self._ask(
                "list",
                kind,
                "GET",
                _path(kind, namespace),
                label_selector=selector or None,
                limit=_PAGE,
                _continue=more,
            )
            # Items of a list do not say what they are.
            found += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            more = page["metadata"].get("continue")
            if not more:
                return found

    async def watch(self, kind: Kind, namespace: str, label: str, *, since: str | None) -> AsyncGenerator[Object]:
        """Events of the metadata of objects that have a label, as they come, for some minutes; then it ends.

        Without `since`, a resourceVersion, it begins with all that is there. Close it where it is left early.
        """
        metrics.API_REQUESTS.labels("watch", kind.kind).inc()
        asked = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        if since:
            asked["resourceVersion"] = since
        answer: aiohttp.ClientResponse | None = None
        try:
            answer = await self._client.request(
                "GET",
                _path(kind, namespace),
                serialize=False,
                label_selector=label,
                query_params=list(asked.items()),
                header_params={"Accept": _METADATA_ALONE},
            )
            rest = b""
            async for some in answer.content.iter_any():
                *whole, rest = (rest + some).split(b"\n")
                for line in whole:
                    yield msgspec.json.decode(line)
        except answers.DynamicApiError as error:
            raise _translated(error) from error
        except TimeoutError as error:
            raise Unreachable("a watch that should have ended did not") from error
        except (OSError, aiohttp.ClientError, msgspec.DecodeError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        finally:
            if answer is not None:
                answer.close()

    async def apply(self, body: Object, *, manager: str, force: bool) -> Object:
        """Server-side apply."""
        return await self._apply("apply", body, manager=manager, force=force)

    async def apply_status(self, body: Object, *, manager: str) -> Object:
        """Server-side apply of the status subresource: nobody else writes it."""
        return await self._apply("apply_status", body, manager=manager, force=True, part="/status")

    async def _apply(self, verb: str, body: Object, *, manager: str, force: bool, part: str = "") -> Object:
        kind, metadata = kind_of(body), body["metadata"]
        return await self._ask(
            verb,
            kind,
            "PATCH",
            _path(kind, metadata["namespace"], metadata["name"]) + part,
            body=body,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts="true" if force else "false",
        )

    async def create(self, body: Object) -> Object:
        """Make it."""
        kind = kind_of(body)
        return await self._ask("create", kind, "POST", _path(kind, body["metadata"]["namespace"]), body=body)

    async def replace(self, body: Object) -> Object:
        """Put it in the place of the one of its resourceVersion."""
        kind, metadata = kind_of(body), body["metadata"]
        return await self._ask("replace", kind, "PUT", _path(kind, metadata["namespace"], metadata["name"]), body=body)

    async def delete(self, body: Object) -> None:
        """Delete exactly this object; what it owns goes in the background."""
        kind, metadata = kind_of(body), body["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        }
        path = _path(kind, metadata["namespace"], metadata["name"])
        await self._absent_or("delete", kind, "DELETE", path, body=options)

    async def has(self, api: inputs.Api) -> bool | None:
        """Whether an optional API is there: only a 404 of its version, or a list without its kind, means absent."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._client.request("GET", f"/apis/{api.api_version}", serialize=False)
                listed = await answer.json()
        except answers.DynamicApiError as error:
            return False if error.status == _NOT_FOUND else None
        except (TimeoutError, OSError, aiohttp.ClientError):
            return None
        return any(resource["kind"] == api.kind for resource in listed["resources"])

    async def _absent_or(self, verb: str, kind: Kind, method: str, path: str, **more: Any) -> Object | None:
        try:
            return await self._ask(verb, kind, method, path, **more)
        except _Absent:
            return None

    async def _ask(self, verb: str, kind: Kind, method: str, path: str, **more: Any) -> Object:
        metrics.API_REQUESTS.labels(verb, kind.kind).inc()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                # The client's own limit reaches further than ours, so that ours is the one that is told.
                answer = await self._client.request(method, path, serialize=False, **more)
                return cast("Object", await answer.json())
        except answers.DynamicApiError as error:
            raise _translated(error) from error
        except TimeoutError as error:
            raise Unreachable(f"no answer within {self._timeout_seconds:g} s") from error
        except (OSError, aiohttp.ClientError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error


class _Absent(Refused):
    """404: the object, its namespace or its API is not there."""


#: An apply of what cannot be an object of its kind (a quantity that is none) is answered so, with 500.
_INTERNAL: Final = 500
_UNFIT: Final = ("failed to convert", "failed to create typed")
_DEFINITE: Final[dict[int, type[Refused]]] = {403: Denied, _NOT_FOUND: _Absent, 409: Conflict}


def _translated(error: answers.DynamicApiError) -> Refused | Unreachable:
    words = error.summary()
    message = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    if error.status == _INTERNAL and message.startswith(_UNFIT):
        return Refused(message)
    if error.status >= _INTERNAL or error.status in _SAYS_NOTHING:
        return Unreachable(f"{error.status}: {message}")
    return _DEFINITE.get(error.status, Refused)(message)


def _path(kind: Kind, namespace: str, name: str | None = None) -> str:
    """The path of a kind or of one object; no name may lead out of its place, wherever it came from."""
    within = f"namespaces/{_segment(namespace)}/{kind.plural}" if namespace else kind.plural
    return f"{kind.prefix}/{within}" + (f"/{_segment(name)}" if name else "")


def _segment(name: str) -> str:
    if name in {".", ".."}:
        raise Refused(f"{name}: no name of an object")
    return quote(name, safe="")
