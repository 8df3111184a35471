import contextlib
import itertools

import api_server
import pytest
from api_client import Admin

from cakegate_operator import crd

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """An API server with our definition in it."""
    assets = api_server.assets()
    if assets is None:
        pytest.skip("needs an API server: set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver")
    with api_server.running(assets, tmp_path_factory.mktemp("apiserver")) as found:
        yield found


@pytest.fixture(scope="session")
async def admin(server):
    """Its administrator, with our definition established."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(server.client())
        found = Admin(api)
        await found.define(crd.definition())
        yield found


@pytest.fixture
async def namespace(admin):
    """A namespace for one test."""
    name = f"test-{next(_numbers)}"
    await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
