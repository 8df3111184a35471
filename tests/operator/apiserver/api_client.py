"""What tests do to the API server as its administrator: any kind, by its path."""

import asyncio
import copy

from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic.exceptions import DynamicApiError

from cakegate_operator import kinds

_PLURALS = {
    "Namespace": "namespaces",
    "CustomResourceDefinition": "customresourcedefinitions",
    "APIService": "apiservices",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ServiceAccount": "serviceaccounts",
} | {kind.kind: kind.plural for kind in (*kinds.CHILDREN, *kinds.OTHERS)}


class Refused(Exception):
    """What the API server said."""

    def __init__(self, words, status):
        super().__init__(words)
        self.status = status


class Admin:
    def __init__(self, api):
        self.api = api
        self._client = DynamicClient(api)

    async def ask(self, method, path, **more):
        try:
            answer = await self._client.request(method, path, serialize=False, **more)
        except DynamicApiError as error:
            raise Refused(error.summary(), error.status) from None
        return await answer.json()

    async def create(self, body):
        return await self.ask("POST", _path(body), body=body, query_params=[("fieldValidation", "Strict")])

    async def get(self, kind, namespace, name):
        try:
            return await self.ask("GET", f"{kind.prefix}/namespaces/{namespace}/{kind.plural}/{name}")
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def all(self, kind, namespace):
        found = await self.ask("GET", f"{kind.prefix}/namespaces/{namespace}/{kind.plural}")
        return found["items"]

    async def merge(self, kind, namespace, name, change, part=""):
        return await self.ask(
            "PATCH",
            f"{kind.prefix}/namespaces/{namespace}/{kind.plural}/{name}{part}",
            body=change,
            content_type="application/merge-patch+json",
            query_params=[("fieldValidation", "Strict"), ("fieldManager", "kubectl-edit")],
        )

    async def put(self, body):
        return await self.ask("PUT", f"{_path(body)}/{body['metadata']['name']}", body=body)

    async def remove(self, body):
        return await self.ask("DELETE", f"{_path(body)}/{body['metadata']['name']}")

    async def define(self, definition):
        """Add a definition, and wait until it is served."""
        await self.create(definition)
        spec = definition["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.ask("GET", path)
                except Refused:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def undefine(self, definition):
        await self.remove(definition)
        spec = definition["spec"]
        async with asyncio.timeout(20):
            while True:
                try:
                    found = await self.ask("GET", f"/apis/{spec['group']}/{spec['versions'][0]['name']}")
                except Refused:
                    return
                if all(each["name"] != spec["names"]["plural"] for each in found["resources"]):
                    return
                await asyncio.sleep(0.05)


def _path(body):
    version, namespace = body["apiVersion"], body["metadata"].get("namespace")
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"{prefix}/namespaces/{namespace}" if namespace else prefix
    return f"{within}/{_PLURALS[body['kind']]}"


def bakery(namespace, spec=None, *, name="demo", **metadata):
    """A resource."""
    return {
        "apiVersion": "cakegate.dev/v1alpha1",
        "kind": "CakeBakery",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": copy.deepcopy(spec) if spec is not None else {"upstream": {"sample": {}}},
    }


def small_definition(api, plural):
    """A definition of an optional API that takes anything."""
    group, version = api.api_version.split("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, tests"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": api.kind, "plural": plural, "singular": api.kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
